"""One plan becomes one file, with its proof.  A recording is one, or several where its format
changes or one would be too long.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from pipeline.choices import Absent, Format, OnChange, OnLoss
from pipeline.errors import DiskFullError, RefusedError
from pipeline.jobs.evidence import Evidence
from pipeline.jobs.limits import disk_space
from pipeline.jobs.options import Options, unwatched
from pipeline.jobs.output.destinations import Target
from pipeline.jobs.stopwatch import Clock
from pipeline.jobs.verdict import judged
from pipeline.media.captions.text_track import TextTrack
from pipeline.media.loss.chapters import Marks, marks
from pipeline.media.timeline.wall_clock import wall_clock
from pipeline.model import Finding, Inventory, Recording, Report, Severity, Verdict
from pipeline.muxing.locate import Ffmpeg
from pipeline.muxing.together import SHORT
from pipeline.stages import content, fill, verify
from pipeline.stages.captions import Group
from pipeline.stages.fill import Filling
from pipeline.stages.mux import mux
from pipeline.stages.mux.ahead import Ahead, Progress
from pipeline.stages.mux.command import OutputSpec
from pipeline.stages.mux.converted import Converted, lanes_of
from pipeline.storage import Storage

MARKED = (Format.MP4, Format.M4A)  # formats with chapters and a comment


class Job(Struct, frozen=True, eq=False):
    """What all steps of one conversion look at."""

    recording: Recording
    source: Storage
    target: Target
    ffmpeg: Ffmpeg
    options: Options
    clock: Clock
    title: str = ""  # what the file calls itself
    captions: tuple[Group, ...] = ()  # that become subtitle tracks

    @property
    def waiting(self) -> Callable[[], None]:
        """To be called again and again while it waits for others."""
        return partial(self.options.progress, "wait", 0)


class MadeFile(Struct, frozen=True, eq=False):
    """A file that was made, and what is known of it."""

    temporary: Path
    report: Report
    command: tuple[str, ...]  # argv of ffmpeg
    messages: str  # of ffmpeg


def begun_ahead(
    job: Job, inventory: Inventory, place: Callable[[], Path]
) -> Ahead[verify.Verified]:
    """What makes the file of a recording without a fault while its segments are read; nothing where
    others may have to wait for it.
    """
    options = job.options
    fit = options.format in MARKED and options.on_change is not OnChange.SPLIT
    fit = fit and options.asked is None and not job.captions
    fit = fit and not options.turns.crowded and options.guest is None
    whole = not any(finding.severity is Severity.ERROR for finding in inventory.findings)
    promised = [s.segment.duration for s in inventory.segments]
    size = sum(s.object.size for s in inventory.segments if s.object)
    if not (fit and whole and sum(promised) <= options.max_length):
        promised = []
    wanted = OutputSpec(options.format, sparse_sound=options.sparse_sound)
    return Ahead(
        job.ffmpeg,
        wanted,
        place=place,
        promised=promised,
        progress=options.progress,
        prove=partial(_prove, job.target.storage),
        keeps=size <= SHORT,
    )


def make(
    job: Job,
    evidence: Evidence,
    temporary: Path,
    ahead: Ahead[verify.Verified] | None = None,
    *,
    texts: Sequence[TextTrack] = (),
) -> MadeFile:
    """Convert and verify, in turn; what was begun ``ahead`` is finished, if that is what is to be
    made.  ``texts`` are captions.
    """
    with job.options.turns.remuxing.turn(job.waiting):
        return _made(job, evidence, temporary, ahead, texts=texts)


def _made(
    job: Job,
    evidence: Evidence,
    temporary: Path,
    ahead: Ahead[verify.Verified] | None,
    *,
    texts: Sequence[TextTrack],
) -> MadeFile:
    told, filling = _expected(job, evidence)
    wanted = replace(_wanted(job, told, filling), texts=texts)
    known = filling.findings
    made, verified, report = _proven(job, evidence, temporary, wanted, known=known, ahead=ahead)
    if (told := _told(job, evidence, report)) != made.marks:  # holes that only the units show
        wanted = replace(wanted, marks=told)
        made, verified, report = _proven(job, evidence, temporary, wanted, known=known)
    if inside := _content(job, made, temporary):
        report = _judged(job, evidence, made, (*known, *verified.findings, *inside))
    report = replace(report, tracks=verified.tracks, proof=verified.proof)
    if report.verdict is not Verdict.REJECTED:
        report = replace(
            report, duration=verified.duration, size=verified.size, sha256=verified.sha256
        )
    return MadeFile(temporary, report, made.command, made.messages)


def on_loss(options: Options) -> OnLoss:
    """ADTS has no time stamps: whatever was asked for, its holes are closed where no silence stands
    for them.  Only a file with an index gets pictures.
    """
    chosen = options.on_loss
    if chosen is OnLoss.FILL and options.format not in MARKED:
        chosen = OnLoss.HOLD
    closed = options.format is Format.AAC and options.sparse_sound
    return OnLoss.CLOSE if closed and chosen is OnLoss.HOLD else chosen


def _content(job: Job, made: Converted, path: Path) -> list[Finding]:
    """What is in the result."""
    with job.clock.stage("verify"):
        if job.options.format not in MARKED:
            return content.triage(made.lanes, made.held)
        found = content.examine(path, made.lanes, made.held, job.ffmpeg)
        return found + (content.decode(path, job.ffmpeg) if job.options.deep else [])


def _wanted(job: Job, told: Marks, filling: Filling) -> OutputSpec:
    return OutputSpec(
        job.options.format,
        marks=told,
        fills=filling.fills,
        made=filling.made,
        sparse_sound=job.options.sparse_sound,
    )


def _proven(
    job: Job,
    evidence: Evidence,
    temporary: Path,
    wanted: OutputSpec,
    *,
    known: tuple[Finding, ...],
    ahead: Ahead[verify.Verified] | None = None,
) -> tuple[Converted, verify.Verified, Report]:
    """The file, its proof and what it is judged to be, besides what is ``known``; once more, in two
    passes, when the index did not fit in front.

    RefusedError if ffmpeg takes the stream in neither way.
    """
    for in_one_pass in (True, False):
        with job.clock.stage("convert"):
            try:
                files = evidence.plan, evidence.segments, job.ffmpeg
                here = replace(wanted, in_one_pass=in_one_pass)
                made = mux.convert(
                    *files,
                    here,
                    output=temporary,
                    progress=job.options.progress,
                    ahead=ahead,
                    guest=job.options.guest,
                )
            except RefusedError:
                if in_one_pass:
                    continue
                raise
        report = _judged(job, evidence, made, known)  # while what was made ahead is proven
        with job.clock.stage("verify"):
            verified = _verified(job, made, temporary, ahead)
        if in_one_pass and "reserved_moov_size is too small" in made.messages:
            continue
        break
    full = "No space left on device" in made.messages or disk_space.is_full(temporary.parent)
    if full and any(f.severity == Severity.FATAL for f in verified.findings):
        raise DiskFullError(f"{temporary.parent}: no space left for the result; free some")
    if verified.findings:
        report = _judged(job, evidence, made, (*known, *verified.findings))
    return made, verified, report


def _expected(job: Job, evidence: Evidence) -> tuple[Marks, Filling]:
    """What the file will say of its holes and joins, and what will go into the holes.

    Where nothing is wrong there is nothing to look for.
    """
    found = (*evidence.findings, *evidence.plan.findings)
    format = job.options.format
    wrong = any(f.severity == Severity.ERROR for f in found)
    if format not in MARKED:
        return Marks(), Filling()
    if not (wrong or evidence.plan.joins):
        return Marks(title=job.title), _opened(job, evidence, Filling())
    with job.clock.stage("inspect"):
        files = evidence.plan, evidence.segments, unwatched, format
        sparse = job.options.sparse_sound
        read = mux.measure(*files, sparse_sound=sparse)
    filling = Filling()
    if job.options.on_loss is OnLoss.FILL:
        with job.clock.stage("convert"):
            filling = fill.prepare(read.lanes, read.held, job.ffmpeg)
    read = replace(read, fills=filling.fills)
    told = _told(job, evidence, _judged(job, evidence, read, ()))
    return told, _opened(job, evidence, filling)


def _opened(job: Job, evidence: Evidence, filling: Filling) -> Filling:
    """With a picture at the beginning, where pictures begin late."""
    lanes = lanes_of(evidence.plan, job.options.format)
    with job.clock.stage("convert"):
        dark = job.options.absent is Absent.BLACK
        return fill.opened(filling, lanes, evidence.plan.placed, job.ffmpeg, dark=dark)


def _judged(job: Job, evidence: Evidence, read: Converted, proved: tuple[Finding, ...]) -> Report:
    return judged(job.recording, evidence, read, on_loss(job.options), proved=proved)


def _told(job: Job, evidence: Evidence, report: Report) -> Marks:
    if job.options.format not in MARKED:
        return Marks()
    clock = wall_clock(evidence.plan.placed)
    told = report.holes, report.duration, report.lost_seconds, report.joins, clock
    return marks(*told, title=job.title)


def _prove(storage: Storage, path: Path, made: Converted, progress: Progress) -> verify.Verified:
    """Read it back, and meanwhile bring it to the disk: to publish it waits for that."""
    lanes, expected = made.lanes, made.expected
    with ThreadPoolExecutor(1) as other:
        flushed = other.submit(storage.flush, path)
        found = verify.verify_mp4(path, lanes, expected, progress, made.marks, texts=made.texts)
        flushed.result()
    return found


def _verified(
    job: Job, made: Converted, path: Path, ahead: Ahead[verify.Verified] | None
) -> verify.Verified:
    """Each format is proven as far as it can be; what was made ahead is proven already, or being
    proven.
    """
    if ahead and (early := ahead.proof_of(made)):
        job.options.progress("verify", early.size)
        return early
    format, lanes, expected = job.options.format, made.lanes, made.expected
    if format in MARKED:
        return _prove(job.target.storage, path, made, job.options.progress)
    if format is Format.TS:
        return verify.verify_stream(path, lanes, expected, made.lengths)
    if format is Format.AAC:
        return verify.verify_adts(path, lanes[0], expected[0])
    return verify.verify_encoded(path, format, lanes[0], expected[0], job.ffmpeg)
