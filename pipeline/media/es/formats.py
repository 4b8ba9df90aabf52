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
    needs: Hashable = field(init=False)

    def __post_init__(self) -> None:
        """The rest follows."""
        object.__setattr__(self, "needs", needs(self.codec, self.config))

    def __str__(self) -> str:
        """For people."""
        return self.codec.describe(self.config)


def collide(codec: Codec, sets: Iterable[bytes]) -> bool:
    """Whether two parameter sets of one type and id differ, so that no sample entry can hold both;
    also if one cannot be read.
    """
    known: dict[Hashable, bytes] = {}
    named = ((codec.set_identity(one), one) for one in sets)
    return any(name is None or known.setdefault(name, one) != one for name, one in named)
