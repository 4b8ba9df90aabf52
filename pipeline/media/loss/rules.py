"""Rules about a recording as a whole.  A rule is a function."""

from collections.abc import Iterator, Mapping

from pipeline.media.clock import HZ
from pipeline.media.timeline.expected.extinf import extinf_errors, tolerance
from pipeline.media.timeline.plan import Plan
from pipeline.model import Finding, Severity

APART = HZ // 2  # ticks between the first (last) sound and picture: more is reported


def key_at_start(plan: Plan) -> Iterator[Finding]:
    """Every segment should begin with a key picture (Apple HLS authoring specification 7.4)."""
    for lane in plan.lanes:
        without = [
            placed.slot.name
            for placed in plan.placed
            if lane.pid in placed.stamps and placed.stream(lane.pid).key_start is False
        ]
        if without:
            detail = "segments that do not begin with a key picture"
            yield Finding(
                "NO_KEY_AT_START", Severity.WARNING, without[0], lane.pid, len(without), detail
            )


def extinf(plan: Plan) -> Iterator[Finding]:
    """EXTINF should be the segment's duration (RFC 8216 section 4.3.2.1); the MP4 goes by media."""
    allowed = max(tolerance(plan.placed, plan.lanes), 0.5)
    wrong = [
        (placed, off)
        for placed, off in extinf_errors(plan.placed, plan.lanes)
        if abs(off) > allowed
    ]
    if wrong:
        placed, off = wrong[0]
        detail = f"media lasts {off:+.3f} s against EXTINF {placed.slot.duration:g} s"
        yield Finding("PL_EXTINF", Severity.WARNING, placed.slot.name, None, len(wrong), detail)


def starts_apart(plan: Plan) -> Iterator[Finding]:
    """Sound and picture need not begin together; the offset is kept."""
    firsts = {}
    for lane in plan.lanes:
        firsts[lane.codec.kind] = next(
            p.first(lane.pid) for p in plan.placed if lane.pid in p.stamps
        )
    yield from _apart("AV_START", "begins", firsts)


def ends_apart(plan: Plan) -> Iterator[Finding]:
    """The same for the end."""
    ends = {}
    for lane in plan.lanes:
        ends[lane.codec.kind] = next(
            p.end(lane) for p in reversed(plan.placed) if lane.pid in p.stamps
        )
    yield from _apart("AV_END", "ends", ends)


def _apart(id: str, verb: str, times: Mapping[str, float]) -> Iterator[Finding]:
    if len(times) == 2 and abs(times["audio"] - times["video"]) > APART:
        seconds = (times["audio"] - times["video"]) / HZ
        yield Finding(id, Severity.INFO, detail=f"audio {verb} {seconds:+.3f} s from video")


RULES = (key_at_start, extinf, starts_apart, ends_apart)


def examine(plan: Plan) -> tuple[Finding, ...]:
    """Everything the rules say about a plan."""
    return tuple(finding for rule in RULES for finding in rule(plan))


def expected(plan: Plan, stream_types: str | None) -> Iterator[Finding]:
    """An error for each kind that was to be recorded ("audio", "video" or "both", Agora's
    streamTypes) and is not there at all; None expects nothing.
    """
    there = {lane.codec.kind for lane in plan.lanes}
    for kind, id in (("audio", "EXPECT_AUDIO"), ("video", "EXPECT_VIDEO")):
        if stream_types in (kind, "both") and kind not in there:
            detail = f"no {kind} in the whole recording, expected {stream_types}"
            repair = "there is nothing to be put in"
            yield Finding(id, Severity.ERROR, detail=detail, repair=repair)
