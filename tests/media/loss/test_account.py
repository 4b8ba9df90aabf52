"""The verdict that follows from what was promised and delivered."""

import numpy as np
import pytest
from msgspec.structs import replace

from pipeline.media.loss.account import MOST_ROWS, summed, together, verdict, weighed
from pipeline.media.loss.balance import USUAL
from pipeline.media.slots.segments import Slot
from pipeline.media.ts.scan import scan
from pipeline.model import Account, AccountEntry, Finding, Severity, Total, Verdict
from tests import ts

SLOTS = [Slot(f"{n}.ts", None, 4.0) for n in range(5)]


def entry(slot: int, **short: object) -> AccountEntry:
    return AccountEntry(f"{slot}.ts", "video", 256, 4.0, 4.0, units=60, bytes=6000, **short)


def account(**short: object) -> list[AccountEntry]:
    """Five slots; the third one is short of something."""
    return [entry(n, **(short if n == 2 else {})) for n in range(5)]


def claim(segment: str | None, pid: int | None = 256) -> Finding:
    return Finding("CC", Severity.ERROR, segment, pid, detail="packets lost")


@pytest.mark.parametrize(
    ("short", "says"),
    [
        pytest.param({"lost": 1.5}, "1.500 s", id="seconds"),
        pytest.param({"lost": 1.0, "unexplained": 0.25}, "1.250 s, 4.000 s promised", id="both"),
        pytest.param({"packets": 3}, "3 packets at least", id="packets"),
        pytest.param({"cut": 1}, "the end of 1 units", id="units cut off"),
        pytest.param({"dropped": 99}, "99 bytes that belong to no unit", id="bytes"),
    ],
)
def test_what_is_short_is_never_passed_over(short, says):
    (found,) = weighed([], account(**short), SLOTS)
    assert (found.id, found.severity, found.segment) == ("SEG_SHORT", Severity.ERROR, "2.ts")
    assert says in found.detail
    assert verdict([found]) is Verdict.DEGRADED


def test_nothing_short_needs_no_word():
    assert weighed([], account(), SLOTS) == []
    assert weighed([], account(excepted=3.0, reason="none was sent"), SLOTS) == []


def test_an_error_that_explains_what_is_short_stays_one():
    given = claim("2.ts")
    assert weighed([given], account(lost=1.0), SLOTS) == [given]


def test_an_error_of_another_track_explains_nothing():
    first, *more = weighed([claim("2.ts", 257)], account(lost=1.0), SLOTS)
    assert first.severity is Severity.WARNING
    assert [f.segment for f in more] == ["2.ts"]


def test_a_claim_that_costs_nothing_is_a_warning():
    (found,) = weighed([claim("2.ts")], account(), SLOTS)
    assert (found.severity, verdict([found])) == (Severity.WARNING, Verdict.REPAIRED)


def test_what_is_no_claim_is_an_error_whatever_the_account_says():
    missing = Finding("SEG_MISSING", Severity.ERROR, "2.ts")
    assert weighed([missing], account(), SLOTS) == [missing]


def with_media(*there: bool) -> list[Slot]:
    """Slots of which some hold media."""
    held = scan("x", np.frombuffer(ts.segment(), np.uint8))
    return [Slot(f"{n}.ts", held if one else None, 4.0) for n, one in enumerate(there)]


@pytest.mark.parametrize(
    ("claimed", "there", "explains"),
    [
        pytest.param(1, (1, 1, 1, 1, 1), True, id="the one before"),
        pytest.param(3, (1, 1, 1, 1, 1), True, id="the one behind"),
        pytest.param(0, (1, 1, 1, 1, 1), False, id="two before"),
        pytest.param(4, (1, 1, 1, 1, 1), False, id="two behind"),
        pytest.param(0, (1, 0, 1, 1, 1), True, id="before, and nothing between"),
        pytest.param(4, (1, 1, 1, 0, 1), True, id="behind, and nothing between"),
    ],
)
def test_where_it_shows_what_is_wrong_with_a_slot(claimed, there, explains):
    found = weighed([claim(f"{claimed}.ts")], account(lost=1.0), with_media(*map(bool, there)))
    assert (found[0].severity is Severity.ERROR) is explains
    assert ("SEG_SHORT" in {f.id for f in found}) is not explains


