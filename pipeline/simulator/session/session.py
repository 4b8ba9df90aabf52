"""One simulated session of individual mode, from an order to its files and its truth."""

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct, field, to_builtins
from msgspec.structs import replace

from pipeline.agora import names
from pipeline.errors import UsageError
from pipeline.muxing.locate import Ffmpeg
from pipeline.simulator.faults import failover
from pipeline.simulator.faults.applied import faulty
from pipeline.simulator.faults.catalogue import FAILOVER, ChosenFault
from pipeline.simulator.faults.fault_context import Case
from pipeline.simulator.recorder.captions import Captions, captions
from pipeline.simulator.recorder.material import block_seconds
from pipeline.simulator.recorder.recorder import MOST_FAILOVERS, Setup
from pipeline.simulator.recorder.values import HZ, RecordedPart
from pipeline.simulator.recording import CNAME, EPOCH, LONGEST, SCHEMA, said, sid_of
from pipeline.simulator.session import told
from pipeline.simulator.session.cast import Act, Member, refuse_nonsense
from pipeline.simulator.session.indexes import indexes
from pipeline.simulator.session.presence import intervals, views
from pipeline.simulator.session.servers import record_all
from pipeline.simulator.session.tracks import Dialect, Room, Source, Studio, Track


class TrackFault(Struct, frozen=True):
    """A fault of one stream of one member."""

    uid: str
    stream: str
    chosen: ChosenFault


class SessionOrder(Struct, frozen=True):
    """What to simulate.  The same order gives the same bytes with the same ffmpeg."""

    members: tuple[Member, ...]
    acts: tuple[Act, ...] = ()
    faults: tuple[TrackFault, ...] = ()
    duration: float = 60.0  # seconds
    slice: int = 15  # seconds
    seed: int = 0
    epoch: float = EPOCH  # seconds since 1970
    dialect: Dialect = Dialect()
    standard: bool = False  # each user has an index over both streams besides
    bak: int = 0  # failovers
    meetings: tuple[ChosenFault, ...] = ()  # how servers take over: faults called bak_
    captions: bool = False  # speech to text records them as well


class Session(Struct, frozen=True):
    """A session as it would be stored, and what is true of it."""

    order: SessionOrder
    room: Room
    tracks: tuple[told.Told, ...]
    indexes: Mapping[str, bytes] = field(default_factory=dict)  # by name

    @property
    def name(self) -> str:
        """``<sid>_<cname>``."""
        return names.stem(self.room.sid, self.room.cname)

    @property
    def parts(self) -> tuple[RecordedPart, ...]:
        """Those of each stream, the main one first; indexes lie beside the last of all."""
        made = [part for one in self.tracks for part in one.parts]
        besides = {**self.indexes, **(self.captions.files if self.captions else {})}
        if besides:
            made[-1] = replace(made[-1], files={**made[-1].files, **besides})
        return tuple(made)

    @property
    def captions(self) -> Captions | None:
        """What was said, if that was recorded."""
        order = self.order
        if not order.captions:
            return None
        return captions(self.room.cname, order.epoch, order.duration, order.seed)

    def as_json(self) -> dict[str, Any]:
        """The contract of ``truth.json``, docs/simulator.md.  Keys are never renamed."""
        order = self.order
        return {
            "schema": SCHEMA,
            "mode": "individual",
            "recording": self.name,
            "sid": self.room.sid,
            "cname": self.room.cname,
            "begin_utc": order.epoch,
            "duration": order.duration,
            "playlists": [part.playlist.name for part in self.parts],
            "indexes": list(self.indexes),
            "seed": order.seed,
            "faults": [
                {**said(one.chosen), "uid": one.uid, "stream": one.stream} for one in order.faults
            ]
            + [{**said(one), "uid": None, "stream": None} for one in order.meetings],
            "acts": [told.act(one) for one in order.acts],
            "verdicts": list(told.worst(self.tracks)),
            "users": [
                told.user(m, [t for t in self.tracks if t.member == m], order.epoch)
                for m in order.members
            ],
            **({"captions": to_builtins(self.captions.said)} if self.captions else {}),
        }


def simulate_session(order: SessionOrder, ffmpeg: Ffmpeg) -> Session:
    """Make what is asked for; UsageError for an order that contradicts itself."""
    _examine(order)
    seconds = block_seconds(order.duration + 1)
    sid = sid_of(order.seed)
    studio = Studio.of(ffmpeg, seconds)
    room = Room(sid, CNAME, order.epoch, order.slice, order.dialect, studio)
    sources = [
        Source(room, member, stream) for member in order.members for stream in member.streams
    ]
    tracks = tuple(one for source in sources for one in _told(source, order, ffmpeg))
    recorded = {(one.member.uid, one.stream) for one in tracks}
    for fault in order.faults:
        if (fault.uid, fault.stream) not in recorded:
            raise UsageError(f"{fault.chosen.fault.name}@{fault.uid}/{fault.stream}: never sent")
    over_both = dict(indexes([one.track for one in tracks])) if order.standard else {}
    return Session(order, room, tracks, over_both)


def _told(source: Source, order: SessionOrder, ffmpeg: Ffmpeg) -> Iterator[told.Told]:
    """The stream with its faults and its truth, if it was ever sent."""
    member, stream = source.member, source.stream
    spans = intervals(member, order.acts, stream, round(order.duration * HZ))
    sent = [span for span in spans if span.cause is None]
    looks = tuple(views(member, order.acts))
    servers = tuple(failover.spans(order.duration, order.bak, order.meetings))
    made = record_all(source, sent, looks, servers=servers, meetings=order.meetings)
    if made:
        wanted = [f.chosen for f in order.faults if (f.uid, f.stream) == (member.uid, stream)]
        first = _damaged(made[0], wanted, ffmpeg)
        turns = [turn for track in made for turn in track.turns]
        first = replace(first, turns=tuple(turns))
        more = tuple(track.part for track in made[1:])
        yield told.tell_track(first, spans, wanted, more=more)


def _damaged(track: Track, wanted: Sequence[ChosenFault], ffmpeg: Ffmpeg) -> Track:
    """The track with the faults done to it."""
    if not wanted:
        return track
    source, room = track.source, track.source.room
    setup = Setup(room.sid, source.cname, room.epoch, room.slice, (source.stream,))
    dice = random.Random(track.part.stem)
    material = source.material(source.member.look)
    part = faulty(track.part, wanted, Case("", None, dice, setup, material, ffmpeg))
    if part.delay:
        paused = ", ".join(w.fault.name for w in wanted)
        raise UsageError(f"{paused}: in a session nobody waits; let the user leave and come back")
    return replace(track, part=part)


def _examine(order: SessionOrder) -> None:
    if not order.members:
        raise UsageError("a session of nobody: expected one user or more")
    if not 1 <= order.duration <= LONGEST:
        raise UsageError(f"a duration of {order.duration:g} s: expected 1 to {LONGEST} seconds")
    if order.slice < 1:
        raise UsageError(f"segments of {order.slice} s: expected 1 second or more")
    refuse_nonsense(order.members, order.acts, order.duration)
    for fault in order.faults:
        if fault.chosen.fault.level == FAILOVER:
            raise UsageError(f"{fault.chosen.fault.name}: of all streams; name none")
    if order.meetings and not order.bak:
        raise UsageError(f"{order.meetings[0].fault.name}: needs failover parts, --bak N")
    if not 0 <= order.bak <= MOST_FAILOVERS:
        raise UsageError(f"{order.bak} failover parts: expected at most {MOST_FAILOVERS}")
