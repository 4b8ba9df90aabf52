"""The plan: where every segment belongs in time, whatever its clock says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.choices import OnLoss
from pipeline.media.clock import BASE
from pipeline.media.slots.segments import Slot
from pipeline.media.timeline.plan import Plan, plan
from pipeline.media.ts.scan import scan
from pipeline.model import Severity
from tests import ts
from tests.media.identity_builder import shifted

S = 96_000  # ticks of a segment: 16 pictures, 50 frames of sound
SECONDS = S / 90_000
CLOCK = 1 << 33
INFO, WARNING, ERROR, FATAL = Severity


def slot(n: int, data: bytes | None, **options: object) -> Slot:
    found = None if data is None else scan(f"{n}.ts", np.frombuffer(data, np.uint8))
    return Slot(f"{n}.ts", found, **{"duration": SECONDS, **options})


def planned(
    starts: list[int | None],
    *,
    utcs: list[float] | None = None,
    tagged: int | None = None,
    on_loss: OnLoss = OnLoss.HOLD,
    **options: object,
) -> Plan:
    """Segments of one writer that begin at these ticks; None is one that is gone."""
    counters: dict[int, int] = {}
    slots = []
    for n, start in enumerate(starts):
        data = None
        if start is not None:
            data = ts.segment(start=start, pictures=16, counters=counters, **options)
        utc = None if utcs is None else SECONDS * utcs[n]
        slots.append(slot(n, data, utc=utc, discontinuity=n == tagged))
    return plan(slots, on_loss)


def begins(made: Plan, pid: int = ts.VIDEO) -> list[int]:
    """Ticks from the beginning to each segment's first decoding time."""
    return [placed.first(pid) - BASE for placed in made.placed]


def said(made: Plan) -> list[tuple[str, Severity, str | None, int | None]]:
    return [(f.id, f.severity, f.segment, f.pid) for f in made.findings]


def gap(segment: str, severity: Severity = ERROR) -> list[tuple[str, Severity, str, int]]:
    return [("DTS_GAP", severity, segment, pid) for pid in (ts.VIDEO, ts.AUDIO)]


BACK = ("DTS_BACK", WARNING, "2.ts", None)
ONE_RUN = [0, S, 2 * S, 3 * S]


