"""What is made of each user: all of one on one clock, or each stream by itself."""

import math
from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from pipeline.agora import names
from pipeline.choices import DEFAULTS, Absent, Align, Format, OnChange, OnLoss, Users
from pipeline.errors import UsageError
from pipeline.jobs.evidence import Evidence
from pipeline.jobs.options import Options
from pipeline.jobs.output.files import Share, Told, shares
from pipeline.jobs.planning import Intake, planned
from pipeline.jobs.sessions.streams import by_user, first_slice
from pipeline.jobs.verdict import rejected
from pipeline.media.clock import BASE, HZ
from pipeline.media.timeline.plan import Plan
from pipeline.media.timeline.side_by_side import (
    all_absent,
    begun,
    on_one_clock,
    side_by_side,
    without,
)
from pipeline.model import Finding, Inventory, Recording, Report, Severity
from pipeline.muxing.locate import Ffmpeg

REFUSED = "--on-change split: the streams of a user become one file; give --users separate as well"
OUT_OF_STEP = "no file would stay in step with the session; leave --align out"
TOO_LONG = "sound and pictures of a user lie in slices of their own, and are not cut side by side"


class User(Struct, frozen=True, eq=False):
    """One file of a session, or several if its format changes."""

    recording: Recording  # called like the file
    uid: str
    options: Options  # as they are for it
    shares: tuple[Share, ...] = ()
    refused: Report | None = None  # nothing can be made of it
    whole: Plan | None = None  # of all its files

    @property
    def told(self) -> tuple[Told, ...]:
        """What reports need of each file."""
        return tuple(share.told for share in self.shares)


class _Found(Struct, frozen=True, eq=False):
    """What there is of one file, each stream planned by itself; nothing if it is ``refused``."""

    recording: Recording
    uid: str
    options: Options
    streams: tuple[Evidence, ...] = ()
    refused: Report | None = None


def users(intake: Intake, ffmpeg: Ffmpeg | None = None) -> Iterator[User]:
    """All that becomes a file of its own, planned one after the other; where one may rule out all,
    or all begin with the session, first all of them.  UsageError for choices that contradict each
    other, or the recording.
    """
    options = intake.options
    refuse_nonsense(options)
    if options.users is Users.MIX_AUDIO:
        intake = replace(intake, options=replace(options, format=Format.M4A))
    found, since = _found(intake, ffmpeg), None
    if options.align is Align.SESSION and not options.users.together:  # one file has one beginning
        found = iter(every := list(found))
        begins = [begun(one.plan) for user in every for one in user.streams]
        begins.append(first_slice(intake.recording))
        since = min((time for time in begins if time is not None), default=None)
    planned = (_user(one, since) for one in found)
    yield from planned if _any_length(options) else list(planned)


def _any_length(options: Options) -> bool:
    """Nobody says how long a file may be at most."""
    return bool(options.max_length == DEFAULTS["max_length"])


def _refuse_too_long(uid: str, plan: Plan, options: Options) -> None:
    seconds = (plan.end - BASE) / HZ
    if not _any_length(options) and seconds > options.max_length:
        said = f"--max-length: the file of user {uid} would last {seconds:.0f} s, which is more"
        said += f" than {options.max_length:g} s; {TOO_LONG}; give --users separate, which cuts"
        raise UsageError(f"{said} each stream by itself, or --max-length {math.ceil(seconds)}")


def _found(intake: Intake, ffmpeg: Ffmpeg | None) -> Iterator[_Found]:
    session, apart = intake.recording, intake.options.users is Users.SEPARATE
    for uid, places in by_user(session).items():
        for some in [[place] for place in places] if apart else [places]:
            streams = [session.streams[n] for n in some]
            recording = streams[0] if apart else _of_user(session, streams, uid)
            held = [intake.inventory.streams[n] for n in some]
            yield _planned(intake, recording, held, uid=uid, ffmpeg=ffmpeg)


def refuse_nonsense(options: Options) -> None:
    """UsageError for choices that contradict each other."""
    words, format = options.users.value, options.format.value
    if options.on_change is OnChange.SPLIT and options.users is not Users.SEPARATE:
        raise UsageError(REFUSED)
    if options.users is Users.ALL and options.format is not Format.MP4:
        raise UsageError(f"--users all makes an MP4, not {format}; for sound: --users mix-audio")
    if options.users is Users.MIX_AUDIO and options.format not in (Format.MP4, Format.M4A):
        raise UsageError(f"--users mix-audio makes an m4a, not {format}; leave out --format")
    if options.users.together and options.absent is Absent.CLOSE:
        said = f"--users {words}: nothing is closed where others go on"
        raise UsageError(f"{said}; give --absent hold or black")
    if options.users.together and options.asked:
        said = f"--users {words}: is encoded anyway, from the pictures as they were sent"
        raise UsageError(f"{said}; leave out --width, --video-bitrate and --video-framerate")
    if options.align is Align.SESSION and not options.users.together:
        _refuse_out_of_step(options)
    if options.speakers and options.format not in (Format.MP4, Format.M4A):
        raise UsageError(f"--speakers listens to mp4 and m4a, not to {format}")


