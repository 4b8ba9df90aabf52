"""Many recordings, found, placed and worked on.  One that fails stops no other."""

import logging
import os
import re
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from pipeline.errors import RecpipeError, UsageError
from pipeline.jobs.finished import Finished, standing
from pipeline.jobs.limits.admission import Room
from pipeline.jobs.limits.budget import NO_LIMIT, Allowance, Budget
from pipeline.jobs.limits.parallel import Progress, each
from pipeline.jobs.limits.turns import turns
from pipeline.jobs.named_stores import locations
from pipeline.jobs.one import check as check_one
from pipeline.jobs.one import process
from pipeline.jobs.options import Options
from pipeline.jobs.outcomes import Failure, Outcome, Planned
from pipeline.jobs.output.destinations import Destination, Opener, Target
from pipeline.jobs.output.naming import Listings, Naming
from pipeline.jobs.planning import inspected
from pipeline.jobs.selection import EVERYTHING, Selection
from pipeline.jobs.sessions.streams import chosen
from pipeline.model import Recording, Report, Severity, Verdict
from pipeline.muxing import locate
from pipeline.muxing.pace import is_dear_to_start
from pipeline.muxing.together import MOST, Together
from pipeline.receipts.earlier import earlier
from pipeline.stages.discover import discover
from pipeline.stages.publish import everyone_key, session_key
from pipeline.storage import Storage
from pipeline.storage.locations import absolute
from pipeline.storage.names import printable
from pipeline.storage.readers import shared

log = logging.getLogger(__name__)

MOST_JOBS = 4  # at once, unless asked for more: the disk is the limit then
CONNECTIONS = 16  # of each recording that is fetched
READING = ("fetch", "inspect")  # the stages whose progress is bytes of the source


class Task(Struct, frozen=True, eq=False):
    """One recording to be done; ``target`` is None when it is only to be checked."""

    recording: Recording
    source: Storage
    target: Target | None = None
    location: str = ""  # what ``source`` was opened as


Watch = Callable[[Task], Progress]
Action = Callable[[Task, Progress], Report]


def opener(
    jobs: int | None,
    *,
    endpoint_url: str | None = None,
    region: str | None = None,
    profile: str | None = None,
    settings: str | Path | None = None,
) -> Opener:
    """How locations are opened, with connections for all jobs, but never more than for
    ``MOST_JOBS``: then they share them.
    """
    most = CONNECTIONS * min(jobs or MOST_JOBS, MOST_JOBS)
    opened = locations(
        endpoint_url=endpoint_url,
        region=region,
        profile=profile,
        connections=most,
        file=settings,
    )
    return shared(opened, most) if jobs and jobs > MOST_JOBS else opened


def find(
    sources: Iterable[str], opened: Opener, meant: Selection = EVERYTHING
) -> tuple[list[Task], list[Failure]]:
    """The recordings of all sources, each once; a source that holds none is a failure."""
    works: dict[object, Task] = {}
    failures, now = [], time.time()
    for source in sources:
        try:
            storage, key = opened(source)
            for recording in discover(storage, key):
                if not meant.takes(recording, now):
                    continue
                work = Task(recording, storage, location=absolute(source))
                works.setdefault(_identity(recording, storage), work)
        except RecpipeError as error:
            log.debug("%s: %s", shown(source), error)
            failures.append(Failure(None, shown(source), error))
    return list(works.values()), failures


def aim(
    works: Sequence[Task], to: Destination, naming: Naming | None = None
) -> tuple[list[Task], list[Failure]]:
    """Give every recording its place; all that would overwrite each other are refused."""
    if to.key and naming:
        raise UsageError(f"{to.storage.url(to.key)}: is one file; --name is for a folder")
    if to.key and len(works) > 1:
        raise UsageError(
            f"{to.storage.url(to.key)}: names one file for {len(works)} recordings; name a folder"
        )
    listings = Listings()
    called = [naming.name(work.recording, listings) if naming else "" for work in works]
    aimed = [
        replace(work, target=to.target(work.recording.id, name))
        for work, name in zip(works, called, strict=True)
    ]
    same: dict[str, list[Task]] = defaultdict(list)
    for work in aimed:
        assert work.target is not None
        same[work.target.url].append(work)
    alone = [work for work in aimed if work.target and len(same[work.target.url]) == 1]
    return alone, [
        _clash(work, url, rivals)
        for url, rivals in same.items()
        if len(rivals) > 1
        for work in rivals
    ]


