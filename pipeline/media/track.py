"""One elementary stream of a recording, which becomes one track of the result."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

from pipeline.media.es.codecs import Codec
from pipeline.media.es.nal import HEVC_INSIDE, HEVC_NAL, NalSyntax

NOTHING: frozenset[int] = frozenset()
NO_PIDS: Mapping[int, Any] = {}  # of no stream: one value for many segments, never changed


class Lane(Struct, frozen=True):
    """One elementary stream of a recording, which becomes one track of the MP4."""

    pid: int
    codec: Codec
    config: bytes  # the first seen: SPS, fixed part of an ADTS header, or a container's
    unit: float  # ticks of 90 kHz one access unit lasts
    sets: tuple[bytes, ...] = ()  # all its parameter sets, in the order of first sight
    # one replaces another on the way: they stay in the samples, not in the sample entry alone
    # (avc3, hev1: ISO/IEC 14496-15 clauses 5.3.3 and 8.3.3)
    inside: bool = False
    language: str = ""  # ISO 639-2; empty where the source names none
    turned: int = 0  # degrees anticlockwise, of all its pictures as they are stored
    pauses: bool = False  # of one user alone, who may leave, mute or turn the camera off

    @property
    def syntax(self) -> NalSyntax | None:
        """The syntax of its NAL units, as its track stores them; None where it has none."""
        return HEVC_INSIDE if self.inside and self.codec.nal is HEVC_NAL else self.codec.nal

    @property
    def lead(self) -> int:
        """Ticks of 90 kHz at its beginning that are decoded and not heard."""
        return self.codec.sound(self.config).lead


class Edges(Struct, frozen=True):
    """What is known of both ends of a segment, by PID."""

    torn: frozenset[int] = NOTHING  # media is missing in front of it
    joined: frozenset[int] = NOTHING  # its last PES goes on in the next segment
    cut: frozenset[int] = NOTHING  # its last PES lost its end
    whole: frozenset[int] = NOTHING  # nothing follows: it must end with a whole unit
    # ticks: left out from this DTS on
    until: Mapping[int, int] = field(default_factory=lambda: NO_PIDS)
