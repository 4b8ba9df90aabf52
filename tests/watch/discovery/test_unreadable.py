"""One object that cannot be read concerns its recording alone."""

import pytest

from pipeline.errors import ChangedError, DeniedError, NotFoundError, StorageError
from pipeline.ledger import discovery, queries
from pipeline.ledger.states import State
from pipeline.media.playlist.parse import MAX_BYTES
from pipeline.watch.discovery.readiness import Patience
from pipeline.watch.discovery.store_watcher import StoreWatcher
from tests.watch.stores import Counting, sid

TO, DAY, LONG_AGO = "/out", 86400.0, 1e9
MANY = 9


@pytest.fixture
def store():
    return Counting()


@pytest.fixture
def look(store, ledger):
    store_watcher = StoreWatcher(store, TO, Patience(settle=0.0))
    return lambda: store_watcher.cycle(ledger, None, sweep=DAY)


def states(ledger):
    return {row["name"].partition("_")[0]: row["state"] for row in queries.status(ledger)}


def why(ledger, n):
    return queries.explain(ledger, sid(n)).recording["why"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (DeniedError("access denied"), "its playlist cannot be read: access denied"),
        (NotFoundError("no such object"), "no such object"),
        (StorageError("12 bytes short"), "12 bytes short"),
    ],
)
def test_the_others_go_on_and_it_is_told_once(store, ledger, look, error, said):
    keys = [store.record("a/", n) for n in range(3)]
    store.errors[keys[1]] = [error] * MANY
    first = look()
    assert states(ledger) == {sid(0): State.READY, sid(1): State.LATE, sid(2): State.READY}
    assert said in why(ledger, 1)
    assert [one.error for one in first.unread] == [error]
    assert first.blind is None
    assert look().unread == ()
    del store.errors[keys[1]]
    look()
    assert states(ledger)[sid(1)] is State.READY


def test_what_is_rewritten_is_read_once_more(store, ledger, look):
    key = store.record("a/", 1, ended=False)
    store.errors[key] = [ChangedError("changed while reading")]
    assert [move.after for move in look().moves] == [State.RECORDING]
    assert store.heads == 1
    assert "no end yet, 4 segments" in why(ledger, 1)


def test_what_is_rewritten_all_the_time_is_left_for_the_next_cycle_and_is_no_news(
    store, ledger, look
):
    key = store.record("a/", 1, ended=False)
    store.errors[key] = [ChangedError("changed while reading")] * 2
    first = look()
    assert (states(ledger), first.unread) == ({sid(1): State.RECORDING}, ())
    look()
    assert "no end yet" in why(ledger, 1)
    store.record("a/", 1, 5, ended=False)
    store.errors[key] = [ChangedError("changed while reading")] * 2
    again = look()
    assert (again.moves, again.unread, again.blind) == ((), (), None)
    assert "4 segments so far" in why(ledger, 1)


def test_a_playlist_that_is_too_large_is_not_read(store, ledger, look):
    store.record("a/", 1)
    key = store.record("a/", 2)
    store.put(key, MAX_BYTES + 1, modified=LONG_AGO)
    look()
    assert store.gets == 1
    assert states(ledger) == {sid(1): State.READY, sid(2): State.RECORDING}


@pytest.mark.parametrize("name", ["../x.m3u8", "a/./y.m3u8", "caf\udce9.m3u8"])
def test_a_name_that_cannot_be_watched_is_said_and_left_alone(store, ledger, look, name):
    store.record("a/", 1)
    store.put(name)
    store.texts[name] = "#EXTM3U\n"
    (told,) = look().unread
    assert (
        "it cannot be watched"
        in queries.explain(ledger, "".join(told.recording.id[:1])).recording["why"]
    )
    assert State.FAILED in states(ledger).values()
    assert store.gets == 1
    again = look()
    assert (again.moves, again.unread, again.blind) == ((), (), None)


def test_an_unsafe_name_that_is_tried_again_stops_no_cycle(store, ledger, look):
    store.record("2026/11/22/", 1)
    store.put("../x.m3u8")
    look()
    queries.retry(ledger, "x")
    assert look().listed
    assert states(ledger)["x"] is State.FAILED


def test_a_store_of_which_nothing_can_be_read_is_to_blame_itself(store, ledger, look):
    for n in range(3):
        store.errors[store.record("a/", n)] = [DeniedError("access denied")] * MANY
    assert isinstance(look().blind, DeniedError)
    assert discovery.memory(ledger, store.url(), TO).listed is None


def test_what_is_published_stays_so_when_its_new_playlist_cannot_be_read(store, ledger, look):
    from tests.watch.discovery.test_store_watcher import publish_all

    key = store.record("a/", 1)
    store.record("a/", 2)
    look()
    publish_all(ledger)
    store.record("a/", 1, 6)
    store.errors[key] = [StorageError("no answer")] * MANY
    assert look().moves == ()
    assert states(ledger)[sid(1)] is State.PUBLISHED
