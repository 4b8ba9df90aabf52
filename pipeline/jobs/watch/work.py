"""One claimed recording, from a last look at its source to its place in the ledger."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from pipeline.errors import LeaseLostError, RecpipeError
from pipeline.jobs import one
from pipeline.jobs.ledger import claims
from pipeline.jobs.ledger.claims import Claim
from pipeline.jobs.ledger.handle import Ledger, Move
from pipeline.jobs.ledger.rebuild import read, result_key
from pipeline.jobs.ledger.states import State
from pipeline.jobs.many import Failure, Outcome, Progress, Work, attempt
from pipeline.jobs.options import Options, Target
from pipeline.jobs.watch.follow import forget
from pipeline.jobs.watch.lookout import Lookout
from pipeline.jobs.watch.seen import Seen
from pipeline.model import Finding, Report, Severity, Verdict
from pipeline.muxing.locate import Ffmpeg
from pipeline.stages import publish
from pipeline.storage import Storage


@dataclass(frozen=True, slots=True, eq=False)
class Bench:
    """What all work has in common."""

    ledger: Ledger
    lookouts: Mapping[str, Lookout]  # by URL
    to: Storage
    ffmpeg: Ffmpeg
    options: Options
    most: int  # attempts


@dataclass(frozen=True, slots=True, eq=False)
class Done:
    """What became of a claim.  ``outcome`` is None where nothing was tried; ``move`` where another
    watcher has taken over.
    """

    claim: Claim
    outcome: Outcome | None
    move: Move | None


def work(bench: Bench, claim: Claim, progress: Progress, stopping: Callable[[], bool]) -> Done:
    """Convert, publish and commit.  Everything but an interrupt ends in the ledger."""
    try:
        lookout = bench.lookouts[claim.store]
        look = lookout.one(claim.place)
        if look.fingerprint != claim.fingerprint:
            why = "its source has changed since it had settled"
            return Done(claim, None, claims.release(bench.ledger, claim, State.SETTLING, why))
        key = result_key(claim.name, _version(bench.to, claim, look, lookout.storage))
    except LeaseLostError:
        return Done(claim, None, None)
    except RecpipeError as error:
        return _failed(bench, claim, Failure(claim.name, claim.source, error))

    def action(given: Work, progress: Progress) -> Report:
        assert given.target is not None
        options = _options(bench, claim, look, progress)
        return one.process(given.recording, given.source, given.target, bench.ffmpeg, options)

    target = Target(bench.to, key)
    given = Work(look.recording, lookout.storage, target)
    outcome = attempt(given, action, progress)
    if isinstance(outcome, Failure):
        if stopping():  # its ffmpeg was ended by us
            raise KeyboardInterrupt
        return _failed(bench, claim, outcome)
    forget(look.recording, bench.options)
    return _commit(bench, claim, outcome, key)


def _options(bench: Bench, claim: Claim, look: Seen, progress: Progress) -> Options:
    """That it may be converted is decided; what was waited for in vain is a loss."""
    noted: tuple[Finding, ...] = ()
    if claim.as_is and not look.ended:
        detail = "no EXT-X-ENDLIST and nothing new for too long; expected an end"
        noted = (Finding("PL_GIVEN_UP", Severity.ERROR, detail=detail, repair="taken as it is"),)
    return replace(
        bench.options,
        accept_unfinished=True,
        noted=noted,
        progress=progress,
        guard=lambda: claims.still_ours(bench.ledger, claim),
    )


def _version(to: Storage, claim: Claim, look: Seen, source: Storage) -> int:
    """The first that is free, or was made of this very source: no version is ever overwritten."""
    version = max(claim.version, 1)
    while True:
        earlier = publish.earlier(to, result_key(claim.name, version))
        if earlier is None or earlier.receipt is None:
            return version
        made = {
            (i["key"].rpartition("/")[2], i["size"], i["etag"]) for i in earlier.receipt["inputs"]
        }
        if made == one.inputs(look.recording, source):
            return version
        version += 1


def _failed(bench: Bench, claim: Claim, failure: Failure) -> Done:
    if isinstance(failure.error, LeaseLostError):
        return Done(claim, failure, None)
    try:
        move = claims.failed(bench.ledger, claim, failure.error, failure.message, most=bench.most)
    except LeaseLostError:
        return Done(claim, failure, None)
    return Done(claim, failure, move)


def _commit(bench: Bench, claim: Claim, report: Report, key: str) -> Done:
    version = bench.ffmpeg.version
    try:
        if report.verdict is Verdict.PENDING:
            move = claims.release(bench.ledger, claim, State.SETTLING, "not finished after all")
        elif report.verdict is Verdict.REJECTED:
            move = claims.rejected(bench.ledger, claim, _reason(report), ffmpeg=version)
        else:
            earlier = publish.earlier(bench.to, key)
            found = read(earlier, key, bench.to) if earlier else None
            if not found:  # deleted as soon as it was there
                move = claims.release(bench.ledger, claim, State.READY, "its result has vanished")
            else:
                move = claims.published(bench.ledger, claim, found.made, ffmpeg=version)
    except LeaseLostError:
        return Done(claim, report, None)
    return Done(claim, report, move)


def _reason(report: Report) -> str:
    fatal = [f for f in report.findings if f.severity is Severity.FATAL]
    return "; ".join(f"{f.id} {f.detail}" for f in fatal[:2])
