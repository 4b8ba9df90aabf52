"""Cycles over a store: what they find, and what they cost."""

import os
import time
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from pipeline.errors import NotFoundError
from pipeline.jobs.one import inputs as what_is_converted
from pipeline.jobs.selection import Selection
from pipeline.ledger import claims, discovery, queries
from pipeline.ledger.claims import PublishedVersion
from pipeline.ledger.database.tables import recordings
from pipeline.ledger.states import State
from pipeline.model import SourceFile, Verdict
from pipeline.watch.discovery.readiness import Patience
from pipeline.watch.discovery.store_watcher import StoreWatcher
from tests.watch.stores import Counting, sid

TO = "/out"
DAY = 86400.0
OBJECTS = int(os.environ.get("RECPIPE_TEST_OBJECTS", "10000"))  # 200000 in a campaign


@pytest.fixture
def store():
    return Counting()


@pytest.fixture
def look(store, ledger):
    """One cycle; its moves as texts."""
    store_watcher = StoreWatcher(store, TO, Patience(settle=0.0))

    def cycle(named=None, sweep=DAY):
        made = store_watcher.cycle(ledger, named, sweep=sweep)
        return [f"{m.before or 'new'} -> {m.after}" for m in made.moves]

    cycle.store_watcher = store_watcher
    return cycle


def state(ledger, n=1):
    (row,) = [r for r in queries.status(ledger) if r["name"].startswith(sid(n))]
    return row["state"]


def publish(ledger, look, store, version=1):
    """What a worker would do with everything that is due."""
    found, _ = claims.claim(ledger, [store.url()], TO, count=10_000, lease=60)
    for one in found:
        inputs = what_is_converted(look.store_watcher.one(one.place).recording, store)
        files = tuple(SourceFile(f"folder/{n}", s, e, None) for n, s, e in inputs)
        made = PublishedVersion(version, Verdict.OK, "u", "r", 1, "0", files)
        claims.published(ledger, one, made, ffmpeg="7")
    return len(found)


def publish_all(ledger):
    """The same for very many, at once."""
    with ledger.writing() as connection:
        values = {"state": State.PUBLISHED, "version": 1}
        done = {"done_fingerprint": recordings.c.fingerprint}
        connection.execute(sa.update(recordings).values(**values, **done))


def test_a_recording_on_its_way(store, ledger, look):
    store.record("a/", 1, 2, ended=False, modified=time.time())
    assert look() == ["new -> recording"]
    store.record("a/", 1, 4, missing=(3,), modified=time.time())
    assert look() == ["recording -> uploading"]
    store.record("a/", 1, 4)
    assert look() == ["uploading -> ready"]
    assert look() == []


def test_what_is_not_meant_is_not_taken_up(store, ledger):
    store.record("a/", 1, 4)
    store.record("b/", 2, 4)
    settled = Patience(settle=0.0)
    only_b = StoreWatcher(store, TO, settled, Selection(include=("b/*",)))
    assert len(only_b.cycle(ledger, None, sweep=DAY).moves) == 1
    assert state(ledger, 2) is State.READY
    assert not [row for row in queries.status(ledger) if row["name"].startswith(sid(1))]


def test_what_was_taken_up_is_followed_though_it_is_not_meant_any_more(store, ledger, look):
    store.record("a/", 1, 4, ended=False, modified=time.time())
    assert look() == ["new -> recording"]
    nothing = StoreWatcher(store, TO, Patience(settle=0.0), Selection(exclude=("*",)))
    assert nothing.cycle(ledger, None, sweep=DAY).moves == ()
    store.record("a/", 1, 4)
    (move,) = nothing.cycle(ledger, None, sweep=DAY).moves
    assert (move.before, move.after) == (State.RECORDING, State.READY)


def test_an_empty_segment_is_one_that_is_missing(store, ledger, look):
    store.record("a/", 1, 4, empty=(2,), modified=time.time())
    assert look() == ["new -> uploading"]
    assert "1 of 4 segments missing" in queries.explain(ledger, sid(1)).recording["why"]


