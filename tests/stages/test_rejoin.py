"""Segments of which a part stands in the one beside as well."""

import numpy as np
import pytest

from pipeline.media.slots.segments import Slot
from pipeline.stages.rejoin import rejoined
from pipeline.stages.segments import LocalSegment, read
from tests import segments, ts

S = 96_000  # ticks of a segment
SECONDS = S / 90_000
PACKET = ts.PACKET


def run(count: int = 3, pictures: int = 16) -> list[bytes]:
    """Segments on one clock, whose counters go on."""
    counters: dict[int, int] = {}
    return [
        ts.segment(start=S * (n + 1), pictures=pictures, counters=counters) for n in range(count)
    ]


def held(tmp_path, datas: list[bytes]) -> tuple[LocalSegment, ...]:
    given = [segments.local(tmp_path / f"{n}.ts", data, SECONDS) for n, data in enumerate(datas)]
    return rejoined(given, lambda: tmp_path)


def bytes_of(made: tuple[LocalSegment, ...]) -> list[bytes]:
    return [np.asarray(read(segment)).tobytes() for segment in made]


def said(slot: Slot) -> list[str]:
    assert slot.scan is not None
    return [f.detail for f in slot.scan.findings if f.id == "SEG_DUP"]


def media(data: bytes) -> bytes:
    """Without tables."""
    rows = [data[at : at + PACKET] for at in range(0, len(data), PACKET)]
    return b"".join(row for row in rows if (row[1] & 31) << 8 | row[2] in (ts.VIDEO, ts.AUDIO))


@pytest.mark.parametrize("count", [1, 5, 20, 60], ids=str)
def test_a_segment_that_begins_with_what_the_one_before_ends_with(tmp_path, count):
    datas = run()
    given = [datas[0], datas[0][-count * PACKET :] + datas[1], datas[2]]
    made = held(tmp_path, given)
    assert [media(data) for data in bytes_of(made)] == [media(data) for data in datas]
    assert [said(one.slot) for one in made] == [[], ["it begins with what 0.ts ends with"], []]


def test_a_segment_that_ends_with_what_the_next_one_begins_with(tmp_path):
    """It is longer than its EXTINF."""
    datas = run()
    half = len(datas[1]) // PACKET // 2 * PACKET
    made = held(tmp_path, [datas[0] + datas[1][:half], datas[1], datas[2]])
    assert [media(data) for data in bytes_of(made)] == [media(data) for data in datas]
    assert [said(one.slot) for one in made] == [["it ends with what 1.ts begins with"], [], []]


def test_what_a_segment_holds_besides_a_copy_is_not_lost_with_it(tmp_path):
    """More than half of the last one stands in the one before as well, and it begins in a unit."""
    datas = run()
    count = len(datas[1]) // PACKET * 3 // 5
    short = ts.segment(start=3 * S, pictures=8)
    begun = datas[1][-count * PACKET :]
    hurt = begun[: 20 * PACKET] + begun[21 * PACKET :]
    made = held(tmp_path, [datas[0], datas[1], hurt + short])
    assert bytes_of(made)[2].endswith(short)


@pytest.mark.parametrize("late", [False, True])
def test_a_segment_that_also_holds_the_next_one_in_which_nobody_speaks(tmp_path, late):
    """Sound of its own that stands among what it holds again is not left out with that."""
    counters: dict[int, int] = {}
    sound = [ts.AUDIO, None, ts.AUDIO]
    datas = [
        ts.segment(start=S * (n + 1), pictures=16, audio=pid, counters=counters)
        for n, pid in enumerate(sound)
    ]
    rows = [datas[0][at : at + PACKET] for at in range(0, len(datas[0]), PACKET)]
    last = max(n for n, row in enumerate(rows) if (row[1] & 31) << 8 | row[2] == ts.AUDIO)
    own = b"".join(row for n, row in enumerate(rows) if not late or n != last)
    both = own + datas[1] + rows[last] * late
    made = held(tmp_path, [both, *datas[1:]])
    assert bytes_of(made) == [both if late else datas[0], *datas[1:]]
    assert bool(said(made[0].slot)) is not late


@pytest.mark.parametrize("count", [2, 3])
def test_segments_that_overlap_nowhere_stay_what_they_are(tmp_path, count):
    datas = run(count)
    given = [segments.local(tmp_path / f"{n}.ts", data, SECONDS) for n, data in enumerate(datas)]
    assert rejoined(given, lambda: tmp_path) == tuple(given)


def test_a_copy_of_a_whole_segment_is_no_overlap(tmp_path):
    datas = run()
    made = held(tmp_path, [datas[0], datas[0], datas[2]])
    assert bytes_of(made) == [datas[0], datas[0], datas[2]]
