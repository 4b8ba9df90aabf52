"""Opus (RFC 6716; RFC 7845; Encapsulation of Opus in ISO Base Media File Format).

A configuration is two bytes, the samples of 48 kHz that the container skips at the beginning, and
the content of dOps (Encapsulation, section 4.3.2).
"""

import struct
from collections.abc import Collection, Hashable, Sequence

from pipeline.media.clock import HZ, OPUS_HZ
from pipeline.media.es.descriptions import Sound

# Ticks without a packet that are no loss: with DTX at most 0.4 s of silence in a row are not sent
# (RFC 7587 section 3.1.3).
PAUSE = HZ // 2
# The table of contents (RFC 6716 section 3.1) of the only packets in which silence is coded: CELT
# at full band, one frame of so many ticks; a mode of several frames where they last longer.
_SILENT = {225: 0xE0, 450: 0xE8, 900: 0xF0, 1800: 0xF8}
_SILENCE = b"\xff\xfe"  # the silence flag of a frame of CELT (section 4.3)
_USUAL = 1800  # 20 ms


def configured(dops: bytes, _: tuple[int, int], skipped: float) -> bytes:
    """A configuration from the content of dOps and the seconds to skip; empty if it is no dOps."""
    if len(dops) < 11 or dops[0]:
        return b""
    return min(round(skipped * OPUS_HZ), 0xFFFF).to_bytes(2, "big") + dops


def dops_of(head: bytes) -> bytes:
    """dOps made of an identification header of Ogg (RFC 7845 section 5.1), the CodecPrivate of
    Matroska; empty if it is none.
    """
    if head[:8] != b"OpusHead" or len(head) < 19 or head[8] >> 4:
        return b""
    return b"\0" + struct.pack(">BHIh", *struct.unpack_from("<BHIh", head, 9)) + head[18:]


def sound(config: bytes) -> Sound:
    """48 kHz, whatever rate was encoded; ``unit`` is None, as packets may differ in length."""
    lead = int.from_bytes(config[:2], "big") * HZ // OPUS_HZ
    return Sound(OPUS_HZ, config[3], lead=lead)  # pre-skip: RFC 7845 section 4.2


def needs(config: bytes) -> Hashable:
    """dOps without pre-skip and input sample rate, which may differ for one decoder."""
    return config[2:4] + config[10:]


def silence(config: bytes, lasts: float) -> tuple[bytes, float]:
    """A packet of silence and how many ticks of 90 kHz it lasts: ``lasts`` where such a packet
    exists, else 20 ms.
    """
    ticks = round(lasts) if round(lasts) in _SILENT else _USUAL
    stereo = 4 if config[3] > 1 else 0
    return bytes((_SILENT[ticks] | stereo,)) + _SILENCE, float(ticks)


def dops(config: bytes, _: Sequence[bytes] = ()) -> bytes:
    """The content of dOps in the sample entry."""
    return config[2:]


def same_config(told: bytes, config: bytes, _: Collection[bytes]) -> bool:
    """Whether the dOps of a result, ``told``, is that of the configuration, its version aside."""
    return told[1:] == dops(config)[1:]
