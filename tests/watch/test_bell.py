"""What ends the wait for the next look."""

from pipeline.agora import webhook
from pipeline.ledger import notices
from pipeline.watch.bell import REST, Bell
from tests.web.sender import notice


def keep(ledger, raw):
    notices.keep(ledger, [notices.kept(webhook.parse(raw), raw)])


def test_it_rings_until_it_is_answered(ledger):
    keep(ledger, notice(31, sequence=1))
    time = [0.0]
    bell = Bell(ledger, lambda: time[0])
    assert not bell.rings()
    keep(ledger, notice(40, sequence=2))
    assert not bell.rings()
    keep(ledger, notice(11, sequence=3))
    assert bell.rings()
    assert bell.rings()
    bell.answered()
    assert not bell.rings()


def test_however_much_comes_it_leaves_some_time_between_two_looks(ledger):
    time = [0.0]
    bell = Bell(ledger, lambda: time[0])
    keep(ledger, notice(31, sequence=1))
    assert bell.rings()
    bell.answered()
    keep(ledger, notice(31, sequence=2))
    time[0] = REST - 0.1
    assert not bell.rings()
    time[0] = REST
    assert bell.rings()


def test_a_ledger_that_does_not_answer_is_no_reason_to_stop(ledger):
    bell = Bell(ledger)
    keep(ledger, notice(31))
    with ledger.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE notices RENAME TO elsewhere")
    # no such table is wrong usage, as every refusal of a database an error of ours
    assert not bell.rings()
    with ledger.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO notices")
    assert bell.rings()
