"""What a worker does: one assignment at a time in each of its threads."""

import sys
from collections import Counter
from functools import cache, lru_cache
from typing import Any

from msgspec.structs import replace

from pipeline import config
from pipeline.choices import Format
from pipeline.errors import RecpipeError, UnplannedError
from pipeline.jobs.executors.assignment import Answer, Assignment, Choices, Identity, Stores
from pipeline.jobs.executors.rediscovery import rediscovered
from pipeline.jobs.finished import standing
from pipeline.jobs.limits.admission import Room
from pipeline.jobs.limits.parallel import Progress
from pipeline.jobs.limits.turns import Turns, turns
from pipeline.jobs.many import READING, Task, attempt, opener
from pipeline.jobs.one import check, process
from pipeline.jobs.options import Options, options
from pipeline.jobs.outcomes import Failure
from pipeline.jobs.output.destinations import Opener, Target, destination
from pipeline.model import Recording, Report
from pipeline.muxing.locate import Ffmpeg, locate
from pipeline.storage import Storage
from pipeline.upkeep import collect_seldom, keep_memory
from pipeline.version import VERSION

_ROOM = Room()  # all threads of a worker write to the same disks
_OPENED = 64  # locations kept open: a store is tried once, not for each recording


def identity() -> Identity:
    """What this process is; FfmpegMissingError without an ffmpeg that works."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return Identity(VERSION, python, _ffmpeg().version)


def carry_out(given: Assignment) -> Answer:
    """Work on one recording: a function of its argument and of what stands in the stores."""
    read: Counter[str] = Counter()

    def count(stage: str, size: int) -> None:
        read[stage] += size

    def action(_: Task, progress: Progress) -> Report:
        if given.output:
            return process(*_found(given), _target(given), _ffmpeg(), _options(given, progress))
        return check(*_found(given), _options(given, progress))

    _prepare()
    try:
        here, named = identity(), _named(given)
    except RecpipeError as error:
        return Answer(Failure(given.id, given.source, error))
    if here != given.by:
        return Answer(None, other=here)
    outcome = attempt(named, action, count)
    size = sum(read[stage] for stage in READING)
    if isinstance(outcome, Failure):
        return Answer(plain(outcome), read=size)
    stands = standing(_target(given), outcome) if given.output else ()
    return Answer(outcome, stands, size)


def _named(given: Assignment) -> Task:
    """What errors say of it."""
    return Task(Recording(given.id, given.source, ()), _source(given))


def _found(given: Assignment) -> tuple[Recording, Storage]:
    source = _source(given)
    sid = None if given.captions else given.sid
    return rediscovered(source, given.key, given.id, sid), source


def plain(failure: Failure) -> Failure:
    """The same so that it can be sent: an error nobody planned may hold anything."""
    if isinstance(failure.error, RecpipeError):
        return failure
    return replace(failure, error=UnplannedError(failure.message))


def _options(given: Assignment, progress: Progress) -> Options:
    made = _chosen(given.choices)
    alone = {"admitted": _ROOM.admitted, "turns": _turns()}
    return replace(made, uids=given.choices.uids, progress=progress, **alone)


@cache
def _prepare() -> None:
    """As every command does.  Dask has glibc give back at once what is freed."""
    keep_memory()
    collect_seldom()


@cache
def _turns() -> Turns:
    """Of all threads of this worker."""
    return turns(1, _setting("encode_jobs"))


@lru_cache(maxsize=4)
def _chosen(choices: Choices) -> Options:
    return options(_setting("spool"), **dict(choices.named))


def _source(given: Assignment) -> Storage:
    return _opened(given.location, given.stores)


@lru_cache(maxsize=_OPENED)
def _opened(location: str, stores: Stores) -> Storage:
    return _opener(stores)(location)[0]


def _target(given: Assignment) -> Target:
    format = Format(dict(given.choices.named)["format"])
    return Target(_destination(given.output, format, given.stores), given.target, given.name)


@lru_cache(maxsize=_OPENED)
def _destination(output: str, format: Format, stores: Stores) -> Storage:
    return destination(output, format, _opener(stores)).storage


@cache
def _opener(stores: Stores) -> Opener:
    """With the worker's own settings where nothing was said, and its own credentials."""
    told: dict[str, Any] = {
        name: getattr(stores, name) or _setting(name) for name in stores.__struct_fields__
    }
    return opener(None, **told)


@cache
def _ffmpeg() -> Ffmpeg:
    return locate(_setting("ffmpeg"))


def _setting(name: str) -> Any:
    """What the worker's own environment or settings file says; None if nothing."""
    found = config.load().get(name)
    return found.value if found else None