def _refuse_out_of_step(options: Options) -> None:
    if options.absent is Absent.CLOSE:
        raise UsageError(f"--absent close: {OUT_OF_STEP}")
    if options.on_change is OnChange.SPLIT:
        raise UsageError(f"--on-change split: {OUT_OF_STEP}")
    if options.users is Users.SEPARATE and not _any_length(options):
        raise UsageError(f"--max-length: {OUT_OF_STEP}")


def _of_user(session: Recording, streams: Sequence[Recording], uid: str) -> Recording:
    cname = names.user_cname(session.cname or "", uid)
    parts = tuple(part for stream in streams for part in stream.parts)
    id = names.stem(session.sid or "", cname)
    return Recording(id, streams[0].source, parts, session.sid, cname)


def _planned(
    intake: Intake,
    recording: Recording,
    held: Sequence[Inventory],
    *,
    uid: str,
    ffmpeg: Ffmpeg | None,
) -> _Found:
    options = intake.options
    said = [finding for one in held for finding in one.findings]
    if any(finding.severity is Severity.FATAL for finding in said):  # no segment of it is opened
        return _Found(recording, uid, options, refused=rejected(recording, said))
    others = len(held) > 1 or options.align is Align.SESSION or options.users.together
    if others and options.on_loss is OnLoss.CLOSE:  # they go on meanwhile
        options = replace(options, on_loss=OnLoss.HOLD)
    walk = replace(intake, options=options)
    found = [planned(replace(walk, inventory=i), ffmpeg=ffmpeg, pauses=True) for i in held]
    return _Found(recording, uid, options, tuple(found))


def _user(found: _Found, since: float | None = None) -> User:
    """What becomes of it; it begins with its first stream, or at ``since``, seconds since 1970."""
    recording, uid, options = found.recording, found.uid, found.options
    if found.refused is not None:
        return User(recording, uid, options, refused=found.refused)
    evidence = together(found.streams, options, since)
    if evidence.rejected:
        said = [*evidence.findings, *evidence.plan.findings]
        return User(recording, uid, options, refused=rejected(recording, said))
    if options.format is Format.MP4 and all(x.codec.kind == "audio" for x in evidence.plan.lanes):
        options = replace(options, format=Format.M4A)
    if options.users is Users.SEPARATE:
        parts = tuple(shares(evidence, options))
        return User(recording, uid, options, parts, whole=evidence.plan)
    _refuse_too_long(uid, evidence.plan, options)
    return User(recording, uid, options, (Share(evidence),), whole=evidence.plan)


def together(found: Sequence[Evidence], options: Options, since: float | None = None) -> Evidence:
    """The streams of one user as one, from their beginning or from ``since`` on; a stream of which
    nothing is left is lost.
    """
    left = [one for one in found if one.plan.placed]
    gone = [one for one in found if not one.plan.placed]
    fetched = tuple(segment for one in found for segment in one.fetched)
    if not left or any(map(_unsafe, found)):
        said = tuple(f for one in found for f in _told(one))
        return Evidence(Plan(), said, fetched)
    plans = on_one_clock([one.plan for one in left], since)
    spans = all_absent(plans) if options.absent is Absent.CLOSE else []
    plans = [without(plan, spans) for plan in plans]
    streams = tuple(replace(one, plan=plan) for one, plan in zip(left, plans, strict=True))
    if options.users is Users.SEPARATE:
        return streams[0]
    return Evidence(
        side_by_side(plans, [len(one.segments) for one in streams]),
        tuple(f for one in (*streams, *gone) for f in _told(one)),
        fetched,
        tuple(segment for one in streams for segment in one.segments),
        tuple(again for one in streams for again in one.reencoded),
        streams=streams,
        gone=tuple(gone),
        closed=tuple(spans),
    )


def _unsafe(one: Evidence) -> bool:
    return any(finding.severity is Severity.FATAL for finding in _told(one))


def _told(one: Evidence) -> tuple[Finding, ...]:
    return (*one.findings, *one.plan.findings)
