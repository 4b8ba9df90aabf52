"""Segments of other containers as transport streams: the same access units, in the form a
transport stream has them.

H.264 and H.265 get start codes for lengths, and the parameter sets of the initialisation section in
front of the first picture of each segment; AAC gets ADTS headers.
"""

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.media import fragments, transport, webm
from pipeline.media.boxes import Malformed
from pipeline.media.codecs import (
    AAC,
    AV1,
    H264,
    HEVC,
    OPUS,
    RATES,
    VORBIS,
    VP8,
    VP9,
    Codec,
    NalSyntax,
)
from pipeline.media.decoder_config import audio_object, avc_parameter_sets, hevc_parameter_sets
from pipeline.media.lane import BASE, HZ
from pipeline.media.packets import Bytes
from pipeline.media.transport import FIRST_PID, Sample, Stream
from pipeline.media.units import FRAME, video
from pipeline.model import Finding, Severity

SHARED = 16  # frames of sound in one PES
LONGEST = 8191 - 7  # bytes of an AAC frame behind its ADTS header
_KINDS = {"vide": "video", "soun": "audio"}
_CODECS = {"avc1": H264, "avc3": H264, "hvc1": HEVC, "hev1": HEVC, "mp4a": AAC}
_WEBM = {"V_VP8": VP8, "V_VP9": VP9, "V_AV1": AV1, "A_OPUS": OPUS, "A_VORBIS": VORBIS}
_CODE = b"\0\0\0\1"


@dataclass(frozen=True, slots=True, eq=False)
class Contained:
    """A segment as a transport stream, and what is wrong with it."""

    data: Bytes
    findings: tuple[Finding, ...] = ()
    cut: bool = False


def from_fragments(name: str, init: bytes, data: bytes) -> Contained:
    """A segment of fragmented MP4 (ISO/IEC 14496-12 clause 8.8).  Never raises for bad data."""
    try:
        found = fragments.read(init, data)
    except (Malformed, ValueError) as error:
        detail = f"cannot be read as fragmented MP4: {error}"
        wrong = Finding("NOT_TS", Severity.ERROR, name, detail=detail)
        return Contained(np.empty(0, np.uint8), (wrong,))
    findings: list[Finding] = []
    if found.cut:
        detail = f"{len(data)} bytes: it ends inside a box"
        if found.missing:
            detail += f", {found.missing} samples lie behind its end"
        findings.append(Finding("SEG_PARTIAL", Severity.ERROR, name, detail=detail))
    streams: list[Stream] = []
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
    return Contained(transport.write(streams), tuple(findings), found.cut)


def from_webm(name: str, data: bytes) -> Contained:
    """A WebM file (RFC 9559).  Never raises for bad data."""
    try:
        found = webm.read(data)
    except webm.Malformed as error:
        detail = f"cannot be read as WebM: {error}"
        wrong = Finding("NOT_TS", Severity.ERROR, name, detail=detail)
        return Contained(np.empty(0, np.uint8), (wrong,))
    findings: list[Finding] = []
    if found.cut:
        detail = f"{len(data)} bytes: it ends inside an element"
        findings.append(Finding("SEG_PARTIAL", Severity.ERROR, name, detail=detail))
    streams: list[Stream] = []
    for track in found.tracks:
        codec = _WEBM.get(track.codec)
        if codec is None:
            detail = f"a track of {track.codec!r} is not supported yet"
            findings.append(Finding("ES_CODEC", Severity.FATAL, name, detail=detail))
            continue
        pid = FIRST_PID[codec.kind] + sum(s.codec.kind == codec.kind for s in streams)
        pairs = zip(track.times, track.frames, strict=True)
        streams.append(Stream(pid, codec, [Sample(t + BASE, t + BASE, f) for t, f in pairs]))
    return Contained(transport.write(streams), tuple(findings), found.cut)


def _stream(pid: int, samples: fragments.Samples, data: bytes) -> Stream:
    track = samples.track
    codec = _CODECS.get(track.codec)
    if codec is None or track.descriptions != 1:
        what = "encrypted" if track.codec in ("encv", "enca") else f"as {track.codec!r}"
        detail = f"a track {what} of {track.descriptions} formats is not supported yet"
        raise Malformed(detail)
    spans = zip(samples.offset.tolist(), samples.size.tolist(), strict=True)
    units = [data[at : at + size] for at, size in spans]
    stamps = list(zip((samples.pts + BASE).tolist(), (samples.dts + BASE).tolist(), strict=True))
    if codec is AAC:
        return Stream(pid, codec, _adts(track, units, [dts for _, dts in stamps]))
    return Stream(pid, codec, _pictures(codec, track, units, stamps))


