"""One recording, from its listing to its receipt.  :func:`process` reads like the list in
docs/design.md.
"""

import hashlib
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

from pipeline.errors import ExistsError, RefusedError, StorageError, UsageError
from pipeline.jobs import disk_space as room
from pipeline.jobs.destinations import Target
from pipeline.jobs.evidence import Evidence, gather, spool_in_use, spool_of
from pipeline.jobs.locks import locked
from pipeline.jobs.make_file import Job, Made, make
from pipeline.jobs.options import Options
from pipeline.jobs.output_files import Share, shares, together
from pipeline.jobs.publishing import publish_all, result_keys
from pipeline.jobs.stopwatch import Clock
from pipeline.jobs.verdict import judged, rejected
from pipeline.model import (
    Finding,
    Inventory,
    Recording,
    Report,
    Severity,
    SourceFile,
    StoredObject,
    Verdict,
)
from pipeline.muxing.locate import Ffmpeg
from pipeline.receipts.earlier import earlier
from pipeline.receipts.inputs import identities, only_more_inputs, same_inputs
from pipeline.receipts.report import report_of
from pipeline.stages import content, fetch, mux, publish
from pipeline.stages.inspect import inspect
from pipeline.stages.segments import objects_of
from pipeline.storage import Storage
from pipeline.storage.names import printable
from pipeline.storage.oserrors import os_errors


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
            report = _done_before(job, inventory) or _convert(job, inventory)
    return replace(report, timings=job.clock.timings())


def _inspect(recording: Recording, source: Storage, options: Options) -> Inventory:
    return inspect(
        recording, source, accept_unfinished=options.accept_unfinished, keys=options.keys
    )


def inputs(recording: Recording, source: Storage) -> set[tuple[str, int, str | None]]:
    """Everything that would be converted, as receipts tell inputs apart."""
    found = _objects(inspect(recording, source, accept_unfinished=True))
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
                report = _measured(recording, inventory, source, options, clock)
            finally:
                _forget(recording, options)
    return replace(report, timings=clock.timings())


def _measured(
    recording: Recording, inventory: Inventory, source: Storage, options: Options, clock: Clock
) -> Report:
    evidence = gather(recording, inventory, source, options, clock)
    report = _as_planned(recording, [evidence])
    if report is not None:
        return report
    parts = shares(evidence, options)
    report = _as_planned(recording, [part.evidence for part in parts])
    if report is not None:
        return report
    reports = []
    for evidence in (part.evidence for part in parts):
        with clock.stage("inspect"), os_errors(f"read {recording.source}"):
            files = evidence.plan, evidence.segments, options.progress
            read = mux.measure(*files, sparse_sound=options.sparse_sound)
        # what stands in for encoded units says nothing of their content
        said = [] if evidence.reencoded else content.triage(read.lanes, read.held)
        reports.append(judged(recording, evidence, read, options.on_loss, said))
    return together(recording, parts, reports)


def _forget(recording: Recording, options: Options) -> None:
    """Segments that were fetched, or encoded anew, are not needed any more."""
    shutil.rmtree(spool_of(recording, options), ignore_errors=True)


def _refuse_to_replace_a_source(job: Job, inventory: Inventory) -> None:
    """Not even with ``--force``."""
    sources = {job.source.uri(found.key) for found in _objects(inventory)}
    if job.target.storage.uri(job.target.key) in sources:
        raise UsageError(f"{job.target.url}: is a source itself; name another folder")


def _unusable(recording: Recording, inventory: Inventory) -> Report | None:
    """Unsafe, or not finished yet: no segment is opened."""
    if any(f.severity == Severity.FATAL for f in inventory.findings):
        return rejected(recording, inventory.findings)
    if inventory.unfinished:
        return Report(recording.id, recording.source, Verdict.PENDING, inventory.findings)
    return None


def _as_planned(recording: Recording, evidence: Sequence[Evidence]) -> Report | None:
    """The report of a recording of which nothing can be made."""
    if not any(one.rejected for one in evidence):
        return None
    return rejected(recording, [f for e in evidence for f in (*e.findings, *e.plan.findings)])


def _done_before(job: Job, inventory: Inventory) -> Report | None:
    """The report of an earlier run on the same source; None when there is work to do."""
    with job.clock.stage("publish"):
        before = earlier(job.target.storage, job.target.key)
    if before is None or before.receipt is None or job.options.force:
        return None
    now = _objects(inventory)
    same = before.receipt["settings"] == job.options.settings
    if same and same_inputs(before.receipt, now):
        storage = job.target.storage
        return report_of(
            before.receipt,
            source=job.recording.source,
            outputs=[storage.url(key) for key in before.files],
            beside=storage.url(publish.receipt_key(job.target.key)),
        )
    if same and not only_more_inputs(before.receipt, now):
        detail = "was made from segments that are no longer there or have changed"
        raise ExistsError(f"{job.target.url}: {detail}; keep it, or replace it with --force")
    return None


