"""Segments that are stitched in a row are each as they would be by themselves."""

import numpy as np
import pytest
from msgspec.structs import replace

from pipeline.media.slots.segments import Slot
from pipeline.media.stitch import row as row_module
from pipeline.media.stitch import stitcher as stitcher_module
from pipeline.media.stitch.silence import quiets
from pipeline.media.stitch.stitcher import Stitcher
from pipeline.media.timeline.plan import plan
from pipeline.media.ts.scan import scan
from pipeline.media.ts.transport_stream import TransportStream, row_of, side_by_side
from pipeline.model import Finding, Severity
from tests import ts
from tests.recordings import read_stamp

S = 96_000  # ticks of a segment: 16 pictures, 50 frames of sound
COUNT = 6


def recording(*, anew=False, **segment):
    counters = {}
    return [
        ts.segment(
            start=S * (n + 1), pictures=16, counters={} if anew else counters, size=2000, **segment
        )
        for n in range(COUNT)
    ]


def planned(datas):
    slots = [
        Slot(f"{n}.ts", scan(f"{n}.ts", np.frombuffer(data, np.uint8)), S / 90_000)
        for n, data in enumerate(datas)
    ]
    return plan(slots)


def told(stitched):
    """Everything that the muxer is given, and that the MP4 must hold."""
    units = {
        pid: (u.sizes.tolist(), u.pts.tolist(), u.dts.tolist(), u.digest, bytes(u.data), u.taken)
        for pid, u in stitched.units.items()
    }
    lists = {pid: (u.torn.tolist(), u.filled.tolist()) for pid, u in stitched.units.items()}
    return b"".join(map(bytes, stitched.chunks)), units, lists, stitched.findings, stitched.made


class Both:
    """A stitcher that was given the first segment of a recording, unless nothing is ``begun``, and
    another one like it.
    """

    def __init__(self, datas, *, begun=True):
        self.datas, self.plan = datas, planned(datas)
        self.one, self.row = (
            Stitcher(self.plan.lanes, quiets(self.plan.lanes)) for _ in ("one", "row")
        )
        for stitcher in (self.one, self.row) if begun else ():
            self.single(stitcher, 0)

    def single(self, stitcher, n):
        stream = TransportStream(np.frombuffer(bytearray(self.datas[n]), np.uint8))
        placed = self.plan.placed[n]
        return stitcher.stitch(
            placed.slot.name, stream, placed.times, placed.edges, pids=placed.pids
        )

    def by_itself(self, numbers):
        return [told(self.single(self.one, n)) for n in numbers]

    def in_a_row(self, numbers, placed=None):
        some = [self.datas[n] for n in numbers]
        data = np.frombuffer(bytearray(b"".join(some)), np.uint8)
        streams = side_by_side(data, [len(one) for one in some])
        row = row_of(streams)
        placed = placed or [self.plan.placed[n] for n in numbers]
        made = row and self.row.stitch_row(row, placed)
        assert made or bytes(data) == b"".join(some)  # nothing was edited
        return made and [*map(told, made)]


@pytest.mark.parametrize("anew", [False, True], ids=["counters go on", "counters restart"])
@pytest.mark.parametrize(
    "segment",
    [
        {},
        {"codes": (3,)},
        {"codes": (4, 3)},
        {"delay": 6000},
        {"frames_per_pes": 7},
        {"audio": None},
        {"video": None},
    ],
)
def test_each_is_what_it_is_by_itself(segment, anew):
    both = Both(recording(anew=anew, **segment))
    made = both.in_a_row(range(1, 4))
    assert made == both.by_itself(range(1, 4))
    assert both.in_a_row(range(4, COUNT)) == both.by_itself(range(4, COUNT))


def test_sound_that_reaches_over_the_edges():
    """A frame begins in one segment and ends in the next one."""
    datas = in_other_pieces(recording())
    both = Both(datas)
    made = both.in_a_row(range(1, COUNT))
    assert made == both.by_itself(range(1, COUNT))
    whole = sum(len(sizes) for _, units, *_ in made for sizes, *_ in (units[ts.AUDIO],))
    assert whole == 50 * (COUNT - 1) + 1  # it begins in the first one


