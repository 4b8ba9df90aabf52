"""The parts of a page: each a function from facts to HTML that any page may take in.

A page that does needs :data:`STYLE`, may have :data:`SCRIPT`, and holds :func:`hatches` once.
"""

import base64
from collections.abc import Callable
from functools import cache
from importlib import resources

import jinja2
from markupsafe import Markup

from pipeline.model import Verdict
from pipeline.report import words
from pipeline.report.drawing import bar as bars
from pipeline.report.drawing import charts as drawn
from pipeline.report.drawing.stretches import stretches
from pipeline.report.facts import Facts, Measured
from pipeline.report.lanes import Cause, form
from pipeline.storage.names import printable

ROWS = 2000  # of a table, at most: a page of 10 h stays below 2 MB
SHOWN = 5  # places of a finding that are shown before the rest is asked for

_TEMPLATES = resources.files("pipeline.report") / "templates"
STYLE = (_TEMPLATES / "style.css").read_text(encoding="utf-8")
SCRIPT = (_TEMPLATES / "script.js").read_text(encoding="utf-8")

WORDS = {  # of each verdict, for people
    Verdict.OK: "Complete",
    Verdict.REPAIRED: "Complete, repaired",
    Verdict.DEGRADED: "Media lost",
    Verdict.REJECTED: "Rejected",
    Verdict.PENDING: "Not finished",
}
SIGNS = {  # so that colour is not all that tells them apart
    Verdict.OK: "✓",
    Verdict.REPAIRED: "✓",
    Verdict.DEGRADED: "!",
    Verdict.REJECTED: "×",
    Verdict.PENDING: "…",
}


@cache
def environment() -> jinja2.Environment:
    """Every value of a template is text unless a drawing made it."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("pipeline.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_one_line,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "lasting": words.lasting,
        "position": words.position,
        "exact": words.exact,
        "number": words.number,
        "bytes": words.in_bytes,
        "bit_rate": words.bit_rate,
        "decibels": words.decibels,
        "name": words.name,
        "clock": words.clock,
        "form": form,
    }
    made.globals |= {"plural": words.plural, "ROWS": ROWS, "SHOWN": SHOWN}
    return made


def _one_line(value: object) -> object:
    """Text without control characters, and without what turns its direction."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def rendered(template: str, **values: object) -> Markup:
    """A template with these values."""
    return Markup(environment().get_template(template).render(**values))


def hatches() -> Markup:
    """The patterns that the bars refer to."""
    return Markup(bars.patterns())


def verdict(facts: Facts) -> Markup:
    """Name, verdict and what it means in a sentence, with the figures that are asked for first."""
    return rendered("verdict.html", facts=facts, word=WORDS, sign=SIGNS)


def bar(facts: Facts) -> Markup:
    """The coverage bar on the wall clock: a lane for each track, hatched by cause; its legend."""
    lanes = [(one, Markup(bars.lane(one, facts.axis, facts.joins))) for one in facts.lanes]
    causes = [cause for cause in Cause if cause in _seen(facts)]
    legend = [(Markup(bars.swatch(cause)), bars.CAUSES[cause]) for cause in causes]
    scale = Markup(bars.scale(facts.axis))
    return rendered("bar.html", facts=facts, lanes=lanes, legend=legend, scale=scale)


def _seen(facts: Facts) -> set[Cause]:
    return {s.cause for lane in facts.lanes for s in lane.spans} | {j.cause for j in facts.joins}


def charts(facts: Facts) -> Markup:
    """What was measured, on the axis of the bar."""
    measured = facts.measured
    drawings = [
        ("Loudness", _silent(measured), drawn.waveform(facts)),
        ("Bit rate", _rate(measured), drawn.rates(facts)),
        ("Sound behind picture", _apart(facts), drawn.distance(facts)),
        (
            "Picture size",
            ", ".join(dict.fromkeys(x.label for x in facts.sizes)),
            drawn.sizes(facts),
        ),
    ]
    shown = [(label, told, Markup(svg)) for label, told, svg in drawings if svg]
    return rendered("charts.html", charts=shown)


def _silent(measured: Measured | None) -> str:
    if measured is None:
        return ""
    total = sum(end - begin for begin, end in measured.silences)
    return f"silent for {words.lasting(total)}" if total else "no silence of 2 s"


def _rate(measured: Measured | None) -> str:
    sums = drawn.totals(measured) if measured else []
    return f"up to {words.bit_rate(max(sums))}" if sums else ""


def _apart(facts: Facts) -> str:
    return f"± {drawn.reach(facts) * 1000:.0f} ms"


def player(facts: Facts) -> Markup:
    """The result itself where it lies beside the page, and its contact sheet."""
    pictures = facts.measured.pictures if facts.measured else ()
    sheet = [
        (one.at, f"data:image/jpeg;base64,{base64.b64encode(one.jpeg).decode()}")
        for one in pictures
    ]
    return rendered("player.html", facts=facts, sheet=sheet, link=linked(facts))


def linked(facts: Facts) -> Callable[[float], str]:
    """The address of a moment of the result (a media fragment); empty where no file is beside."""

    def link(at: float) -> str:
        files = [one for one in facts.media if one.begin <= at] or list(facts.media)
        if not files:
            return ""
        return f"{files[-1].url}#t={max(at - files[-1].begin, 0.0):.1f}"

    return link


def findings(facts: Facts) -> Markup:
    """What a person must look at, and what one should know."""
    return rendered("findings.html", facts=facts, link=linked(facts))


def missing(facts: Facts) -> Markup:
    """Every span that is not plainly there, as a table."""
    spans = [(lane.label, span) for lane in facts.lanes for span in lane.spans] + [
        ("All", join) for join in facts.joins
    ]
    rows = sorted(spans, key=lambda row: round(row[1].begin, 1))
    return rendered("missing.html", facts=facts, rows=rows, causes=bars.CAUSES, link=linked(facts))


def along(facts: Facts) -> Markup:
    """The charts as a table: even stretches of the axis."""
    rows = stretches(facts)
    return rendered("along.html", rows=rows) if rows else Markup()


def account(facts: Facts) -> Markup:
    """What was promised and what was delivered, in all and for each segment that is not whole."""
    return rendered("account.html", facts=facts) if facts.report.account else Markup()


def proof(facts: Facts) -> Markup:
    """What was compared with what, and what the result is."""
    return rendered("proof.html", facts=facts)


def inputs(facts: Facts) -> Markup:
    """Everything that was read, with its digest."""
    return rendered("inputs.html", facts=facts) if facts.making else Markup()
