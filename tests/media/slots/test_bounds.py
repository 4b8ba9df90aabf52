"""Which stamps of a segment are believed, before anything is read off them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.media.clock import BASE, HZ
from pipeline.media.slots import bounds
from pipeline.media.slots.bounds import believed
from pipeline.media.slots.segments import Slot
from pipeline.media.timeline.plan import Plan
from pipeline.media.timeline.plan import plan as planned
from pipeline.media.track import Lane
from pipeline.media.ts.scan import scan
from pipeline.model import Finding, Severity
from tests import ts

S = 96_000  # ticks of a segment: 16 pictures, 50 frames of sound
SECONDS = S / 90_000
BOTH = {ts.VIDEO, ts.AUDIO}
INFO, WARNING, ERROR, FATAL = Severity


def slot(n: int, data: bytes) -> Slot:
    return Slot(f"{n}.ts", scan(f"{n}.ts", np.frombuffer(data, np.uint8)), SECONDS)


def plan(slots: list[Slot]) -> tuple[Plan, list[Finding]]:
    sure, findings = believed(slots)
    made = planned(sure)
    assert not made.findings
    assert believed(sure) == (sure, [])
    return made, findings


def said(findings: list[Finding]) -> list[tuple[str, Severity, str | None, int | None]]:
    return [(f.id, f.severity, f.segment, f.pid) for f in findings]


def begins(made: Plan, pid: int = ts.VIDEO) -> list[int]:
    """Ticks from the beginning to each segment's first decoding time."""
    return [placed.first(pid) - BASE for placed in made.placed]


def restamped(data: bytes, place: int, dts: int) -> bytes:
    """A segment whose picture number ``place`` is stamped ``dts``."""
    out = bytearray(data)
    heads = [at for at in range(0, len(out), 188) if out[at + 1] == 0x41 and out[at + 2] == 0]
    begin = out.index(b"\0\0\1\xe0", heads[place])
    out[begin + 9 : begin + 14] = ts.stamp(dts, 2)
    return bytes(out)


def test_one_wrong_stamp_is_mended():
    slots = [slot(n, ts.segment(start=S * (n + 1), pictures=16)) for n in range(3)]
    slots[1] = slot(1, restamped(ts.segment(start=2 * S, pictures=16), 5, 77 * S))
    made, findings = plan(slots)
    assert begins(made) == [0, S, 2 * S]
    assert made.placed[1].stamps[ts.VIDEO][1].tolist() == [BASE + S + 6000 * k for k in range(16)]
    finding = findings[0]
    assert said(findings) == [("DTS_BACK", ERROR, "1.ts", ts.VIDEO)]
    assert (finding.count, finding.repair) == (1, "derived from their neighbours")


def sound_restamped(data: bytes, pts: int) -> bytes:
    """A segment whose first PES of sound is stamped so."""
    out = bytearray(data)
    begin = out.index(b"\0\0\1\xc0")
    out[begin + 9 : begin + 14] = ts.stamp(pts, 2)
    return bytes(out)


@pytest.mark.parametrize("ticks", [-8192, 5000, -40_000])
def test_a_first_stamp_of_sound_that_alone_is_wrong(ticks):
    """Sound goes on where it ended, and the next PES says so too."""
    datas = [ts.segment(start=S * (n + 40), pictures=16) for n in range(3)]
    datas[1] = sound_restamped(datas[1], S * 41 + ticks)
    made, findings = plan([slot(n, data) for n, data in enumerate(datas)])
    assert said(findings) == [("PTS_RANGE", WARNING, "1.ts", ts.AUDIO)]
    assert begins(made, ts.AUDIO) == [0, S, 2 * S]


def test_a_first_stamp_of_all_sound_is_told_by_the_next_ones():
    """Nothing stands in front of it that could tell."""
    datas = [ts.segment(start=S * (n + 40), pictures=16, video=None) for n in range(3)]
    datas[0] = sound_restamped(datas[0], S * 40 + 20 * 1920)
    made, findings = plan([slot(n, data) for n, data in enumerate(datas)])
    assert said(findings) == [("DTS_BACK", ERROR, "0.ts", ts.AUDIO)]
    assert begins(made, ts.AUDIO) == [0, S, 2 * S]


