"""The verdict that follows from what was promised and delivered."""

import pytest

from pipeline.media.account import verdict, weighed
from pipeline.media.placed import Slot
from pipeline.model import Entry, Finding, Severity, Verdict

SLOTS = [Slot(f"{n}.ts", None, 4.0) for n in range(5)]


def entry(slot: int, **short: object) -> Entry:
    return Entry(f"{slot}.ts", "video", 256, 4.0, 4.0, units=60, bytes=6000, **short)


def account(**short: object) -> list[Entry]:
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
