"""How much one run may do."""

import threading

from pipeline.jobs.limits.budget import Allowance, Budget


def test_a_place_that_led_to_nothing_is_free_again():
    allowance = Allowance(Budget(1))
    assert allowance.take()
    second: list[bool] = []
    waiting = threading.Thread(target=lambda: second.append(allowance.take()))
    waiting.start()
    assert second == []  # who comes next waits for what becomes of the first
    allowance.give(used=False)
    waiting.join(30)
    assert second == [True]
    allowance.give(used=True)
    assert not allowance.take()


def test_nothing_is_begun_when_time_or_bytes_are_used_up():
    now = [100.0]
    allowance = Allowance(Budget(seconds=10), lambda: now[0])
    assert allowance.take()
    now[0] = 110.0
    assert not allowance.take()
    allowance = Allowance(Budget(size=50))
    allowance.read(49)
    assert allowance.take()
    allowance.read(1)
    assert not allowance.take()
