"""What a decoder needs to know of a stream, and what may change without another decoder."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from pipeline.media.es import adts
from pipeline.media.es.codecs import Codec
from pipeline.media.es.sps import identity, picture


@lru_cache(maxsize=256)
def needs(codec: Codec, config: bytes | None) -> Hashable:
    """What must be equal of two configurations that one decoder is to follow: the pictures' size,
    chroma format and bit depth; the sound's object type, rate and channels.

    Not the number of a parameter set, its level, how many pictures it refers to, nor what it says
    of their showing.  In Opus not what is skipped, nor what it was made of.
    """
    if config is None:
        return None
    if codec.nal is not None:
        shown = picture(codec, config)
        return (shown.width, shown.height, shown.chroma, shown.depths) if shown else config
    return config[2:4] + config[10:] if codec.name == "opus" else config


@dataclass(frozen=True, slots=True)
class Format:
    """Codec and decoder configuration of one stream; equal if one decoder can follow both."""

    codec: Codec
    config: bytes | None = field(compare=False)
    needs: Hashable = field(init=False)

    def __post_init__(self) -> None:
        """The rest follows."""
        object.__setattr__(self, "needs", needs(self.codec, self.config))

    def __str__(self) -> str:
        """For people."""
        if self.config is None:
            return self.codec.name
        if self.codec.name == "opus":
            return f"opus 48000 Hz, {self.config[1]} channels"
        if self.codec.kind == "audio":
            told = adts.read(self.config)
            return f"{self.codec.name} {told.rate} Hz, {told.channels} channels"
        shown = picture(self.codec, self.config)
        return f"{self.codec.name} {shown.width}x{shown.height}" if shown else self.codec.name


def collide(codec: Codec, sets: Iterable[bytes]) -> bool:
    """Two parameter sets of one kind and number differ, so that no sample entry can hold both; or
    one cannot be read.
    """
    known: dict[Hashable, bytes] = {}
    return any(
        (name := identity(codec, one)) is None or known.setdefault(name, one) != one for one in sets
    )
