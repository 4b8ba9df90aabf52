"""One recording, from its listing to its receipt.  :func:`process` reads like the list in
docs/design.md.
"""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing
from functools import partial
from itertools import zip_longest
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from pipeline.choices import OnChange
from pipeline.errors import RefusedError, UsageError
from pipeline.jobs import disk_space
from pipeline.jobs.locks import locked
from pipeline.jobs.options import Options
from pipeline.jobs.output.destinations import Target
from pipeline.jobs.output.files import Share, shares, together
from pipeline.jobs.output.make_file import Job, MadeFile, begun_ahead, make
from pipeline.jobs.output.pages import with_page
from pipeline.jobs.output.publishing import done_before, objects_read, publish_all
from pipeline.jobs.spool import forget, spool_in_use, spool_of
from pipeline.jobs.stopwatch import Clock
from pipeline.jobs.verdict import Evidence, judged, rejected
from pipeline.media.slots.bounds import believed
from pipeline.media.slots.identity import identified
from pipeline.media.slots.segments import Slot
from pipeline.media.timeline import plan as timeline
from pipeline.media.timeline.order import named_order
from pipeline.model import Finding, Inventory, Recording, Report, Severity, Verdict
from pipeline.muxing.locate import Ffmpeg
from pipeline.receipts.inputs import identities
from pipeline.stages import content
from pipeline.stages.conform.conform import conform
from pipeline.stages.fetch.fetch import fetch
from pipeline.stages.fetch.in_folder import in_place
from pipeline.stages.inspect import inspect
from pipeline.stages.mux import mux
from pipeline.stages.mux.ahead import Ahead
from pipeline.stages.mux.converted import lanes_of
from pipeline.stages.rejoin import rejoined
from pipeline.stages.segments import (
    LocalSegment,
    slots_of,
    with_slots,
    without_orphans,
)
from pipeline.stages.unwrap import unwrap
from pipeline.stages.verify import Verified
from pipeline.storage import Storage
from pipeline.storage.names import printable
from pipeline.storage.oserrors import os_errors


class Intake(Struct, frozen=True, eq=False):
    """What is to be read: a recording, where it lies and what there is of it; as was chosen."""

    recording: Recording
    source: Storage
    inventory: Inventory
    options: Options
    clock: Clock


def process(
    recording: Recording, source: Storage, target: Target, ffmpeg: Ffmpeg, options: Options
) -> Report:
    """Convert, prove and publish one recording.  Safe to repeat, also after a crash."""
    job = Job(recording, source, target, ffmpeg, options, Clock())
    with job.clock.stage("inspect"):
        inventory = _inspect(recording, source, options)
    inventory = replace(inventory, findings=(*inventory.findings, *options.noted))
    _refuse_to_replace_a_source(job, inventory)
    report = _unusable(recording, inventory)
    if report is None:
        with locked(options.spool, target.url):
            report = done_before(job, inventory) or _convert(job, inventory)
    report = with_page(job, report)
    return replace(report, timings=job.clock.timings())


def _inspect(recording: Recording, source: Storage, options: Options) -> Inventory:
    return inspect(
        recording, source, accept_unfinished=options.accept_unfinished, keys=options.keys
    )


def inputs(recording: Recording, source: Storage) -> set[tuple[str, int, str | None]]:
    """Everything that would be converted, as receipts tell inputs apart."""
    found = objects_read(inspect(recording, source, accept_unfinished=True))
    return identities((o.key, o.size, o.etag) for o in found)


def check(recording: Recording, source: Storage, options: Options) -> Report:
    """The same without making anything."""
    clock = Clock()
    with clock.stage("inspect"):
        inventory = _inspect(recording, source, options)
    report = _unusable(recording, inventory)
    if report is None:
        with spool_in_use(recording, source, options):
            try:
                report = _measured(Intake(recording, source, inventory, options, clock))
            finally:
                forget(recording, options)
    return replace(report, timings=clock.timings())


def _measured(intake: Intake) -> Report:
    recording, options = intake.recording, intake.options
    evidence = planned(intake)
    report = _as_planned(recording, [evidence])
    if report is not None:
        return report
    report = _as_planned(recording, (part.evidence for part in shares(evidence, options)))
    if report is not None:
        return report
    parts, reports = [], []
    for part in shares(evidence, options):
        parts.append(part.told)
        evidence = part.evidence
        with intake.clock.stage("inspect"), os_errors(f"read {recording.source}"):
            files = evidence.plan, evidence.segments, options.progress
            read = mux.measure(*files, sparse_sound=options.sparse_sound)
        # what stands in for encoded units says nothing of their content
        said = [] if evidence.reencoded else content.triage(read.lanes, read.held)
        reports.append(judged(recording, evidence, read, options.on_loss, proved=said))
    return together(recording, parts, reports)


def _refuse_to_replace_a_source(job: Job, inventory: Inventory) -> None:
    """Not even with ``--force``."""
    sources = {job.source.uri(found.key) for found in objects_read(inventory)}
    if job.target.storage.uri(job.target.key) in sources:
        raise UsageError(f"{job.target.url}: is a source itself; name another folder")


