"""Everything known about a source before anything is made of it."""

import hashlib
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.jobs.clock import Clock
from pipeline.jobs.locks import locked
from pipeline.jobs.options import Options
from pipeline.media import timeline
from pipeline.media.placed import Slot, has_media
from pipeline.media.timeline import Plan
from pipeline.model import Finding, Recording, Severity, StoredObject
from pipeline.stages import fetch
from pipeline.stages.fetch import Fetched
from pipeline.stages.inspect import Inventory
from pipeline.storage import Storage
from pipeline.storage.oserrors import os_errors


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """The plan with what it stands on."""

    plan: Plan
    findings: tuple[Finding, ...]
    segments: tuple[Fetched, ...] = ()
    paths: Mapping[int, Path] = field(default_factory=dict)  # by number in the playlist
    names: tuple[str, ...] = ()  # of all segments listed


def gather(
    recording: Recording, inventory: Inventory, source: Storage, options: Options, clock: Clock
) -> Evidence:
    """Fetch and scan every segment that is there, and plan the timeline."""
    wanted = {listed.object.key: listed.object for listed in inventory.segments if listed.object}
    objects = list(wanted.values())
    if in_place(objects, source):
        with clock.stage("inspect"), os_errors(f"read {recording.source}"):
            scanned = fetch.scan_in_place(objects, source, options.progress)
            return _planned(inventory, {f.object.key: f for f in scanned}, options)
    folder = spool_of(recording, options)
    with clock.stage("fetch"), os_errors(f"fetch to {folder}"):
        fetched = fetch.download(objects, source, folder, options.progress)
    with clock.stage("inspect"):
        return _planned(inventory, dict(zip(wanted, fetched, strict=True)), options)


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
    inventory: Inventory, fetched: Mapping[str, Fetched | None], options: Options
) -> Evidence:
    findings = list(inventory.findings)
    slots: list[Slot] = []
    paths: dict[int, Path] = {}
    unusable: set[str] = set()
    for listed in inventory.segments:
        here = fetched.get(listed.object.key) if listed.object else None
        segment = listed.segment
        slot = Slot(
            name=listed.name,
            scan=here.scan if here else None,
            duration=segment.duration or None,
            discontinuity=segment.discontinuity,
            utc=listed.utc,
            part=listed.part,
            listed=listed.listed,
        )
        if not listed.listed and not has_media(slot):
            unusable.add(slot.name)
            continue
        if here is not None:
            paths[len(slots)] = here.path
        elif listed.object:
            detail = "listed, but gone when it was to be read"
            findings.append(Finding("SEG_MISSING", Severity.ERROR, listed.name, detail=detail))
        slots.append(slot)
    present = tuple(f for f in fetched.values() if f is not None)
    for one in present:
        if one.object.name in unusable:
            detail = "the playlist lacks it, and there is nothing in it to be used"
            findings.append(Finding("PL_ORPHAN", Severity.WARNING, one.object.name, detail=detail))
        else:
            findings += [*one.findings, *one.scan.findings]
    plan = timeline.plan(slots, options.on_loss)
    names = tuple(slot.name for slot in slots)
    findings = plan.covered.without_loss(findings)
    return Evidence(plan, tuple(findings), present, paths, names)
