"""Notifications on their way into the ledger."""

import threading
import time

import pytest

from pipeline.errors import BusyError, LedgerError
from pipeline.ledger.notices import Kept
from pipeline.web import inbox as inboxes
from pipeline.web.inbox import Inbox

SOON = 30.0  # seconds


def kept(n):
    return Kept(f"n{n}", 31, None, None, None, "{}")


class Slow:
    """Writes when it is told to."""

    def __init__(self):
        self.go, self.begun, self.written = threading.Event(), threading.Event(), []

    def __call__(self, some):
        self.begun.set()
        assert self.go.wait(SOON)
        self.written.append([one.id for one in some])
        return {one.id for one in some}


def test_what_comes_while_it_writes_is_written_at_once_after():
    write = Slow()
    inbox = Inbox(write, lambda: None)
    first = inbox.put(kept(0))
    assert write.begun.wait(SOON)
    rest = [inbox.put(kept(n)) for n in (1, 2, 2, 3)]
    write.go.set()
    assert first.result(SOON)
    assert [one.result(SOON) for one in rest] == [True, True, False, True]
    assert write.written == [["n0"], ["n1", "n2", "n2", "n3"]]
    inbox.close()


def test_transactions_are_not_begun_one_right_after_the_other(monkeypatch):
    monkeypatch.setattr(inboxes, "GATHER", 1.0)
    written = []

    def write(some):
        written.append([one.id for one in some])
        return {one.id for one in some}

    inbox, since = Inbox(write, lambda: None), time.monotonic()
    assert inbox.put(kept(0)).result(SOON)
    assert time.monotonic() - since < 1.0
    rest = []
    for n in (1, 2, 3):
        rest.append(inbox.put(kept(n)))
        time.sleep(0.05)  # enough to be written alone, if nothing waited
    assert [one.result(SOON) for one in rest] == [True] * 3
    assert written == [["n0"], ["n1", "n2", "n3"]]
    inbox.close()


def test_there_is_only_so_much_room():
    write = Slow()
    inbox = Inbox(write, lambda: None, room=2)
    waiting = [inbox.put(kept(0))]
    assert write.begun.wait(SOON)
    waiting += [inbox.put(kept(n)) for n in (1, 2)]
    with pytest.raises(BusyError, match="2 notifications wait to be written, expected less than 2"):
        inbox.put(kept(3))
    write.go.set()
    assert all(one.result(SOON) for one in waiting)
    inbox.close()


def test_one_that_nobody_waits_for_any_more_is_written_all_the_same():
    write = Slow()
    inbox = Inbox(write, lambda: None)
    inbox.put(kept(0))
    assert write.begun.wait(SOON)
    left, other = inbox.put(kept(1)), inbox.put(kept(2))
    assert left.cancel()
    write.go.set()
    assert other.result(SOON)
    assert write.written == [["n0"], ["n1", "n2"]]
    inbox.close()


def test_an_error_is_told_to_all_who_wait_and_the_next_is_tried():
    answers = [LedgerError("locked"), {"n1"}]

    def write(some):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    inbox = Inbox(write, lambda: None)
    with pytest.raises(LedgerError, match="locked"):
        inbox.put(kept(0)).result(SOON)
    assert inbox.put(kept(1)).result(SOON)
    inbox.close()


def test_closing_writes_what_is_left_and_takes_no_more():
    written = []
    inbox = Inbox(lambda some: written.extend(some) or set(), lambda: None)
    for n in range(20):
        inbox.put(kept(n))
    inbox.close()
    assert len(written) == 20
    assert not inbox.works
    with pytest.raises(BusyError):
        inbox.put(kept(0))


def test_it_tidies_up_at_the_beginning_and_an_error_is_no_matter():
    done = threading.Event()

    def tidy():
        done.set()
        raise LedgerError("locked")

    inbox = Inbox(lambda some: {one.id for one in some}, tidy)
    assert inbox.put(kept(0)).result(SOON)
    assert done.wait(SOON)
    assert inbox.put(kept(1)).result(SOON)
    inbox.close()
