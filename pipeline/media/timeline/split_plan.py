"""A plan whose formats change on the way, or that is too long for one file, as one plan for each
run of segments that can be one MP4.

Every segment goes to exactly one piece.  What is missing between two pieces counts where the later
one begins.
"""

from collections.abc import Collection, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from pipeline.media.clock import BASE, HZ, MODULO
from pipeline.media.es.formats import StreamFormat
from pipeline.media.finding_ids import CHANGES
from pipeline.media.slots.segments import Placed
from pipeline.media.timeline.expected.span import Promise
from pipeline.media.timeline.failover.overlap import kept_end
from pipeline.media.timeline.key_cuts import by_length
from pipeline.media.timeline.plan import Plan, rebase
from pipeline.media.timeline.tracks import choose, with_rotation
from pipeline.media.track import Lane
from pipeline.model import Finding, Severity

LONGEST = (MODULO - 2 * BASE) / HZ  # seconds that one transport clock can count: 26.5 hours


class Run(Struct, frozen=True, eq=False):
    """Segments of one file, and which formats differ from those before."""

    placed: Sequence[Placed]
    turned: tuple[Finding, ...] = ()


class Division(Struct, frozen=True, eq=False):
    """What one file is made of."""

    plan: Plan  # on a time line of its own
    begin: float  # seconds from the beginning of the recording
    turned: tuple[Finding, ...] = ()  # which formats differ from the piece before


def runs(
    whole: Plan, kinds: Collection[str], *, by_format: bool = True, longest: float = LONGEST
) -> list[Run]:
    """The segments of a plan, cut where a stream of one of these kinds ("video", "audio") changes
    its format, unless not ``by_format``, and in front of key pictures where a run would be longer
    than ``longest`` seconds.  What is rejected is not cut.
    """
    if whole.rejected:
        return [Run(whole.placed)]
    lanes = [lane for lane in whole.lanes if lane.codec.kind in kinds]
    found = _runs(whole, kinds) if by_format else iter([Run(whole.placed)])
    return [
        Run(placed, run.turned if n == 0 else ())
        for run in found
        for n, placed in enumerate(by_length(run.placed, lanes, round(longest * HZ)))
    ]


def divide(
    whole: Plan, kinds: Collection[str], runs: Sequence[Run], *, by_format: bool = True
) -> Iterator[Division]:
    """The plan of each of its ``runs``, one after the other, with a fatal PL_LIMIT for one that is
    longer than ``LONGEST``; the only run of what needs no division has the plan as it is.
    """
    if whole.rejected or (len(runs) == 1 and not by_format):
        yield Division(_within_limit(whole), 0.0)
        return
    begins = [(_opens(run.placed) - _opens(runs[0].placed)) / HZ for run in runs]
    ends = [*begins[1:], float("inf")]
    before: list[Placed] = []
    for run, *span in zip(runs, begins, ends, strict=True):
        yield _division(whole, kinds, run, before, span=span)
        before += run.placed


def _division(
    whole: Plan,
    kinds: Collection[str],
    run: Run,
    before: Sequence[Placed],
    *,
    span: Sequence[float],
) -> Division:
    """One run; ``span`` is where it begins, and where the next one does."""
    begin, until = span
    joins = tuple(
        replace(join, time=round(join.time - begin, 6))
        for join in whole.joins
        if begin < join.time < until
    )
    plan = replace(_plan(whole, kinds, run.placed, before), joins=joins)
    return Division(_within_limit(plan), round(begin, 6), run.turned)


def _within_limit(plan: Plan) -> Plan:
    if plan.rejected:
        return plan
    span = (max(s.last(pid) for s in plan.placed for pid in s.stamps) - BASE) / HZ
    if span <= LONGEST:
        return plan
    detail = (
        f"{span / 3600:.1f} hours without a segment that begins with a key picture and whole units,"
        f" one file is made of at most {LONGEST / 3600:.1f}"
    )
    finding = Finding("PL_LIMIT", Severity.FATAL, detail=detail)
    return replace(plan, findings=(*plan.findings, finding))


def _runs(whole: Plan, kinds: Collection[str]) -> Iterator[Run]:
    """Runs of segments in which no format changes, and the changes in front of each run."""
    now: dict[int, StreamFormat] = {}
    run: list[Placed] = []
    turned: tuple[Finding, ...] = ()
    for placed in whole.placed:
        found = _formats(placed, now)
        said = tuple(
            Finding(
                _id(found[lane.pid], now[lane.pid]),
                Severity.WARNING,
                placed.slot.name,
                lane.pid,
                detail=f"{found[lane.pid]}, was {now[lane.pid]}",
                repair="another file begins here",
            )
            for lane in whole.lanes
            if lane.codec.kind in kinds
            and lane.pid in found.keys() & now.keys()
            and found[lane.pid] != now[lane.pid]
            and now[lane.pid].config is not None
        )
        if said:
            yield Run(run, turned)
            run, turned, now = [], said, {}
        run.append(placed)
        now |= found
    yield Run(run, turned)


def _id(found: StreamFormat, before: StreamFormat) -> str:
    rotated = found.same_pictures(before) and found.turned != before.turned
    return "ROTATION" if rotated else CHANGES[found.codec.kind]


