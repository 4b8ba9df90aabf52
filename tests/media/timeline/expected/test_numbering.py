"""Numbers that the names of slices leave out."""

import pytest

from pipeline.media.slots.segments import Slot
from pipeline.media.timeline.expected.numbering import left_out
from pipeline.media.timeline.plan import plan
from tests import ts
from tests.media.timeline.expected.test_span import SECONDS, S, slots_of


@pytest.mark.parametrize(
    ("names", "found"),
    [
        pytest.param("a1.ts a2.ts a3.ts a4.ts", {}, id="none"),
        pytest.param("a1.ts a2.ts a4.ts a5.ts", {2: 1}, id="one"),
        pytest.param("a-07.ts a-08.ts a-12.ts a-13.ts", {2: 3}, id="three"),
        pytest.param("a1.ts a2.ts a7.ts a8.ts", {}, id="four are another count"),
        pytest.param("a1.ts a3.ts a5.ts a7.ts", {}, id="it counts by two"),
        pytest.param("a1.ts a2.ts a4.ts a6.ts a7.ts", {}, id="two gaps"),
        pytest.param("a1.ts a2.ts a4.ts", {2: 1}, id="one step tells that it counts"),
        pytest.param("a1.ts a3.ts", {}, id="no step does"),
        pytest.param("a1.ts a2.ts b4.ts b5.ts b6.ts", {}, id="another name"),
        pytest.param("a3.ts a2.ts a1.ts a0.ts", {}, id="backwards"),
        pytest.param("a.ts b.ts c.ts", {}, id="no numbers"),
        pytest.param("a1.ts x.ts a2.ts a3.ts a5.ts", {4: 1}, id="one without a number among them"),
        pytest.param("1 2 4 5", {2: 1}, id="nothing but numbers"),
    ],
)
def test_left_out(names, found):
    assert left_out([Slot(name, None) for name in names.split()]) == found


@pytest.mark.parametrize(("numbers", "lost"), [([0, 1, 3, 4], True), ([0, 1, 2, 3], False)])
def test_a_number_left_out_where_the_clock_begins_anew_is_a_slice(numbers, lost):
    """As long as the others are: no clock and no name tells the time."""
    starts = [5 * S, 6 * S, 0, S]
    slots = slots_of([ts.segment(start=start, pictures=16) for start in starts])
    slots = [
        Slot(f"{number}.ts", slot.scan, SECONDS, discontinuity=n == 2)
        for n, (slot, number) in enumerate(zip(slots, numbers, strict=True))
    ]
    made = plan(slots)
    apart = made.placed[2].first(ts.VIDEO) - made.placed[1].first(ts.VIDEO)
    assert apart == pytest.approx(2 * S if lost else S, abs=ts.FRAME)
    assert (ts.VIDEO in made.placed[2].torn) is lost


def test_a_number_left_out_where_the_clock_goes_on_is_none():
    slots = slots_of([ts.segment(start=S * n, pictures=16) for n in range(4)])
    slots = [Slot(f"{n}.ts", s.scan, SECONDS) for n, s in zip([0, 1, 3, 4], slots, strict=True)]
    made = plan(slots)
    assert [placed.torn for placed in made.placed] == [set()] * 4
