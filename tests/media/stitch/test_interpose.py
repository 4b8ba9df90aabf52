"""Silence in the packets of a segment: read back, there is exactly that between the units."""

from itertools import pairwise

import numpy as np
import pytest

from pipeline.media.clock import BASE
from pipeline.media.es.codecs import AAC, OPUS
from pipeline.media.stitch.interpose import silent
from pipeline.media.stitch.silence import quiets
from pipeline.media.stitch.stitcher import Stitcher
from pipeline.media.track import Edges, Lane
from pipeline.media.ts.scan import scan
from tests import ts

FRAME = 1920
HEADER = ts.adts_frame(b"")
LANE = Lane(ts.AUDIO, AAC, HEADER[:3] + bytes((HEADER[3] & 0xF0,)), float(FRAME))
SILENT = bytes.fromhex("00000007")
PAUSE = 20 * FRAME


def frames(count, seed=0):
    return [ts.silence(40 + n % 9, seed=seed + n) for n in range(count)]


def written(found, times, *, apart=4, over=0):
    """Frames in PES of some each; every PES but the first begins with the last ``over`` bytes of
    the frame in front.
    """
    es = [ts.adts_frame(frame) for frame in found]
    stream = b"".join(es)
    begins = np.cumsum([0, *map(len, es)])
    firsts = range(0, len(es), apart)
    cuts = [0, *(int(begins[at]) - over for at in firsts[1:]), len(stream)]
    tables = [*ts.table_packets(0, ts.pat({1: ts.PMT}))]
    tables += ts.table_packets(ts.PMT, ts.pmt({ts.AUDIO: ts.AAC}, pcr_pid=ts.NULL))
    counter, out = 0, tables
    for first, (begin, end) in zip(firsts, pairwise(cuts), strict=True):
        pes = ts.pes(0xC0, stream[begin:end], times[first])
        made = list(ts.packets(ts.AUDIO, pes, counter))
        counter = counter + len(made) & 15
        out += made
    return b"".join(out)


def put(data, stitcher, times=None, edges=None):
    data = np.frombuffer(bytearray(data), np.uint8)
    found = scan("x.ts", data).streams[ts.AUDIO]
    stamps = {ts.AUDIO: (found.pts, found.dts)}
    return stitcher.add("x.ts", data, stamps, edges or Edges())


def read_back(*parts):
    """The units of a stream, by a stitcher that puts nothing in."""
    stitcher = Stitcher((LANE,))
    data = stitcher.tables() + b"".join(bytes(c) for part in parts for c in part.chunks)
    return put(data, stitcher).units[ts.AUDIO]


def stored(units):
    ends = np.cumsum(units.sizes)
    return [bytes(units.data[int(e - s) : int(e)]) for s, e in zip(units.sizes, ends, strict=True)]


def filling():
    return Stitcher((LANE,), quiets([LANE]))


def times_of(count, pause_at=None, start=BASE):
    late = 0 if pause_at is None else PAUSE
    return [
        start + n * FRAME + (late if pause_at is not None and n >= pause_at else 0)
        for n in range(count)
    ]


@pytest.mark.parametrize("over", [0, 1, 7, 30])
@pytest.mark.parametrize("pause_at", [8, 12])
def test_a_pause_inside_a_segment(pause_at, over):
    """Also where the PES behind it begins with the end of the frame in front."""
    sound = frames(24)
    part = put(written(sound, times_of(24, pause_at), over=over), filling())
    made = part.units[ts.AUDIO]
    wanted = [*sound[:pause_at], *[SILENT] * 20, *sound[pause_at:]]
    assert stored(made) == wanted
    assert made.filled.tolist() == list(range(pause_at, pause_at + 20))
    again = read_back(part)
    assert stored(again) == wanted
    assert again.digest == made.digest
    assert again.pts[made.filled].tolist() == [
        BASE + n * FRAME for n in range(pause_at, pause_at + 20)
    ]


def test_a_pause_between_segments_leaves_their_packets_as_they_are():
    first, second = frames(24), frames(24, 100)
    stitcher = filling()
    parts = [
        put(written(first, times_of(24)), stitcher),
        put(written(second, times_of(24, start=BASE + 24 * FRAME + PAUSE)), stitcher),
    ]
    assert stored(parts[1].units[ts.AUDIO]) == [SILENT] * 20 + second
    assert stored(read_back(*parts)) == [*first, *[SILENT] * 20, *second]
    untouched = sum(len(bytes(chunk)) for chunk in parts[1].chunks)
    assert untouched == len(written(second, times_of(24))) + 20 * 188


def test_a_late_beginning_and_an_early_end():
    stitcher = filling()
    sound = frames(24)
    part = put(written(sound, times_of(24, start=BASE + PAUSE)), stitcher)
    whole = part.before(stitcher.rest(BASE + 100 * FRAME))
    wanted = [*[SILENT] * 20, *sound, *[SILENT] * 56]
    assert stored(whole.units[ts.AUDIO]) == wanted
    assert stored(read_back(whole)) == wanted


def test_a_long_pause_in_pes_of_several_frames():
    stitcher = filling()
    sound = frames(24)
    part = put(written(sound, times_of(24)), stitcher)
    whole = part.before(stitcher.hush({ts.AUDIO: BASE + 1000 * FRAME}))
    made = whole.units[ts.AUDIO]
    silent = len(made.filled)
    assert 900 < silent < 1000
    assert stored(read_back(whole)) == [*sound, *[SILENT] * silent]
    assert (made.pts[made.filled] >= 0).sum() < silent / 4


def test_what_was_put_in_is_told_apart():
    part = put(written(frames(24), times_of(24, 8)), filling())
    own = part.units[ts.AUDIO].own
    assert own.sizes.tolist() == [len(frame) for frame in frames(24)]
    assert not len(own.filled)


@pytest.mark.parametrize("count", [3, 200])
def test_each_silent_packet_of_opus_has_a_pes_of_its_own(count):
    lane = Lane(ts.AUDIO, OPUS, bytes(3) + b"\2" + bytes(9), 1800.0)
    unit, _ = OPUS.silence(lane.config, lane.unit)
    stamps = BASE + 1800 * np.arange(count)
    rows, told = silent(lane, unit, stamps)
    assert told.tolist() == stamps.tolist()
    assert [row.tobytes().endswith(unit) for row in rows] == [True] * count
    assert not any(b"\xff\xf1" in row.tobytes()[:-2] for row in rows[:, -20:])