def _formats(placed: Placed, before: dict[int, StreamFormat]) -> dict[int, StreamFormat]:
    """Formats by PID; a stream without a configuration keeps the one it had."""
    found = {}
    for pid in placed.stamps:
        stream, last = placed.stream(pid), before.get(pid)
        if stream.codec is None or (stream.config is None and last and last.codec == stream.codec):
            continue
        turned = placed.slot.turned if stream.codec.kind == "video" else 0
        found[pid] = StreamFormat(stream.codec, stream.config, turned)
    return found


def _plan(
    whole: Plan, kinds: Collection[str], placed: Sequence[Placed], before: Sequence[Placed]
) -> Plan:
    """An ordinary plan of one piece, with lanes and a time line of its own."""
    scans = [segment.slot.scan for segment in placed if segment.slot.scan]
    there = {pid for segment in placed for pid in segment.stamps}
    others = {lane.pid for lane in whole.lanes if lane.codec.kind not in kinds}
    lanes, said = choose(scans)
    lanes = tuple(lane for lane in lanes if lane.pid in there - others)
    lanes, _ = with_rotation(lanes, placed)
    findings = [f for f in said if f.severity == Severity.FATAL and f.pid not in others]
    ends_here = placed[-1] is not whole.placed[-1]
    if before:
        begun, said = _begun(placed[0])
        placed = [begun, *placed[1:]]
        findings += said
    if ends_here:
        placed = _ended(placed)
    promised = {lane.pid: _promised(whole, lane, placed, before) for lane in lanes}
    shift = -_opens(placed)
    placed = rebase(placed, lanes)
    shift += _opens(placed)
    moved = {pid: _moved(promise, shift) for pid, promise in promised.items()}
    return Plan(lanes, tuple(placed), tuple(findings), moved, (), whole.covered, whole.slots)


def _begun(first: Placed) -> tuple[Placed, list[Finding]]:
    """The first segment torn where it begins with the end of a unit that began in the file before,
    and a PES_START for each.
    """
    heads = {pid: head for pid in first.stamps if (head := first.stream(pid).head)}
    findings = []
    for pid, head in heads.items():
        detail = f"{head} bytes of a unit that begins in the file before"
        findings.append(Finding("PES_START", Severity.ERROR, first.slot.name, pid, detail=detail))
    return replace(first, torn=first.torn | heads.keys()), findings


def _ended(placed: Sequence[Placed]) -> list[Placed]:
    """Let every stream end with a whole unit in the last segment that holds it."""
    later: set[int] = set()
    ended = []
    for segment in reversed(placed):
        ending = segment.stamps.keys() - later
        whole, joined = segment.whole | ending, segment.joined - ending
        ended.append(replace(segment, whole=whole, joined=joined))
        later |= ending
    return ended[::-1]


def _opens(placed: Sequence[Placed]) -> int:
    """The earliest PTS of a run, ticks, as :func:`rebase` finds it."""
    return min(segment.presented(pid)[0] for segment in placed[:2] for pid in segment.stamps)


def _moved(promise: Promise, ticks: int) -> Promise:
    closed = tuple(replace(hole, at=hole.at + ticks) for hole in promise.closed)
    silent = tuple((a + ticks, b + ticks) for a, b in promise.silent)
    begin, end = promise.begin + ticks, promise.end + ticks
    return replace(promise, begin=begin, end=end, closed=closed, silent=silent)


def _promised(
    whole: Plan, lane: Lane, placed: Sequence[Placed], before: Sequence[Placed]
) -> Promise:
    """The promise of a lane of this piece, on the time line of the whole recording."""
    promise, pid = whole.promised[lane.pid], lane.pid
    having = [n for n, segment in enumerate(placed) if pid in segment.stamps]
    first, last = placed[having[0]], placed[having[-1]]
    earlier = [segment for segment in before if pid in segment.stamps]
    closed = tuple(hole for hole in promise.closed if first.first(pid) <= hole.at <= last.last(pid))
    begin, late, unsent = promise.begin, promise.late, promise.unsent
    if earlier:
        unsent = 0.0
        lag = first.presented(pid)[0] - first.first(pid) if lane.codec.kind == "video" else 0
        begin = kept_end(earlier[-1], _as_in(earlier[-1], lane)) - lag
        here = first.slot.name
        late = pid in first.torn and all(hole.segment != here for hole in closed)
    end, early = promise.end, promise.early
    if len(before) + having[-1] != promise.within[1]:
        end, early = _decoded_until(last, lane), True
    lasts = first.first(pid), last.last(pid)
    silent = tuple(span for span in promise.silent if lasts[0] <= span[0] and span[1] <= lasts[1])
    return Promise(begin, end, late, early, closed, (having[0], having[-1]), silent, unsent)


def _as_in(segment: Placed, lane: Lane) -> Lane:
    """The lane with the units it has in a segment."""
    exact = lane.codec.unit_ticks(segment.stream(lane.pid).config)
    return lane if exact is None else replace(lane, unit=exact)


def _decoded_until(segment: Placed, lane: Lane) -> float:
    """Ticks at which the last unit ends that is kept, in decoding time."""
    if lane.codec.kind == "audio":
        return kept_end(segment, lane)
    dts = segment.stamps[lane.pid][1]
    until = segment.until.get(lane.pid, int(dts.max()) + 1)
    return float(dts[(dts >= 0) & (dts < until)].max()) + lane.unit
