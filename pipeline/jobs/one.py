"""One recording, from its listing to its receipt.  :func:`process` reads like the list in
docs/design.md.
"""

import hashlib
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.errors import DiskFullError, ExistsError, StorageError, UsageError
from pipeline.jobs import room
from pipeline.jobs.clock import Clock
from pipeline.jobs.evidence import Evidence, gather, in_place, spool_in_use, spool_of
from pipeline.jobs.judge import judged, rejected
from pipeline.jobs.locks import locked
from pipeline.jobs.options import Options, Target, unwatched
from pipeline.jobs.receipts import only_more_inputs, receipt, report_of, same_inputs
from pipeline.media import checks
from pipeline.media.marks import Marks, marks
from pipeline.model import (
    Finding,
    Format,
    OnLoss,
    Recording,
    Report,
    Severity,
    SourceFile,
    StoredObject,
    Verdict,
)
from pipeline.muxing.locate import Ffmpeg
from pipeline.stages import content, convert, fetch, fill, publish, verify
from pipeline.stages.fill import Filling
from pipeline.stages.inspect import Inventory, inspect
from pipeline.storage import Storage
from pipeline.storage.local import LocalStorage
from pipeline.storage.oserrors import os_errors

MARKED = (Format.MP4, Format.M4A)  # formats with chapters and a comment


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """What all steps of one conversion look at."""

    recording: Recording
    source: Storage
    target: Target
    ffmpeg: Ffmpeg
    options: Options
    clock: Clock


def process(
    recording: Recording, source: Storage, target: Target, ffmpeg: Ffmpeg, options: Options
) -> Report:
    """Convert, prove and publish one recording.  Safe to repeat, also after a crash."""
    job = _Job(recording, source, target, ffmpeg, options, Clock())
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
    """Name, size and ETag of everything that would be converted, as receipts tell inputs apart."""
    found = _objects(inspect(recording, source, accept_unfinished=True))
    return {(o.name, o.size, o.etag) for o in found}


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
    report = _as_planned(recording, evidence)
    if report is not None:
        return report
    with clock.stage("inspect"), os_errors(f"read {recording.source}"):
        files = evidence.plan, evidence.paths, options.progress
        read = convert.measure(*files, wrapped=evidence.wrapped)
    # what stands in for encoded units says nothing of their content
    said = [] if evidence.reencoded else [*content.triage(read.lanes, read.expected)]
    said += checks.expected(evidence.plan, options.stream_types)
    return judged(recording, evidence, read, options.on_loss, said)


def _forget(recording: Recording, options: Options) -> None:
    """Segments that were fetched, or encoded anew, are not needed any more."""
    shutil.rmtree(spool_of(recording, options), ignore_errors=True)


def _refuse_to_replace_a_source(job: _Job, inventory: Inventory) -> None:
    """Not even with ``--force``."""
    sources = {job.source.path(o.key) or job.source.url(o.key) for o in _objects(inventory)}
    storage, key = job.target.storage, job.target.key
    if (storage.path(key) or storage.url(key)) in sources:
        raise UsageError(f"{job.target.url}: is a source itself; name another folder")


def _unusable(recording: Recording, inventory: Inventory) -> Report | None:
    """Unsafe, or not finished yet: no segment is opened."""
    if any(f.severity == Severity.FATAL for f in inventory.findings):
        return rejected(recording, inventory.findings)
    if inventory.unfinished:
        return Report(recording.id, recording.source, Verdict.PENDING, inventory.findings)
    return None


def _as_planned(recording: Recording, evidence: Evidence) -> Report | None:
    """The report of a recording of which nothing can be made."""
    if not evidence.plan.rejected:
        return None
    return rejected(recording, (*evidence.findings, *evidence.plan.findings))


def _done_before(job: _Job, inventory: Inventory) -> Report | None:
    """The report of an earlier run on the same source; None when there is work to do."""
    with job.clock.stage("publish"):
        before = publish.earlier(job.target.storage, job.target.key)
    if before is None or before.receipt is None or job.options.force:
        return None
    now = _objects(inventory)
    same = before.receipt["settings"] == job.options.settings
    if same and same_inputs(before.receipt, now):
        storage = job.target.storage
        return report_of(
            before.receipt,
            source=job.recording.source,
            output=storage.url(before.key),
            beside=storage.url(publish.receipt_key(job.target.key)),
        )
    if same and not only_more_inputs(before.receipt, now):
        detail = "was made from segments that are no longer there or have changed"
        raise ExistsError(f"{job.target.url}: {detail}; keep it, or replace it with --force")
    return None


