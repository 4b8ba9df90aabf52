"""A session, from the listing of all its streams to one receipt: a file of each user."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from pipeline.choices import Format
from pipeline.errors import RefusedError
from pipeline.jobs.output import captions
from pipeline.jobs.output.captions import Subtitles
from pipeline.jobs.output.files import together
from pipeline.jobs.output.make_file import Job, MadeFile, make
from pipeline.jobs.output.publishing import Publication, origin, publish_all, result_keys
from pipeline.jobs.planning import Intake
from pipeline.jobs.sessions import document
from pipeline.jobs.sessions.everyone import Everyone, composed, gathered, spoken
from pipeline.jobs.sessions.report import of_everyone, of_session, of_user
from pipeline.jobs.sessions.streams import first_slice
from pipeline.jobs.sessions.users import User, users
from pipeline.jobs.verdict import judged, refused
from pipeline.model import Inventory, Recording, Report, Verdict
from pipeline.stages import content
from pipeline.stages.captions import Group
from pipeline.stages.mux import mux
from pipeline.stages.publish import everyone_key, session_key, user_key
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


def convert(job: Job, intake: Intake, place: Place) -> Report:
    """Make, prove and publish a file of each user; a user of whom nothing can be made stops no
    other.  ``place`` gives a temporary file for a key.
    """
    inventory = intake.inventory
    done = [_made(job, user, place) for user in users(intake, job.ffmpeg)]
    if job.options.users.together and any(one.made for one in done):
        return _together(job, inventory, done, place)
    told = partial(_told, job, done)
    made = [one for each in done for one in each.made]
    if not made:
        return told([])
    everyone = gathered(job, _files(done)) if job.options.speakers else None
    publication = Publication(
        made=made,
        keys=[key for one in done for key in _keys(job, one)],
        origin=origin([segment for one in done for segment in one.fetched]),
        told=told,
        besides=_besides(job, everyone, document.written),
    )
    return publish_all(job, inventory, publication)


def _files(done: list[_Done]) -> list[tuple[str, MadeFile]]:
    """Every file that was made, and whose it is."""
    return [(one.user.uid, file) for one in done for file in one.made]


def _besides(
    job: Job, everyone: Everyone | None, document: Callable[[Report], bytes]
) -> dict[str, Callable[[Report], bytes]]:
    """What is written beside the files of a session, by key."""
    said = spoken(job, everyone) if everyone else {}
    texts = {key: partial(_as_it_is, text) for key, text in said.items()}
    return {session_key(job.target.key): document, **texts}


def _as_it_is(text: bytes, report: Report) -> bytes:
    return text


def _made(job: Job, user: User, place: Place) -> _Done:
    if user.refused is not None:
        return _Done(user, refused=user.refused)
    person = job.options.person(user.uid)
    title = person.title if person else ""
    own = replace(job, recording=user.recording, options=user.options, title=title)
    subtitles = _subtitles(job.recording, job.captions, user)
    made: list[MadeFile] = []
    for part in user.shares:
        try:
            texts = subtitles.of_span(*part.span)
            file = make(own, part.evidence, place(_key(job, user)), texts=texts)
            made.append(replace(file, report=_captioned(file.report, subtitles)))
        except RefusedError as error:
            return _Done(user, refused=refused(user.recording, part.evidence, error))
    report = together(user.recording, user.told, [one.report for one in made])
    if report.verdict is Verdict.REJECTED:
        return _Done(user, refused=report)
    return _Done(user, tuple(made))


def _captioned(report: Report, subtitles: Subtitles) -> Report:
    """The report of a file of a user, with what is said of captions."""
    findings = (*report.findings, *subtitles.findings)
    return replace(report, findings=findings, captions=subtitles.told)


def _subtitles(session: Recording, groups: Sequence[Group], user: User) -> Subtitles:
    """The captions of the session while this user was there, if that is a film of its own."""
    alone = user.options.format is Format.MP4 and not user.options.users.together
    if not alone or user.whole is None or not groups:
        return captions.NONE
    return captions.subtitles(groups, user.whole, first_slice(session))


def _together(job: Job, inventory: Inventory, done: list[_Done], place: Place) -> Report:
    """One file of all users of whom one could be made; it is encoded from those."""
    uids = [one.user.uid for one in done]
    users = [
        of_user(job.recording, uid, job.options.person(uid), _own(one))
        for uid, one in zip(uids, done, strict=True)
    ]
    key, everyone = everyone_key(job.target.key, job.options.users), gathered(job, _files(done))
    film = composed(job, everyone, place, key)
    if film.file.report.verdict is Verdict.REJECTED:
        return of_everyone(job.recording, users, film.file.report)
    publication = Publication(
        made=[film.file],
        keys=[key],
        origin=origin([segment for one in done for segment in one.fetched]),
        told=lambda placed: of_everyone(job.recording, users, placed[0]),
        besides=_besides(job, everyone, partial(document.written, composed=film.told)),
    )
    return publish_all(job, inventory, publication)


def _own(one: _Done) -> Report:
    """What is said of a user whose file is not a result."""
    if one.refused is not None:
        return one.refused
    told = together(one.user.recording, one.user.told, [made.report for made in one.made])
    return replace(told, pieces=())


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
            report = together(one.user.recording, one.user.told, files)
        uid = one.user.uid
        reports.append(of_user(job.recording, uid, job.options.person(uid), report))
    return of_session(job.recording, reports)


def measured(intake: Intake) -> Report:
    """The same without making anything."""
    return of_session(intake.recording, [*_measured(intake)])


def _measured(intake: Intake) -> Iterator[Report]:
    groups = captions.meant(intake.recording, intake.source, intake.options)
    for user in users(intake):
        subtitles = _subtitles(intake.recording, groups, user)
        read = [_captioned(report, subtitles) for report in _read(intake, user)]
        report = user.refused or together(user.recording, user.told, read)
        yield of_user(intake.recording, user.uid, intake.options.person(user.uid), report)


def _read(intake: Intake, user: User) -> Iterator[Report]:
    options = user.options
    for evidence in (share.evidence for share in user.shares):
        with intake.clock.stage("inspect"), os_errors(f"read {user.recording.source}"):
            files = evidence.plan, evidence.segments, options.progress
            read = mux.measure(*files, options.format, sparse_sound=options.sparse_sound)
        said = [] if evidence.reencoded else content.triage(read.lanes, read.held)
        yield judged(user.recording, evidence, read, options.on_loss, proved=said)
