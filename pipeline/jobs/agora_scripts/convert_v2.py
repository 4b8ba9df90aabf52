"""All recordings of a folder under the names that Agora's ``convert_v2.py`` gives its results."""

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import replace

from pipeline.choices import Absent, Format, OnLoss
from pipeline.errors import ExistsError, NotFoundError, RecpipeError, UsageError
from pipeline.jobs.agora_scripts.format_convert import copied_wrong
from pipeline.jobs.one import process
from pipeline.jobs.options import Options
from pipeline.jobs.output.destinations import Target
from pipeline.jobs.sessions.streams import stream_of
from pipeline.model import Finding, Recording, Report, Severity, Verdict
from pipeline.muxing import file_commands
from pipeline.muxing.locate import Ffmpeg
from pipeline.muxing.run import STALL, run
from pipeline.muxing.tracks import read_tracks
from pipeline.stages.discover import discover
from pipeline.storage.locations import folder as opened
from pipeline.storage.oserrors import os_errors

MISSING = ("SEG_MISSING", "SEG_EMPTY", "PL_PARTS", "PL_GAP")  # a slice or an index is not there
ENDINGS = {"audio": ".m4a", "video": ".mp4", "audio video": "_av.mp4"}  # by kinds of tracks


class Mode(StrEnum):
    """How it was recorded; a web page is recorded as one stream, like a mix."""

    INDIVIDUAL = "individual"
    MIX = "mix"
    WEB = "web"


class AvType(StrEnum):
    """What of it is wanted."""

    AUTO = "auto"
    AUDIO_ONLY = "audio_only"
    VIDEO_ONLY = "video_only"
    AUDIO_VIDEO = "audio_video"


class FillStrategy(StrEnum):
    """What stands where a user was away, or between the parts of two servers."""

    DUPLICATE_PREV = "duplicate_prev"
    BLACK_FRAME = "black_frame"


class Wanted(Struct, frozen=True):
    """What is asked of all recordings."""

    mode: Mode = Mode.INDIVIDUAL
    uid: str | None = None  # only this user
    avtype: AvType = AvType.AUTO
    fill: FillStrategy = FillStrategy.DUPLICATE_PREV
    pictures: Mapping[str, int] = field(default_factory=dict)  # options of pictures, by name
    force: bool = False  # replace what is there


class Outcome(Struct, frozen=True):
    """What became of one recording: all its files, or a problem and none."""

    source: str
    outputs: tuple[str, ...] = ()  # in the folder
    problem: str | None = None
    warnings: tuple[str, ...] = ()  # its files are there, but media was lost before


class _File(Struct, frozen=True):
    """One file on its way to its name."""

    path: Path
    name: str


def recordings(folder: Path, mode: Mode) -> list[Recording]:
    """Those of this mode below a folder; NotFoundError says what is there instead."""
    found = list(discover(opened(folder), ""))
    users = mode is Mode.INDIVIDUAL
    own = [one for one in found if one.sid and bool(one.streams) == users]
    if not own:
        others = sum(bool(one.streams) != users for one in found if one.sid)
        instead = Mode.MIX if users else Mode.INDIVIDUAL
        told = (
            f"there are {others}: give --recording_mode {instead}" if others else "nor of another"
        )
        raise NotFoundError(f"{folder}: no recording of mode {mode}; {told}")
    return own


def convert(folder: Path, recording: Recording, ffmpeg: Ffmpeg, wanted: Wanted) -> Outcome:
    """Convert one of them into its own folder: all of its files, or none."""
    home = opened(folder)
    place = home.root / recording.parts[0].folder
    try:
        meant = _meant(recording, wanted)
        with tempfile.TemporaryDirectory(prefix=".recpipe-", dir=place) as temporary:
            target = Path(temporary)
            options = _options(wanted, target / "spool")
            to = Target(opened(target), f"{recording.sid}.{options.format.value}")
            report = process(meant, home, to, ffmpeg, options)
            files = [_alone(one, ffmpeg, wanted) for one in _files(recording, report, wanted)]
            _publish(files, place, wanted)
    except RecpipeError as error:
        return Outcome(recording.source, problem=str(error))
    return Outcome(recording.source, tuple(one.name for one in files), None, _lost(report))


def exit_code(outcomes: Iterable[Outcome]) -> int:
    """5 when a recording was not converted, 3 when one had lost media before, else 0."""
    seen = list(outcomes)
    if any(outcome.problem for outcome in seen):
        return 5
    return 3 if any(outcome.warnings for outcome in seen) else 0


