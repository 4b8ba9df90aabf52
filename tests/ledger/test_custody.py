"""What archive and cleanup ask of the ledger, and tell it."""

import pytest

from pipeline.errors import NotFoundError, UsageError
from pipeline.ledger import custody, queries
from pipeline.ledger.states import State
from pipeline.storage.local import LocalStorage
from pipeline.watch.rebuild_ledger import rebuild
from tests.ledger.sighted import STORE, enter
from tests.watch.test_rebuild_ledger import SID, out, put

__all__ = ["out"]  # a fixture

ARCHIVE = "/archive"
ID = f"{SID}_room"


@pytest.fixture
def published(ledger, out):
    """Two versions of one recording."""
    for version in (1, 2):
        put(out, version=version)
    rebuild(ledger, LocalStorage(out))
    return ledger


def test_a_ledger_that_is_not_there_is_not_made(tmp_path):
    file = tmp_path / "ledger.db"
    assert not custody.exists(f"sqlite:///{file}")
    assert not file.exists()
    assert custody.exists("postgresql://host/name")  # whether it answers is another matter


def test_it_is_empty_until_it_knows_a_recording(ledger):
    assert custody.is_empty(ledger)
    enter(ledger, 1)
    assert not custody.is_empty(ledger)


def test_a_published_recording_may_go_and_a_held_one_may_not(published):
    source = f"s3://calls/2026/{SID}_room.m3u8"
    assert custody.objection(published, ID, source) is None
    queries.hold(published, SID, held=True)
    assert custody.objection(published, ID, source) == "held"
    assert custody.objection(published, ID, f"s3://elsewhere/{SID}_room.m3u8") == "held"
    assert custody.objection(published, "talk", "/calls/talk.m3u8") is None  # not known


def test_what_is_in_work_may_not_go(ledger):
    enter(ledger, 1, State.READY)
    source = f"{STORE}{0:032x}_room.m3u8"
    assert custody.objection(ledger, f"{0:032x}_room", source) == "the ledger says ready"


def test_a_name_without_a_sid_is_not_the_same_elsewhere(ledger):
    enter(ledger, 1, State.FAILED, name="talk", sid=None, source="/a/talk.m3u8")
    assert custody.objection(ledger, "talk", "/b/talk.m3u8") is None
    assert custody.objection(ledger, "talk", "/a/talk.m3u8") == "the ledger says failed"


def test_the_newest_receipt_is_found_by_what_a_name_begins_with(published, out):
    assert custody.receipt_of(published, SID[:12]).endswith(f"{ID}.v2.receipt.json")
    with pytest.raises(NotFoundError):
        custody.receipt_of(published, "ffff")


def test_nothing_published_has_no_receipt(ledger):
    enter(ledger, 1, State.FAILED)
    with pytest.raises(UsageError, match="is failed; nothing is published"):
        custody.receipt_of(ledger, f"{0:032x}")


@pytest.mark.parametrize("name", [ID, f"{ID}.v2"])
def test_a_note_is_in_the_history_of_its_recording(published, name):
    custody.note(published, "archived", {"bag": "/archive/x"}, name=name)
    last = queries.explain(published, SID).events[-1]
    assert (last["kind"], last["detail"]) == ("archived", {"bag": "/archive/x"})


def test_a_note_of_what_is_not_known_is_kept(published):
    custody.note(published, "archived", {"bag": "/archive/x"}, name="nobody")
    assert queries.explain(published, SID).events[-1]["kind"] == "rebuilt"


def test_a_name_in_two_places_is_told_apart_by_its_receipt(published, out, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    note = put(other, source=f"s3://calls/2025/{SID}_room.m3u8")
    rebuild(published, LocalStorage(other))
    custody.note(published, "archived", {}, name=ID, receipt=str(note))
    sources = {event["source"] for event in _archived(published)}
    assert sources == {f"s3://calls/2025/{SID}"}


def _archived(ledger):
    import sqlalchemy as sa

    from pipeline.ledger.database.tables import events, recordings

    joined = sa.select(recordings.c.source).join(events, events.c.rec_id == recordings.c.id)
    with ledger.reading() as connection:
        found = connection.execute(joined.where(events.c.kind == "archived")).all()
    return [dict(row._mapping) for row in found]


def test_checks_are_remembered_by_archive_bag_and_kind(ledger):
    first = {"checked": "2026-01-01T00:00:00Z", "result": "pass"}
    later = {"checked": "2026-02-01T00:00:00Z", "result": "fail"}
    custody.remember(ledger, ARCHIVE, {("a/", "full"): first, ("a/", "fast"): first})
    custody.remember(ledger, ARCHIVE, {("a/", "full"): later})
    custody.remember(ledger, "/other", {("a/", "full"): first})
    found = {("a/", "full"): later, ("a/", "fast"): first}
    assert custody.checked(ledger, ARCHIVE) == found
