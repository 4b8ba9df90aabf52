"""Pictures that are decoded at another time than shown, in PES that told one time only."""

import numpy as np

from pipeline.media.es.codecs import H264
from pipeline.media.stitch.stitcher import Stitcher
from pipeline.media.track import Edges, Lane
from pipeline.media.ts.scan import scan
from pipeline.media.ts.writing.replace_streams import samples
from tests import ts

LANE = Lane(ts.VIDEO, H264, ts.SPS, 6000.0, (ts.SPS, ts.PPS))
PLAN = 900_000


def stitched(*datas: bytes, back: int, joined: bool = False) -> tuple[list, np.ndarray]:
    """Each segment a second after the other, decoded so many ticks before it is shown."""
    stitcher = Stitcher((LANE,))
    parts = []
    for n, data in enumerate(datas):
        here = np.frombuffer(bytearray(data), np.uint8)
        count = len(scan("", here).streams[ts.VIDEO].pts)
        pts = PLAN + 90_000 * n + 6000 * np.arange(count)
        edges = Edges(joined=frozenset({ts.VIDEO}) if joined and n == 0 else frozenset())
        parts.append(stitcher.add(f"{n}.ts", here, {ts.VIDEO: (pts, pts - back)}, edges))
    written = b"".join(bytes(chunk) for part in parts for chunk in part.chunks)
    return parts, np.frombuffer(Stitcher((LANE,)).tables() + written, np.uint8)


def pictures(parts: list) -> list[bytes]:
    found = []
    for part in parts:
        made = part.units[ts.VIDEO]
        ends = np.cumsum(made.sizes.astype(np.int64)).tolist()
        begins = [0, *ends[:-1]]
        found += [bytes(made.data)[a:b] for a, b in zip(begins, ends, strict=True)]
    return found


def segment(n: int) -> bytes:
    return ts.segment(start=90_000 * (n + 1), pictures=15, audio=None)


def test_both_times_are_written():
    plain, _ = stitched(segment(0), segment(1), back=0)
    parts, written = stitched(segment(0), segment(1), back=12_000)
    assert pictures(parts) == pictures(plain)
    found = samples(written, ts.VIDEO)
    shown = [PLAN + 90_000 * n + 6000 * k for n in range(2) for k in range(15)]
    assert [(s.pts, s.dts) for s in found] == [(t, t - 12_000) for t in shown]
    assert scan("", written).findings == ()


def test_a_picture_that_ends_in_the_next_segment():
    """Its end is written ahead of the pictures behind it."""
    whole = segment(0) + segment(1)[376:]
    rows = [whole[at : at + 188] for at in range(0, len(whole), 188)]
    starts = [n for n, row in enumerate(rows) if row[1] & 0x40 and row[2] == ts.VIDEO & 0xFF]
    cut = starts[15] + 1  # inside the first picture of the second one
    first, second = b"".join(rows[:cut]), b"".join([*rows[:2], *rows[cut:]])
    parts, written = stitched(first, second, back=12_000, joined=True)
    plain, _ = stitched(first, second, back=0, joined=True)
    assert len(pictures(parts)) == 30
    assert pictures(parts) == pictures(plain)
    assert [f.id for f in scan("", written).findings] == []
    held = b"".join(s.data for s in samples(written, ts.VIDEO))
    wanted = b"".join(s.data for s in samples(np.frombuffer(whole, np.uint8), ts.VIDEO))
    assert held == wanted
