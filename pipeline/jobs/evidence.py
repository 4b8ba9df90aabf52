"""Everything known about a source before anything is made of it."""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

from pipeline.jobs.locks import locked
from pipeline.jobs.options import Options
from pipeline.jobs.stopwatch import Clock
from pipeline.media.containers.unwrap import Wrapping
from pipeline.media.slots.bounds import believed
from pipeline.media.slots.identity import identified
from pipeline.media.slots.rejoin import goes_through, holds, missing_bytes
from pipeline.media.slots.segments import Slot, has_media
from pipeline.media.timeline import plan as timeline
from pipeline.media.timeline.order import named_order
from pipeline.media.timeline.plan import Plan
from pipeline.media.ts.scan import Scan
from pipeline.model import (
    Finding,
    Inventory,
    Listed,
    OnChange,
    Recording,
    Reencoded,
    Severity,
    StoredObject,
)
from pipeline.muxing.locate import Ffmpeg
from pipeline.stages import fetch
from pipeline.stages.conform.conform import conform
from pipeline.stages.segments import Fetched
from pipeline.stages.unwrap import Unwrapped, unwrap
from pipeline.storage import Storage
from pipeline.storage.oserrors import os_errors


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """The plan with what it stands on."""

    plan: Plan
    findings: tuple[Finding, ...]
    segments: tuple[Fetched, ...] = ()
    paths: Mapping[int, Path] = field(default_factory=dict)  # by number in the playlist
    wrapped: Mapping[int, Wrapping] = field(default_factory=dict)  # where it is no stream as it is
    reencoded: tuple[Reencoded, ...] = ()
    slots: tuple[Slot, ...] = ()  # all segments listed
    aside: tuple[Slot, ...] = ()  # those of which another one holds all
    own: frozenset[str] | None = None  # segments of one file of several; None: all of them

    @property
    def rejected(self) -> bool:
        """Nothing may be made of this recording."""
        return self.plan.rejected or any(f.severity == Severity.FATAL for f in self.findings)

    @property
    def names(self) -> tuple[str, ...]:
        """Of all segments listed."""
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
    wanted = {listed.object.key: listed.object for listed in inventory.segments if listed.object}
    objects = list(wanted.values())
    wrapped = {
        s.object.key
        for s in inventory.segments
        if s.object and (s.segment.key or s.segment.init or s.name != s.segment.uri)
    }
    names = {s.object.key: s.segment.uri for s in inventory.segments if s.object}
    folder = spool_of(recording, options)
    if in_place(objects, source):
        with clock.stage("inspect"), os_errors(f"read {recording.source}"):
            scanned = fetch.scan_in_place(objects, source, options.progress, wrapped)
            found = {f.object.key: fetch.called(f, names[f.object.key]) for f in scanned}
            return _planned(inventory, found, source, options, folder, ffmpeg)
    with clock.stage("fetch"), os_errors(f"fetch to {folder}"):
        fetched = fetch.download(objects, source, folder, options.progress, wrapped)
    with clock.stage("inspect"), os_errors(f"read {folder}"):
        found = {f.object.key: fetch.called(f, names[f.object.key]) for f in fetched if f}
        return _planned(inventory, found, source, options, folder, ffmpeg)


def in_place(objects: list[StoredObject], source: Storage) -> bool:
    """The segments can be read where they lie."""
    return not objects or source.path(objects[0].key) is not None


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


