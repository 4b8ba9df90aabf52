"""What a decoder configuration says: of pictures, of sound."""

from msgspec import Struct


class Picture(Struct, frozen=True):
    """What an SPS says of the pictures; profile, level and number are the fields of H.264 or H.265
    as they are coded.
    """

    width: int  # pixels as shown, cropped
    height: int
    profile: int
    level: int
    number: int  # seq_parameter_set_id
    chroma: int = 1  # chroma_format_idc; 4 where the three planes are apart
    depths: tuple[int, int] = (8, 8)  # bits of luma and chroma samples


class Sound(Struct, frozen=True):
    """What a configuration says of the sound; ticks are of 90 kHz."""

    rate: int = 0  # Hz; for HE-AAC that of the core
    channels: int = 0  # of AAC channel_configuration; 0 where only the stream says
    unit: float | None = None  # ticks an access unit lasts, where that is the same for all
    lead: int = 0  # ticks at the beginning that are decoded and not heard


def sized(config: bytes) -> Picture:
    """The size in a configuration of ours: width and height in pixels, two bytes each, and the
    content of the configuration box of MP4 behind them.
    """
    width, height = int.from_bytes(config[:2], "big"), int.from_bytes(config[2:4], "big")
    return Picture(width, height, 0, 0, 0)
