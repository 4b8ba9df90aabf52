"""What the ledger holds stays; what was done is told to it; without it nothing goes on its word."""

import json

import pytest
import sqlalchemy as sa

from pipeline.ledger import queries
from pipeline.ledger.database.tables import events, recordings
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.states import State
from pipeline.retention.plan import GuardError
from pipeline.watch.rebuild_ledger import rebuild
from tests.retention.conftest import everything, get, put
from tests.retention.test_survey import reasons


@pytest.fixture
def known(yard):
    """Two recordings that the ledger knows as well; their ids."""
    ids = [yard.published(n) for n in range(2)]
    with Ledger(f"sqlite:///{yard.home}/ledger.db") as ledger:
        rebuild(ledger, yard.results)
        yard.ledger = ledger
        yield yard, ids


def set_state(ledger, id, state):
    with ledger.writing() as connection:
        change = sa.update(recordings).where(recordings.c.name == id).values(state=state)
        connection.execute(change)


def test_what_is_held_in_the_ledger_is_not_planned(known):
    yard, (keep, go) = known
    queries.hold(yard.ledger, keep, held=True)
    assert reasons(yard) == {keep: "held"}
    assert [one["recording"] for one in yard.told()["recordings"]] == [go]
    queries.hold(yard.ledger, keep, held=False)
    assert reasons(yard) == {}


@pytest.mark.parametrize("state", [s for s in State if s is not State.PUBLISHED])
def test_what_is_not_published_any_more_stays(known, state):
    yard, (keep, _) = known
    set_state(yard.ledger, keep, state)
    assert reasons(yard) == {keep: f"the ledger says {state.value}"}


def test_a_hold_counts_wherever_the_recording_was_published(known, tmp_path):
    yard, (keep, _) = known
    again = f"copy/{keep}"
    for suffix in (".mp4", ".receipt.json"):
        put(yard.results, again + suffix, get(yard.results, keep + suffix), yard.spool)
        yard.results.delete(keep + suffix)
    assert reasons(yard) == {}
    queries.hold(yard.ledger, keep, held=True)
    assert reasons(yard) == {keep: "held"}


def test_a_hold_after_the_plan_stops_apply_and_purge(known):
    yard, (keep, go) = known
    yard.survey()
    queries.hold(yard.ledger, keep, held=True)
    assert {one.recording: one.problem for one in yard.apply()} == {keep: "held", go: None}
    queries.hold(yard.ledger, go, held=True)
    (done,) = (one for one in yard.purge() if one.recording == go)
    assert done.problem == "held"
    assert [one.problem for one in yard.restore()] == [None, None]  # that deletes nothing


@pytest.mark.parametrize("step", ["apply", "purge"])
def test_a_ledger_that_is_gone_since_the_plan_stops_everything(known, step):
    yard, _ = known
    yard.survey()
    if step == "purge":
        yard.apply()
    before = everything(yard.source)
    ledger, yard.ledger = yard.ledger, None
    with pytest.raises(GuardError, match="not there any more"):
        getattr(yard, step)()
    assert everything(yard.source) == before
    yard.ledger = ledger
    getattr(yard, step)()
    assert everything(yard.source) != before


def test_a_ledger_that_has_forgotten_everything_stops_everything(known):
    yard, _ = known
    yard.survey()
    with yard.ledger.writing() as connection:
        connection.execute(sa.delete(recordings))
    before = everything(yard.source)
    for step in (yard.survey, yard.apply):
        with pytest.raises(GuardError, match="rebuild"):
            step()
    assert everything(yard.source) == before


def test_a_ledger_and_receipts_that_are_gone_stop_everything(known):
    yard, ids = known
    yard.ledger = None
    for id in ids:
        yard.results.delete(f"{id}.receipt.json")
    with pytest.raises(GuardError, match="no receipt"):
        yard.survey()


def test_the_ledger_has_the_audit_trail_before_the_act(known, monkeypatch):
    yard, (first, _) = known
    yard.survey()
    real = yard.source.copy

    def copy(source, key, *, etag=None):
        assert {one.kind for one in told(yard)} >= {"apply", "trash"}
        return real(source, key, etag=etag)

    monkeypatch.setattr(yard.source, "copy", copy)
    yard.apply()
    yard.restore()
    yard.apply()
    yard.purge()
    kinds = [one["kind"] for one in queries.explain(yard.ledger, first).events]
    wanted = ["trash", "trashed", "restored", "trash", "trashed", "purge", "purged"]
    assert [kind for kind in kinds if kind in wanted] == wanted
    (event, *_) = (one for one in told(yard) if one.kind == "trash")
    assert event.detail["objects"] == 4
    assert event.detail["run"] == yard.run
    assert event.detail["bytes"] == sum(o["size"] for o in yard.audit()[1]["objects"])


def told(yard):
    with yard.ledger.reading() as connection:
        return connection.execute(sa.select(events).order_by(events.c.id)).all()


def test_a_ledger_that_cannot_be_written_stops_the_act(known, monkeypatch):
    from pipeline.errors import LedgerError
    from pipeline.ledger import custody

    yard, _ = known
    yard.survey()
    before = yard.slices()
    real = custody.note

    def note(ledger, kind, detail, **chosen):
        if kind == "trash":
            raise LedgerError("the ledger does not answer")
        real(ledger, kind, detail, **chosen)

    monkeypatch.setattr(custody, "note", note)
    assert len([one for one in yard.apply() if one.problem]) == 2
    assert yard.slices() == before


def test_a_plan_says_whether_a_ledger_was_asked(known):
    yard, _ = known
    yard.survey()
    assert json.loads(yard.plan.read_text())["ledger"] is True
    yard.ledger = None
    yard.survey()
    assert json.loads(yard.plan.read_text())["ledger"] is False
