"""What was measured as SVG, on the axis of the coverage bar: each a pure function from facts."""

from collections.abc import Iterable, Iterator, Sequence

from pipeline.report.axis import Axis
from pipeline.report.drawing.svg import element, path, percent, text, title
from pipeline.report.facts import Facts, Measured
from pipeline.report.words import bit_rate, lasting

CHART = 44  # pixels: the height of a chart
BAND = 20  # of the band of sizes
WIDE = 1000  # units: the width of a chart whose lines are stretched to any width


def waveform(facts: Facts) -> str:
    """The loudest sample of each column up and down from the middle; silences are a line."""
    measured = facts.measured
    if measured is None or not measured.peaks:
        return ""
    halves = [
        max((peak or 0.0) ** 0.6 * 48, 0.6) for peak in measured.peaks
    ]  # speech is far from 1
    edge = _edge(facts.axis, measured.step, halves)
    outline = [(x, 50 - half) for x, half in edge] + [(x, 50 + half) for x, half in reversed(edge)]
    shape = element("path", d=path(outline, closed=True), class_="wave")
    silent = [
        _strip(facts.axis, (begin, end), "silence", f"silent for {lasting(end - begin)}")
        for begin, end in measured.silences
    ]
    words = f"Loudness; {len(measured.silences)} silences of 2 s or more"
    return _chart(words, [*silent, _stretched(shape)])


def rates(facts: Facts) -> str:
    """Bits in a second of all tracks together, and of the sound below it."""
    measured = facts.measured
    if measured is None or not measured.rates:
        return ""
    sums = totals(measured)
    top = max(sums, default=0.0)
    if not top:
        return ""
    shapes = []
    if "video" in measured.rates:
        shapes.append(element("path", d=_area(facts.axis, measured.step, sums, top), class_="rate"))
    sound = measured.rates.get("audio", ())
    shapes.append(
        element("path", d=_area(facts.axis, measured.step, sound, top), class_="rate sound")
    )
    words = f"Bit rate, at most {bit_rate(top)}"
    return _chart(words, [_stretched(*shapes)])


def totals(measured: Measured) -> list[float]:
    """Of all tracks together in each column."""
    columns = max(map(len, measured.rates.values()), default=0)
    return [
        sum(rate[n] for rate in measured.rates.values() if n < len(rate)) for n in range(columns)
    ]


def distance(facts: Facts) -> str:
    """How far the sound of each segment begins behind its picture."""
    if not facts.distances:
        return ""
    most = reach(facts)
    dots = [
        element(
            "circle", cx=percent(facts.axis.share(at)), cy=_height(apart, most), r=1.8, class_="dot"
        )
        for at, apart in thinned(facts.distances)
    ]
    zero = element("line", x1="0", x2="100%", y1=CHART / 2, y2=CHART / 2, class_="zero")
    words = f"Sound behind picture, from {-most * 1000:.0f} to {most * 1000:.0f} ms"
    return _chart(words, [zero, *dots])


def thinned(
    points: Sequence[tuple[float, float]], most: int = 400
) -> Iterator[tuple[float, float]]:
    """At most so many of them, evenly; the lowest and the highest are kept."""
    step = max(1, -(-len(points) // most))
    kept = {0, len(points) - 1, *range(0, len(points), step)}
    values = [apart for _, apart in points]
    kept |= {values.index(max(values)), values.index(min(values))}
    yield from (points[n] for n in sorted(kept))


def reach(facts: Facts) -> float:
    """Seconds from the middle of the chart of distances to its edge."""
    most = max((abs(apart) for _, apart in facts.distances), default=0.0)
    steps = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
    return next((step for step in steps if most <= step), most)


def _height(apart: float, most: float) -> float:
    return CHART / 2 - apart / most * (CHART / 2 - 3) if most else CHART / 2


def sizes(facts: Facts) -> str:
    """The size of the pictures as they were recorded."""
    if not facts.sizes:
        return ""
    parts = []
    usual = max(facts.sizes, key=lambda one: one.end - one.begin).label
    for one in facts.sizes:
        x, end = facts.axis.share(one.begin), facts.axis.share(one.end)
        also = "" if one.label == usual else " other"
        parts.append(
            element(
                "rect",
                title(one.label),
                x=percent(x),
                width=percent(end - x),
                y=0,
                height=BAND,
                class_=f"size{also}",
            )
        )
        if end - x > 11:
            parts.append(
                element("text", text(one.label), x=percent(x), dx=6, y=14, class_="label inside")
            )
    words = "Size of the pictures: " + ", ".join(dict.fromkeys(one.label for one in facts.sizes))
    return _chart(words, parts, BAND)


def _chart(words: str, parts: Iterable[str], height: int = CHART) -> str:
    inside = [title(words), *parts]
    return element("svg", *inside, class_="chart", width="100%", height=height, role="img")


def _strip(axis: Axis, span: tuple[float, float], kind: str, why: str) -> str:
    x, last = (axis.share(axis.of(at)) for at in span)
    place = {"x": percent(x), "width": percent(last - x), "y": 0, "height": CHART}
    return element("rect", title(why), **place, class_=kind)


def _stretched(*shapes: str) -> str:
    """Shapes in units of a thousandth of the width and a hundredth of the height."""
    return element(
        "svg",
        *shapes,
        viewBox=f"0 0 {WIDE} 100",
        preserveAspectRatio="none",
        width="100%",
        height=CHART,
    )


def _area(axis: Axis, step: float, values: Sequence[float], top: float) -> str:
    edge = _edge(axis, step, values)
    if not edge:
        return ""
    points = [(x, 100 - value / top * 94) for x, value in edge]
    return path([(edge[0][0], 100), *points, (edge[-1][0], 100)], closed=True)


def _edge(axis: Axis, step: float, values: Sequence[float]) -> list[tuple[float, float]]:
    """Columns of so many seconds of the result as steps; nothing where it has no time."""
    points: list[tuple[float, float]] = []
    for n, value in enumerate(values):
        middle = axis.of((n + 0.5) * step)
        begin, end = middle - step / 2, middle + step / 2
        x, last = axis.share(begin) * WIDE / 100, axis.share(end) * WIDE / 100
        x = max(x, points[-1][0]) if points else x
        if points and x - points[-1][0] > 2 * WIDE / 1000:
            points += [(points[-1][0], 0.0), (x, 0.0)]
        points += [(x, value), (last, value)]
    return points
