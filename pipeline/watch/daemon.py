"""The watcher: look, work, wait, and again; or one cycle, for cron.  Long: a short function for
each thing that a cycle does.
"""

import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from msgspec import Struct, field

from pipeline.errors import NotFoundError, RecpipeError, TemporaryError, UnsafePathError, UsageError
from pipeline.jobs.outcomes import TEMPORARY, Outcome, code_of, exit_code
from pipeline.ledger import discovery, leases, queries
from pipeline.ledger.leases import Undone
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.states import FINAL
from pipeline.storage import probe
from pipeline.storage.names import safe_key
from pipeline.storage.owners import lives
from pipeline.watch import notify, systemd
from pipeline.watch.bell import Bell
from pipeline.watch.conversion.claimed import Done, WorkContext
from pipeline.watch.conversion.early import EarlyConversions
from pipeline.watch.conversion.prefetch import Prefetcher, tidy, tidy_results
from pipeline.watch.conversion.workers import Workers
from pipeline.watch.discovery import listing_scopes
from pipeline.watch.discovery.notifications import Event, Events
from pipeline.watch.discovery.store_watcher import Look, StoreWatcher
from pipeline.watch.log import log, told
from pipeline.watch.notify import Recipients
from pipeline.watch.rebuild_ledger import rebuild
from pipeline.watch.run import Run

GRACE = 30.0  # seconds to finish what is being worked on when asked to stop
PULSE = 5.0  # seconds between two looks into the ledger for work that has become due
BELL = 1.0  # seconds between two looks for what Agora says
LEARN = 60.0  # seconds at most between two looks at a destination that does not answer
ASKED = 1.0  # seconds between two looks for what another watcher holds
HINTS = ("uploaded", "backuped")  # the kinds of Agora's notifications that matter here
JITTER = 0.1  # part of the interval


class Watch(Struct, frozen=True, eq=False):
    """How to watch; times are seconds."""

    context: WorkContext
    follower: Prefetcher | None
    as_json: Callable[[Outcome], dict[str, Any]]
    jobs: int = 1  # recordings at once
    lease: float = 60.0
    interval: float = 60.0  # between two cycles
    sweep: float = 24 * 3600.0  # between two full listings
    events: tuple[Events, ...] = ()
    told: Recipients = field(default_factory=Recipients)
    codes: list[int] = field(default_factory=list)  # exit codes of this run's work
    counts: dict[str, int] = field(default_factory=dict)  # recordings, by the state they ended in

    @property
    def ledger(self) -> Ledger:
        """The ledger of all work."""
        return self.context.ledger

    @property
    def store_watchers(self) -> Sequence[StoreWatcher]:
        """One for each store."""
        return list(self.context.store_watchers.values())


def once(watch: Watch) -> int:
    """One cycle and all the work that is due; returns the exit code, 75 if some is left undone.

    Errors of a store or a recording are logged, not raised; those of the ledger are raised.
    """
    _begin(watch)
    _learn(watch)
    run = Run(watch.ledger, "watch --once", watch.counts)
    with Workers(watch.context, jobs=watch.jobs, lease=watch.lease) as crew:
        _look(watch, strict=False)
        _work_off(watch, crew, run)
        if watch.follower is not None:
            watch.follower.idle()
    if left := leases.undone(watch.ledger, watch.context.store_watchers, watch.context.to.url()):
        watch.codes.append(TEMPORARY)
        _say_undone(watch, left)
    code = exit_code(watch.codes) if watch.codes else 0
    run.ends(code)
    return code


def _work_off(watch: Watch, crew: Workers, run: Run) -> None:
    """Do all that is due, also what other watchers hold and let expire within one lease."""
    end = time.monotonic() + watch.lease
    while True:
        while crew.take() or crew.busy:
            _report(watch, crew.wait(PULSE))
            run.goes_on()
        if not _held_by_others(watch) or time.monotonic() >= end:
            return
        time.sleep(ASKED)


