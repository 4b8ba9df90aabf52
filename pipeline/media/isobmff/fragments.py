"""Fragmented MP4: the samples of a segment, cut out of its movie fragments.

Clauses are those of ISO/IEC 14496-12:2015 unless a standard is named.
"""

from collections.abc import Iterable, Mapping

import numpy as np
from msgspec import Struct, field
from msgspec.structs import asdict
from numpy.typing import NDArray

from pipeline.media.clock import HZ, median
from pipeline.media.isobmff.boxes import Box, Node, read_header
from pipeline.media.isobmff.track_header import TrackHeader, clock, track_header
from pipeline.media.malformed import Malformed

MAX_FRAGMENTS = 100_000  # boxes of a segment; low-latency ones have one for each picture
INDEX = ("mfra", "free", "skip", "udta", "meta")  # boxes at the end that hold no media
MAX_SAMPLES = 1 << 22  # of a segment

Longs = NDArray[np.int64]


class FragmentTrack(TrackHeader, frozen=True, eq=False):
    """One track as the initialisation section describes it (8.3.1)."""

    shift: float  # seconds by which its edit list moves it
    defaults: tuple[int, int]  # duration and size of a sample (trex, 8.8.3)


class Samples(Struct, frozen=True, eq=False):
    """What a segment holds of one track; every array is int64[samples].  Times are 90 kHz ticks
    with the edit list applied, not wrapped.
    """

    track: FragmentTrack
    offset: Longs  # bytes from the beginning of the segment
    size: Longs  # bytes
    dts: Longs
    pts: Longs
    gone: tuple[int, int] | None = None  # from when to when samples behind its end were shown


class Fragments(Struct, frozen=True, eq=False):
    """All that a segment holds, by track."""

    samples: tuple[Samples, ...]
    cut: bool  # it ends inside a box, or samples lie behind its end
    missing: int = 0  # samples that lie behind its end


class _Reading(Struct, eq=False):
    """A track while its runs are read; columns are offset, size, decoding and composition time."""

    track: FragmentTrack
    clock: int = 0  # track ticks: where the next run begins
    count: int = 0  # samples so far
    runs: list[tuple[Longs, Longs, Longs, Longs]] = field(default_factory=list)


def read(init: bytes, data: bytes) -> Fragments:
    """The samples of a segment by its movie fragments (8.8).  Without ``init``, the initialisation
    section, it must hold its own moov.  Malformed where boxes contradict each other.
    """
    boxes, cut = _boxes(data)
    moov = next((data[b.offset : b.offset + b.size] for b in boxes if b.type == "moov"), b"")
    tracks = {id: _Reading(track) for id, track in _tracks(moov or _movie(init)).items()}
    for box in boxes:
        if box.type == "moof":
            for traf in (n for n in _node(data, box).children if n.box.type == "traf"):
                _fragment(traf, box.offset, tracks)
    return _whole(tracks.values(), len(data), cut)


def _whole(tracks: Iterable[_Reading], length: int, cut: bool) -> Fragments:
    found: list[Samples] = []
    missing = 0
    for reading in tracks:
        none = np.empty(0, np.int64)
        columns = zip(*(reading.runs or [(none,) * 4]), strict=True)
        offset, size, dts, pts = (np.concatenate(column) for column in columns)
        there = (offset >= 0) & (offset + size <= length)
        missing += int(np.count_nonzero(~there))
        dts, pts = (_ticks(times, reading.track) for times in (dts, pts))
        gone = _span(pts[~there]) if not there.all() else None
        columns_there = offset[there], size[there], dts[there], pts[there]
        found.append(Samples(reading.track, *columns_there, gone))
    return Fragments(tuple(found), cut or missing > 0, missing)


def _span(pts: Longs) -> tuple[int, int]:
    """Ticks from the first to the end of the last, which is taken to last as long as most."""
    steps = np.diff(np.sort(pts))
    return int(pts.min()), int(pts.max()) + (int(median(steps)) if len(steps) else 0)


def _ticks(times: Longs, track: FragmentTrack) -> Longs:
    """Track ticks as ticks of 90 kHz, rounded half up once, moved by the edit list."""
    ticks: Longs = (2 * HZ * times + track.timescale) // (2 * track.timescale)
    return ticks + round(track.shift * HZ)


def _boxes(data: bytes) -> tuple[list[Box], bool]:
    """The top-level boxes, and whether the last one is cut off."""
    boxes: list[Box] = []
    at = 0
    while at < len(data):
        if len(boxes) == MAX_FRAGMENTS:
            raise Malformed(f"more than {MAX_FRAGMENTS} boxes before offset {at}")
        head = data[at : at + 16]
        if len(head) < 8 or (head[:4] == b"\0\0\0\1" and len(head) < 16):
            return boxes, True
        box = read_header(head, at, 1 << 62, top=True)
        size = min(box.size, len(data) - at)
        if size < box.size and head[:4] != bytes(4):
            if box.type == "mdat":
                boxes.append(Box(box.type, at, size, box.header))
            return boxes, box.type not in INDEX
        boxes.append(Box(box.type, at, size, box.header))
        at += size
    return boxes, False


def _node(data: bytes, box: Box) -> Node:
    begin, end = box.payload
    return Node(box, memoryview(data)[begin:end])


