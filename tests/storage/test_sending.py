"""How much of a file has been sent, counted once."""

import threading

import pytest

from pipeline.storage.sending import Counted


def test_what_is_sent_again_counts_once():
    told: list[int] = []
    counted = Counted(100, told.append)
    for count in (40, 40, -60, 30, 30, 40):
        counted.add(count)
    assert told == [40, 40, 20]


def test_the_rest_is_told_in_the_end_and_never_more_than_there_is():
    told: list[int] = []
    counted = Counted(100, told.append)
    counted.add(70)
    counted.rest()
    counted.add(70)
    counted.rest()
    assert told == [70, 30]


def test_of_an_empty_file_nothing_is_told():
    told: list[int] = []
    Counted(0, told.append).rest()
    assert told == []


def stop(_: int) -> None:
    raise KeyboardInterrupt


def test_an_interrupt_waits_until_it_is_stored():
    counted = Counted(100, stop)
    counted.add(50)
    with pytest.raises(KeyboardInterrupt):
        counted.rest()


def test_in_a_thread_of_a_library_an_interrupt_ends_only_the_telling():
    counted = Counted(100, stop)
    threads = [threading.Thread(target=counted.add, args=(50,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counted.rest()
