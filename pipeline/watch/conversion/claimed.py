"""One claimed recording, from a last look at its source to its place in the ledger."""

from collections.abc import Callable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from pipeline.errors import (
    ChangedError,
    LeaseLostError,
    LedgerError,
    RecpipeError,
    StorageError,
)
from pipeline.jobs import one
from pipeline.jobs.explain.cause import cause
from pipeline.jobs.limits.parallel import Progress
from pipeline.jobs.many import Task, attempt
from pipeline.jobs.options import Options
from pipeline.jobs.outcomes import Failure, Outcome
from pipeline.jobs.output.destinations import Target, file_name
from pipeline.jobs.output.naming import Naming
from pipeline.ledger import claims
from pipeline.ledger.claims import Claim, PublishedVersion
from pipeline.ledger.discovery import KnownRecording
from pipeline.ledger.ledger import Ledger, Move
from pipeline.ledger.states import State
from pipeline.model import Finding, Report, Severity, Verdict
from pipeline.muxing.locate import Ffmpeg
from pipeline.receipts.earlier import earlier
from pipeline.receipts.inputs import inputs_of
from pipeline.stages import publish
from pipeline.storage import Storage
from pipeline.watch.conversion.prefetch import forget
from pipeline.watch.conversion.publish_gate import PublishGate
from pipeline.watch.conversion.working import Working
from pipeline.watch.discovery.observation import Observation
from pipeline.watch.discovery.store_watcher import StoreWatcher
from pipeline.watch.rebuild_ledger import restored, result_key


class WorkContext(Struct, frozen=True, eq=False):
    """What all conversions of a watcher have in common."""

    ledger: Ledger
    store_watchers: Mapping[str, StoreWatcher]  # by URL
    to: Storage
    ffmpeg: Ffmpeg
    options: Options
    most: int  # attempts at a recording, before it fails
    naming: Naming | None = None

    def name(self, look: Observation) -> str:
        """The name of a recording's results, without version and suffix."""
        return self.naming.name(look.recording) if self.naming else file_name(look.recording.id)


class Done(Struct, frozen=True, eq=False):
    """What became of a claim.  ``outcome`` is None where nothing was tried; ``move`` where another
    watcher has taken over.
    """

    claim: Claim
    outcome: Outcome | None
    move: Move | None


class _Task(Struct, frozen=True, eq=False):
    """A recording as it was last seen, and the key its result gets."""

    look: Observation
    source: Storage
    key: str


def work(
    context: WorkContext, claim: Claim, progress: Progress, stopping: Callable[[], bool]
) -> Done:
    """Convert, publish and commit.  Everything but an interrupt ends in the ledger.

    Raises ``KeyboardInterrupt`` if ``stopping`` says so, ``LedgerError`` if it cannot commit.
    """
    store_watcher = context.store_watchers[claim.store]
    try:
        look = _as_claimed(store_watcher, claim)
        task = _Task(
            look, store_watcher.storage, _free_key(context, claim, look, store_watcher.storage)
        )
    except RecpipeError as error:
        return _failed(context, claim, Failure(claim.name, claim.source, error))
    options = _options(context, claim, look)

    def guard(placed: str) -> None:
        _note(context, claim, task.key, placed)

    watched = Working(look.recording, progress)
    outcome = _made(context, task, replace(options, progress=watched, guard=guard))
    return _ended(context, claim, outcome, task, stopping=stopping)


def work_ahead(
    context: WorkContext,
    known: KnownRecording,
    look: Observation,
    place: PublishGate,
    *,
    progress: Progress,
    stopping: Callable[[], bool],
) -> Done | None:
    """``work`` for a recording that still settles: converted, proven and uploaded now, visible
    only once ``place`` has its claim; None if that never comes.
    """
    store_watcher = context.store_watchers[known.store]

    def guard(placed: str) -> None:
        claim = place.wait(stopping)
        again = _as_claimed(store_watcher, claim)
        if _free_key(context, claim, again, store_watcher.storage) != key:
            raise StorageError(f"{context.to.url(key)}: is taken meanwhile; run again")
        _note(context, claim, key, placed)

    try:
        place.begin(stopping)
        key = _free_key(context, known, look, store_watcher.storage)
        watched = Working(look.recording, progress)
        options = replace(context.options, accept_unfinished=True, progress=watched, guard=guard)
        task = _Task(look, store_watcher.storage, key)
        outcome = _made(context, task, options)
    finally:
        claim = place.leave()
        if claim is None:
            claims.let_go(context.ledger, known.id)
    return _ended(context, claim, outcome, task, stopping=stopping) if claim else None


def _note(context: WorkContext, claim: Claim, key: str, placed: str) -> None:
    """The last check before the result is stored; a name of its own is noted, so that it is not
    left behind.
    """
    if placed == key:
        claims.still_ours(context.ledger, claim)
    else:
        claims.placing(context.ledger, claim, placed)


