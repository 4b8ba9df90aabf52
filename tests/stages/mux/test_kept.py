"""What stays in memory from the scan to the stitcher."""

import numpy as np
import pytest
from msgspec.structs import replace

from pipeline.media.ts.transport_stream import TransportStream, row_of, side_by_side
from pipeline.stages.mux.kept import Kept
from tests import ts
from tests.segments import local


@pytest.fixture
def segments(tmp_path):
    counters = {}
    return [
        local(tmp_path / f"{n}.ts", ts.segment(start=ts.START + n * 90_000, counters=counters))
        for n in range(3)
    ]


@pytest.fixture
def streams(segments):
    datas = [segment.path.read_bytes() for segment in segments]
    return side_by_side(np.frombuffer(b"".join(datas), np.uint8).copy(), [*map(len, datas)])


def test_a_row_is_taken_once(segments, streams):
    """Who takes it edits it."""
    kept = Kept()
    kept.take(segments, streams)
    row = kept.row(segments)
    assert row == streams
    assert row_of(row) is streams[0].among
    assert kept.row(segments) is None


def test_what_was_not_in_memory_is_not_kept(segments, streams):
    kept = Kept()
    kept.take(segments, [streams[0], None, streams[2]])
    assert kept.row(segments) is None
    assert Kept().row(segments) is None


def test_what_was_rewritten_since_is_read_again(segments, streams, tmp_path):
    kept = Kept()
    kept.take(segments, streams)
    other = replace(segments[0], path=tmp_path / "rewritten.ts")
    assert kept.row([other]) is None
    longer = replace(segments[1].slot.scan, size=1)
    assert kept.row([replace(segments[1], slot=replace(segments[1].slot, scan=longer))]) is None
    assert kept.row(segments[2:]) == streams[2:]


def test_a_segment_listed_twice_is_read_again_the_second_time(segments, streams):
    kept = Kept()
    kept.take(segments[:1], [TransportStream(streams[0].data)])
    assert kept.row([segments[0], segments[0]]) is None
