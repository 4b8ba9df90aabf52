"""The lanes of the coverage bar: where each track has media, and what became of the rest, by cause.

Times are seconds on the axis of the recording unless a name says otherwise.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from pipeline.agora.names import parse_slice_name
from pipeline.model import AccountEntry, Coverage, Report, TrackCoverage, TrackInfo
from pipeline.report.axis import Axis, merged, moment, outside
from pipeline.report.words import lasting

LEAST = 0.5  # seconds: what is shorter and lost by nobody is the usual step between two units


class Cause(StrEnum):
    """What became of a span of the clock that is not plainly there."""

    KEPT = "kept"  # lost, and its time is kept
    FILLED = "filled"  # lost, and its time filled with pictures or silence
    LOST = "lost"  # lost, and without time in the result
    ABSENT = "absent"  # not sent: no loss
    REENCODED = "reencoded"
    JOINED = "joined"  # another failover part takes over


class Span(Struct, frozen=True):
    """One cause on one lane; ``at`` is the moment of the result to look at, in its seconds."""

    cause: Cause
    begin: float
    end: float
    at: float
    why: str


class Lane(Struct, frozen=True):
    """One track: spans in which there is media, and all others by their cause."""

    kind: str  # "video" or "audio"
    label: str
    form: str  # its codec and size or rate, for people
    present: tuple[tuple[float, float], ...]
    spans: tuple[Span, ...]


class Places(Struct, frozen=True):
    """Where segments stand, in seconds of the axis and of the result."""

    on: Mapping[str, tuple[float, float]]
    at: Mapping[str, float]

    def near(self, name: str, begin: float, end: float) -> bool:
        """Whether a segment may reach into a span; one whose place nobody knows may."""
        own = self.on.get(name)
        return own is None or (own[0] < end + LEAST and own[1] > begin - LEAST)


def places(report: Report, axis: Axis) -> Places:
    """Of all segments that have media, and of others by the time in their names."""
    coverage = report.coverage or Coverage()
    on: dict[str, tuple[float, float]] = {}
    at: dict[str, float] = {}
    for n, name in enumerate(coverage.segments):
        begins = [one for t in coverage.tracks if (one := _nth(t.begin, n)) is not None]
        ends = [one for t in coverage.tracks if (one := _nth(t.end, n)) is not None]
        if begins and ends:
            at[name] = min(begins)
            on[name] = axis.of(min(begins)), axis.of(max(ends))
    _by_name(report, axis, on)
    for name, (begin, _) in on.items():
        at.setdefault(name, axis.back(begin))
    for hole in report.holes:
        at.setdefault(hole.segment, hole.start + hole.length * (hole.became != "closed"))
    return Places(on, at)


def _nth(values: Sequence[float | None], n: int) -> float | None:
    return values[n] if n < len(values) else None


def _by_name(report: Report, axis: Axis, on: dict[str, tuple[float, float]]) -> None:
    """Segments without media, where their names say when they began."""
    began = moment(axis.begin)
    rows = report.account.slots if report.account else ()
    for row in rows:
        told = parse_slice_name(row.slot.rpartition("/")[2])
        if row.slot not in on and began and told:
            at = told.utc - began.timestamp()
            on[row.slot] = max(at, 0.0), min(at + (row.promised or 0.0), axis.length)


class _Track(Struct, frozen=True):
    """One track, with what its lane is read off."""

    report: Report
    axis: Axis
    where: Places
    track: TrackCoverage
    number: int  # among its like, counted from 0
    alone: bool  # the only one of its kind

    @property
    def rows(self) -> list[AccountEntry]:
        """What the account has of it."""
        rows = self.report.account.slots if self.report.account else ()
        return [row for row in rows if row.pid == self.track.pid]

    @property
    def there(self) -> list[tuple[float, float]]:
        """Where its segments stand."""
        return [
            (self.axis.of(begin), self.axis.of(end))
            for begin, end in zip(self.track.begin, self.track.end, strict=False)
            if begin is not None and end is not None and end > begin
        ]

    @property
    def label(self) -> str:
        """What people call it."""
        kind = self.track.track
        return kind[:1].upper() + kind[1:] + ("" if self.alone else f" {self.number + 1}")

    @property
    def form(self) -> str:
        """Its codec and what else is known of it."""
        own = [info for info in self.report.tracks if info.type == self.track.track]
        return form(own[self.number]) if self.number < len(own) else ""


def lanes(report: Report, axis: Axis, where: Places) -> tuple[Lane, ...]:
    """One for each track; those of a report without coverage have media wherever no hole is."""
    covered = _tracks(report)
    found = []
    for track in covered:
        like = [one.pid for one in covered if one.track == track.track]
        number, alone = like.index(track.pid), len(like) == 1
        found.append(_lane(_Track(report, axis, where, track, number, alone)))
    return tuple(found)


def _tracks(report: Report) -> list[TrackCoverage]:
    if report.coverage and report.coverage.tracks:
        return sorted(report.coverage.tracks, key=lambda one: one.track != "video")
    return [
        TrackCoverage(info.type, number, begin=(0.0,), end=(info.duration,))
        for number, info in enumerate(report.tracks)
    ]


def _lane(of: _Track) -> Lane:
    rows, there = of.rows, of.there
    lost = [*_holes(of), *_ends(of, there)]
    solid = [pair for a, b in there for pair in outside(a, b, [(x.begin, x.end) for x in lost])]
    taken = [*solid, *((x.begin, x.end) for x in lost)]
    bare = [pair for pair in outside(0.0, of.axis.length, taken) if pair[1] - pair[0] >= LEAST]
    spans = [
        *(_gap(of, pair, rows, there) for pair in bare),
        *_reencoded(of.report, of.track.track, of.where),
        *lost,
        *_cut(rows, of.where, lost),
    ]
    return Lane(of.track.track, of.label, of.form, tuple(merged(solid, LEAST)), tuple(spans))


def form(track: TrackInfo) -> str:
    """Codec and size, or codec, rate and channels."""
    size = f"{track.width} × {track.height}" if track.width and track.height else ""
    rate = f"{track.sample_rate / 1000:g} kHz" if track.sample_rate else ""
    channels = {None: "", 1: "mono", 2: "stereo"}.get(track.channels, f"{track.channels} channels")
    return " ".join(part for part in (track.codec, size, rate, channels) if part)


BECAME = {"kept": Cause.KEPT, "filled": Cause.FILLED, "closed": Cause.LOST}


def _holes(of: _Track) -> Iterator[Span]:
    """Of its kind; among several tracks of a kind, those of a track that lost something."""
    lost = of.alone or any(row.lost for row in of.rows)
    for hole in of.report.holes:
        if hole.kind == of.track.track and lost:
            begin = of.axis.of(hole.start)
            end = min(begin + max(hole.length, 0.0), of.axis.length)
            cause = BECAME.get(hole.became, Cause.KEPT)
            why = f"{hole.reason}, {lasting(hole.length)}"
            yield Span(cause, begin, end, hole.start, why)


def _ends(of: _Track, there: Sequence[tuple[float, float]]) -> Iterator[Span]:
    """What is lost in front of the first unit, and behind the last one."""
    if not there:
        return
    track, axis = of.track, of.axis
    first, last = min(a for a, _ in there), max(b for _, b in there)
    if track.before:
        end = first - track.unsent
        begin = max(end - track.before, 0.0)
        why = f"lost at the beginning, {lasting(track.before)}"
        yield Span(Cause.LOST, begin, end, 0.0, why)
    if track.behind:
        end = min(last + track.behind, axis.length)
        why = f"lost at the end, {lasting(track.behind)}"
        yield Span(Cause.LOST, last, end, axis.back(last), why)


def _gap(
    of: _Track,
    pair: tuple[float, float],
    rows: Sequence[AccountEntry],
    there: Sequence[tuple[float, float]],
) -> Span:
    """Time without media of which no hole tells: not sent, unless the account cannot explain it."""
    begin, end = pair
    at = of.axis.back(begin)
    near = [row for row in rows if of.where.near(row.slot, begin, end)]
    if any(row.unexplained for row in near):
        return Span(Cause.KEPT, begin, end, at, "missing, and nothing says why")
    why = next((row.reason for row in near if row.excepted and row.reason), None)
    if why is None and there:
        why = "it begins later" if end <= there[0][0] + LEAST else why
        why = "it has ended" if begin >= there[-1][1] - LEAST else why
    return Span(Cause.ABSENT, begin, end, at, f"{why or 'none was sent'}, {lasting(end - begin)}")


def _reencoded(report: Report, kind: str, where: Places) -> Iterator[Span]:
    """Segments that were re-encoded, neighbours from and to one form as one."""
    last: Span | None = None
    for one in report.reencoded:
        place = where.on.get(one.segment)
        if one.kind != kind or place is None:
            continue
        why = f"re-encoded from {one.was} to {one.now}"
        end = max(place[1], place[0])
        if last and last.why == why and place[0] - last.end < LEAST:
            last = Span(Cause.REENCODED, last.begin, end, last.at, why)
            continue
        if last:
            yield last
        last = Span(Cause.REENCODED, place[0], end, where.at.get(one.segment, 0.0), why)
    if last:
        yield last


def _cut(rows: Sequence[AccountEntry], where: Places, lost: Sequence[Span]) -> Iterator[Span]:
    """Segments that lost something without leaving a hole: units that are not whole."""
    for row in rows:
        place = where.on.get(row.slot)
        if place is None or not (row.cut or row.packets) or not row.units:
            continue
        if any(x.begin <= place[1] + LEAST and x.end >= place[0] - LEAST for x in lost):
            continue
        what = f"{row.cut} units lost their end" if row.cut else f"{row.packets} packets missing"
        yield Span(Cause.KEPT, place[0], place[0], where.at.get(row.slot, 0.0), what)


def joins(report: Report, axis: Axis) -> tuple[Span, ...]:
    """Where another failover part takes over, on all lanes."""
    return tuple(
        Span(
            Cause.JOINED, axis.of(join.at), axis.of(join.at), join.at, f"{join.part}: {join.reason}"
        )
        for join in report.joins
    )
