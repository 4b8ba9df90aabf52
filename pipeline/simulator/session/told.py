"""What is true of a session: when each stream was sent, why not, and what of it was lost."""

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct, to_builtins

from pipeline.agora import names
from pipeline.simulator.faults import catalogue
from pipeline.simulator.faults.catalogue import ChosenFault
from pipeline.simulator.recorder import palette
from pipeline.simulator.recorder.values import HZ, RecordedPart, Unit
from pipeline.simulator.session.cast import Act, Member
from pipeline.simulator.session.presence import Interval
from pipeline.simulator.session.tracks import PAUSE, Track
from pipeline.simulator.truth.decidable import beyond_evidence, undecided
from pipeline.simulator.truth.losses import Truth, survivors, tell

VERDICTS = ("ok", "repaired", "degraded", "pending", "rejected")  # from best to worst


class Told(Struct, frozen=True):
    """A track and what is true of it."""

    track: Track
    truth: Truth
    sent: tuple[Interval, ...]
    absences: tuple[Interval, ...]
    marks: tuple[int, ...]  # ticks at which a flash or a beep begins that is left
    faults: tuple[ChosenFault, ...]
    verdicts: tuple[str, ...]
    parts: tuple[RecordedPart, ...]  # that of the track, and those of other servers

    @property
    def member(self) -> Member:
        """Whose stream it is."""
        return self.track.source.member

    @property
    def stream(self) -> str:
        """Audio or video."""
        return self.track.source.stream


def tell_track(
    track: Track,
    spans: Sequence[Interval],
    faults: Sequence[ChosenFault],
    *,
    more: tuple[RecordedPart, ...] = (),
) -> Told:
    """The truth about one track that was to be sent at these times, and went on in ``more``."""
    parts = (track.part, *more)
    truth = tell(parts)
    units = sorted((u for p in parts for s in p.segments for u in s.units), key=lambda u: u.time)
    sent = tuple(_sent(units))
    lost, doubt = any(truth.lost_seconds.values()), any(undecided(parts).values())
    verdicts = catalogue.verdicts(faults, lost=lost, doubt=doubt)
    if verdicts == ("degraded",) and not truth.duration:
        verdicts = ("rejected",)
    left = (unit for part in parts for unit in survivors(part))
    marks = sorted({unit.time + unit.mark for unit in left if unit.mark is not None})
    absences = tuple(_absences(sent, spans))
    return Told(track, truth, sent, absences, tuple(marks), tuple(faults), verdicts, parts)


def _sent(units: Sequence[Unit]) -> Iterator[Interval]:
    """Units in a row."""
    begin, end = units[0].time, units[0].time
    for unit in units:
        if unit.time - end > PAUSE:
            yield Interval(begin, end)
            begin = unit.time
        end = max(end, unit.time + unit.length)
    yield Interval(begin, end)


def _absences(sent: Sequence[Interval], spans: Sequence[Interval]) -> Iterator[Interval]:
    """Times between what was sent, each with its cause; they end with the first unit."""
    last = spans[-1].end
    edges = [0, *(edge for one in sent for edge in (one.begin, one.end)), last]
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        causes = [one for one in spans if one.cause is not None and one.begin < end]
        causes = [one for one in causes if one.end > begin]
        for n, one in enumerate(causes):
            since = begin if n == 0 else max(one.begin, begin)
            until = end if n == len(causes) - 1 else min(one.end, end)
            if until > since:
                yield Interval(since, until, one.cause)


def worst(tracks: Sequence[Told]) -> tuple[str, ...]:
    """What a perfect tool may say of them all together."""
    if not tracks:
        return ("rejected",)
    least = max(min(map(VERDICTS.index, one.verdicts)) for one in tracks)
    most = max(max(map(VERDICTS.index, one.verdicts)) for one in tracks)
    said = {verdict for one in tracks for verdict in one.verdicts}
    return tuple(v for n, v in enumerate(VERDICTS) if least <= n <= most and v in said)


def act(one: Act) -> dict[str, Any]:
    """What somebody did."""
    return {"uid": one.uid, "what": one.what, "at": one.at, "argument": one.argument}


def user(member: Member, tracks: Sequence[Told], epoch: float) -> dict[str, Any]:
    """A member with its streams."""
    u, v = palette.chroma(member.number)
    return {
        "uid": member.uid,
        "number": member.number,
        "colour": {"u": u, "v": v},
        "tone": None if member.screen_of else palette.tone(member.number),
        "phase": round(member.phase / HZ, 6),
        "web": member.web,
        "screen_of": member.screen_of,
        "streams": {one.stream: _stream(one, epoch) for one in tracks},
    }


def _stream(one: Told, epoch: float) -> dict[str, Any]:
    stream, parts = one.stream, one.parts
    marks = "flashes" if stream == "video" else "beeps"
    turns = [_turn(turn.time, turn.look.size, turn.look.turned, epoch) for turn in one.track.turns]
    return {
        "playlist": parts[0].playlist.name,
        "parts": [part.playlist.name for part in parts],
        "sent": [_span(span, epoch) for span in one.sent],
        "absences": [{**_span(span, epoch), "cause": span.cause} for span in one.absences],
        "rotations": turns if stream == "video" else [],
        "lost": [to_builtins(loss) for loss in one.truth.losses],
        "lost_seconds": one.truth.lost_seconds[stream],
        "undecided_seconds": undecided(parts)[stream],
        "unseen": any(w.fault.unseen for w in one.faults) or beyond_evidence(parts),
        "samples": one.truth.samples.get(stream),
        marks: [round(mark / HZ, 3) for mark in one.marks],
        "faults": [wanted.fault.name for wanted in one.faults],
        "verdicts": list(one.verdicts),
    }


def _span(span: Interval, epoch: float) -> dict[str, Any]:
    return {
        "begin": round(span.begin / HZ, 6),
        "end": round(span.end / HZ, 6),
        "begin_utc": names.stamp(epoch + span.begin / HZ),
        "end_utc": names.stamp(epoch + span.end / HZ),
    }


def _turn(time: int, size: tuple[int, int], turned: int, epoch: float) -> dict[str, Any]:
    return {
        "at": round(time / HZ, 6),
        "utc": names.stamp(epoch + time / HZ),
        "width": size[0],
        "height": size[1],
        "rotate": turned,
    }