@pytest.mark.parametrize(
    ("starts", "options", "new", "findings"),
    [
        pytest.param([S, 2 * S, 3 * S, 4 * S], {}, ONE_RUN, [], id="one clock"),
        pytest.param([0, S, 2 * S, 3 * S], {}, ONE_RUN, [], id="from zero on"),
        pytest.param([CLOCK - 2 * S, CLOCK - S, 0, S], {}, ONE_RUN, [], id="33-bit wrap"),
        pytest.param(
            [CLOCK - S - 6000, CLOCK - 6000, S - 6000, 2 * S - 6000],
            {},
            ONE_RUN,
            [],
            id="33-bit wrap inside a segment",
        ),
        pytest.param(
            [CLOCK - 1, S - 1, 2 * S - 1, 3 * S - 1],
            {},
            ONE_RUN,
            [],
            id="33-bit wrap behind the first picture, in front of the first sound",
        ),
        pytest.param([50 * S, 51 * S, S, 2 * S], {}, ONE_RUN, [BACK], id="the clock restarts"),
        pytest.param(
            [50 * S, 51 * S, S, 2 * S],
            {"tagged": 2},
            ONE_RUN,
            [("DTS_BACK", INFO, "2.ts", None)],
            id="restarts as announced",
        ),
        pytest.param(
            [CLOCK - 2 * S, CLOCK - S, CLOCK - 9 * S, CLOCK - 8 * S],
            {},
            ONE_RUN,
            [BACK],
            id="restarts near the end of the clock",
        ),
        pytest.param(
            [50 * S, 51 * S, S, 2 * S],
            {"utcs": [0, 1, 6, 7]},
            [0, S, 6 * S, 7 * S],
            [BACK, *gap("2.ts")],
            id="restarts and the names tell when",
        ),
        pytest.param(
            [50 * S, 51 * S, S, 2 * S],
            {"utcs": [0, 1, 2.5, 3.5]},
            ONE_RUN,
            [BACK],
            id="restarts and the names are nearly right",
        ),
        pytest.param(
            [9 * S, 10 * S, 11 * S - 48_000, 12 * S - 48_000], {}, ONE_RUN, [BACK], id="overlap"
        ),
        pytest.param(
            [S, 2 * S, 5 * S, 6 * S],
            {},
            ONE_RUN,
            [("DTS_GAP", WARNING, "2.ts", None)],
            id="a step of the clock that counters and EXTINF know nothing of",
        ),
        pytest.param(
            [S, 2 * S, 5 * S, 6 * S],
            {"utcs": [0, 1, 4, 5]},
            [0, S, 4 * S, 5 * S],
            gap("2.ts"),
            id="a gap, the names agree",
        ),
        pytest.param(
            [S, 2 * S, 5 * S, 6 * S],
            {"utcs": [0, 1, 2, 3]},
            ONE_RUN,
            [("DTS_GAP", WARNING, "2.ts", None)],
            id="a gap, the names know of none",
        ),
        pytest.param(
            [S, 2 * S, 5 * S, 6 * S],
            {"utcs": [0, 1, 2, 3], "tagged": 2},
            ONE_RUN,
            [("DTS_GAP", INFO, "2.ts", None)],
            id="a tagged step, the names know of none",
        ),
        pytest.param(
            [S, 2 * S, 3 * S + 54_000, 4 * S + 54_000],
            {"utcs": [0, 1, 2, 3], "tagged": 2},
            ONE_RUN,
            [("DTS_GAP", INFO, "2.ts", None)],
            id="a tagged step of less than a second, the names know of none",
        ),
        pytest.param(
            [S, 2 * S, 90 * S, 91 * S],
            {"utcs": [0, 1, 6, 7], "tagged": 2},
            [0, S, 6 * S, 7 * S],
            [("DTS_GAP", INFO, "2.ts", None), *gap("2.ts")],
            id="a tagged step, the names tell how long",
        ),
        pytest.param(
            [S, 2 * S, 5 * S, 6 * S],
            {"tagged": 2},
            ONE_RUN,
            [("DTS_GAP", INFO, "2.ts", None)],
            id="a tagged step without names",
        ),
        pytest.param(
            [S, 2 * S, 3 * S + 36_000, 4 * S + 36_000],
            {},
            [0, S, 2 * S + 36_000, 3 * S + 36_000],
            [],
            id="0.4 s are no gap",
        ),
        pytest.param(
            [S, 2 * S, 5 * S, 6 * S],
            {"utcs": [0, 1, 4, 5], "on_loss": OnLoss.CLOSE},
            ONE_RUN,
            gap("2.ts"),
            id="a gap that is closed",
        ),
        pytest.param([S, 2 * S, None, 4 * S], {}, [0, S, 3 * S], [], id="one is gone"),
        pytest.param(
            [S, 2 * S, None, 4 * S],
            {"on_loss": OnLoss.CLOSE},
            [0, S, 2 * S],
            [],
            id="one is gone and its place closed",
        ),
        pytest.param(
            [8 * S, 9 * S, None, S],
            {},
            [0, S, 3 * S],
            [("DTS_BACK", WARNING, "3.ts", None)],
            id="one is gone and the clock restarts",
        ),
    ],
)
def test_offsets(starts, options, new, findings):
    made = planned(starts, **options)
    assert begins(made) == new
    assert sorted(said(made)) == sorted(findings)
    assert not made.rejected


@pytest.mark.parametrize(
    ("step", "gone"),
    [
        pytest.param(0.48, False, id="less than half a slot"),
        pytest.param(1, True, id="one slot"),
        pytest.param(2.2, True, id="nearly two"),
        pytest.param(2.5, False, id="two and a half"),
    ],
)
def test_one_counter_that_goes_on_says_nothing_of_a_gap_as_long_as_slots(step, gone):
    """By chance it goes on one time in sixteen."""
    starts = [S, 2 * S, 3 * S + round(step * S), 4 * S + round(step * S)]
    made = planned([*starts, 5 * S + round(step * S)], video=None)
    found = [("DTS_GAP", Severity.ERROR if gone else WARNING, "2.ts", ts.AUDIO if gone else None)]
    assert said(made) == found


