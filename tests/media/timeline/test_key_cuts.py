"""Where a recording is cut that one file cannot hold."""

import numpy as np
import pytest
from msgspec.structs import replace

from pipeline.media.slots.segments import Slot
from pipeline.media.timeline.key_cuts import PAUSE, by_length
from pipeline.media.timeline.plan import plan
from pipeline.media.ts.scan import scan
from tests import ts

S = 96_000  # ticks of a segment
DAY = 24 * 3600 * 90_000


@pytest.fixture(scope="module")
def whole():
    counters: dict[int, int] = {}
    datas = [ts.segment(start=S * (n + 1), pictures=16, counters=counters) for n in range(8)]
    scans = [scan(f"{n}.ts", np.frombuffer(data, np.uint8)) for n, data in enumerate(datas)]
    return plan([Slot(found.name, found, S / 90_000) for found in scans])


def later(placed, number, ticks):
    """All from one number on come so much later."""
    return [s.moved(ticks) if n >= number else s for n, s in enumerate(placed)]


def mute(segment):
    """A segment without pictures."""
    return replace(segment, stamps={ts.AUDIO: segment.stamps[ts.AUDIO]})


def lengths(placed, whole, longest=DAY):
    files = list(by_length(placed, whole.lanes, longest))
    assert [s for file in files for s in file] == list(placed)
    return [len(file) for file in files]


def test_as_many_segments_as_fit(whole):
    assert lengths(whole.placed, whole, round(3.5 * S)) == [3, 3, 2]
    assert lengths(whole.placed, whole) == [8]


@pytest.mark.parametrize(("pause", "files"), [(PAUSE - 6000, [8]), (PAUSE, [3, 5])])
def test_pictures_that_pause_for_longer_than_a_sample_may_last(whole, pause, files):
    """They are 6000 ticks apart without a pause."""
    assert lengths(later(whole.placed, 3, pause), whole) == files


def test_sound_alone_meanwhile_stays_in_the_first_file(whole):
    placed = later(whole.placed, 4, PAUSE)
    placed[3:6] = map(mute, placed[3:6])
    assert lengths(placed, whole) == [6, 2]


def test_the_last_segment_behind_a_pause(whole):
    assert lengths(later(whole.placed, 7, PAUSE), whole) == [7, 1]


def test_two_pauses(whole):
    assert lengths(later(later(whole.placed, 2, PAUSE), 5, PAUSE), whole) == [2, 3, 3]


def test_sound_may_pause_for_as_long_as_it_will(whole):
    (sound,) = (lane for lane in whole.lanes if lane.pid == ts.AUDIO)
    placed = [mute(segment) for segment in later(whole.placed, 3, PAUSE)]
    assert [len(file) for file in by_length(placed, [sound], DAY)] == [8]
