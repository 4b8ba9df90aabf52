"""Units as fragmented MP4: what the muxer is fed where a transport stream cannot carry them.

The stamps are those of the plan; nothing is left for the muxer to guess.  Clauses are those of
ISO/IEC 14496-12:2015 unless a standard is named.
"""

import struct
from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct

from pipeline.media.clock import HZ, OPUS_HZ, Ticks
from pipeline.media.es.access_units import Units
from pipeline.media.es.codecs import Codec
from pipeline.media.es.nal import length_prefixed
from pipeline.media.track import Lane

KEY, OTHER = 0x02000000, 0x01010000  # sample_flags (8.8.3.1)
MATRIX = struct.pack(">9I", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)


class _Run(Struct, frozen=True, eq=False):
    """Samples of one track in a row."""

    track: int
    sizes: Sequence[int]
    pts: Ticks
    dts: Ticks
    durations: Ticks
    flags: Sequence[int]
    data: memoryview
    sound: bool  # on a clock of OPUS_HZ


class Feed:
    """Writes segments one behind the other; knows how far each lane has come."""

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self._lanes = lanes
        self._number = 0
        self._next = dict.fromkeys((lane.pid for lane in lanes), 0.0)  # for what has no stamp

    def head(self, first: Mapping[int, Units]) -> bytes:
        """The movie; ``first`` are the first units of each lane, with its parameter sets."""
        traks = [_trak(number, lane, first[lane.pid]) for number, lane in enumerate(self._lanes, 1)]
        trexs = [
            _full("trex", 0, 0, struct.pack(">5I", number, 1, 0, 0, 0))
            for number in range(1, len(traks) + 1)
        ]
        mvhd = struct.pack(">4I", 0, 0, HZ, 0) + struct.pack(">IH10x", 1 << 16, 1 << 8) + MATRIX
        mvhd += bytes(24) + struct.pack(">I", len(traks) + 1)
        moov = _box("moov", _full("mvhd", 0, 0, mvhd), *traks, _box("mvex", *trexs))
        return _box("ftyp", b"iso6\0\0\0\0iso6mp41") + moov

    def introduction(self, pid: int, units: Units) -> bytes:
        """The first unit of a lane that begins late, ahead of all (``media/stitch/priming``)."""
        number, lane = next((n, x) for n, x in enumerate(self._lanes, 1) if x.pid == pid)
        there, size = np.array([0], np.int64), int(units.sizes[0])
        data = memoryview(units.data)[:size]
        long = np.array([round(lane.unit)], np.int64)
        sound = lane.codec.kind == "audio"
        run = _Run(number, [size], there, there, long, [KEY], data, sound)
        return self._fragment([run])

    def add(self, units: Mapping[int, Units]) -> tuple[bytes, ...]:
        """A segment: fragments of about a second, each with its share of every lane."""
        runs = [
            self._run(number, lane, units[lane.pid])
            for number, lane in enumerate(self._lanes, 1)
            if lane.pid in units and len(units[lane.pid].sizes)
        ]
        if not runs:
            return ()
        begin, end = (int(f([f(run.dts) for run in runs])) for f in (np.min, np.max))
        bounds = range(begin, end + 1, HZ)
        return tuple(
            self._fragment(shares)
            for at in bounds
            if (shares := [s for run in runs if (s := _share(run, at, at + HZ))])
        )

    def _run(self, number: int, lane: Lane, units: Units) -> _Run:
        dts = self._times(units.dts, lane)
        pts = np.where(units.pts >= 0, units.pts, dts)
        self._next[lane.pid] = float(dts[-1]) + lane.unit
        steps = np.append(np.diff(dts), round(lane.unit))
        sizes, data = units.sizes.tolist(), memoryview(units.data)
        ends = np.cumsum(units.sizes, dtype=np.int64).tolist()
        flags = [
            KEY if _is_key(lane.codec, bytes(data[b - size : b])) else OTHER
            for b, size in zip(ends, sizes, strict=True)
        ]
        sound = lane.codec.kind == "audio"
        return _Run(number, sizes, pts, dts, np.maximum(steps, 1), flags, data, sound)

    def _times(self, dts: Ticks, lane: Lane) -> Ticks:
        """Units without a stamp follow the one before by whole units."""
        count = np.arange(len(dts))
        last = np.maximum.accumulate(np.where(dts >= 0, count, -1))
        ago = np.where(last >= 0, count - last, count)
        since = np.where(last >= 0, dts[last], self._next[lane.pid])
        found: Ticks = np.floor(since + ago * lane.unit).astype(np.int64)
        return found

    def _fragment(self, runs: Sequence[_Run]) -> bytes:
        """A movie fragment and its media (8.8.4)."""
        self._number += 1
        blank = self._moof(runs, [0] * len(runs))
        offsets = np.cumsum([len(blank) + 8, *(len(run.data) for run in runs)])[:-1].tolist()
        return self._moof(runs, offsets) + _box("mdat", *(run.data for run in runs))

    def _moof(self, runs: Sequence[_Run], offsets: Sequence[int]) -> bytes:
        trafs = [_traf(run, offset) for run, offset in zip(runs, offsets, strict=True)]
        return _box("moof", _full("mfhd", 0, 0, struct.pack(">I", self._number)), *trafs)


