"""What was chosen on the command line, as jobs take it."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline import config
from pipeline.choices import CHOICES
from pipeline.cli.options import Invocation
from pipeline.errors import UsageError

if TYPE_CHECKING:  # at run time these would load numpy, also for --help
    from pipeline.jobs.limits.budget import Budget
    from pipeline.jobs.options import Options
    from pipeline.jobs.output.destinations import Opener
    from pipeline.jobs.selection import Selection

UID = re.compile(r"[1-9][0-9]{0,9}")


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
    from msgspec.structs import replace

    from pipeline.jobs.options import options

    named = {name: chosen[name] for name in CHOICES if name in chosen}
    return replace(options(chosen["spool"], **named), uids=_uids(chosen.get("of_uid", ())))


def _uids(given: Sequence[str]) -> tuple[str, ...]:
    for uid in given:
        if not UID.fullmatch(uid):
            raise UsageError(f"--uid: {uid!r} is none; it is a number, as in the names of slices")
    return tuple(dict.fromkeys(given))


def selection(chosen: Mapping[str, Any]) -> "Selection":
    """Which recordings are meant by name and age."""
    from pipeline.jobs.selection import Selection

    ages = (chosen["min_age"], chosen["max_age"])
    return Selection(tuple(chosen["include"]), tuple(chosen["exclude"]), *ages)


def budget(chosen: Mapping[str, Any]) -> "Budget":
    """How much one run may do; a command that lacks the options has no limit."""
    from pipeline.jobs.limits.budget import Budget

    return Budget(chosen.get("limit"), chosen.get("max_duration"), chosen.get("max_bytes"))


def spool(chosen: Mapping[str, Any]) -> Path:
    """The folder where segments from a store are kept while in use."""
    return Path(chosen["spool"]) if chosen["spool"] else config.default_spool()
