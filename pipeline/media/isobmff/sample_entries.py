"""The decoder configuration: what a sample entry tells a decoder before the first sample.

Clauses are those of ISO/IEC 14496-12:2015 unless a standard is named.
"""

from dataclasses import dataclass, field

from pipeline.media.es.codecs import RATES
from pipeline.media.isobmff.boxes import Malformed, Node

AAC_TYPES = (0x40, 0x66, 0x67, 0x68)  # objectTypeIndication, ISO/IEC 14496-1 clause 7.2.6.6.2


def sample_entries(stsd: Node) -> list[Node]:
    """The sample entries (8.5.2): at least one, and as many as are counted."""
    entries = stsd.boxes(8)
    count = stsd.unpack("I", 4)[0]
    if count != len(entries) or not entries:
        raise stsd.error(f"{len(entries)} sample entries, the box says {count}")
    return entries


def description(entry: Node, handler: str) -> tuple[int, int, int, int, bytes]:
    """Width, height, channels, sample rate, configuration of a sample entry (12.1.3, 12.2.3)."""
    if handler == "vide":
        return *entry.unpack("HH", 24), 0, 0, _configuration(entry, 78)
    if handler == "soun":
        version, channels, rate = entry.unpack("H6xH6xH", 8)  # the integer part of 16.16
        if version:
            raise entry.error(f"audio sample entry of version {version}, expected 0")
        configuration = _configuration(entry, 28)
        if entry.box.type == "mp4a" and configuration:
            # ffmpeg 5 writes 2 channels for mono, and 96 kHz does not fit the entry
            _, rate, coded = audio_object(configuration)
            told = told_channels(configuration)
            channels = told.channels if told else coded or channels
        return 0, 0, channels, rate, configuration
    return 0, 0, 0, 0, b""


def _configuration(entry: Node, skip: int) -> bytes:
    """What the decoder is set up with; empty where no box known to hold it is there."""
    entry.unpack(f"{skip}x")
    for node in entry.boxes(skip):
        if node.box.type == "esds":
            return _specific_info(node)
        if node.box.type in {"avcC", "hvcC", "av1C", "vpcC", "dOps", "dfLa"}:
            return bytes(node.data)
    return b""


def _specific_info(esds: Node) -> bytes:
    """AudioSpecificConfig of esds (ISO/IEC 14496-14 clause 5.6); empty where it is not AAC."""
    at, end = _descriptor(esds, 4, 3)
    flags = esds.unpack("B", at + 2)[0]
    if flags & 0xE0:
        raise esds.error(f"ES_Descriptor flags {flags:#x}, expected no dependence, URL or OCR")
    at, end = _descriptor(esds, at + 3, 4)
    if esds.unpack("B", at)[0] not in AAC_TYPES or at + 13 >= end:
        return b""  # such as MP3 in mp4a
    at, end = _descriptor(esds, at + 13, 5)
    return bytes(esds.data[at:end])


def _descriptor(esds: Node, at: int, tag: int) -> tuple[int, int]:
    """Where the content of a descriptor begins and ends (ISO/IEC 14496-1 clause 8.3.3)."""
    found: int = esds.unpack("B", at)[0]
    lengths = bytes(esds.data[at + 1 : at + 5])  # seven bits each, the last without the top bit
    used = next((n for n, byte in enumerate(lengths, 1) if byte < 0x80), len(lengths))
    length = 0
    for byte in lengths[:used]:
        length = length << 7 | byte & 0x7F
    start = at + 1 + used
    if found != tag or start + length > len(esds.data):
        raise esds.error(f"descriptor {found} of {length} bytes at {at}, expected {tag}")
    return start, start + length


def avc_parameter_sets(avcc: bytes) -> tuple[bytes, ...]:
    """The SPS, then the PPS NAL units of an avcC payload (ISO/IEC 14496-15 clause 5.3.3.1)."""
    if len(avcc) < 7 or avcc[0] != 1:
        raise Malformed(f"avcC: {len(avcc)} bytes that begin {avcc[:1].hex()}, expected 7 and 01")
    units: list[bytes] = []
    at = 5
    for mask in (0x1F, 0xFF):
        count = avcc[at] & mask if at < len(avcc) else 256
        at = _take("avcC", avcc, at + 1, count, units)
    return tuple(units)


def hevc_parameter_sets(hvcc: bytes) -> tuple[bytes, ...]:
    """The parameter sets and SEI of an hvcC payload (ISO/IEC 14496-15 clause 8.3.3.1)."""
    if len(hvcc) < 23 or hvcc[0] != 1:
        raise Malformed(f"hvcC: {len(hvcc)} bytes that begin {hvcc[:1].hex()}, expected 23 and 01")
    units: list[bytes] = []
    at = 23
    for _ in range(hvcc[22]):
        count = int.from_bytes(hvcc[at + 1 : at + 3], "big")
        at = _take("hvcC", hvcc, at + 3, count, units)
    return tuple(units)


def _take(box: str, data: bytes, at: int, count: int, units: list[bytes]) -> int:
    """Add so many units, each behind its length of 16 bits; returns where the last one ends."""
    for _ in range(count):
        length = int.from_bytes(data[at : at + 2], "big")
        unit = data[at + 2 : at + 2 + length]
        if not length or len(unit) < length:
            raise Malformed(f"{box}: parameter set of {length} bytes at {at} of {len(data)}")
        units.append(unit)
        at += 2 + length
    return at


class _Bits:
    """Bits of some bytes, most significant first."""

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
    """Which channels a program has, wherever that stands: its bits before they are aligned."""

    coded: str
    comment: bytes
    channels: int = field(compare=False)
    end: int = field(compare=False)  # the first byte behind


_CHANNELS = {**{n: n for n in range(7)}, 7: 8, 11: 7, 12: 8, 13: 24, 14: 8}  # 0: in the stream


def audio_object(asc: bytes) -> tuple[int, int, int]:
    """Object type, sample rate and channels (0: in the stream) of an AudioSpecificConfig.

    ISO/IEC 14496-3 clause 1.6.2.1.  Where SBR or PS comes first, of the core coder, as in ADTS.
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


def told_channels(asc: bytes) -> ProgramConfig | None:
    """The program_config_element of an AudioSpecificConfig as ADTS makes it: without explicit SBR
    (ISO/IEC 14496-3 clause 4.4.1); None where there is none.
    """
    if audio_object(asc)[2] or len(asc) < 3 or asc[0] >> 3 not in (1, 2, 3, 4):
        return None
    return program_config(asc, 16)


def program_config(data: bytes, at: int) -> ProgramConfig:
    """The program_config_element whose content begins with the bit ``at`` (ISO/IEC 14496-3 clause
    4.4.1.1).
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
