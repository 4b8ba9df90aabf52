"""What is known of each codec a recording may carry (ISO/IEC 13818-1 Table 2-34, H.264, ISO/IEC
14496-3).
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from pipeline.media.es import adts
from pipeline.media.es import nal as nals
from pipeline.media.es.nal import AVC, HEVC_NAL, NalSyntax


@dataclass(frozen=True, slots=True)
class Codec:
    """One codec; ``copied`` ones fit into MP4 as they are."""

    name: str
    kind: str  # "video" or "audio"
    copied: bool = False
    stream_type: int = 0  # in the PMT that is written
    nal: NalSyntax | None = None
    config: Callable[[bytes], bytes | None] = lambda es: None
    is_key: Callable[[bytes], bool] = lambda es: True
    count: Callable[[bytes], int] = lambda es: 1  # access units in one PES


def _nal_codec(name: str, stream_type: int, syntax: NalSyntax) -> Codec:
    return Codec(
        name,
        "video",
        True,
        stream_type,
        syntax,
        config=partial(nals.first_sps, syntax=syntax),
        is_key=partial(nals.is_key, syntax=syntax),
        count=partial(nals.pictures, syntax=syntax),
    )


def _vp8_size(es: bytes) -> bytes | None:
    """Width and height of a VP8 key frame (RFC 6386 section 9.1), two bytes each."""
    if len(es) < 10 or es[0] & 1 or es[3:6] != b"\x9d\x01\x2a":
        return None
    return bytes((es[7] & 0x3F, es[6], es[9] & 0x3F, es[8]))


def _is_vp8_key(es: bytes) -> bool:
    """RFC 6386 section 9.1."""
    return not es[:1] or not es[0] & 1


def vp9_key(es: bytes) -> bool | None:
    """Whether a VP9 frame is a key frame; None where it only shows one again (VP9 bitstream
    specification, section 6.2).
    """
    bits = "".join(f"{byte:08b}" for byte in es[:1]).ljust(8, "0")
    at = 4 + (bits[2:4] == "11")  # reserved_zero of profile 3
    if bits[at] == "1":  # show_existing_frame
        return None
    return bits[:2] == "10" and bits[at + 1] == "0"


def _vp9_config(es: bytes) -> bytes | None:
    """Width and height of a VP9 key frame, two bytes each, and what its sample entry says (vpcC:
    VP Codec ISO Media File Format Binding, section 2.2), without a level.
    """
    bits = "".join(f"{byte:08b}" for byte in es[:17]).ljust(136, "0")
    profile = int(bits[3] + bits[2], 2)
    at = 8 + (profile == 3)  # behind frame_type, show_frame and error_resilient_mode
    if not vp9_key(es) or int(bits[at : at + 24], 2) != 0x498342:
        return None
    at += 24
    depth = 8
    if profile >= 2:
        depth = 12 if bits[at] == "1" else 10
        at += 1
    rgb = int(bits[at : at + 3], 2) == 7
    full, chroma = rgb, 3 if rgb else 1
    at += 3
    if not rgb:
        full = bits[at] == "1"
        at += 1
    if profile in (1, 3):
        chroma = 3 if rgb else {"11": 1, "10": 2, "00": 3}.get(bits[at : at + 2], 0)
        at += 1 if rgb else 3
    sizes = int(bits[at : at + 16], 2) + 1, int(bits[at + 16 : at + 32], 2) + 1
    entry = bytes((1, 0, 0, 0, profile, 0, depth << 4 | chroma << 1 | full, 2, 2, 2, 0, 0))
    return b"".join(size.to_bytes(2, "big") for size in sizes) + entry


def obus(es: bytes) -> Iterator[tuple[int, int, int]]:
    """Type, begin and end of the OBUs of an AV1 temporal unit (AV1 specification, section 5.3);
    ends where they cannot be followed.
    """
    at = 0
    while at < len(es):
        begin, head = at, es[at]
        at += 2 if head & 4 else 1
        length = shift = 0
        byte = 0x80 if head & 2 else 0  # leb128, section 4.10.5
        while byte & 0x80:
            if at >= len(es) or shift > 49:
                return
            byte = es[at]
            length |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
        length = length if head & 2 else len(es) - at
        if head & 0x80 or length < 0 or at + length > len(es):
            return
        at += length
        yield head >> 3 & 15, begin, at


def _is_av1_key(es: bytes) -> bool:
    """Only a temporal unit from which can be begun has a sequence header (section 7.5)."""
    return any(kind == 1 for kind, _, _ in obus(es))


H264 = _nal_codec("h264", 0x1B, AVC)
HEVC = _nal_codec("hevc", 0x24, HEVC_NAL)
AAC = Codec("aac", "audio", True, 0x0F, config=adts.fixed_part, count=adts.count)

# What only other containers carry has a stream_type of our own (user private) on its way, marked by
# a registration descriptor of our own.  One PES holds one unit.  The configuration of AV1 and Opus
# stands in the container: size and av1C; what is skipped, and dOps.
PRIVATE = 0xF0
MARK = "rcpp"
VP8 = Codec("vp8", "video", stream_type=0xF0, config=_vp8_size, is_key=_is_vp8_key)
VP9 = Codec(
    "vp9",
    "video",
    True,
    0xF1,
    config=_vp9_config,
    is_key=lambda es: vp9_key(es) is not False,
)
AV1 = Codec("av1", "video", True, 0xF2, is_key=_is_av1_key)
OPUS = Codec("opus", "audio", True, 0xF3)
VORBIS = Codec("vorbis", "audio", stream_type=0xF4)

MP2, LATM = Codec("mp2", "audio"), Codec("aac_latm", "audio")
AC3, EAC3 = Codec("ac3", "audio"), Codec("eac3", "audio")
_BY_STREAM_TYPE = {
    0x01: Codec("mpeg1video", "video"),
    0x02: Codec("mpeg2video", "video"),
    0x03: MP2,
    0x04: MP2,
    0x0F: AAC,
    0x10: Codec("mpeg4", "video"),
    0x11: LATM,
    0x1B: H264,
    0x24: HEVC,
    0x33: Codec("vvc", "video"),
    0x80: Codec("pcm_bluray", "audio"),
    0x81: AC3,
    0x82: Codec("dts", "audio"),
    0x87: EAC3,
    0xF0: VP8,
    0xF1: VP9,
    0xF2: AV1,
    0xF3: OPUS,
    0xF4: VORBIS,
    0xCF: Codec("SAMPLE-AES aac", "audio"),
    0xDB: Codec("SAMPLE-AES h264", "video"),
}
_BY_FORMAT = {
    "AC-3": AC3,
    "EAC3": EAC3,
    "HEVC": HEVC,
    "Opus": Codec("opus", "audio"),
    "AV01": Codec("av1", "video"),
}

CODECS = {codec.name: codec for codec in (*_BY_STREAM_TYPE.values(), *_BY_FORMAT.values())}


def codec_of(stream_type: int | None, format_identifier: str, stream_id: int) -> Codec | None:
    """The codec the PMT names; without a PMT entry a guess by stream_id; None for data."""
    if stream_type is not None:
        if stream_type >= PRIVATE and format_identifier != MARK:
            return None
        return _BY_STREAM_TYPE.get(stream_type) or _BY_FORMAT.get(format_identifier)
    if 0xE0 <= stream_id <= 0xEF:
        return H264
    return AAC if 0xC0 <= stream_id <= 0xDF else None


# What carries no PES (Table 2-34; SCTE 35): private sections, DSM-CC, metadata sections, splices.
SECTIONS = frozenset({0x05, 0x0A, 0x0B, 0x0C, 0x0D, 0x14, 0x16, 0x86})
_DATA = SECTIONS | {0x08, 0x0E, 0x15, 0x17, 0x18, 0x19, 0x1A, 0x1D}  # in PES: metadata, text, ...
_DATA_FORMATS = frozenset({"teletext", "subtitles", "VBI", "ID3 ", "KLVA", "CUEI", "VANC"})


def is_data(stream_type: int, format_identifier: str) -> bool:
    """The PMT says that it is neither sound nor picture."""
    return stream_type in _DATA or format_identifier in _DATA_FORMATS


_KINDS = (
    (rb"\x1aE\xdf\xa3", "a WebM or Matroska file"),
    (rb"....(ftyp|styp|moof|moov|sidx|emsg|prft)", "an MP4 file or fragment"),
    (rb"(ID3|\xff[\xf0\xf1\xf8\xf9])", "packed audio (ADTS)"),
    (rb"\x1f\x8b", "gzip data"),
    (rb"#EXTM3U", "a playlist"),
    (rb"\xff\xd8\xff|\x89PNG|GIF8", "a picture"),
    (rb"(?i)\s*<(!doctype html|html|head|body)", "an HTML page"),
    (rb"\s*<", "an XML document"),
    (rb"\s*[{\[]", "a JSON document"),
    (rb"\x00+$", "nothing but zeros"),
    (rb"(?s)....G.{191}G.{191}G", "a stream of 192-byte packets (M2TS)"),
)


def sniff(head: bytes) -> str:
    """What the first bytes of something look like, for people."""
    for pattern, kind in _KINDS:
        if re.match(pattern, head, re.DOTALL):
            return kind
    varied = len(set(head[:1024])) > 200
    return "encrypted or random data" if varied else "unknown data"