def _remove_losers(context: WorkContext, claim: Claim, key: str, used: str) -> None:
    """Delete results of earlier attempts that are in no receipt.  They are ours and unused: a
    watcher that lost its lease publishes nothing.
    """
    for placed in claims.placed(context.ledger, claim) - {used}:
        if publish.is_own(key, placed):
            context.to.delete(placed)


def _as_claimed(store_watcher: StoreWatcher, claim: Claim) -> Observation:
    look = store_watcher.one(claim.place)
    if look.fingerprint != claim.fingerprint:
        raise ChangedError(f"{claim.source}: has changed since it had settled")
    return look


def _made(context: WorkContext, task: _Task, options: Options) -> Outcome:
    def action(given: Task, progress: Progress) -> Report:
        assert given.target is not None
        return one.process(given.recording, given.source, given.target, context.ffmpeg, options)

    called = context.name(task.look) if context.naming else ""
    given = Task(task.look.recording, task.source, Target(context.to, task.key, called))
    return attempt(given, action, options.progress)


def _ended(
    context: WorkContext,
    claim: Claim,
    outcome: Outcome,
    task: _Task,
    *,
    stopping: Callable[[], bool],
) -> Done:
    if isinstance(outcome, Failure):
        if stopping():  # its ffmpeg was ended by us
            raise KeyboardInterrupt
        return _failed(context, claim, outcome)
    try:
        return _commit(context, claim, outcome, task.key)
    except LeaseLostError:
        return Done(claim, outcome, None)
    except LedgerError:  # the failure cannot be committed either: the lease expires
        raise
    except RecpipeError as error:
        return _failed(context, claim, Failure(claim.name, claim.source, error))
    finally:  # only now: whoever fetches it meanwhile sees afterwards that it is done
        forget(task.look.recording, context.options)


def _options(context: WorkContext, claim: Claim, look: Observation) -> Options:
    """Options for a recording that may be converted; an end that never came is a finding."""
    noted: tuple[Finding, ...] = ()
    if claim.as_is and not look.ended and not context.options.accept_unfinished:
        detail = "no EXT-X-ENDLIST and nothing new for too long; taken as it is"
        noted = (Finding("PL_GIVEN_UP", Severity.WARNING, detail=detail),)
    return replace(context.options, accept_unfinished=True, noted=noted)


def _free_key(
    context: WorkContext, one_of: Claim | KnownRecording, look: Observation, source: Storage
) -> str:
    """The key of the first version that is free, or was made of this very source: none is ever
    overwritten.
    """
    version = max(one_of.version, 1)
    while True:
        key = result_key(context.name(look), version, context.options.format)
        before = earlier(context.to, key)
        if before is None or before.receipt is None:
            return key
        if inputs_of(before.receipt) == one.inputs(look.recording, source, context.options):
            return key
        version += 1


def _failed(context: WorkContext, claim: Claim, failure: Failure) -> Done:
    if isinstance(failure.error, LeaseLostError):
        return Done(claim, failure, None)
    try:
        if isinstance(failure.error, ChangedError):
            state, why = State.SETTLING, "its source has changed since it had settled"
            return Done(claim, None, claims.release(context.ledger, claim, state, why))
        move = claims.failed(
            context.ledger, claim, failure.error, failure.message, most=context.most
        )
    except LeaseLostError:
        return Done(claim, failure, None)
    return Done(claim, failure, move)


def _commit(context: WorkContext, claim: Claim, report: Report, key: str) -> Done:
    version = context.ffmpeg.version
    if report.verdict is Verdict.PENDING:
        move = claims.release(context.ledger, claim, State.SETTLING, "not finished after all")
    elif report.verdict is Verdict.REJECTED:
        move = claims.rejected(context.ledger, claim, _reason(report), ffmpeg=version)
    else:
        made = _read_back(context, claim, key)
        told = {"why": cause(report), "ffmpeg": version}
        move = claims.published(context.ledger, claim, made, **told, timings=report.timings)
    return Done(claim, report, move)


def _read_back(context: WorkContext, claim: Claim, key: str) -> PublishedVersion:
    """The result as the destination has it, which is what counts; StorageError without one."""
    there = earlier(context.to, key)
    published = there.published if there else None
    found = restored(published, context.to) if published else None
    if published is None or found is None:
        where = context.to.url(publish.receipt_key(key))
        said = "was published, and is not to be read back; see what may be read there"
        raise StorageError(f"{where}: {said}")
    _remove_losers(context, claim, key, published.key)
    return found.made


def _reason(report: Report) -> str:
    fatal = [f for f in report.findings if f.severity is Severity.FATAL]
    return "; ".join(f"{f.id} {f.detail}" for f in fatal[:2])
