"""Many recordings by one call from Python."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict, Unpack

from msgspec import Struct

from pipeline.choices import CHOICES, ConversionChoices
from pipeline.jobs.many import aim, check_all, convert_all, find, opener
from pipeline.jobs.options import Options, options
from pipeline.jobs.outcomes import Outcome
from pipeline.jobs.output.destinations import Opener, destination
from pipeline.muxing import locate


class Places(TypedDict, total=False):
    """How stores are reached, and how many recordings are worked on at once."""

    jobs: int | None  # recordings at once; one per processor, at most 4, unless it is said
    encode_jobs: int | None  # of these, how many re-encode; one for every four processors
    spool: str | Path | None  # the folder where segments of a store are kept meanwhile
    endpoint_url: str | None  # where the store is, if it is not AWS
    region: str | None
    profile: str | None  # of ~/.aws/config
    settings: str | Path | None  # the file whose tables [storage.NAME] say what @NAME is


class Asked(Places, ConversionChoices, total=False):
    """All that may be asked for by keyword."""


def convert(
    source: str | Path | Sequence[str | Path],
    output: str | Path,
    *,
    ffmpeg: str | None = None,
    **asked: Unpack[Asked],
) -> list[Outcome]:
    """Convert every recording of the sources, and say what became of each.  Safe to repeat.

    The keywords are those of :class:`~pipeline.choices.ConversionChoices` and :class:`Places`, and
    mean what the options of ``recpipe convert`` of that name mean; ``ffmpeg`` is a program or the
    folder it is in.  Raises what makes the whole call impossible: TypeError for another keyword,
    ValueError for a word that is none of its choices, UsageError for an output or a key that cannot
    be, FfmpegMissingError.
    """
    how = _how(asked)
    works, failures = find(_texts(source), how.opened)
    works, refused = aim(works, destination(str(output), how.options.format, how.opened))
    pair = locate.locate(ffmpeg)
    made = convert_all(works, pair, how.options, jobs=how.jobs, encodes=how.encodes)
    return [*failures, *refused, *made]


def check(source: str | Path | Sequence[str | Path], **asked: Unpack[Asked]) -> list[Outcome]:
    """The same without making anything."""
    how = _how(asked)
    works, failures = find(_texts(source), how.opened)
    return [*failures, *check_all(works, how.options, jobs=how.jobs)]


class _How(Struct, frozen=True):
    """How stores are opened, how to convert, and how many at once."""

    opened: Opener
    options: Options
    jobs: int | None
    encodes: int | None


def _how(asked: Asked) -> _How:
    if unknown := asked.keys() - Asked.__optional_keys__:
        raise TypeError(f"unexpected keyword: {', '.join(sorted(unknown))}")
    chosen: dict[str, Any] = {name: value for name, value in asked.items() if name in CHOICES}
    places: dict[str, Any] = {name: value for name, value in asked.items() if name not in CHOICES}
    how = options(places.pop("spool", None), **chosen)
    jobs, encodes = places.pop("jobs", None), places.pop("encode_jobs", None)
    return _How(opener(jobs, **places), how, jobs, encodes)


def _texts(source: str | Path | Sequence[str | Path]) -> list[str]:
    return [str(source)] if isinstance(source, str | Path) else [str(one) for one in source]
