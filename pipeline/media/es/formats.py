"""What a decoder needs to know of a stream, and what may change without another decoder."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from pipeline.media.es.codecs import Codec


@lru_cache(maxsize=256)
def needs(codec: Codec, config: bytes | None) -> Hashable:
    """What must be equal of two configurations that one decoder is to follow: the pictures' size,
    chroma format and bit depth; the sound's object type, rate and channels.
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
    """Two parameter sets of one kind and number differ, so that no sample entry can hold both; or
    one cannot be read.
    """
    known: dict[Hashable, bytes] = {}
    named = ((codec.set_identity(one), one) for one in sets)
    return any(name is None or known.setdefault(name, one) != one for name, one in named)
