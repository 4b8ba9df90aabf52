"""Streams of one user: what was not sent is no loss, and what is missing is no absence."""

import pytest
from msgspec.structs import replace

from pipeline.media.timeline.plan import plan
from pipeline.model import TrackEvent
from tests import ts
from tests.media.loss.test_balance import holes, slots_of, stretches_of
from tests.media.slots_builder import SECONDS, UTC, S

PAUSE = 20.0  # seconds


def stream(*, away=PAUSE, at=3, starts=True, told=0.0, gone=(), count=7):
    """Sound of one user in slices, who was away in front of one; some slices are gone.  START tells
    a time ``told`` seconds before the name of its slice.
    """
    counters: dict[int, int] = {}
    datas = [
        ts.segment(start=S * (n + 1), pictures=16, counters=counters, video=None)
        for n in range(count)
    ]
    slots = []
    for n, slot in enumerate(slots_of(datas)):
        wait = away if n >= at else 0.0
        scan, utc = slot.scan, UTC + n * SECONDS + wait
        assert scan is not None
        ticks = round(wait * 90_000)
        streams = {
            pid: replace(s, pts=s.pts + ticks, dts=s.dts + ticks) for pid, s in scan.streams.items()
        }
        events = (TrackEvent("audio", utc - told),) if starts and n in (0, at) else ()
        slot = replace(slot, scan=replace(scan, streams=streams), utc=utc, duration=SECONDS)
        slot = replace(slot, discontinuity=starts and n in (0, at), events=events)
        slots.append(replace(slot, scan=None) if n in gone else slot)
    return datas, slots


def lost(datas, slots, *, pauses=True):
    """Seconds of holes between units."""
    made = plan(slots, pauses=pauses)
    (lane,) = made.lanes
    held = stretches_of(made, datas, lane)
    return round(sum(h.length for h in holes(lane, held, made.promised[lane.pid].silent)), 1)


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        pytest.param({}, 0.0, id="away behind a START"),
        pytest.param({"away": 3.1, "starts": False}, 0.0, id="a pause without a word"),
        pytest.param({"gone": (2,)}, SECONDS, id="the last slice before is gone"),
        pytest.param({"gone": (3,)}, SECONDS, id="the first slice behind is gone"),
        pytest.param({"gone": (2, 3)}, 2 * SECONDS, id="one on both sides"),
        pytest.param({"gone": (4,)}, SECONDS, id="one inside a run"),
        pytest.param({"told": 5.0}, 5.0, id="START is earlier than what follows it"),
        pytest.param({"starts": False}, PAUSE, id="so long, and no START"),
    ],
)
def test_between_slices(chosen, expected):
    assert lost(*stream(**chosen)) == pytest.approx(expected, abs=0.1)


def test_of_all_users_together_a_start_is_no_excuse():
    assert lost(*stream(), pauses=False) == pytest.approx(PAUSE, abs=0.1)