def _options(wanted: Wanted, spool: Path) -> Options:
    dark = wanted.fill is FillStrategy.BLACK_FRAME
    return Options(
        format=Format.M4A if wanted.avtype is AvType.AUDIO_ONLY else Format.MP4,
        on_loss=OnLoss.FILL if dark else OnLoss.HOLD,
        absent=Absent.BLACK if dark else Absent.HOLD,
        uids=(wanted.uid,) if wanted.uid else (),
        **wanted.pictures,  # type: ignore[arg-type]  # names of options
        spool=spool,
    )


def _meant(recording: Recording, wanted: Wanted) -> Recording:
    """Without the streams of sound where pictures alone are wanted of users."""
    if not recording.streams or wanted.avtype is not AvType.VIDEO_ONLY:
        return recording
    streams = tuple(one for one in recording.streams if stream_of(one).kind == "video")
    if not streams:
        raise UsageError("no pictures in it, which --avtype video_only asks for")
    parts = tuple(part for stream in streams for part in stream.parts)
    return replace(recording, parts=parts, streams=streams)


def _files(recording: Recording, report: Report, wanted: Wanted) -> Iterator[_File]:
    """Every file that was made, with its name; UsageError if one of them may not be."""
    for one in report.users or (report,):
        who = one.uid or recording.sid or ""
        _refuse(one, f"user {one.uid}: " if one.uid else "")
        pieces = [(x.output, x.tracks) for x in one.pieces] or [(one.output, one.tracks)]
        for number, (output, tracks) in enumerate(pieces):
            kinds = {track.type for track in tracks}
            kinds -= {"audio"} if wanted.avtype is AvType.VIDEO_ONLY else set()
            if not kinds or (wanted.avtype is AvType.AUDIO_VIDEO and len(kinds) < 2):
                there = " and ".join(sorted({track.type for track in tracks}))
                raise UsageError(f"{who}: there is {there} alone, which is not {wanted.avtype}")
            assert output is not None
            yield _File(Path(output), f"{who}_{number}_merge{ENDINGS[' '.join(sorted(kinds))]}")


def _refuse(report: Report, who: str) -> None:
    """As Agora's script does where a slice is missing; and where nothing could be made."""
    gone = [f for f in report.findings if f.id in MISSING and f.severity is Severity.ERROR]
    worst = gone or [f for f in report.findings if f.severity is Severity.FATAL]
    if report.verdict is Verdict.PENDING:
        raise UsageError(f"{who}it has not ended: a playlist has no EXT-X-ENDLIST yet")
    if worst:
        raise UsageError(f"{who}{_said(worst[0])}")


def _said(finding: Finding) -> str:
    where = f"{finding.segment}: " if finding.segment else ""
    return f"{finding.id}: {where}{finding.detail}"


def _alone(file: _File, ffmpeg: Ffmpeg, wanted: Wanted) -> _File:
    """The file itself; where pictures alone are wanted, a copy without its sound."""
    with os_errors(f"read {file.path}"):
        tracks = read_tracks(ffmpeg, file.path, Format.MP4)
    seen = [track for track in tracks if track.kind == "video"]
    if wanted.avtype is not AvType.VIDEO_ONLY or len(seen) == len(tracks):
        return file
    silent = file.path.with_name(f"silent-{file.path.name}")
    both = (file.path, Format.MP4), (silent, Format.MP4)
    argv = file_commands.convert_file(ffmpeg.ffmpeg, *both, [t.index for t in seen], copy=True)
    run(argv, env=ffmpeg.env, timeout=STALL + max(track.last for track in seen))
    with os_errors(f"read {silent}"):
        made = read_tracks(ffmpeg, silent, Format.MP4)
    if wrong := copied_wrong(seen, made):
        raise UsageError(f"{file.name}: {wrong}")
    return _File(silent, file.name)


def _publish(files: Sequence[_File], folder: Path, wanted: Wanted) -> None:
    """Give every file its name, once none of the names is taken."""
    place, taken = opened(folder), [one.name for one in files if (folder / one.name).exists()]
    if taken and not wanted.force:
        raise ExistsError(f"{taken[0]} exists already; give --force to replace it")
    for one in files:
        hidden = place.temporary(one.name)
        try:
            with os_errors(f"write {place.url(one.name)}"):
                one.path.replace(hidden)
            place.adopt(hidden, one.name)
        finally:
            hidden.unlink(missing_ok=True)


def _lost(report: Report) -> tuple[str, ...]:
    findings = (f for one in (report.users or (report,)) for f in one.findings)
    return tuple(_said(f) for f in findings if f.severity is Severity.ERROR)