def _planned(
    inventory: Inventory,
    fetched: Mapping[str, Fetched],
    source: Storage,
    options: Options,
    folder: Path,
    ffmpeg: Ffmpeg | None,
) -> Evidence:
    unwrapped = unwrap(inventory, fetched, source, options.keys)
    at_hand = _at_hand(inventory, fetched, unwrapped)
    findings = [*inventory.findings, *unwrapped.findings, *at_hand.findings]
    at_hand = at_hand.renumbered(named_order(at_hand.slots))
    at_hand = _rejoined(at_hand, folder)
    findings += _of_scans(at_hand.slots)
    for look in (believed, identified):
        slots, said = look(at_hand.slots)
        findings += said
        at_hand = replace(at_hand, slots=slots)
    at_hand = at_hand.renumbered([n for n, slot in enumerate(slots) if slot.needed])
    formed = conform(
        at_hand.slots,
        at_hand.paths,
        at_hand.wrapped,
        folder,
        ffmpeg,
        on_change=options.on_change,
        format=options.format,
    )
    findings += formed.findings
    sure, said = believed(formed.slots)  # what was written anew as well
    findings += [finding for finding in said if finding not in findings]
    one_format = options.on_change is not OnChange.SPLIT
    plan = timeline.plan(sure, options.on_loss, one_format=one_format)
    findings = plan.covered.without_loss(findings)
    return Evidence(
        plan,
        tuple(findings),
        tuple(fetched.values()),
        formed.paths,
        formed.wrapped,
        formed.reencoded,
        tuple(sure),
        tuple(slot for slot in slots if not slot.needed),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _AtHand:
    """Every slot with what was found under its name; files and wrappings by number of the slot."""

    slots: Sequence[Slot]
    paths: Mapping[int, Path]
    wrapped: Mapping[int, Wrapping]
    findings: Sequence[Finding]

    def renumbered(self, order: Sequence[int]) -> "_AtHand":
        """These slots, in this order, with what lies under their new numbers."""
        paths = {n: self.paths[m] for n, m in enumerate(order) if m in self.paths}
        wrapped = {n: self.wrapped[m] for n, m in enumerate(order) if m in self.wrapped}
        return _AtHand([self.slots[n] for n in order], paths, wrapped, self.findings)


def _at_hand(inventory: Inventory, fetched: Mapping[str, Fetched], unwrapped: Unwrapped) -> _AtHand:
    findings: list[Finding] = []
    slots: list[Slot] = []
    paths: dict[int, Path] = {}
    wrapped: dict[int, Wrapping] = {}
    for number, listed in enumerate(inventory.segments):
        here = fetched.get(listed.object.key) if listed.object else None
        scan = unwrapped.scans.get(number, here.scan if here else None)
        slot = _slot(listed, scan)
        if not listed.listed and not has_media(slot):
            detail = "the playlist lacks it, and there is nothing in it to be used"
            findings.append(Finding("PL_ORPHAN", Severity.WARNING, slot.name, detail=detail))
            continue
        if here is not None and scan is not None:
            paths[len(slots)] = here.path
            findings += here.findings
            if number in unwrapped.wrappings:
                wrapped[len(slots)] = unwrapped.wrappings[number]
        elif listed.object:
            detail = "listed, but gone when it was to be read"
            findings.append(Finding("SEG_MISSING", Severity.ERROR, listed.name, detail=detail))
        slots.append(slot)
    return _AtHand(slots, paths, wrapped, findings)


def _rejoined(at_hand: _AtHand, folder: Path) -> _AtHand:
    """What reads and writes segments for that is loaded only where one goes on in the next."""
    pairs = [*pairwise(at_hand.slots)]
    if not any(missing_bytes(a, b) or goes_through(a, b) or holds(a, b) for a, b in pairs):
        return at_hand
    from pipeline.stages.rejoin import rejoined

    slots, paths = rejoined(at_hand.slots, at_hand.paths, at_hand.wrapped, folder)
    wrapped = {n: how for n, how in at_hand.wrapped.items() if paths[n] == at_hand.paths[n]}
    return replace(at_hand, slots=slots, paths=paths, wrapped=wrapped)


def _of_scans(slots: Sequence[Slot]) -> list[Finding]:
    """What was found in the segments; one that is listed twice was read once."""
    scans = {slot.name: slot.scan for slot in slots if slot.scan}
    return [finding for scan in scans.values() for finding in scan.findings]


def _slot(listed: Listed, scan: Scan | None) -> Slot:
    return Slot(
        name=listed.name,
        scan=scan,
        duration=listed.segment.duration or None,
        rounded=listed.segment.rounded,
        discontinuity=listed.segment.discontinuity,
        utc=listed.utc,
        part=listed.part,
        listed=listed.listed,
        events=listed.segment.events,
    )
