"""What discovery writes, and finds again."""

import sqlalchemy as sa
from msgspec.structs import replace

from pipeline.ledger import discovery
from pipeline.ledger.database.tables import events, parts
from pipeline.ledger.discovery import PartSeen, StoreMemory
from pipeline.ledger.ledger import MOST_AT_ONCE
from pipeline.ledger.states import State
from tests.ledger.sighted import STORE, TO, enter, known, sighting


def test_a_new_recording_is_entered_once(ledger, opened):
    (move,) = enter(ledger, 1, State.RECORDING)
    assert (move.before, move.after) == (None, State.RECORDING)
    assert enter(opened("host:2"), 1, State.RECORDING) == []
    with ledger.reading() as connection:
        assert len(connection.execute(sa.select(events)).all()) == 1


def test_only_a_move_is_told(ledger):
    enter(ledger, 1, State.RECORDING)
    before = known(ledger)
    assert discovery.note(ledger, TO, [sighting(0, State.RECORDING, before)]) == []
    (move,) = discovery.note(ledger, TO, [sighting(0, State.UPLOADING, before, why="2 missing")])
    assert (move.before, move.after, move.why) == (
        State.RECORDING,
        State.UPLOADING,
        "2 missing",
    )
    assert known(ledger).since >= before.since


def test_of_two_watchers_that_move_it_one_does(ledger, opened):
    enter(ledger, 1, State.RECORDING)
    before = known(ledger)
    look = sighting(0, State.UPLOADING, before)
    assert len(discovery.note(ledger, TO, [look])) == 1
    assert discovery.note(opened("host:2"), TO, [look]) == []


def test_more_recordings_than_a_statement_can_hold(ledger):
    count = MOST_AT_ONCE * 2 + 1
    assert len(enter(ledger, count)) == count
    named = [f"{STORE}{n:032x}" for n in range(count)]
    assert len(discovery.known(ledger, TO, named)) == count
    assert len(discovery.open_ones(ledger, STORE, TO)) == count


def test_what_is_done_is_not_open(ledger):
    enter(ledger, 1, State.PUBLISHED)
    assert discovery.open_ones(ledger, STORE, TO) == []
    assert known(ledger).state is State.PUBLISHED


def test_what_is_final(ledger):
    for number, state in enumerate(State):
        discovery.note(ledger, TO, [sighting(number, state)])
        assert discovery.is_final(ledger, TO, known(ledger, number).source) is (
            state in {State.PUBLISHED, State.REJECTED, State.FAILED}
        )
    assert not discovery.is_final(ledger, TO, "s3://nobody/knows")
    assert not discovery.is_final(ledger, "/elsewhere", known(ledger, 0).source)


def test_since_when_segments_are_missing(ledger):
    part = PartSeen("a.m3u8", None, True, 3, ("a_2.ts",))
    enter(ledger, 1, State.UPLOADING, parts=(part,))

    def look(seen):
        before = known(ledger)
        discovery.note(ledger, TO, [sighting(0, State.UPLOADING, before, parts=(seen,))])
        with ledger.reading() as connection:
            (row,) = connection.execute(sa.select(parts)).all()
        return row

    first = look(part)
    assert (first.missing, first.missing_since is None) == (["a_2.ts"], False)
    again = look(replace(part, missing=("a_3.ts",)))
    assert (again.missing, again.missing_since) == (["a_3.ts"], first.missing_since)
    assert look(replace(part, missing=())).missing_since is None


def test_a_store_is_remembered(ledger):
    assert discovery.memory(ledger, STORE, TO) == StoreMemory()
    discovery.remember(ledger, STORE, TO, swept=True, floor="a/", at=10.0)
    discovery.remember(ledger, STORE, TO, swept=False, floor="b/", at=20.0)
    assert discovery.memory(ledger, STORE, TO) == StoreMemory(10.0, 20.0, "b/")


def test_hints_may_come_before_the_recording(ledger):
    discovery.hint(ledger, "a" * 32, "uploaded", notice="n1")
    discovery.hint(ledger, "a" * 32, "backuped")
    assert discovery.hints(ledger, {"a" * 32, "b" * 32}) == {"a" * 32: {"uploaded", "backuped"}}