def test_sound_that_overlaps_by_less_than_its_last_pes():
    """Four frames of ten: the last stamp lies before the next segment, the last frame does not."""
    four = 4 * ts.FRAME
    starts = [S, 2 * S, 3 * S - four, 4 * S - four]
    made = planned(starts, video=None, frames_per_pes=10)
    assert (begins(made, ts.AUDIO), said(made)) == (ONE_RUN, [BACK])


@pytest.mark.parametrize("frames", [1, 2])
def test_pictures_that_make_room_for_sound_are_not_missing(frames):
    """An encoder that restarted puts its first frames of sound before its first picture."""
    early = frames * ts.FRAME
    slots = [slot(n, ts.segment(start=(n + 1) * S, pictures=16)) for n in range(4)]
    made = plan([*slots[:2], *(sooner(one, ts.AUDIO, early) for one in slots[2:])])
    assert begins(made, ts.VIDEO) == [0, S, 2 * S + early, 3 * S + early]
    assert begins(made, ts.AUDIO) == ONE_RUN
    assert said(made) == [BACK]


def test_pictures_that_make_room_for_much_sound_after_a_restart():
    """As an encoder may hold it back whose pictures wait for one another."""
    early = 4 * ts.FRAME
    datas = [ts.segment(start=at, pictures=16) for at in (50 * S, 51 * S, S, 2 * S)]
    slots = [slot(n, data) for n, data in enumerate(datas)]
    made = plan([*slots[:2], *(sooner(one, ts.AUDIO, early) for one in slots[2:])])
    assert begins(made, ts.VIDEO) == [0, S, 2 * S + early, 3 * S + early]
    assert begins(made, ts.AUDIO) == ONE_RUN
    assert said(made) == [BACK]


@pytest.mark.parametrize("where", ["in front", "behind"])
def test_pictures_that_are_missing_at_a_restart_make_no_room(where):
    """Sound goes on up to the seam and from there on; pictures do not."""
    datas = [ts.segment(start=at, pictures=16) for at in (50 * S, 51 * S, S, 2 * S)]
    if where == "in front":
        rest = ts.headless(datas[1], 12)
        gone = {p for p in split(rest) if pid_of(p) == ts.VIDEO}
        datas[1] = b"".join(p for p in split(datas[1]) if p not in gone)
    else:
        datas[2] = ts.headless(datas[2], 4)
    made = plan([slot(n, data) for n, data in enumerate(datas)])
    assert ("DTS_GAP", ERROR) in {(id, severity) for id, severity, *_ in said(made)}
    assert ts.VIDEO in made.placed[2].torn


@pytest.mark.parametrize("waits", [(0, 12_000), (12_000, 0)], ids=["longer", "shorter"])
def test_pictures_that_wait_otherwise_while_the_clock_goes_on(waits):
    """No clock goes back where they are decoded earlier, and nothing is missing where later."""
    delays = [waits[0], waits[0], waits[1], waits[1]]
    datas = [
        ts.segment(start=S * (n + 1) - delay, pictures=16, delay=delay, audio=None)
        for n, delay in enumerate(delays)
    ]
    made = plan([slot(n, data) for n, data in enumerate(datas)])
    assert [p.presented(ts.VIDEO)[0] - BASE for p in made.placed] == ONE_RUN
    assert begins(made) == [at - 12_000 for at in ONE_RUN]
    assert said(made) == []


def split(data: bytes) -> list[bytes]:
    return [data[at : at + ts.PACKET] for at in range(0, len(data), ts.PACKET)]


def pid_of(packet: bytes) -> int:
    return (packet[1] & 0x1F) << 8 | packet[2]