def in_other_pieces(datas):
    """The last PES of sound of each segment but the last one goes on in the next one."""
    carried, out = b"", []
    for n, data in enumerate(datas):
        last = n + 1 == len(datas)
        found = [data[at : at + 188] for at in range(0, len(data), 188)]
        sound = [p for p in found if (p[1] & 31) << 8 | p[2] == ts.AUDIO]
        units = pes_of(sound)
        first, *inner = units
        inner[0:0] = [(first[0], carried + first[1])]
        if not last:
            carried, inner[-1] = inner[-1][1][-20:], (inner[-1][0], inner[-1][1][:-20])
        made = [p for pts, es in inner for p in ts.packets(ts.AUDIO, ts.pes(0xC0, es, pts), 0)]
        rest = [p for p in found if p not in sound]
        rows = np.frombuffer(b"".join([*rest, *made]), np.uint8).reshape(-1, 188).copy()
        own = np.flatnonzero((rows[:, 1] & 31 == ts.AUDIO >> 8) & (rows[:, 2] == ts.AUDIO & 255))
        rows[own, 3] = rows[own, 3] & 0xF0 | np.arange(len(own)) % 16
        out.append(rows.tobytes())
    return out


def pes_of(packets):
    """PTS and elementary stream of every PES in some packets of sound."""
    found = []
    for packet in packets:
        begin = 4 + (1 + packet[4] if packet[3] & 0x20 else 0)
        if packet[1] & 0x40:
            pts = read_stamp(packet[begin + 9 : begin + 14])
            found.append([pts, packet[begin + 9 + packet[begin + 8] :]])
        else:
            found[-1][1] += packet[begin:]
    return [tuple(one) for one in found]


def hurt(datas):
    """A packet of sound is gone in the second one."""
    found = [datas[2][at : at + 188] for at in range(0, len(datas[2]), 188)]
    at = [n for n, p in enumerate(found) if (p[1] & 31) << 8 | p[2] == ts.AUDIO][3]
    return [*datas[:2], b"".join(found[:at] + found[at + 1 :]), *datas[3:]]


def paused(datas):
    """Nobody speaks in the second half of one."""
    found = [datas[2][at : at + 188] for at in range(0, len(datas[2]), 188)]
    sound = [n for n, p in enumerate(found) if (p[1] & 31) << 8 | p[2] == ts.AUDIO]
    late = [n for n in sound if found[n][1] & 0x40][6]
    kept = [p for n, p in enumerate(found) if n not in sound or n < late]
    return [*datas[:2], b"".join(kept), *datas[3:]]


@pytest.mark.parametrize("change", [hurt, paused])
def test_what_is_not_clean_is_stitched_one_by_one(change):
    both = Both(change(recording(anew=True)))
    assert both.in_a_row(range(1, 5)) is None
    assert [told(both.single(both.row, n)) for n in range(1, COUNT)] == both.by_itself(
        range(1, COUNT)
    )


@pytest.mark.parametrize("edge", ["torn", "joined", "cut", "whole", "until"])
def test_edges_of_which_something_is_known(edge):
    both = Both(recording())
    placed = list(both.plan.placed[1:4])
    known = {ts.VIDEO: 1} if edge == "until" else frozenset({ts.VIDEO})
    placed[1] = replace(placed[1], **{edge: known})
    assert both.in_a_row(range(1, 4), placed) is None
    assert both.in_a_row(range(1, 4)) == both.by_itself(range(1, 4))


@pytest.mark.parametrize("anew", [False, True], ids=["counters go on", "counters restart"])
@pytest.mark.parametrize(
    "segment",
    [{}, {"codes": (4, 3)}, {"delay": 6000}, {"frames_per_pes": 7}, {"audio": None}],
)
def test_a_row_from_the_beginning_on(segment, anew):
    both = Both(recording(anew=anew, **segment), begun=False)
    assert both.in_a_row(range(0, 3)) == both.by_itself(range(0, 3))
    assert both.in_a_row(range(3, COUNT)) == both.by_itself(range(3, COUNT))


