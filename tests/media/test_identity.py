"""Whether every slot holds what it should."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.media import identity, neighbours
from pipeline.media.identity import identified
from pipeline.media.mpegts import scan
from pipeline.media.placed import Slot
from pipeline.model import Severity
from tests import ts

S = 96_000  # ticks of a segment: 16 pictures, 50 frames of sound
SECONDS = S / 90_000


def data(start: int, **options: object) -> bytes:
    return ts.segment(start=start, pictures=16, **options)


def slots(*datas: bytes | None) -> list[Slot]:
    """Slots of a writer that counts anew in each, unless the data were made otherwise."""
    return [
        Slot(f"{n}.ts", d and scan(f"{n}.ts", np.frombuffer(d, np.uint8)), SECONDS)
        for n, d in enumerate(datas)
    ]


def run(count: int = 5, **options: object) -> list[bytes]:
    return [data(S * (n + 1), **options) for n in range(count)]


def counted(starts: list[int]) -> list[bytes]:
    """Segments of a writer whose counters go on."""
    counters: dict[int, int] = {}
    return [data(start, counters=counters) for start in starts]


def said(made: tuple) -> list[tuple[str, Severity, str | None]]:
    return [(f.id, f.severity, f.segment) for f in made[1]]


def held(made: tuple) -> list[bool]:
    return [slot.scan is not None for slot in made[0]]


def shifted(slot: Slot, pid: int, ticks: int) -> Slot:
    """One stream of a slot with other stamps than it had."""
    assert slot.scan is not None
    stream = slot.scan.streams[pid]
    moved = replace(stream, pts=stream.pts + ticks, dts=stream.dts + ticks)
    streams = {**slot.scan.streams, pid: moved}
    return replace(slot, scan=replace(slot.scan, streams=streams))


def of_format(slot: Slot, config: bytes) -> Slot:
    """Its sound in another format than it had."""
    assert slot.scan is not None
    stream = replace(slot.scan.streams[ts.AUDIO], config=config)
    return replace(slot, scan=replace(slot.scan, streams={**slot.scan.streams, ts.AUDIO: stream}))


def first(slot: Slot, pid: int) -> int:
    assert slot.scan is not None
    return int(slot.scan.streams[pid].dts[0])


def test_each_slot_of_a_long_recording_is_held_against_its_neighbours_alone(
    monkeypatch: pytest.MonkeyPatch,
):
    asked: list[tuple[int, int]] = []
    real = neighbours.gaps
    monkeypatch.setattr(
        neighbours, "gaps", lambda slots, a, b: asked.append((a, b)) or real(slots, a, b)
    )
    monkeypatch.setattr(identity, "between", lambda slots, a, b: asked.append((a, b)))
    looked: list[Slot] = []
    seen = neighbours.has_media
    monkeypatch.setattr(neighbours, "has_media", lambda slot: looked.append(slot) or seen(slot))

    identified(slots(*run(40)))

    assert {b - a for a, b in asked} == {1}
    assert len(asked) <= 3 * 40
    assert len(looked) <= 3 * 40


def test_what_is_in_order_stays_as_it_is():
    given = slots(*run())
    kept, findings = identified(given)
    assert findings == []
    assert all(a is b for a, b in zip(kept, given, strict=True))


@pytest.mark.parametrize(("source", "over"), [(1, 3), (3, 1), (0, 2), (4, 3), (2, 4)])
def test_the_bytes_of_one_slice_under_two_names(source, over):
    """The copy stays where the clock puts it; the promise of the other name stays open."""
    datas = run()
    datas[over] = datas[source]
    made = identified(slots(*datas))
    assert held(made) == [n != over for n in range(5)]
    assert said(made) == [("SEG_DUP", Severity.ERROR, f"{over}.ts")]
    assert made[0][over].duration == SECONDS
    assert made[0][over].needed


def test_a_copy_between_neighbours_that_leave_no_room_for_it():
    one, two, three = run(3)
    kept, findings = identified(slots(one, two, two, three))
    assert [slot.needed for slot in kept] == [True, True, False, True]
    assert [(f.id, f.severity, f.repair) for f in findings] == [
        ("SEG_DUP", Severity.WARNING, "dropped")
    ]


def test_the_same_name_listed_twice_promises_nothing_else():
    one, two = run(2)
    given = slots(one, one, two)
    given[1] = replace(given[1], name="0.ts")
    assert identified(given)[1] == []


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"start": 2 * S + 1920}, id="other stamps"),
        pytest.param({"start": 2 * S, "size": 900}, id="another size"),
        pytest.param({"start": 2 * S, "audio": None}, id="a stream less"),
        pytest.param({"start": 2 * S, "counters": {ts.VIDEO: 5}}, id="another counter"),
    ],
)
def test_what_differs_is_no_copy(other):
    _, findings = identified(slots(data(2 * S), ts.segment(pictures=16, **other)))
    assert "SEG_DUP" not in {f.id for f in findings}


def test_a_slice_that_also_contains_the_next_one():
    counters: dict[int, int] = {}
    datas = [data(S * (n + 1), counters=counters) for n in range(4)]
    datas[1] += datas[2]
    kept, findings = identified(slots(*datas))
    assert [slot.needed for slot in kept] == [True, True, False, True]
    assert kept[1].duration == 2 * SECONDS
    assert [(f.id, f.segment, f.repair) for f in findings] == [("SEG_DUP", "2.ts", "dropped")]


@pytest.mark.parametrize("away", [600 * 90_000 + 7, -9 * S + 501])
def test_a_slice_of_another_recording(away):
    datas = run()
    datas[2] = data(3 * S + away + 40_000, frames_per_pes=3)
    datas[2] = datas[2][: len(datas[2]) // 188 // 2 * 188]  # of another length
    made = identified(slots(*datas))
    assert held(made) == [True, True, False, True, True]
    assert said(made) == [("SEG_FOREIGN", Severity.ERROR, "2.ts")]


def test_a_clock_that_steps_out_and_back_while_the_counters_go_on():
    made = identified(slots(*counted([S, 2 * S, 3 * S + 324_000_000, 4 * S, 5 * S])))
    assert said(made) == [("DTS_BACK", Severity.WARNING, "2.ts")]
    assert first(made[0][2], ts.VIDEO) == 3 * S


def test_a_clock_that_steps_out_and_back_and_fits_to_the_tick():
    """Sound and pictures moved as one, and between its neighbours is room for just as much."""
    made = identified(slots(*run(2), data(3 * S + 90_000_000), *run(5)[3:]))
    assert said(made) == [("DTS_BACK", Severity.WARNING, "2.ts")]
    assert first(made[0][2], ts.AUDIO) == first(slots(data(3 * S))[0], ts.AUDIO)


def test_a_clock_that_restarts_is_no_other_recording():
    _, findings = identified(slots(data(90 * S), data(91 * S), data(S), data(2 * S)))
    assert findings == []


def test_a_clock_of_its_own_for_each_slice_is_no_other_recording():
    _, findings = identified(slots(*[data(S, size=600 + n) for n in range(5)]))
    assert findings == []


def test_what_the_playlist_announces_is_no_other_recording():
    given = slots(*run(2), data(3 * S + 90_000_000, frames_per_pes=3), *run(5)[3:])
    given[2] = replace(given[2], discontinuity=True)
    assert identified(given)[1] == []


@pytest.mark.parametrize("number", [0, 4])
@pytest.mark.parametrize("apart", [True, False], ids=["another clock", "the same clock"])
def test_another_format_at_an_end(number, apart):
    """It is foreign only if its clock says so as well."""
    given = slots(*run())
    given[number] = of_format(given[number], b"\xff\xf1\x4c\x80")  # stereo
    for pid in (ts.VIDEO, ts.AUDIO):
        given[number] = shifted(given[number], pid, 500 * S if apart else 0)
    made = identified(given)
    assert said(made) == ([("SEG_FOREIGN", Severity.ERROR, f"{number}.ts")] if apart else [])


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


def test_a_stream_that_begins_late_in_a_slot_is_not_shifted():
    datas = run()
    late = datas[2]
    packets = [late[at : at + 188] for at in range(0, len(late), 188)]
    sound = [n for n, p in enumerate(packets) if (p[1] & 31) << 8 | p[2] == ts.AUDIO]
    datas[2] = b"".join(p for n, p in enumerate(packets) if n not in sound[: len(sound) // 2])
    assert identified(slots(*datas))[1] == []


def test_a_slice_of_another_recording_beside_one_that_is_missing():
    """What is missing takes its room as well."""
    datas: list[bytes | None] = list(run(6))
    foreign = data(3 * S + 54_000_007, frames_per_pes=3)
    datas[2], datas[3] = foreign[: len(foreign) // 188 // 2 * 188], None
    assert said(identified(slots(*datas))) == [("SEG_FOREIGN", Severity.ERROR, "2.ts")]


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
