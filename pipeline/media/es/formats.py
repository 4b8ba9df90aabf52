"""What a decoder needs to know of a stream, and so what may change without another decoder."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from pipeline.media.es.codecs import Codec


@lru_cache(maxsize=256)
def needs(codec: Codec, config: bytes | None) -> Hashable:
    """What must be equal of two configurations for one decoder to follow both: size, chroma format
    and bit depths of pictures; object type, rate and channels of sound.
    """
    return None if config is None else codec.needs(config)


@dataclass(frozen=True, slots=True)
class StreamFormat:
    """Codec and decoder configuration of one stream; equal if one decoder can follow both."""

    codec: Codec
    config: bytes | None = field(compare=False)
    turned: int | None = 0  # degrees anticlockwise, of pictures; None: it changes on the way
    needs: Hashable = field(init=False)

    def __post_init__(self) -> None:
        """The rest follows."""
        object.__setattr__(self, "needs", needs(self.codec, self.config))

    def same_pictures(self, other: "StreamFormat") -> bool:
        """Whether one decoder can follow both; they may be turned differently."""
        return self.codec == other.codec and self.needs == other.needs

    def __str__(self) -> str:
        """For people."""
        said = self.codec.describe(self.config)
        if self.turned == 0:
            return said
        return f"{said}, turned " + ("on the way" if self.turned is None else f"{self.turned}°")


def collide(codec: Codec, sets: Iterable[bytes]) -> bool:
    """Whether two parameter sets of one type and id differ, so that no sample entry can hold both;
    also if one cannot be read.
    """
    known: dict[Hashable, bytes] = {}
    named = ((codec.set_identity(one), one) for one in sets)
    return any(name is None or known.setdefault(name, one) != one for name, one in named)
