"""What watchers hold, and what those held that are no more."""

import pytest

from pipeline.ledger import claims, discovery, leases, queries
from pipeline.ledger.states import State
from tests.ledger.sighted import STORE, TO, sighting


@pytest.fixture
def due(ledger):
    """Three recordings that are to be converted."""
    discovery.note(ledger, TO, [sighting(n, State.READY) for n in range(3)])
    return ledger


def claimed(ledger, count=1):
    return [c.name for c in claims.claim(ledger, [STORE], TO, count=count, lease=60.0)[0]]


def undone(ledger):
    return [(one.state, one.lease_owner) for one in leases.undone(ledger, [STORE], TO)]


def test_who_is_no_more_holds_nothing(due, opened):
    dead, living, elsewhere = opened("host:2"), opened("host:3"), opened("other:2")
    first, second, third = (claimed(one)[0] for one in (dead, living, elsewhere))
    assert len({first, second, third}) == 3
    assert leases.bury(due, lambda pid: pid != 2) == 1
    assert claimed(due, count=3) == [first]


def test_what_its_own_number_held_is_of_an_earlier_life(due, opened):
    names = claimed(opened("host:1"), count=3)
    assert leases.bury(due, lambda pid: True) == 3
    assert claimed(due, count=3) == names


def test_a_host_whose_name_begins_alike_is_another_one(due, opened):
    claimed(opened("host:2:2"))
    claimed(opened("hos_:2"))
    claimed(opened("host:nine"))
    assert leases.bury(due, lambda pid: False) == 0


def test_what_is_undone(due, opened):
    claimed(opened("host:2"))
    assert undone(due) == [(State.WORKING, "host:2"), (State.READY, None), (State.READY, None)]
    queries.hold(due, queries.status(due)[1]["name"], held=True)
    assert len(undone(due)) == 2


def test_what_is_waited_for_or_done_is_not_undone(ledger):
    waiting = [sighting(0, State.LATE), sighting(1, State.PUBLISHED), sighting(2, State.FAILED)]
    discovery.note(ledger, TO, waiting)
    assert undone(ledger) == []
