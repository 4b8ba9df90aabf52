"""One recording, from its listing to its receipt.  :func:`process` reads like the list in
docs/design.md.
"""

import dataclasses
import math
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from pipeline.errors import RefusedError, UsageError
from pipeline.jobs.limits import disk_space
from pipeline.jobs.limits.locks import locked
from pipeline.jobs.options import Options
from pipeline.jobs.output import captions
from pipeline.jobs.output.destinations import Target
from pipeline.jobs.output.files import Share, together
from pipeline.jobs.output.found import Found, to_make, to_measure
from pipeline.jobs.output.make_file import Job, MadeFile, begun_ahead, make
from pipeline.jobs.output.publishing import (
    Publication,
    done_before,
    objects_read,
    publish_all,
    result_keys,
)
from pipeline.jobs.planning import Intake, inspected
from pipeline.jobs.sessions import convert as sessions
from pipeline.jobs.sessions.streams import chosen, taking_part
from pipeline.jobs.spool import Workspace, forget, spool_in_use
from pipeline.jobs.stopwatch import Clock
from pipeline.jobs.verdict import judged, refused, rejected
from pipeline.model import Inventory, Recording, Report, Severity, Verdict
from pipeline.muxing.locate import Ffmpeg
from pipeline.muxing.together import SHORT
from pipeline.receipts.inputs import identities
from pipeline.stages import content
from pipeline.stages.mux import mux
from pipeline.storage import Storage
from pipeline.storage.oserrors import os_errors


def process(
    recording: Recording, source: Storage, target: Target, ffmpeg: Ffmpeg, options: Options
) -> Report:
    """Convert, prove and publish one recording.  Safe to repeat, also after a crash."""
    recording, options = chosen(recording, options), _asked(recording, options)
    job = _taking_turns(Job(recording, source, target, ffmpeg, options, Clock()))
    with job.clock.stage("inspect"):
        inventory = inspected(recording, source, options)
        job = replace(job, captions=captions.meant(recording, source, options))
    inventory = replace(inventory, findings=(*inventory.findings, *options.noted))
    _refuse_to_replace_a_source(job, inventory)
    job = _alone_if_long(job, inventory)
    report = _unusable(recording, inventory)
    if report is None:
        with locked(options.spool, target.url):
            report = done_before(job, inventory) or _convert(job, inventory)
    return _timed(_with_page(job, report) if options.report else report, job.clock)


def _with_page(job: Job, report: Report) -> Report:
    from pipeline.jobs.output.pages import with_page  # its templates take a third of numpy to load

    return with_page(job, report)


def _taking_turns(job: Job) -> Job:
    """Where it encodes, after others that do."""
    turn = partial(job.options.turns.encoding.turn, job.waiting)
    return replace(job, ffmpeg=dataclasses.replace(job.ffmpeg, turn=turn))


def _alone_if_long(job: Job, inventory: Inventory) -> Job:
    """The start of ffmpeg is worth sharing for short recordings only."""
    guest = job.options.guest
    if guest is None or (_size(inventory) <= SHORT and not job.recording.streams):
        return job
    guest.leave()
    return replace(job, options=replace(job.options, guest=None))


def _asked(recording: Recording, options: Options) -> Options:
    """What is chosen for users changes nothing of a recording that does not have them."""
    if not recording.streams:
        return options.without_users()
    return replace(options, people=taking_part(options.people, recording))


def _timed(report: Report, clock: Clock) -> Report:
    timings = clock.timings()
    users = tuple(replace(user, timings=timings) for user in report.users)
    return replace(report, timings=timings, users=users)


def inputs(
    recording: Recording, source: Storage, options: Options | None = None
) -> set[tuple[str, int, str | None]]:
    """Everything that would be converted, as receipts tell inputs apart."""
    options = replace(options or Options(), accept_unfinished=True)
    found = objects_read(inspected(chosen(recording, options), source, options))
    return identities((o.key, o.size, o.etag) for o in found)


def check(recording: Recording, source: Storage, options: Options) -> Report:
    """The same without making anything."""
    recording, clock = chosen(recording, options), Clock()
    with clock.stage("inspect"):
        inventory = inspected(recording, source, options)
    report = _unusable(recording, inventory)
    if report is None:
        with spool_in_use(recording, source, options):
            try:
                with closing(Workspace(recording, options)) as work:
                    intake = Intake(recording, source, inventory, options, clock, work)
                    report = _measured(intake)
            finally:
                forget(recording, options)
    return _timed(report, clock)


def _measured(intake: Intake) -> Report:
    recording = intake.recording
    if recording.streams:
        return sessions.measured(intake)
    found = to_measure(intake)
    if isinstance(found, Report):
        return found
    with closing(found.shares):
        reports = [*map(partial(_read, intake), found.shares)]  # one after the other: none is kept
    told = together(recording, found.shares.told, reports)
    return replace(told, captions=found.subtitles.told)


