"""The decoder configuration: what a sample entry tells a decoder before the first sample.

Clauses are those of ISO/IEC 14496-12:2015 unless another standard is named.
"""

from pipeline.media.es.audio_config import audio_object, told_channels
from pipeline.media.es.codecs import MP4_BOXES
from pipeline.media.isobmff.boxes import Node

AAC_TYPES = (0x40, 0x66, 0x67, 0x68)  # objectTypeIndication, ISO/IEC 14496-1 clause 7.2.6.6.2


def sample_entries(stsd: Node) -> list[Node]:
    """The sample entries of stsd (8.5.2); Malformed if there is none, or not as many as it says."""
    entries = stsd.boxes(8)
    count = stsd.unpack("I", 4)[0]
    if count != len(entries) or not entries:
        raise stsd.error(f"{len(entries)} sample entries, the box says {count}")
    return entries


def description(entry: Node, handler: str) -> tuple[int, int, int, int, bytes]:
    """Width and height in pixels, channels, sample rate in Hz and configuration of a sample entry
    (12.1.3, 12.2.3); 0 and empty where it has none.  Of AAC the configuration says what counts.
    Malformed where a box is cut short.
    """
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
        if node.box.type in MP4_BOXES | {"dfLa"}:
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
