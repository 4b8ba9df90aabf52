"""Elements of SVG as text; whatever is put into one is escaped here and nowhere else.

Places are percent of the width and heights pixels, so that a drawing fills any width without its
text or its hatches being stretched.
"""

from html import escape

from pipeline.report.words import name
from pipeline.storage.names import printable

LONGEST = 2000  # characters of a text


def element(tag: str, *children: str, **attributes: object) -> str:
    """One element.  ``children`` are elements; attributes with ``_`` in their name get a ``-``, and
    those that are None are left out.
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(printable(_plain(value)))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inside = "".join(children)
    return f"<{tag}{given}>{inside}</{tag}>" if inside else f"<{tag}{given}/>"


def text(words: str) -> str:
    """Text between elements: one line, without what could turn its direction."""
    return escape(name(words, LONGEST))


def percent(value: float) -> str:
    """A place or a width, exact to a hundredth of a permille."""
    return f"{value:.3f}".rstrip("0").rstrip(".") + "%"


def title(words: str) -> str:
    """What a mouse shows and a screen reader says."""
    return element("title", text(words))


def path(points: list[tuple[float, float]], *, closed: bool = False) -> str:
    """The data of a path through points, to a tenth of a unit."""
    if not points:
        return ""
    steps = [f"{_short(x)} {_short(y)}" for x, y in points]
    return f"M{'L'.join(steps)}{'Z' if closed else ''}"


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _plain(value: object) -> str:
    return _short(value) if isinstance(value, float) else str(value)
