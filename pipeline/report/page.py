"""One recording as a page, and many as one: self-contained, without a request to anywhere."""

import base64
import hashlib
from collections.abc import Sequence

from markupsafe import Markup
from msgspec import Struct

from pipeline.model import Verdict
from pipeline.report import parts
from pipeline.report.drawing import bar
from pipeline.report.facts import Facts
from pipeline.version import VERSION


def policy() -> str:
    """What a page may do (Content Security Policy): nothing but its own style and script, pictures
    in itself and files beside it.
    """
    rules = [
        "default-src 'none'",
        f"style-src '{_hash(parts.STYLE)}'",
        f"script-src '{_hash(parts.SCRIPT)}'",
        "img-src data:",
        "media-src 'self' file:",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    return "; ".join(rules)


def _hash(text: str) -> str:
    """As a policy names it (CSP level 3, section 2.3.1)."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def content(facts: Facts) -> Markup:
    """What stands on a page about one recording, without head and frame."""
    return parts.rendered("content.html", facts=facts, parts=parts)


def page(facts: Facts) -> str:
    """A whole page about one recording."""
    title = f"{parts.WORDS[facts.report.verdict]}: {facts.channel}"
    return _framed(title, content(facts))


def _framed(title: str, inside: Markup) -> str:
    return str(
        parts.rendered(
            "page.html",
            title=title,
            inside=inside,
            hatches=parts.hatches(),
            policy=policy(),
            style=Markup(parts.STYLE),
            script=Markup(parts.SCRIPT),
            version=VERSION,
        )
    )


class Row(Struct, frozen=True):
    """One recording on the page of many; ``link`` leads to its own page, empty where there is
    none.
    """

    facts: Facts
    link: str = ""


def overview(rows: Sequence[Row], title: str = "Recordings") -> str:
    """A page about many recordings."""
    return _framed(title, listing(rows, title))


def listing(rows: Sequence[Row], title: str) -> Markup:
    """The same without head and frame."""
    counts = dict.fromkeys(Verdict, 0)
    for row in rows:
        counts[row.facts.report.verdict] += 1
    lines = [
        (row, Markup(bar.sparkline(row.facts.lanes, row.facts.axis, row.facts.joins)))
        for row in rows
    ]
    return parts.rendered(
        "overview.html",
        title=title,
        lines=lines,
        counts=counts,
        word=parts.WORDS,
        sign=parts.SIGNS,
        lost=sum(_lost(row.facts) for row in rows),
        lost_of=_lost,
    )


def _lost(facts: Facts) -> float:
    """Seconds of the track that lost most."""
    return max(facts.report.lost_seconds.values(), default=0.0)
