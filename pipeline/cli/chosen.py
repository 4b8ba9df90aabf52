"""What was chosen on the command line, as jobs take it."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline import config
from pipeline.choices import CHOICES
from pipeline.cli.options import Invocation

if TYPE_CHECKING:  # at run time these would load numpy, also for --help
    from pipeline.jobs.options import Options
    from pipeline.jobs.output.destinations import Opener
    from pipeline.jobs.selection import Budget, Selection


def opener(chosen: Mapping[str, Any]) -> "Opener":
    """A function that opens locations, also @NAME of the settings, with ``--bwlimit`` if given."""
    from pipeline.jobs import many
    from pipeline.storage.pace import paced

    names = ("endpoint_url", "region", "profile")
    file = click.get_current_context().ensure_object(Invocation).file
    at = {name: chosen[name] for name in names}
    opened = many.opener(chosen.get("jobs"), settings=file, **at)
    rate = chosen.get("bwlimit")
    return paced(opened, rate) if rate is not None else opened


def settings(chosen: Mapping[str, Any]) -> "Options":
    """How to convert or check; choices that a command does not have keep their defaults."""
    from pipeline.jobs.options import options

    named = {name: chosen[name] for name in CHOICES if name in chosen}
    return options(chosen["spool"], **named)


def selection(chosen: Mapping[str, Any]) -> "Selection":
    """Which recordings are meant by name and age."""
    from pipeline.jobs.selection import Selection

    ages = (chosen["min_age"], chosen["max_age"])
    return Selection(tuple(chosen["include"]), tuple(chosen["exclude"]), *ages)


def budget(chosen: Mapping[str, Any]) -> "Budget":
    """How much one run may do; a command that lacks the options has no limit."""
    from pipeline.jobs.selection import Budget

    return Budget(chosen.get("limit"), chosen.get("max_duration"), chosen.get("max_bytes"))


def spool(chosen: Mapping[str, Any]) -> Path:
    """The folder where segments from a store are kept while in use."""
    return Path(chosen["spool"]) if chosen["spool"] else config.default_spool()
