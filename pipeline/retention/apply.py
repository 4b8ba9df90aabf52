"""Executes a plan, undoes one, and lets go for good what was in the trash for long enough."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import ChangedError, NotFoundError, RecpipeError, StorageError
from pipeline.retention import record, trash
from pipeline.retention.audit import Audit
from pipeline.retention.document import Candidate, Doomed, Plan
from pipeline.retention.interlocks import Checks, protected
from pipeline.retention.plan import SKEW, GuardError
from pipeline.retention.trash import Deleter, State
from pipeline.storage import Storage
from pipeline.storage.names import printable

OLDEST = 7 * 86400.0  # seconds a plan may be old


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one recording of a run; with a problem nothing more was done to it."""

    recording: str
    action: str  # trashed, restored or purged
    objects: int
    size: int
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """What every step of a run needs."""

    checks: Checks
    audit: Audit
    spool: Path
    now: Callable[[], float]
    trusting: bool = False  # --no-conditions

    @property
    def source(self) -> Storage:
        """The store that is cleaned up."""
        return self.checks.source


def apply(plan: Plan, work: Work) -> Iterator[Done]:
    """Move into the trash exactly what the plan names.  Run again after a crash, it finishes."""
    _refuse_time(plan, work)
    if not plan.recordings:
        return
    deleter = trash.try_out(work.source, plan.run, work.spool, work.now(), trusting=work.trusting)
    trash.write_plan(work.source, plan, work.spool)
    work.audit.tell("apply", plan.run, source=plan.source, recordings=len(plan.recordings))
    for one in plan.recordings:
        yield _applied(one, plan, work, deleter)
    work.audit.tell("applied", plan.run)


def _refuse_time(plan: Plan, work: Work) -> None:
    work.audit.refuse_a_clock_that_went_back()
    age = work.now() - plan.made
    if age < -SKEW:
        raise GuardError("the plan is from the future: set the clock of this machine")
    if age > OLDEST:
        raise GuardError(f"the plan is {age / 86400:.0f} days old; plan again")


def _applied(one: Candidate, plan: Plan, work: Work, deleter: Deleter) -> Done:
    try:
        todo = _todo(one, plan.run, work)
        if isinstance(todo, str):
            return Done(one.recording, "trashed", 0, 0, todo)
        if todo:
            told = [{"key": o.key, "size": o.size, "etag": o.etag} for o in todo]
            fields = {"recording": one.recording, "receipt": one.receipt_key}
            work.audit.tell("trash", plan.run, **fields, reason=one.reason, objects=told)
            for doomed in todo:
                trash.put_away(work.source, deleter, plan.run, doomed)
            work.audit.tell("trashed", plan.run, **fields)
    except RecpipeError as error:
        return Done(one.recording, "trashed", 0, 0, printable(error))
    return Done(one.recording, "trashed", len(todo), sum(o.size for o in todo))


def _todo(one: Candidate, run: str, work: Work) -> list[Doomed] | str:
    """The objects still to be moved, the playlist first; or why nothing may be done."""
    keys = [o.key for o in one.objects]
    why = work.checks.refusal(one.receipt_key, keys, receipt_sha256=one.receipt_sha256)
    if why is not None:
        return why
    states = {o: trash.state(work.source, run, o) for o in one.objects}
    for doomed, found in states.items():
        if found in (State.CHANGED, State.GONE):
            return f"{doomed.key.rpartition('/')[2]}: {found.value} since it was planned"
    todo = [o for o, found in states.items() if found is State.THERE]
    why = protected(work.source, [o.key for o in todo])
    # without its playlist nobody takes what is left of it for a recording
    return why or sorted(todo, key=lambda o: (not o.key.endswith(".m3u8"), o.key))


def restore(run: str, work: Work) -> Iterator[Done]:
    """Bring everything of a run back, byte by byte.  Nothing that is there is replaced."""
    plan = trash.read_plan(work.source, run)
    deleter = trash.try_out(work.source, run, work.spool, work.now(), trusting=work.trusting)
    work.audit.tell("restore", run, recordings=len(plan.recordings))
    whole = True
    for one in plan.recordings:
        done = _restored(one, run, work.source, deleter)
        work.audit.tell("restored", run, recording=one.recording, problem=done.problem)
        whole &= done.problem is None
        yield done
    if whole:
        trash.forget(work.source, run)


