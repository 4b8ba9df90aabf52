"""Everything known about a source before anything is made of it."""

import hashlib
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.jobs.clock import Clock
from pipeline.jobs.conforming import conform
from pipeline.jobs.locks import locked
from pipeline.jobs.options import Options
from pipeline.jobs.unwrapping import unwrap
from pipeline.media import timeline
from pipeline.media.mpegts import Scan
from pipeline.media.order import named_order
from pipeline.media.placed import Slot, has_media
from pipeline.media.timeline import Plan
from pipeline.media.wrapping import Wrapping
from pipeline.model import Finding, OnChange, Recording, Reencoded, Severity, StoredObject
from pipeline.muxing.locate import Ffmpeg
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
    wrapped: Mapping[int, Wrapping] = field(default_factory=dict)  # where it is no stream as it is
    reencoded: tuple[Reencoded, ...] = ()
    names: tuple[str, ...] = ()  # of all segments listed


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
    folder = spool_of(recording, options)
    if in_place(objects, source):
        with clock.stage("inspect"), os_errors(f"read {recording.source}"):
            scanned = fetch.scan_in_place(objects, source, options.progress, wrapped)
            found = {f.object.key: f for f in scanned}
            return _planned(inventory, found, source, options, folder, ffmpeg)
    with clock.stage("fetch"), os_errors(f"fetch to {folder}"):
        fetched = fetch.download(objects, source, folder, options.progress, wrapped)
    with clock.stage("inspect"), os_errors(f"read {folder}"):
        found = {key: one for key, one in zip(wanted, fetched, strict=True) if one}
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
    findings = [*inventory.findings, *unwrapped.findings]
    slots: list[Slot] = []
    paths: dict[int, Path] = {}
    scans: dict[str, Scan] = {}  # by name
    wrapped: dict[int, Wrapping] = {}
    for number, listed in enumerate(inventory.segments):
        here = fetched.get(listed.object.key) if listed.object else None
        scan = unwrapped.scans.get(number, here.scan if here else None)
        segment = listed.segment
        slot = Slot(
            name=listed.name,
            scan=scan,
            duration=segment.duration or None,
            discontinuity=segment.discontinuity,
            utc=listed.utc,
            part=listed.part,
            listed=listed.listed,
        )
        if not listed.listed and not has_media(slot):
            detail = "the playlist lacks it, and there is nothing in it to be used"
            findings.append(Finding("PL_ORPHAN", Severity.WARNING, slot.name, detail=detail))
            continue
        if here is not None and scan is not None:
            paths[len(slots)] = here.path
            scans[listed.name] = scan
            findings += here.findings
            if number in unwrapped.wrappings:
                wrapped[len(slots)] = unwrapped.wrappings[number]
        elif listed.object:
            detail = "listed, but gone when it was to be read"
            findings.append(Finding("SEG_MISSING", Severity.ERROR, listed.name, detail=detail))
        slots.append(slot)
    order = named_order(slots)
    slots = [slots[n] for n in order]
    paths = {n: paths[m] for n, m in enumerate(order) if m in paths}
    wrapped = {n: wrapped[m] for n, m in enumerate(order) if m in wrapped}
    findings += [finding for scan in scans.values() for finding in scan.findings]
    formed = conform(slots, paths, wrapped, options, folder, ffmpeg)
    findings += formed.findings
    one_format = options.on_change is not OnChange.SPLIT
    plan = timeline.plan(formed.slots, options.on_loss, one_format=one_format)
    findings = plan.covered.without_loss(findings)
    return Evidence(
        plan,
        tuple(findings),
        tuple(fetched.values()),
        formed.paths,
        formed.wrapped,
        formed.reencoded,
        tuple(slot.name for slot in formed.slots),
    )