def sooner(one: Slot, pid: int, ticks: int) -> Slot:
    """A slot in which one stream is earlier."""
    stream = one.scan.streams[pid]
    moved = replace(stream, pts=stream.pts - ticks, dts=stream.dts - ticks)
    return replace(one, scan=replace(one.scan, streams={**one.scan.streams, pid: moved}))


def test_every_stamp_moves_by_the_same_offset():
    made = planned([50 * S, 51 * S, S, 2 * S], delay=12_000)
    for n, placed in enumerate(made.placed):
        pts, dts = placed.stamps[ts.VIDEO]
        start = BASE + n * S  # where the first sound is heard
        assert dts.tolist() == [start + 6000 * k for k in range(16)]
        assert pts.tolist() == [start + 6000 * k + 12_000 for k in range(16)]
        pts, dts = placed.stamps[ts.AUDIO]
        assert dts.tolist() == pts.tolist() == [start + 4 * 1920 * k for k in range(13)]


def test_the_first_presentation_is_at_base():
    made = planned([7 * S, 8 * S], delay=3000, audio=None)
    assert begins(made) == [-3000, S - 3000]
    made = planned([7 * S, 8 * S], delay=3000)  # sound is heard when the first picture is decoded
    assert begins(made) == begins(made, ts.AUDIO) == [0, S]


def test_after_a_restart_sound_and_picture_keep_their_distance():
    slots = [
        slot(0, ts.segment(start=50 * S, pictures=16)),
        slot(1, ts.segment(start=S + 600, pictures=16)),  # sound 1320 ticks behind the picture
    ]
    made = plan(slots)
    assert begins(made) == [0, S]
    assert begins(made, ts.AUDIO) == [0, S + 1320]


def test_after_a_restart_nothing_overlaps():
    slots = [
        slot(0, ts.segment(start=50 * S + 600, pictures=16)),  # sound ends 1320 ticks later
        slot(1, ts.segment(start=S, pictures=16)),
    ]
    made = plan(slots)
    assert begins(made) == [0, S + 1320]
    assert begins(made, ts.AUDIO) == [1320, S + 1320]


@pytest.mark.parametrize("on_loss", [OnLoss.HOLD, OnLoss.CLOSE])
def test_what_is_closed_is_counted(on_loss):
    made = planned([S, 2 * S, 5 * S, None, 7 * S], utcs=[0, 1, 4, 5, 6], on_loss=on_loss)
    closed = 3 * S if on_loss is OnLoss.CLOSE else 0
    taken = {pid: sum(c.ticks for c in p.closed) for pid, p in made.promised.items()}
    assert taken == {
        ts.VIDEO: closed,
        ts.AUDIO: closed,
    }
    assert [sorted(placed.torn) for placed in made.placed] == [[], [], [256, 257], [256, 257]]


@pytest.mark.parametrize(
    "utcs", [pytest.param(None, id="by clock"), pytest.param([0, 2, 1, 3], id="by names")]
)
def test_segments_keep_their_files_when_put_in_order(utcs):
    counters: dict[int, int] = {}
    datas = {n: ts.segment(start=S * (n + 1), pictures=16, counters=counters) for n in range(4)}
    order = [0, 2, 1, 3]
    slots = [
        slot(k, datas[n], utc=None if utcs is None else SECONDS * utcs[k])
        for k, n in enumerate(order)
    ]
    made = plan(slots)
    assert begins(made) == ONE_RUN
    assert [(p.slot.name, p.number, p.position) for p in made.placed] == [
        ("0.ts", 0, 0),
        ("2.ts", 2, 1),
        ("1.ts", 1, 2),
        ("3.ts", 3, 3),
    ]
    assert [(f.id, f.count) for f in made.findings] == [("PL_ORDER", 2)]
    assert not any(placed.torn for placed in made.placed)