def test_sound_that_begins_late_in_a_segment_does_not_go_on_where_it_ended():
    datas = [ts.segment(start=S * (n + 40), pictures=16) for n in range(2)]
    late = ts.segment(start=S * 42 + 8192, pictures=16, video=None)
    slots = [slot(n, data) for n, data in enumerate([*datas, late])]
    assert believed(slots)[1] == []
    assert believed([*slots[:2], slot(2, ts.segment(start=S * 42 - 8192))])[1] == []


def test_two_pictures_with_one_stamp_lose_nothing():
    slots = [slot(n, ts.segment(start=S * (n + 1), pictures=16)) for n in range(3)]
    slots[1] = slot(1, restamped(ts.segment(start=2 * S, pictures=16), 5, 2 * S + 4 * 6000))
    made, findings = plan(slots)
    assert said(findings) == [("DTS_BACK", WARNING, "1.ts", ts.VIDEO)]
    dts = made.placed[1].stamps[ts.VIDEO][1]
    assert (np.diff(dts) > 0).all()


@pytest.mark.parametrize(("others", "severity"), [(1, FATAL), (2, ERROR)])
def test_a_clock_that_restarts_inside_a_segment(others, severity):
    """It is left out if most segments are others, else nothing is made."""
    inside = ts.segment(start=50 * S, pictures=16) + ts.segment(start=S, pictures=16)
    clean = [ts.segment(start=(47 + n) * S, pictures=16) for n in range(others)]
    kept, findings = believed([slot(n, data) for n, data in enumerate([inside, *clean])])
    assert [f[:3] for f in said(findings)] == [("DTS_BACK", severity, "0.ts")] * 2
    assert [one.scan is None for one in kept] == [severity is ERROR, *[False] * others]
    assert [one.unusable for one in kept] == [severity is ERROR, *[False] * others]


def test_a_first_stamp_of_zero_is_told_by_the_next_ones():
    datas = [ts.segment(start=S * (n + 40), pictures=16) for n in range(3)]
    datas[1] = restamped(datas[1], 0, 0)
    made, findings = plan([slot(n, data) for n, data in enumerate(datas)])
    assert said(findings) == [("PTS_ZERO", Severity.WARNING, "1.ts", ts.VIDEO)]
    assert made.placed[1].stamps[ts.VIDEO][1].tolist() == [BASE + S + 6000 * k for k in range(16)]


def test_of_two_pictures_with_one_stamp_the_second_gets_one_of_its_own():
    data = restamped(ts.segment(start=S, pictures=16), 5, S + 6000 * 4)
    made, findings = plan([slot(0, data)])
    assert said(findings) == [("DTS_BACK", Severity.WARNING, "0.ts", ts.VIDEO)]
    assert made.placed[0].stamps[ts.VIDEO][1].tolist() == [BASE + 6000 * k for k in range(16)]


@pytest.mark.parametrize("wrong", [0, (1 << 32) + 5])
def test_a_first_picture_is_set_where_extinf_puts_it(wrong):
    """Pictures come irregularly: the next one alone does not tell how long before it."""
    datas = [ts.segment(start=S * (n + 40), pictures=16, audio=None) for n in range(3)]
    last = datas[1]
    starts = [n for n in range(0, len(last), 188) if last[n + 1] & 0x41 == 0x41]
    gap = b"".join(
        last[n : n + 188]
        for n in range(0, len(last), 188)
        if not starts[1] <= n < starts[3] and not starts[8] <= n < starts[10]
    )
    datas[1] = restamped(gap, 0, wrong)
    made, _ = plan([slot(n, data) for n, data in enumerate(datas)])
    assert made.placed[1].first(ts.VIDEO) == BASE + S


@pytest.mark.parametrize(
    ("bit", "there"),
    [
        pytest.param(32, True, id="half the clock away"),
        pytest.param(23, True, id="a minute and a half"),
        pytest.param(21, False, id="near enough to be a still picture"),
    ],
)
def test_the_only_stamp_of_a_stream_lies_far_from_the_others_by_one_bit(bit, there):
    data = ts.segment(start=2 * S, pictures=16)
    video = [n for n, p in enumerate(packets(data)) if (p[1] & 31) << 8 | p[2] == ts.VIDEO]
    second = [n for n in video if packets(data)[n][1] & 0x40][1]
    one = [p for n, p in enumerate(packets(data)) if n not in video or n < second]
    flipped = 2 * S ^ 1 << bit
    made, findings = believed([slot(0, restamped(b"".join(one), 0, flipped))])
    stream = made[0].scan.streams[ts.VIDEO]
    assert [*stream.pts, *stream.dts] == [2 * S if there else flipped] * 2
    assert said(findings) == ([("PTS_RANGE", WARNING, "0.ts", ts.VIDEO)] if there else [])


