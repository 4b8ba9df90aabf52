"""One simulated recording, from an order to its files and its truth."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from pipeline.errors import UsageError
from pipeline.muxing.locate import Ffmpeg
from pipeline.simulator import catalogue
from pipeline.simulator.case import Case
from pipeline.simulator.catalogue import FAILOVER, FILES, PACKETS, Wanted
from pipeline.simulator.evidence import beyond_evidence, undecided
from pipeline.simulator.listings import killed
from pipeline.simulator.material import Look, Material, block_seconds, encode
from pipeline.simulator.mux import muxed
from pipeline.simulator.recorder import MOST_FAILOVERS, Setup, record
from pipeline.simulator.take import HZ, STREAMS, Part
from pipeline.simulator.truth import Truth, tell

SCHEMA = 1  # of truth.json
CNAME = "simulated_room"
EPOCH = 1_772_442_002.12  # 2026-03-02 09:00:02.120 UTC
LONGEST = 26 * 3600  # seconds: what one clock of 33 bits can count, less some room
MEETING = 3  # seconds by which parts overlap or lie apart unless said otherwise


@dataclass(frozen=True, slots=True)
class Order:
    """What to simulate.  The same order gives the same bytes with the same ffmpeg."""

    duration: float = 60.0  # seconds
    look: Look = field(default_factory=Look)
    slice: int = 15  # seconds
    streams: tuple[str, ...] = STREAMS
    bak: int = 0  # failover parts
    faults: tuple[Wanted, ...] = ()
    epoch: float = EPOCH  # seconds since 1970


@dataclass(frozen=True, slots=True)
class Simulated:
    """A recording as it would be stored, and what is true of it."""

    order: Order
    parts: tuple[Part, ...]
    truth: Truth
    verdicts: tuple[str, ...]

    @property
    def unseen(self) -> bool:
        """No rule about packets, clocks and names can find the loss."""
        hidden = any(wanted.fault.unseen for wanted in self.order.faults)
        return hidden or beyond_evidence(self.parts)

    @property
    def undecided(self) -> dict[str, float]:
        """Seconds without a stream that may be taken for lost: nothing left tells that none was
        sent.
        """
        return undecided(self.parts)

    @property
    def name(self) -> str:
        """``<sid>_<cname>``."""
        return self.parts[0].stem

    def as_json(self) -> dict[str, Any]:
        """The contract of ``truth.json``, docs/simulator.md.  Keys are never renamed."""
        return {
            "schema": SCHEMA,
            "recording": self.name,
            "playlists": [part.playlist.name for part in self.parts],
            "seed": self.order.look.seed,
            "faults": [_said(wanted) for wanted in self.order.faults],
            "verdicts": list(self.verdicts),
            "unseen": self.unseen,
            "lost_seconds": self.truth.lost_seconds,
            "undecided_seconds": self.undecided,
            "lost": [asdict(loss) for loss in self.truth.losses],
            "recoverable": {"duration": self.truth.duration, "samples": self.truth.samples},
            "flashes": list(self.truth.flashes),
            "beeps": list(self.truth.beeps),
        }


def simulate(order: Order, ffmpeg: Ffmpeg) -> Simulated:
    """Make what is asked for; UsageError for an order that contradicts itself."""
    _examine(order)
    material = encode(order.look, block_seconds(order.duration), ffmpeg)
    setup = Setup(_sid(order.look.seed), CNAME, order.epoch, order.slice, order.streams)
    parts = list(_parts(order, setup, material))
    case = Case("", None, random.Random(order.look.seed), setup, material, ffmpeg)
    early = [w for w in order.faults if w.fault.level < PACKETS]
    late = [w for w in order.faults if w.fault.level >= PACKETS]
    parts[0] = _faulty(parts[0], early, case)
    if any(w.fault.level in (PACKETS, FILES) for w in late):
        parts[0] = muxed(parts[0])  # else on the way to the store: packets take a lot of memory
    parts[0] = _faulty(parts[0], late, case)
    truth = tell(parts)
    lost, doubt = any(truth.lost_seconds.values()), any(undecided(parts).values())
    verdicts = catalogue.verdicts(order.faults, lost=lost, doubt=doubt)
    return Simulated(order, tuple(parts), truth, verdicts)


def _faulty(part: Part, wanted: Sequence[Wanted], case: Case) -> Part:
    """Faults are done to the main part."""
    for one in catalogue.in_order(wanted):
        if one.fault.apply is not None:
            part = one.fault.apply(part, replace(case, fault=one.fault.name, argument=one.argument))
    return part


def _parts(order: Order, setup: Setup, material: Material) -> Iterator[Part]:
    """The main part, and failover parts of about the same length."""
    meeting = _meeting(order.faults)
    count = order.bak + 1
    end = round(order.duration * HZ)
    cuts = [round(order.duration * n / count) * HZ for n in range(count)]
    for n, begin in enumerate(cuts):
        late = max(0, meeting) * HZ if n else 0
        over = max(0, -meeting) * HZ if n < order.bak else 0
        until = cuts[n + 1] + over if n < order.bak else end
        part = record(setup, material, begin + late, until, bak=n - 1 if n else None)
        if late:
            part = replace(part, pauses=((begin, late),))
        if n < order.bak and _has(order.faults, "bak_killed"):
            part = killed(part)
        yield part


def _meeting(faults: Sequence[Wanted]) -> int:
    """Seconds between two parts; negative: they overlap."""
    seconds = 0
    for wanted in faults:
        if wanted.fault.name in ("bak_gap", "bak_overlap"):
            text = wanted.argument or str(MEETING)
            if not text.isdecimal() or not 0 < int(text) < LONGEST:
                raise UsageError(f"{wanted.fault.name}:{text}: expected full seconds above 0")
            seconds = int(text) if wanted.fault.name == "bak_gap" else -int(text)
    return seconds


def _examine(order: Order) -> None:
    look = order.look
    if not 0 <= order.bak <= MOST_FAILOVERS:
        raise UsageError(f"{order.bak} failover parts: expected at most {MOST_FAILOVERS}")
    if not order.bak and any(w.fault.level == FAILOVER for w in order.faults):
        raise UsageError("faults called bak_ need failover parts: give --bak N as well")
    shortest = (abs(_meeting(order.faults)) + 2) * (order.bak + 1) if order.bak else 1
    if not shortest <= order.duration <= LONGEST:
        raise UsageError(
            f"a duration of {order.duration:g} s: expected {shortest} to {LONGEST} seconds"
        )
    if look.seed < 0:
        raise UsageError(f"seed {look.seed}: expected 0 or more")
    if order.slice < 1:
        raise UsageError(f"segments of {order.slice} s: expected 1 second or more")
    if not (5 < look.fps <= 60 and min(look.size) >= 64 and max(look.size) <= 4096):
        raise UsageError("expected 6 to 60 pictures a second of 64 to 4096 pixels each way")
    if look.width % 2 or look.height % 2:
        raise UsageError(f"{look.width}x{look.height}: expected even numbers")


def _has(faults: Sequence[Wanted], name: str) -> bool:
    return any(wanted.fault.name == name for wanted in faults)


def _sid(seed: int) -> str:
    return random.Random(f"recording {seed}").randbytes(16).hex()


def _said(wanted: Wanted) -> dict[str, Any]:
    fault = wanted.fault
    return {
        "name": fault.name,
        "argument": wanted.argument,
        "what": fault.what,
        "loses": fault.loses,
    }
