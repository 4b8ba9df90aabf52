"""One simulated recording, from an order to its files and its truth.  ``docs/simulator.md``."""

import random
from collections.abc import Sequence
from functools import partial
from typing import Any

from msgspec import Struct, field, to_builtins
from msgspec.structs import replace

from pipeline.errors import UsageError
from pipeline.muxing.locate import Ffmpeg
from pipeline.simulator.faults import catalogue, failover
from pipeline.simulator.faults.applied import faulty
from pipeline.simulator.faults.catalogue import FAILOVER, ChosenFault
from pipeline.simulator.faults.fault_context import Case
from pipeline.simulator.recorder.captions import Said, captions
from pipeline.simulator.recorder.material import Look, block_seconds, encode
from pipeline.simulator.recorder.recorder import MOST_FAILOVERS, Setup, record
from pipeline.simulator.recorder.values import STREAMS, RecordedPart
from pipeline.simulator.truth.decidable import beyond_evidence, undecided
from pipeline.simulator.truth.losses import Truth, tell

SCHEMA = 1  # of truth.json
CNAME = "simulated_room"
EPOCH = 1_772_442_002.12  # 2026-03-02 09:00:02.120 UTC
LONGEST = 26 * 3600  # seconds: what a clock of 33 bits at 90 kHz can count, less a margin


class RecordingOrder(Struct, frozen=True):
    """What to simulate.  The same order gives the same bytes with the same ffmpeg."""

    duration: float = 60.0  # seconds
    look: Look = field(default_factory=Look)
    slice: int = 15  # seconds
    streams: tuple[str, ...] = STREAMS
    bak: int = 0  # failover parts
    faults: tuple[ChosenFault, ...] = ()
    epoch: float = EPOCH  # seconds since 1970
    captions: bool = False  # speech to text records them as well


class Simulated(Struct, frozen=True):
    """A recording as it would be stored, and what is true of it."""

    order: RecordingOrder
    parts: tuple[RecordedPart, ...]
    truth: Truth
    verdicts: tuple[str, ...]  # those that a perfect tool may reach
    said: tuple[Said, ...] = ()  # captions

    @property
    def unseen(self) -> bool:
        """Whether no rule about packets, clocks and names can find the loss."""
        hidden = any(wanted.fault.unseen for wanted in self.order.faults)
        return hidden or beyond_evidence(self.parts)

    @property
    def undecided(self) -> dict[str, float]:
        """Seconds of each stream that may be taken for lost, though nothing was sent: nothing that
        is left tells the difference.
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
            "faults": [said(wanted) for wanted in self.order.faults],
            "verdicts": list(self.verdicts),
            "unseen": self.unseen,
            "lost_seconds": self.truth.lost_seconds,
            "undecided_seconds": self.undecided,
            "lost": [to_builtins(loss) for loss in self.truth.losses],
            "recoverable": {"duration": self.truth.duration, "samples": self.truth.samples},
            "flashes": list(self.truth.flashes),
            "beeps": list(self.truth.beeps),
            **({"captions": to_builtins(self.said)} if self.order.captions else {}),
        }


def simulate(order: RecordingOrder, ffmpeg: Ffmpeg) -> Simulated:
    """Make a recording.  Raises ``UsageError`` for an order that cannot be, ``MuxingError`` if this
    ffmpeg lacks an encoder.
    """
    _examine(order)
    material = encode(order.look, block_seconds(order.duration), ffmpeg)
    setup = Setup(sid_of(order.look.seed), CNAME, order.epoch, order.slice, order.streams)
    case = Case("", None, random.Random(order.look.seed), setup, material, ffmpeg)
    parts: list[RecordedPart] = []
    for number, span in enumerate(failover.spans(order.duration, order.bak, order.faults)):
        part = record(setup, material, span.begin, span.end, bak=number - 1 if number else None)
        if span.missed:
            part = replace(part, pauses=((span.begin - span.missed, span.missed),))
        part = failover.killed(part, number, order.bak, order.faults)
        older = tuple(parts)
        wanted = _of(order.faults, number)
        parts.append(faulty(part, wanted, case, partial(failover.following, older=older)))
    truth = tell(parts)
    lost, doubt = any(truth.lost_seconds.values()), any(undecided(parts).values())
    verdicts = catalogue.verdicts(order.faults, lost=lost, doubt=doubt, last=order.bak)
    if verdicts == ("degraded",) and not truth.duration:  # of nothing nothing can be made
        verdicts = ("rejected",)
    if not order.captions:
        return Simulated(order, tuple(parts), truth, verdicts)
    told = captions(CNAME, order.epoch, order.duration, order.look.seed)
    parts[0] = replace(parts[0], files={**parts[0].files, **told.files})
    return Simulated(order, tuple(parts), truth, verdicts, told.said)


def _of(faults: Sequence[ChosenFault], number: int) -> list[ChosenFault]:
    """Those done to one part: the main one, unless they name another."""
    done = [w for w in faults if w.fault.apply is not None]
    return [w for w in done if (w.part or 0) == number]


def _examine(order: RecordingOrder) -> None:
    look = order.look
    if not 0 <= order.bak <= MOST_FAILOVERS:
        raise UsageError(f"{order.bak} failover parts: expected at most {MOST_FAILOVERS}")
    if order.bak and any(w.fault.name == "playlist_renamed" for w in order.faults):
        raise UsageError("playlist_renamed: failover parts are told by the names of playlists")
    if not order.bak and any(w.fault.level == FAILOVER for w in order.faults):
        raise UsageError("faults called bak_ need failover parts: give --bak N as well")
    for wanted in order.faults:
        if wanted.part is not None and wanted.part > order.bak:
            part = catalogue.PARTS[wanted.part]
            raise UsageError(f"{wanted.fault.name}@{part}: there is no such part; see --bak")
        if wanted.part == 0 and wanted.fault.name in failover.MEETINGS:
            raise UsageError(f"{wanted.fault.name}@main: nothing was recorded before that part")
    if not 1 <= order.duration <= LONGEST:
        raise UsageError(f"a duration of {order.duration:g} s: expected 1 to {LONGEST} seconds")
    if look.seed < 0:
        raise UsageError(f"seed {look.seed}: expected 0 or more")
    if order.slice < 1:
        raise UsageError(f"segments of {order.slice} s: expected 1 second or more")
    if not (5 < look.fps <= 60 and min(look.size) >= 64 and max(look.size) <= 4096):
        raise UsageError("expected 6 to 60 pictures a second of 64 to 4096 pixels each way")
    if look.width % 2 or look.height % 2:
        raise UsageError(f"{look.width}x{look.height}: expected even numbers")


def sid_of(seed: int) -> str:
    """The same seed, the same sid."""
    return random.Random(f"recording {seed}").randbytes(16).hex()


def said(wanted: ChosenFault) -> dict[str, Any]:
    """A fault as ``truth.json`` tells it."""
    fault = wanted.fault
    return {
        "name": fault.name,
        "argument": wanted.argument,
        "part": wanted.part,
        "what": fault.what,
        "loses": fault.loses,
    }
