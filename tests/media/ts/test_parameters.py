"""What a stream tells a decoder inside one segment, wherever it stands."""

import numpy as np
import pytest

from pipeline.media.ts.scan import Stream, scan
from tests import ts

OTHER_PPS = ts.PPS[:-1] + b"\xc9"
LARGER = bytes.fromhex("6742c00ad90141fb011000000300100000030140f14272")


def segment(*pictures: list[bytes]) -> list[bytes]:
    """The packets of these pictures, given by their NAL units."""
    rows = [*ts.table_packets(0, ts.pat()), *ts.table_packets(ts.PMT, ts.pmt({ts.VIDEO: ts.H264}))]
    counter = 0
    for n, nals in enumerate(pictures):
        pts = ts.START + n * 6000
        made = ts.packets(ts.VIDEO, ts.pes(0xE0, ts.annex_b(nals), pts), counter)
        counter += len(made)
        rows += made
    return rows


def read(rows: list[bytes]) -> Stream:
    return scan("0.ts", np.frombuffer(b"".join(rows), np.uint8)).streams[ts.VIDEO]


def found(*pictures: list[bytes]) -> Stream:
    return read(segment(*pictures))


def key(*sets: bytes) -> list[bytes]:
    return [ts.AUD, *sets, ts.IDR]


OTHER = [ts.AUD, ts.nal(1)]


def test_sets_of_every_picture_that_shows_them():
    one = found(key(ts.SPS, ts.PPS), OTHER, [ts.AUD, OTHER_PPS, ts.nal(1)], key(ts.SPS, ts.PPS))
    assert one.sets == (ts.SPS, ts.PPS, OTHER_PPS)
    assert one.config == ts.SPS
    assert one.key_start
    assert one.turns == ()


@pytest.mark.parametrize(
    "last",
    [
        key(ts.SPS, OTHER_PPS),
        key(ts.SPS, ts.PPS, ts.PPS[:-1] + b"\xc8"),
        [*key(ts.SPS, ts.PPS)[:-1], ts.IDR[:6], OTHER_PPS, ts.IDR],
        [*key(ts.SPS, ts.PPS), OTHER_PPS],
    ],
)
def test_a_set_that_differs_behind_many_that_are_alike(last):
    alone = found(OTHER, last)
    behind = found(*[key(ts.SPS, ts.PPS)] * 5, OTHER, last)
    assert {*behind.sets} == {*alone.sets, ts.SPS, ts.PPS}
    assert {*found(*[key(ts.SPS, ts.PPS)] * 5).sets} == {ts.SPS, ts.PPS}


def test_sets_behind_a_long_message_of_the_first_picture():
    one = found([ts.AUD, ts.sei(400), ts.SPS, ts.PPS, ts.IDR], OTHER)
    assert one.sets == (ts.SPS, ts.PPS)


def test_sets_that_go_on_in_the_next_packet():
    for size in range(100, 180):
        one = found(OTHER, [ts.AUD, ts.SPS, ts.sei(size), ts.PPS, ts.IDR])
        assert ts.SPS in one.sets
        assert not {*one.sets} - {ts.SPS, ts.PPS}


def test_a_set_that_lost_its_end_is_none():
    rows = segment([ts.AUD, ts.sei(110), ts.SPS, ts.PPS, ts.IDR], OTHER)
    assert read(rows).sets == (ts.SPS, ts.PPS)
    del rows[3]  # the packet in which the SPS ends
    assert read(rows).sets == ()


def test_a_set_at_the_end_of_a_pes():
    assert found([ts.AUD, ts.SPS], [ts.PPS, ts.IDR]).sets == (ts.SPS, ts.PPS)


def test_another_set_of_the_same_pictures_is_no_turn():
    other = ts.SPS[:3] + b"\x1f" + ts.SPS[4:]  # level
    assert found(key(ts.SPS, ts.PPS), key(other, ts.PPS)).turns == ()
    assert found(key(ts.SPS, ts.PPS), key(other, ts.PPS)).sets == (ts.SPS, ts.PPS, other)


@pytest.mark.parametrize("others", [0, 3])
def test_pictures_of_another_size_turn(others):
    one = found(key(ts.SPS, ts.PPS), *[OTHER] * others, key(LARGER, ts.PPS), OTHER)
    assert len(one.turns) == 1
    assert one.config == ts.SPS
