"""Notifications in the ledger, on both databases."""

import json
import threading

import pytest
import sqlalchemy as sa

from pipeline.agora import webhook
from pipeline.errors import NoticeError
from pipeline.ledger import discovery, erasing, notices, queries
from pipeline.ledger.database.tables import notices as table
from pipeline.ledger.ledger import Ledger
from tests.ledger.sighted import enter
from tests.web.sender import SID, T0, notice


def kept(raw):
    return notices.kept(webhook.parse(raw), raw)


def keep(ledger, *bodies):
    return notices.keep(ledger, [kept(raw) for raw in bodies])


def count(ledger):
    with ledger.reading() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar()


def told(ledger, sid=SID):
    with ledger.reading() as connection:
        return [(one.type, one.sequence) for one in notices.told(connection, sid)]


def test_each_is_kept_once(ledger):
    one, two = notice(40, sequence=0), notice(31, sequence=1)
    assert keep(ledger, one, two, one) == {"notice-40-0", "notice-31-1"}
    assert keep(ledger, two, one) == set()
    assert count(ledger) == 2


def test_what_came_by_a_second_channel_is_no_news(ledger):
    assert keep(ledger, notice(31, id="a")) == {"a"}
    assert keep(ledger, notice(31, id="b")) == set()
    assert keep(ledger, notice(31, id="c", at=T0 + 9)) == {"c"}


def test_they_are_told_in_the_order_in_which_things_happened(ledger):
    keep(ledger, notice(11, sequence=3), notice(40, sequence=0))
    keep(ledger, notice(31, sequence=2), notice(40, sequence=0, sid="f" * 32, id="x"))
    assert told(ledger) == [(40, 0), (31, 2), (11, 3)]
    assert told(ledger, None) == []


def test_of_the_progress_only_the_newest_is_kept(ledger):
    def progress(n):
        return notice(33, {"progress": n}, sequence=n)

    keep(ledger, progress(1), progress(3), notice(40))
    keep(ledger, progress(2))
    assert told(ledger) == [(40, 0), (33, 3)]
    keep(ledger, progress(1))  # replayed
    assert told(ledger) == [(40, 0), (33, 3)]


def test_hints_come_from_them(ledger):
    keep(ledger, notice(32, sequence=1), notice(31, sequence=2), notice(31, sid="b" * 32, id="x"))
    found = discovery.hints(ledger, {SID, "b" * 32, "c" * 32})
    assert found == {SID: {"uploaded", "backuped"}, "b" * 32: {"uploaded"}}


def test_news_is_what_is_worth_a_look(ledger):
    assert notices.newest(ledger) == 0
    keep(ledger, notice(40), notice(33))
    assert notices.newest(ledger) == 0
    keep(ledger, notice(31))
    first = notices.newest(ledger)
    assert first > 0
    assert notices.newest(ledger, first) == first


def test_what_is_old_is_removed(ledger):
    keep(ledger, notice(40), notice(31))
    assert notices.prune(ledger) == 0
    assert notices.prune(ledger, older=-1.0) == 2
    assert count(ledger) == 0


def test_two_servers_at_once_keep_each_once(opened):
    bodies = [notice(44, sequence=n) for n in range(60)]
    ledgers = [opened("host:1"), opened("host:2")]
    fresh = []

    def write(ledger: Ledger) -> None:
        for n in range(0, 60, 5):
            fresh.extend(keep(ledger, *bodies[n : n + 5]))

    threads = [threading.Thread(target=write, args=(one,)) for one in ledgers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(fresh) == sorted({f"notice-44-{n}" for n in range(60)})
    assert count(ledgers[0]) == 60


@pytest.mark.parametrize(
    "chosen",
    [{"id": "a b"}, {"id": "x" * 201}, {"id": "\u0000"}, {"id": "ä"}, {"eventType": 2**40}],
    ids=str,
)
def test_what_agora_never_gives_is_refused(chosen):
    with pytest.raises(NoticeError, match="expected"):
        kept(notice(31, **chosen))


@pytest.mark.parametrize("text", ["\u0000", "\ud800", "<script>", "x" * 10_000, "\u202e"], ids=repr)
def test_any_text_can_be_kept(ledger, text):
    keep(ledger, notice(1, {"errorMsg": text}, cname=text, id="a"), notice(1, sid=text, id="b"))
    with ledger.reading() as connection:
        (one,) = notices.told(connection, SID)
    assert (one.cname, one.event.message) == (text, text)
    assert count(ledger) == 2


@pytest.mark.parametrize("number", [-1, 2**70, True, "7", None], ids=repr)
def test_a_sequence_that_is_none_is_left_out(ledger, number):
    raw = json.loads(notice(31))
    raw["payload"]["sequence"] = number
    assert keep(ledger, json.dumps(raw).encode()) == {"notice-31-0"}


def test_explain_has_them(ledger):
    enter(ledger, 1)
    keep(ledger, notice(31, sid=f"{0:032x}"))
    assert [one.type for one in queries.explain(ledger, f"{0:032x}").notices] == [31]


def test_nothing_of_them_is_left_of_what_is_erased(ledger):
    keep(ledger, notice(31), notice(43, {"streamUid": 7}), notice(31, sid="f" * 32, id="x"))
    erasing.erase(ledger, [], lambda text: f"{SID}__uid_s_7" in text)
    assert told(ledger) == [(31, 0)]
    erasing.erase(ledger, [], lambda text: SID in text)
    assert (told(ledger), count(ledger)) == ([], 1)
