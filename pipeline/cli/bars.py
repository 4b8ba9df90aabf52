"""Bars on a terminal: one of all recordings, and one for each that is being worked on."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Column

from pipeline import config
from pipeline.cli.moment import LONGEST, Moment, remaining
from pipeline.cli.output import is_terminal

BAR = 16  # columns
BESIDE = LONGEST + BAR + len(" 100%") + 3  # columns of a line that are not for facts

Counter = TypeVar("Counter")


class Bars:
    """Draws a moment; what is finished disappears."""

    def __init__(self) -> None:
        self._progress = Progress(
            _text("{task.description}"),
            BarColumn(bar_width=BAR),
            _text("{task.fields[percent]:>4}"),
            _text("{task.fields[said]}"),
            console=Console(stderr=True, soft_wrap=True, no_color=not config.colour_wanted()),
            redirect_stdout=is_terminal(sys.stdout),  # what goes into a pipe stays there
            transient=True,
        )
        self._drawn: dict[str, TaskID] = {}  # by recording; "" is all of them

    @contextmanager
    def around(self, counter: Counter) -> Iterator[Counter]:
        """Shows bars while what is counted goes on."""
        with self._progress:
            yield counter

    def show(self, moment: Moment) -> None:
        """That of all comes first; a single one needs none."""
        for gone in self._drawn.keys() - {"", *(part.name for part in moment.parts)}:
            self._progress.remove_task(self._drawn.pop(gone))
        if moment.total != 1 or not moment.parts:
            share = None if moment.total is None else moment.share
            facts = (remaining(moment.left), moment.speed, moment.amount)
            self._draw("", moment.count, share, *facts)
        speed = moment.speed if moment.total == 1 else ""
        for part in moment.parts:
            left, now = remaining(part.left(moment.now)), part.speed(moment.now) or speed
            self._draw(part.name, part.short, part.share, part.stage, left, now)

    def _draw(self, name: str, shown: str, share: float | None, *facts: str) -> None:
        if name not in self._drawn:
            total = None if share is None else 1.0
            self._drawn[name] = self._progress.add_task(shown, total=total, percent="", said="")
        bar, said = self._drawn[name], _fitting(facts, self._progress.console.width - BESIDE)
        percent = "" if share is None else f"{share:.0%}"
        self._progress.update(bar, description=shown, completed=share, percent=percent, said=said)


def _fitting(facts: Sequence[str], room: int) -> str:
    """As many as there is room for, the first ones first; a whole one or none of it."""
    said = list(filter(None, facts))
    while said and len(", ".join(said)) > room:
        said.pop()
    return ", ".join(said)


def _text(form: str) -> TextColumn:
    """Text that is shown as it is: names of recordings are anybody's."""
    return TextColumn(form, markup=False, table_column=Column(no_wrap=True))
