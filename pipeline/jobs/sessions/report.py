"""What became of a session: the reports of its users as one."""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from pipeline.jobs.sessions.people import Person
from pipeline.media.findings import bounded
from pipeline.media.loss import account
from pipeline.model import CaptionTrack, Piece, Recording, Report, Verdict

WORST = (Verdict.PENDING, Verdict.REJECTED, Verdict.DEGRADED, Verdict.REPAIRED, Verdict.OK)


def of_user(session: Recording, uid: str, person: Person | None, report: Report) -> Report:
    """The report of a user, as one of a session; ``person`` is what the user is called."""
    name, role = (person.name, person.role or None) if person else (None, None)
    return replace(report, session=session.id, uid=uid, name=name, role=role)


def of_session(session: Recording, users: Sequence[Report]) -> Report:
    """Worst verdict, every finding, the sum of what was lost, all files."""
    begins = [user.started for user in users if user.started]
    started = min(begins, default=None)
    pieces = [piece for user in users for piece in _pieces(user, started)]
    first = next((user for user in users if user.output), None)
    accounts = [user.account for user in users if user.account]
    lost = {
        kind: round(sum(user.lost_seconds.get(kind, 0.0) for user in users), 3)
        for kind in ("video", "audio")
    }
    return Report(
        session.id,
        session.source,
        next((v for v in WORST if any(user.verdict is v for user in users)), Verdict.REJECTED),
        bounded(finding for user in users for finding in user.findings),
        output=first.output if first else None,
        duration=round(max((p.begin + p.duration for p in pieces), default=0.0), 6),
        lost_seconds=lost,
        size=first.size if first else None,
        sha256=first.sha256 if first else None,
        tracks=first.tracks if first else (),
        proof=first.proof if first else None,
        started=started,
        reencoded=tuple(one for user in users for one in user.reencoded),
        account=account.together(accounts) if accounts else None,
        captions=_captions(users),
        pieces=tuple(pieces),
        users=tuple(users),
    )


def _captions(users: Sequence[Report]) -> tuple[CaptionTrack, ...]:
    """Each once, as the user has them who was there for most of them."""
    found: dict[str, CaptionTrack] = {}
    for track in (track for user in users for track in user.captions):
        if track.name not in found or found[track.name].cues < track.cues:
            found[track.name] = track
    return tuple(found.values())


def of_everyone(session: Recording, users: Sequence[Report], made: Report) -> Report:
    """The same where one file was ``made`` of all users: each of them is in it."""
    whole = of_session(session, users)
    proven = (made.output, made.size, made.sha256, made.tracks, made.proof)
    piece = Piece(0.0, made.duration, *proven, started=made.started)
    told = {name: getattr(made, name) for name in ("output", "size", "sha256", "tracks", "proof")}
    said = bounded((*whole.findings, *made.findings))
    verdicts = (whole.verdict, made.verdict)
    users = tuple(
        user if user.verdict is Verdict.REJECTED else replace(user, **told) for user in whole.users
    )
    return replace(
        whole,
        verdict=next(one for one in WORST if one in verdicts),
        findings=said,
        duration=made.duration,
        started=made.started,
        captions=made.captions,
        pieces=(piece,),
        users=users,
        **told,
    )


def _pieces(user: Report, started: str | None) -> list[Piece]:
    """The files of a user, from the beginning of the session on."""
    wait = seconds_between(started, user.started)
    if user.pieces:
        return [replace(piece, begin=round(piece.begin + wait, 6)) for piece in user.pieces]
    if user.verdict is Verdict.REJECTED:
        return []
    proven = (user.output, user.size, user.sha256, user.tracks, user.proof)
    return [Piece(wait, user.duration, *proven)]


def wait(session: Report, user: Report) -> float | None:
    """From the beginning of the session to that of a user's file, in seconds; None if no name says
    when that was.
    """
    if session.started is None or user.started is None:
        return None
    return seconds_between(session.started, user.started)


def seconds_between(begin: str | None, later: str | None) -> float:
    """From one time of day to another, as ISO 8601 writes them; 0 where one is not known."""
    if begin is None or later is None:
        return 0.0
    apart = datetime.fromisoformat(later) - datetime.fromisoformat(begin)
    return round(apart.total_seconds(), 3)
