"""AudioSpecificConfig: what an AAC decoder has to know before the first frame (ISO/IEC 14496-3
clause 1.6.2.1).
"""

from dataclasses import dataclass, field

from pipeline.media.malformed import Malformed


class _Bits:
    """Bits of some bytes, most significant first; Malformed where they end too soon."""

    def __init__(self, data: bytes, what: str, at: int = 0) -> None:
        self._data, self._what, self.at = data, what, at

    def take(self, count: int) -> int:
        """The next bits as a number."""
        self.at += count
        if self.at > 8 * len(self._data):
            raise Malformed(f"{self._what}: cut short, {len(self._data)} bytes")
        end = -(-self.at // 8)
        word = int.from_bytes(self._data[max(0, (self.at - count) // 8) : end], "big")
        return word >> 8 * end - self.at & (1 << count) - 1

    def since(self, at: int) -> str:
        """All from a place to here, as they are."""
        whole = f"{int.from_bytes(self._data, 'big'):0{8 * len(self._data)}b}"
        return whole[at : self.at]


@dataclass(frozen=True, slots=True)
class ProgramConfig:
    """A program_config_element: equal if it lists the same channels, wherever it stands."""

    coded: str  # "0" and "1": its bits up to byte_alignment()
    comment: bytes
    channels: int = field(compare=False)
    end: int = field(compare=False)  # offset of the first byte behind it


# Hz, by samplingFrequencyIndex (Table 1.18)
RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_CHANNELS = {**{n: n for n in range(7)}, 7: 8, 11: 7, 12: 8, 13: 24, 14: 8}  # 0: in the stream


def audio_object(asc: bytes) -> tuple[int, int, int]:
    """Object type, sample rate in Hz and channels (0: only the stream says) of an
    AudioSpecificConfig (ISO/IEC 14496-3 clause 1.6.2.1).  Where SBR or PS comes first, those of the
    core coder, as in ADTS.  Malformed if it is cut short or has a reserved value.
    """
    bits = _Bits(asc, "AudioSpecificConfig")

    def object_type() -> int:
        kind = bits.take(5)
        return 32 + bits.take(6) if kind == 31 else kind

    def frequency() -> int:
        index = bits.take(4)
        if index in (13, 14):
            raise Malformed(
                f"AudioSpecificConfig: sampling frequency index {index}, expected < 13 or 15"
            )
        return bits.take(24) if index == 15 else RATES[index]

    kind, rate, layout = object_type(), frequency(), bits.take(4)
    if kind in (5, 29):
        frequency()
        kind = object_type()
    if layout not in _CHANNELS:
        raise Malformed(f"AudioSpecificConfig: channel configuration {layout} is reserved")
    return kind, rate, _CHANNELS[layout]


def specific_config(kind: int, rate: int, layout: int) -> bytes:
    """An AudioSpecificConfig without extensions, two bytes: object type, rate in Hz (one of
    ``RATES``, or ValueError), channel configuration.
    """
    return (kind << 11 | RATES.index(rate) << 7 | layout << 3).to_bytes(2, "big")


def told_channels(asc: bytes) -> ProgramConfig | None:
    """The program_config_element of an AudioSpecificConfig without explicit SBR, as ADTS has it
    (ISO/IEC 14496-3 clause 4.4.1); None where it has none.  Malformed if it is cut short.
    """
    if audio_object(asc)[2] or len(asc) < 3 or asc[0] >> 3 not in (1, 2, 3, 4):
        return None
    return program_config(asc, 16)


def program_config(data: bytes, at: int) -> ProgramConfig:
    """The program_config_element whose content begins with the bit ``at`` (ISO/IEC 14496-3 clause
    4.4.1.1); Malformed if it is cut short.
    """
    bits = _Bits(data, "program_config_element", at)
    bits.take(10)  # instance tag, object type, sampling frequency index
    pairs = [bits.take(4) for _ in range(3)]  # front, side, back: each alone or a pair
    low, told, coupled = bits.take(2), bits.take(3), bits.take(4)
    for length in (4, 4, 3):  # numbers of mixdowns
        bits.take(length if bits.take(1) else 0)
    channels = low
    for _ in range(sum(pairs)):
        channels += 1 + bits.take(1)
        bits.take(4)
    bits.take(4 * (low + told) + 5 * coupled)
    coded, end = bits.since(at), -(-bits.at // 8)
    length = data[end] if end < len(data) else 256
    comment = data[end + 1 : end + 1 + length]
    if len(comment) < length:
        raise Malformed(f"program_config_element: cut short, {len(data)} bytes")
    return ProgramConfig(coded, comment, channels, end + 1 + length)
