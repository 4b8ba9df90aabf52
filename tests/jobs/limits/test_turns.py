"""Recordings side by side take turns: the limits are kept, and nobody waits for ever."""

import threading
import time
from contextlib import ExitStack

import pytest

from pipeline.jobs.limits.turns import Limit, Turns, turns


class Waited(Exception):
    """Somebody had to wait."""


def never():
    raise Waited


class Counted:
    """How many were inside at once, at most."""

    def __init__(self):
        self.lock, self.now, self.most = threading.Lock(), 0, 0

    def __enter__(self):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.002)

    def __exit__(self, *_):
        with self.lock:
            self.now -= 1


def at_once(count, action):
    threads = [threading.Thread(target=action) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)


@pytest.mark.parametrize(
    ("given", "remuxes", "encodes", "crowded"),
    [
        pytest.param({"jobs": 2, "processors": 2}, 2, 1, False, id="a small machine"),
        pytest.param({"jobs": 8, "processors": 2}, 2, 1, True, id="more than it remuxes at once"),
        pytest.param({"jobs": 8, "processors": 16}, 16, 4, False, id="a large machine"),
        pytest.param({"jobs": 8, "encodes": 3, "processors": 2}, 2, 3, True, id="as it is said"),
    ],
)
def test_as_many_as_the_machine_can_use(given, remuxes, encodes, crowded):
    made = turns(**given)
    assert made.crowded is crowded
    for limit, most in ((made.remuxing, remuxes), (made.encoding, encodes)):
        with ExitStack() as held:
            for _ in range(most):
                held.enter_context(limit.turn(never))
            with pytest.raises(Waited), limit.turn(never):
                pass


def test_who_is_alone_waits_for_nobody():
    free = Turns()
    with ExitStack() as held:
        for _ in range(100):
            held.enter_context(free.remuxing.turn(never))
            held.enter_context(free.encoding.turn(never))


def test_those_who_hold_one_and_wait_for_the_other_all_end():
    """As recordings do: some encode before they are remuxed, some while they are."""
    taken, remuxing, encoding = turns(8, processors=2), Counted(), Counted()

    def encode():
        with taken.encoding.turn(lambda: None), encoding:
            pass

    def work():
        encode()
        with taken.remuxing.turn(lambda: None), remuxing:
            encode()

    at_once(8, work)
    assert (remuxing.most, encoding.most) == (2, 1)


def test_what_ends_a_wait_or_fails_in_its_turn_holds_nothing():
    limit = Limit(1)
    with pytest.raises(ZeroDivisionError), limit.turn(never):
        raise ZeroDivisionError
    with limit.turn(never), pytest.raises(Waited), limit.turn(never):
        pass
    with limit.turn(never):
        pass


def test_who_stands_aside_lets_others_in_and_waits_for_a_turn_again():
    taken, order = turns(1, processors=1), []
    entered, left = threading.Event(), threading.Event()

    def other():
        with taken.working.turn(lambda: None), taken.remuxing.turn(lambda: None):
            order.append("other")
            entered.set()
            left.wait(10)
            order.append("other is done")

    thread = threading.Thread(target=other)
    with taken.working.turn(never), taken.remuxing.turn(never):
        order.append("first")
        with taken.aside():
            thread.start()
            assert entered.wait(10)
            left.set()
        order.append("first again")
        with pytest.raises(Waited), taken.working.turn(never):
            pass
    thread.join(10)
    assert order == ["first", "other", "other is done", "first again"]
    with taken.working.turn(never), taken.remuxing.turn(never):
        pass


def test_who_has_no_turn_has_none_to_give():
    taken = turns(1, processors=1)
    with taken.aside():
        pass
    with taken.working.turn(never), pytest.raises(Waited), taken.working.turn(never):
        pass


def test_standing_aside_in_any_order_ends():
    """Some work, some remux, and all wait for others meanwhile."""
    taken, working, remuxing = turns(2, processors=1), Counted(), Counted()

    def work():
        for _ in range(5):
            with taken.working.turn(lambda: None):
                with working:
                    pass
                with taken.remuxing.turn(lambda: None):
                    with taken.aside():
                        time.sleep(0.001)
                    with remuxing:
                        pass

    at_once(12, work)
    assert (working.most, remuxing.most) == (2, 1)