def _share(run: _Run, begin: int, end: int) -> _Run | None:
    """The samples that are decoded in a span of time; stamps do not run back."""
    low, high = np.searchsorted(run.dts, (begin, end)).tolist()
    if low == high:
        return None
    at = int(np.sum(run.sizes[:low], dtype=np.int64))
    sizes = run.sizes[low:high]
    data = run.data[at : at + sum(sizes)]
    here = slice(low, high)
    times = run.pts[here], run.dts[here], run.durations[here]
    return _Run(run.track, sizes, *times, run.flags[here], data, run.sound)


def _traf(run: _Run, offset: int) -> bytes:
    """A track fragment (8.8.6): offsets count from it, every field of a sample is given."""
    tfhd = _full("tfhd", 0, 0x20000, struct.pack(">I", run.track))
    dts, pts, durations = run.dts, run.pts, run.durations
    if run.sound:
        dts = pts = (run.dts * (2 * OPUS_HZ) + HZ) // (2 * HZ)
        durations = np.diff(dts, append=dts[-1] + run.durations[-1] * OPUS_HZ // HZ)
    tfdt = _full("tfdt", 1, 0, struct.pack(">Q", int(dts[0])))
    table = np.stack([durations, np.array(run.sizes), np.array(run.flags), pts - dts], axis=1)
    head = struct.pack(">Ii", len(run.sizes), offset)
    trun = _full("trun", 1, 0xF01, head, (table & 0xFFFFFFFF).astype(">u4").tobytes())
    return _box("traf", tfhd, tfdt, trun)


def _is_key(codec: Codec, unit: bytes) -> bool:
    if codec.nal is None:
        return codec.is_key(unit)
    syntax = codec.nal
    return any(syntax.kind(unit[a : a + 1]) in syntax.key for a, _ in length_prefixed(unit))


def _trak(number: int, lane: Lane, first: Units) -> bytes:
    """A track whose samples are all in fragments (8.3.1)."""
    video = lane.codec.kind == "video"
    shown = lane.codec.picture(lane.config) if video else None
    width, height = (shown.width, shown.height) if shown else (0, 0)
    tkhd = struct.pack(">5I8x4H", 0, 0, number, 0, 0, 0, 0, 0 if video else 1 << 8, 0) + MATRIX
    tkhd += struct.pack(">2I", width << 16, height << 16)
    mdhd = struct.pack(">4I2H", 0, 0, HZ if video else OPUS_HZ, 0, 0x55C4, 0)
    hdlr = bytes(4) + (b"vide" if video else b"soun") + bytes(13)
    media = _full("vmhd", 0, 1, bytes(8)) if video else _full("smhd", 0, 0, bytes(4))
    dinf = _box("dinf", _full("dref", 0, 0, struct.pack(">I", 1), _full("url ", 0, 1)))
    entry = _pictures(lane, width, height, first) if video else _sound(lane)
    tables = [_full(kind, 0, 0, bytes(4)) for kind in ("stts", "stsc", "stco")]
    stsd = _full("stsd", 0, 0, struct.pack(">I", 1), entry)
    stbl = _box("stbl", stsd, *tables, _full("stsz", 0, 0, bytes(8)))
    minf = _box("minf", media, dinf, stbl)
    mdia = _box("mdia", _full("mdhd", 0, 0, mdhd), _full("hdlr", 0, 0, hdlr), minf)
    return _box("trak", _full("tkhd", 0, 3, tkhd), mdia)


def _pictures(lane: Lane, width: int, height: int, first: Units) -> bytes:
    """A visual sample entry (12.1.3)."""
    fields = struct.pack(">6xH16x2H2I4xH32x2H", 1, width, height, 72 << 16, 72 << 16, 1, 24, 0xFFFF)
    return _entry(lane, fields, _sets(lane, first) if lane.codec.nal else ())


def _sets(lane: Lane, first: Units) -> Sequence[bytes]:
    """NAL units among which are all parameter sets of the sample entry."""
    unit = bytes(memoryview(first.data)[: int(first.sizes[0])])
    own = () if lane.inside else lane.sets
    return [*own, *(unit[a:b].rstrip(b"\0") for a, b in length_prefixed(unit))]


def _sound(lane: Lane) -> bytes:
    """An audio sample entry (12.2.3)."""
    told = lane.codec.sound(lane.config)
    fields = struct.pack(">6xH8x2H4xI", 1, told.channels, 16, min(told.rate, 0xFFFF) << 16)
    return _entry(lane, fields, ())


def _entry(lane: Lane, fields: bytes, sets: Sequence[bytes]) -> bytes:
    assert lane.codec.mp4_config is not None
    told, kind = lane.codec.mp4_config(lane.config, sets), lane.codec.mp4_box
    inner = _esds(told) if kind == "esds" else _box(kind, told)
    return _box(lane.codec.mp4_entries[0], fields, inner)


def _esds(asc: bytes) -> bytes:
    """AudioSpecificConfig in its descriptors (ISO/IEC 14496-14 clause 5.6)."""
    decoder = b"\x40\x15" + bytes(11) + b"\x05" + bytes((len(asc),)) + asc
    inner = b"\0\0\0\x04" + bytes((len(decoder),)) + decoder + b"\x06\x01\x02"
    return _full("esds", 0, 0, b"\x03" + bytes((len(inner),)) + inner)


def _box(kind: str, *content: bytes | memoryview) -> bytes:
    body = b"".join(content)
    return struct.pack(">I", len(body) + 8) + kind.encode() + body


def _full(kind: str, version: int, flags: int, *content: bytes) -> bytes:
    return _box(kind, struct.pack(">I", version << 24 | flags), *content)
