"""Whatever PES pictures come in, the muxer is shown one of each, with its stamp."""

import zlib
from collections.abc import Sequence

import numpy as np
import pytest

from pipeline.media.clock import BASE
from pipeline.media.slots.segments import Slot
from pipeline.media.stitch.stitcher import Stitched, Stitcher
from pipeline.media.timeline.plan import plan
from pipeline.media.ts.scan import scan
from tests import ts

AUD, SEI, END = ts.AUD, ts.sei(9), b"\x0a"
Pes = tuple[bytes, int | None, int | None]


def picture(n: int, slices: int = 1) -> list[bytes]:
    """NAL units of picture ``n``, without a delimiter."""
    return ts.picture_nals(n, aud=False, slices=slices, seed=n)


def stored(*nals: bytes) -> bytes:
    return b"".join(len(nal).to_bytes(4, "big") + nal for nal in nals)


def at(n: int) -> int:
    """The stamp of picture ``n``."""
    return ts.START + n * ts.PICTURE


def segments(*contents: Sequence[Pes], kind: int = ts.H264) -> list[bytes]:
    """Segments of one stream, with a PCR at every stamp."""
    made, counter = [], 0
    for content in contents:
        tables = [*ts.table_packets(0, ts.pat()), *ts.table_packets(ts.PMT, ts.pmt({256: kind}))]
        for es, pts, dts in content:
            clock = None if pts is None else (pts if dts is None else dts) - 45_000
            own = ts.packets(256, ts.pes(0xE0, es, pts, dts), counter, pcr=clock)
            counter += len(own)
            tables += own
        made.append(b"".join(tables))
    return made


def fed(*datas: bytes) -> tuple[list[Stitched], bytes]:
    """What is made of the segments, and all that the muxer is fed."""
    slots = [
        Slot(f"{n}.ts", scan(f"{n}.ts", np.frombuffer(d, np.uint8))) for n, d in enumerate(datas)
    ]
    made = plan(slots)
    assert not made.rejected, made.findings
    stitcher = Stitcher(made.lanes)
    parts = [
        stitcher.add(
            p.slot.name, np.frombuffer(bytearray(datas[p.number]), np.uint8), p.stamps, p.edges
        )
        for p in made.placed
    ]
    return parts, stitcher.tables() + b"".join(chunk for part in parts for chunk in part.chunks)


def units_of(parts: Sequence[Stitched]) -> tuple[list[list[int]], list[int]]:
    return [p.units[256].sizes.tolist() for p in parts], [p.units[256].digest for p in parts]


def expected(*groups: Sequence[bytes]) -> tuple[list[list[int]], list[int]]:
    return [[len(u) for u in group] for group in groups], [zlib.crc32(b"".join(g)) for g in groups]


def shown(out: bytes) -> list[int]:
    """The PTS of every PES that is fed; nothing in it may be wrong."""
    found = scan("out", np.frombuffer(out, np.uint8))
    assert [f for f in found.findings if f.severity != "info"] == []
    stream = found.streams[256]
    assert stream.held is None  # one picture in each PES, which has a stamp
    return [int(pts) - BASE for pts in stream.pts]


def code(*nals: bytes, zeros: int = 0) -> bytes:
    return b"".join(b"\0\0\0\1" + nal + bytes(zeros) for nal in nals)


PICTURES = [picture(n, slices=2) for n in range(8)]
PLAIN = [stored(*nals) for nals in PICTURES]
TIMES = [n * ts.PICTURE for n in range(8)]
BEHIND = [code(*nals) + code(AUD) for nals in PICTURES]
OPENED = [stored(AUD, *nals) if n else stored(*nals) for n, nals in enumerate(PICTURES)]
ONE_NAL = [(code(nal), at(n), None) for n, nals in enumerate(PICTURES) for nal in nals]


