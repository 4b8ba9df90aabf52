"""Small files that never stood on the disk: on their way to a store they lie in the spool."""

import hashlib
from pathlib import Path

from pipeline.model import StoredObject
from pipeline.storage import Storage
from pipeline.storage.local import LocalStorage
from pipeline.storage.oserrors import os_errors


def put_bytes(
    storage: Storage, key: str, data: bytes, spool: Path, *, content_type: str
) -> StoredObject:
    """Store bytes whole or not at all, replacing what was there.  Safe to repeat."""
    with os_errors(f"make {spool}"):
        spool.mkdir(parents=True, exist_ok=True)
    temporary = LocalStorage(spool).temporary("small")
    try:
        with os_errors(f"write {temporary}"):
            temporary.write_bytes(data)
        sha256 = hashlib.sha256(data).hexdigest()
        return storage.put(temporary, key, sha256=sha256, content_type=content_type)
    finally:
        temporary.unlink(missing_ok=True)
