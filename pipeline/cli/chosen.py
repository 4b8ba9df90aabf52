"""What was chosen on the command line, as jobs take it."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline import config
from pipeline.cli import options
from pipeline.errors import UsageError

if TYPE_CHECKING:  # at run time these would load numpy, also for --help
    from pipeline.jobs.destinations import Opener
    from pipeline.jobs.options import Options
    from pipeline.jobs.selection import Selection


def opener(chosen: Mapping[str, Any]) -> "Opener":
    """How locations are opened, those of the settings file among them."""
    from pipeline.jobs import many
    from pipeline.storage.pace import paced

    names = ("endpoint_url", "region", "profile")
    file = click.get_current_context().ensure_object(options.State).file
    at = {name: chosen[name] for name in names}
    opened = many.opener(chosen.get("jobs"), settings=file, **at)
    rate = chosen.get("bwlimit")
    return paced(opened, rate) if rate is not None else opened


def settings(chosen: Mapping[str, Any]) -> "Options":
    """How to convert, or to check.  What a command does not ask for is as usual."""
    from pipeline.jobs.options import Options
    from pipeline.model import Format, OnChange, OnLoss

    return Options(
        format=Format(chosen.get("format", Format.MP4)),
        on_loss=OnLoss(chosen["on_loss"]),
        sparse_sound=chosen.get("sparse_sound", False),
        accept_unfinished=chosen["accept_unfinished"],
        stream_types=options.STREAM_WORDS.get(chosen["stream_types"]),
        deep=chosen.get("deep", False),
        force=chosen.get("force", False),
        on_change=OnChange(chosen["on_change"]),
        keys=_keys(chosen["key"]),
        spool=spool(chosen),
    )


def selection(chosen: Mapping[str, Any]) -> "Selection":
    """Which recordings are meant."""
    from pipeline.jobs.selection import Selection

    ages = (chosen["min_age"], chosen["max_age"])
    return Selection(tuple(chosen["include"]), tuple(chosen["exclude"]), *ages)


def spool(chosen: Mapping[str, Any]) -> Path:
    """Where segments from a store are kept meanwhile."""
    return Path(chosen["spool"]) if chosen["spool"] else config.default_spool()


def _keys(file: str | None) -> tuple[bytes, ...]:
    """What a file holds that was named with ``--key``; no message tells anything of it."""
    from pipeline.media.containers.aes128 import MAX_KEY, keys_of
    from pipeline.storage.oserrors import os_errors

    if not file:
        return ()
    with os_errors(f"read the key {file}"), Path(file).open("rb") as opened:
        keys = keys_of(opened.read(MAX_KEY))
    if not keys:
        raise UsageError(f"{file}: no key, expected 16 bytes or lines of 32 hexadecimal digits")
    return keys
