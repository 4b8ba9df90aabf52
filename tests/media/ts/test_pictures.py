"""How many pictures begin in each PES, and which stamps only repeat that of a picture."""

import numpy as np
import pytest

from pipeline.media.es.codecs import AAC, H264
from pipeline.media.ts.packets import columns
from pipeline.media.ts.pes import track
from pipeline.media.ts.pictures import held, repeated, said_once
from tests import ts

AUD, SPS, PPS = ts.AUD, ts.SPS, ts.PPS
SLICE, REST = ts.nal(1), ts.nal(1, first_mb=1)


def counted(*pes: tuple[list[bytes], int | None], codec=H264):
    """Of PES of these NAL units and stamps: how many pictures begin, and which stamps are left."""
    made: list[bytes] = []
    for nals, stamp in pes:
        made += ts.packets(ts.VIDEO, ts.pes(0xE0, ts.annex_b(nals), stamp), len(made))
    packets = columns(np.frombuffer(b"".join(made), np.uint8).reshape(-1, 188))
    t = track(packets, ts.VIDEO)
    counts = held(packets, t, codec)
    left, _ = said_once(t, counts)
    return None if counts is None else counts.tolist(), left.tolist()


@pytest.mark.parametrize(
    ("pes", "counts", "left"),
    [
        pytest.param([([AUD, SLICE], 1), ([AUD, SLICE], 2)], None, [1, 2], id="one each"),
        pytest.param([([SLICE, REST], 1), ([SLICE, REST], 2)], None, [1, 2], id="of two slices"),
        pytest.param([([SLICE, SLICE], 1), ([SLICE, SLICE], 3)], [2, 2], [1, 3], id="two each"),
        pytest.param([([SLICE], 1), ([SLICE], None)], [1, 1], [1, -1], id="one has no stamp"),
        pytest.param([([SLICE], 1), ([SLICE], 1)], [1, 1], [1, 1], id="two with one stamp"),
        pytest.param(
            [([SPS], 1), ([PPS], 1), ([SLICE], 1), ([REST], 1), ([SLICE], 2), ([REST], 2)],
            [1, 0, 0, 0, 1, 0],
            [1, -1, -1, -1, 2, -1],
            id="one NAL unit each, with the stamp of its picture",
        ),
        pytest.param([([AUD, SPS], 1)], [0], [1], id="what opens a picture, and none"),
    ],
)
def test_pictures_of_each_pes(pes, counts, left):
    assert counted(*pes) == (counts, left)


def test_sound_is_counted_elsewhere():
    assert counted(([SLICE, SLICE], 1), codec=AAC) == (None, [1])
    assert counted(([SLICE, SLICE], 1), codec=None) == (None, [1])


def test_a_stamp_without_a_neighbour_repeats_none():
    pts = np.array([5, -1, 5, 5, -1, 6], np.int64)
    assert repeated(pts, pts).tolist() == [False, False, True, True, False, False]
    assert not repeated(pts, np.arange(6, dtype=np.int64)).any()
