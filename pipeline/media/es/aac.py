"""AAC (ISO/IEC 14496-3): what its configuration says, silence, and what MP4 says of it.

A configuration is the fixed part of an ADTS header.
"""

from collections.abc import Collection, Sequence
from functools import lru_cache

from pipeline.media.es import adts
from pipeline.media.es.audio_config import (
    audio_object,
    program_config,
    specific_config,
    told_channels,
)
from pipeline.media.es.descriptions import Sound

_SCE, _CPE, _LFE, _END = "000", "001", "011", "111"  # Table 4.85
_ELEMENTS = {  # by channel_configuration (Table 1.19)
    1: (_SCE,),
    2: (_CPE,),
    3: (_SCE, _CPE),
    4: (_SCE, _CPE, _SCE),
    5: (_SCE, _CPE, _CPE),
    6: (_SCE, _CPE, _CPE, _LFE),
    7: (_SCE, _CPE, _CPE, _CPE, _LFE),
}
_LONG_WINDOW = "0" * 11  # ics_info (Table 4.6): a long window in which no band is coded
_CHANNEL = "0" * 8 + "000"  # global_gain; no pulses, no noise shaping, no gain control (Table 4.50)


@lru_cache
def sound(config: bytes) -> Sound:
    """Rate, channels and ticks of a frame of 1024 samples."""
    told = adts.read(config)
    return Sound(told.rate, told.channels, told.ticks)


def silence(config: bytes, lasts: float) -> tuple[bytes, float] | None:
    """A raw frame of silence and how many ticks of 90 kHz it lasts; None where only the stream says
    which channels it has.
    """
    channels = adts.read(config).channels
    return (_raw_data_block(_ELEMENTS[channels]), lasts) if channels in _ELEMENTS else None


def _raw_data_block(elements: Sequence[str]) -> bytes:
    """A raw_data_block (Table 4.3) of channels without a spectrum."""
    bits = ""
    for n, element in enumerate(elements):
        bits += element + format(elements[:n].count(element), "04b")
        if element == _CPE:
            bits += "1" + _LONG_WINDOW + "00" + _CHANNEL * 2  # common_window, no mid and side
        else:
            bits += _CHANNEL[:8] + _LONG_WINDOW + _CHANNEL[8:]
    bits += _END
    size = -(-len(bits) // 8)
    return int(bits.ljust(8 * size, "0"), 2).to_bytes(size, "big")


def asc(config: bytes, _: Sequence[bytes] = ()) -> bytes:
    """The AudioSpecificConfig in esds of the sample entry (ISO/IEC 14496-3 clause 1.6.2.1)."""
    told = adts.read(config)
    return specific_config(told.object_type, told.rate, told.channels)


def same_config(told: bytes, config: bytes, elements: Collection[bytes]) -> bool:
    """Whether an AudioSpecificConfig, ``told``, says what the headers say and lists the channels of
    these program_config_elements; also where it is empty.  Malformed if it cannot be read.
    """
    if not told:
        return True
    header = adts.read(config)
    kind, rate, channels = audio_object(told)
    same = (kind, rate) == (header.object_type, header.rate)
    same &= header.channels in (0, 7, channels)
    return same and all(program_config(one, 3) == told_channels(told) for one in elements)
