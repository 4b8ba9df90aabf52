"""A session, from the listing of all its streams to one receipt: a file of each user."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from pipeline.errors import RefusedError
from pipeline.jobs.output.files import together
from pipeline.jobs.output.make_file import Job, MadeFile, make
from pipeline.jobs.output.publishing import Publication, publish_all, result_keys
from pipeline.jobs.planning import Intake
from pipeline.jobs.sessions import document
from pipeline.jobs.sessions.report import of_session, of_user
from pipeline.jobs.sessions.users import User, users
from pipeline.jobs.verdict import judged, refused
from pipeline.model import Inventory, Report, Verdict
from pipeline.stages import content
from pipeline.stages.mux import mux
from pipeline.stages.publish import session_key, user_key
from pipeline.stages.segments import LocalSegment
from pipeline.storage.oserrors import os_errors

Place = Callable[[str], Path]


class _Done(Struct, frozen=True, eq=False):
    """What became of one user; ``made`` are the files that are to be published."""

    user: User
    made: tuple[MadeFile, ...] = ()
    refused: Report | None = None

    @property
    def fetched(self) -> tuple[LocalSegment, ...]:
        """All segments of the user, as they were found."""
        return self.user.shares[0].evidence.fetched if self.user.shares else ()


def convert(job: Job, inventory: Inventory, place: Place) -> Report:
    """Make, prove and publish a file of each user; a user of whom nothing can be made stops no
    other.  ``place`` gives a temporary file for a key.
    """
    intake = Intake(job.recording, job.source, inventory, job.options, job.clock)
    done = [_made(job, user, place) for user in users(intake, job.ffmpeg)]
    told = partial(_told, job, done)
    made = [one for each in done for one in each.made]
    if not made:
        return told([])
    publication = Publication(
        made=made,
        keys=[key for one in done for key in _keys(job, one)],
        fetched=[segment for one in done for segment in one.fetched],
        told=told,
        besides={session_key(job.target.key): document.written},
    )
    return publish_all(job, inventory, publication)


def _made(job: Job, user: User, place: Place) -> _Done:
    if user.refused is not None:
        return _Done(user, refused=user.refused)
    person = job.options.person(user.uid)
    title = person.title if person else ""
    own = replace(job, recording=user.recording, options=user.options, title=title)
    made: list[MadeFile] = []
    for part in user.shares:
        try:
            made.append(make(own, part.evidence, place(_key(job, user))))
        except RefusedError as error:
            return _Done(user, refused=refused(user.recording, part.evidence, error))
    report = together(user.recording, user.shares, [one.report for one in made])
    if report.verdict is Verdict.REJECTED:
        return _Done(user, refused=report)
    return _Done(user, tuple(made))


def _key(job: Job, user: User) -> str:
    return user_key(job.target.key, user.recording.cname or "", user.options.format)


def _keys(job: Job, one: _Done) -> list[str]:
    return result_keys(_key(job, one.user), len(one.made))


def _told(job: Job, done: list[_Done], placed: list[Report]) -> Report:
    """The report of the session; ``placed`` are those of its files where they lie."""
    left = iter(placed)
    reports = []
    for one in done:
        report = one.refused
        if report is None:
            files = [next(left, made.report) for made in one.made]
            report = together(one.user.recording, one.user.shares, files)
        uid = one.user.uid
        reports.append(of_user(job.recording, uid, job.options.person(uid), report))
    return of_session(job.recording, reports)


def measured(intake: Intake) -> Report:
    """The same without making anything."""
    return of_session(intake.recording, [*_measured(intake)])


def _measured(intake: Intake) -> Iterator[Report]:
    for user in users(intake):
        report = user.refused or together(user.recording, user.shares, [*_read(intake, user)])
        yield of_user(intake.recording, user.uid, intake.options.person(user.uid), report)


def _read(intake: Intake, user: User) -> Iterator[Report]:
    options = user.options
    for evidence in (share.evidence for share in user.shares):
        with intake.clock.stage("inspect"), os_errors(f"read {user.recording.source}"):
            files = evidence.plan, evidence.segments, options.progress
            read = mux.measure(*files, options.format, sparse_sound=options.sparse_sound)
        said = [] if evidence.reencoded else content.triage(read.lanes, read.held)
        yield judged(user.recording, evidence, read, options.on_loss, proved=said)
