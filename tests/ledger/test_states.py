"""The state machine, as a table and as properties."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import (
    DeniedError,
    DiskFullError,
    ExistsError,
    MuxingError,
    StorageError,
    UnsafePathError,
)
from pipeline.ledger.states import (
    DUE,
    FINAL,
    FIRST_PAUSE,
    LONGEST_PAUSE,
    MOVES,
    OPEN,
    WAITING,
    After,
    State,
    after,
    observed,
    pause,
)

JUDGED = sorted(WAITING - {State.CHANGED} | {State.READY, State.LOST})


def test_every_state_is_of_one_kind():
    kinds = [WAITING, DUE, FINAL, frozenset({State.WORKING})]
    assert sum(map(len, kinds)) == len(State) == len(frozenset().union(*kinds))
    assert set(MOVES) == set(State)
    assert OPEN.isdisjoint(FINAL)


def test_every_state_can_be_reached_and_left():
    assert frozenset().union(*MOVES.values()) == set(State)
    assert all(MOVES.values())


@given(
    st.sampled_from(State),
    st.sampled_from(JUDGED),
    st.integers(0, 3),
    st.booleans(),
    st.booleans(),
)
def test_a_look_never_leads_to_a_move_that_is_not_allowed(state, judged, version, done, same):
    new = observed(state, judged, version=version, same_as_done=done, same=same)
    if state is State.PUBLISHED and version == 0:
        return  # nothing is published without a version
    assert new is state or new in MOVES[state]


@given(st.sampled_from(JUDGED), st.integers(0, 3), st.booleans(), st.booleans())
def test_who_works_is_not_disturbed(judged, version, done, same):
    look = observed(State.WORKING, judged, version=version, same_as_done=done, same=same)
    assert look is State.WORKING


@given(st.sampled_from(sorted(FINAL)), st.sampled_from(JUDGED), st.integers(1, 3))
def test_what_is_done_stays_done_while_its_source_stays(state, judged, version):
    assert observed(state, judged, version=version, same_as_done=True, same=True) is state


def test_a_source_that_changes_after_publishing_is_changed_then_ready():
    look = {"version": 1, "same_as_done": False, "same": False}
    assert observed(State.PUBLISHED, State.UPLOADING, **look) is State.CHANGED
    assert observed(State.CHANGED, State.SETTLING, **look) is State.CHANGED
    assert observed(State.CHANGED, State.READY, **look) is State.READY


def test_a_pause_is_not_cut_short_by_a_look_at_the_same_source():
    look = {"version": 0, "same_as_done": False}
    assert observed(State.RETRY, State.READY, same=True, **look) is State.RETRY
    assert observed(State.RETRY, State.READY, same=False, **look) is State.READY
    assert observed(State.RETRY, State.LATE, same=True, **look) is State.LATE


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (StorageError("503"), After.AGAIN),
        (DiskFullError("full"), After.AGAIN),
        (DeniedError("expired"), After.AGAIN),
        (MuxingError("killed"), After.COUNTED),
        (ZeroDivisionError(), After.COUNTED),
        (ExistsError("other"), After.NEVER),
        (UnsafePathError("out"), After.NEVER),
    ],
)
def test_what_an_error_means_for_the_next_attempt(error, what):
    assert after(error) is what


@given(st.integers(-5, 10_000), st.floats(0, 1))
def test_pauses_grow_and_have_a_limit(attempt, chance):
    seconds = pause(attempt, lambda: chance)
    assert FIRST_PAUSE / 2 <= seconds <= LONGEST_PAUSE
    assert seconds <= pause(attempt + 1, lambda: chance)


def test_two_watchers_do_not_come_back_in_step():
    assert pause(3, lambda: 0.0) < pause(3, lambda: 0.9)