def _movie(init: bytes) -> bytes:
    boxes, cut = _boxes(init)
    moov = [box for box in boxes if box.type == "moov"]
    if len(moov) != 1 or cut:
        raise Malformed(f"initialisation section: {len(moov)} moov boxes, expected one whole one")
    return init[moov[0].offset : moov[0].offset + moov[0].size]


def parted(init: bytes) -> tuple[bytes, bytes]:
    """An initialisation section (moov and what stands before), and fragments behind it in the same
    file: some writers put the first ones there, and players take them for the beginning of the
    first segment.  Never raises.
    """
    try:
        boxes, _ = _boxes(init)
    except Malformed:
        return init, b""
    begin = next((box.offset for box in boxes if box.type == "moof"), len(init))
    return init[:begin], init[begin:]


def _tracks(moov: bytes) -> dict[int, FragmentTrack]:
    box = read_header(moov[:16], 0, len(moov), top=True)
    movie = _node(moov, box)
    extends = movie.find("mvex")
    defaults: dict[int, tuple[int, int]] = {}
    for trex in extends.children if extends else ():
        if trex.box.type == "trex":
            id, _, duration, size = trex.unpack("IIII", 4)
            defaults[id] = duration, size
    timescale, _ = clock(movie.need("mvhd"))
    headers = [track_header(trak) for trak in movie.children if trak.box.type == "trak"]
    return {
        header.track_id: FragmentTrack(
            **asdict(header),
            shift=_shift(header, timescale),
            defaults=defaults.get(header.track_id, (0, 0)),
        )
        for header in headers
    }


def _shift(header: TrackHeader, movie_timescale: int) -> float:
    """Seconds by which the edit list (8.6.6) moves a track: empty edits, then one of all media."""
    empty = [edit.segment_duration for edit in header.edits if edit.media_time == -1]
    media = [edit for edit in header.edits if edit.media_time != -1]
    if len(media) > 1 or any(edit.media_time < 0 or edit.rate != 1 for edit in media):
        expected = "expected empty edits, then one at rate 1"
        raise Malformed(f"edit list of track {header.track_id}: {expected}")
    late = sum(empty) / movie_timescale if movie_timescale else 0.0
    return late - (media[0].media_time / header.timescale if media else 0.0)


_TFHD = ((0x1, "Q"), (0x2, "I"), (0x8, "I"), (0x10, "I"), (0x20, "I"))


class _Defaults(Struct, frozen=True):
    """What a track fragment says of all its samples (8.8.7)."""

    origin: int  # offsets of runs count from here, in the segment
    duration: int
    size: int


def _fragment(traf: Node, moof: int, tracks: Mapping[int, _Reading]) -> None:
    """One track fragment (8.8.6): where its samples lie and when they are decoded and shown."""
    tfhd = traf.need("tfhd")
    flags, id = tfhd.unpack("II")
    flags &= 0xFFFFFF
    if id not in tracks:
        raise tfhd.error(f"track {id} is not among {sorted(tracks)}")
    fields, at = {}, 8
    for flag, layout in _TFHD:
        if flags & flag:
            fields[flag] = tfhd.unpack(layout, at)[0]
            at += 8 if layout == "Q" else 4
    if fields.get(0x2, 1) != 1:
        raise tfhd.error(f"sample entry {fields[0x2]}, expected the first")
    reading = tracks[id]
    tfdt = traf.find("tfdt")
    if tfdt:
        reading.clock = tfdt.unpack("Q", 4)[0] if tfdt.version(1) else tfdt.unpack("I", 4)[0]
    duration, size = reading.track.defaults
    origin = fields.get(0x1, moof)
    defaults = _Defaults(origin, fields.get(0x8, duration), fields.get(0x10, size))
    for trun in (node for node in traf.children if node.box.type == "trun"):
        origin = _run(trun, origin, defaults, reading)


def _run(trun: Node, at: int, defaults: _Defaults, reading: _Reading) -> int:
    """One run (8.8.8), whose data begins at the offset ``at`` unless it says otherwise; returns
    where its data ends.
    """
    flags, count = trun.unpack("II")
    version, flags = flags >> 24, flags & 0xFFFFFF
    begin = 8
    if flags & 0x1:
        at = defaults.origin + trun.unpack("i", begin)[0]
        begin += 4
    begin += 4 if flags & 0x4 else 0
    columns = [flag for flag in (0x100, 0x200, 0x400, 0x800) if flags & flag]
    room = (len(trun.data) - begin) // (4 * len(columns)) if columns else MAX_SAMPLES
    if count > room or reading.count + count > MAX_SAMPLES:
        raise trun.error(f"{count} samples, there is room for {min(room, MAX_SAMPLES)}")
    table = np.frombuffer(trun.data, ">u4", count * len(columns), begin)
    table = table.reshape(count, len(columns)).astype(np.int64)

    def column(flag: int, default: int) -> Longs:
        if flag in columns:
            found: Longs = table[:, columns.index(flag)]
            return found
        return np.full(count, default, np.int64)

    durations, sizes = column(0x100, defaults.duration), column(0x200, defaults.size)
    offsets = column(0x800, 0)
    if version:
        offsets = offsets.astype(np.uint32).view(np.int32).astype(np.int64)
    dts = reading.clock + np.cumsum(durations) - durations
    reading.clock += int(durations.sum())
    reading.count += count
    reading.runs.append((at + np.cumsum(sizes) - sizes, sizes, dts, dts + offsets))
    return at + int(sizes.sum())