def convert_all(
    works: Sequence[Task],
    ffmpeg: locate.Ffmpeg,
    options: Options,
    *,
    jobs: int | None = None,
    watch: Watch | None = None,
    budget: Budget = NO_LIMIT,
    encodes: int | None = None,
    notes: bool = True,
) -> Generator[Outcome, None, None]:
    """Convert, prove and publish each; outcomes come as soon as they are there.

    Of a ``budget`` of results, what was done before, or cannot be done, takes nothing.  What an
    earlier run on this machine finished is found again by the listings, without another request,
    unless there are to be no ``notes`` of that.
    So many ``encodes`` run at once, one for every four processors unless it is said.
    """

    def action(work: Task, progress: Progress) -> Report:
        assert work.target is not None
        watched = replace(options, progress=progress, admitted=room.admitted, turns=taken)
        if before := finished.report(work.recording, work.target, options):
            return before
        turn = taken.working.turn(partial(progress, "wait", 0))
        with together.coming(taken.aside) if together else nullcontext() as guest, turn:
            watched = replace(watched, guest=guest)
            report = process(work.recording, work.source, work.target, ffmpeg, watched)
        if finished.kept:
            done, stands = (work.recording, work.target), standing(work.target, report)
            finished.remember(done, options, report, stands)
        return report

    room, count = Room(), at_once(works, jobs)
    taken = turns(count, encodes)
    together = Together() if len(works) >= MOST and is_dear_to_start(ffmpeg) else None
    noted = [work.target for work in works if work.target and notes]
    finished = Finished(options.spool / "finished", noted)
    in_flight = count * MOST if together else count  # short ones wait for each other
    return each(works, _within(budget, action, _made), in_flight, watch)


def check_all(
    works: Sequence[Task],
    options: Options,
    *,
    jobs: int | None = None,
    watch: Watch | None = None,
    budget: Budget = NO_LIMIT,
) -> Generator[Outcome, None, None]:
    """Check each; outcomes come as soon as they are there."""

    def action(work: Task, progress: Progress) -> Report:
        return check_one(work.recording, work.source, replace(options, progress=progress))

    return each(works, _within(budget, action, lambda _: True), at_once(works, jobs), watch)


def planned(work: Task, options: Options) -> Planned | Failure:
    """What would be done; no segment is opened."""
    recording, target = work.recording, work.target
    assert target is not None
    try:
        inventory = inspected(chosen(recording, options), work.source, options)
        exists = earlier(target.storage, target.key) is not None
    except RecpipeError as error:
        return Failure(recording.id, recording.source, error)
    verdict = None
    unsafe = any(f.severity == Severity.FATAL for f in inventory.findings)
    if unsafe and not recording.streams:  # of a session it concerns one user
        verdict = Verdict.REJECTED
    elif inventory.unfinished:
        verdict = Verdict.PENDING
    found = {s.object.key: s.object.size for s in inventory.segments if s.object}
    return Planned(
        recording=recording.id,
        source=recording.source,
        output=_first_of(target, options) if recording.streams else target.url,
        exists=exists,
        listed=len(inventory.segments),
        found=sum(s.object is not None for s in inventory.segments),
        size=sum(found.values()),
        verdict=verdict,
        findings=inventory.findings,
    )


def _first_of(session: Target, options: Options) -> str:
    """The file of all users of a session, or what lies beside files that are named after users."""
    of_all = options.users.together
    key = everyone_key(session.key, options.users) if of_all else session_key(session.key)
    return session.storage.url(key)


def shown(source: str) -> str:
    """A source as it was given, without what may be a password or a signature in it."""
    scheme, separator, rest = printable(source).partition("://")
    if not separator:
        return scheme
    return f"{scheme}://{re.sub(r'.*@', '...@', rest.partition('?')[0])}"


def at_once(works: Sequence[object], jobs: int | None) -> int:
    """How many recordings are worked on at the same time."""
    return min(jobs or min(os.cpu_count() or 1, MOST_JOBS), len(works))


def _made(outcome: Outcome) -> bool:
    return isinstance(outcome, Report) and outcome.made


def _within(
    budget: Budget, action: Action, counts: Callable[[Outcome], bool]
) -> Callable[[Task, Progress], Outcome | None]:
    """The action as long as the budget lasts; ``counts`` says which outcomes use up a result.  None
    from then on.
    """
    allowance = Allowance(budget)

    def attempted(work: Task, progress: Progress) -> Outcome | None:
        if not allowance.take():
            return None
        used = False

        def read(stage: str, count: int) -> None:
            if stage in READING:
                allowance.read(count)
            progress(stage, count)

        try:
            outcome = attempt(work, action, read)
            used = counts(outcome)
            return outcome
        finally:
            allowance.give(used=used)

    return attempted


def attempt(work: Task, action: Action, progress: Progress) -> Outcome:
    """What became of one recording, whatever it was."""
    recording = work.recording
    try:
        return action(work, progress)
    except Exception as error:  # the others have to go on; what nobody planned is told as a bug
        return Failure(recording.id, recording.source, error)


def _identity(recording: Recording, storage: Storage) -> object:
    """The same for a recording that was named twice, as itself and with its folder."""
    part = recording.parts[0]
    main = part.playlist or next(iter(part.objects.values()))
    return (storage.uri(main.key), main.size, main.etag, main.modified)


def _clash(work: Task, url: str, rivals: Sequence[Task]) -> Failure:
    sources = " and ".join(rival.recording.source for rival in rivals)
    error = UsageError(f"{sources} would all be {url}; convert them to different folders")
    return Failure(work.recording.id, work.recording.source, error)