def _objects(inventory: Inventory) -> list[StoredObject]:
    found = {s.object.key: s.object for s in inventory.segments if s.object}
    return [*_read_besides(inventory), *found.values()]


def _read_besides(inventory: Inventory) -> list[StoredObject]:
    """What is read besides segments: playlists and initialisation sections.  Keys are secret."""
    inits = {s.init.key: s.init for s in inventory.segments if s.init}
    return [*inventory.playlists, *inits.values()]


def _convert(job: Job, inventory: Inventory) -> Report:
    with spool_in_use(job.recording, job.source, job.options):
        return _made_of(job, inventory)


def _made_of(job: Job, inventory: Inventory) -> Report:
    evidence = gather(job.recording, inventory, job.source, job.options, job.clock, job.ffmpeg)
    report = _as_planned(job.recording, [evidence])
    if report is not None:
        return report
    if not mux.lanes_of(evidence.plan, job.options.format):
        detail = f"no audio to make {job.options.format.value} of"
        nothing = Finding("M_TRACKS", Severity.FATAL, detail=detail)
        return rejected(job.recording, (*evidence.findings, *evidence.plan.findings, nothing))
    parts = shares(evidence, job.options)
    report = _as_planned(job.recording, [part.evidence for part in parts])
    if report is not None:
        return report
    storage, options = job.target.storage, job.options
    keys = result_keys(job.target.key, len(parts))
    with os_errors(f"write {job.target.url}"), ExitStack() as temporaries:
        made: list[Made] = []
        for key, part in zip(keys, parts, strict=True):
            temporary = storage.temporary(key, options.spool)
            temporaries.callback(temporary.unlink, missing_ok=True)
            temporary.touch()  # ffmpeg would only say that it cannot
            if not made:
                room.need(temporary.parent, sum(o.size for o in objects_of(evidence.fetched)))
            try:
                made.append(make(job, part.evidence, temporary))
            except RefusedError as error:
                return _refused(job, part.evidence, error)
        report = _publish_all(job, inventory, parts, made)
    _forget(job.recording, options)
    return report


def _refused(job: Job, evidence: Evidence, error: RefusedError) -> Report:
    """Its packets are whole, and yet no file can be made of what they carry."""
    said = Finding("M_REFUSED", Severity.FATAL, detail=printable(error))
    return rejected(job.recording, (*evidence.findings, *evidence.plan.findings, said))


def _publish_all(
    job: Job, inventory: Inventory, parts: Sequence[Share], made: Sequence[Made]
) -> Report:
    """Every file is there and proven: now they go to their places, and the receipt last."""
    report = together(job.recording, parts, [one.report for one in made])
    if report.verdict is Verdict.REJECTED:
        return report
    fetched = parts[0].evidence.fetched
    _refuse_changed(job, objects_of(fetched))
    quicker = _done_before(job, inventory)
    if quicker is not None:  # another machine, meanwhile
        return quicker
    with job.clock.stage("publish"):
        storage, key = job.target.storage, job.target.key
        placed = [publish.place(storage, one) for one in result_keys(key, len(made))]
        done = [
            replace(one.report, output=storage.url(where))
            for one, where in zip(made, placed, strict=True)
        ]
        report = replace(
            together(job.recording, parts, done), receipt=storage.url(publish.receipt_key(key))
        )
        inputs = [*_digests(job, _read_besides(inventory)), *fetch.digests(fetched)]
        published = publish_all(job, report, made, inputs, placed)
    return replace(report, made=True) if published else _of_the_quicker_one(job, inventory)


def _of_the_quicker_one(job: Job, inventory: Inventory) -> Report:
    """Another machine did the same work and was done first."""
    report = _done_before(job, inventory)
    if report is None:
        raise StorageError(f"{job.target.url}: another run is publishing it; run again")
    return report


def _refuse_changed(job: Job, found: list[StoredObject]) -> None:
    """Files that are read in place may change under our hands."""
    if fetch.in_place(found, job.source):
        for before in found:
            if job.source.head(before.key) != before:
                where = job.source.url(before.key)
                raise StorageError(f"{where}: changed while it was converted; run again")


def _digests(job: Job, small: list[StoredObject]) -> list[SourceFile]:
    datas = [b"".join(job.source.open(one.key)) for one in small]
    sha256 = [hashlib.sha256(data).hexdigest() for data in datas]
    return [SourceFile(o.key, o.size, o.etag, s) for o, s in zip(small, sha256, strict=True)]
