"""One object at hand: its file, what was found in it, and which of two tries is the better one."""

import hashlib
from collections.abc import Callable, Container, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from pipeline.errors import DiskFullError
from pipeline.media.clock import Bytes
from pipeline.media.ts.scan import Scan, scan_of
from pipeline.media.ts.transport_stream import TransportStream
from pipeline.model import Finding, Severity, StoredObject

LARGEST = 1 << 31  # bytes of one segment; Agora cuts at 50 MB


class Fetched(Struct, frozen=True, eq=False):
    """One object at hand, which one segment of the playlist names, or several."""

    object: StoredObject
    path: Path
    scan: Scan
    sha256: str
    findings: tuple[Finding, ...] = ()


# Who looks at some objects in a row: the place of the first, and the packets of each where they are
# still in memory.
Look = Callable[[int, Sequence[Fetched | None], Sequence[TransportStream | None]], None]


def bad(one: Fetched, wrapped: Container[str] = ()) -> bool:
    """Another try may be better."""
    if one.object.key in wrapped and not one.findings:
        return False  # its scan says nothing
    return any(f.severity == Severity.ERROR for f in (*one.findings, *one.scan.findings))


def better(before: Fetched, again: Fetched) -> Fetched:
    """The second try where nothing is wrong with it, and what was wrong with the first."""
    if bad(again):
        return before
    wrong = next(f for f in (*before.findings, *before.scan.findings) if f.severity == "error")
    detail = f"{wrong.detail}; nothing is wrong with it when read once more"
    said = replace(wrong, severity=Severity.INFO, detail=detail, repair=None)
    return replace(again, findings=(*again.findings, said))


def sha256_of(data: Bytes) -> str:
    """Its digest, in hexadecimal."""
    return hashlib.sha256(data.data).hexdigest()


def scanned(found: StoredObject, stream: TransportStream) -> Scan:
    """What is in it, and whether it is all that was listed."""
    result, size = scan_of(found.name, stream), len(stream.data)
    if size == found.size:
        return result
    detail = f"{size} bytes, the listing says {found.size}"
    wrong = Finding("SEG_SIZE", Severity.ERROR, found.name, detail=detail)
    return replace(result, cut=True, findings=(*result.findings, wrong))


def disk_error(error: OSError, path: Path) -> Exception:
    """What it means that a file of the spool could not be written."""
    import errno

    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFullError(
            f"{path.parent}: no space left for the segments; free some or set --spool"
        )
    return error
