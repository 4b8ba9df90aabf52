"""Streams that are shifted against the others of their slot."""

import numpy as np
import pytest
from msgspec.structs import replace

from pipeline.media.slots.identity import identified
from pipeline.media.slots.neighbours import neighbours
from pipeline.media.slots.segments import Slot
from pipeline.media.slots.shifts import together
from pipeline.model import Severity
from tests import ts
from tests.media.identity_builder import S, data, first, run, said, shifted, slots


@pytest.mark.parametrize("number", range(5))
@pytest.mark.parametrize("pid", [ts.VIDEO, ts.AUDIO], ids=["pictures", "sound"])
@pytest.mark.parametrize("ticks", [-45_000, 60_000, 2_700_000])
def test_one_stream_that_is_shifted_in_one_slot(number, pid, ticks):
    given = slots(*[data(10_000_000 + S * n) for n in range(5)])
    whole = first(given[number], pid)
    given[number] = shifted(given[number], pid, ticks)
    kept, findings = identified(given)
    assert [(f.id, f.segment, f.pid) for f in findings] == [("AV_SHIFT", f"{number}.ts", pid)]
    assert first(kept[number], pid) == pytest.approx(whole, abs=2)


def test_both_streams_that_step_are_not_shifted_against_each_other():
    given = slots(*run())
    given[2] = shifted(shifted(given[2], ts.VIDEO, 20_000), ts.AUDIO, 20_000)
    assert identified(given)[1] == []


@pytest.mark.parametrize("number", [2, 3])
@pytest.mark.parametrize("pid", [ts.VIDEO, ts.AUDIO], ids=["pictures", "sound"])
@pytest.mark.parametrize("declared", [True, False])
def test_a_stream_that_is_shifted_where_another_clock_begins(number, pid, declared):
    """In the first slot on the new clock, or in the last on the old one."""
    given = slots(*[data(10_000_000 + S * n - (7_000_000 if n > 2 else 0)) for n in range(6)])
    given[3] = replace(given[3], discontinuity=declared)
    whole = first(given[number], pid)
    given[number] = shifted(given[number], pid, -1_500_000)
    kept, findings = identified(given)
    moved = [f.segment for f in findings if f.id == "AV_SHIFT"]
    assert moved == ([f"{number}.ts"] if declared else [])
    assert not declared or first(kept[number], pid) == whole


def test_of_two_streams_that_no_neighbour_tells_of_one_stays_where_it_is():
    """Every slot begins its clock anew, as is announced."""
    given = [replace(s, discontinuity=n > 0) for n, s in enumerate(slots(*[data(S)] * 5))]
    given = [replace(s, name=f"{n}.ts") for n, s in enumerate(given)]
    given[2] = shifted(given[2], ts.AUDIO, 30 * S)
    slot, findings = together(given, neighbours(given, 2))
    assert [f.id for f in findings] == ["AV_SHIFT"]
    assert first(slot, ts.AUDIO) - first(slot, ts.VIDEO) == pytest.approx(
        first(given[1], ts.AUDIO) - first(given[1], ts.VIDEO), abs=2
    )