@pytest.mark.parametrize(
    ("pes", "pictures"),
    [
        pytest.param([(code(*p), at(n), None) for n, p in enumerate(PICTURES)], PLAIN, id="one"),
        pytest.param(
            [(code(*PICTURES[n], *PICTURES[n + 1]), at(n), None) for n in range(0, 8, 2)],
            PLAIN,
            id="two in each PES",
        ),
        pytest.param(ONE_NAL, PLAIN, id="one NAL unit in each PES"),
        pytest.param(
            [(code(*p), None if n % 3 == 1 else at(n), None) for n, p in enumerate(PICTURES)],
            PLAIN,
            id="some without a stamp",
        ),
        pytest.param(
            [(es, at(n), None) for n, es in enumerate(BEHIND)], OPENED, id="AUD in the PES before"
        ),
        pytest.param(
            [(code(*p, zeros=2), at(n), None) for n, p in enumerate(PICTURES)],
            PLAIN,
            id="zeros behind NAL units",
        ),
        pytest.param(
            [(code(*p), at(n), at(n) + 50 * (n == 3)) for n, p in enumerate(PICTURES)],
            PLAIN,
            id="one is decoded after it is shown",
        ),
    ],
)
def test_every_picture_is_one_pes(pes, pictures):
    (part,), out = fed(*segments(pes))
    assert units_of([part]) == expected(pictures)
    assert part.units[256].pts.tolist() == [BASE + t for t in TIMES]
    assert (part.units[256].dts <= part.units[256].pts).all()
    assert shown(out) == TIMES


def test_where_pes_end_anywhere():
    """A stamp belongs to the first picture that commences in a PES."""
    es = b"".join(code(AUD, *p) for p in PICTURES)
    begins = np.cumsum([0, *(len(code(AUD, *p)) for p in PICTURES)])[:-1]
    pes = []
    for place in range(0, len(es), 150):
        own = np.flatnonzero((begins >= place) & (begins < place + 150))
        pes.append((es[place : place + 150], at(int(own[0])) if len(own) else None, None))
    (part,), out = fed(*segments(pes))
    assert units_of([part]) == expected([stored(AUD, *p) for p in PICTURES])
    assert shown(out) == TIMES


def test_what_opens_a_picture_goes_along_into_the_next_segment():
    halves = [(es, at(n), None) for n, es in enumerate(BEHIND)]
    parts, out = fed(*segments(halves[:4], halves[4:]))
    assert units_of(parts) == expected(
        OPENED[:4], OPENED[4:]
    )  # behind the last one nothing is left
    assert shown(out) == TIMES


SPARSE = [[*nals[:-1], nals[-1][:2] + b"\0\0\3" * 150] for nals in PICTURES]
ZEROED = [(code(*p, zeros=3), at(n), None) for n, p in enumerate(PICTURES)]


