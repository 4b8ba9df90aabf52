"""Everything known about a source before anything is made of it."""

import hashlib
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from pipeline.jobs.locks import locked
from pipeline.jobs.options import Options
from pipeline.jobs.stopwatch import Clock
from pipeline.media.slots.bounds import believed
from pipeline.media.slots.identity import identified
from pipeline.media.slots.segments import Slot
from pipeline.media.timeline import plan as timeline
from pipeline.media.timeline.order import named_order
from pipeline.media.timeline.plan import Plan
from pipeline.model import Finding, Inventory, OnChange, Recording, Reencoded, Severity
from pipeline.muxing.locate import Ffmpeg
from pipeline.stages.conform.conform import conform
from pipeline.stages.fetch import fetch, in_place
from pipeline.stages.rejoin import rejoined
from pipeline.stages.segments import LocalSegment, slots_of, with_slots, without_orphans
from pipeline.stages.unwrap import unwrap
from pipeline.storage import Storage
from pipeline.storage.oserrors import os_errors


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """The plan with what it stands on."""

    plan: Plan
    findings: tuple[Finding, ...]
    fetched: tuple[LocalSegment, ...] = ()  # all segments listed, as they were found
    segments: tuple[LocalSegment, ...] = ()  # what the plan was made of
    reencoded: tuple[Reencoded, ...] = ()
    aside: tuple[Slot, ...] = ()  # those of which another one holds all
    own: frozenset[str] | None = None  # segments of one file of several; None: all of them

    @property
    def rejected(self) -> bool:
        """Nothing may be made of this recording."""
        return self.plan.rejected or any(f.severity == Severity.FATAL for f in self.findings)

    @property
    def slots(self) -> tuple[Slot, ...]:
        """Of all segments, as the plan knows them."""
        return tuple(slots_of(self.segments))

    @property
    def names(self) -> tuple[str, ...]:
        """Of all segments."""
        return tuple(slot.name for slot in self.slots)

    def answers_for(self, name: str) -> bool:
        """A segment belongs to what is made of this."""
        return self.own is None or name in self.own


def gather(
    recording: Recording,
    inventory: Inventory,
    source: Storage,
    options: Options,
    clock: Clock,
    ffmpeg: Ffmpeg | None = None,
) -> Evidence:
    """Fetch and scan every segment that is there, and plan the timeline.

    Without ``ffmpeg`` nothing is encoded; the plan is that of what would be.
    """
    folder = spool_of(recording, options)
    here = in_place([s.object for s in inventory.segments if s.object], source)
    stage, doing = ("inspect", "read") if here else ("fetch", "fetch to")
    where = recording.source if here else str(folder)
    with clock.stage(stage), os_errors(f"{doing} {where}"):
        fetched = fetch(inventory, source, folder, options.progress)
    with clock.stage("inspect"), os_errors(f"read {where}"):
        opened, of_keys = unwrap(fetched, source, options.keys)
        segments, of_files = without_orphans(opened)
        segments, of_slots = _put_right(segments, folder)
        needed = [segment for segment in segments if segment.slot.needed]
        formed = conform(needed, folder, ffmpeg, on_change=options.on_change, format=options.format)
        slots, again = believed(slots_of(formed.segments))  # what was written anew as well
        one_format = options.on_change is not OnChange.SPLIT
        plan = timeline.plan(slots, options.on_loss, one_format=one_format)
    known = [*inventory.findings, *of_keys, *of_files, *of_slots, *formed.findings]
    known += [finding for finding in again if finding not in known]
    return Evidence(
        plan,
        tuple(plan.covered.without_loss(known)),
        fetched,
        with_slots(formed.segments, slots),
        formed.reencoded,
        tuple(slot for slot in slots_of(segments) if not slot.needed),
    )


def _put_right(
    segments: Sequence[LocalSegment], folder: Path
) -> tuple[tuple[LocalSegment, ...], list[Finding]]:
    """Every segment in its slot, with what belongs there and stamps that can be."""
    segments = [segments[n] for n in named_order(slots_of(segments))]
    segments = rejoined(segments, folder)
    slots = slots_of(segments)
    findings = _of_scans(slots)
    for look in (believed, identified):
        slots, said = look(slots)
        findings += said
    return with_slots(segments, slots), findings


def spool_of(recording: Recording, options: Options) -> Path:
    """Where the segments of a recording are kept while it is worked on."""
    return options.spool / hashlib.sha256(recording.source.encode()).hexdigest()[:32]


def spool_in_use(
    recording: Recording, source: Storage, options: Options
) -> AbstractContextManager[None]:
    """Nobody makes room there meanwhile.  Nothing is needed where segments are read in place."""
    if source.path("") is not None:
        return nullcontext()
    return locked(options.spool, str(spool_of(recording, options)))


def _of_scans(slots: Sequence[Slot]) -> list[Finding]:
    """What was found in the segments; one that is listed twice was read once."""
    scans = {slot.name: slot.scan for slot in slots if slot.scan}
    return [finding for scan in scans.values() for finding in scan.findings]
