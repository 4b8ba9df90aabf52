"""Pages through the ledger, on both databases."""

import pytest

from pipeline.errors import NotFoundError
from pipeline.ledger import browsing, claims, custody, discovery, queries
from pipeline.ledger.browsing import ROWS, Wanted
from pipeline.ledger.claims import PublishedVersion
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.states import State
from pipeline.model import Verdict
from tests.ledger.sighted import STORE, TO, enter, sighting


def publish(ledger: Ledger, verdict: Verdict = Verdict.OK, **lost: float) -> str:
    (one,), _ = claims.claim(ledger, [STORE], TO, count=1, lease=60.0)
    made = PublishedVersion(1, verdict, f"{TO}a.mp4", f"{TO}a.json", 9, None, (), (), 60.0, lost)
    claims.published(ledger, one, made, ffmpeg="5")
    return one.name


def shown(ledger, number=1, **wanted):
    page = browsing.page(ledger, Wanted(**wanted), number)
    return [row["name"] for row in page.rows]


def name(n):
    return f"{n:032x}_room"


@pytest.fixture
def mixed(ledger):
    """One of each kind that matters."""
    enter(ledger, 2)
    publish(ledger)
    publish(ledger, Verdict.DEGRADED, video=15.0)
    states = (State.RECORDING, State.LATE, State.FAILED)
    discovery.note(ledger, TO, [sighting(n, state) for n, state in enumerate(states, 2)])
    return ledger


def test_those_first_that_need_a_look(mixed):
    assert shown(mixed) == [name(n) for n in (4, 1, 3, 2, 0)]


def test_groups_are_counted_whatever_is_chosen(mixed):
    page = browsing.page(mixed, Wanted(state=State.FAILED))
    assert list(page.groups.items()) == [
        ((State.FAILED, None), 1),
        ((State.PUBLISHED, "degraded"), 1),
        ((State.LATE, None), 1),
        ((State.RECORDING, None), 1),
        ((State.PUBLISHED, "ok"), 1),
    ]
    assert (page.total, page.number, page.pages) == (1, 1, 1)


def test_by_state_and_verdict(mixed):
    assert shown(mixed, state=State.PUBLISHED) == [name(1), name(0)]
    assert shown(mixed, state=State.PUBLISHED, verdict="degraded") == [name(1)]
    assert shown(mixed, verdict="ok") == [name(0)]
    assert shown(mixed, state=State.RETRY) == []


@pytest.mark.parametrize("few", [browsing.FEW, 1], ids=["by their ids", "by what they are like"])
def test_a_search_looks_into_names_and_sources(mixed, monkeypatch, few):
    monkeypatch.setattr(browsing, "FEW", few)
    assert shown(mixed, search=f"{3:032x}".upper()) == [name(3)]
    assert shown(mixed, search="s3://calls/") == shown(mixed)
    assert shown(mixed, search="%") == []
    assert shown(mixed, search="_ROOM", state=State.LATE) == [name(3)]
    assert shown(mixed, search="'; DROP TABLE recordings; --") == []


@pytest.mark.parametrize("few", [browsing.FEW, 1])
def test_a_search_counts_its_groups_and_goes_page_by_page(ledger, monkeypatch, few):
    monkeypatch.setattr(browsing, "FEW", few)
    discovery.note(ledger, TO, [sighting(n, State.LATE) for n in range(ROWS + 20)])
    others = [sighting(n, State.READY, name=f"other{n}") for n in range(ROWS + 20, ROWS + 30)]
    discovery.note(ledger, TO, others)
    page = browsing.page(ledger, Wanted(search="room"), 2)
    assert page.groups == {(State.LATE, None): ROWS + 20}
    assert (page.total, page.pages, len(page.rows)) == (ROWS + 20, 2, 20)
    both = {*shown(ledger, search="room"), *(row["name"] for row in page.rows)}
    assert both == {name(n) for n in range(ROWS + 20)}


def test_a_row_says_what_is_lost(mixed):
    row = browsing.page(mixed, Wanted(verdict="degraded")).rows[0]
    assert (row["duration"], row["lost_video"], row["lost_audio"]) == (60.0, 15.0, None)


def test_page_by_page_every_recording_comes_once(ledger):
    enter(ledger, ROWS + 20, State.LATE)
    more = [sighting(n, State.READY) for n in range(ROWS + 20, 2 * ROWS + 31)]
    discovery.note(ledger, TO, more)
    pages = [shown(ledger, n) for n in (1, 2, 3)]
    assert [len(page) for page in pages] == [ROWS, ROWS, 31]
    assert len({one for page in pages for one in page}) == 2 * ROWS + 31
    assert pages[1][:20] != pages[0][:20]
    assert all(one in {name(n) for n in range(ROWS + 20)} for one in pages[0])
    last = browsing.page(ledger, Wanted(), 99)
    assert (last.number, last.pages, len(last.rows)) == (3, 3, 31)
    assert browsing.page(ledger, Wanted(), -5).number == 1


def test_an_empty_ledger_has_one_empty_page(ledger):
    page = browsing.page(ledger, Wanted())
    assert (page.rows, page.groups, page.total, page.number, page.pages) == ((), {}, 0, 1, 1)


def test_the_pulse_changes_with_what_happens(ledger):
    beats = [browsing.pulse(ledger), browsing.pulse(ledger)]
    assert beats[0] == beats[1]
    enter(ledger, 1)
    beats.append(browsing.pulse(ledger))
    queries.hold(ledger, name(0), held=True)
    beats.append(browsing.pulse(ledger))
    queries.run_begins(ledger, "watch")
    beats.append(browsing.pulse(ledger))
    discovery.blind(ledger, STORE, TO, "denied")
    beats.append(browsing.pulse(ledger))
    assert len(set(beats)) == 5


def test_what_was_published_since(mixed):
    found = browsing.results(mixed, 0.0)
    assert [(one.verdict, one.duration) for one in found] == [("ok", 60.0), ("degraded", 60.0)]
    assert browsing.results(mixed, mixed.time() + 60) == []


def test_what_was_done_with_the_name_of_the_recording(mixed):
    custody.note(mixed, "archived", {"bag": "a"}, name=name(0))
    custody.note(mixed, "apply", {"run": "r"})
    found = browsing.acts(mixed, ["apply", "archived"], 9)
    assert [(one["kind"], one["name"]) for one in found] == [("apply", None), ("archived", name(0))]
    assert len(browsing.acts(mixed, ["apply", "archived"], 1)) == 1


def test_one_recording_by_its_number(mixed):
    row = browsing.page(mixed, Wanted(state=State.FAILED)).rows[0]
    assert queries.explain_row(mixed, row["id"], 9).recording["name"] == name(4)
    with pytest.raises(NotFoundError, match="no such recording"):
        queries.explain_row(mixed, 10**9, 9)
