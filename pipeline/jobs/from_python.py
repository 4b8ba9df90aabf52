"""Many recordings by one call from Python."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, TypedDict, Unpack

from msgspec import Struct

from pipeline.choices import CHOICES, ConversionChoices
from pipeline.errors import UsageError
from pipeline.jobs.many import Task, aim, check_all, convert_all, find, opener
from pipeline.jobs.options import Options, options
from pipeline.jobs.outcomes import Outcome
from pipeline.jobs.output.destinations import Opener, destination
from pipeline.muxing import locate

LOCAL = "local"


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
    executor: str | Executor = LOCAL,
    **asked: Unpack[Asked],
) -> list[Outcome]:
    """Convert every recording of the sources, and say what became of each.  Safe to repeat.

    The keywords are those of :class:`~pipeline.choices.ConversionChoices` and :class:`Places`, and
    mean what the options of ``recpipe convert`` of that name mean; ``ffmpeg`` is a program or the
    folder it is in; ``executor`` may also be any of ``concurrent.futures`` whose workers have
    recpipe, and stays open.  Raises what makes the whole call impossible: TypeError for another
    keyword, ValueError for a word that is none of its choices, UsageError for an output, a key or
    an executor that cannot be, FfmpegMissingError, ExecutorLostError.
    """
    how = _how(asked)
    works, failures = find(_texts(source), how.opened)
    works, refused = aim(works, destination(str(output), how.options.format, how.opened))
    if executor != LOCAL:
        _refuse_own(ffmpeg=ffmpeg, encode_jobs=how.encodes)
        return [*failures, *refused, *_elsewhere(works, executor, how, asked, output=str(output))]
    pair = locate.locate(ffmpeg)
    made = convert_all(works, pair, how.options, jobs=how.jobs, encodes=how.encodes)
    return [*failures, *refused, *made]


def check(
    source: str | Path | Sequence[str | Path],
    *,
    executor: str | Executor = LOCAL,
    **asked: Unpack[Asked],
) -> list[Outcome]:
    """The same without making anything."""
    how = _how(asked)
    works, failures = find(_texts(source), how.opened)
    if executor != LOCAL:
        return [*failures, *_elsewhere(works, executor, how, asked)]
    return [*failures, *check_all(works, how.options, jobs=how.jobs)]


def _elsewhere(
    works: Sequence[Task],
    where: str | Executor,
    how: "_How",
    asked: Mapping[str, Any],
    *,
    output: str = "",
) -> list[Outcome]:
    from pipeline.jobs.executors import elsewhere

    if not isinstance(where, str | Executor):
        raise TypeError(f"executor: {where!r} is neither a URL nor a concurrent.futures.Executor")
    reached = (asked.get(name) for name in ("endpoint_url", "region", "profile"))
    choices, stores = elsewhere.choices(asked, how.options), elsewhere.stores(*reached)
    order = elsewhere.Order(how.options, choices, stores, output, jobs=how.jobs)
    return list(elsewhere.outcomes(works, where, order))


def _refuse_own(**own: object) -> None:
    """UsageError for what would be about this machine."""
    for name in (name for name, value in own.items() if value is not None):
        raise UsageError(f"{name}: workers have their own: set RECPIPE_{name.upper()} there")


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
    for name, count in (("jobs", jobs), ("encode_jobs", encodes)):
        if count is not None and count < 1:
            raise UsageError(f"{name}: {count}, expected at least 1")
    return _How(opener(jobs, **places), how, jobs, encodes)


def _texts(source: str | Path | Sequence[str | Path]) -> list[str]:
    return [str(source)] if isinstance(source, str | Path) else [str(one) for one in source]
