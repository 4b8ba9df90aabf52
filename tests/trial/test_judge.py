"""The judge is judged: healthy recordings, and results that are wrong in one known way."""

import random
from dataclasses import replace

import numpy as np
import pytest

from tests.trial import material, recordings, transport
from tests.trial.faults.choose import without
from tests.trial.judge import SYNC, agreed, judged
from tests.trial.product import Answer
from tests.trial.recordings import NUMBERS, TRACKS, Recording, Slice, Slot, Unit
from tests.trial.results import Sample
from tests.trial.truth import Fate, told

PIDS = {"video": 0x100, "audio": 0x101}
WHOLE = Answer("ok", None, {"video": 0.0, "audio": 0.0}, ())


def packet(track: str, number: int, *, begins: bool) -> bytes:
    """A packet that is told from all others by its payload."""
    pid = PIDS[track]
    header = bytes((0x47, 0x40 * begins | pid >> 8, pid & 255, 0x10 | number & 15))
    return header + number.to_bytes(4, "big") + bytes(180)


def recording(slots: int = 3, pictures: int = 10, packets: int = 4) -> Recording:
    """Slots of one second: pictures of some packets each, and as many frames of one packet."""
    made = recordings.Recording(
        chance=random.Random(1),
        stream=material.STREAMS[3],
        cut=material.Cut(0, 3, 1, TRACKS, "hls", 0x100, 0x1000, 0, picture_length=False),
        stem="a_b",
        clock=True,
        began=recordings.datetime(2026, 3, 2, tzinfo=recordings.UTC),
        counters="on",
        comma=True,
        slots=[],
        units=[],
    )
    for slot in range(slots):
        rows, origin = [], []
        for i in range(slot * pictures, (slot + 1) * pictures):
            ticks, first = i * 9000, i * packets
            made.units.append(Unit("video", i, ticks, slot, first, first + packets - 1, first))
            made.units.append(Unit("audio", 1000 + i, ticks, slot, i, i, i))
            rows += [packet("video", first + k, begins=k == 0) for k in range(packets)]
            rows.append(packet("audio", i, begins=True))
            origin += [*range(first, first + packets), NUMBERS + i]
        data = np.frombuffer(b"".join(rows), np.uint8).reshape(-1, 188).copy()
        file = Slice(data, np.array(origin), np.zeros(len(rows), np.int64))
        made.slots.append(Slot(slot, f"{slot}.ts", 1.0, file))
    return made


def result(made: Recording, *, lacking: set[int] | None = None) -> list[Sample]:
    """What a perfect product would make of it."""
    return [
        Sample(u.track, u.digest, u.ticks / 90_000 + 7, 100)
        for u in made.units
        if u.digest not in (lacking or set())
    ]


def fates(made: Recording, fate: Fate) -> set[int]:
    """The units of which this is left."""
    return {e.unit.digest for e in told(made).expected if e.fate is fate}


def names(made: Recording, answer: Answer, samples: list[Sample]) -> set[str]:
    """What the judge finds."""
    return {fault.name for fault in judged(told(made), answer, samples)}


def file_of(made: Recording, slot: int) -> Slice:
    """The file of a slot."""
    file = made.slots[slot].slice
    assert file is not None
    return file


# What is left of units.


def test_a_lost_packet_takes_its_picture_and_nothing_else():
    made = recording()
    without(file_of(made, 1), np.array([1]))
    assert fates(made, Fate.GONE) == {10}
    assert len(fates(made, Fate.WHOLE)) == 59


def test_a_packet_twice_in_a_row_takes_nothing():
    made = recording()
    file_of(made, 1).keep(np.array([0, 0, *range(1, 50)]))
    assert len(fates(made, Fate.WHOLE)) == 60


def test_a_range_sent_again_inside_a_picture_leaves_that_in_doubt():
    made = recording()
    file_of(made, 0).keep(np.array([0, 1, 2, 1, 2, *range(3, 50)]))
    assert fates(made, Fate.SPARE) == {0}


def test_the_end_of_a_picture_sent_again_leaves_that_in_doubt():
    made = recording()
    file_of(made, 0).keep(np.array([0, 1, 2, 3, 2, 3, *range(4, 50)]))
    assert fates(made, Fate.SPARE) == {0}


def test_a_copy_over_another_slice_takes_all_of_that():
    made = recording()
    made.slots[1].slice = file_of(made, 2).copy()
    assert fates(made, Fate.GONE) == {*range(10, 20), *range(1010, 1020)}


def test_a_last_slice_gone_with_its_line_is_excused():
    made = recording()
    made.slots[2].slice, made.slots[2].listed = None, False
    assert len(fates(made, Fate.EXCUSED)) == 20
    assert not fates(made, Fate.GONE)