def test_a_first_frame_that_alone_tells_the_channels_is_looked_at_by_itself():
    both = Both(recording(), begun=False)
    picture, sound = both.plan.lanes
    silent = bytes([*sound.config[:2], sound.config[2] & 0xFE, sound.config[3] & 0x3F])
    untold = replace(sound, config=silent)
    both.row = Stitcher((picture, untold), {})
    assert both.in_a_row(range(0, 3)) is None


@pytest.fixture
def parts(monkeypatch):
    """What pictures and sound of a row are parted by: work, packets that stay, units, ends."""
    seen = []
    real = row_module.parted
    monkeypatch.setattr(
        stitcher_module, "parted", lambda *given: seen.append(given) or real(*given)
    )
    both = Both(recording())
    assert both.in_a_row(range(1, 4))
    return dict(zip(("video", "audio"), seen, strict=True))


ONE = np.array([1], np.intp)
UNITS = {
    "media is missing": {"torn": ONE},
    "the end of one is gone": {"cut": 1},
    "a unit that is none": {"foreign": 1},
    "sets that stand apart": {"sets": frozenset({b"x"})},
    "silence put in": {"filled": ONE},
    "bytes in no unit": {"dropped": 1},
    "bytes of another part": {"spared": 1},
    "one that has only begun": {"unfinished": True},
    "nobody knows where they end": {"ends": ONE[:0]},
}
WORK = {
    "something was found": {"findings": [Finding("CC", Severity.INFO)]},
    "packets were put in": {"inserts": [(0, b"")]},
    "bytes were put in": {"added": 1},
}


@pytest.mark.parametrize("kind", ["video", "audio"])
@pytest.mark.parametrize("what", [*UNITS, *WORK, "packets were left out", "nothing"])
def test_only_what_came_out_as_it_was_is_parted(parts, kind, what):
    work, kept, made, bounds = parts[kind]
    made = replace(made, **UNITS.get(what, {}))
    work = replace(work, **WORK.get(what, {}))
    kept = kept & (np.arange(len(kept)) != 3) if what == "packets were left out" else kept
    assert (row_module.parted(work, kept, made, bounds) is None) is (what != "nothing")


@pytest.mark.parametrize(("kind", "over"), [("video", True), ("audio", False)])
def test_a_picture_over_an_edge_is_not_parted(parts, kind, over):
    """A frame of sound belongs to the segment that has its end."""
    work, kept, made, bounds = parts[kind]
    assert (row_module.parted(work, kept, made, bounds - np.array([1, 0, 0])) is None) is over


def test_a_segment_in_which_no_unit_ends(parts):
    work, kept, made, bounds = parts["audio"]
    assert row_module.parted(work, kept, made, bounds[[0, 0, 2]]) is None


def test_a_stream_that_one_of_them_lacks():
    both = Both(recording())
    placed = list(both.plan.placed[1:4])
    placed[1] = replace(placed[1], stamps={ts.VIDEO: placed[1].stamps[ts.VIDEO]})
    assert both.in_a_row(range(1, 4), placed) is None


def test_a_recording_that_ends_inside_a_frame():
    """Nothing follows that could hold its end."""
    datas = recording(frames_per_pes=7)
    found = [datas[-1][at : at + 188] for at in range(0, len(datas[-1]), 188)]
    sound = [n for n, p in enumerate(found) if (p[1] & 31) << 8 | p[2] == ts.AUDIO]
    datas[-1] = b"".join(p for n, p in enumerate(found) if n not in sound[-2:])
    both = Both(datas)
    numbers = range(1, COUNT)
    made = both.in_a_row(numbers)
    assert made is None
    assert [told(both.single(both.row, n)) for n in numbers] == both.by_itself(numbers)
