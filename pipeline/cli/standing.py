"""Where recordings and stores stand, as text for people.

Rows are those of :mod:`pipeline.ledger.queries`; times are seconds since the epoch.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import click

Row = dict[str, Any]

DEGRADED = "degraded"
_COLOURS = {"failed": "red", "rejected": "red", "retry": "yellow", "late": "yellow"}
_COLOURS |= {"lost": "yellow", "backuped": "yellow", "changed": "cyan", "published": "green"}
_COLOURS |= {DEGRADED: "yellow"}


def open_or_bad(row: Row) -> bool:
    """Whether a recording is not published, or was published with a loss."""
    return _word(row) != "published"


def _word(row: Row) -> str:
    """The state of a recording; of a published one "degraded" if it is."""
    state = str(row["state"].value)
    return DEGRADED if state == "published" and row["verdict"] == DEGRADED else state


def lines(rows: Sequence[Row], now: float) -> Iterator[str]:
    """One for each recording, with its destination where there are several."""
    from pipeline.ledger.times import ago
    from pipeline.storage.names import printable

    times = Counter(row["name"] for row in rows)
    for row in rows:
        word = click.style(f"{_word(row):<9}", fg=_COLOURS.get(_word(row)))
        held = " held" if row["held"] else ""
        to = f" -> {row['destination']}" if times[row["name"]] > 1 else ""
        why = f"  {row['why']}" if row["why"] else ""
        said = printable(row["name"] + to + why)
        yield f"{word} {ago(now - row['since']):>4}{held}  {said}"


def counts(rows: Sequence[Row]) -> str:
    """How many recordings are in each state."""
    found = Counter(row["state"].value for row in rows)
    degraded = sum(_word(row) == DEGRADED for row in rows)
    of_them = {"published": f" ({degraded} {DEGRADED})"} if degraded else {}
    said = [f"{count} {state}{of_them.get(state, '')}" for state, count in sorted(found.items())]
    return ", ".join(said) or "no recording is known"


def store(row: Row, now: float) -> str:
    """The line of a store: when it was last listed, and why not since."""
    from pipeline.ledger.times import ago
    from pipeline.storage.names import printable

    listed, failed = row["listed"], row["failed"]
    blind = failed is not None and (listed is None or failed > listed)
    if listed is None:
        seen = "never looked at"
    else:
        seen = f"{'not looked at for' if blind else 'looked at'} {ago(now - listed)}"
        seen += "" if blind else " ago"
    why = f"; {ago(now - failed)} ago: {row['error']}" if blind else ""
    word = click.style(f"{'blind' if blind else 'store':<9}", fg="red" if blind else None)
    return f"{word}       {printable(row['store'])} -> {printable(row['destination'])}: " + (
        printable(seen + why)
    )


def last(run: Row | None, now: float) -> str:
    """The line about the watcher that last gave a sign of life; None: there never was one."""
    from pipeline.ledger.times import ago

    if run is None:
        return "no watcher ever ran"
    if run["ended"]:
        return f"the last watcher ended {ago(now - run['ended'])} ago ({run['exit_code']})"
    return f"a watcher on {run['host']} gave a sign of life {ago(now - run['heartbeat'])} ago"
