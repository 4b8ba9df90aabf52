"""Small files made in memory: on their way to a store they lie in the spool."""

import hashlib
from pathlib import Path

from pipeline.model import StoredObject
from pipeline.storage import Storage
from pipeline.storage.oserrors import os_errors
from pipeline.storage.temporaries import temporary


def put_bytes(
    storage: Storage, key: str, data: bytes, spool: Path, *, content_type: str
) -> StoredObject:
    """Store bytes whole or not at all, replacing what was there.  Safe to repeat."""
    file = temporary(spool)
    try:
        with os_errors(f"write {file}"):
            file.write_bytes(data)
        sha256 = hashlib.sha256(data).hexdigest()
        return storage.put(file, key, sha256=sha256, content_type=content_type)
    finally:
        file.unlink(missing_ok=True)
