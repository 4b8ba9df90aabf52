"""Leases, fencing tokens, retries and their limits; on both databases."""

import threading
import time
from collections import Counter

import pytest
import sqlalchemy as sa

from pipeline.errors import DiskFullError, ExistsError, LeaseLostError, MuxingError
from pipeline.ledger import claims, discovery, queries
from pipeline.ledger.claims import PublishedVersion
from pipeline.ledger.database.tables import artifacts, attempts, events, recordings, sources
from pipeline.ledger.states import State
from pipeline.model import SourceFile, Verdict
from tests.ledger.sighted import STORE, TO, enter, known, sighting, state

MADE = PublishedVersion(
    version=1,
    verdict=Verdict.OK,
    uri="s3://archive/a.mp4",
    receipt="s3://archive/a.receipt.json",
    size=10,
    sha256="0" * 64,
    inputs=(SourceFile("2026/a.m3u8", 5, "e", "1" * 64),),
)


def take(ledger, count=1, *, lease=60.0, most=5, stores=(STORE,)):
    found, _ = claims.claim(ledger, stores, TO, count=count, lease=lease, most=most)
    return found


def due_now(ledger):
    with ledger.writing() as connection:
        connection.execute(sa.update(recordings).values(not_before=0.0))


def rows(ledger, table):
    with ledger.reading() as connection:
        return connection.execute(sa.select(table)).all()


def test_what_is_claimed_is_nobody_elses(ledger, opened):
    enter(ledger, 3)
    other = opened("host:2")
    mine, his = take(ledger, 2), take(other, 5)
    assert [len(mine), len(his)] == [2, 1]
    assert not {c.id for c in mine} & {c.id for c in his}
    assert take(ledger) == []