def test_a_failover_part_is_the_same_recording(store, ledger, look):
    store.record("a/", 1, 4, ended=False, modified=time.time())
    look()
    store.record("a/", 1, 3, bak=0, modified=time.time())
    assert look() == ["recording -> ready"]


def test_what_agora_says_ends_the_wait_for_an_end(store, ledger, look):
    store.record("a/", 1, 4, ended=False, modified=time.time())
    look()
    discovery.hint(ledger, sid(1), "uploaded")
    assert look() == ["recording -> ready"]


def test_a_source_that_is_gone_is_said_and_comes_back(store, ledger, look):
    key = store.record("a/", 1, 4, ended=False, modified=time.time())
    look()
    kept = store.objects.pop(key)
    assert look() == ["recording -> failed"]
    assert state(ledger) is State.FAILED
    store.objects[key] = kept
    assert look() == ["failed -> recording"]


def test_what_was_published_is_left_alone(store, ledger, look):
    store.record("a/", 1, 4)
    look()
    assert publish(ledger, look, store) == 1
    store.forget()
    assert look() == []
    assert (store.lists, store.gets, store.heads) == (1, 0, 0)


def test_a_source_that_changes_after_publishing_becomes_a_new_version(store, ledger, look):
    store.record("a/", 1, 4)
    look()
    publish(ledger, look, store)
    store.record("a/", 1, 6, missing=(5,), modified=time.time())
    assert look() == ["published -> changed"]
    store.record("a/", 1, 6)
    assert look() == ["changed -> ready"]


def test_a_source_that_is_cleaned_up_after_publishing_is_no_change(store, ledger, look):
    store.record("a/", 1, 4)
    look()
    publish(ledger, look, store)
    for key in [key for key in store.objects if key.endswith(".ts")][:2]:
        del store.objects[key]
    assert look() == []
    store.forget()
    assert look() == []
    assert store.gets == 0  # and it is not looked into again
    assert state(ledger) is State.PUBLISHED


def test_a_rebuilt_ledger_knows_what_was_made_of_what(store, ledger, look):
    store.record("a/", 1, 4)
    look()
    publish(ledger, look, store)
    with ledger.writing() as connection:  # as rebuild leaves it
        values = {"done_fingerprint": None, "fingerprint": "", "store": "", "place": ""}
        connection.execute(sa.update(recordings).values(**values))
    assert look() == []
    assert state(ledger) is State.PUBLISHED
    store.record("a/", 1, 5)
    assert look() == ["published -> ready"]


def test_a_segment_under_another_name_is_found_beside_the_playlist(store, ledger, look):
    key = store.record("2026/11/01/", 1, 2, ended=False)
    text = store.texts[key] + "#EXTINF:4\nintro.ts\n#EXT-X-ENDLIST\n"
    store.texts[key] = text
    store.put(key, len(text), etag="other")
    store.put("2026/11/01/intro.ts")
    assert look() == ["new -> ready"]
    assert look.store_watcher.one(f"2026/11/01/{sid(1)}").missing == ()


def other(store, folder, name, *segments, ended=True):
    """A playlist that is not Agora's."""
    lines = [f"#EXTINF:4,\n{segment}" for segment in segments]
    text = "\n".join(["#EXTM3U", *lines, *(["#EXT-X-ENDLIST"] if ended else []), ""])
    store.texts[folder + name] = text
    store.put(folder + name, len(text), etag=f"{hash(text)}")


