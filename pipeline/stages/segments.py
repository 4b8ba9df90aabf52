"""One segment, from fetch to proof, and the only place that opens its file."""

from collections.abc import Callable, Iterable, Sequence
from io import RawIOBase
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from pipeline.errors import StorageError
from pipeline.media.clock import Bytes
from pipeline.media.containers.unwrap import Opened, Wrapping, opened
from pipeline.media.slots.segments import Slot, has_media
from pipeline.media.ts.scan import Scan
from pipeline.media.ts.transport_stream import TransportStream, side_by_side
from pipeline.model import Finding, Listed, Severity, StoredObject
from pipeline.storage.oserrors import os_errors

HEAD = 4096  # bytes by which a file can be told what it is
LEAST = 4 << 20  # bytes of a buffer
TOGETHER = 4 << 20  # bytes of small segments that are taken apart at once

Folder = Callable[[], Path]  # where segments are rewritten; made when it is first asked for


class LocalSegment(Struct, frozen=True, eq=False):
    """One segment of the playlist with what was found under its name, and the file it lies in."""

    listed: Listed
    slot: Slot  # with its scan
    path: Path | None = None  # None where nothing is there
    sha256: str | None = None  # of the object listed, whatever became of the segment since
    wrapping: Wrapping | None = None  # where it is no transport stream as it lies there
    findings: tuple[Finding, ...] = ()  # of its file


class Buffer:
    """Memory that is used again: fresh memory would cost more than reading into it."""

    def __init__(self) -> None:
        self._bytes = np.empty(0, np.uint8)

    def room(self, size: int) -> Bytes:
        """So many bytes, of no matter what."""
        if len(self._bytes) < size:
            self._bytes = np.empty(max(size, LEAST), np.uint8)
        return self._bytes[:size]


def read(segment: LocalSegment, buffer: Buffer | None = None) -> Bytes:
    """The transport stream of a segment, as it was scanned; it may lie in the buffer.

    StorageError if its file has changed since.
    """
    return unwrapped(segment, buffer).data


def read_row(segments: Sequence[LocalSegment], buffer: Buffer) -> list[TransportStream]:
    """Some segments taken apart together, as they were scanned; they lie in the buffer, or are new.

    StorageError if the file of one has changed since.
    """
    if any(segment.wrapping is not None for segment in segments):
        return [TransportStream(read(segment)) for segment in segments]
    sizes = [segment.slot.scan.size for segment in segments if segment.slot.scan is not None]
    room = buffer.room(sum(sizes) + 1)  # one more, to see where a file has grown
    bounds = [*accumulate(sizes, initial=0)]
    for segment, (begin, end) in zip(segments, pairwise(bounds), strict=True):
        if read_into(_path(segment), room[begin : end + 1]) != end - begin:
            raise StorageError(f"{segment.path}: changed while it was converted; run again")
    return side_by_side(room[: bounds[-1]], sizes)


def unwrapped(segment: LocalSegment, buffer: Buffer | None = None) -> Opened:
    """The same with what else its container holds."""
    assert segment.slot.scan is not None
    size = segment.slot.scan.size
    if segment.wrapping is not None:
        found = opened(segment.slot.name, span(segment), segment.wrapping)
    else:
        room = buffer.room(size + 1) if buffer else np.empty(size + 1, np.uint8)
        found = Opened(room[: read_into(_path(segment), room)])
    if len(found.data) != size:
        raise StorageError(f"{segment.path}: changed while it was converted; run again")
    return found


def span(segment: LocalSegment) -> Bytes:
    """The part of its file that a wrapped segment lies in."""
    path, how = _path(segment), segment.wrapping
    assert how is not None
    if path.stat().st_size != how.size:
        raise StorageError(f"{path}: changed while it was read; run again")
    data = np.empty(how.length, np.uint8)
    return data[: read_into(path, data, how.offset)]


def head(segment: LocalSegment) -> bytes:
    """The first bytes of its file, by which it can be told what it is."""
    data = np.empty(HEAD, np.uint8)
    return data[: read_into(_path(segment), data)].tobytes()


def _path(segment: LocalSegment) -> Path:
    assert segment.path is not None
    return segment.path


def read_into(path: Path, buffer: Bytes, offset: int = 0) -> int:
    """Read a file from an offset; returns how many bytes there were."""
    with path.open("rb", buffering=0) as file:
        file.seek(offset)
        return read_full(file, buffer.data)


def read_full(file: RawIOBase, view: memoryview) -> int:
    """Read until the buffer is full or the file ends; returns how many bytes there were."""
    done = 0
    while done < len(view) and (got := file.readinto(view[done:])):
        done += got
    return done


def written(segment: LocalSegment, slot: Slot, path: Path, data: Bytes) -> LocalSegment:
    """The segment with another transport stream, in a file of its own.  DiskFullError where there
    is no room for it.
    """
    with os_errors(f"write {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.data)
    return replace(segment, slot=slot, path=path, wrapping=None)


def slots_of(segments: Iterable[LocalSegment]) -> list[Slot]:
    """What ``media`` is told of them."""
    return [segment.slot for segment in segments]


def with_slots(segments: Sequence[LocalSegment], slots: Sequence[Slot]) -> tuple[LocalSegment, ...]:
    """The same segments with what ``media`` says of each."""
    pairs = zip(segments, slots, strict=True)
    return tuple(replace(segment, slot=slot) for segment, slot in pairs)


def listed_as_wrapped(listed: Listed) -> bool:
    """The playlist says that it is encrypted, of another container, or a part of a file."""
    segment = listed.segment
    return bool(segment.key or segment.init) or listed.name != segment.uri


def slot_of(listed: Listed, scan: Scan | None) -> Slot:
    """What the playlist says of a segment, and what was found under its name."""
    return Slot(
        name=listed.name,
        scan=scan,
        duration=listed.segment.duration or None,
        rounded=listed.segment.rounded,
        discontinuity=listed.segment.discontinuity,
        utc=listed.utc,
        part=listed.part,
        listed=listed.listed,
        events=listed.segment.events,
        turns=listed.turns,
    )


def without_orphans(
    segments: Sequence[LocalSegment],
) -> tuple[tuple[LocalSegment, ...], list[Finding]]:
    """All segments but those that no playlist names and nothing can be made of."""
    kept: list[LocalSegment] = []
    findings: list[Finding] = []
    for segment in segments:
        if segment.slot.listed or has_media(segment.slot):
            findings += segment.findings
            kept.append(segment)
        else:
            detail = "the playlist lacks it, and there is nothing in it to be used"
            name = segment.slot.name
            findings.append(Finding("PL_ORPHAN", Severity.WARNING, name, detail=detail))
    return tuple(kept), findings


def objects_of(segments: Iterable[LocalSegment]) -> list[StoredObject]:
    """The objects that were there, each once."""
    there = (s.listed.object for s in segments if s.path is not None)
    return list({found.key: found for found in there if found}.values())