def test_many_claimers_at_once_get_each_recording_once(ledger, opened):
    enter(ledger, 60)
    got, errors = Counter(), []

    def work(one):
        try:
            while found := take(one, 3):
                for claim in found:
                    got[claim.id] += 1
                    claims.published(one, claim, MADE, ffmpeg="7")
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(opened(f"host:{n}"),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(got) == 60
    assert set(got.values()) == {1}
    assert {row.state for row in rows(ledger, recordings)} == {State.PUBLISHED}


def test_only_recordings_of_these_stores_and_this_destination(ledger):
    enter(ledger, 1)
    assert take(ledger, stores=("s3://other/",)) == []
    assert claims.claim(ledger, [STORE], "s3://elsewhere/", count=1, lease=60)[0] == []


@pytest.mark.parametrize("where", [State.RECORDING, State.LATE, State.SETTLING, State.CHANGED])
def test_what_waits_is_not_claimed(ledger, where):
    enter(ledger, 1, where)
    assert take(ledger) == []


def test_what_is_lost_is_claimed_as_it_is(ledger):
    enter(ledger, 1, State.LOST, as_is=True)
    assert take(ledger)[0].as_is


def test_a_lease_that_ran_out_is_taken_over_with_a_higher_token(ledger, opened):
    enter(ledger, 1)
    (mine,) = take(ledger, lease=0.05)
    time.sleep(0.1)
    other = opened("host:2")
    (his,) = take(other)
    assert (his.id, his.token) == (mine.id, mine.token + 1)
    assert [row.outcome for row in rows(ledger, attempts)] == ["abandoned", None]


def test_a_zombie_can_do_nothing_any_more(ledger, opened):
    enter(ledger, 1)
    (mine,) = take(ledger, lease=0.05)
    time.sleep(0.1)
    other = opened("host:2")
    (his,) = take(other)
    assert claims.renew(ledger, [mine], lease=60) == set()
    with pytest.raises(LeaseLostError):
        claims.still_ours(ledger, mine)
    with pytest.raises(LeaseLostError):
        claims.published(ledger, mine, MADE, ffmpeg="7")
    with pytest.raises(LeaseLostError):
        claims.failed(ledger, mine, MuxingError("x"), "x", most=5)
    assert rows(ledger, artifacts) == []
    claims.still_ours(other, his)
    claims.published(other, his, MADE, ffmpeg="7")
    assert state(ledger) is State.PUBLISHED


def test_the_same_process_number_does_not_make_a_zombie_valid(ledger, opened):
    enter(ledger, 1)
    (mine,) = take(ledger, lease=0.05)
    time.sleep(0.1)
    reborn = opened(ledger.actor)
    assert take(reborn)
    with pytest.raises(LeaseLostError):
        claims.published(ledger, mine, MADE, ffmpeg="7")


def test_a_renewed_lease_holds(ledger, opened):
    enter(ledger, 1)
    (mine,) = take(ledger, lease=0.2)
    assert claims.renew(ledger, [mine], lease=60) == {mine.id}
    time.sleep(0.3)
    assert take(opened("host:2")) == []
    claims.still_ours(ledger, mine)


def test_what_is_published_is_on_record(ledger):
    enter(ledger, 1)
    (mine,) = take(ledger)
    move = claims.published(ledger, mine, MADE, ffmpeg="7.1")
    assert (move.before, move.after) == (State.WORKING, State.PUBLISHED)
    found = known(ledger)
    assert (found.version, found.done_fingerprint) == (1, mine.fingerprint)
    told = [(row.kind, row.uri, row.size, row.sha256) for row in rows(ledger, artifacts)]
    assert sorted(told, key=str) == [
        ("mp4", MADE.uri, 10, "0" * 64),
        ("receipt", MADE.receipt, None, None),
    ]
    made = {(row.version, row.verdict, row.token) for row in rows(ledger, artifacts)}
    assert made == {(1, "ok", mine.token)}
    read = [(row.key, row.size, row.etag, row.sha256) for row in rows(ledger, sources)]
    assert read == [("2026/a.m3u8", 5, "e", "1" * 64)]
    assert [(row.outcome, row.ffmpeg) for row in rows(ledger, attempts)] == [("published", "7.1")]
    told = [row.detail["after"] for row in rows(ledger, events) if row.kind == "state"]
    assert told == ["ready", "working", "published"]


@pytest.mark.parametrize("end", ["published", "rejected"])
def test_a_verdict_is_on_record_and_what_was_tried_before_is_forgotten(ledger, end):
    enter(ledger, 1)
    claims.failed(ledger, take(ledger)[0], MuxingError("a"), "a", most=5)
    due_now(ledger)
    (mine,) = take(ledger)
    assert (mine.attempts, mine.failures) == (2, 1)
    if end == "published":
        claims.published(ledger, mine, MADE, ffmpeg="7")
    else:
        claims.rejected(ledger, mine, "PL_LIMIT", ffmpeg="7")
    (row,) = rows(ledger, recordings)
    verdict = {"published": "ok", "rejected": "rejected"}[end]
    assert (row.state, row.verdict, row.attempts, row.failures) == (end, verdict, 0, 0)


def test_a_failure_is_tried_again_after_a_pause(ledger):
    enter(ledger, 1)
    (mine,) = take(ledger)
    claims.failed(ledger, mine, MuxingError("killed"), "ffmpeg was killed", most=5)
    assert state(ledger) is State.RETRY
    assert take(ledger) == []
    due_now(ledger)
    assert take(ledger)[0].attempts == 2


def test_it_is_not_tried_for_ever(ledger):
    enter(ledger, 1)
    for _ in range(3):
        (mine,) = take(ledger, most=3)
        claims.failed(ledger, mine, MuxingError("killed"), "killed", most=3)
        due_now(ledger)
    assert state(ledger) is State.FAILED
    assert take(ledger, most=3) == []


def test_a_full_disk_is_no_fault_of_the_recording(ledger):
    enter(ledger, 1)
    for _ in range(7):
        (mine,) = take(ledger, most=3)
        claims.failed(ledger, mine, DiskFullError("full"), "full", most=3)
        due_now(ledger)
    assert state(ledger) is State.RETRY
    (row,) = rows(ledger, recordings)
    assert (row.attempts, row.failures, row.why) == (0, 7, "full")


def test_what_only_a_person_can_put_right_fails_at_once(ledger):
    enter(ledger, 1)
    (mine,) = take(ledger)
    claims.failed(ledger, mine, ExistsError("other"), "other", most=5)
    assert state(ledger) is State.FAILED


def test_what_kills_its_watcher_every_time_is_given_up(ledger, opened):
    enter(ledger, 1)
    for n in range(3):
        assert take(opened(f"host:{n}"), lease=0.02, most=3)
        time.sleep(0.05)
    found, moves = claims.claim(ledger, [STORE], TO, count=1, lease=60, most=3)
    assert found == []
    assert [move.after for move in moves] == [State.FAILED]
    assert "ended in the middle" in queries.status(ledger)[0]["why"]


def test_what_is_given_back_was_not_tried(ledger):
    enter(ledger, 1)
    (mine,) = take(ledger)
    claims.release(ledger, mine, State.READY, "stopped")
    (again,) = take(ledger)
    assert again.attempts == 1
    assert again.token == mine.token + 1


def test_what_is_held_is_left_alone(ledger):
    enter(ledger, 1)
    name = queries.hold(ledger, f"{0:032x}", held=True)
    assert name == f"{0:032x}_room"
    assert take(ledger) == []
    queries.hold(ledger, name, held=False)
    assert take(ledger)


def test_a_look_does_not_disturb_who_works(ledger):
    enter(ledger, 1)
    before = known(ledger)
    (mine,) = take(ledger)
    look = sighting(0, State.LATE, before, fingerprint="g")
    assert discovery.note(ledger, TO, [look]) == []
    assert state(ledger) is State.WORKING
    claims.published(ledger, mine, MADE, ffmpeg="7")


def test_what_is_made_ahead_is_kept_for_its_watcher_until_it_falls_silent(ledger, opened):
    enter(ledger, 1, State.SETTLING)
    other, wanted = opened("host:2"), {known(ledger).id: "f"}
    assert claims.reserve(ledger, wanted, lease=2) == set(wanted)
    assert claims.reserve(ledger, wanted, lease=2) == set(wanted)
    assert claims.reserve(other, wanted, lease=60) == set()
    discovery.note(ledger, TO, [sighting(0, State.READY, known(ledger))])
    assert take(other) == []
    time.sleep(2.1)
    assert len(take(other)) == 1
    assert claims.reserve(ledger, wanted, lease=60) == set()


def test_what_is_made_ahead_by_who_fell_silent_is_no_nearer_to_its_turn(ledger, opened):
    enter(ledger, 1, State.SETTLING)
    claims.reserve(ledger, {known(ledger).id: "f"}, lease=0.01)
    time.sleep(0.05)
    assert take(opened("host:2")) == []
    assert state(ledger) is State.SETTLING


def test_what_is_let_go_is_anybodys_and_a_claim_is_not_let_go(ledger, opened):
    enter(ledger, 1, State.SETTLING)
    one, other = known(ledger).id, opened("host:2")
    claims.reserve(ledger, {one: "f"}, lease=60)
    claims.let_go(other, one)
    assert claims.reserve(other, {one: "f"}, lease=60) == set()
    claims.let_go(ledger, one)
    assert claims.reserve(other, {one: "f"}, lease=60) == {one}
    discovery.note(ledger, TO, [sighting(0, State.READY, known(ledger))])
    (claim,) = take(other)
    claims.let_go(other, one)
    claims.still_ours(other, claim)


@pytest.mark.parametrize("changed", ["held", "source", "state"])
def test_what_has_become_of_no_use_is_not_kept(ledger, changed):
    enter(ledger, 1, State.SETTLING)
    one = known(ledger)
    wanted = {one.id: "f"}
    claims.reserve(ledger, wanted, lease=60)
    if changed == "held":
        queries.hold(ledger, one.name, held=True)
    elif changed == "source":
        discovery.note(ledger, TO, [sighting(0, State.SETTLING, one, fingerprint="g")])
    else:
        discovery.note(ledger, TO, [sighting(0, State.FAILED, one)])
    assert claims.reserve(ledger, wanted, lease=60) == set()


def test_names_of_one_attempt_alone_are_remembered(ledger, opened):
    enter(ledger, 1)
    (first,) = take(ledger, lease=0.01)
    claims.placing(ledger, first, "a.0000000000000001.mp4")
    time.sleep(0.05)
    other = opened("host:2")
    (second,) = take(other)
    claims.placing(other, second, "a.0000000000000002.mp4")
    with pytest.raises(LeaseLostError):
        claims.placing(ledger, first, "a.0000000000000003.mp4")
    assert claims.placed(other, second) == {f"a.000000000000000{n}.mp4" for n in (1, 2)}
