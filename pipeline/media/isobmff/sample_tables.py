"""MP4 sample tables.  Long: every table is held against the others.

They say where every sample of a movie lies, how long it is and when it is shown.  Clauses are those
of ISO/IEC 14496-12:2015 (ISO base media file format) unless another standard is named.  In shapes,
n are the samples of a track and m its chunks.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from msgspec import Struct
from msgspec.structs import asdict
from numpy.typing import NDArray

from pipeline.media.clock import HZ
from pipeline.media.isobmff.boxes import Box, Node, read_header, top_level
from pipeline.media.isobmff.track_header import TrackHeader, matrix_at, running_clock, track_header
from pipeline.media.malformed import Malformed

MAX_MOOV = 256 << 20  # bytes
MAX_SAMPLES = 1 << 24  # of a movie: 99 h of 48 kHz AAC; samples of equal size need no table
BLOCK = 1 << 16  # samples that are looked at together, for all would take more than the tables
CHUNKS = 1 << 12  # and chunks
MAX_TIME = 1 << 45  # track ticks: 12 years of 90 kHz; times 90 000 it still fits an int64

ALL = slice(None)

Samples = NDArray[np.uint32]
Longs = NDArray[np.int64]


class Layout(Struct, frozen=True):
    """The top-level boxes of a file, in order; exactly one of them is ``moov``."""

    boxes: tuple[Box, ...]

    @property
    def moov(self) -> Box:
        """The movie box; the bytes at its offset, of its size, go into :func:`parse_moov`."""
        return next(b for b in self.boxes if b.type == "moov")

    @property
    def mdats(self) -> tuple[Box, ...]:
        """The media data boxes (8.1.1)."""
        return tuple(b for b in self.boxes if b.type == "mdat")

    @property
    def faststart(self) -> bool:
        """Whether a player can begin before it has the whole file: moov before the first mdat."""
        return all(self.moov.offset < mdat.offset for mdat in self.mdats)


class Times:
    """The times of samples in runs of equal steps: those of any slice, without room for all."""

    def __init__(self, counts: Longs, steps: Longs) -> None:
        lasts = counts * steps
        self._ends, self._steps = np.cumsum(counts), steps  # number behind each run
        self._firsts, self._begins = self._ends - counts, np.cumsum(lasts) - lasts
        self.end = int(lasts.sum())  # track ticks, of the last sample

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getitem__(self, some: slice) -> Longs:
        begin, end, _ = some.indices(len(self))
        number = np.arange(begin, end)
        lo, hi = np.searchsorted(self._ends, (begin + 1, end))
        run = slice(lo, lo + 1) if lo == hi else np.searchsorted(self._ends, number, side="right")
        times: Longs = self._begins[run] + (number - self._firsts[run]) * self._steps[run]
        return times


class Track(TrackHeader, frozen=True, eq=False):
    """A track with its n samples in m chunks."""

    sizes: Samples  # uint32[n], bytes; a read-only view of one number where all are equal
    dts: Longs | Times  # int64[n], track ticks from 0, before edits; to be sliced
    cts: NDArray[np.int32] | None  # int32[n], track ticks: composition - decoding; None: all 0
    sync: Samples | None  # numbers of the sync samples, from 1 and rising; None: all are
    chunk_offsets: Longs  # int64[m], bytes from the start of the file
    chunk_samples: Samples  # uint32[m], samples per chunk


class Movie(NamedTuple):
    """What ``moov`` says; ``duration`` is in movie ticks, of which a second has ``timescale``."""

    timescale: int
    duration: int
    tracks: tuple[Track, ...]


def moov_span(read: Callable[[int, int], bytes], size: int) -> Layout:
    """Where a file of ``size`` bytes has its boxes: one ``read(offset, 16)`` for each.  Malformed
    unless exactly one of them is a moov of at most ``MAX_MOOV`` bytes.
    """
    boxes = top_level(read, size)
    moovs = [b for b in boxes if b.type == "moov"]
    if len(moovs) != 1:
        raise Malformed(f"file: {len(moovs)} moov boxes in {size} bytes, expected 1")
    if moovs[0].size > MAX_MOOV:
        raise Malformed(f"moov at {moovs[0].offset}: {moovs[0].size} bytes, expected <= {MAX_MOOV}")
    return Layout(boxes)


UNDETERMINED = (0x55C4).to_bytes(2, "big")  # "und" as mdhd has it (8.4.2.3)


def without_language(moov: bytes) -> list[int]:
    """Offsets in a moov of the language fields of mdhd (8.4.2) that are 0, and so no code."""
    node = Node(read_header(moov[:16], 0, len(moov), top=True), memoryview(moov)[8:])
    heads = [t.need("mdia", "mdhd") for t in node.children if t.box.type == "trak"]
    places = [(head, 32 if head.version(1) else 20) for head in heads]
    return [head.box.payload[0] + at for head, at in places if head.unpack("H", at) == (0,)]


class Shape(NamedTuple):
    """Where in a movie box the matrix of a track stands, and how large the track is shown."""

    handler: str
    offset: int  # bytes
    width: int  # pixels, 16.16 bits
    height: int


def shapes(moov: bytes) -> list[Shape]:
    """Those of all its tracks, in order; Malformed where one has none."""
    node = Node(read_header(moov[:16], 0, len(moov), top=True), memoryview(moov)[8:])
    found = []
    for trak in (child for child in node.children if child.box.type == "trak"):
        tkhd, hdlr = trak.need("tkhd"), trak.need("mdia", "hdlr")
        at = matrix_at(tkhd)
        width, height = tkhd.unpack("II", at + 36)
        handler = hdlr.unpack("4s", 8)[0].decode("latin-1")
        found.append(Shape(handler, tkhd.box.payload[0] + at, width, height))
    return found


def parse_moov(moov: bytes) -> Movie:
    """Read a movie box (8.2.1), header included; the result holds no reference to it.  Malformed
    where tables are cut short or contradict each other, and for movie fragments (mvex).
    """
    box = read_header(moov[:16], 0, len(moov), top=True)
    if box.type != "moov" or box.size != len(moov):
        raise Malformed(f"{box.type!r} at 0: {box.size} bytes, expected a moov of {len(moov)}")
    node = Node(box, memoryview(moov)[box.header :])
    if node.find("mvex"):
        raise node.error("mvex: the samples are in movie fragments, expected sample tables")
    tracks: list[Track] = []
    room = MAX_SAMPLES
    for trak in node.children:
        if trak.box.type == "trak":
            tracks.append(_track(trak, room))
            room -= len(tracks[-1].sizes)
    return Movie(*running_clock(node.need("mvhd")), tuple(tracks))


def _track(trak: Node, room: int) -> Track:
    """One track of at most ``room`` samples (8.3.1), every table checked against the others."""
    header, stbl = track_header(trak), trak.need("mdia", "minf", "stbl")
    sizes = _sizes(stbl.need("stsz"), room)
    offsets, per_chunk = _chunks(stbl, len(sizes), header.descriptions)
    return Track(
        **asdict(header),
        sizes=sizes,
        dts=_decoding_times(stbl.need("stts"), len(sizes)),
        cts=_composition_offsets(stbl.find("ctts"), len(sizes)),
        sync=_sync_samples(stbl.find("stss"), len(sizes)),
        chunk_offsets=offsets,
        chunk_samples=per_chunk,
    )


def _sizes(stsz: Node, room: int) -> Samples:
    """Bytes of each sample (8.7.3)."""
    size, count = stsz.unpack("II", 4)
    if count > room:
        raise stsz.error(f"{count} samples, expected <= {room} of {MAX_SAMPLES} for the movie")
    if size:
        return np.broadcast_to(np.uint32(size), count)
    return stsz.table(">u4", at=8)[:, 0].astype(np.uint32)


def _check(node: Node, runs: NDArray[Any], count: int) -> None:
    """Malformed unless (count, value) runs are of ``count`` samples."""
    total = int(runs[:, 0].sum(dtype=np.int64))
    if total != count:
        raise node.error(f"{total} samples, stsz has {count}")


def _spread(node: Node, runs: NDArray[Any], count: int) -> NDArray[Any]:
    """One value for each of ``count`` samples from (count, value) runs, checked first."""
    _check(node, runs, count)
    return np.repeat(runs[:, 1], runs[:, 0].astype(np.int64))


def _decoding_times(stts: Node, count: int) -> "Longs | Times":
    """Decoding time of each sample in track ticks (8.6.1.2)."""
    runs = stts.table(">u4", 2)
    _check(stts, runs, count)
    times = Times(runs[:, 0].astype(np.int64), runs[:, 1].astype(np.int64))
    if count and times.end >= MAX_TIME:
        raise stts.error(f"ends at tick {int(times[count - 1 :][0])}, expected < {MAX_TIME}")
    if len(runs) < count // 4:
        return times
    every = np.empty(count, np.int64)
    for begin in range(0, count, BLOCK):
        every[begin : begin + BLOCK] = times[begin : begin + BLOCK]
    return every


def _composition_offsets(ctts: Node | None, count: int) -> NDArray[np.int32] | None:
    """Composition minus decoding time in track ticks (8.6.1.3): version 0 unsigned, 1 signed."""
    if ctts is None:
        return None
    runs = ctts.table(">u4", 2)
    if ctts.version(1) == 0 and (runs[:, 1] >> 31).any():
        raise ctts.error("version 0 with an offset above 2147483647")
    return _spread(ctts, runs, count).astype(np.uint32).view(np.int32)


def _sync_samples(stss: Node | None, count: int) -> Samples | None:
    """Numbers of the sync samples, from 1 and rising (8.6.2)."""
    if stss is None:
        return None
    numbers = stss.table(">u4")[:, 0].astype(np.uint32)
    if (np.diff(numbers.astype(np.int64), prepend=0, append=count + 1) <= 0).any():
        raise stss.error(f"sync samples are not rising numbers from 1 to {count}")
    return numbers


def _chunks(stbl: Node, count: int, descriptions: int) -> tuple[Longs, Samples]:
    """Offset and number of samples of each chunk (8.7.4, 8.7.5)."""
    node = stbl.find("co64")
    node, dtype = (node, ">u8") if node else (stbl.need("stco"), ">u4")
    raw = node.table(dtype)[:, 0]
    if (raw >= 1 << 62).any():
        raise node.error("chunk offset of 2^62 or more")
    stsc = stbl.need("stsc")
    runs = stsc.table(">u4", 3)
    first = np.append(runs[:, 0].astype(np.int64), len(raw) + 1)
    if first[0] != 1 or (np.diff(first) <= 0).any():
        raise stsc.error(f"first chunks are not rising numbers from 1 to {len(raw)}")
    if ((runs[:, 1] == 0) | (runs[:, 2] == 0) | (runs[:, 2] > descriptions)).any():
        raise stsc.error(f"a chunk of 0 samples, or a sample entry not among the {descriptions}")
    per_chunk = np.repeat(runs[:, 1].astype(np.uint32), np.diff(first))
    total = int(per_chunk.sum(dtype=np.int64))
    if total != count:
        raise stsc.error(f"{total} samples in {len(raw)} chunks, stsz has {count}")
    return raw.astype(np.int64), per_chunk


def runs(track: Track) -> tuple[Longs, Longs, Longs]:
    """Offset in the file, length in bytes and index of the first sample of each chunk; int64[m]
    all.
    """
    first = np.cumsum(track.chunk_samples, dtype=np.int64) - track.chunk_samples
    bounds, lengths = np.append(first, len(track.sizes)), np.empty(len(first), np.int64)
    for begin in range(0, len(first), CHUNKS):  # all at once, sizes would be copied as int64
        here = bounds[begin : begin + CHUNKS + 1]
        sizes = track.sizes[here[0] : here[-1]]
        some = lengths[begin : begin + CHUNKS]
        np.add.reduceat(sizes, here[:-1] - here[0], dtype=np.int64, out=some)
    return track.chunk_offsets, lengths, first


def outside(track: Track, layout: Layout) -> int:
    """How many chunks do not lie wholly inside the payload of one mdat (8.1.1)."""
    offsets, lengths, _ = runs(track)
    spans = np.array([(-1, -1), *(b.payload for b in layout.mdats)], np.int64)  # in file order
    mdat = np.searchsorted(spans[:, 0], offsets, side="right") - 1
    return int(np.count_nonzero(offsets + lengths > spans[mdat, 1]))


def presentation(track: Track, movie_timescale: int, some: slice = ALL) -> Longs:
    """When each sample, or ``some``, is shown: int64[n], 90 kHz ticks from the start of the movie.

    Exact arithmetic, rounded half up once: the error is at most half a tick, and none where the
    timescales divide 90 000.  Malformed unless the edit list is empty edits, then one at rate 1.
    """
    return _edited(track, movie_timescale, shown_at(track, some))


def shown_at(track: Track, some: slice = ALL) -> Longs:
    """When each sample is shown, in track ticks and before edits."""
    dts = track.dts[some]
    return dts if track.cts is None else dts + track.cts[some]


def decode_times(track: Track, movie_timescale: int, some: slice = ALL) -> Longs:
    """When each sample is decoded, like :func:`presentation`; may begin below 0."""
    return _edited(track, movie_timescale, track.dts[some])


def hidden(track: Track, movie_timescale: int) -> int:
    """How many samples begin outside the edit (8.6.6): in the file, yet not shown by players.
    Malformed for the same edit lists as :func:`presentation`.
    """
    _, start, length = _media_edit(track)
    end = start - (-length * track.timescale // movie_timescale)  # rounded up, as ffmpeg does
    count = 0
    for begin in range(0, len(track.dts), BLOCK):
        shown = shown_at(track, slice(begin, begin + BLOCK))
        after = shown >= end if length else np.False_
        count += int(np.count_nonzero((shown < start) | after))
    return count


def _media_edit(track: Track) -> tuple[int, int, int]:
    """Movie ticks of nothing, then start in track ticks and length in movie ticks (0: to the end).

    Only what ffmpeg writes: empty edits first, then one at normal speed (8.6.6), or no list at all.
    """
    empty = [e.segment_duration for e in track.edits if e.media_time == -1]
    media = track.edits[len(empty) :]
    if not track.edits:
        return 0, 0, 0
    if len(media) != 1 or media[0].media_time < 0 or media[0].rate != 1:
        expected = "expected empty edits, then one at rate 1"
        raise Malformed(f"edit list of track {track.track_id}: {expected}")
    return sum(empty), media[0].media_time, media[0].segment_duration


def _edited(track: Track, movie_timescale: int, times: Longs) -> Longs:
    """``floor((times - start) * 90000 / timescale + empty * 90000 / movie_timescale + 1/2)``."""
    empty, start, _ = _media_edit(track)
    shift = (2 * HZ * empty + movie_timescale) * track.timescale // (2 * movie_timescale)
    shift -= start * HZ
    if abs(shift) >= 1 << 62:
        raise Malformed(f"edit list of track {track.track_id}: shifts by more than 2^62")
    ticks = times * HZ
    ticks += shift
    ticks //= track.timescale
    return ticks
