"""What a recording becomes, once all of it is planned: its files, or the report why there are none.

Nothing else of the plan stays in memory.
"""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from pipeline.jobs.evidence import Evidence
from pipeline.jobs.output import captions
from pipeline.jobs.output.captions import Subtitles
from pipeline.jobs.output.files import Share, Told, shares
from pipeline.jobs.output.make_file import Job
from pipeline.jobs.output.publishing import origin
from pipeline.jobs.output.put_aside import PutAside
from pipeline.jobs.planning import Intake, planned
from pipeline.jobs.verdict import rejected
from pipeline.model import Finding, Recording, Report, Severity
from pipeline.stages.captions import Group
from pipeline.stages.mux.ahead import Ahead
from pipeline.stages.mux.converted import lanes_of
from pipeline.stages.verify import Verified


class Found(Struct, frozen=True, eq=False):
    """What a recording becomes: the rest of what was found out about it is not needed any more."""

    shares: PutAside
    subtitles: Subtitles


def to_measure(intake: Intake) -> Report | Found:
    """What is read of each file; the report of a recording of which nothing can be made."""
    evidence = planned(intake)
    report = _as_planned(intake.recording, [Share(evidence).told])
    if report is not None:
        return report
    meant = captions.meant(intake.recording, intake.source, intake.options)
    return _found(intake, *_subtitled(evidence, meant))


def to_make(job: Job, intake: Intake, ahead: Ahead[Verified]) -> Report | Found:
    """What is made, file by file; the report of a recording of which nothing can be made."""
    evidence = planned(intake, ffmpeg=job.ffmpeg, ahead=ahead)
    report = _as_planned(job.recording, [Share(evidence).told]) or _without_tracks(job, evidence)
    return report or _found(intake, *_subtitled(evidence, job.captions))


def _found(intake: Intake, evidence: Evidence, subtitles: Subtitles) -> Report | Found:
    every, read = shares(evidence, intake.options), origin(evidence.fetched)
    parts = PutAside(every, read, intake.workspace.part())
    report = _as_planned(intake.recording, parts.told)
    if report is not None:
        parts.close()
    return report or Found(parts, subtitles)


def _as_planned(recording: Recording, told: Sequence[Told]) -> Report | None:
    """The report of a recording of which nothing can be made, by what is ``told`` of its files."""
    if not any(one.rejected for one in told):
        return None
    return rejected(recording, [finding for one in told for finding in one.findings])


def _subtitled(evidence: Evidence, groups: Sequence[Group]) -> tuple[Evidence, Subtitles]:
    """The same, with what is said of captions, and where they stand."""
    subtitles = captions.subtitles(groups, evidence.plan)
    return replace(evidence, findings=(*evidence.findings, *subtitles.findings)), subtitles


def _without_tracks(job: Job, evidence: Evidence) -> Report | None:
    """The report where the format has no room for what there is."""
    if lanes_of(evidence.plan, job.options.format):
        return None
    detail = f"no audio to make {job.options.format.value} of"
    nothing = Finding("M_TRACKS", Severity.FATAL, detail=detail)
    return rejected(job.recording, (*evidence.findings, *evidence.plan.findings, nothing))
