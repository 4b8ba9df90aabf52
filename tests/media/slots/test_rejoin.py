"""Segments that were cut where no unit ends."""

import numpy as np
import pytest
from msgspec.structs import replace

from pipeline.media.slots.rejoin import (
    beginning,
    given_back,
    goes_through,
    holds,
    hurt,
    missing_bytes,
    parted,
    same_packets,
)
from pipeline.media.slots.segments import Slot
from pipeline.media.ts.scan import scan
from tests import ts
from tests.media.loss.test_balance import run


def slot(data: bytes | None, **more: object) -> Slot:
    return Slot(
        "x.ts", None if data is None else scan("x.ts", np.frombuffer(data, np.uint8)), **more
    )


def bytes_of(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8)


@pytest.mark.parametrize("at", [1, 50, 187])
def test_what_the_next_one_holds_of_the_last_packet(at):
    one, two = run(2)
    a, b = slot(one[: at - 188]), slot(one[at - 188 :] + two)
    assert missing_bytes(a, b) == 188 - at


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(lambda one, two: one, lambda one, two: two, id="both whole"),
        pytest.param(lambda one, two: one[:-88], lambda one, two: two, id="the rest is gone"),
        pytest.param(
            lambda one, two: one, lambda one, two: one[-88:] + two, id="nothing is missing"
        ),
        pytest.param(lambda one, two: one[:-88], lambda one, two: one[-87:] + two, id="not all"),
    ],
)
def test_bytes_that_are_no_rest(first, second):
    one, two = run(2)
    assert missing_bytes(slot(first(one, two)), slot(second(one, two))) == 0


def test_nothing_is_given_back_to_another_part_or_to_nothing():
    one, two = run(2)
    a, b = slot(one[:-88]), slot(one[-88:] + two)
    assert missing_bytes(a, b) == 88
    assert missing_bytes(a, replace(b, part="bak0")) == 0
    assert missing_bytes(a, slot(None)) == missing_bytes(slot(None), b) == 0


def long_picture(counter: int = 0) -> tuple[bytes, bytes, bytes]:
    """A segment, one that goes on with its last picture alone, and one behind it."""
    counters: dict[int, int] = {}
    whole = ts.segment(pictures=4, size=3000, counters=counters)
    rows = [whole[at : at + 188] for at in range(0, len(whole), 188)]
    own = [n for n, row in enumerate(rows) if (row[1] & 31) << 8 | row[2] == ts.VIDEO]
    cut = own[-4]
    last = max(n for n in own if rows[n][1] & 0x40)
    assert last < cut
    ahead = b"".join(rows[:cut])
    through = b"".join(rows[n] for n in own if n >= cut)
    if counter:
        moved = bytearray(through)
        for at in range(3, len(moved), 188):
            moved[at] = moved[at] & 0xF0 | (moved[at] + counter) & 15
        through = bytes(moved)
    return ahead, rows[0] + rows[1] + through, ts.segment(pictures=4, start=400_000)


def test_a_pes_that_goes_on_through_a_whole_segment():
    ahead, through, _ = long_picture()
    a, b = slot(ahead), slot(through)
    assert goes_through(a, b) == (ts.VIDEO,)
    assert b.scan.through[ts.VIDEO][2] == 4 * 184 - (184 * 4 - payload(through))


def payload(data: bytes) -> int:
    """Bytes of video, counted packet by packet."""
    count = 0
    for at in range(0, len(data), 188):
        row = data[at : at + 188]
        if (row[1] & 31) << 8 | row[2] == ts.VIDEO:
            count += 184 - (1 + row[4] if row[3] & 0x20 else 0)
    return count


def test_a_counter_that_does_not_go_on_is_no_part_of_it():
    ahead, through, _ = long_picture(counter=1)
    assert goes_through(slot(ahead), slot(through)) == ()


def test_nothing_goes_through_another_part_or_a_segment_that_is_gone():
    ahead, through, behind = long_picture()
    a, b = slot(ahead), slot(through)
    assert goes_through(a, replace(b, part="bak0")) == ()
    assert goes_through(a, slot(None)) == goes_through(slot(None), b) == ()
    assert goes_through(a, slot(behind)) == ()  # one begins in there


