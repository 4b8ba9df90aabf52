"""Whether every slot holds what it should."""

import numpy as np
import pytest
from msgspec.structs import replace

from pipeline.media.slots import foreign, identity, neighbours
from pipeline.media.slots.identity import identified
from pipeline.media.slots.segments import Slot
from pipeline.model import Severity
from tests import ts
from tests.media.identity_builder import SECONDS, S, data, first, held, run, said, shifted, slots
from tests.media.slots_builder import UTC


def test_each_slot_of_a_long_recording_is_held_against_its_neighbours_alone(
    monkeypatch: pytest.MonkeyPatch,
):
    asked: list[tuple[int, int]] = []
    real = neighbours.gaps
    monkeypatch.setattr(
        neighbours, "gaps", lambda slots, a, b: asked.append((a, b)) or real(slots, a, b)
    )
    monkeypatch.setattr(foreign, "between", lambda slots, a, b: asked.append((a, b)))
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


def test_of_two_behind_a_slice_of_another_recording_the_one_stays_that_lasts_so_long():
    """A neighbour on another clock tells nothing; EXTINF does."""
    last = ts.segment(start=5 * S, pictures=6)
    given = slots(*run(2), data(3 * S + 3_600_000_000), last, last)
    given[4] = replace(given[4], duration=SECONDS * 6 / 16)
    made = identified(given)
    assert held(made)[3:] == [False, True]
    assert ("SEG_DUP", Severity.ERROR, "3.ts") in said(made)


def test_a_copy_is_one_whatever_pids_it_is_sent_on():
    """The recorder restarts with other PIDs, and the copy has those of before."""
    datas = run()
    numbers = {ts.VIDEO: 0x200, ts.AUDIO: 0x201}
    datas[3] = _on_other_pids(datas[2], numbers)
    made = identified(slots(*datas))
    assert said(made) == [("SEG_DUP", Severity.ERROR, "3.ts")]


def _on_other_pids(data: bytes, numbers: dict[int, int]) -> bytes:
    made = []
    for at in range(0, len(data), 188):
        packet = data[at : at + 188]
        pid = numbers.get((packet[1] & 31) << 8 | packet[2])
        if pid is not None:
            packet = packet[:1] + bytes((packet[1] & 0xE0 | pid >> 8, pid & 255)) + packet[3:]
        made.append(packet)
    kinds = {0x200: ts.H264, 0x201: ts.AAC}
    tables = ts.table_packets(0, ts.pat()) + ts.table_packets(ts.PMT, ts.pmt(kinds))
    return b"".join([*tables, *made[2:]])


@pytest.mark.parametrize("named", [True, False], ids=["names", "no names"])
def test_neighbours_are_those_by_name_where_these_go_on(named):
    """Two are swapped, and the pictures of one are shifted besides."""
    given = slots(*run(6))
    if named:
        given = [replace(slot, utc=UTC + n * SECONDS) for n, slot in enumerate(given)]
    given[3] = shifted(given[3], ts.VIDEO, 1_490_000)
    given[2], given[3] = given[3], given[2]
    kept, findings = identified(given)
    assert [(f.id, f.segment) for f in findings] == ([("AV_SHIFT", "3.ts")] if named else [])
    assert [slot.name for slot in kept] == [slot.name for slot in given]


def test_a_clock_that_steps_out_and_back_is_one_break():
    """The second slice is listed first: by names it has neighbours that put it in its place."""
    given = [replace(slot, utc=UTC + n * SECONDS) for n, slot in enumerate(slots(*run()))]
    for pid in (ts.VIDEO, ts.AUDIO):
        given[1] = shifted(given[1], pid, 324_000_000)
    kept, findings = identified([given[1], given[0], *given[2:]])
    assert [(f.id, f.segment) for f in findings] == [("DTS_BACK", "1.ts")]
    assert [slot.name for slot in kept] == ["1.ts", "0.ts", "2.ts", "3.ts", "4.ts"]
    assert first(kept[0], ts.VIDEO) == 2 * S


def test_names_whose_clock_steps_make_no_neighbours():
    given = [
        replace(slot, utc=UTC + n * SECONDS - (3600 if n > 3 else 0))
        for n, slot in enumerate(slots(*run(6)))
    ]
    kept, findings = identified(given)
    assert [slot.name for slot in kept] == [f"{n}.ts" for n in range(6)]
    assert findings == []


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


def test_a_slice_that_also_contains_the_next_one_which_is_damaged():
    counters: dict[int, int] = {}
    datas = [data(S * (n + 1), counters=counters) for n in range(4)]
    datas[1] += datas[2]
    datas[2] = datas[2][: 188 * 9] + datas[2][188 * 16 :]
    kept, findings = identified(slots(*datas))
    assert [slot.needed for slot in kept] == [True, True, False, True]
    assert [(f.id, f.segment, f.repair) for f in findings] == [("SEG_DUP", "2.ts", "dropped")]


def test_a_slice_that_also_contains_the_next_one_which_is_gone():
    """It reaches as far as the one behind, as if it were too long, and nobody else holds that."""
    counters: dict[int, int] = {}
    datas: list[bytes | None] = [data(S * (n + 1), counters=counters) for n in range(5)]
    datas[1], datas[2] = (datas[1] or b"") + (datas[2] or b""), None
    made = identified(slots(*datas))
    assert held(made) == [True, True, False, True, True]
    assert said(made) == []


@pytest.mark.parametrize(
    ("mine", "others", "within"),
    [
        ([], [], True),
        ([], [1], True),
        ([1], [], False),
        ([1, 2], [3, 2, 1], True),
        ([1, 2], [1, 3], False),
        ([1, 2], [2, 3], False),
        ([4, 2, 3], [2, 3], False),
    ],
)
def test_stamps_within_others(mine, others, within):
    assert identity._within(np.array(mine, np.int64), np.array(others, np.int64)) is within