@pytest.mark.parametrize(
    ("pes", "pictures"),
    [
        pytest.param(ONE_NAL, PLAIN, id="one NAL unit in each PES"),
        pytest.param(ZEROED, PLAIN, id="zeros behind NAL units"),
        pytest.param([(es, at(n), None) for n, es in enumerate(BEHIND)], OPENED, id="AUD before"),
        pytest.param(
            [(code(*SPARSE[n], *SPARSE[n + 1]), at(n), None) for n in range(0, 8, 2)],
            [stored(*nals) for nals in SPARSE],
            id="zeros inside NAL units",
        ),
    ],
)
def test_a_pes_that_goes_on_in_the_next_segment(pes, pictures):
    """Cut in front of any packet that does not begin one, behind the first PES."""
    (whole,) = segments(pes)
    tables = whole[: 2 * 188]
    starts = [n for n in range(len(whole) // 188) if whole[n * 188 + 1] & 0x40]
    for cut in sorted({*range(starts[3], starts[-1])} - {*starts}):
        parts, out = fed(whole[: cut * 188], tables + whole[cut * 188 :])
        sizes, digests = units_of(parts)
        count = len(sizes[0])
        assert (sizes, digests) == expected(pictures[:count], pictures[count:]), cut
        assert shown(out) == TIMES
        counters = [c for pid, c in fed_counters(out) if pid == 256]
        assert counters == [n & 15 for n in range(len(counters))]


def fed_counters(out: bytes) -> list[tuple[int, int]]:
    """PID and continuity_counter of each packet with a payload."""
    rows = [out[n : n + 4] for n in range(0, len(out), 188)]
    return [((r[1] & 0x1F) << 8 | r[2], r[3] & 15) for r in rows if r[3] & 0x10]


def test_it_is_left_out_where_media_is_missing_behind_it():
    halves = [(es, at(n), None) for n, es in enumerate(BEHIND)]
    first, _, third = segments(halves[:3], halves[3:5], halves[5:])
    parts, _ = fed(first, third)
    assert units_of(parts) == expected(OPENED[:3], [PLAIN[5], *OPENED[6:]])


def test_h264_keeps_the_end_of_a_sequence_where_it_is():
    pes = [(code(*p, *[END] * (n == 3)), at(n), None) for n, p in enumerate(PICTURES)]
    parts, out = fed(*segments(pes[:4], pes[4:]))
    ended = [*PLAIN[:3], stored(*PICTURES[3], END)]
    assert units_of(parts) == expected(ended, PLAIN[4:])
    assert shown(out) == TIMES


def test_clock_references_stay():
    _, out = fed(*segments(ONE_NAL))
    rows = np.frombuffer(out, np.uint8).reshape(-1, 188)
    clocked = rows[(rows[:, 3] & 0x20 != 0) & (rows[:, 4] >= 7) & (rows[:, 5] & 0x10 != 0)]
    bases = [int.from_bytes(row[6:11].tobytes(), "big") >> 7 for row in clocked]
    assert bases == [BASE + (pts - at(0)) - 45_000 for _, pts, _ in ONE_NAL]


B, P = 0x01, 0x41  # of nal_ref_idc 0 and 2
ORDER = [0, 3, 1, 2, 6, 4, 5, 9, 7, 8]  # I P B B P B B P B B: when each is shown


def reordered(n: int) -> bytes:
    """A picture whose slice says of which type it is (first_mb_in_slice 0, then ue(v))."""
    if n == 0:
        return code(*picture(0))
    kind = b"\xa0" if n % 3 in (2, 0) else b"\xc0"  # 1 010: B; 1 1: P
    return code(bytes((B if n % 3 in (2, 0) else P,)) + kind + ts.noise(40, n))


@pytest.mark.parametrize("bare", [{2}, {4}, {1, 5}, {2, 3}, {1, 3, 5, 7, 9}], ids=str)
def test_pictures_without_a_stamp_are_shown_where_no_other_is(bare):
    late = 2 * ts.PICTURE
    pes = [
        (reordered(n), *((None, None) if n in bare else (at(ORDER[n]) + late, at(n))))
        for n in range(10)
    ]
    (part,), _ = fed(*segments(pes))
    assert part.units[256].pts.tolist() == [BASE + n * ts.PICTURE for n in ORDER]
    assert [(f.id, f.count, f.severity.value) for f in part.findings] == [
        ("PTS_ABSENT", len(bare), "warning")
    ]


# of pictures of 64x64
VPS = bytes.fromhex("40010c01ffff0408000003009e0800000300001e959809")
HSPS = bytes.fromhex(
    "4201010408000003009e0800000300001e90041020b2cacd24995e02dc080800100000030010000003005080"
)
HPPS = bytes.fromhex("4401c172860c4224")
KEY, TRAIL = b"\x26\x01\x80" + ts.noise(40), b"\x02\x01\x80" + ts.noise(40, 2)


def test_h265_opens_the_next_picture_with_the_end_of_a_sequence():
    """So does ffmpeg; for a decoder it is the same."""
    closed = code(TRAIL, b"\x48\x01")
    first = [(code(VPS, HSPS, HPPS, KEY), at(0), None), (closed, at(1), None)]
    second = [(code(VPS, HSPS, HPPS, KEY), at(2), None), (closed, at(3), None)]
    parts, out = fed(*segments(first, second, kind=ts.HEVC))
    assert units_of(parts) == expected(
        [stored(KEY), stored(TRAIL)], [stored(b"\x48\x01", KEY), stored(TRAIL)]
    )
    assert shown(out) == TIMES[:4]


def test_h265_units_that_no_reader_takes_for_one_are_left_out_and_told():
    pes = [(code(VPS, HSPS, HPPS, KEY), at(0), None), (code(b"\x02", TRAIL), at(1), None)]
    (part,), _ = fed(*segments(pes, kind=ts.HEVC))
    assert units_of([part]) == expected([stored(KEY), stored(TRAIL)])
    assert [(f.id, f.count) for f in part.findings] == [("DECODE", 1)]
