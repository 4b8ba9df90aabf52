"""Executes a plan, undoes one, and purges what was in the trash for long enough."""

from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct

from pipeline.errors import RecpipeError
from pipeline.retention import namings, record, trash, versions
from pipeline.retention.audit import Audit
from pipeline.retention.document import VERSIONS, Candidate, CleanupPlan, Doomed
from pipeline.retention.interlocks import Checks, protected
from pipeline.retention.namings import Namings
from pipeline.retention.plan import SKEW, GuardError
from pipeline.retention.trash import Copies, ObjectState, Trash
from pipeline.storage import Storage
from pipeline.storage.names import printable

OLDEST = 7 * 86400.0  # seconds a plan may be old


class Done(Struct, frozen=True):
    """What became of one recording of a run; with a problem nothing more was done to it."""

    recording: str
    action: str  # trashed, restored, purged or erased
    objects: int
    size: int  # bytes of these objects
    problem: str | None = None  # for people


class Work(Struct, frozen=True):
    """What every step of a run needs."""

    checks: Checks
    audit: Audit
    spool: Path
    now: Callable[[], float]  # seconds since the epoch
    trusting: bool = False  # --no-conditions

    @property
    def source(self) -> Storage:
        """The store that is cleaned up."""
        return self.checks.source


class _Run(Struct, frozen=True):
    """A plan being executed: what it works with, its trash, what playlists name now."""

    plan: CleanupPlan
    work: Work
    bin: Trash
    named: Namings


def apply(plan: CleanupPlan, work: Work) -> Iterator[Done]:
    """Move into the trash exactly what the plan names.  Run again after a crash, it finishes.

    Raises ``GuardError`` before the first object is touched if the plan, a clock, the ledger or the
    store is not as it must be; problems of one recording are values.
    """
    refuse_a_plan_out_of_time(plan.made, work.audit, work.now)
    _refuse_a_lost_ledger(plan, work)
    if not plan.recordings:
        return
    run = _Run(plan, work, _trash(plan, work, deleting=True), _named(plan, work))
    trash.write_plan(work.source, plan, work.spool)
    work.audit.tell("apply", plan.run, source=plan.source, recordings=len(plan.recordings))
    for one in plan.recordings:
        yield _applied(one, run)
    work.audit.tell("applied", plan.run)


def _trash(plan: CleanupPlan, work: Work, *, deleting: bool = False) -> Trash:
    """The trash of a run; GuardError if the store cannot have it."""
    kept = versions.of(work.source, deleting=deleting) if plan.trash == VERSIONS else None
    deleter = trash.try_out(work.source, plan.run, work.spool, work.now(), trusting=work.trusting)
    if kept is not None:
        return versions.Versions(work.source, kept, deleter)
    return Copies(work.source, plan.run, deleter)


def refuse_a_plan_out_of_time(made: float, audit: Audit, now: Callable[[], float]) -> None:
    """Raise ``GuardError`` if a plan is older than :data:`OLDEST`, or a clock is wrong.

    ``made`` and ``now`` are in seconds since the epoch.
    """
    audit.refuse_a_clock_that_went_back()
    age = now() - made
    if age < -SKEW:
        raise GuardError("the plan is from the future: set the clock of this machine")
    if age > OLDEST:
        raise GuardError(f"the plan is {age / 86400:.0f} days old; plan again")


def _refuse_a_lost_ledger(plan: CleanupPlan, work: Work) -> None:
    """A recording planned with a ledger may be held by now, and only the ledger knows."""
    if plan.ledger and work.checks.ledger is None:
        raise GuardError("planned with a ledger that is not there any more; name it, or plan again")


def _named(plan: CleanupPlan, work: Work) -> Namings:
    """What playlists name now: one may have been written since the plan was made."""
    return namings.of_source(work.source, (o.key for one in plan.recordings for o in one.objects))


def _applied(one: Candidate, run: _Run) -> Done:
    audit = run.work.audit
    try:
        todo = _todo(one, run)
        if isinstance(todo, str):
            return Done(one.recording, "trashed", 0, 0, todo)
        if todo:
            told = [{"key": o.key, "size": o.size, "etag": o.etag} for o in todo]
            fields = {"recording": one.recording, "receipt": one.receipt_key}
            audit.tell("trash", run.plan.run, **fields, reason=one.reason, objects=told)
            for doomed in todo:
                run.bin.put_away(doomed)
            audit.tell("trashed", run.plan.run, **fields)
    except RecpipeError as error:
        return Done(one.recording, "trashed", 0, 0, printable(error))
    return Done(one.recording, "trashed", len(todo), sum(o.size for o in todo))