def _read(intake: Intake, part: Share) -> Report:
    evidence, options = part.evidence, intake.options
    with intake.clock.stage("inspect"), os_errors(f"read {intake.recording.source}"):
        files = evidence.plan, evidence.segments, options.progress
        read = mux.measure(*files, sparse_sound=options.sparse_sound)
    # what stands in for encoded units says nothing of their content
    said = [] if evidence.reencoded else content.triage(read.lanes, read.held)
    return judged(intake.recording, evidence, read, options.on_loss, proved=said)


def _refuse_to_replace_a_source(job: Job, inventory: Inventory) -> None:
    """Not even with ``--force``."""
    sources = {job.source.uri(found.key) for found in objects_read(inventory)}
    if job.target.storage.uri(job.target.key) in sources:
        raise UsageError(f"{job.target.url}: is a source itself; name another folder")


def _unusable(recording: Recording, inventory: Inventory) -> Report | None:
    """Unsafe, or not finished yet: no segment is opened."""
    if any(f.severity == Severity.FATAL for f in inventory.findings) and not recording.streams:
        return rejected(recording, inventory.findings)
    if inventory.unfinished:
        return Report(recording.id, recording.source, Verdict.PENDING, inventory.findings)
    return None


def _convert(job: Job, inventory: Inventory) -> Report:
    options = job.options
    with os_errors(f"write {job.target.url}"):
        waits = options.admitted(_needs(job, inventory), job.waiting)
        with waits, spool_in_use(job.recording, job.source, options):
            return _made_of(job, inventory)


def _needs(job: Job, inventory: Inventory) -> dict[Path, int]:
    """How many bytes are written into which folder: the result, segments that are fetched, and what
    is re-encoded of them, once as it is encoded and once in its segments.
    """
    size, spool = _size(inventory), job.options.spool
    made = max(size, _asked_size(job, inventory))
    folder = job.target.storage.temporary(job.target.key, spool).parent
    needs = Counter({folder: made})
    needs[spool] += size if job.source.path("") is None else 0
    needs[spool] += 2 * made if job.options.asked else 0
    if needs[spool]:
        spool.mkdir(parents=True, exist_ok=True)
    return +needs


def _asked_size(job: Job, inventory: Inventory) -> int:
    """Bytes of all pictures in the bit rate that is asked for; 0 where none is."""
    seconds = sum(listed.segment.duration for listed in inventory.segments)
    return math.ceil(seconds * (job.options.video_bitrate or 0) * 1000 / 8)


def _size(inventory: Inventory) -> int:
    """Bytes of all segments that were found."""
    return sum({x.key: x.size for s in inventory.segments if (x := s.object)}.values())


def _made_of(job: Job, inventory: Inventory) -> Report:
    """The file is written beside its place: as segments come, or when all of it is planned."""
    with os_errors(f"write {job.target.url}"), ExitStack() as temporaries:
        place = partial(_temporary, job, inventory, temporaries)
        work = temporaries.enter_context(closing(Workspace(job.recording, job.options)))
        intake = Intake(job.recording, job.source, inventory, job.options, job.clock, work)
        if job.recording.streams:
            session = sessions.convert(job, intake, place)
            forget(job.recording, job.options)
            return session
        ahead = temporaries.enter_context(closing(begun_ahead(job, inventory, place)))
        found = to_make(job, intake, ahead)
        if isinstance(found, Report):
            return found
        temporaries.enter_context(closing(found.shares))
        made: list[MadeFile] = []
        for part in found.shares:
            temporary = place() if made or ahead.output is None else ahead.output
            try:
                texts = found.subtitles.of_span(*part.span)
                made.append(make(job, part.evidence, temporary, ahead, texts=texts))
            except RefusedError as error:
                return refused(job.recording, part.evidence, error)
            del part  # before the next one is taken back
        report = publish_all(job, inventory, _publication(job, made, found))
    forget(job.recording, job.options)
    return report


def _publication(job: Job, made: Sequence[MadeFile], found: Found) -> Publication:
    def told(reports: Sequence[Report]) -> Report:
        whole = together(job.recording, found.shares.told, reports)
        return replace(whole, captions=found.subtitles.told)

    return Publication(made, result_keys(job.target.key, len(made)), found.shares.origin, told)


def _temporary(job: Job, inventory: Inventory, temporaries: ExitStack, key: str = "") -> Path:
    """A file that goes when it is not adopted, on a disk with room for it."""
    temporary = job.target.storage.temporary(key or job.target.key, job.options.spool)
    temporaries.callback(temporary.unlink, missing_ok=True)
    temporary.touch()  # ffmpeg would only say that it cannot
    temporary.unlink()  # ext4 flushes a file that replaces another when it is closed
    disk_space.need(temporary.parent, _size(inventory))
    return temporary
