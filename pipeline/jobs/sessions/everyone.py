"""All users of a session in one file: what was made of each is put together, encoded."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from pipeline.choices import Layout, Users
from pipeline.errors import DiskFullError, RefusedError
from pipeline.jobs.limits import disk_space
from pipeline.jobs.output import captions
from pipeline.jobs.output.captions import Subtitles
from pipeline.jobs.output.make_file import Job, MadeFile
from pipeline.jobs.sessions import document
from pipeline.jobs.sessions.report import seconds_between
from pipeline.jobs.verdict import rejected
from pipeline.media import speech
from pipeline.media.captions.clock import ResultClock
from pipeline.media.compose import heard
from pipeline.media.compose.scenes import Presence, pictures_in, presence, schedule
from pipeline.media.loss import account
from pipeline.model import Finding, Report, Severity, Verdict
from pipeline.stages import compose, content, verify
from pipeline.stages.compose import Film, Made, Member
from pipeline.stages.publish import speakers_keys
from pipeline.storage.names import printable

Place = Callable[[str], Path]


class Everyone(Struct, frozen=True, eq=False):
    """Those of whom a file was made, and how they are put together."""

    members: tuple[Member, ...]
    present: tuple[Presence, ...]
    started: str | None  # ISO 8601
    voices: tuple[speech.Voice, ...] = ()  # how loud each is, for each ``FINE``
    names: Mapping[str, str] = {}  # by uid, as far as they are known

    @property
    def speaking(self) -> tuple[speech.Voice, ...]:
        """The same in the steps in which speech is told."""
        return tuple(
            replace(one, levels=speech.coarser(one.levels, heard.FINE)) for one in self.voices
        )

    @property
    def seconds(self) -> float:
        """How long the session is."""
        return max(member.end for member in self.members)


def gathered(job: Job, made: Sequence[tuple[str, MadeFile]]) -> Everyone:
    """Everyone of whom there is a file, by uid, in the order of the session."""
    started = min((one.report.started for _, one in made if one.report.started), default=None)
    members = tuple(_member(uid, file, started) for uid, file in made)
    present = tuple(
        presence(one.uid, (one.begin, one.end), file.report.absences, one.kinds)
        for one, (_, file) in zip(members, made, strict=True)
    )
    names = {person.uid: person.name for person in job.options.people}
    everyone = Everyone(members, present, started, names=names)
    with job.clock.stage("inspect"):
        return replace(everyone, voices=compose.listened(members, job.ffmpeg))


def _member(uid: str, file: MadeFile, started: str | None) -> Member:
    tracks = file.report.tracks
    return Member(
        uid,
        file.temporary,
        seconds_between(started, file.report.started),
        file.report.duration,
        tuple(dict.fromkeys(track.type for track in tracks)),
        max((track.channels or 1 for track in tracks), default=1),
    )


def spoken(job: Job, everyone: Everyone) -> dict[str, bytes]:
    """Who spoke when, as documents by their keys, if that was asked for."""
    if not job.options.speakers:
        return {}
    said = speech.spoken(everyone.speaking)
    talk = speech.Talk(job.recording.id, everyone.started, said, everyone.names)
    return dict(
        zip(speakers_keys(job.target.key), (speech.as_json(talk), speech.as_vtt(talk)), strict=True)
    )


class Composed(Struct, frozen=True, eq=False):
    """The file of all, and what the document about the session says of it."""

    file: MadeFile
    told: dict[str, Any]


class _Script(Struct, frozen=True):
    """What the file is to be."""

    wanted: verify.Composed
    film: Film | None = None  # None: sound alone
    created: str | None = None  # as MP4 has it: ISO 8601, whole seconds
    subtitles: Subtitles = captions.NONE


def composed(job: Job, everyone: Everyone, place: Place, key: str) -> Composed:
    """The file, made and proven; ``place`` gives a temporary file for a key.  What is wrong with it
    is a finding of its report.
    """
    script, output = _script(job, everyone), place(key)
    try:
        with job.clock.stage("convert"):
            made = _made(job, everyone, script, place=place, output=output)
    except RefusedError as error:
        said = Finding("M_REFUSED", Severity.FATAL, detail=printable(error))
        return Composed(MadeFile(output, rejected(job.recording, [said]), (), ""), {})
    with job.clock.stage("verify"):
        verified = verify.verify_composed(output, script.wanted)
        placed = _placed(job, everyone, output) if not verified.findings else heard.Heard()
        deep = content.decode(output, job.ffmpeg) if job.options.deep else []
    notes = (_said(everyone, script, placed), *script.subtitles.findings)
    findings = (*verified.findings, *_moved(placed), *deep, *notes)
    if account.verdict(findings) is Verdict.REJECTED and disk_space.is_full(output.parent):
        raise DiskFullError(f"{output.parent}: no space left for the result; free some")
    report = Report(
        job.recording.id,
        job.recording.source,
        account.verdict(findings),
        findings,
        duration=verified.duration,
        size=verified.size,
        sha256=verified.sha256,
        tracks=verified.tracks,
        started=everyone.started,
        captions=script.subtitles.told,
    )
    told = document.composed(everyone.members, script.film)
    return Composed(MadeFile(output, report, made.command, made.messages), told)


def _script(job: Job, everyone: Everyone) -> _Script:
    seconds = everyone.seconds
    sounds = any("audio" in one.kinds for one in everyone.members)
    if job.options.users is Users.MIX_AUDIO:
        return _Script(verify.Composed(seconds, sounds))
    how = job.options.arrangement
    canvas = how.canvas
    pictures = pictures_in(seconds, canvas.rate)
    turns = speech.floor(everyone.speaking) if how.layout is Layout.SPEAKER else ()
    scenes = schedule(everyone.present, how, pictures, turns)
    subtitles = _subtitles(job, everyone)
    wanted = verify.Composed(
        pictures / canvas.rate,
        sounds,
        pictures,
        canvas.rate,
        (canvas.width, canvas.height),
        tuple(scene.begin for scene in scenes),
        subtitles.of_span(0.0, pictures / canvas.rate),
    )
    created = f"{everyone.started[:19]}Z" if everyone.started else None
    return _Script(wanted, Film(canvas, scenes, everyone.names), created, subtitles)


def _subtitles(job: Job, everyone: Everyone) -> Subtitles:
    """The captions of the session; users are in it by the wall clock alone."""
    if not job.captions:
        return captions.NONE
    clock = ResultClock(seconds=everyone.seconds)
    if everyone.started:
        began = datetime.fromisoformat(everyone.started).timestamp()
        clock = ResultClock(zero=(began,), seconds=everyone.seconds)
    return captions.on_clock(job.captions, clock)


def _made(job: Job, everyone: Everyone, script: _Script, *, place: Place, output: Path) -> Made:
    members, seconds = everyone.members, script.wanted.seconds
    if script.film is None:
        return compose.mix(members, job.ffmpeg, output, seconds=seconds)
    sound = None
    if script.wanted.sounds:
        sound = place(f"{job.target.key}.sound.m4a")
        compose.mix(members, job.ffmpeg, sound, seconds=seconds)
    return compose.join(
        members,
        script.film,
        job.ffmpeg,
        output,
        sound=sound,
        created=script.created,
        progress=job.options.progress,
        texts=[(place(f"{job.target.key}.vtt"), text) for text in script.wanted.texts],
    )


def _placed(job: Job, everyone: Everyone, output: Path) -> heard.Heard:
    """Who is heard where they are in time."""
    if not everyone.voices:
        return heard.Heard()
    return heard.compared(everyone.voices, compose.loudness(output, job.ffmpeg))


def _moved(found: heard.Heard) -> Iterator[Finding]:
    for uid, late in found.moved.items():
        detail = f"{uid} is not heard" if late is None else f"{uid} is heard {late:+.2f} s late"
        yield Finding("M_TIME", Severity.FATAL, detail=f"{detail}, expected {heard.NEAR} s at most")


def _said(everyone: Everyone, script: _Script, placed: heard.Heard) -> Finding:
    """That the file is encoded, and what is proven of it."""
    wanted, film = script.wanted, script.film
    shown = ""
    if film is not None:
        scenes = f"{len(film.scenes)} scene{'s' * (len(film.scenes) != 1)}"
        shown = f"{wanted.pictures} pictures, {wanted.rate} a second, in {scenes}; "
    begins = ", ".join(f"{one.uid} at {one.begin:.3f} s" for one in everyone.members)
    detail = f"encoded: {shown}{wanted.seconds:.3f} s; users begin: {begins}"
    if placed.placed:
        detail += f"; heard alone and in their place: {', '.join(placed.placed)}"
    return Finding("M_COMPOSED", Severity.INFO, count=len(everyone.members), detail=detail)
