"""One elementary stream on its way from segments into a track."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pipeline.media.es.access_units import Units
from pipeline.media.es.codecs import HEVC_INSIDE, HEVC_NAL, Codec, NalSyntax
from pipeline.media.ts.packets import Index, Packets, Ticks
from pipeline.media.ts.pes import Track
from pipeline.model import Finding

if TYPE_CHECKING:
    from pipeline.media.stitch.silence import Quiet

HZ = 90000  # PTS, DTS and the base of PCR (ISO/IEC 13818-1 clause 2.4.3.7)
OPUS_HZ = 48000  # samples per second of any Opus stream, whatever it was made of
BASE = 10 * HZ  # where a recording begins on the clock the muxer is fed
NOTHING: frozenset[int] = frozenset()


def _no_ticks() -> Ticks:
    return np.empty(0, np.int64)


def _no_places() -> Index:
    return np.empty(0, np.intp)


@dataclass(frozen=True, slots=True)
class Lane:
    """One elementary stream of a recording, which becomes one track of the MP4."""

    pid: int
    codec: Codec
    config: bytes  # SPS, ADTS header or what a container tells, at its first sight
    unit: float  # ticks of 90 kHz one access unit lasts
    sets: tuple[bytes, ...] = ()  # all its parameter sets, in the order of first sight
    # one takes the place of another on the way: they stay where they are, not in the sample entry
    # alone (avc3, hev1: ISO/IEC 14496-15 clauses 5.3.3 and 8.3.3)
    inside: bool = False
    language: str = ""  # ISO 639-2, where one is told

    @property
    def syntax(self) -> NalSyntax | None:
        """Of its NAL units, as its track stores them."""
        return HEVC_INSIDE if self.inside and self.codec.nal is HEVC_NAL else self.codec.nal

    @property
    def lead(self) -> int:
        """Ticks at its beginning that are decoded and not heard (pre-skip, RFC 7845 clause 4.2)."""
        if self.codec.name != "opus":
            return 0
        return int.from_bytes(self.config[:2], "big") * HZ // OPUS_HZ


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """What is known of a segment's ends, by PID."""

    torn: frozenset[int] = NOTHING  # media is missing in front of it
    joined: frozenset[int] = NOTHING  # its last PES goes on in the next segment
    cut: frozenset[int] = NOTHING  # its last PES lost its end
    whole: frozenset[int] = NOTHING  # nothing follows: it must end with a whole unit
    until: Mapping[int, int] = field(default_factory=dict)  # from this decoding time on: left out


@dataclass(slots=True, eq=False)
class Carried:
    """What a lane carries from segment to segment: bytes of a unit that is not whole yet."""

    counter: int = 0  # the next continuity_counter
    started: bool = False  # a unit came out
    next: float = -math.inf  # ticks: where its last frame of sound ended
    data: bytes = b""
    opening: bytes = b""  # NAL units that open a picture of which nothing is there yet
    offsets: Index = field(default_factory=_no_places)  # of PES inside the data
    pts: Ticks = field(default_factory=_no_ticks)
    dts: Ticks = field(default_factory=_no_ticks)
    quiet: "Quiet | None" = None  # where its sound pauses, silence is put in


@dataclass(slots=True, eq=False)
class Work:
    """One lane inside one segment, with the new stamps of every PES, -1 for none."""

    name: str
    packets: Packets
    track: Track
    pts: Ticks
    dts: Ticks
    torn: bool
    joined: bool
    cut: bool
    whole: bool
    faults: Index  # rows where any stream lost something
    until: int | None = None  # units from this decoding time on belong to another part
    findings: list[Finding] = field(default_factory=list)
    inserts: list[tuple[int, bytes]] = field(default_factory=list)  # packets in front of a row
    added: int = 0  # bytes put into a unit that no packet held
    unfinished: bool = False  # it ends inside a frame, and nothing else is wrong with it


def torn_units(made: Units, work: Work, ordinals: Iterable[int] = ()) -> Index:
    """The first unit at or behind every place where media may be missing; gaps decide if it is.

    ``ordinals`` are PES in front of which something is known to be gone.
    """
    t = work.track
    near = np.searchsorted(t.index[t.starts], work.faults).tolist()
    where = np.flatnonzero(made.dts >= 0)
    stamped = made.dts[where]
    found = [0] if work.torn and len(made.sizes) else []
    for ordinal in {*ordinals, *near}:
        later = work.dts[ordinal:][work.dts[ordinal:] >= 0][:1]
        at = np.searchsorted(stamped, later)
        found += where[at[at < len(where)]].tolist()
    return np.array(sorted({*found}), np.intp)