def test_a_claim_of_no_slot_costs_what_any_is_short():
    assert weighed([claim(None)], account(lost=1.0), SLOTS) == [claim(None)]
    (found,) = weighed([claim(None)], account(), SLOTS)
    assert (found.severity, found.repair) == (
        Severity.WARNING,
        "none needed: all that was promised is there",
    )


def test_a_claim_of_no_track_costs_what_any_is_short():
    given = claim("2.ts", None)
    assert weighed([given], account(lost=1.0), SLOTS) == [given]


def test_a_claim_of_what_nobody_lists_costs_nothing():
    (found,) = weighed([claim("other.ts")], account(), SLOTS)
    assert found.severity is Severity.WARNING


def test_what_was_done_about_a_claim_stays_said():
    given = Finding("CC", Severity.ERROR, "2.ts", 256, repair="put right")
    assert weighed([given], account(), SLOTS)[0].repair == "put right"


def test_warnings_explain_nothing():
    given = Finding("CC", Severity.WARNING, "2.ts", 256)
    assert [f.id for f in weighed([given], account(lost=1.0), SLOTS)] == ["CC", "SEG_SHORT"]


@pytest.mark.parametrize("severity", [Severity.ERROR, Severity.FATAL])
def test_an_error_of_no_slot_explains_everything(severity):
    given = Finding("PL_PARTS", severity)
    assert weighed([given], account(lost=1.0), SLOTS) == [given]


@pytest.mark.parametrize(
    ("severity", "repair", "outcome"),
    [
        (Severity.FATAL, None, Verdict.REJECTED),
        (Severity.ERROR, "kept", Verdict.DEGRADED),
        (Severity.WARNING, "put right", Verdict.REPAIRED),
        (Severity.WARNING, None, Verdict.OK),
        (Severity.INFO, None, Verdict.OK),
    ],
)
def test_verdict(severity, repair, outcome):
    info = Finding("X", Severity.INFO)
    assert verdict([info, Finding("Y", severity, repair=repair), info]) is outcome


def test_no_finding_is_ok():
    assert verdict([]) is Verdict.OK


ROW = AccountEntry(
    "2.ts",
    "audio",
    257,
    *(4.0, 1.0, 2.5, 0.5, 0.25, "it has ended", 0.125),
    **{"units": 7, "bytes": 70, "payload": 90, "taken": 75, "dropped": 3, "aside": 12},
)


def test_totals_and_rows():
    found = summed([entry(0), entry(1), ROW, replace(ROW, slot="3.ts", promised=None)])
    assert found.slots == (ROW, replace(ROW, slot="3.ts", promised=None))
    assert found.more == 0
    assert found.tracks == (
        Total("video", 256, 2, 8.0, 8.0, 0, 0, 0, 0, 120, 12_000, 0, 0, 0),
        Total("audio", 257, 2, 4.0, 2.0, 5.0, 1.0, 0.5, 0.25, 14, 140, 180, 6, 24),
    )


def test_a_row_for_each_slot_of_which_there_is_something_to_say():
    quiet = [entry(n, excepted=4.0, reason=r) for n, r in enumerate(sorted(USUAL - {None}))]
    loud = [entry(5, aside=1), entry(6, reason="another part holds its time", excepted=1.0)]
    assert summed([*quiet, *loud]).slots == tuple(loud)


def test_not_more_rows_than_anybody_reads():
    found = summed([entry(0, lost=1.0)] * (MOST_ROWS + 3))
    assert (len(found.slots), found.more) == (MOST_ROWS, 3)
    both = together([found, found])
    assert (len(both.slots), both.more) == (MOST_ROWS, MOST_ROWS + 6)


def test_accounts_of_several_files_are_one():
    one, other = summed([entry(0), ROW]), summed([entry(1, lost=1.5)])
    found = together([one, other])
    assert found.slots == (*one.slots, *other.slots)
    assert [t.pid for t in found.tracks] == [256, 257]
    video = found.tracks[0]
    assert (video.slots, video.promised, video.lost, video.units) == (2, 8.0, 1.5, 120)
    assert found.tracks[1] == one.tracks[1]
    assert together([]) == Account()