def test_a_stream_of_which_nothing_begins_cannot_go_on():
    ahead, through, _ = long_picture()
    b = slot(through)
    assert goes_through(slot(through), b) == ()
    assert beginning(slot(ahead)) == [ts.VIDEO, ts.AUDIO]
    assert beginning(slot(None)) == []


def test_packets_that_are_given_back_stand_behind_those_they_belong_to():
    ahead, through, _ = long_picture()
    first, rest = given_back(bytes_of(ahead), bytes_of(through), [ts.VIDEO])
    assert first.tobytes() == ahead + through[376:]
    assert rest.tobytes() == through[:376]


def test_what_stands_in_front_of_the_first_packet_stays_there():
    ahead, through, _ = long_picture()
    junk = bytes(100)
    first, rest = given_back(bytes_of(ahead), bytes_of(junk + through), [ts.VIDEO])
    assert first.tobytes() == ahead + through[376:]
    assert rest.tobytes() == junk + through[:376]


def held_too(n: int = 1) -> tuple[Slot, bytes, Slot, bytes]:
    """Two segments of a run of three whose counters restart; the first holds both."""
    datas = [ts.segment(start=96_000 * k, pictures=16) for k in range(1, 4)]
    both = datas[n] + datas[n + 1] if n < 2 else datas[n]
    return slot(both), both, slot(datas[min(n + 1, 2)]), datas[min(n + 1, 2)]


def test_a_segment_that_holds_the_next_one_is_parted_where_that_begins():
    a, both, b, second = held_too()
    assert holds(a, b)
    ahead, behind = parted(bytes_of(both), a, b)
    assert (ahead.tobytes(), behind.tobytes()) == (both[: -len(second)], second)
    assert not holds(slot(ahead.tobytes()), b)


def test_it_is_parted_there_too_where_the_next_one_has_lost_packets():
    a, both, b, second = held_too()
    rows = [second[at : at + 188] for at in range(0, len(second), 188)]
    inside = next(n for n, row in enumerate(rows) if n > 9 and not row[1] & 0x40)
    hurt_one = slot(b"".join(rows[:inside] + rows[inside + 1 :]))
    assert holds(a, hurt_one)
    _, behind = parted(bytes_of(both), a, hurt_one)
    assert behind.tobytes() == second
    assert hurt_one.scan is not None
    assert b.scan is not None
    assert hurt(hurt_one.scan) > hurt(b.scan) == 0


def test_sound_that_begins_with_the_next_one():
    first = ts.segment(start=96_000, pictures=16, audio=None)
    second = ts.segment(start=192_000, pictures=16)
    assert holds(slot(first + second), slot(second))
    parts = parted(bytes_of(first + second), slot(first + second), slot(second))
    assert parts[1].tobytes() == second


@pytest.mark.parametrize("copy", [True, False], ids=["the copy", "the segment itself"])
def test_damage_to_what_is_held_twice(copy):
    """In the first copy, or in the one under its own name."""
    _, both, _, second = held_too()
    first = both[: -len(second)]
    less = second[: 188 * 20] + second[188 * 36 :]
    a, b = (first + less, second) if copy else (first + second, less)
    assert holds(slot(a), slot(b))
    ahead, behind = parted(bytes_of(a), slot(a), slot(b))
    assert (ahead.tobytes(), behind.tobytes()) == (first, less if copy else second)


def test_a_clock_of_its_own_that_begins_by_a_picture_later_is_no_copy():
    one = ts.segment(start=96_000, pictures=16, audio=None)
    other = ts.segment(start=96_000 + 3 * 6000, pictures=16, audio=None)
    assert not holds(slot(one), slot(other))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda a, b: (b, b), id="the same once more"),
        pytest.param(lambda a, b: (b, a), id="the other way round"),
        pytest.param(lambda a, b: (replace(a, part="bak0"), b), id="another part"),
        pytest.param(lambda a, b: (a, slot(None)), id="nothing is there"),
        pytest.param(lambda a, b: (slot(None), b), id="nothing was there"),
    ],
)
def test_segments_that_do_not_hold_the_next_one(change):
    a, _, b, _ = held_too()
    assert not holds(*change(a, b))
    one, two = run(2)
    assert not holds(slot(one), slot(two))


