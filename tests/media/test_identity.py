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


def test_what_fits_to_the_tick_and_is_counted_by_nobody_is_of_another_recording():
    """Every other counter goes on."""
    datas = counted([S, 2 * S, 3 * S, 4 * S, 5 * S, 6 * S])
    datas[2] = data(3 * S + 90_000_000, counters={ts.VIDEO: 9, ts.AUDIO: 9})
    assert said(identified(slots(*datas))) == [("SEG_FOREIGN", Severity.ERROR, "2.ts")]


def test_a_slice_that_also_contains_the_next_one_which_is_gone():
    """It reaches as far as the one behind, as if it were too long, and nobody else holds that."""
    counters: dict[int, int] = {}
    datas: list[bytes | None] = [data(S * (n + 1), counters=counters) for n in range(5)]
    datas[1], datas[2] = (datas[1] or b"") + (datas[2] or b""), None
    made = identified(slots(*datas))
    assert held(made) == [True, True, False, True, True]
    assert said(made) == []


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


def test_a_slice_of_another_recording_beside_one_that_is_missing():
    """What is missing takes its room as well."""
    datas: list[bytes | None] = list(run(6))
    foreign = data(3 * S + 54_000_007, frames_per_pes=3)
    datas[2], datas[3] = foreign[: len(foreign) // 188 // 2 * 188], None
    assert said(identified(slots(*datas))) == [("SEG_FOREIGN", Severity.ERROR, "2.ts")]


@pytest.mark.parametrize(
    ("config", "begins", "foreign"),
    [
        pytest.param(b"\xff\xf1\x50\x40", 2.5, True, id="another format, over both"),
        pytest.param(b"\xff\xf1\x4c\x40", 2.5, False, id="their format"),
        pytest.param(b"\xff\xf1\x50\x40", 3.0, False, id="in its place"),
    ],
)
def test_a_slice_for_which_its_neighbours_leave_no_room(config, begins, foreign):
    """All that belongs there stands in the slice before."""
    both = data(S) + data(2 * S)
    given = [data(0), both, data(round(S * begins)), data(3 * S)]
    if not foreign:
        given[1] = data(S)
        given[2] = data(2 * S)
    made = slots(*given)
    made[2] = of_format(made[2], config)
    kept = identified(made)
    assert ("SEG_FOREIGN", Severity.ERROR, "2.ts") in said(kept) if foreign else not said(kept)
