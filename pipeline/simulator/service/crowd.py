"""Who is in the channel of a recording in individual mode, and what of them is recorded."""

import random
from collections.abc import Iterator, Sequence

from pipeline.agora import names
from pipeline.agora.schema.requests import INDIVIDUAL
from pipeline.simulator.recorder import palette
from pipeline.simulator.recorder.material import Look
from pipeline.simulator.recorder.publish import Shelf
from pipeline.simulator.recorder.values import HZ
from pipeline.simulator.service.requests import Conduct, RecordedStreams, StartOrder
from pipeline.simulator.session.cast import Member, screen_uid, seen
from pipeline.simulator.session.live import TrackRecorder
from pipeline.simulator.session.presence import intervals, views
from pipeline.simulator.session.session import Session, SessionOrder
from pipeline.simulator.session.told import tell_track
from pipeline.simulator.session.tracks import INTERRUPTION, Dialect, Room, Source, Studio

LONGEST = 24 * 3600  # seconds that a recording lasts, or so


def streams(order: StartOrder, conduct: Conduct) -> tuple[RecordedStreams, ...]:
    """One for each playlist: of the users, and of the screens they are going to share."""
    users = order.tracks
    if order.mode not in INDIVIDUAL:
        return users
    sharing = {act.uid for act in conduct.acts if act.what == "share"}
    uids = dict.fromkeys(screen_uid(one.uid) for one in users if one.uid in sharing)
    screens = uids if "video" in order.streams else {}
    cname, _ = order.name
    kind = ("video",)
    return (
        *users,
        *(RecordedStreams(u, kind, names.stream_cname(cname, u, "video")) for u in screens),
    )


def members(order: StartOrder, conduct: Conduct) -> dict[str, Member]:
    """By uid: users and screens, each with a colour, a tone and a clock of its own."""
    screens = {screen_uid(act.uid): act.uid for act in conduct.acts if act.what == "share"}
    found: dict[str, Member] = {}
    for number, uid in enumerate(dict.fromkeys(s.uid for s in streams(order, conduct))):
        phase = random.Random(f"clock {uid}").randrange(1000) * HZ // 1000
        look = seen(order.look, number % palette.MOST)
        web, owner = conduct.web.get(uid), screens.get(uid)
        found[uid] = Member(uid, number % palette.MOST, look, phase, web, owner)
    return found


def looks(order: StartOrder, conduct: Conduct) -> Iterator[Look]:
    """All that will be shown and heard."""
    if order.mode not in INDIVIDUAL:
        yield order.look
        return
    for member in members(order, conduct).values():
        yield from (view.look for view in views(member, conduct.acts))


def recorders(
    order: StartOrder, conduct: Conduct, shelf: Shelf, *, epoch: float, studio: Studio
) -> tuple[TrackRecorder, ...]:
    """One for each of the streams, in their order."""
    there = members(order, conduct)
    cname, _ = order.name
    room = Room(order.sid, cname, epoch, conduct.slice, Dialect(), studio)
    return tuple(
        TrackRecorder(Source(room, there[one.uid], one.streams[0]), conduct.acts, shelf)
        for one in streams(order, conduct)
    )


def changes(conduct: Conduct, recorder: TrackRecorder) -> Iterator[tuple[float, bool, bool]]:
    """When its stream begins to be sent and when it ends, in seconds; whether it is sent then, and
    whether that is a beginning or comes after an interruption.
    """
    source = recorder.source
    spans = intervals(source.member, conduct.acts, source.stream, LONGEST * HZ)
    ended: int | None = None
    for span in spans:
        if span.cause is None:
            again = ended is None or span.begin - ended >= INTERRUPTION
            yield span.begin / HZ, True, again
            ended = span.end
        elif ended is not None and span.begin == ended:
            yield span.begin / HZ, False, False


def told(
    order: StartOrder, conduct: Conduct, crews: Sequence[Sequence[TrackRecorder]], *, epoch: float
) -> Session:
    """What is true of a recording that is over, or so far: of all servers it was on."""
    there = members(order, conduct)
    length = crews[-1][0].now
    tracks = []
    for servers in zip(*crews, strict=True):
        source = servers[0].source
        made = [one.track for one in servers if one.track is not None]
        if made:
            spans = intervals(source.member, conduct.acts, source.stream, length)
            more = tuple(one.part for one in made[1:])
            tracks.append(tell_track(made[0], spans, (), more=more))
    wanted = SessionOrder(
        tuple(there.values()),
        conduct.acts,
        duration=round(length / HZ, 3),
        slice=conduct.slice,
        epoch=epoch,
    )
    return Session(wanted, crews[0][0].source.room, tuple(tracks))
