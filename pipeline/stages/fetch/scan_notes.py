"""What was found in a segment of the spool, written down beside it."""

import hashlib
import json
import secrets
from functools import cache
from importlib.resources import files
from pathlib import Path

from pipeline.media.ts import scan_cache
from pipeline.model import Severity, StoredObject
from pipeline.stages.fetch.fetched import Fetched, disk_error
from pipeline.version import VERSION

KEPT = ".scan"  # the suffix of such a note


@cache
def rules() -> str:
    """What finds something in a segment: a digest of the modules that read transport streams, so
    that another version of them believes no scan of this one.
    """
    digest = hashlib.sha256(VERSION.encode())
    home = files("pipeline.media")
    rooms = [home, *(home / room for room in ("es", "ts"))]
    sources = [entry for room in rooms for entry in room.iterdir() if entry.name.endswith(".py")]
    for source in sorted(sources, key=str):
        digest.update(source.read_bytes())
    return digest.hexdigest()


def keep(fetched: Fetched) -> None:
    """Write down what was found in a segment, if nothing was wrong with it.

    Found again only while the segment is the very same file, by size and time of modification.
    """
    if any(f.severity == Severity.ERROR for f in (*fetched.scan.findings, *fetched.findings)):
        return
    status = fetched.path.stat()
    note = {"size": status.st_size, "modified": status.st_mtime_ns, "sha256": fetched.sha256}
    note["scan"] = scan_cache.dumps(fetched.scan, rules())
    part = fetched.path.with_suffix(f".{secrets.token_hex(8)}.part")
    try:
        part.write_text(json.dumps(note), encoding="utf-8")
        part.replace(fetched.path.with_suffix(KEPT))
    except OSError as error:
        raise disk_error(error, part) from error
    finally:
        part.unlink(missing_ok=True)


def kept(found: StoredObject, path: Path) -> Fetched | None:
    """What was written down of an object, if its file is still the one that was looked at."""
    try:
        status = path.stat()
        note = json.loads(path.with_suffix(KEPT).read_text(encoding="utf-8"))
        same = (note["size"], note["modified"]) == (status.st_size, status.st_mtime_ns)
        scan, sha256 = scan_cache.loads(note["scan"], rules()), note["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not same or scan is None or scan.name != found.name or status.st_size != found.size:
        return None
    return Fetched(found, path, scan, sha256) if isinstance(sha256, str) else None
