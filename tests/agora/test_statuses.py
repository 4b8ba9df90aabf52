"""How long calls are repeated; what each answer means is in test_client.py, over HTTP."""

from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from pipeline.agora.statuses import ADVICE, PASSING, Endpoint, Kind, host_for, kind_of, pause

ENDPOINTS = st.sampled_from(get_args(Endpoint))
LONGEST = 150  # seconds of waiting in one call, whatever goes wrong in turn


def test_every_kind_of_error_says_what_to_do():
    assert set(Kind) - {Kind.OK, Kind.ALREADY_RUNNING} == set(ADVICE)


def test_what_a_change_of_the_request_would_cure_does_not_pass():
    assert not {Kind.AUTH, Kind.BAD_REQUEST, Kind.CONFLICT, Kind.NO_DATA} & set(PASSING)


@given(ENDPOINTS, st.lists(st.sampled_from(list(Kind)), min_size=40))
def test_no_call_is_repeated_for_ever(endpoint, kinds):
    waits = []
    for count in range(1, len(kinds) + 1):
        wait = pause(endpoint, kinds[:count])
        if wait is None:
            break
        waits.append(wait)
    assert len(waits) < len(kinds)
    assert sum(waits) <= LONGEST


@given(ENDPOINTS, st.integers(100, 599), st.none() | st.integers())
def test_every_answer_means_something(endpoint, status, code):
    assert kind_of(endpoint, status, code) in set(Kind) - {Kind.OK}


def test_the_first_host_is_asked_twice_then_each_in_turn():
    assert [host_for(3, failures) for failures in range(6)] == [0, 0, 1, 2, 0, 1]
    assert [host_for(1, failures) for failures in range(4)] == [0, 0, 0, 0]
