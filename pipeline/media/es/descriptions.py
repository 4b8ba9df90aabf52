"""What a decoder configuration says: of pictures, of sound."""

from msgspec import Struct


class Picture(Struct, frozen=True):
    """Size in pixels as shown; profile, level and the number of the set as they are written."""

    width: int
    height: int
    profile: int
    level: int
    number: int
    chroma: int = 1  # chroma_format_idc; 4 where the three planes are apart
    depths: tuple[int, int] = (8, 8)  # bits of luma and chroma samples


class Sound(Struct, frozen=True):
    """Rate and channels; ticks are of 90 kHz."""

    rate: int = 0  # Hz; for HE-AAC that of the core
    channels: int = 0  # 0 where only the stream tells
    unit: float | None = None  # ticks an access unit lasts, where that is the same for all
    lead: int = 0  # ticks at the beginning that are decoded and not heard


def sized(config: bytes) -> Picture:
    """A configuration of ours for what does not tell it in every stream: width and height in
    pixels, two bytes each, and what the sample entry says.
    """
    width, height = int.from_bytes(config[:2], "big"), int.from_bytes(config[2:4], "big")
    return Picture(width, height, 0, 0, 0)
