"""What is recorded before anything goes wrong: slices, a playlist, and every unit in them."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from tests.trial import material, transport
from tests.trial.transport import HZ, Ints, Packets

NOWHERE = -1  # a packet that carries no media of this recording
TRACKS = ("video", "audio")
NUMBERS = 1 << 32  # packets of one track are numbered below this
INTACT, ALTERED, SUSPECT = 0, 1, 2  # a packet as it was; bits of its media flipped; of its headers


@dataclass(frozen=True)
class Unit:
    """A picture or a sound frame as it was recorded."""

    track: str
    digest: int
    ticks: int  # presentation time on the first clock, not wrapped
    slot: int
    first: int  # packets of its track, counted over the recording; both inclusive
    last: int
    head: int  # the packet with the header of its PES


@dataclass
class Slice:
    """A file, as packets that know where they come from."""

    data: Packets
    origin: Ints  # track * NUMBERS + number of the packet, or NOWHERE
    state: Ints
    before: bytes = b""
    behind: bytes = b""

    def written(self) -> bytes:
        """Its bytes."""
        return self.before + self.data.tobytes() + self.behind

    def copy(self) -> "Slice":
        """Another file with the same bytes."""
        arrays = self.data.copy(), self.origin.copy(), self.state.copy()
        return Slice(*arrays, self.before, self.behind)

    def keep(self, rows: Ints) -> None:
        """Only these packets, in this order."""
        self.data, self.origin, self.state = self.data[rows], self.origin[rows], self.state[rows]

    def insert(self, at: int, data: Packets) -> None:
        """Packets that carry no media of this recording."""
        self.data = np.insert(self.data, at, data, axis=0)
        self.origin = np.insert(self.origin, at, np.full(len(data), NOWHERE))
        self.state = np.insert(self.state, at, np.zeros(len(data), np.int64))

    def of(self, track: str) -> Ints:
        """Packets that carry a track."""
        return np.flatnonzero(self.origin // NUMBERS == TRACKS.index(track))


@dataclass
class Slot:
    """A line of the playlist, and the file it names."""

    number: int  # its place in the recording; -1: never recorded
    name: str
    seconds: float
    slice: Slice | None  # None: there is no such file
    listed: bool = True
    tags: list[str] = field(default_factory=list)


@dataclass
class Recording:
    """A folder in the making, and what is known of it."""

    chance: random.Random
    stream: material.Stream
    cut: material.Cut
    stem: str
    clock: bool  # whether names tell the time
    began: datetime
    counters: str  # "on" or "anew" in each slice
    comma: bool
    slots: list[Slot]
    units: list[Unit]
    done: list[str] = field(default_factory=list)
    ended: bool = True
    cut_text: float | None = None  # where the playlist ends, as a part of it
    rounded: bool = False  # EXTINF in whole seconds
    mute: set[tuple[int, str]] = field(default_factory=set)  # absent tracks nobody can miss
    astray: set[tuple[int, str]] = field(
        default_factory=set
    )  # stamps of a track in a slot are wrong
    loose: set[int] = field(default_factory=set)  # digests of units whose time nobody can know
    doubts: list[str] = field(default_factory=list)  # why any verdict may be right
    maybe: dict[str, float] = field(default_factory=dict)  # seconds that may be taken for lost
    blind: set[int] = field(default_factory=set)  # digests of pictures torn without any trace
    clocks: set[str] = field(default_factory=set)  # which clocks go wrong: "media", "names"
    unsent: set[tuple[int, str]] = field(default_factory=set)  # tracks of slots that never were
    claimed: float = 0.0  # seconds of foreign media that may be taken for the recording's own

    @property
    def tracks(self) -> tuple[str, ...]:
        """What it has."""
        return self.cut.tracks

    def pid(self, track: str) -> int:
        """The PID of a track, unless a fault changed it."""
        return self.cut.pid + self.cut.tracks.index(track)

    def slices(self) -> Iterator[Slice]:
        """Every file once."""
        seen: list[Slice] = []
        for slot in self.slots:
            if slot.slice is not None and not any(slot.slice is s for s in seen):
                seen.append(slot.slice)
                yield slot.slice

    def end(self) -> float:
        """When all that was recorded has been played, in ticks."""
        frame = {"video": HZ / eval_rate(self.stream.fps), "audio": 1024 * HZ / self.stream.rate}
        return max(u.ticks + frame[u.track] for u in self.units)

    def recount(self) -> None:
        """Counters as the recorder writes them."""
        following: dict[int, int] = {}
        for each in self.slices():
            for pid in np.unique(transport.pids(each.data)):
                start = 0 if self.counters == "anew" else following.get(int(pid), 0)
                following[int(pid)] = transport.renumber(each.data, int(pid), start)

    def name_at(self, seconds: float, number: int) -> str:
        """The name of a slice that begins so many seconds after the recording."""
        if not self.clock:
            return f"{self.stem}-{number:05d}.ts"
        at = self.began + timedelta(milliseconds=int(seconds * 1000 + 0.001))
        return f"{self.stem}_{at:%Y%m%d%H%M%S}{at.microsecond // 1000:03d}.ts"

    def playlist(self) -> str:
        """The text, as Agora writes it."""
        target = max([round(slot.seconds) for slot in self.slots if slot.listed] or [1])
        lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-MEDIA-SEQUENCE:0"]
        lines += ["#EXT-X-ALLOW-CACHE:YES", f"#EXT-X-TARGETDURATION:{target}"]
        for slot in self.slots:
            if slot.listed:
                lines += [*slot.tags, self._extinf(slot.seconds), slot.name]
        text = "\n".join([*lines, "#EXT-X-ENDLIST", ""] if self.ended else [*lines, ""])
        return text if self.cut_text is None else text[: self._cut_at(text)]

    def _extinf(self, seconds: float) -> str:
        length = f"{round(seconds)}" if self.rounded else f"{seconds:.6f}"
        return f"#EXTINF:{length}{',' * self.comma}"

    def _cut_at(self, text: str) -> int:
        names = [text.index(s.name) for s in self.slots if s.listed]
        part = self.cut_text or 0.0
        return names[int(len(names) * part)] + 1 + int(part * 1000) % 10

    def named(self) -> set[str]:
        """All that the playlist names in full."""
        return set(self.playlist().split("\n"))

    def write(self, folder: Path) -> Path:
        """All of it on the disk; returns the playlist."""
        for slot in self.slots:
            if slot.slice is not None:
                (folder / slot.name).write_bytes(slot.slice.written())
        path = folder / f"{self.stem}.m3u8"
        path.write_text(self.playlist(), encoding="utf-8")
        return path


def recorded(chance: random.Random) -> Recording:
    """A random recording in which everything is right."""
    stream = chance.choice(material.STREAMS)
    cut = _cut(chance, stream)
    files = [f for f in material.slices(stream, cut) if f]
    clock = chance.random() < 0.7
    sid = f"{chance.getrandbits(128):032x}"
    made = Recording(
        chance=chance,
        stream=stream,
        cut=cut,
        stem=f"{sid}_room{chance.randint(1, 99)}" if clock else f"take{chance.randint(1, 9999)}",
        clock=clock,
        began=datetime(2026, 3, 2, tzinfo=UTC)
        + timedelta(milliseconds=chance.randint(0, 86_400_000)),
        counters=chance.choice(("on", "on", "anew")),
        comma=chance.random() < 0.5,
        slots=[],
        units=[],
    )
    _fill(made, files)
    made.recount()
    if chance.random() < 0.1:
        wind(made, transport.WRAP - chance.randint(1, 60) * HZ)
    return made


def _cut(chance: random.Random, stream: material.Stream) -> material.Cut:
    key = stream.gop / float(eval_rate(stream.fps))
    each = chance.choice((2, 3, 4, 5, 6, 8, 10, 15))
    count = chance.randint(4, 9)
    length = min(max(each, key) * count + chance.random() * each, 50.0)
    tracks = chance.choice((TRACKS, TRACKS, TRACKS, TRACKS, ("audio",), ("video",)))
    return material.Cut(
        start=round(chance.uniform(0, material.LENGTH - length - 1), 3),
        length=round(length, 3),
        each=each,
        tracks=tracks,
        muxer="hls" if "video" in tracks and chance.random() < 0.6 else "segment",
        pid=chance.choice((0x100, 0x100, 0x44, 0x1E0)),
        pmt=chance.choice((0x1000, 0x1000, 0x20, 0x1FF0)),
        sound_pes=chance.choice((2930, 2930, 0, 1200)),
        picture_length=chance.random() < 0.3,
    )


def eval_rate(rate: str) -> float:
    """Pictures per second, written as a fraction or not."""
    above, _, below = rate.partition("/")
    return int(above) / int(below or 1)


def _fill(made: Recording, files: list[bytes]) -> None:
    counts = dict.fromkeys(TRACKS, 0)
    starts = []
    for number, content in enumerate(files):
        each = sliced(content)
        for track in made.tracks:
            own = transport.carrying(each.data, made.pid(track))
            base = counts[track]
            each.origin[own] = TRACKS.index(track) * NUMBERS + base + np.arange(len(own))
            made.units += units(each.data, made.pid(track), track, number, base, made.stream.rate)
            counts[track] += len(own)
        made.slots.append(Slot(number, "", 0.0, each))
        inside = [u for u in made.units if u.slot == number]
        leading = [u for u in inside if u.track == made.tracks[0]] or inside
        starts.append(min(u.ticks for u in leading))
    if len({u.digest for u in made.units}) < len(made.units):
        raise ValueError("two units with the same bytes cannot be told apart")
    _end_whole(made)
    _name(made, starts)


def _end_whole(made: Recording) -> None:
    """Take off the last picture that is shown after all before it, and what follows: it may wait
    for B-frames that ffmpeg cut off.
    """
    last = [u for u in made.units if u.track == "video" and u.slot == made.slots[-1].number]
    if not made.stream.b_frames or len(last) < 12:
        return
    ahead = [u for i, u in enumerate(last) if u.ticks > max((v.ticks for v in last[:i]), default=0)]
    file = made.slots[-1].slice
    assert file is not None
    rows = file.of("video")
    gone = rows[file.origin[rows] % NUMBERS >= ahead[-1].first]
    file.keep(np.setdiff1d(np.arange(len(file.data)), gone))
    made.units = [u for u in made.units if u.track == "audio" or u.first < ahead[-1].first]


def _name(made: Recording, starts: list[int]) -> None:
    end = made.end()
    for slot, start, following in zip(made.slots, starts, [*starts[1:], end], strict=True):
        slot.seconds = (following - start) / HZ
        slot.name = made.name_at((start - starts[0]) / HZ, slot.number)
    if made.clock:
        when = f"{made.began:%Y%m%d%H%M%S}{made.began.microsecond // 1000:03d}"
        events = [
            f"#EXT-X-AGORA-TRACK-EVENT:EVENT=START,TRACK_TYPE={t.upper()},TIME={when}"
            for t in made.tracks
        ]
        made.slots[0].tags = ["#EXT-X-DISCONTINUITY", *events]


def sliced(content: bytes) -> Slice:
    """A file whose packets carry nothing of the recording yet."""
    data = np.frombuffer(content, np.uint8).reshape(-1, transport.SIZE).copy()
    return Slice(data, np.full(len(data), NOWHERE), np.zeros(len(data), np.int64))


def units(data: Packets, pid: int, track: str, slot: int, base: int, rate: int) -> Iterator[Unit]:
    """Every picture or sound frame of a PID that a healthy file holds."""
    starts = transport.payload(data)
    numbers = {int(row): base + i for i, row in enumerate(transport.carrying(data, pid))}
    for rows in transport.pes(data, pid):
        content, at = transport.bytes_of(data, rows, starts)
        pts = int(transport.read(data, rows[:1], starts[rows[:1]] + 9)[0])
        header = 9 + content[8]
        body = content[header:]
        head = numbers[int(rows[0])]
        if track == "video":
            digest = hash(transport.picture(body))
            yield Unit(track, digest, pts, slot, head, numbers[int(rows[-1])], head)
            continue
        for i, (first, end) in enumerate(transport.frames(body)):
            ticks = pts + round(i * 1024 * HZ / rate)
            within = np.searchsorted(at, [header + first, header + end - 1], "right") - 1
            low, high = (numbers[int(rows[w])] for w in within)
            yield Unit(track, hash(transport.raw(body[first:end])), ticks, slot, low, high, head)


def wind(made: Recording, ticks: int, since: int = 0, until: int | None = None) -> None:
    """Move the clock of some slots, with all stamps."""
    for slot in made.slots:
        if slot.slice is not None and slot.number >= since and slot.number < (until or 10**9):
            for track in made.tracks:
                transport.move(slot.slice.data, made.pid(track), ticks)
            transport.move_clock(slot.slice.data, ticks)
