"""How regularly units follow each other, and what that says of a gap."""

import numpy as np
import pytest
from msgspec.structs import replace

from pipeline.media.es.codecs import AAC, H264
from pipeline.media.slots.segments import Placed, Slot
from pipeline.media.slots.stamps import Stamps
from pipeline.media.timeline.edges.pace import Pace, decoded_end, pace
from pipeline.media.track import Lane
from tests import ts
from tests.media.loss.test_balance import run, slots_of

VIDEO, AUDIO = Lane(ts.VIDEO, H264, b"", 6000.0), Lane(ts.AUDIO, AAC, b"", 1920.0)
STEADY = Pace(steady=True, longest=6000, stray=0.0, border=None, packets=2.0)


def segments(count: int = 5, **options: object) -> list[Placed]:
    return [
        Placed(s, n, {p: Stamps.of(x.pts, x.dts) for p, x in s.scan.streams.items()}, n)
        for n, s in enumerate(slots_of(run(count, **options)))
    ]


def timed(*times: list[int]) -> list[Placed]:
    """Segments whose pictures are decoded then."""
    return [
        replace(segment, stamps={ts.VIDEO: Stamps.of(np.array(dts), np.array(dts))})
        for segment, dts in zip(segments(len(times)), times, strict=True)
    ]


def steps(begin: int, *steps: int) -> list[int]:
    return (begin + np.cumsum([0, *steps])).tolist()


def test_a_steady_track():
    found = pace(segments(), VIDEO)
    assert found == Pace(steady=True, longest=6000, stray=0.0, border=0.0, packets=2.875)
    sound = pace(segments(), AUDIO)
    assert (sound.steady, sound.stray, sound.border) == (True, 0.0, 0.0)
    assert sound.longest == 4 * 1920  # frames in each PES


def test_a_border_as_long_as_a_loss_is_no_usual_one():
    """Every second segment of seven is gone with its line."""
    found = [replace(one, position=n) for n, one in enumerate(segments(7)[::2])]
    assert pace(found, VIDEO).border == 45_000
    assert pace(found, VIDEO).gap(VIDEO) < 96_000


def test_a_track_that_is_not_steady():
    irregular = [6000] * 40 + [9000] * 2
    assert not pace(timed(steps(0, *irregular)), VIDEO).steady
    assert pace(timed(steps(0, *[6000] * 98, 9000)), VIDEO).steady  # one in a hundred is no pattern


@pytest.mark.parametrize(("off", "steady"), [(1500, True), (1501, False)])
def test_a_quarter_of_a_unit_is_steady(off, steady):
    found = pace(timed(steps(0, *[6000 + off, 6000 - off] * 20)), VIDEO)
    assert (found.steady, found.stray) == (steady, off)


def test_stamps_of_sound_stray_from_whole_frames():
    segment = timed(steps(0, 1920 * 3, 1920 * 2 + 30, 1920 - 30, 500))[0]
    segment = replace(segment, stamps={ts.AUDIO: segment.stamps[ts.VIDEO]})
    found = pace([segment], AUDIO)
    assert found.stray == 30.0  # of 0, 30, 30 and 1420: a frame is never less than one


def test_what_pictures_stray_is_from_one_unit():
    assert pace(timed(steps(0, 12_000, 12_000, 12_000)), VIDEO).stray == 6000.0


def test_borders_tell_from_the_third_on():
    lanes = segments(3)
    assert pace(lanes, VIDEO).border is None
    assert pace(segments(4), VIDEO).border == 0.0


def test_a_loss_or_two_do_not_move_what_is_usual_at_borders():
    found = segments(6)
    found[3:] = [s.moved(90_000 + (300 if s.number > 3 else 0)) for s in found[3:]]
    assert pace(found, VIDEO).border == 0.0
    earlier = found[1].stamps[ts.VIDEO].later(-400)
    found[1] = replace(found[1], stamps={**found[1].stamps, ts.VIDEO: earlier})
    assert pace(found, VIDEO).border == 400.0  # of 0, 300, 400, 400 and 90,000


@pytest.mark.parametrize(
    "apart",
    [
        pytest.param(lambda s: replace(s, part="bak0"), id="of another part"),
        pytest.param(None, id="with something between"),
    ],
)
def test_no_border_where_segments_are_no_neighbours(apart):
    found = segments(4)
    slot = found[3].slot
    found[3] = replace(found[3], slot=apart(slot)) if apart else replace(found[3], position=4)
    assert pace(found, VIDEO).border is None


def test_packets_for_each_unit():
    assert pace(segments(size=1000), VIDEO).packets > 4
    (one,) = segments(1)
    held = one.stream(ts.AUDIO)
    assert pace([one], AUDIO).packets == pytest.approx(
        held.packets / ((one.last(ts.AUDIO) - one.first(ts.AUDIO)) / 1920 + 1)
    )


def test_no_step_at_all():
    found = pace(timed([90_000]), VIDEO)
    assert (found.steady, found.longest, found.stray) == (True, 0, 0.0)


@pytest.mark.parametrize(
    ("lane", "usual", "ticks"),
    [
        pytest.param(VIDEO, replace(STEADY, steady=False, longest=9000), 13_500.0, id="irregular"),
        pytest.param(VIDEO, STEADY, 18_000.0, id="three pictures"),
        pytest.param(AUDIO, STEADY, 9000, id="a tenth of a second of sound"),
        pytest.param(AUDIO, replace(STEADY, steady=False), 9000, id="sound is never irregular"),
        pytest.param(VIDEO, replace(STEADY, border=0.0), 5700.0, id="less than a unit"),
        pytest.param(VIDEO, replace(STEADY, border=100.0), 5800.0, id="and what is usual"),
        pytest.param(VIDEO, replace(STEADY, border=0.0, stray=4000.0), 8000.0, id="it strays"),
        pytest.param(AUDIO, replace(STEADY, border=0.0, stray=8e4), 9000, id="not without end"),
    ],
)
def test_the_longest_gap_that_is_none(lane, usual, ticks):
    assert usual.gap(lane) == ticks


@pytest.mark.parametrize(
    ("lane", "gap", "hides"),
    [
        pytest.param(VIDEO, 24_000, False, id="eight packets"),
        pytest.param(VIDEO, 24_001, True, id="more than eight"),
        pytest.param(VIDEO, 191_999, True, id="nearly 64"),
        pytest.param(VIDEO, 192_000, False, id="64"),
        pytest.param(AUDIO, 122_879, True, id="sound: nearly 128"),
        pytest.param(AUDIO, 122_880, False, id="sound: 128"),
    ],
)
def test_what_a_counter_cannot_tell(lane, gap, hides):
    assert STEADY.hides(lane, gap) is hides


def test_where_the_last_unit_ends():
    (one,) = segments(1)
    tail = one.stream(ts.AUDIO).tail
    assert decoded_end(one, AUDIO) == one.last(ts.AUDIO) + tail * 1920
    assert decoded_end(one, VIDEO) == one.last(ts.VIDEO) + 6000


def test_segments_without_the_stream_say_nothing():
    found = segments(2)
    empty = Placed(Slot("x", None), 2, {ts.AUDIO: found[0].stamps[ts.AUDIO]}, 2)
    assert pace([*found, empty], VIDEO) == pace(found, VIDEO)