def _held_by_others(watch: Watch) -> bool:
    now = watch.ledger.time()
    left = leases.undone(watch.ledger, watch.context.store_watchers, watch.context.to.url())
    others = (one for one in left if one.lease_owner not in (None, watch.ledger.actor))
    return any((one.lease_expires or 0.0) >= now - ASKED for one in others)


def _say_undone(watch: Watch, left: Sequence[Undone]) -> None:
    """Name what other watchers hold; what failed was named when it did."""
    for one in left:
        if one.lease_owner is not None:
            bound = log.bind(recording=one.name, source=one.source)
            bound.warning("left undone", state=one.state.value, watcher=one.lease_owner)


def forever(watch: Watch) -> int:
    """Watch until a signal comes, then finish or give back what is being worked on; returns 0.

    Raises ``UsageError`` if the first look at a store does.
    """
    _begin(watch)
    run = Run(watch.ledger, "watch", watch.counts)
    ahead = watch.follower is not None
    with Workers(watch.context, jobs=watch.jobs, lease=watch.lease, ahead=ahead) as crew:
        try:
            _learn_at_last(watch)
            _look(watch, strict=True, ahead=crew.ahead)
            systemd.notify("READY=1")
            _go_on(watch, crew, run)
        except KeyboardInterrupt:
            systemd.notify("STOPPING=1")
            log.info("stopping", working=crew.busy)
            _finish(watch, crew)
    run.ends(0)
    return 0


def _go_on(watch: Watch, crew: Workers, run: Run) -> None:
    next_look, bell = time.monotonic() + _pause(watch), Bell(watch.ledger)
    while True:
        systemd.notify("WATCHDOG=1")
        if time.monotonic() >= next_look or bell.rings():
            bell.answered()
            _look(watch, strict=False, ahead=crew.ahead)
            run.goes_on()
            next_look = time.monotonic() + _pause(watch)
        try:
            crew.take()
        except RecpipeError as error:
            log.warning("no work taken", error=str(error))
        _rest(watch, crew, bell, min(max(next_look - time.monotonic(), 0.0), PULSE))