@pytest.mark.parametrize("below", [False, True], ids=["alone", "below another playlist"])
def test_segments_in_folders_below(store, ledger, look, below):
    """Waited for, and a change of one is a new version of the recording."""
    other(store, "a/", "talk.m3u8", "hls/0.ts", "./hls/1.ts?token=x")
    if below:
        other(store, "a/hls/", "talk.m3u8", "0.ts", "1.ts")
    store.put("a/hls/0.ts")
    assert set(look()) == {"new -> late"}
    assert look.store_watcher.one("a/talk.m3u8").missing == ("hls/1.ts",)
    store.put("a/hls/1.ts")
    assert set(look()) == {"late -> ready"}
    publish(ledger, look, store)
    assert look() == []
    store.put("a/hls/1.ts", 101, etag="new")
    assert set(look()) == {"published -> ready"}


def test_what_is_published_from_folders_below_costs_nothing_more(store, ledger, look):
    other(store, "a/", "talk.m3u8", "hls/0.ts")
    store.put("a/hls/0.ts")
    look()
    publish(ledger, look, store)
    store.forget()
    assert look() == []
    assert (store.lists, store.gets, store.heads) == (1, 0, 0)


def test_other_recordings_below_do_not_keep_one_waiting(store, ledger, look):
    other(store, "", "talk.m3u8", "hls/0.ts")
    store.put("hls/0.ts")
    first = look.store_watcher.one("talk.m3u8").fingerprint
    store.record("2026/11/01/", 1, 3, ended=False)
    assert look.store_watcher.one("talk.m3u8").fingerprint == first


def test_one_recording_afresh(store, look):
    store.record("a/", 1, 4)
    store.record("a/", 2, 4)
    seen = look.store_watcher.one(f"a/{sid(1)}")
    assert (seen.listed, seen.missing) == (4, ())
    with pytest.raises(NotFoundError, match="nothing of its source"):
        look.store_watcher.one(f"a/{sid(9)}")


def test_results_beside_the_sources_are_no_change(store, ledger, look):
    store.record("a/", 1, 4)
    look()
    publish(ledger, look, store)
    store.put(f"a/{sid(1)}_room.mp4")
    store.put(f"a/{sid(1)}_room.receipt.json")
    assert look() == []


def a_year(store, *, segments=19):
    """25 recordings a day, of 20 objects each, for as many days as it takes."""
    today = datetime.now(UTC)
    for day in range(OBJECTS // 500):
        folder = (today - timedelta(days=day + 5)).strftime("%Y/%m/%d/")
        for n in range(25):
            store.record(folder, day * 25 + n, segments)
    return today.strftime("%Y/%m/%d/")


def test_a_cycle_costs_what_is_new_and_not_what_is_there(store, ledger, look):
    folder = a_year(store)
    assert len(store.objects) == OBJECTS
    look()
    publish_all(ledger)
    look(sweep=0)  # all of it again: nothing is read that was published
    store.forget()
    look()
    idle = store.requests
    store.record(folder, 99_999, 19)  # a playlist and 19 segments
    store.forget()
    begin = time.perf_counter()
    assert look() == ["new -> ready"]
    seconds = time.perf_counter() - begin
    assert (store.lists, store.gets, store.heads) == (1, 1, 0)
    assert idle == 1
    assert seconds < 1.0


def test_a_sweep_is_one_list_for_a_thousand_objects_and_no_head(store, ledger, look):
    for n in range(250):
        store.record("flat/", n, 19)
    look()
    assert (store.lists, store.gets, store.heads) == (5, 250, 0)
    publish_all(ledger)
    store.forget()
    look()
    assert (store.lists, store.gets, store.heads) == (5, 0, 0)


def test_with_notifications_a_flat_store_is_not_listed_again(store, ledger, look):
    for n in range(250):
        store.record("flat/", n, 19)
    look()
    publish_all(ledger)
    store.record("flat/", 999, 19)
    store.record("flat/", 1000, 19)  # nobody told of it
    store.forget()
    assert look(named={f"flat/{sid(999)}"}) == ["new -> ready"]
    assert (store.lists, store.gets, store.heads) == (4, 1, 0)
    assert look(named=set(), sweep=0) == ["new -> ready"]  # the listing is the truth