def test_a_plan_may_be_longer_than_one_clock_can_count():
    starts = [S, *range(CLOCK // 2 - 2 * S, 5 * (CLOCK // 2), CLOCK // 2 - 2 * S)]
    utcs = [start / S for start in starts]  # else counters and EXTINF would know of no time
    made = planned(starts[:4], utcs=utcs)
    assert not made.rejected
    assert made.placed[-1].first(ts.VIDEO) - made.placed[0].first(ts.VIDEO) == starts[3] - starts[0]


@pytest.mark.parametrize(
    "slots",
    [
        pytest.param([], id="nothing"),
        pytest.param([slot(0, None)], id="nothing under the name"),
        pytest.param([slot(0, b"")], id="0 bytes"),
        pytest.param([slot(0, b"<html>" * 99)], id="no transport stream"),
    ],
)
def test_nothing_to_plan(slots):
    made = plan(slots)
    assert made.rejected
    assert (made.lanes, made.placed, made.findings) == ((), (), ())


def test_a_plan_is_a_value():
    starts = [50 * S, 51 * S, S, None, 3 * S]
    one, two = planned(starts), planned(starts)
    assert (one.lanes, one.findings, one.promised) == (two.lanes, two.findings, two.promised)
    assert begins(one) == begins(two)


def test_streams_on_two_clocks_are_rejected():
    far = (CLOCK // 2 + 9 * S) % CLOCK
    one, other = (
        ts.segment(start=at, pictures=16, video=pid) for at, pid in ((S, 256), (far, None))
    )
    tables = ts.segment(start=S, pictures=0)
    mixed = tables + other[2 * 188 :] + one[2 * 188 :]
    made = plan([slot(0, mixed)])
    assert made.rejected
    assert ("DTS_BACK", FATAL, "0.ts", None) in said(made)


@settings(max_examples=40)
@given(
    wrap=st.integers(-3 * S, 3 * S),
    gone=st.sets(st.integers(0, 7), max_size=6),
    restart=st.none() | st.tuples(st.integers(1, 7), st.integers(1, 40)),
    utcs=st.booleans(),
)
def test_every_survivor_keeps_its_place(wrap, gone, restart, utcs):
    """Whatever is missing, wherever the clock wraps or restarts: nothing moves, nothing twice."""
    at, to = restart or (8, 0)
    first = 100 * S if restart else CLOCK + wrap
    clocks = [(first if n < at else to * S) + n * S for n in range(8)]
    starts = [None if n in gone else clock % CLOCK for n, clock in enumerate(clocks)]
    made = planned(starts, utcs=list(range(8)) if utcs else None)
    left = [n for n in range(8) if n not in gone]
    assert [placed.number for placed in made.placed] == left
    if restart and not utcs and gone & {at - 1, at}:
        return  # nobody can know how long the hole around a restart is
    assert begins(made) == [(n - left[0]) * S for n in left]
    assert all((dts >= 0).all() for placed in made.placed for _, dts in placed.stamps.values())
    assert not made.rejected


@settings(max_examples=30)
@given(order=st.permutations(range(6)), twice=st.sets(st.integers(0, 5)))
def test_any_order_and_copies_come_out_as_one_row(order, twice):
    counters: dict[int, int] = {}
    datas = [ts.segment(start=(n + 1) * S, pictures=16, counters=counters) for n in range(6)]
    listed = [n for n in order for _ in range(1 + (n in twice))]
    made = plan([slot(n, datas[n]) for n in listed])
    assert begins(made) == [*ONE_RUN, 4 * S, 5 * S]
    assert [placed.slot.name for placed in made.placed] == [f"{n}.ts" for n in range(6)]
    assert not made.rejected


def without_stamps(data: bytes, pid: int) -> bytes:
    """PES of one stream that carry no time."""
    out = bytearray(data)
    for at in range(0, len(data), 188):
        begin = at + (5 + data[at + 4] if data[at + 3] & 0x20 else 4)
        if (data[at + 1] & 31) << 8 | data[at + 2] == pid and data[at + 1] & 0x40:
            out[begin + 7] &= 0x3F
    return bytes(out)


def test_a_stream_without_one_time_stamp_is_no_loss_of_the_source():
    """It is there and cannot be placed: nothing is made of it rather than an MP4 without sound."""
    made = plan([slot(0, without_stamps(ts.segment(), ts.AUDIO))])
    assert made.rejected
    assert said(made) == [("ES_ABSENT", FATAL, None, ts.AUDIO)]


def test_a_stream_of_which_no_unit_is_whole_is_lost():
    data = ts.segment(audio=None)
    unit = ts.pes(0xC0, ts.adts_frame(ts.silence(300)), ts.START)
    data += ts.packets(ts.AUDIO, unit, 0)[0]
    tables = ts.table_packets(0, ts.pat())
    tables += ts.table_packets(ts.PMT, ts.pmt({ts.VIDEO: ts.H264, ts.AUDIO: ts.AAC}))
    made = plan([slot(0, b"".join(tables) + data[376:])])
    assert [lane.pid for lane in made.lanes] == [ts.VIDEO]
    assert ("ES_ABSENT", ERROR, None, ts.AUDIO) in said(made)


def test_a_stream_that_comes_after_half_the_range_of_the_clock():
    """It is placed beside the others, not half a range before them."""
    hours = 3600 * 90_000
    alone = [ts.segment(start=n * hours, pictures=16, audio=None) for n in (0, 10)]
    both = ts.segment(start=20 * hours, pictures=16)
    behind = plan([slot(n, data) for n, data in enumerate([*alone, both])]).placed[2]
    assert behind.first(ts.VIDEO) - BASE == 20 * hours
    assert abs(behind.first(ts.AUDIO) - behind.first(ts.VIDEO)) < ts.FRAME


@pytest.mark.parametrize("gone", [0, 3])
def test_what_is_missing_and_listed_twice_is_missing_once(gone):
    counters: dict[int, int] = {}
    datas = [
        ts.segment(start=90_000 * (n + 1), audio=None, counters=counters) if n != gone else None
        for n in range(4)
    ]
    slots = [
        Slot(f"{n}.ts", data and scan(f"{n}.ts", np.frombuffer(data, np.uint8)), 1.0)
        for n, data in enumerate(datas)
    ]
    listed = [*slots[: gone + 1], slots[gone], *slots[gone + 1 :]]
    once, twice = plan(slots).promised[ts.VIDEO], plan(listed).promised[ts.VIDEO]
    assert (once.begin, once.end) == (twice.begin, twice.end)
    assert once.end - once.begin == pytest.approx(4 * 90_000, abs=3000)


def test_all_pictures_are_decoded_so_early_that_none_is_shown_before():
    """As a movie has it with composition offsets below 0."""
    datas = [ts.segment(start=S * (n + 1), pictures=16, delay=0 if n else -9000) for n in range(3)]
    made = plan([slot(n, data) for n, data in enumerate(datas)])
    assert said(made) == [("DTS_LATE", Severity.INFO, "0.ts", ts.VIDEO)]
    for segment in made.placed:
        pts, dts = segment.stamps[ts.VIDEO]
        assert set((pts - dts).tolist()) == {0 if segment.number == 0 else 9000}


def test_a_slice_of_tables_that_promises_no_time_has_no_place():
    """Nobody speaks before and behind it, and every counter goes on over it."""
    counters: dict[int, int] = {}
    kinds = [ts.AUDIO, None, None, ts.AUDIO]
    datas = [
        ts.segment(start=S * n, pictures=16, audio=kind, counters=counters)
        for n, kind in enumerate(kinds, 1)
    ]
    slots = [slot(n, data) for n, data in enumerate(datas)]
    tables = b"".join(ts.table_packets(0, ts.pat()))
    slots.insert(2, slot(9, tables, duration=None, discontinuity=True))
    made = plan(slots)
    assert [placed.slot.name for placed in made.placed] == ["0.ts", "1.ts", "2.ts", "3.ts"]
    assert [placed.position for placed in made.placed] == [0, 1, 2, 3]
    assert [placed.number for placed in made.placed] == [0, 1, 3, 4]
    assert [placed.torn for placed in made.placed] == [set()] * 4
    # what was announced in front of it is announced of the next one
    assert [placed.slot.discontinuity for placed in made.placed] == [False, False, True, False]


def test_a_slice_of_tables_where_media_was_promised_is_a_hole():
    counters: dict[int, int] = {}
    datas = [ts.segment(start=S * n, pictures=16, counters=counters) for n in (1, 2, 4)]
    slots = [slot(n, data) for n, data in enumerate(datas)]
    slots.insert(2, slot(9, b"".join(ts.table_packets(0, ts.pat()))))
    made = plan(slots)
    assert made.placed[2].torn == {ts.VIDEO, ts.AUDIO}
    assert len(made.slots) == 4


def test_names_behind_a_declared_jump_of_the_clock_say_nothing_of_what_is_in_front_of_it():
    """The slice in front of it has lost its first pictures, and is not named after what is left."""
    starts = [0, S, 2 * S + 630_000, 3 * S + 630_000]
    datas = [ts.segment(start=start, pictures=16, audio=None) for start in starts]
    datas[1] = ts.headless(datas[1], 8)
    slots = [slot(n, data, utc=1e9 + SECONDS * n) for n, data in enumerate(datas)]
    slots[2] = replace(slots[2], discontinuity=True)
    assert begins(plan(slots)) == [0, S + 48_000, 2 * S, 3 * S]


def test_a_slice_that_lost_its_end_is_still_named_after_its_beginning():
    """The names' clock steps beside what is gone; the next slice lost its first sound."""
    counters: dict[int, int] = {}
    datas: list[bytes | None] = [
        ts.segment(start=S * n, pictures=16, video=None, counters=counters) for n in range(6)
    ]
    rows = [[d[at : at + 188] for at in range(0, len(d), 188)] for d in datas if d]
    datas[1] = None
    datas[2] = b"".join(rows[2][:-1])
    datas[3] = b"".join(rows[3][:2] + rows[3][8:])
    utcs = [1e9 + SECONDS * n + (60 if n > 1 else 0) for n in range(6)]
    made = plan([slot(n, data, utc=utcs[n]) for n, data in enumerate(datas)])
    assert begins(made, ts.AUDIO)[-1] == pytest.approx(5 * S, abs=ts.FRAME)


@pytest.mark.parametrize("lost", [True, False])
def test_a_step_of_the_clock_is_time_where_the_segment_behind_it_lacks_as_much(lost):
    """A counter that goes on, by chance or because nothing is missing, does not tell."""
    counters: dict[int, int] = {}
    datas = [ts.segment(start=S * n, pictures=16, audio=None, counters=counters) for n in range(5)]
    if lost:
        datas[3] = ts.headless(datas[3], 9)
    scans = [slot(n, data) for n, data in enumerate(datas)]
    if lost:
        counter = scans[2].scan.streams[ts.VIDEO].counters[1] + 1 & 15
        stream = scans[3].scan.streams[ts.VIDEO]
        changed = replace(stream, counters=(counter, stream.counters[1]))
        found = replace(scans[3].scan, streams={ts.VIDEO: changed})
        scans[3] = replace(scans[3], scan=found)
    made = plan(scans)
    assert begins(made) == [0, S, 2 * S, 3 * S + 9 * 6000 * lost, 4 * S]


def test_names_that_step_beside_what_is_gone_and_what_lost_its_end():
    """The clock tells of both: what EXTINF says of the one, and what the other lacks of its own."""
    counters: dict[int, int] = {}
    datas: list[bytes | None] = [
        ts.segment(start=2 * S * n, pictures=32, audio=None, counters=counters) for n in range(5)
    ]
    datas[2] = (datas[2] or b"")[: 188 * 9 + 137]
    datas[3] = None
    utcs = [1e9 + 2 * SECONDS * n + (3600 if n > 3 else 0) for n in range(5)]
    slots = [slot(n, d, utc=utcs[n], duration=2 * SECONDS) for n, d in enumerate(datas)]
    assert begins(plan(slots))[-1] == 8 * S


def test_names_behind_a_clock_that_begins_again_tell_nothing_of_what_lost_its_beginning():
    """Nobody announces that it does: the two slices behind are on another clock."""
    starts = [0, S, 2 * S, -9 * S, -8 * S]
    datas = [ts.segment(start=10 * S + start, pictures=16, audio=None) for start in starts]
    datas[2] = ts.headless(datas[2], 10)
    slots = [slot(n, data, utc=1e9 + n * SECONDS) for n, data in enumerate(datas)]
    made = plan(slots)
    assert begins(made) == pytest.approx([0, S, 2 * S + 60_000, 3 * S, 4 * S], abs=1)


@pytest.mark.parametrize(("lost", "ticks"), [(10, 60_000), (2, 0)])
def test_in_front_of_a_clock_that_begins_anew_extinf_tells_what_the_last_segment_lacks(lost, ticks):
    """No name tells the time; by less than half a second EXTINF may be off."""
    starts = [0, S, 2 * S + 5_400_000, 3 * S + 5_400_000]
    datas = [
        ts.segment(start=start, pictures=16 - lost if n == 1 else 16, audio=None)
        for n, start in enumerate(starts)
    ]
    slots = [slot(n, data, discontinuity=n == 2) for n, data in enumerate(datas)]
    made = plan(slots)
    behind = made.placed[2].first(ts.VIDEO) - made.placed[1].end(made.lanes[0])
    assert behind == pytest.approx(ticks, abs=1)
    assert (ts.VIDEO in made.placed[2].torn) is bool(ticks)


@pytest.mark.parametrize(
    ("off", "rounded", "ticks"),
    [
        pytest.param(0.0, False, 12_000, id="it is right elsewhere"),
        pytest.param(0.002, False, 0, id="nearly"),
        pytest.param(0.0, True, 0, id="in whole seconds"),
    ],
)
def test_less_than_half_a_second_is_believed_where_extinf_is_right(off, rounded, ticks):
    """Pictures that come at equal distance lack two in front of the restart."""
    starts = [0, S, 2 * S, 5_400_000, S + 5_400_000, 2 * S + 5_400_000]
    datas = [
        ts.segment(start=start, pictures=14 if n == 2 else 16, audio=None)
        for n, start in enumerate(starts)
    ]
    promised = [SECONDS + off if n == 1 else SECONDS for n in range(6)]
    slots = [
        replace(slot(n, data, discontinuity=n == 3, duration=promised[n]), rounded=rounded)
        for n, data in enumerate(datas)
    ]
    made = plan(slots)
    behind = made.placed[3].first(ts.VIDEO) - made.placed[2].end(made.lanes[0])
    assert behind == pytest.approx(ticks, abs=1)
    assert (ts.VIDEO in made.placed[3].torn) is bool(ticks)


def test_an_exact_extinf_adds_nothing_where_sound_leaves_no_room():
    """Sound begins a picture earlier in every segment: behind it the pictures are in their place,
    though those before the restart end two pictures early.
    """
    starts = [0, S, 2 * S, 5_400_000, S + 5_400_000, 2 * S + 5_400_000]
    datas = [ts.segment(start=start + S, pictures=16) for start in starts]
    slots = [slot(n, data, discontinuity=n == 3) for n, data in enumerate(datas)]
    slots = [shifted(each, ts.AUDIO, -6000) for each in slots]
    scan = slots[2].scan
    video = scan.streams[ts.VIDEO]
    fewer = replace(video, pts=video.pts[:-2], dts=video.dts[:-2])
    slots[2] = replace(slots[2], scan=replace(scan, streams={**scan.streams, ts.VIDEO: fewer}))
    made = plan(slots)
    assert np.diff(begins(made)) == pytest.approx(S, abs=ts.FRAME // 2)


def test_a_plan_ends_with_the_lanes_it_holds():
    """Of the first segments alone, in which a stream of the others has not begun."""
    counters: dict[int, int] = {}
    datas = [ts.segment(start=S * (n + 1), counters=counters, audio=None) for n in range(2)]
    made = plan([slot(0, datas[0]), slot(1, ts.segment(start=S * 2, counters=counters))])
    assert len(made.lanes) == 2
    first = replace(made, placed=made.placed[:1])
    assert first.end == first.placed[0].end(made.lanes[0])
