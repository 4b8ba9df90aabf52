"""The plan of a recording without a fault, known from its first segments."""

import numpy as np
import pytest
from msgspec.structs import replace

from pipeline.media.slots.segments import Slot
from pipeline.media.timeline import foreseen
from pipeline.media.timeline import plan as timeline
from pipeline.media.timeline.foreseen import Foreseen
from pipeline.media.ts.scan import scan
from pipeline.model import Finding, Severity
from tests import ts

FIRST = 4
SECOND = 90_000
MODULO = 1 << 33


def slots(count=8, start=ts.START, **kind):
    """Segments of a second, as they are scanned."""
    counters, made = {}, []
    for n in range(count):
        data = ts.segment(start=(start + n * SECOND) % MODULO, counters=counters, **kind)
        made.append(Slot(f"{n}.ts", scan(f"{n}.ts", np.frombuffer(data, np.uint8)), 1.0))
    return made


def foresee(all):
    """All of them, from the first ones."""
    seen = Foreseen(timeline.plan(all[:FIRST]), len(all))
    return seen, [seen.place(slot) for slot in all]


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param({}, id="sound and pictures"),
        pytest.param({"audio": None}, id="pictures"),
        pytest.param({"video": None}, id="sound"),
        pytest.param({"start": MODULO - 5 * SECOND}, id="the clock wraps behind the first ones"),
        pytest.param({"start": MODULO - 2 * SECOND}, id="the clock wraps among the first ones"),
    ],
)
def test_what_is_foreseen_of_a_recording_without_a_fault_is_its_plan(kind):
    all = slots(**kind)
    seen, placed = foresee(all)
    assert None not in placed
    assert seen.is_what_came(timeline.plan(all))
    assert foreseen.holds(timeline.plan(all), all)


def without(slot, pid):
    streams = {key: stream for key, stream in slot.scan.streams.items() if key != pid}
    return replace(slot, scan=replace(slot.scan, streams=streams))


def wrong(slot):
    finding = Finding("CC", Severity.ERROR, slot.name)
    return replace(slot, scan=replace(slot.scan, findings=(finding,)))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda slot: replace(slot, scan=None), id="is not there"),
        pytest.param(lambda slot: without(slot, ts.AUDIO), id="lacks the sound"),
        pytest.param(lambda slot: without(slot, ts.VIDEO), id="lacks the pictures"),
        pytest.param(wrong, id="has an error"),
    ],
)
def test_a_segment_that_no_such_recording_has(change):
    all = slots()
    all[5] = change(all[5])
    _, placed = foresee(all)
    assert [one is None for one in placed] == [n == 5 for n in range(8)]


@pytest.mark.parametrize("pid", [ts.AUDIO, ts.VIDEO])
def test_a_recording_whose_first_segment_holds_no_whole_unit_of_a_stream(pid):
    """The plan finds no place for it there, and a lane for what follows."""
    all = slots()
    scan = all[0].scan
    blank = {pid: replace(scan.streams[pid], blank=True)}
    all[0] = replace(all[0], scan=replace(scan, streams={**scan.streams, **blank}))
    _, placed = foresee(all)
    assert placed[0] is None
    assert not foreseen.holds(timeline.plan(all), all)


def shifted(all):
    """A hole, of which the clock tells."""
    return all[:5] + slots(3, start=ts.START + 9 * SECOND)


def renamed(all):
    return [*all[:-1], replace(all[-1], name="other.ts")]


def swapped(all):
    return [*all[:5], all[6], all[5], all[7]]


@pytest.mark.parametrize("back", [1, 3, 3600])
def test_a_clock_that_goes_back_is_of_no_such_recording(back):
    all = slots(5, start=ts.START + 3600 * SECOND)
    all += slots(3, start=ts.START + (3605 - back) * SECOND)
    _, placed = foresee(all)
    assert [one is None for one in placed][:6] == [False] * 5 + [True]


def shown_before(slot, raw):
    """A picture whose PTS says that it is shown long before it is decoded."""
    video = slot.scan.streams[ts.VIDEO]
    pts = np.where(np.arange(len(video.pts)) == 7, raw, video.pts)
    streams = {**slot.scan.streams, ts.VIDEO: replace(video, pts=pts)}
    return replace(slot, scan=replace(slot.scan, streams=streams))


def test_a_picture_that_is_shown_before_what_was_placed_is_of_no_such_recording():
    all = slots(start=ts.START + 3600 * SECOND)
    all[5] = shown_before(all[5], 5)
    _, placed = foresee(all)
    assert [one is None for one in placed][:6] == [False] * 5 + [True]


@pytest.mark.parametrize("other", [shifted, renamed, swapped, lambda all: all[:-1]])
def test_another_plan_is_not_what_was_foreseen(other):
    all = slots()
    seen, _ = foresee(all)
    assert not seen.is_what_came(timeline.plan(other(all)))


@pytest.mark.parametrize("edge", ["torn", "joined", "cut", "whole", "until"])
def test_a_plan_with_another_edge_is_not_what_was_foreseen(edge):
    all = slots()
    seen, _ = foresee(all)
    plan = timeline.plan(all)
    changed = replace(plan.placed[6], **{edge: {ts.AUDIO: 1} if edge == "until" else {ts.AUDIO}})
    assert not seen.is_what_came(replace(plan, placed=(*plan.placed[:6], changed, plan.placed[7])))


def test_a_stream_under_another_pid_is_not_what_was_foreseen():
    all = slots()
    seen, _ = foresee(all)
    plan = timeline.plan(all)
    scan = plan.placed[6].slot.scan
    moved = replace(scan.streams[ts.AUDIO], pids=(ts.AUDIO, 0x222))
    scan = replace(scan, streams={**scan.streams, ts.AUDIO: moved})
    changed = replace(plan.placed[6], slot=replace(plan.placed[6].slot, scan=scan))
    assert not seen.is_what_came(replace(plan, placed=(*plan.placed[:6], changed, plan.placed[7])))


def test_another_track_is_not_what_was_foreseen():
    all = slots()
    seen, _ = foresee(all)
    plan = timeline.plan(all)
    lanes = tuple(replace(lane, unit=lane.unit + 1) for lane in plan.lanes)
    assert not seen.is_what_came(replace(plan, lanes=lanes))


def test_first_segments_that_are_wrong_tell_nothing_of_the_others():
    all = shifted(slots())[2:]
    assert not foreseen.holds(timeline.plan(all[:FIRST]), all[:FIRST])
    assert not foreseen.holds(timeline.plan([]), [])


def test_first_segments_in_another_order_are_no_such_recording():
    """The one that comes first is longer than the one that belongs there."""
    all = slots(FIRST)
    short = ts.segment(start=ts.START, pictures=9, counters={})
    all[0] = Slot("0.ts", scan("0.ts", np.frombuffer(short, np.uint8)), 0.6)
    made = timeline.plan(all)
    assert foreseen.holds(made, [all[1], all[0], *all[2:]]) is False


@pytest.mark.parametrize("start", [ts.START, MODULO // 2 + 1800 * SECOND])
def test_a_clock_that_steps_back_to_before_the_beginning(start):
    """Its place would be before the time line begins."""
    all, back = slots(start=start), slots(start=start - 3600 * SECOND)
    all[5] = back[5]
    placed = foresee(all[:6])[1]
    assert [one is None for one in placed] == [False] * 5 + [True]