def test_a_slice_gone_with_its_line_in_the_middle_is_not():
    made = recording()
    made.slots[1].slice, made.slots[1].listed = None, False
    assert len(fates(made, Fate.GONE)) == 20


# What the judge says of a result.


def test_a_perfect_result_is_right():
    assert not names(recording(), WHOLE, result(recording()))


@pytest.mark.parametrize("verdict", ["ok", "repaired"])
def test_a_missing_unit_without_degraded_is_a_lie(verdict: str):
    answer = replace(WHOLE, verdict=verdict)
    assert names(recording(), answer, result(recording(), lacking={1005})) == {"lie"}


def test_a_torn_unit_is_a_lie():
    samples = [replace(s, digest=-1) if s.digest == 5 else s for s in result(recording())]
    assert names(recording(), WHOLE, samples) == {"lie"}


def test_a_unit_twice_is_a_lie():
    samples = [*result(recording()), Sample("video", 5, 9.0, 100)]
    assert names(recording(), WHOLE, samples) == {"lie"}


def test_silence_where_nobody_spoke_is_no_lie():
    made = recording()
    made.units = [u for u in made.units if not 1010 <= u.digest < 1020]
    samples = [*result(made), Sample("audio", -1, 8.5, 20)]
    assert not names(made, WHOLE, samples)


def test_sound_where_nobody_spoke_is_a_lie():
    made = recording()
    made.units = [u for u in made.units if not 1010 <= u.digest < 1020]
    samples = [*result(made), Sample("audio", -1, 8.5, 400)]
    assert names(made, WHOLE, samples) == {"lie"}


@pytest.mark.parametrize(("seconds", "found"), [(SYNC - 0.002, set()), (0.05, {"lie", "sync"})])
def test_sound_of_a_slice_may_be_moved_by_no_more_than_forty_milliseconds(seconds, found):
    samples = [
        replace(s, time=s.time + seconds) if 1010 <= s.digest < 1020 else s
        for s in result(recording())
    ]
    assert names(recording(), WHOLE, samples) == found


def test_degraded_is_a_false_alarm_where_nothing_is_lost():
    answer = replace(WHOLE, verdict="degraded")
    assert names(recording(), answer, result(recording())) == {"alarm"}


def test_degraded_is_right_where_something_is():
    made = recording()
    made.slots[1].slice = None
    answer = Answer("degraded", None, {"video": 1.0, "audio": 0.21}, ())
    gone = fates(made, Fate.GONE)
    assert not names(made, answer, result(made, lacking=gone))
    assert names(made, replace(answer, lost={"video": 2.0}), result(made, lacking=gone)) == {
        "seconds"
    }


def test_less_than_survives_is_waste():
    made = recording()
    made.slots[1].slice = None
    gone = {*fates(made, Fate.GONE), *range(12)}
    answer = Answer("degraded", None, {"video": 2.0, "audio": 0.21}, ())
    assert names(made, answer, result(made, lacking=gone)) == {"waste"}


@pytest.mark.parametrize(("slots", "found"), [(1, {"refusal"}), (2, set())])
def test_rejected_is_a_refusal_while_most_is_there(slots: int, found: set[str]):
    made = recording()
    for slot in made.slots[:slots]:
        slot.slice = None
    assert names(made, replace(WHOLE, verdict="rejected"), []) == found


def test_a_flipped_bit_of_media_is_unknowable():
    made = recording()
    file = file_of(made, 0)
    file.data[2, 150] ^= 1
    file.state[2] = recordings.ALTERED
    assert not fates(made, Fate.GONE)


def test_check_and_convert_must_agree():
    assert not agreed(WHOLE, WHOLE)
    assert agreed(WHOLE, replace(WHOLE, verdict="degraded"))
    assert agreed(WHOLE, replace(WHOLE, lost={"video": 0.0, "audio": 1.0}))


# Packets.


def test_stamps_are_written_as_they_are_read():
    data = np.zeros((1, 188), np.uint8)
    data[0, :5] = (0x21, 0, 1, 0, 1)
    for ticks in (0, 1, 12345, 2**33 - 1, 2**32 + 77):
        transport.write(data, np.array([0]), np.array([0]), np.array([ticks]))
        assert transport.read(data, np.array([0]), np.array([0]))[0] == ticks


def test_a_table_keeps_a_right_crc_with_another_pid():
    section = bytes.fromhex("02b0170001c10000e100f0001be100f0000fe101f000")
    data = np.full((1, 188), 255, np.uint8)
    packet_bytes = b"\x47\x50\x00\x10\x00" + section + transport.crc(section)
    data[0, : len(packet_bytes)] = np.frombuffer(packet_bytes, np.uint8)
    transport.edit_table(data, 0, 0x101, 0x201)
    now = data[0, 5 : 5 + len(section) + 4].tobytes()
    assert now[17:22] == bytes.fromhex("0fe201f000")
    assert transport.crc(now[:-4]) == now[-4:]