def test_a_stream_that_begins_late_in_a_slot_is_not_shifted():
    datas = run()
    late = datas[2]
    packets = [late[at : at + 188] for at in range(0, len(late), 188)]
    sound = [n for n, p in enumerate(packets) if (p[1] & 31) << 8 | p[2] == ts.AUDIO]
    datas[2] = b"".join(p for n, p in enumerate(packets) if n not in sound[: len(sound) // 2])
    assert identified(slots(*datas))[1] == []


def test_a_shift_in_the_last_slot_is_held_against_the_end_of_the_one_before():
    """Whose sound begins half a second late."""
    given = slots(*run())
    before = given[3].scan
    assert before is not None
    sound = before.streams[ts.AUDIO]
    late = replace(sound, pts=sound.pts[6:], dts=sound.dts[6:])
    streams = {**before.streams, ts.AUDIO: late}
    given[3] = replace(given[3], scan=replace(before, streams=streams))
    given[4] = shifted(given[4], ts.AUDIO, 180_000)
    made = identified(given)
    assert said(made) == [("AV_SHIFT", Severity.WARNING, "4.ts")]
    assert first(made[0][4], ts.AUDIO) == first(slots(*run())[4], ts.AUDIO)


def test_a_stream_that_lost_its_end_is_not_shifted_in_the_next_and_last_slot():
    given = slots(*run(3))
    assert given[1].scan is not None
    sound = given[1].scan.streams[ts.AUDIO]
    short = replace(sound, pts=sound.pts[:-3], dts=sound.dts[:-3])  # a PES holds ten frames
    streams = {**given[1].scan.streams, ts.AUDIO: short}
    given[1] = replace(given[1], scan=replace(given[1].scan, streams=streams))
    assert identified(given)[1] == []


def still(slot: Slot, at: int) -> Slot:
    """A slot with one picture, so many ticks behind where its first one was."""
    assert slot.scan is not None
    pictures = slot.scan.streams[ts.VIDEO]
    one = replace(pictures, pts=pictures.pts[:1] + at, dts=pictures.dts[:1] + at)
    streams = {**slot.scan.streams, ts.VIDEO: one}
    return replace(slot, scan=replace(slot.scan, streams=streams))


@pytest.mark.parametrize("at", [5 * S, -3 * S])
def test_a_still_picture_that_reaches_into_another_slot(at):
    given = slots(*run())
    given[2] = still(given[2], at)
    made = identified(given)
    assert said(made) == [("AV_SHIFT", Severity.WARNING, "2.ts")]
    assert first(made[0][2], ts.VIDEO) == 3 * S


@pytest.mark.parametrize("at", [0, S // 3, S // 2])
def test_a_still_picture_may_stand_anywhere_in_its_slot(at):
    given = slots(*run())
    given[2] = still(given[2], at)
    assert identified(given)[1] == []


def test_pictures_alone_that_are_still_between_their_neighbours_are_in_place():
    given = slots(*(data(S * (n + 1), audio=None) for n in range(5)))
    given[2] = still(given[2], S * 2 // 3)
    assert identified(given)[1] == []


@pytest.mark.parametrize("shift", [-60_000, 60_000])
def test_irregular_pictures_go_back_to_where_extinf_puts_them(shift):
    """The last one before them is shown for as long as three."""
    given = slots(*run())
    before = given[1].scan
    assert before is not None
    pictures = before.streams[ts.VIDEO]
    fewer = replace(pictures, pts=pictures.pts[:-2], dts=pictures.dts[:-2])
    streams = {**before.streams, ts.VIDEO: fewer}
    given[1] = replace(given[1], scan=replace(before, streams=streams))
    given[2] = shifted(given[2], ts.VIDEO, shift)
    kept, findings = identified(given)
    assert [(f.id, f.segment, f.pid) for f in findings] == [("AV_SHIFT", "2.ts", ts.VIDEO)]
    assert first(kept[2], ts.VIDEO) == 3 * S


def without_sound(slot: Slot) -> Slot:
    assert slot.scan is not None
    streams = {pid: s for pid, s in slot.scan.streams.items() if pid != ts.AUDIO}
    return replace(slot, scan=replace(slot.scan, streams=streams))


def test_pictures_that_are_shifted_behind_a_pause_of_the_sound():
    """Its own neighbour has no sound: by as much as they are off it they are off the sound."""
    given = slots(*run())
    given[3] = without_sound(given[3])
    given[4] = shifted(given[4], ts.VIDEO, 1_358_000)
    kept, findings = identified(given)
    assert [(f.id, f.segment, f.pid) for f in findings] == [("AV_SHIFT", "4.ts", ts.VIDEO)]
    assert first(kept[4], ts.VIDEO) == 5 * S


def test_a_clock_that_steps_behind_a_pause_shifts_nothing():
    given = slots(*run())
    given[3] = without_sound(given[3])
    given[4] = shifted(shifted(given[4], ts.VIDEO, 1_358_000), ts.AUDIO, 1_358_000)
    assert [f.id for f in identified(given)[1]] == []


def test_sound_that_lost_its_end_in_the_first_slot_is_not_shifted():
    """It begins where it does in every slot."""
    given = slots(*run())
    assert given[0].scan is not None
    sound = given[0].scan.streams[ts.AUDIO]
    short = replace(sound, pts=sound.pts[:-3], dts=sound.dts[:-3])
    streams = {**given[0].scan.streams, ts.AUDIO: short}
    given[0] = replace(given[0], scan=replace(given[0].scan, streams=streams))
    assert identified(given)[1] == []


def test_sound_that_is_shifted_where_the_pictures_begin():
    """In front of it is sound alone: nothing there tells of the pictures, what is behind does."""
    given = slots(*[data(10_000_000 + S * n) for n in range(5)])
    whole = first(given[2], ts.AUDIO)
    for n in (0, 1):
        scan = given[n].scan
        assert scan is not None
        streams = {pid: s for pid, s in scan.streams.items() if pid != ts.VIDEO}
        given[n] = replace(given[n], scan=replace(scan, streams=streams))
    given[2] = shifted(given[2], ts.AUDIO, -2_471_940)
    kept, findings = identified(given)
    assert [(f.id, f.segment, f.pid) for f in findings] == [("AV_SHIFT", "2.ts", ts.AUDIO)]
    assert first(kept[2], ts.AUDIO) == pytest.approx(whole, abs=2)


@pytest.mark.parametrize(("back", "found"), [(0, True), (12_000, False)])
def test_pictures_with_a_pause_that_are_off_by_as_much_at_both_ends(back, found):
    given = slots(*run())
    assert given[2].scan is not None
    pictures = given[2].scan.streams[ts.VIDEO]
    gone = np.r_[0:4, 12:16]
    pausing = replace(pictures, pts=pictures.pts[gone], dts=pictures.dts[gone])
    streams = {**given[2].scan.streams, ts.VIDEO: pausing}
    given[2] = shifted(
        replace(given[2], scan=replace(given[2].scan, streams=streams)), ts.VIDEO, 60_000
    )
    given[3] = shifted(given[3], ts.VIDEO, -back)
    moved = [(f.id, f.segment) for f in identified(given)[1] if f.segment == "2.ts"]
    assert moved == ([("AV_SHIFT", "2.ts")] if found else [])


@pytest.mark.parametrize(("off", "found"), [(180_000, True), (-180_000, True), (60_000, False)])
def test_pictures_of_one_slot_alone_that_lie_outside_of_its_time(off, found):
    """No other slot has any; inside of it they may begin when they like."""
    given = slots(*[data(10_000_000 + S * n) for n in range(5)])
    for n in range(4):
        scan = given[n].scan
        assert scan is not None
        streams = {pid: s for pid, s in scan.streams.items() if pid != ts.VIDEO}
        given[n] = replace(given[n], scan=replace(scan, streams=streams))
    given[4] = shifted(given[4], ts.VIDEO, off)
    kept, findings = identified(given)
    assert [(f.id, f.segment) for f in findings] == ([("AV_SHIFT", "4.ts")] if found else [])
    if found:
        assert first(kept[4], ts.VIDEO) == first(kept[4], ts.AUDIO)


def test_extinf_counts_from_when_pictures_are_shown():
    """Where pictures come irregularly, the first one waits otherwise each time."""
    given = slots(*run())
    for n, late in ((1, 9_000), (2, 15_000)):
        scan = given[n].scan
        assert scan is not None
        pictures = scan.streams[ts.VIDEO]
        streams = {**scan.streams, ts.VIDEO: replace(pictures, dts=pictures.dts - late)}
        given[n] = replace(given[n], scan=replace(scan, streams=streams))
    given[2] = shifted(given[2], ts.VIDEO, 60_000)
    kept, findings = identified(given)
    assert [(f.id, f.segment) for f in findings] == [("AV_SHIFT", "2.ts")]
    assert kept[2].scan is not None
    assert int(kept[2].scan.streams[ts.VIDEO].pts[0]) == 3 * S