def test_the_same_stamps_are_not_the_same_packets():
    _, _, _, second = held_too()
    less = second[: 188 * 20] + second[188 * 36 :]
    other = ts.segment(start=2 * 96_000, pictures=16, size=301)
    assert same_packets(bytes_of(less), bytes_of(second))
    assert not same_packets(bytes_of(other), bytes_of(second))


def test_packets_whose_headers_have_another_bit_are_the_same():
    _, _, _, second = held_too()
    packets = [bytearray(second[at : at + 188]) for at in range(0, len(second), 188)]
    for packet in packets:
        packet[60] ^= 8
    assert same_packets(bytes_of(b"".join(packets)), bytes_of(second))


@pytest.mark.parametrize("start", [0, 96_000_000])
def test_the_clock_may_begin_anew_with_the_one_that_is_held(start):
    first = ts.segment(start=48_000_000, pictures=16)
    second = ts.segment(start=start, pictures=16)
    a, b = slot(first + second), slot(second)
    assert holds(a, b)
    ahead, behind = parted(bytes_of(first + second), a, b)
    assert (ahead.tobytes(), behind.tobytes()) == (first, second)


@pytest.mark.parametrize(("lasts", "found"), [(16, True), (8, False)])
def test_a_segment_that_lasts_as_long_as_both_holds_the_next_one_whatever_its_clock(lasts, found):
    """The recorder's clock restarted with the next one, and the copy is from before that."""
    first = ts.segment(start=48_000_000, pictures=16)
    copy = ts.segment(start=48_000_000 + 96_000, pictures=lasts)
    second = ts.segment(start=0, pictures=16)
    a, b = (replace(slot(data), duration=96_000 / 90_000) for data in (first + copy, second))
    assert holds(a, b) is found
    if found:
        ahead, behind = parted(bytes_of(first + copy), a, b)
        assert (ahead.tobytes(), behind.tobytes()) == (first, copy)


@pytest.mark.parametrize("pictures", [1, 4])
def test_streams_without_one_stamp_hold_nothing(pictures):
    """Whatever EXTINF says."""
    es = [ts.pes(0xE0, ts.access_unit(n)) for n in range(pictures)]
    tables = ts.table_packets(0, ts.pat()) + ts.table_packets(ts.PMT, ts.pmt({ts.VIDEO: ts.H264}))
    packets = [row for n, one in enumerate(es) for row in ts.packets(ts.VIDEO, one, 4 * n)]
    bare = replace(slot(b"".join([*tables, *packets])), duration=1.0)
    assert bare.scan is not None
    assert (bare.scan.streams[ts.VIDEO].dts < 0).all()
    assert not holds(bare, bare)
    stamped = replace(slot(ts.segment(start=0, pictures=16, audio=None)), duration=1.0)
    assert not holds(bare, stamped)
    assert not holds(stamped, bare)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda a, b: (replace(a, duration=None), b), id="no EXTINF"),
        pytest.param(lambda a, b: (a, replace(b, duration=None)), id="none of the next one"),
        pytest.param(lambda a, b: (replace(a, rounded=True), b), id="a rounded one"),
        pytest.param(lambda a, b: (replace(a, part="bak0"), b), id="another part"),
        pytest.param(
            lambda a, b: (
                a,
                replace(
                    slot(ts.segment(start=0, pictures=16, audio=None)), duration=96_000 / 90_000
                ),
            ),
            id="other streams",
        ),
        pytest.param(
            lambda a, b: (replace(a, duration=2 * 96_000 / 90_000 - 0.01), b), id="longer"
        ),
    ],
)
def test_how_long_it_lasts_tells_nothing(change):
    first = ts.segment(start=48_000_000, pictures=16)
    copy = ts.segment(start=48_000_000 + 96_000, pictures=16)
    second = ts.segment(start=0, pictures=16)
    a, b = (replace(slot(data), duration=96_000 / 90_000) for data in (first + copy, second))
    assert holds(a, b)
    assert not holds(*change(a, b))


def test_damage_to_both_copies_of_what_is_held():
    """In different places: neither has all that the other has."""
    _, both, _, second = held_too()
    rows = [second[at : at + 188] for at in range(0, len(second), 188)]
    behind = slot(b"".join(rows[:20] + rows[30:]))
    ahead = slot(both[: -len(second)] + b"".join(rows[:40] + rows[50:]))
    assert holds(ahead, behind)
    assert not holds(ahead, slot(b"".join(rows[: len(rows) // 3])))
