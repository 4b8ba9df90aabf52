"""When each stream of a member is sent, how its pictures look then, and why it is not sent."""

from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from pipeline.simulator.recorder.material import Look
from pipeline.simulator.recorder.values import HZ
from pipeline.simulator.session.cast import Act, Member, size_of

NOT_JOINED, LEFT, MUTED, CAMERA_OFF = "not_joined", "left", "muted", "camera_off"


class Interval(Struct, frozen=True):
    """A time in which a stream is sent, or is not for one cause; ticks."""

    begin: int
    end: int
    cause: str | None = None  # None: it is sent


class View(Struct, frozen=True):
    """How the pictures look from a time on; ticks."""

    begin: int
    look: Look


class _State(Struct):
    away: str | None
    muted: bool = False
    dark: bool = False

    def cause(self, stream: str) -> str | None:
        if self.away is not None:
            return self.away
        if stream == "audio":
            return MUTED if self.muted else None
        return CAMERA_OFF if self.dark else None


def intervals(
    member: Member, acts: Sequence[Act], stream: str, duration: int
) -> tuple[Interval, ...]:
    """All of the recording, in order, of one stream."""
    own = _own(member, acts)
    comes_later = next((a.what for a in own if a.what in ("join", "leave")), "leave") == "join"
    state = _State(NOT_JOINED if comes_later or member.screen_of else None)
    made: list[Interval] = []
    begin = 0
    for act in [*own, None]:
        end = duration if act is None else min(round(act.at * HZ), duration)
        _append(made, Interval(begin, end, state.cause(stream)))
        begin = end
        if act is not None:
            _do(state, act.what)
    return tuple(made)


def views(member: Member, acts: Sequence[Act]) -> Iterator[View]:
    """How its pictures look, the first from the beginning on."""
    look = member.look
    yield View(0, look)
    for act in _own(member, acts):
        if act.what == "rotate":
            look = replace(look, turned=int(act.argument or 0))
        elif act.what == "resize":
            width, height = size_of(act)
            look = replace(look, width=width, height=height)
        else:
            continue
        yield View(round(act.at * HZ), look)


def _own(member: Member, acts: Sequence[Act]) -> list[Act]:
    """Its acts by time; a screen joins when it is shared, and leaves with its user."""
    if member.screen_of is None:
        own = [a for a in acts if a.uid == member.uid and a.what not in ("share", "unshare")]
    else:
        turned = {"share": "join", "unshare": "leave", "leave": "leave"}
        of_user = [a for a in acts if a.uid == member.screen_of and a.what in turned]
        own = [replace(a, what=turned[a.what]) for a in of_user]
    return sorted(own, key=lambda act: act.at)


def _do(state: _State, what: str) -> None:
    match what:
        case "join":
            state.away = None
        case "leave":
            state.away = LEFT if state.away != NOT_JOINED else NOT_JOINED
        case "mute" | "unmute":
            state.muted = what == "mute"
        case "camera_off" | "camera_on":
            state.dark = what == "camera_off"


def _append(made: list[Interval], one: Interval) -> None:
    """It, joined to the one before if that is the same."""
    if one.end <= one.begin:
        return
    if made and made[-1].cause == one.cause:
        made[-1] = replace(made[-1], end=one.end)
    else:
        made.append(one)