def _unusable(recording: Recording, inventory: Inventory) -> Report | None:
    """Unsafe, or not finished yet: no segment is opened."""
    if any(f.severity == Severity.FATAL for f in inventory.findings):
        return rejected(recording, inventory.findings)
    if inventory.unfinished:
        return Report(recording.id, recording.source, Verdict.PENDING, inventory.findings)
    return None


def _as_planned(recording: Recording, evidence: Iterable[Evidence]) -> Report | None:
    """The report of a recording of which nothing can be made; ``evidence`` of each of its files."""
    told = [(one.rejected, (*one.findings, *one.plan.findings)) for one in evidence]
    if not any(refused for refused, _ in told):
        return None
    return rejected(recording, [finding for _, findings in told for finding in findings])


def planned(
    intake: Intake, *, ffmpeg: Ffmpeg | None = None, ahead: Ahead[Verified] | None = None
) -> Evidence:
    """The walk as far as the plan: fetch, unwrap, conform, and where every segment belongs.

    Without ``ffmpeg`` nothing is encoded; the plan is that of what would be.  The file may be begun
    ``ahead``, as segments come.
    """
    recording, source, inventory = intake.recording, intake.source, intake.inventory
    options, clock = intake.options, intake.clock
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
        segments, of_slots = _put_right(found, folder)
        needed = [segment for segment in segments if segment.slot.needed]
        formed = conform(needed, folder, ffmpeg, on_change=options.on_change, format=options.format)
        slots, again = slots_of(formed.segments), list[Finding]()
        if any(a is not b for a, b in zip_longest(slots, slots_of(found))):
            slots, again = believed(slots)  # what was put right or rewritten as well
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


def _of_scans(slots: Sequence[Slot]) -> list[Finding]:
    """What was found in the segments; one that is listed twice was read once."""
    scans = {slot.name: slot.scan for slot in slots if slot.scan}
    return [finding for scan in scans.values() for finding in scan.findings]


def _convert(job: Job, inventory: Inventory) -> Report:
    options = job.options
    with os_errors(f"write {job.target.url}"):
        waits = options.admitted(_needs(job, inventory), partial(options.progress, "wait", 0))
        with waits, spool_in_use(job.recording, job.source, options):
            return _made_of(job, inventory)


def _needs(job: Job, inventory: Inventory) -> dict[Path, int]:
    """How many bytes are written into which folder: segments that are fetched, and the result."""
    size = _size(inventory)
    folder = job.target.storage.temporary(job.target.key, job.options.spool).parent
    needs = {folder: size}
    if job.source.path("") is None:
        job.options.spool.mkdir(parents=True, exist_ok=True)
        needs[job.options.spool] = size + (size if folder == job.options.spool else 0)
    return needs


def _size(inventory: Inventory) -> int:
    """Bytes of all segments that were found."""
    return sum({x.key: x.size for s in inventory.segments if (x := s.object)}.values())


def _made_of(job: Job, inventory: Inventory) -> Report:
    """The file is written beside its place: as segments come, or when all of it is planned."""
    with os_errors(f"write {job.target.url}"), ExitStack() as temporaries:
        place = partial(_temporary, job, inventory, temporaries)
        ahead = temporaries.enter_context(closing(begun_ahead(job, inventory, place)))
        intake = Intake(job.recording, job.source, inventory, job.options, job.clock)
        evidence = planned(intake, ffmpeg=job.ffmpeg, ahead=ahead)
        report = _as_planned(job.recording, [evidence]) or _nothing_to_make(job, evidence)
        if report is not None:
            return report
        parts: list[Share] = []
        made: list[MadeFile] = []
        for part in shares(evidence, job.options):
            temporary = place() if made or ahead.output is None else ahead.output
            parts.append(part.told)
            try:
                made.append(make(job, part.evidence, temporary, ahead))
            except RefusedError as error:
                return _refused(job, part.evidence, error)
        report = publish_all(job, inventory, parts, made)
    forget(job.recording, job.options)
    return report


def _temporary(job: Job, inventory: Inventory, temporaries: ExitStack) -> Path:
    """A file that goes when it is not adopted, on a disk with room for it."""
    temporary = job.target.storage.temporary(job.target.key, job.options.spool)
    temporaries.callback(temporary.unlink, missing_ok=True)
    temporary.touch()  # ffmpeg would only say that it cannot
    disk_space.need(temporary.parent, _size(inventory))
    return temporary


def _nothing_to_make(job: Job, evidence: Evidence) -> Report | None:
    """The report where nothing can be made of one of the files."""
    if not lanes_of(evidence.plan, job.options.format):
        detail = f"no audio to make {job.options.format.value} of"
        nothing = Finding("M_TRACKS", Severity.FATAL, detail=detail)
        return rejected(job.recording, (*evidence.findings, *evidence.plan.findings, nothing))
    parts = shares(evidence, job.options)
    return _as_planned(job.recording, (part.evidence for part in parts))


def _refused(job: Job, evidence: Evidence, error: RefusedError) -> Report:
    """Its packets are whole, and yet no file can be made of what they carry."""
    said = Finding("M_REFUSED", Severity.FATAL, detail=printable(error))
    return rejected(job.recording, (*evidence.findings, *evidence.plan.findings, said))