def _pictures(
    codec: Codec,
    track: fragments.Track,
    units: Sequence[bytes],
    stamps: Sequence[tuple[int, int]],
) -> list[Sample]:
    """One PES for each sample; our reader of access units makes the same sample of it again."""
    assert codec.nal is not None
    hevc = codec is HEVC
    reader: Callable[[bytes], tuple[bytes, ...]]
    reader = hevc_parameter_sets if hevc else avc_parameter_sets
    width = (track.configuration[21 if hevc else 4 : 22 if hevc else 5] or b"\3")[0] % 4 + 1
    sets = [s for s in reader(track.configuration) if _type(s, codec.nal) in codec.nal.sets]
    made: list[bytes] = []
    stored: list[bytes] = []
    for number, unit in enumerate(units):
        nals = [unit[a:b] for a, b in fragments.lengths_of(unit, width)]
        if number == 0 and not any(_type(nal, codec.nal) == codec.nal.sps for nal in nals):
            first = 1 if _is_delimiter(nals[0], codec.nal) else 0
            nals = [*nals[:first], *sets, *nals[first:]]
        made.append(b"".join(_CODE + nal for nal in nals))
        kept = [
            nal
            for nal in nals
            if not codec.nal.apart or _type(nal, codec.nal) not in codec.nal.sets
        ]
        stored.append(b"".join(len(nal).to_bytes(4, "big") + nal for nal in kept))
    _agree(codec, made, stored)
    return [Sample(pts, dts, es) for es, (pts, dts) in zip(made, stamps, strict=True)]


def _agree(codec: Codec, made: Sequence[bytes], stored: Sequence[bytes]) -> None:
    """Each sample is one access unit, byte for byte."""
    assert codec.nal is not None
    begin = np.cumsum([0, *map(len, made)])[:-1]
    none = np.zeros(len(made), np.int64)
    again, _ = video(bytearray(b"".join(made)), begin.astype(np.intp), none, none, codec.nal)
    same = again.sizes.tolist() == [len(unit) for unit in stored]
    if not same or again.digest != zlib.crc32(b"".join(stored)):
        raise Malformed("its samples are not access units of one picture each")


def _type(nal: bytes, syntax: NalSyntax) -> int:
    return nal[0] >> syntax.shift & syntax.mask if nal else -1


def _is_delimiter(nal: bytes, syntax: NalSyntax) -> bool:
    """An access unit delimiter, which may only stand first."""
    return _type(nal, syntax) == (35 if syntax.shift else 9)


def _adts(track: fragments.Track, units: Sequence[bytes], dts: Sequence[int]) -> list[Sample]:
    """Frames behind ADTS headers; those in an even beat share a PES with the first one's stamp."""
    if not track.configuration:
        raise Malformed("sound in 'mp4a' that is not AAC is not supported yet")
    header = _header(track.configuration)
    beat = FRAME * HZ / audio_object(track.configuration)[1]
    return [
        Sample(stamp, stamp, b"".join(_framed(header, frame) for frame in units[begin:end]))
        for begin, end, stamp in _beats(dts, beat)
    ]


def _beats(dts: Sequence[int], beat: float) -> Iterator[tuple[int, int, int]]:
    """Runs of frames that follow one another to the tick: begin, end, and the first stamp."""
    begin = 0
    for at in range(1, len(dts) + 1):
        even = at < len(dts) and abs(dts[at] - dts[begin] - (at - begin) * beat) <= 1
        if not even or at - begin == SHARED:
            yield begin, at, dts[begin]
            begin = at


def _header(asc: bytes) -> int:
    """The fixed bits of an ADTS header (ISO/IEC 14496-3 clause 1.A.2.2), in a word of 56."""
    kind, rate, channels = audio_object(asc)
    layout = {**{n: n for n in range(1, 7)}, 8: 7}.get(channels)
    if not 1 <= kind <= 4 or rate not in RATES or layout is None:
        detail = f"AAC of object type {kind}, {rate} Hz, {channels} channels"
        raise Malformed(f"{detail} has no ADTS header: not supported yet")
    word = 0xFFF1 << 40 | (kind - 1) << 38 | RATES.index(rate) << 34 | layout << 30
    return word | 0x7FF << 2


def _framed(header: int, frame: bytes) -> bytes:
    if len(frame) > LONGEST:
        raise Malformed(f"a frame of sound of {len(frame)} bytes, at most {LONGEST}")
    return (header | (len(frame) + 7) << 13).to_bytes(7, "big") + frame
