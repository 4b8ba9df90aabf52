"""The coverage bar as SVG: lanes, hatches, the scale below them, and a small one for lists."""

from collections.abc import Sequence

from pipeline.report.axis import Axis, ticks
from pipeline.report.drawing.svg import element, percent, text, title
from pipeline.report.lanes import Cause, Lane, Span
from pipeline.report.words import lasting

BAR = 30  # pixels: the height of a lane of the coverage bar
FINE = 0.15  # percent of the width: what is narrower gets a mark as well
HATCH = 7  # pixels from one line of a hatch to the next

# How a cause is drawn: its pattern, a path in a square of so many pixels.
HATCHES: dict[Cause, tuple[int, str]] = {
    Cause.KEPT: (HATCH, f"M-1 {HATCH + 1}L{HATCH + 1} -1"),  # strokes that rise
    Cause.FILLED: (HATCH, f"M-1 -1L{HATCH + 1} {HATCH + 1}"),  # strokes that fall
    Cause.LOST: (8, "M0 0L8 8M0 8L8 0"),  # crossed strokes
    Cause.ABSENT: (6, "M3 2.2V3.8"),  # dots
    Cause.REENCODED: (5, "M2.5 0V5"),  # upright strokes
}
CAUSES: dict[Cause, str] = {
    Cause.KEPT: "lost, its time kept",
    Cause.FILLED: "lost, filled with black or silence",
    Cause.LOST: "lost, and no time for it in the file",
    Cause.ABSENT: "not sent: no loss",
    Cause.REENCODED: "re-encoded",
    Cause.JOINED: "goes on with a failover part",
}


def patterns(prefix: str = "hatch") -> str:
    """The hatches of all causes, once on a page; others refer to them by ``url(#hatch-kept)``."""
    found = []
    for cause, (size, strokes) in HATCHES.items():
        ground = element("rect", width=size, height=size, class_=f"ground {cause.value}")
        lines = element("path", d=strokes, class_=f"strokes {cause.value}")
        found.append(
            element(
                "pattern",
                ground,
                lines,
                id=f"{prefix}-{cause.value}",
                width=size,
                height=size,
                patternUnits="userSpaceOnUse",
            )
        )
    return element(
        "svg", element("defs", *found), class_="patterns", width=0, height=0, aria_hidden="true"
    )


def swatch(cause: Cause) -> str:
    """A cause as the legend shows it."""
    inside = (
        _line("50%", 14, cause, "")
        if cause is Cause.JOINED
        else _block(cause, 0.0, 100.0, height=14)
    )
    return element("svg", inside, class_="swatch", width=22, height=14, aria_hidden="true")


def lane(one: Lane, axis: Axis, joins: Sequence[Span] = (), height: int = BAR) -> str:
    """One lane of the coverage bar."""
    parts = [element("rect", x="0", y=0, width="100%", height=height, class_="nothing")]
    for begin, end in one.present:
        x, width = axis.share(begin), axis.share(end) - axis.share(begin)
        parts.append(
            element("rect", x=percent(x), width=percent(width), y=0, height=height, class_="media")
        )
    parts += [_span(span, axis, height) for span in one.spans]
    parts += [
        _line(percent(axis.share(join.begin)), height, join.cause, join.why) for join in joins
    ]
    return element(
        "svg",
        title(described(one, axis)),
        *parts,
        class_=f"lane {one.kind}",
        width="100%",
        height=height,
        role="img",
    )


def described(one: Lane, axis: Axis) -> str:
    """A lane in words, for who does not see it."""
    told = [f"{CAUSES[s.cause]}: {s.why}, at {_share(axis, s.begin)}" for s in one.spans[:12]]
    more = [f"and {len(one.spans) - 12} more"] if len(one.spans) > 12 else []
    whole = "; ".join([*told, *more]) or "there from the beginning to the end"
    return f"{one.label}, {lasting(axis.length)}: {whole}"


def _share(axis: Axis, seconds: float) -> str:
    return f"{axis.share(seconds):.0f} % of the time"


def _span(span: Span, axis: Axis, height: int) -> str:
    begin, end = axis.share(span.begin), axis.share(span.end)
    why = f"{CAUSES[span.cause]}: {span.why}"
    block = _block(span.cause, begin, end - begin, height=height, why=why)
    if end - begin >= FINE:
        return block
    return block + _line(percent((begin + end) / 2), height, span.cause, why)


def _block(cause: Cause, x: float, width: float, *, height: int, why: str = "") -> str:
    return element(
        "rect",
        *([title(why)] if why else []),
        x=percent(x),
        width=percent(width),
        y=0,
        height=height,
        fill=f"url(#hatch-{cause.value})",
        class_=f"span {cause.value}",
        data_cause=cause.value,
    )


def _line(x: str, height: int, cause: Cause, why: str) -> str:
    """A mark where a span has no width of its own."""
    told = [title(why)] if why else []
    return element(
        "line",
        *told,
        x1=x,
        x2=x,
        y1=0,
        y2=height,
        class_=f"mark {cause.value}",
        data_cause=cause.value,
    )


def scale(axis: Axis) -> str:
    """The marks of the axis with their times; every second one can be left out where it is
    narrow.
    """
    marks = []
    for n, tick in enumerate(ticks(axis)):
        x = axis.share(tick.at)
        anchor = "start" if x < 4 else "end" if x > 96 else "middle"
        also = " odd" if n % 2 else ""
        marks.append(
            element("line", x1=percent(x), x2=percent(x), y1=0, y2=5, class_=f"tick{also}")
        )
        label = element(
            "text", text(tick.label), x=percent(x), y=18, text_anchor=anchor, class_=f"label{also}"
        )
        marks.append(label)
    return element("svg", *marks, class_="scale", width="100%", height=22, aria_hidden="true")


def sparkline(lanes: Sequence[Lane], axis: Axis, joins: Sequence[Span] = ()) -> str:
    """All lanes of a recording in the height of a line."""
    high = 7
    rows = [
        element("svg", lane(one, axis, joins, high), y=n * (high + 2), height=high, width="100%")
        for n, one in enumerate(lanes[:3])
    ]
    height = max(1, len(rows)) * (high + 2)
    return element("svg", *rows, class_="spark", width="100%", height=height)