def _on_loss(options: Options) -> OnLoss:
    """ADTS has no time stamps: whatever was asked for, its holes are closed.  Only a file with an
    index is filled.
    """
    chosen = options.on_loss
    if chosen is OnLoss.FILL and options.format not in MARKED:
        chosen = OnLoss.HOLD
    return OnLoss.CLOSE if options.format is Format.AAC and chosen is OnLoss.HOLD else chosen


def _objects(inventory: Inventory) -> list[StoredObject]:
    found = {s.object.key: s.object for s in inventory.segments if s.object}
    return [*_read_besides(inventory), *found.values()]


def _read_besides(inventory: Inventory) -> list[StoredObject]:
    """What is read besides segments: playlists and initialisation sections.  Keys are secret."""
    inits = {s.init.key: s.init for s in inventory.segments if s.init}
    return [*inventory.playlists, *inits.values()]


def _convert(job: _Job, inventory: Inventory) -> Report:
    with spool_in_use(job.recording, job.source, job.options):
        return _made_of(job, inventory)


def _made_of(job: _Job, inventory: Inventory) -> Report:
    evidence = gather(job.recording, inventory, job.source, job.options, job.clock, job.ffmpeg)
    report = _as_planned(job.recording, evidence)
    if report is not None:
        return report
    if not convert.lanes_of(evidence.plan, job.options.format):
        detail = f"no audio to make {job.options.format.value} of"
        nothing = Finding("M_TRACKS", Severity.FATAL, detail=detail)
        return rejected(job.recording, (*evidence.findings, *evidence.plan.findings, nothing))
    storage, options = job.target.storage, job.options
    with os_errors(f"write {job.target.url}"):
        temporary = publish.workplace(storage, job.target.key, options.spool)
        try:
            temporary.touch()  # ffmpeg would only say that it cannot
            room.need(temporary.parent, sum(f.object.size for f in evidence.segments))
            report = _make(job, inventory, evidence, temporary)
        finally:
            temporary.unlink(missing_ok=True)
    _forget(job.recording, options)
    return report


def _make(job: _Job, inventory: Inventory, evidence: Evidence, temporary: Path) -> Report:
    """Convert, verify and publish."""
    told, filling = _foreseen(job, evidence)
    made, verified = _proven(job, evidence, temporary, told, filling)
    report = _judged(job, evidence, made, (*filling.findings, *verified.findings))
    if (told := _told(job, evidence, report)) != made.marks:  # holes that only the units show
        made, verified = _proven(job, evidence, temporary, told, filling)
    said = (*filling.findings, *verified.findings, *_content(job, evidence, made, temporary))
    report = _judged(job, evidence, made, said)
    report = replace(report, tracks=verified.tracks, proof=verified.proof)
    if report.verdict is Verdict.REJECTED:
        return report
    _refuse_changed(job, evidence)
    quicker = _done_before(job, inventory)
    if quicker is not None:  # another machine, meanwhile
        return quicker
    with job.clock.stage("publish"):
        placed = publish.place(job.target.storage, job.target.key)
        report = replace(
            report,
            output=job.target.storage.url(placed),
            receipt=job.target.storage.url(publish.receipt_key(job.target.key)),
            duration=verified.duration,
            size=verified.size,
            sha256=verified.sha256,
        )
        inputs = [*_digests(job, _read_besides(inventory)), *fetch.digests(evidence.segments)]
        published = _publish(job, report, made, inputs, temporary, placed)
    return report if published else _of_the_quicker_one(job, inventory)


def _of_the_quicker_one(job: _Job, inventory: Inventory) -> Report:
    """Another machine did the same work and was done first."""
    report = _done_before(job, inventory)
    if report is None:
        raise StorageError(f"{job.target.url}: another run is publishing it; run again")
    return report


def _content(job: _Job, evidence: Evidence, made: convert.Converted, path: Path) -> list[Finding]:
    """What is in the result, and what was to be."""
    found = [*checks.expected(evidence.plan, job.options.stream_types)]
    with job.clock.stage("verify"):
        if job.options.format not in (Format.MP4, Format.M4A):
            return found + content.triage(made.lanes, made.expected)
        found += content.examine(path, made.lanes, made.expected, job.ffmpeg)
        return found + (content.decode(path, job.ffmpeg) if job.options.deep else [])


def _refuse_changed(job: _Job, evidence: Evidence) -> None:
    """Files that are read in place may change under our hands."""
    found = [segment.object for segment in evidence.segments]
    if in_place(found, job.source):
        for before in found:
            if job.source.head(before.key) != before:
                where = job.source.url(before.key)
                raise StorageError(f"{where}: changed while it was converted; run again")


