"""Single files: each becomes one of another format beside it, as in Agora's format converter."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path, PurePath

from msgspec import Struct, field

from pipeline.choices import Format
from pipeline.errors import ExistsError, MuxingError, NotFoundError, RecpipeError, UsageError
from pipeline.jobs.one import check, process
from pipeline.jobs.options import Options
from pipeline.jobs.output.destinations import Target
from pipeline.model import Report, Severity, Verdict
from pipeline.muxing import file_commands
from pipeline.muxing.locate import Ffmpeg
from pipeline.muxing.run import STALL, run
from pipeline.muxing.tracks import ProbedTrack, read_tracks
from pipeline.stages.discover import alone
from pipeline.storage.locations import folder as opened
from pipeline.storage.oserrors import os_errors

SOUND = (Format.MP3, Format.WAV, Format.AAC)
FORMATS = (*SOUND, Format.MP4, Format.TS)
CODECS = {Format.MP3: "mp3", Format.WAV: "pcm_s16le", Format.AAC: "aac"}
INDEXED = (Format.MP4, Format.WAV)  # say themselves how long they are; others are only estimated
OFF = 0.1  # seconds that a result may be longer or shorter than its source


class Way(StrEnum):
    """How one format becomes another."""

    PROVEN = "proven"  # as a recording of one segment: every picture and sound is compared
    COPIED = "copied"  # every picture and sound track as it is
    SOUND = "sound"  # the first sound track alone


class Outcome(Struct, frozen=True):
    """What became of one file: there is an output, or a problem."""

    source: str
    output: str | None = None
    problem: str | None = None
    warnings: tuple[str, ...] = ()  # the output is there, but not all is well with its source
    duration: float = 0.0


class _Job(Struct, frozen=True):
    folder: Path
    name: str
    source: Format
    to: Format
    ffmpeg: Ffmpeg
    output: str
    options: Options = field(default_factory=Options)


def plan(source: Format, to: Format) -> Way:
    """How to convert; UsageError if that is impossible."""
    for format in (source, to):
        if format not in FORMATS:
            raise UsageError(f"{format}: not one of {' '.join(FORMATS)}")
    if source is to:
        raise UsageError(f"{source} to {to}: nothing to convert")
    if source in SOUND and to not in SOUND:
        raise UsageError(f"{source} to {to}: impossible, {source} holds no pictures")
    if to in SOUND:
        return Way.SOUND
    return Way.PROVEN if to is Format.MP4 else Way.COPIED


def sources(folder: Path, format: Format) -> list[str]:
    """The files with this suffix in a folder but not below it; NotFoundError says what is there."""
    with os_errors(f"list {folder}"):
        files = [path for path in folder.iterdir() if not path.is_dir()]
    names = sorted((p.name for p in files if p.suffix == f".{format}"), key=os.fsencode)
    if not names:
        counts = Counter(p.suffix or "without a suffix" for p in files).most_common(5)
        instead = ", ".join(f"{count} {suffix}" for suffix, count in counts) or "no files at all"
        raise NotFoundError(f"{folder}: no .{format} files; there are {instead}")
    return names


def convert_file(
    folder: Path,
    name: str,
    to: Format,
    ffmpeg: Ffmpeg,
    *,
    spool: Path,
    force: bool = False,
) -> Outcome:
    """Convert one file of a folder.  The output is whole or not there; the outcome says why."""
    source = Format(PurePath(name).suffix[1:])
    way = plan(source, to)
    options = Options(format=to, force=force, spool=spool)
    home = opened(folder)
    job = _Job(home.root, name, source, to, ffmpeg, f"{PurePath(name).stem}.{to}", options)
    try:
        _refuse_what_no_receipt_can_name(job)
        _refuse_to_overwrite(job)
        home.head(name)  # says best what is no file, or none that may be read
        return _proven(job) if way is Way.PROVEN else _verified(job, way)
    except RecpipeError as error:
        return Outcome(name, problem=str(error))


def exit_code(outcomes: Iterable[Outcome]) -> int:
    """5 when a file was not converted, 3 when one lost media before it came to us, else 0."""
    seen = list(outcomes)
    if any(outcome.problem for outcome in seen):
        return 5
    return 3 if any(outcome.warnings for outcome in seen) else 0


def _refuse_what_no_receipt_can_name(job: _Job) -> None:
    try:
        str(job.folder / job.name).encode()
    except UnicodeEncodeError as error:
        raise UsageError("its name, or its folder's, is not UTF-8; rename it") from error


def _refuse_to_overwrite(job: _Job) -> None:
    if not job.options.force and os.path.lexists(job.folder / job.output):
        raise ExistsError(f"{job.output} exists already; give --force to replace it")


def _proven(job: _Job) -> Outcome:
    storage = opened(job.folder)
    recording = alone(storage, storage.head(job.name))
    target = Target(storage, job.output)
    report = process(recording, storage, target, job.ffmpeg, job.options)
    if report.verdict is Verdict.REJECTED:
        return Outcome(job.name, problem=_said(report, Severity.FATAL)[0])
    return Outcome(job.name, job.output, None, _said(report, Severity.ERROR), report.duration)


def _said(report: Report, severity: Severity) -> tuple[str, ...]:
    return tuple(f"{f.id}: {f.detail}" for f in report.findings if f.severity is severity)


def _verified(job: _Job, way: Way) -> Outcome:
    """Convert with ffmpeg to a temporary name; adopt the result once it has what its source has."""
    storage = opened(job.folder)
    before = storage.head(job.name)
    path = storage.path(job.name)
    warnings = _damage(job) if job.source is Format.TS else ()
    with os_errors(f"read {job.name}"):
        tracks = read_tracks(job.ffmpeg, path, job.source)
    wanted, left = _wanted(tracks, way)
    if job.source in INDEXED:
        _refuse_what_is_cut_off(wanted)
    copy = way is Way.COPIED or wanted[0].codec == job.to == "aac"
    seconds = max(t.last for t in wanted) - min(t.first for t in wanted)
    temporary = storage.temporary(job.output)
    try:
        argv = file_commands.convert_file(
            job.ffmpeg.ffmpeg,
            (path, job.source),
            (temporary, job.to),
            [track.index for track in wanted],
            copy=copy,
        )
        said = run(argv, env=job.ffmpeg.env, timeout=STALL + seconds)
        with os_errors(f"read {job.output}"):
            made = read_tracks(job.ffmpeg, temporary, job.to)
        wrong = copied_wrong(wanted, made) if copy else _encoded_wrong(wanted[0], made, job.to)
        if storage.head(job.name) != before:
            wrong = "changed while it was converted; run again"
        if wrong:
            return Outcome(job.name, problem=wrong)
        _refuse_to_overwrite(job)
        storage.adopt(temporary, job.output)
    finally:
        temporary.unlink(missing_ok=True)
    heard = tuple(said.splitlines()[:1])
    return Outcome(job.name, job.output, None, (*warnings, *left, *heard), round(seconds, 3))


def _damage(job: _Job) -> tuple[str, ...]:
    """What our own reader finds wrong with a transport stream; ffmpeg says little of it."""
    storage = opened(job.folder)
    report = check(alone(storage, storage.head(job.name)), storage, job.options)
    if report.verdict is Verdict.REJECTED:
        raise MuxingError(_said(report, Severity.FATAL)[0])
    return _said(report, Severity.ERROR)


def _wanted(tracks: Sequence[ProbedTrack], way: Way) -> tuple[list[ProbedTrack], tuple[str, ...]]:
    """The tracks to convert, and what has to be left out."""
    present = [track for track in tracks if track.packets and not track.cover]
    if any(track.first > track.last for track in present):
        raise UsageError("a track whose packets have no time")
    sound = [track for track in present if track.kind == "audio"]
    if way is Way.SOUND:
        if not sound:
            raise UsageError("no sound in it")
        more = len(sound) - 1
        return sound[:1], (f"{more} more sound tracks were left out",) if more else ()
    media = [track for track in present if track.kind in ("audio", "video")]
    if not media:
        raise UsageError("neither sound nor pictures in it")
    kinds = sorted({track.kind for track in present if track not in media})
    return media, tuple(f"a {kind} track was left out" for kind in kinds)


def _refuse_what_is_cut_off(tracks: Iterable[ProbedTrack]) -> None:
    """The index of a file stands also when the media it tells of is gone; ffmpeg does not mind."""
    for track in tracks:
        have = track.end - track.first
        if track.stated is not None and track.stated - have > max(OFF, 3 * track.longest):
            there = f"{have:.3f} s of {track.kind} can be read"
            raise UsageError(f"cut short: {there}, the file says {track.stated:.3f} s")


def copied_wrong(wanted: Sequence[ProbedTrack], made: Sequence[ProbedTrack]) -> str | None:
    """Why a copy is not one."""
    have, want = ([(t.kind, t.codec) for t in tracks] for tracks in (made, wanted))
    if have != want:
        return f"{_named(made)} came out, expected {_named(wanted)}"
    origin, start = (min(t.first for t in tracks) for tracks in (wanted, made))
    for old, new in zip(wanted, made, strict=True):
        if new.packets != old.packets:
            return f"{new.packets} packets of {new.codec} came out, expected {old.packets}"
        for then, now in ((old.first, new.first), (old.last, new.last)):
            if not abs((now - start) - (then - origin)) <= OFF:
                return f"{new.codec} is at {now - start:.3f} s, expected {then - origin:.3f} s"
    return None


def _encoded_wrong(wanted: ProbedTrack, made: Sequence[ProbedTrack], to: Format) -> str | None:
    """Why a sound track is not what it was.  Encoders begin early and fill up the last packet."""
    if [track.codec for track in made] != [CODECS[to]]:
        return f"{_named(made)} came out, expected audio {CODECS[to]}"
    have, want = made[0].end - made[0].first, wanted.end - wanted.first
    if not abs(have - want) <= max(OFF, 3 * wanted.longest, 3 * made[0].longest):
        return f"{have:.3f} s came out, expected {want:.3f} s"
    return None


def _named(tracks: Sequence[ProbedTrack]) -> str:
    return ", ".join(f"{t.kind} {t.codec}".strip() for t in tracks) or "nothing"
