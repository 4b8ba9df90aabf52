"""The result of the product against the truth; a pure comparison of values."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from statistics import median

from tests.trial.product import Answer
from tests.trial.results import Sample
from tests.trial.truth import Expected, Fate, Truth

SYNC = 0.0415  # seconds: 40 ms, and what clocks round
WRONG = 0.3  # seconds that lost_seconds may be off
MOVED = 1.0  # seconds that anything may be moved beside a loss
WASTED = 0.5  # seconds that may be thrown away beside a loss
SILENCE = 64  # bytes: no frame of silence is larger
LATE = 0.5  # seconds after which pictures begin late
NAMES = ("lie", "alarm", "refusal", "seconds", "sync", "moved", "waste", "disagree", "crash")


@dataclass(frozen=True)
class Fault:
    """One thing the product got wrong."""

    name: str  # of NAMES
    why: str


@dataclass(frozen=True)
class Matched:
    """A unit, and where it stands in the result."""

    expected: Expected
    sample: Sample

    @property
    def offset(self) -> float:
        """How much later it stands there; the same for all, if nothing is moved."""
        return self.sample.time - self.expected.time


@dataclass(frozen=True)
class Comparison:
    """Samples and units, told apart."""

    truth: Truth
    matched: tuple[Matched, ...]
    foreign: tuple[Sample, ...]
    twice: tuple[Sample, ...]

    @cached_property
    def common(self) -> float:
        """By how much everything stands later in the result than it was recorded."""
        return median([m.offset for m in self.matched] or [0.0])

    @cached_property
    def absent(self) -> list[Expected]:
        """Units that are not in the result."""
        there = {m.expected.unit.digest for m in self.matched}
        return [e for e in self.truth.expected if e.unit.digest not in there]


def compared(truth: Truth, samples: list[Sample]) -> Comparison:
    """Find every sample among the units."""
    known = {e.unit.digest: e for e in truth.expected}
    matched: dict[int, Matched] = {}
    foreign, twice = [], []
    for sample in samples:
        digest = truth.altered.get(sample.digest, sample.digest)
        if digest not in known:
            foreign.append(sample)
        elif digest in matched:
            twice.append(sample)
        else:
            matched[digest] = Matched(known[digest], sample)
    return Comparison(truth, tuple(matched.values()), tuple(foreign), tuple(twice))


def judged(truth: Truth, answer: Answer, samples: list[Sample]) -> list[Fault]:
    """Everything that is wrong; nothing if all is well."""
    if answer.verdict == "crash":
        return [Fault("crash", " ".join(answer.findings))]
    if answer.verdict in ("rejected", "pending"):
        return list(_refused(truth, answer))
    seen = compared(truth, samples)
    if answer.verdict == "degraded":
        found = [*_alarm(seen), *_moved(seen), *_wasted(seen)]
    else:
        found = list(_lies(seen))
    return [*found, *_out_of_sync(seen), *_seconds(seen, answer)]


def agreed(made: Answer, looked: Answer) -> list[Fault]:
    """Looking comes to the same as making."""
    if made.verdict != looked.verdict:
        return [Fault("disagree", f"check says {looked.verdict}, convert {made.verdict}")]
    if made.lost != looked.lost:
        return [Fault("disagree", f"check says {looked.lost} is lost, convert {made.lost}")]
    return []


def _refused(truth: Truth, answer: Answer) -> Iterator[Fault]:
    total = sum(e.duration for e in truth.expected)
    there = sum(e.duration for e in truth.expected if e.fate is Fate.WHOLE)
    if there > total / 2:
        yield Fault("refusal", f"{answer.verdict}, though {there:.1f} of {total:.1f} s are whole")


def _lies(seen: Comparison) -> Iterator[Fault]:
    missing = [e for e in seen.absent if e.fate is not Fate.EXCUSED]
    if missing:
        yield Fault("lie", f"missing: {_listed(missing)}")
    foreign = [s for s in seen.foreign if not (_silence(s, seen) or _black(s, seen))]
    if foreign:
        yield Fault("lie", f"foreign or torn: {_places(foreign)}")
    if seen.twice:
        yield Fault("lie", f"twice: {_places(seen.twice)}")
    moved = [m for m in _placed(seen) if abs(m.offset - seen.common) > SYNC]
    if moved:
        yield Fault("lie", f"misplaced: {_offsets(moved, seen.common)}")


def _silence(sample: Sample, seen: Comparison) -> bool:
    """Made by the product where nobody spoke."""
    if sample.track != "audio" or sample.size > SILENCE:
        return False
    time = sample.time - seen.common
    return not any(
        m.expected.unit.track == "audio" and abs(m.expected.time - time) < m.expected.duration / 2
        for m in seen.matched
    )


def _black(sample: Sample, seen: Comparison) -> bool:
    """Made by the product at the beginning, where pictures begin late."""
    others = [m.sample.time for m in seen.matched if m.expected.unit.track == "video"]
    return sample.track == "video" and sample.time < 0.01 and min(others, default=0.0) > LATE


def _alarm(seen: Comparison) -> Iterator[Fault]:
    """Degraded, though nothing is missing."""
    surprise = all(e.fate is Fate.WHOLE and not e.astray for e in seen.truth.expected)
    if surprise and not seen.truth.doubts and not seen.truth.altered:
        yield Fault("alarm", f"nothing is lost; not in the result: {_listed(seen.absent)}")


def _moved(seen: Comparison) -> Iterator[Fault]:
    """Beside a loss, the rest is still to be where it was."""
    far = [m for m in _placed(seen) if abs(m.offset - seen.common) > MOVED]
    if far and not any(e.astray for e in seen.truth.expected):
        yield Fault("moved", _offsets(far, seen.common))


def _wasted(seen: Comparison) -> Iterator[Fault]:
    """Beside a loss, what is whole is still to be kept."""
    wasted = [e for e in seen.absent if e.fate is Fate.WHOLE]
    seconds = sum(e.duration for e in wasted)
    if seconds > WASTED:
        yield Fault("waste", f"whole, but not in the result: {_listed(wasted)}")


def _placed(seen: Comparison) -> list[Matched]:
    """All whose time is known."""
    return [m for m in seen.matched if m.expected.unit.digest not in seen.truth.loose]


def _out_of_sync(seen: Comparison) -> Iterator[Fault]:
    """Sound against the picture that belongs to it; not where the source itself was shifted."""
    astray = {e.unit.slot for e in seen.truth.expected if e.astray}
    placed = [m for m in _placed(seen) if m.expected.unit.slot not in astray]
    pictures = sorted(
        (m.expected.time, m.offset) for m in placed if m.expected.unit.track == "video"
    )
    times = [time for time, _ in pictures]
    off = []
    for each in placed:
        if each.expected.unit.track == "audio" and pictures:
            near = min(bisect_left(times, each.expected.time), len(times) - 1)
            if abs(times[near] - each.expected.time) < 0.5:
                difference = each.offset - pictures[near][1]
                if abs(difference) > SYNC:
                    off.append((each.expected.time, difference))
    if off:
        worst = max(off, key=lambda o: abs(o[1]))
        yield Fault(
            "sync", f"{len(off)} frames of sound, from {off[0][0]:.2f} s, {worst[1]:+.3f} s"
        )


def _seconds(seen: Comparison, answer: Answer) -> Iterator[Fault]:
    if any(e.astray for e in seen.truth.expected) and answer.verdict == "degraded":
        return
    for track in sorted({e.unit.track for e in seen.truth.expected}):
        low, high = _lost(seen, track)
        said = answer.lost.get(track, 0.0)
        if not low - seen.truth.claimed - WRONG <= said <= high + WRONG:
            yield Fault("seconds", f"{track}: said {said:.3f}, true {low:.3f} to {high:.3f}")


def _lost(seen: Comparison, track: str) -> tuple[float, float]:
    """What is gone, and what else is not in the result or may be taken for lost."""
    own = [e for e in seen.truth.expected if e.unit.track == track]
    absent = {e.unit.digest for e in seen.absent}
    gone = sum(e.duration for e in own if e.fate is Fate.GONE)
    more = sum(e.duration for e in own if e.fate is not Fate.GONE and (e.unit.digest in absent))
    spare = sum(e.duration for e in own if e.fate is Fate.SPARE and e.unit.digest not in absent)
    return gone, gone + more + spare + seen.truth.maybe.get(track, 0.0)


def _listed(units: list[Expected]) -> str:
    said = []
    for track in sorted({e.unit.track for e in units}):
        own = [e for e in units if e.unit.track == track]
        seconds = sum(e.duration for e in own)
        slots = sorted({e.unit.slot for e in own})
        said.append(f"{len(own)} {track} units, {seconds:.2f} s, in slots {slots}")
    return "; ".join(said)


def _places(samples: list[Sample] | tuple[Sample, ...]) -> str:
    first = ", ".join(f"{s.track} {s.time:.2f} s {s.size} bytes" for s in samples[:3])
    return f"{len(samples)} samples: {first}"


def _offsets(moved: list[Matched], common: float) -> str:
    worst = max(moved, key=lambda m: abs(m.offset - common))
    tracks = sorted({m.expected.unit.track for m in moved})
    slots = sorted({m.expected.unit.slot for m in moved})
    return (
        f"{len(moved)} units ({' and '.join(tracks)}) of slots {slots}, "
        f"by up to {worst.offset - common:+.3f} s"
    )
