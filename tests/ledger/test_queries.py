"""What people ask, and what they may tell."""

import pytest

from pipeline.errors import NotFoundError, UsageError
from pipeline.ledger import claims, discovery, queries
from pipeline.ledger.discovery import PartSeen
from pipeline.ledger.states import State
from tests.ledger.sighted import STORE, TO, enter, known, sighting, state

ZERO = f"{0:032x}"


def test_what_needs_a_look_comes_first(ledger):
    order = [State.PUBLISHED, State.READY, State.FAILED, State.LATE]
    looks = [sighting(n, state) for n, state in enumerate(order)]
    discovery.note(ledger, TO, looks)
    assert [row["state"] for row in queries.status(ledger)] == [
        State.FAILED,
        State.LATE,
        State.READY,
        State.PUBLISHED,
    ]


def test_explain_tells_everything(ledger):
    part = PartSeen("a.m3u8", None, True, 3, ("a_2.ts",))
    enter(ledger, 1, State.LATE, parts=(part,), why="1 segment missing")
    discovery.hint(ledger, ZERO, "backuped")
    told = queries.explain(ledger, ZERO)
    assert told.recording["state"] is State.LATE
    assert told.parts[0]["missing"] == ["a_2.ts"]
    assert [event["kind"] for event in told.events] == ["state", "agora.backuped"]
    assert told.now >= told.recording["first_seen"]


def test_the_beginning_of_a_name_is_enough_if_it_is_the_only_one(ledger):
    enter(ledger, 2)
    assert queries.explain(ledger, f"{ZERO}_ro").recording["sid"] == ZERO
    with pytest.raises(UsageError, match="means 2 recordings"):
        queries.explain(ledger, "0000")
    with pytest.raises(NotFoundError, match="no such recording"):
        queries.explain(ledger, "f")


def test_a_name_is_no_pattern(ledger):
    enter(ledger, 1)
    with pytest.raises(NotFoundError):
        queries.explain(ledger, "%")


@pytest.mark.parametrize("waiting", [State.RECORDING, State.UPLOADING, State.LATE])
def test_retry_ends_the_wait(ledger, waiting):
    enter(ledger, 1, waiting)
    assert queries.retry(ledger, ZERO).after is State.LOST
    assert known(ledger).as_is


@pytest.mark.parametrize("ended", [State.REJECTED, State.FAILED, State.RETRY])
def test_retry_begins_again(ledger, ended):
    enter(ledger, 1, ended)
    assert queries.retry(ledger, ZERO).after is State.READY
    (found,), _ = claims.claim(ledger, [STORE], TO, count=1, lease=9)
    assert found.attempts == 1


def test_what_is_published_is_not_made_again(ledger):
    enter(ledger, 1, State.PUBLISHED)
    with pytest.raises(UsageError, match="nothing to retry"):
        queries.retry(ledger, ZERO)
    assert state(ledger) is State.PUBLISHED


def test_a_run_leaves_its_traces(ledger):
    run = queries.run_begins(ledger, "watch")
    queries.run_goes_on(ledger, run, {"published": 2}, exit_code=0)
    found = queries.last_run(ledger)
    assert (found["host"], found["pid"], found["exit_code"]) == ("host", 1, 0)
    assert found["counts"] == {"published": 2}
    assert found["ended"] <= found["now"]
