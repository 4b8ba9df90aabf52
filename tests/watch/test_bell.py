"""What ends the wait for the next look."""

from pipeline.agora import webhook
from pipeline.ledger import notices
from pipeline.watch.bell import Bell
from tests.web.sender import notice


def keep(ledger, raw):
    notices.keep(ledger, [notices.kept(webhook.parse(raw), raw)])


def test_it_rings_once_for_what_came_since(ledger):
    keep(ledger, notice(31, sequence=1))
    bell = Bell(ledger)
    assert not bell.rings()
    keep(ledger, notice(40, sequence=2))
    assert not bell.rings()
    keep(ledger, notice(11, sequence=3))
    assert bell.rings()
    assert not bell.rings()


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
