"""Where the bytes of each segment lie in an MP4."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.media.loss.holes import Stretch
from pipeline.media.proof.pieces import pieces
from tests.media.proof.test_compare import track, units


def simple_pieces(sizes, offsets, per_chunk, counts):
    """Every byte of the file that belongs to a segment, byte by byte."""
    owner = [n for n, count in enumerate(counts) for _ in range(count)]
    found, sample = {}, 0
    for begin, number in zip(offsets, per_chunk, strict=True):
        for _ in range(number):
            for byte in range(begin, begin + sizes[sample]):
                found[byte] = owner[sample]
            begin += sizes[sample]
            sample += 1
    return found


@st.composite
def tables(draw):
    per_chunk = draw(st.lists(st.integers(1, 5), min_size=1, max_size=6))
    total = sum(per_chunk)
    sizes = draw(st.lists(st.integers(0, 40), min_size=total, max_size=total))
    cuts = sorted(draw(st.lists(st.integers(0, total), max_size=5)))
    counts = np.diff([0, *cuts, total]).tolist()
    spaces = draw(st.lists(st.integers(0, 9), min_size=len(per_chunk), max_size=len(per_chunk)))
    ends = np.cumsum(per_chunk).tolist()
    lengths = [sum(sizes[end - n : end]) for end, n in zip(ends, per_chunk, strict=True)]
    order = draw(st.permutations(range(len(per_chunk))))
    offsets, at = [0] * len(per_chunk), 0
    for chunk in order:
        at += spaces[chunk]
        offsets[chunk] = at
        at += lengths[chunk]
    return sizes, offsets, per_chunk, counts


def stretches_of(counts: list[int], sizes: list[int]) -> list[Stretch]:
    at, found = 0, []
    for n, count in enumerate(counts):
        found.append(Stretch(f"{n}.ts", units([bytes(s) for s in sizes[at : at + count]], 0, 1)))
        at += count
    return found


@given(tables(), st.integers(1, 60))
def test_pieces_cover_exactly_the_bytes_of_each_segment(table, block):
    sizes, offsets, per_chunk, counts = table
    (made,) = pieces([track(sizes, offsets, per_chunk)], [stretches_of(counts, sizes)], block)
    found = [
        (byte, slot)
        for begin, length, slot in zip(
            made.begin.tolist(), made.length.tolist(), made.slot.tolist(), strict=True
        )
        for byte in range(begin, begin + length)
    ]
    assert sorted(found) == sorted(simple_pieces(sizes, offsets, per_chunk, counts).items())
    assert (np.diff(made.begin) >= 0).all()
    assert (made.begin // block == (made.begin + made.length - 1) // block).all()


@pytest.mark.parametrize(
    ("counts", "begin", "length", "slot"),
    [
        pytest.param([4], [10, 90], [30, 70], [0, 0], id="one segment"),
        pytest.param([2, 2], [10, 90], [30, 70], [0, 1], id="the edge between chunks"),
        pytest.param([1, 3], [10, 20, 90], [10, 20, 70], [0, 1, 1], id="inside the first chunk"),
        pytest.param([3, 1], [10, 90, 120], [30, 30, 40], [0, 0, 1], id="inside the last chunk"),
        pytest.param([2, 0, 2], [10, 90], [30, 70], [0, 2], id="an empty segment between"),
        pytest.param([0, 4], [10, 90], [30, 70], [1, 1], id="an empty segment in front"),
        pytest.param([4, 0], [10, 90], [30, 70], [0, 0], id="an empty segment behind"),
        pytest.param([1, 1, 1, 1], [10, 20, 90, 120], [10, 20, 30, 40], [0, 1, 2, 3], id="four"),
    ],
)
def test_pieces(counts, begin, length, slot):
    sizes = [10, 20, 30, 40]
    (made,) = pieces([track(sizes, [10, 90], [2, 2])], [stretches_of(counts, sizes)], 1 << 20)
    assert made.begin.tolist() == begin
    assert made.length.tolist() == length
    assert made.slot.tolist() == slot


def test_pieces_are_cut_at_block_borders():
    (made,) = pieces([track([100], [10], [1])], [stretches_of([1], [100])], 30)
    assert made.begin.tolist() == [10, 30, 60, 90]
    assert made.length.tolist() == [20, 30, 30, 20]
    assert made.slot.tolist() == [0, 0, 0, 0]


def test_slots_of_the_second_track_come_behind_those_of_the_first():
    one, other = pieces(
        [track([5, 5], [0, 20], [1, 1]), track([5, 5], [10, 30], [1, 1])],
        [stretches_of([1, 1], [5, 5]), stretches_of([1, 1], [5, 5])],
        1 << 20,
    )
    assert (one.begin.tolist(), one.slot.tolist()) == ([0, 20], [0, 1])
    assert (other.begin.tolist(), other.slot.tolist()) == ([10, 30], [2, 3])