def _rest(watch: Watch, crew: Workers, bell: Bell, seconds: float) -> None:
    """Wait so long; less if a recording is finished, or Agora says something."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        until = time.monotonic() + min(left, BELL)
        if crew.busy:
            _report(watch, crew.wait(min(left, BELL)))
        else:
            time.sleep(min(left, BELL))
        if time.monotonic() < until or bell.rings():  # a worker is free before its time
            return


def _finish(watch: Watch, crew: Workers) -> None:
    """Give work that has begun :data:`GRACE` to finish; a second signal ends it."""
    end = time.monotonic() + GRACE
    try:
        while crew.busy and time.monotonic() < end:
            _report(watch, crew.wait(end - time.monotonic()))
    except KeyboardInterrupt:
        pass


def _pause(watch: Watch) -> float:
    return watch.interval * (1 + JITTER * random.uniform(-1, 1))


def _look(watch: Watch, *, strict: bool, ahead: EarlyConversions | None = None) -> None:
    """One cycle over all stores; one that fails does not stop the others."""
    healthy = True
    events = _events(watch)
    for store_watcher in watch.store_watchers:
        try:
            look = store_watcher.cycle(
                watch.ledger, _named(store_watcher, events), sweep=watch.sweep
            )
            _say(watch, store_watcher, look)
            if look.blind is not None:
                raise look.blind
        except RecpipeError as error:
            if strict and isinstance(error, UsageError):
                raise
            healthy = False
            _blind(watch, store_watcher, error)
            continue
        if watch.follower is not None:
            watch.follower.follow(store_watcher.storage, look.running)
        if ahead is not None:
            ahead.begin(look.running)
    if healthy:
        _settle(watch)
        notify.ping(watch.told.ping)
    elif watch.told.ping:
        notify.ping(watch.told.ping, "/fail")


def _say(watch: Watch, store_watcher: StoreWatcher, look: Look) -> None:
    for move in look.moves:
        told(move)
    for one in look.unread if look.blind is None else ():
        assert one.error is not None
        watch.codes.append(one.error.exit_code)
        if not isinstance(one.error, UnsafePathError):  # that was logged as a move
            log.warning("not read", recording=one.recording.id, error=str(one.error))
    log.debug("looked", store=store_watcher.url, listed=look.listed, waiting=len(look.running))


def _blind(watch: Watch, store_watcher: StoreWatcher, error: RecpipeError) -> None:
    """Log that a store could not be looked at, and remember it for ``recpipe status``."""
    watch.codes.append(error.exit_code)
    log.warning("not looked at", store=store_watcher.url, error=str(error))
    try:
        discovery.blind(watch.ledger, store_watcher.url, watch.context.to.url(), str(error))
    except RecpipeError as worse:  # the ledger itself may be what failed
        log.debug("not remembered", error=str(worse))


def _events(watch: Watch) -> list[Event] | None:
    """New notifications; None without a source of them, or if one failed just now."""
    if not watch.events:
        return None
    try:
        found = [event for source in watch.events for event in source.take()]
    except RecpipeError as error:
        log.warning("no notifications", error=str(error))
        return None
    for event in found:
        if event.kind in HINTS and listing_scopes.SID.fullmatch(event.sid):
            discovery.hint(watch.ledger, event.sid, event.kind)
    return found


def _settle(watch: Watch) -> None:
    for source in watch.events:
        try:
            source.settle()
        except RecpipeError as error:
            log.warning("notifications not settled", error=str(error))


def _named(store_watcher: StoreWatcher, events: list[Event] | None) -> set[str] | None:
    """Places in this store that notifications named."""
    if events is None:
        return None
    root = store_watcher.storage.url()
    keys = set()
    for event in events:
        key = event.key.removeprefix(root)
        with suppress(UnsafePathError):  # others may write there
            keys |= {safe_key(key)} if "://" not in key else set()
    return {place for key in keys if (place := listing_scopes.place_of(key)) is not None}


def _report(watch: Watch, finished: list[Done]) -> None:
    for done in finished:
        if done.move is None or done.outcome is None:
            continue
        watch.codes.append(code_of(done.outcome))
        state = done.move.after.value
        watch.counts[state] = watch.counts.get(state, 0) + 1
        if done.move.after in FINAL:
            notify.result(watch.told, {"event": state, **watch.as_json(done.outcome)})


def _begin(watch: Watch) -> None:
    """Clean up after a crash."""
    if buried := leases.bury(watch.ledger, lives):
        log.info("taken over from watchers that are no more", recordings=buried)
    tidy(watch.context.options.spool)
    tidy_results(watch.context.to, queries.runs_here(watch.ledger))
    try:
        probe.tidy(watch.context.to)
    except RecpipeError as error:  # a store that is down is no reason not to begin
        log.debug("not tidied", error=str(error))


def _learn_at_last(watch: Watch) -> None:
    """Learn before anything is converted; a destination that is down for a while is waited for."""
    while True:
        try:
            return _learn(watch)
        except TemporaryError as error:
            where = watch.context.to.url()
            log.warning("not begun, waits for the destination", store=where, error=str(error))
        systemd.notify("READY=1")  # it runs, and begins by itself
        systemd.notify("WATCHDOG=1")
        time.sleep(min(_pause(watch), LEARN))


def _learn(watch: Watch) -> None:
    """A new ledger first learns what was published before.  Raises the destination's errors."""
    if not discovery.is_new(watch.ledger, watch.context.to.url()):
        return
    with suppress(NotFoundError):  # the folder will be made
        done = rebuild(watch.ledger, watch.context.to)
        if done.added:
            log.info("a new ledger learned from receipts", added=done.added)