def _proven(
    job: _Job, evidence: Evidence, temporary: Path, told: Marks, filling: Filling
) -> tuple[convert.Converted, verify.Verified]:
    """The file and its proof; once more, in two passes, when the index did not fit in front."""
    options = job.options
    for in_one_pass in (True, False):
        with job.clock.stage("convert"):
            made = convert.convert(
                evidence.plan,
                evidence.paths,
                job.ffmpeg,
                temporary,
                format=options.format,
                progress=options.progress,
                wrapped=evidence.wrapped,
                in_one_pass=in_one_pass,
                marks=told,
                fills=filling.fills,
                made=filling.made,
            )
        with job.clock.stage("verify"):
            verified = _verified(job, evidence, made, temporary)
        if in_one_pass and "reserved_moov_size is too small" in made.messages:
            continue
        break
    full = "No space left on device" in made.messages or room.is_full(temporary.parent)
    if full and any(f.severity == Severity.FATAL for f in verified.findings):
        raise DiskFullError(f"{temporary.parent}: no space left for the result; free some")
    return made, verified


def _foreseen(job: _Job, evidence: Evidence) -> tuple[Marks, Filling]:
    """What the file will say of its holes and joins, and what will go into the holes.

    Where nothing is wrong there is nothing to look for.
    """
    found = (*evidence.findings, *evidence.plan.findings)
    format = job.options.format
    wrong = any(f.severity == Severity.ERROR for f in found)
    if format not in MARKED or not (wrong or evidence.plan.joins):
        return Marks(), Filling()
    with job.clock.stage("inspect"):
        files = evidence.plan, evidence.paths, unwatched, format
        read = convert.measure(*files, evidence.wrapped)
    filling = Filling()
    if job.options.on_loss is OnLoss.FILL:
        with job.clock.stage("convert"):
            filling = fill.prepare(read.lanes, read.held, job.ffmpeg)
    read = replace(read, fills=filling.fills)
    return _told(job, evidence, _judged(job, evidence, read, ())), filling


def _judged(
    job: _Job, evidence: Evidence, read: convert.Converted, proved: tuple[Finding, ...]
) -> Report:
    return judged(job.recording, evidence, read, _on_loss(job.options), proved)


def _told(job: _Job, evidence: Evidence, report: Report) -> Marks:
    if job.options.format not in MARKED:
        return Marks()
    joins = evidence.plan.joins
    return marks(report.holes, report.duration, report.lost_seconds, joins)


def _verified(
    job: _Job, evidence: Evidence, made: convert.Converted, path: Path
) -> verify.Verified:
    """Each format is proven as far as it can be."""
    format, lanes, expected = job.options.format, made.lanes, made.expected
    if format in (Format.MP4, Format.M4A):
        return verify.verify_mp4(path, lanes, expected, job.options.progress, made.marks)
    if format is Format.TS:
        return verify.verify_stream(path, evidence.plan, lanes, expected, made.lengths)
    if format is Format.AAC:
        return verify.verify_adts(path, lanes[0], expected[0])
    return verify.verify_encoded(path, format, lanes[0], expected[0], job.ffmpeg)


def _digests(job: _Job, small: list[StoredObject]) -> list[SourceFile]:
    datas = [b"".join(job.source.open(one.key)) for one in small]
    sha256 = [hashlib.sha256(data).hexdigest() for data in datas]
    return [SourceFile(o.key, o.size, o.etag, s) for o, s in zip(small, sha256, strict=True)]


def _publish(
    job: _Job,
    report: Report,
    made: convert.Converted,
    inputs: list[SourceFile],
    temporary: Path,
    placed: str,
) -> bool:
    """False if another run was quicker."""
    storage, key = job.target.storage, job.target.key
    before = publish.earlier(storage, key)
    assert report.sha256 is not None
    if before is not None and before.receipt is None and not job.options.force:
        publish.refuse_other(storage, before.key, report.sha256)
    muxer = {
        "version": job.ffmpeg.version,
        "command": [part if part != str(temporary) else "OUTPUT" for part in made.command],
        "messages": made.messages.splitlines()[-20:],
    }
    note = receipt(report, inputs, settings=job.options.settings, muxer=muxer)
    note["output"]["file"] = placed.rpartition("/")[2]
    try:
        publish.publish(
            temporary,
            storage,
            key,
            note,
            format=job.options.format,
            sha256=report.sha256,
            placed=placed,
            replacing=before is not None,
            guard=lambda: job.options.guard(placed),
        )
    except ExistsError:
        if before is not None or isinstance(storage, LocalStorage):
            raise
        return False
    if publish.lost(storage, key, placed):
        return False
    if before is not None and before.receipt is not None and before.key != placed:
        storage.delete(before.key)  # the receipt speaks of ours now
    return True
