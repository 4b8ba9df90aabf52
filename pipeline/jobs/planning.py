"""What a recording should hold, and the walk as far as the plan of what it does hold."""

from collections.abc import Sequence
from itertools import zip_longest

from msgspec import Struct

from pipeline.choices import OnChange
from pipeline.jobs.evidence import Evidence
from pipeline.jobs.options import Options
from pipeline.jobs.sessions.streams import is_index
from pipeline.jobs.spool import Workspace, spool_of
from pipeline.jobs.stopwatch import Clock
from pipeline.media.slots.bounds import believed
from pipeline.media.slots.identity import identified
from pipeline.media.slots.segments import Slot
from pipeline.media.timeline import plan as timeline
from pipeline.media.timeline.order import named_order
from pipeline.model import Finding, Inventory, Recording
from pipeline.muxing.locate import Ffmpeg
from pipeline.stages.conform.conform import conform
from pipeline.stages.fetch.fetch import fetch
from pipeline.stages.fetch.in_folder import in_place
from pipeline.stages.inspect import inspect
from pipeline.stages.mux.ahead import Ahead
from pipeline.stages.rejoin import rejoined
from pipeline.stages.segments import Folder, LocalSegment, slots_of, with_slots, without_orphans
from pipeline.stages.unwrap import unwrap
from pipeline.stages.verify import Verified
from pipeline.storage import Storage
from pipeline.storage.oserrors import os_errors


class Intake(Struct, frozen=True, eq=False):
    """What is to be read: a recording, where it lies and what there is of it; as was chosen."""

    recording: Recording
    source: Storage
    inventory: Inventory
    options: Options
    clock: Clock
    workspace: Workspace  # for what is rewritten of segments


def inspected(recording: Recording, source: Storage, options: Options) -> Inventory:
    """What a recording should hold; of a session, what each stream of it should."""
    accept, keys = options.accept_unfinished, options.keys
    if not recording.streams:
        return inspect(recording, source, accept_unfinished=accept, keys=keys)
    each = [
        _index(stream)
        if is_index(stream, recording.streams)
        else inspect(stream, source, accept_unfinished=accept, keys=keys)
        for stream in recording.streams
    ]
    return Inventory(
        tuple(listed for one in each for listed in one.segments),
        tuple(finding for one in each for finding in one.findings),
        any(one.unfinished for one in each),
        tuple(found for one in each for found in one.playlists),
        tuple(each),
    )


def _index(stream: Recording) -> Inventory:
    """A playlist that lists what others list as well: it is an input, and adds nothing."""
    playlists = tuple(part.playlist for part in stream.parts if part.playlist)
    return Inventory((), (), playlists=playlists)


def planned(
    intake: Intake,
    *,
    ffmpeg: Ffmpeg | None = None,
    ahead: Ahead[Verified] | None = None,
    pauses: bool = False,
) -> Evidence:
    """The walk as far as the plan: fetch, unwrap, conform, and where every segment belongs.

    Without ``ffmpeg`` nothing is encoded; the plan is that of what would be.  The file may be begun
    ``ahead``, as segments come.  A stream of one user ``pauses``.
    """
    recording, source, inventory = intake.recording, intake.source, intake.inventory
    options, clock, work = intake.options, intake.clock, intake.workspace.part()
    folder = spool_of(recording, options)
    here = in_place([s.object for s in inventory.segments if s.object], source)
    stage, doing = ("inspect", "read") if here else ("fetch", "fetch to")
    where = recording.source if here else str(folder)
    with clock.stage(stage), os_errors(f"{doing} {where}"):
        look = ahead.take if ahead else None
        fetched = fetch(inventory, source, folder, options.progress, look=look)
    with clock.stage("inspect"), os_errors(f"read {where}"):
        opened, of_keys = unwrap(fetched, source, options.keys)
        found, of_files = without_orphans(opened)
        segments, of_slots = _put_right(found, work)
        needed = [segment for segment in segments if segment.slot.needed]
        formed = conform(
            needed,
            work,
            ffmpeg,
            on_change=options.on_change,
            format=options.format,
            progress=options.progress,
            asked=options.asked,
        )
        slots, again = slots_of(formed.segments), list[Finding]()
        if any(a is not b for a, b in zip_longest(slots, slots_of(found))):
            slots, again = believed(slots)  # what was put right or rewritten as well
        one_format = options.on_change is not OnChange.SPLIT
        plan = timeline.plan(slots, options.on_loss, one_format=one_format, pauses=pauses)
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
    segments: Sequence[LocalSegment], folder: Folder
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


def _of_scans(slots: Sequence[Slot]) -> list[Finding]:
    """What was found in the segments; one that is listed twice was read once."""
    scans = {slot.name: slot.scan for slot in slots if slot.scan}
    return [finding for scan in scans.values() for finding in scan.findings]
