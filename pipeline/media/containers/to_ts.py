"""Segments of other containers as transport streams: the same access units, in the form a
transport stream has them.

H.264 and H.265 get start codes instead of lengths, and the parameter sets of the initialisation
section in front of the first picture of each segment; AAC gets ADTS headers.  VP8, VP9, AV1, Opus
and Vorbis stay as they are.  Time 0 of the container becomes ``BASE``.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from msgspec import Struct, field

from pipeline.media.clock import BASE, HZ, Bytes
from pipeline.media.containers import matroska as webm
from pipeline.media.es import adts
from pipeline.media.es.access_units import owners, video
from pipeline.media.es.codecs import (
    BY_CODEC_ID,
    BY_MP4_ENTRY,
    Carriage,
    Codec,
)
from pipeline.media.es.nal import length_prefixed
from pipeline.media.isobmff import fragments
from pipeline.media.malformed import Malformed
from pipeline.media.ts.writing import mux as transport
from pipeline.media.ts.writing.mux import FIRST_PID, MuxStream, Sample
from pipeline.model import Finding, Severity

MILLISECOND = HZ // 1000  # ticks
SHARED = 16  # frames of sound in one PES, at most
_KINDS = {"vide": "video", "soun": "audio"}
_CODE = b"\0\0\0\1"


class Contained(Struct, frozen=True, eq=False):
    """A segment as a transport stream, and what is wrong with it."""

    data: Bytes  # uint8[packets * 188]
    findings: tuple[Finding, ...] = ()
    cut: bool = False  # it ends inside a box, an element or a frame
    # by PID: decoder configurations that the streams do not carry themselves
    configs: Mapping[int, bytes] = field(default_factory=dict)
    gone: Mapping[int, tuple[int, int]] = field(default_factory=dict)  # ticks by PID: see Scan


def from_fragments(name: str, init: bytes, data: bytes) -> Contained:
    """A segment of fragmented MP4 (ISO/IEC 14496-12 clause 8.8).  Never raises for bad data."""
    try:
        found = fragments.read(init, data)
    except (Malformed, ValueError, OverflowError) as error:
        return _unreadable(name, f"cannot be read as fragmented MP4: {error}")
    findings: list[Finding] = []
    if found.cut:
        detail = f"{len(data)} bytes: it ends inside a box"
        if found.missing:
            detail += f", {found.missing} samples lie behind its end"
        findings.append(Finding("SEG_PARTIAL", Severity.ERROR, name, detail=detail))
    streams: list[MuxStream] = []
    configs: dict[int, bytes] = {}
    gone: dict[int, tuple[int, int]] = {}
    for samples in found.samples:
        kind = _KINDS.get(samples.track.handler)
        if kind is None:
            detail = f"a track of {samples.track.handler!r}, neither audio nor video: left out"
            findings.append(Finding("ES_DATA", Severity.INFO, name, detail=detail))
            continue
        pid = FIRST_PID[kind] + sum(stream.codec.kind == kind for stream in streams)
        try:
            streams.append(_stream(pid, samples, data))
        except Malformed as error:
            findings.append(Finding("ES_CODEC", Severity.FATAL, name, pid, detail=str(error)))
            continue
        if config := _told_by_mp4(streams[-1].codec, samples.track):
            configs[pid] = config
        if samples.gone:
            gone[pid] = samples.gone[0] + BASE, samples.gone[1] + BASE
    return Contained(transport.write(streams), tuple(findings), found.cut, configs, gone)


def from_webm(name: str, data: bytes) -> Contained:
    """A WebM or Matroska file (RFC 9559).  Never raises for bad data."""
    try:
        found = webm.read(data)
    except Malformed as error:
        return _unreadable(name, f"cannot be read as WebM: {error}")
    findings: list[Finding] = []
    if found.cut:
        detail = f"{len(data)} bytes: it ends inside an element"
        findings.append(Finding("SEG_PARTIAL", Severity.ERROR, name, detail=detail))
    if found.index_cut:
        detail, repair = f"{len(data)} bytes: it ends inside its index", "not needed"
        findings.append(Finding("SEG_PARTIAL", Severity.WARNING, name, None, 1, detail, repair))
    streams: list[MuxStream] = []
    configs: dict[int, bytes] = {}
    for track in found.tracks:
        codec = BY_CODEC_ID.get(track.codec)
        if codec is None or track.encoded:
            what = "compressed or encrypted" if track.encoded else "not supported yet"
            detail = f"a track of {track.codec!r} is {what}"
            findings.append(Finding("ES_CODEC", Severity.FATAL, name, detail=detail))
            continue
        pid = FIRST_PID[codec.kind] + sum(s.codec.kind == codec.kind for s in streams)
        try:
            streams.append(MuxStream(pid, codec, _of_matroska(codec, track)))
        except Malformed as error:
            findings.append(Finding("ES_CODEC", Severity.FATAL, name, pid, detail=str(error)))
            continue
        if config := _told_by_matroska(codec, track):
            configs[pid] = config
    return Contained(transport.write(streams), tuple(findings), found.cut, configs)


def _unreadable(name: str, detail: str) -> Contained:
    wrong = Finding("NOT_TS", Severity.ERROR, name, detail=detail)
    return Contained(np.empty(0, np.uint8), (wrong,))


def _of_matroska(codec: Codec, track: webm.MatroskaTrack) -> list[Sample]:
    """The samples of a track; most files round times to milliseconds."""
    shift = BASE - round(track.delay * 9 / 100_000)
    pts = [time + shift for time in track.times]
    if codec.carriage is Carriage.ADTS:
        return _adts(track.private, track.frames, pts, MILLISECOND)
    if codec.nal:
        stamps = list(zip(pts, _decoded(pts), strict=True))
        return _pictures(codec, track.private, track.frames, stamps)
    return [Sample(p, p, codec.stored(unit)) for p, unit in zip(pts, track.frames, strict=True)]


def _decoded(pts: Sequence[int]) -> list[int]:
    """DTS of pictures of which only the PTS is known, in decoding order: the PTS in rising order,
    all earlier by as little as it takes that none is shown before it is decoded.
    """
    shown = sorted(pts)
    delay = max((a - b for a, b in zip(shown, pts, strict=True)), default=0)
    return [time - delay for time in shown]


def _told_by_mp4(codec: Codec, track: fragments.FragmentTrack) -> bytes:
    """The configuration of a stream that does not carry it itself; empty where there is none."""
    if codec.configured is None:
        return b""
    return codec.configured(
        track.configuration, (track.width, track.height), max(0.0, -track.shift)
    )


def _told_by_matroska(codec: Codec, track: webm.MatroskaTrack) -> bytes:
    """The same of CodecPrivate."""
    if codec.configured is None:
        return b""
    return codec.configured(codec.matroska_box(track.private), track.size, track.delay / 1e9)


def _stream(pid: int, samples: fragments.Samples, data: bytes) -> MuxStream:
    track = samples.track
    codec = BY_MP4_ENTRY.get(track.codec)
    if codec is None or track.descriptions != 1:
        what = "encrypted" if track.codec in ("encv", "enca") else f"as {track.codec!r}"
        detail = f"a track {what} of {track.descriptions} formats is not supported yet"
        raise Malformed(detail)
    spans = zip(samples.offset.tolist(), samples.size.tolist(), strict=True)
    units = [data[at : at + size] for at, size in spans]
    stamps = list(zip((samples.pts + BASE).tolist(), (samples.dts + BASE).tolist(), strict=True))
    if codec.carriage is Carriage.ADTS:
        return MuxStream(
            pid, codec, _adts(track.configuration, units, [dts for _, dts in stamps], 1)
        )
    if codec.nal is None:
        pairs = zip(map(codec.stored, units), stamps, strict=True)
        return MuxStream(pid, codec, [Sample(pts, dts, unit) for unit, (pts, dts) in pairs])
    return MuxStream(pid, codec, _pictures(codec, track.configuration, units, stamps))


def _pictures(
    codec: Codec,
    configuration: bytes,
    units: Sequence[bytes],
    stamps: Sequence[tuple[int, int]],
) -> list[Sample]:
    """One PES for each sample, of which our reader of access units makes the same sample again."""
    assert codec.nal is not None
    assert codec.mp4_sets is not None
    record = codec.mp4_sets(configuration)
    sets = [s for s in record.sets if codec.nal.kind(s) in codec.nal.sets]
    made: list[bytes] = []
    stored: list[bytes] = []
    for number, unit in enumerate(units):
        nals = [unit[a:b] for a, b in length_prefixed(unit, record.width)]
        if not nals:
            raise Malformed("a sample without a NAL unit")
        if number == 0 and not any(codec.nal.kind(nal) == codec.nal.sps for nal in nals):
            first = 1 if codec.nal.kind(nals[0]) == codec.nal.delimiter else 0
            nals = [*nals[:first], *sets, *nals[first:]]
        made.append(b"".join(_CODE + nal for nal in nals))
        kept = [
            nal for nal in nals if not codec.nal.apart or codec.nal.kind(nal) not in codec.nal.sets
        ]
        stored.append(b"".join(len(nal).to_bytes(4, "big") + nal for nal in kept))
    _agree(codec, made, stored)
    return [Sample(pts, dts, es) for es, (pts, dts) in zip(made, stamps, strict=True)]


def _agree(codec: Codec, made: Sequence[bytes], stored: Sequence[bytes]) -> None:
    """Malformed unless each sample is one picture, byte for byte, whichever of two neighbours holds
    what stands between them.
    """
    assert codec.nal is not None
    begin = np.cumsum([0, *map(len, made)])[:-1]
    none = np.zeros(len(made), np.int64)
    es = np.frombuffer(b"".join(made), np.uint8)
    again, _ = video(es, begin.astype(np.intp), none, none, syntax=codec.nal)
    one_each = np.array_equal(owners(es, begin, codec.nal), np.arange(len(made)))
    if not one_each or again.digest != zlib.crc32(b"".join(stored)):
        raise Malformed("its samples are not access units of one picture each")


def _adts(
    configuration: bytes, units: Sequence[bytes], dts: Sequence[int], rounded: int
) -> list[Sample]:
    """Frames behind ADTS headers; those in an even beat share a PES with the first one's stamp.

    ``rounded`` are the ticks by which a stamp may be off that beat.
    """
    if not configuration:
        raise Malformed("sound in 'mp4a' that is not AAC is not supported yet")
    header = adts.of_asc(configuration)
    config = header.fixed_part
    return [
        Sample(stamp, stamp, b"".join(adts.framed(config, frame) for frame in units[begin:end]))
        for begin, end, stamp in _beats(dts, header.ticks, rounded)
    ]


def _beats(dts: Sequence[int], beat: float, rounded: int) -> Iterator[tuple[int, int, int]]:
    """Runs of frames that follow one another evenly: begin, end, and the first stamp."""
    begin = 0
    for at in range(1, len(dts) + 1):
        even = at < len(dts) and abs(dts[at] - dts[begin] - (at - begin) * beat) <= rounded
        if not even or at - begin == SHARED:
            yield begin, at, dts[begin]
            begin = at
