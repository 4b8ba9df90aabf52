"""What is known of each codec a recording may carry (ISO/IEC 13818-1 Table 2-34, H.264, ISO/IEC
14496-3).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)


@dataclass(frozen=True, slots=True)
class Codec:
    """One codec; ``copied`` ones fit into MP4 as they are."""

    name: str
    kind: str  # "video" or "audio"
    copied: bool = False
    config: Callable[[bytes], bytes | None] = lambda es: None
    is_key: Callable[[bytes], bool] = lambda es: True
    count: Callable[[bytes], int] = lambda es: 1  # access units in one PES


def nal_units(es: bytes) -> list[bytes]:
    """NAL units of a byte stream (H.264 Annex B), from the first start code on."""
    return [unit.rstrip(b"\0") for unit in re.split(rb"\x00\x00\x01", es)[1:]]


def _h264_sps(es: bytes) -> bytes | None:
    return next((unit for unit in nal_units(es) if unit and unit[0] & 31 == 7), None)


def _h264_pictures(es: bytes) -> int:
    return int(any(unit and 1 <= unit[0] & 31 <= 5 for unit in nal_units(es)))


def _h264_key(es: bytes) -> bool:
    return any(unit and unit[0] & 31 in (5, 7) for unit in nal_units(es))


def _adts_header(es: bytes) -> bytes | None:
    """The fixed part of an ADTS header (ISO/IEC 13818-7 clause 6.2.1), variable bits cleared."""
    if len(es) < 7 or es[0] != 0xFF or es[1] & 0xF6 != 0xF0 or es[2] >> 2 & 15 >= len(RATES):
        return None
    return bytes((es[0], es[1], es[2], es[3] & 0xF0))


def _adts_count(es: bytes) -> int:
    count = at = 0
    while at + 7 <= len(es) and es[at] == 0xFF:
        length = (es[at + 3] & 3) << 11 | es[at + 4] << 3 | es[at + 5] >> 5
        count += at + length <= len(es)
        at += max(length, 7)
    return count


def adts_rate(config: bytes) -> int:
    """Sampling frequency of an ADTS header in Hz; for HE-AAC that of the core."""
    return RATES[config[2] >> 2 & 15]


H264 = Codec("h264", "video", True, _h264_sps, _h264_key, _h264_pictures)
AAC = Codec("aac", "audio", True, _adts_header, count=_adts_count)

_BY_STREAM_TYPE = {
    0x01: Codec("mpeg1video", "video"),
    0x02: Codec("mpeg2video", "video"),
    0x03: Codec("mp2", "audio"),
    0x04: Codec("mp2", "audio"),
    0x0F: AAC,
    0x10: Codec("mpeg4", "video"),
    0x11: Codec("aac_latm", "audio"),
    0x1B: H264,
    0x24: Codec("hevc", "video"),
    0x33: Codec("vvc", "video"),
    0x80: Codec("pcm_bluray", "audio"),
    0x81: Codec("ac3", "audio"),
    0x82: Codec("dts", "audio"),
    0x87: Codec("eac3", "audio"),
    0xCF: Codec("SAMPLE-AES aac", "audio"),
    0xDB: Codec("SAMPLE-AES h264", "video"),
}
_BY_FORMAT = {
    "AC-3": Codec("ac3", "audio"),
    "EAC3": Codec("eac3", "audio"),
    "HEVC": Codec("hevc", "video"),
    "Opus": Codec("opus", "audio"),
    "AV01": Codec("av1", "video"),
}

CODECS = {codec.name: codec for codec in (*_BY_STREAM_TYPE.values(), *_BY_FORMAT.values())}


def codec_of(stream_type: int | None, format_identifier: str, stream_id: int) -> Codec | None:
    """The codec the PMT names; without a PMT entry a guess by stream_id; None for data."""
    if stream_type is not None:
        return _BY_STREAM_TYPE.get(stream_type) or _BY_FORMAT.get(format_identifier)
    if 0xE0 <= stream_id <= 0xEF:
        return H264
    return AAC if 0xC0 <= stream_id <= 0xDF else None


_KINDS = (
    (rb"\x1aE\xdf\xa3", "a WebM or Matroska file"),
    (rb"....(ftyp|styp|moof|moov)", "an MP4 file or fragment"),
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