def _restored(one: Candidate, run: str, source: Storage, deleter: Deleter) -> Done:
    problems, count, size = [], 0, 0
    for doomed in sorted(one.objects, key=lambda o: (o.key.endswith(".m3u8"), o.key)):
        try:
            if _brought_back(doomed, run, source, deleter):
                count, size = count + 1, size + doomed.size
        except RecpipeError as error:
            problems.append(printable(error))
    return Done(one.recording, "restored", count, size, "; ".join(problems[:3]) or None)


def _brought_back(doomed: Doomed, run: str, source: Storage, deleter: Deleter) -> bool:
    kept = trash.objects_of(run) + doomed.key
    try:
        stored = source.head(kept)
    except NotFoundError:
        if _digest(source, doomed.key) == doomed.sha256:
            return False
        raise StorageError(f"{source.url(doomed.key)}: neither there nor in the trash") from None
    try:
        source.head(doomed.key)
    except NotFoundError:
        source.copy(kept, doomed.key, etag=stored.etag)
    if _digest(source, doomed.key) != doomed.sha256:
        raise ChangedError(f"{source.url(doomed.key)}: another object is there by now; left alone")
    assert stored.etag is not None
    deleter.delete(kept, stored.etag)
    return True


def _digest(source: Storage, key: str) -> str:
    import hashlib

    digest = hashlib.sha256()
    try:
        for chunk in source.open(key):
            digest.update(chunk)
    except NotFoundError:
        return ""
    return digest.hexdigest()


def expired(source: Storage, days: float, now: float) -> list[str]:
    """Runs whose trash is old enough to be let go."""
    return [run for run, found in trash.runs(source) if now - found.modified >= days * 86400]


def purge(run: str, days: float, work: Work) -> Iterator[Done]:
    """Delete the trash of a run for good, once it is old enough and every result is still good."""
    plan = trash.read_plan(work.source, run)
    work.audit.refuse_a_clock_that_went_back()
    deleter = trash.try_out(work.source, run, work.spool, work.now(), trusting=work.trusting)
    if run not in expired(work.source, days, work.now()):
        raise GuardError(f"{run}: not yet {days:g} days in the trash; nothing was done")
    whole = True
    for one in plan.recordings:
        done = _purged(one, run, work, deleter)
        whole &= done.problem is None
        yield done
    if whole:
        trash.forget(work.source, run)


def _purged(one: Candidate, run: str, work: Work, deleter: Deleter) -> Done:
    try:
        there = list(_in_trash(one.objects, run, work.source))
        if not there:
            _record_what_a_crash_left_out(one, run, work)
            return Done(one.recording, "purged", 0, 0)
        keys = [trash.objects_of(run) + o.key for o, _ in there]
        why = work.checks.refusal(one.receipt_key, keys, receipt_sha256=one.receipt_sha256)
        why = why or protected(work.source, keys)
        if why is not None:
            return Done(one.recording, "purged", 0, 0, why)
        told = [{"key": key, "size": o.size} for key, (o, _) in zip(keys, there, strict=True)]
        fields = {"recording": one.recording, "receipt": one.receipt_key}
        work.audit.tell("purge", run, **fields, objects=told)
        for key, (_, etag) in zip(keys, there, strict=True):
            deleter.delete(key, etag)
        record.write(work.checks.results, one, run, work.spool, work.now())
        work.audit.tell("purged", run, **fields)
    except RecpipeError as error:
        return Done(one.recording, "purged", 0, 0, printable(error))
    return Done(one.recording, "purged", len(there), sum(o.size for o, _ in there))


def _record_what_a_crash_left_out(one: Candidate, run: str, work: Work) -> None:
    states = {trash.state(work.source, run, doomed) for doomed in one.objects}
    if states == {State.GONE} and not record.exists(work.checks.results, one, run):
        record.write(work.checks.results, one, run, work.spool, work.now())


def _in_trash(objects: Sequence[Doomed], run: str, source: Storage) -> Iterator[tuple[Doomed, str]]:
    """What of a recording is in the trash, as it was put there; with its ETag."""
    for doomed in objects:
        try:
            found = source.head(trash.objects_of(run) + doomed.key)
        except NotFoundError:
            continue
        if found.size != doomed.size or found.etag is None:
            raise ChangedError(f"{source.url(found.key)}: not what was put there; left alone")
        yield doomed, found.etag
