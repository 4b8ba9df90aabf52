"""A slot beside its nearest neighbours."""

import numpy as np
import pytest
from msgspec.structs import replace

from pipeline.media.clock import signed_ticks
from pipeline.media.slots.neighbours import (
    between,
    emptied,
    gaps,
    length,
    neighbours,
    promised,
    streams_of,
)
from pipeline.media.slots.segments import Slot
from pipeline.media.ts.scan import Stream, scan
from tests import ts
from tests.media.loss.test_balance import run, slots_of
from tests.media.slots_builder import SECONDS, S


def stream(slot: Slot, pid: int = ts.VIDEO) -> Stream:
    assert slot.scan is not None
    return slot.scan.streams[pid]


def test_neighbours_that_follow_each_other():
    found = neighbours(slots_of(run()), 2)
    assert (found.here, found.before, found.behind) == (2, 1, 3)
    assert found.since == found.until == {ts.VIDEO: 0, ts.AUDIO: 0}


def test_the_nearest_that_hold_media_of_the_same_part():
    slots = slots_of(run(7))
    slots[1] = emptied(slots[1])
    slots[4] = replace(slots[4], part="bak0")
    slots[5] = emptied(slots[5])
    found = neighbours(slots, 2)
    assert (found.before, found.behind) == (0, 3)
    assert neighbours(slots, 3).behind == 6
    assert neighbours(slots, 3).until[ts.VIDEO] == 0


def test_at_the_ends_there_is_but_one():
    slots = slots_of(run(2))
    assert (neighbours(slots, 0).before, neighbours(slots, 0).since) == (None, {})
    assert (neighbours(slots, 1).behind, neighbours(slots, 1).until) == (None, {})


def both(ticks: int) -> dict[tuple[int, int], int]:
    """By the PIDs on both sides."""
    return {(ts.VIDEO, ts.VIDEO): ticks, (ts.AUDIO, ts.AUDIO): ticks}


def test_what_lies_between_is_as_long_as_promised():
    slots = slots_of(run())
    slots[1] = emptied(slots[1])
    assert gaps(slots, 0, 2) == both(0)
    slots[1] = replace(slots[1], duration=SECONDS - 1)
    assert gaps(slots, 0, 2) == both(90_000)
    slots[1] = replace(slots[1], needed=False)
    assert gaps(slots, 0, 2) == both(S)


def test_only_streams_that_both_hold_are_compared():
    slots = slots_of([run(1)[0], ts.segment(start=2 * S, pictures=16, audio=None)])
    assert gaps(slots, 0, 1) == {(ts.VIDEO, ts.VIDEO): 0}


def test_streams_that_were_numbered_anew_are_compared_by_their_kind():
    slots = slots_of(run(2))
    assert slots[1].scan is not None
    streams = {pid + 7: stream for pid, stream in slots[1].scan.streams.items()}
    slots[1] = replace(slots[1], scan=replace(slots[1].scan, streams=streams))
    assert gaps(slots, 0, 1) == {(p, p + 7): 0 for p in (ts.VIDEO, ts.AUDIO)}
    assert between(slots, 0, 1) == 0


def test_between_is_what_the_stream_says_that_says_least():
    slots = slots_of(run(3))
    assert between(slots, 0, 2) == S
    moved = replace(stream(slots[2]), dts=stream(slots[2]).dts - 3 * S)
    assert slots[2].scan is not None
    streams = {**slots[2].scan.streams, ts.VIDEO: moved}
    slots[2] = replace(slots[2], scan=replace(slots[2].scan, streams=streams))
    assert between(slots, 0, 2) == S  # of -2 S and S
    assert between([slots[0], emptied(slots[1])], 0, 1) is None


def test_what_was_found_is_put_aside():
    (slot,) = slots_of(run(1))
    empty = emptied(slot)
    assert (empty.scan, empty.aside, empty.duration) == (None, slot.scan, slot.duration)


def test_promised():
    slots = [Slot("", None, 1.5), Slot("", None), Slot("", None, 2.0, needed=False)]
    assert promised(slots) == 135_000


def test_length():
    (slot,) = slots_of(run(1))
    assert length(replace(slot, duration=2.0)) == 180_000
    assert length(replace(slot, duration=None)) == S


@pytest.mark.parametrize(
    "how",
    [
        pytest.param({"codec": None}, id="of no known kind"),
        pytest.param({"dts": np.array([-1])}, id="without a stamp"),
        pytest.param({"blank": True}, id="without a whole unit"),
    ],
)
def test_streams_of_no_known_time(how):
    (slot,) = slots_of(run(1))
    assert slot.scan is not None
    assert [*streams_of(slot)] == [ts.VIDEO, ts.AUDIO]
    streams = {**slot.scan.streams, ts.VIDEO: replace(stream(slot), **how)}
    assert [*streams_of(replace(slot, scan=replace(slot.scan, streams=streams)))] == [ts.AUDIO]
    assert streams_of(emptied(slot)) == {}


def test_first_and_end_pass_over_units_without_a_stamp():
    video = replace(stream(slots_of(run(1))[0]), dts=np.array([-1, 100, 6100, -1]), tail=2)
    assert (video.first, video.end) == (100, 18_100)


def test_how_long_a_unit_lasts():
    (slot,) = slots_of(run(1))
    assert stream(slot, ts.AUDIO).unit == 1920.0
    video = stream(slot)
    assert video.unit == 6000.0
    assert replace(video, dts=np.array([0, 6000, 6000, 12_000, 21_000])).unit == 6000.0
    assert replace(video, dts=np.array([0, 9000, 15_000, 21_000])).unit == 6000.0
    assert replace(video, dts=np.array([7])).unit == 3600.0


def test_a_step_of_the_clock():
    assert [signed_ticks(t) for t in (5, -5, (1 << 33) - 5, 1 << 32)] == [5, -5, -5, -(1 << 32)]


def test_scans_of_the_tests_are_whole():
    assert scan("", np.frombuffer(run(1)[0], np.uint8)).findings == ()


def test_a_stamp_of_zero_is_one():
    video = replace(stream(slots_of(run(1))[0]), dts=np.array([0]), tail=1)
    (slot,) = slots_of(run(1))
    assert slot.scan is not None
    streams = {ts.VIDEO: video}
    assert [*streams_of(replace(slot, scan=replace(slot.scan, streams=streams)))] == [ts.VIDEO]
    assert (video.first, video.end) == (0, 3600)
    assert replace(video, dts=np.array([0, 500])).unit == 500.0
