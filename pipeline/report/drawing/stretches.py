"""The charts in numbers: even stretches of the axis, one row of a table each."""

from collections.abc import Sequence

from msgspec import Struct

from pipeline.report.facts import Facts

ROWS = 48  # of the table


class Stretch(Struct, frozen=True):
    """What there is between two moments; None where nothing was measured."""

    begin: float  # seconds of the axis
    peak: float | None = None  # the loudest sample, 0 to 1
    video: float | None = None  # bits in a second, on average
    audio: float | None = None
    apart: float | None = None  # seconds by which sound begins behind picture, the most
    size: str = ""


def stretches(facts: Facts) -> list[Stretch]:
    """All of a recording; none where nothing was measured at all."""
    if not facts.axis.length or not (facts.measured or facts.distances):
        return []
    step = facts.axis.length / ROWS
    return [_stretch(facts, n * step, (n + 1) * step) for n in range(ROWS)]


def _stretch(facts: Facts, begin: float, end: float) -> Stretch:
    measured = facts.measured
    peaks: list[float] = []
    rates: dict[str, float | None] = {}
    if measured:
        first, last = (int(facts.axis.back(at) / measured.step) for at in (begin, end))
        last = max(last, first + 1)
        peaks = [one for one in measured.peaks[first:last] if one is not None]
        rates = {kind: _mean(values[first:last]) for kind, values in measured.rates.items()}
    apart = [one for at, one in facts.distances if begin <= at < end]
    sizes = [one.label for one in facts.sizes if one.begin < end and one.end > begin]
    return Stretch(
        begin,
        max(peaks, default=None),
        rates.get("video"),
        rates.get("audio"),
        max(apart, key=abs) if apart else None,
        ", ".join(dict.fromkeys(sizes)),
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