def packets(data: bytes) -> list[bytes]:
    return [data[at : at + 188] for at in range(0, len(data), 188)]


@pytest.mark.parametrize(("others", "severity"), [(1, FATAL), (2, ERROR)])
def test_streams_that_share_no_clock(others, severity):
    """Of one segment the stream is kept that lies near the others; of half of them none."""
    slots = [slot(n, ts.segment(start=S * (n + 1), pictures=16)) for n in range(others + 1)]
    scan = slots[1].scan
    stream = scan.streams[ts.VIDEO]
    away = stream.dts + 5000 * 90_000
    slots[1] = replace(
        slots[1],
        scan=replace(scan, streams={**scan.streams, ts.VIDEO: replace(stream, pts=away, dts=away)}),
    )
    made = planned(slots)
    assert ("DTS_BACK", severity, "1.ts", None) in said([*made.findings])
    assert bool(made.rejected) is (severity is FATAL)
    assert made.rejected or [{*p.stamps} for p in made.placed] == [BOTH, {ts.AUDIO}, BOTH]


@given(
    count=st.integers(2, 40),
    step=st.integers(1, 2 * HZ),
    begin=st.integers(0, 2**33 - 1),
    wait=st.integers(-3 * HZ, 7 * HZ),
    jitter=st.lists(st.integers(-1, 1), min_size=40, max_size=40),
    pid=st.sampled_from([ts.VIDEO, ts.AUDIO]),
)
@settings(max_examples=300, deadline=None)
def test_what_is_in_order_is_what_the_careful_look_leaves_as_it_is(
    count: int, step: int, begin: int, wait: int, jitter: list[int], pid: int
) -> None:
    given_slot = slot(0, ts.segment(start=S, pictures=16))
    assert given_slot.scan is not None
    stream = given_slot.scan.streams[pid]
    uneven = np.array(jitter[:count]) if pid == ts.AUDIO else 0
    dts = (begin + step * np.arange(count) + uneven) % 2**33
    pts = dts if pid == ts.AUDIO else (dts + wait) % 2**33
    stream = replace(stream, pts=pts, dts=dts, held=None)
    assert stream.codec is not None
    lane = Lane(pid, stream.codec, stream.config or b"", stream.unit)
    if bounds._is_in_order(stream, lane):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(bounds, "_is_in_order", lambda *_: False)
            same_pts, same_dts, said = bounds._of_stream(given_slot, lane, stream, None)
        assert (same_pts is stream.pts, same_dts is stream.dts, said) == (True, True, [])


def test_what_is_out_of_order_or_uneven_is_looked_at_with_care():
    stream = slot(0, ts.segment(start=S, pictures=16)).scan.streams[ts.VIDEO]  # type: ignore[union-attr]
    assert stream.codec is not None
    lane = Lane(ts.VIDEO, stream.codec, b"", 6000.0)
    asked = bounds._is_in_order
    assert asked(stream, lane)
    shown, decoded = stream.pts.copy(), stream.dts.copy()
    shown[3] += 1
    decoded[4] += 1
    assert not asked(replace(stream, pts=shown), lane)
    assert not asked(replace(stream, pts=decoded, dts=decoded), lane)
    assert not asked(replace(stream, dts=np.where(decoded == decoded[5], -1, decoded)), lane)
    assert not asked(replace(stream, pts=decoded[::-1].copy(), dts=decoded[::-1].copy()), lane)
    assert not asked(replace(stream, pts=decoded[:1], dts=decoded[:1]), lane)


@pytest.mark.parametrize("last", [0, -1, 90_001])
def test_sound_whose_stamps_repeat_or_leap_is_looked_at_with_care(last: int) -> None:
    scanned = slot(0, ts.segment(start=S, pictures=16)).scan
    assert scanned is not None
    stream = scanned.streams[ts.AUDIO]
    assert stream.codec is not None
    lane = Lane(ts.AUDIO, stream.codec, stream.config or b"", stream.unit)
    stamps = S + np.array([0, 1920, 3840, 3840 + last])
    assert not bounds._is_in_order(replace(stream, pts=stamps, dts=stamps), lane)