def _todo(one: Candidate, run: _Run) -> list[Doomed] | str:
    """The objects still to be moved, the playlist first; or why nothing may be done."""
    keys = [o.key for o in one.objects]
    why = run.named.objection(keys)
    why = why or run.work.checks.refusal(one.receipt_key, keys, receipt_sha256=one.receipt_sha256)
    if why is not None:
        return why
    states = {o: run.bin.state(o) for o in one.objects}
    for doomed, found in states.items():
        if found in (ObjectState.CHANGED, ObjectState.GONE):
            return f"{doomed.key.rpartition('/')[2]}: {found.value} since it was planned"
    todo = [o for o, found in states.items() if found is ObjectState.THERE]
    why = protected(run.work.source, [o.key for o in todo])
    # without its playlist, the rest of it is not taken for a recording
    return why or sorted(todo, key=lambda o: (not o.key.endswith(".m3u8"), o.key))


def restore(run: str, work: Work) -> Iterator[Done]:
    """Bring everything of a run back, byte by byte.  Nothing that is there is replaced.

    Raises ``NotFoundError`` if there is no such run, ``GuardError`` if the store is not as it must
    be; problems of one recording are values.
    """
    plan = trash.read_plan(work.source, run)
    bin = _trash(plan, work)
    work.audit.tell("restore", run, recordings=len(plan.recordings))
    whole = True
    for one in plan.recordings:
        done = _restored(one, bin)
        fields = {"recording": one.recording, "receipt": one.receipt_key}
        work.audit.tell("restored", run, **fields, problem=done.problem)
        whole &= done.problem is None
        yield done
    if whole:
        trash.forget(work.source, bin, plan)


def _restored(one: Candidate, bin: Trash) -> Done:
    problems, count, size = [], 0, 0
    for doomed in sorted(one.objects, key=lambda o: (o.key.endswith(".m3u8"), o.key)):
        try:
            if bin.bring_back(doomed):
                count, size = count + 1, size + doomed.size
        except RecpipeError as error:
            problems.append(printable(error))
    return Done(one.recording, "restored", count, size, "; ".join(problems[:3]) or None)


def expired(source: Storage, days: float, now: float) -> list[str]:
    """Runs whose trash is at least so many days old."""
    return [run for run, found in trash.runs(source) if now - found.modified >= days * 86400]


def purge(run: str, days: float, work: Work) -> Iterator[Done]:
    """Delete the trash of a run for good, if it is old enough and every result is still good.

    Raises ``NotFoundError`` if there is no such run, ``GuardError`` if it is not yet so many days
    old, or as ``apply`` does; problems of one recording are values.
    """
    plan = trash.read_plan(work.source, run)
    work.audit.refuse_a_clock_that_went_back()
    _refuse_a_lost_ledger(plan, work)
    bin = _trash(plan, work)
    if run not in expired(work.source, days, work.now()):
        raise GuardError(f"{run}: not yet {days:g} days in the trash; nothing was done")
    whole, running = True, _Run(plan, work, bin, _named(plan, work))
    for one in plan.recordings:
        done = _purged(one, running)
        whole &= done.problem is None
        yield done
    if whole:
        trash.forget(work.source, bin, plan)


def _purged(one: Candidate, run: _Run) -> Done:
    name, work, bin = run.plan.run, run.work, run.bin
    try:
        handles = {o: handle for o in one.objects if (handle := bin.waiting(o)) is not None}
        if not handles:
            _record_what_a_crash_left_out(one, run)
            return Done(one.recording, "purged", 0, 0)
        keys = [*(o.key for o in handles), *(trash.objects_of(name) + o.key for o in handles)]
        why = run.named.objection(o.key for o in one.objects)
        why = why or work.checks.refusal(one.receipt_key, keys, receipt_sha256=one.receipt_sha256)
        why = why or next(filter(None, (bin.protection(o, h) for o, h in handles.items())), None)
        if why is not None:
            return Done(one.recording, "purged", 0, 0, why)
        told = [{"key": o.key, "size": o.size} for o in handles]
        fields = {"recording": one.recording, "receipt": one.receipt_key}
        work.audit.tell("purge", name, **fields, objects=told)
        for doomed, handle in handles.items():
            bin.let_go(doomed, handle)
        record.write(work.checks.results, one, name, spool=work.spool, now=work.now())
        work.audit.tell("purged", name, **fields)
    except RecpipeError as error:
        return Done(one.recording, "purged", 0, 0, printable(error))
    return Done(one.recording, "purged", len(handles), sum(o.size for o in handles))


def _record_what_a_crash_left_out(one: Candidate, run: _Run) -> None:
    name, work = run.plan.run, run.work
    states = {run.bin.state(doomed) for doomed in one.objects}
    if states == {ObjectState.GONE} and not record.exists(work.checks.results, one, name):
        record.write(work.checks.results, one, name, spool=work.spool, now=work.now())
