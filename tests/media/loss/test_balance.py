"""The identities of the account: every second that was promised, every byte that was carried."""

import numpy as np
import pytest
from msgspec.structs import replace

from pipeline.media.clock import BASE, HZ
from pipeline.media.es.access_units import Units
from pipeline.media.loss import balance
from pipeline.media.loss.account import AGAIN, aside, entries
from pipeline.media.loss.holes import Stretch, holes
from pipeline.media.slots.segments import Placed, Slot
from pipeline.media.stitch.stitcher import Stitcher
from pipeline.media.timeline.expected.span import Promise
from pipeline.media.timeline.plan import Plan, plan
from pipeline.media.track import Lane
from pipeline.media.ts.scan import scan
from pipeline.model import AccountEntry, Hole, TrackEvent
from tests import ts

S = 96_000  # ticks of a segment: 16 pictures, 50 frames of sound
SECONDS = round(S / HZ, 6)
PICTURE, FRAME = round(6000 / HZ, 6), round(1920 / HZ, 6)


def run(count: int = 5, **options: object) -> list[bytes]:
    """Segments of a writer whose counters go on."""
    counters: dict[int, int] = {}
    return [
        ts.segment(start=S * (n + 1), pictures=16, counters=counters, **options)
        for n in range(count)
    ]


def slots_of(datas: list[bytes | None], **more: object) -> list[Slot]:
    return [
        Slot(f"{n}.ts", d and scan(f"{n}.ts", np.frombuffer(d, np.uint8)), S / HZ, **more)
        for n, d in enumerate(datas)
    ]


def stretches_of(made: Plan, datas: list[bytes | None], lane: Lane) -> list[Stretch]:
    """The units of one lane in each segment, as they are stitched."""
    stitcher = Stitcher(made.lanes)
    found = []
    for placed in made.placed:
        data = np.frombuffer(bytearray(datas[placed.number] or b""), np.uint8)
        units = stitcher.add("", data, placed.stamps, placed.edges).units
        found.append(Stretch(placed.slot.name, units.get(lane.pid, NO_UNITS)))
    return found


NO_UNITS = Units(*(np.empty(0, np.int64) for _ in range(3)), 0, np.empty(0, np.intp))


def account(
    datas: list[bytes | None], kind: str = "video", slots: list[Slot] | None = None
) -> list[AccountEntry]:
    slots = slots or slots_of(datas)
    made = plan(slots)
    lane = next(lane for lane in made.lanes if lane.codec.kind == kind)
    stretches = stretches_of(made, datas, lane)
    promised = made.promised[lane.pid]
    inside = holes(lane, stretches, promised.silent)
    return entries(lane, made.placed, slots, stretches, inside, promised)


def off(entry: AccountEntry) -> float:
    """Seconds by which its time does not balance."""
    there = entry.delivered + entry.lost + entry.excepted + entry.unexplained
    return (entry.promised or 0.0) - there


@pytest.mark.parametrize("kind", ["video", "audio"])
def test_all_of_a_whole_recording_balances(kind):
    found = account(run(), kind)
    assert [e.delivered for e in found] == [pytest.approx(SECONDS, abs=1e-5)] * 5
    assert [e.payload == e.taken > 0 for e in found] == [True] * 5
    assert not any(e.short or e.witnesses or e.excepted for e in found)
    assert balance.loose_bytes(found) == 0


@pytest.mark.parametrize("kind", ["video", "audio"])
@pytest.mark.parametrize("gone", [0, 2, 4])
def test_a_slot_never_disappears(kind, gone):
    """What is missing is lost where it was promised, at both ends as well."""
    datas: list[bytes | None] = list(run())
    datas[gone] = None
    found = account(datas, kind)
    assert [e.slot for e in found] == [f"{n}.ts" for n in range(5)]
    assert [round(e.lost, 3) for e in found] == [1.067 if n == gone else 0.0 for n in range(5)]
    assert all(abs(off(e)) < 0.01 for e in found)
    assert found[gone].witnesses == (("EXTINF",) if gone in (0, 4) else ("EXTINF", "time stamps"))


def test_two_slots_that_are_gone_share_what_is_lost_as_they_promised_it():
    datas: list[bytes | None] = list(run())
    datas[1] = datas[2] = None
    found = account(datas)
    assert [round(e.lost, 3) for e in found] == [0, 1.067, 1.067, 0, 0]


def test_a_slot_without_its_end_is_short_itself():
    datas = run()
    cut = datas[1][: len(datas[1]) // 2 // 188 * 188]
    found = account([datas[0], cut, *datas[2:]])
    assert [e.lost > 0 for e in found] == [False, True, False, False, False]
    assert abs(off(found[1])) < 2 * PICTURE
    assert "EXTINF" in found[1].witnesses
    assert balance.loose_bytes(found) == 0


@pytest.mark.parametrize("at", [7, 20, 33, 46])
def test_bytes_that_no_unit_holds_are_dropped(at):
    datas = run(frames_per_pes=10)
    datas[2] = datas[2][: 188 * at] + datas[2][188 * (at + 1) :]
    for kind in ("video", "audio"):
        assert balance.loose_bytes(account(datas, kind)) == 0


def test_a_copy_stands_aside_and_its_own_promise_stays_open():
    slots = slots_of(run())
    slots[2] = replace(slots[2], scan=None, aside=slots[1].scan)
    datas = run()
    found = account(datas, slots=slots)
    assert (found[2].aside, found[2].dropped) == (found[1].payload, 0)
    assert found[2].lost == pytest.approx(SECONDS, abs=0.001)
    assert balance.loose_bytes(found) == 0


def test_what_is_listed_again_promises_nothing_again():
    datas = run(3)
    slots = slots_of([datas[0], datas[0], datas[1], datas[2]])
    slots[1] = replace(slots[1], name="0.ts")
    found = account([datas[0], datas[0], datas[1], datas[2]], slots=slots)
    assert (found[1].promised, found[1].reason) == (None, AGAIN)
    assert found[1].aside == found[1].payload == found[0].payload
    assert [e.promised for e in found].count(None) == 1
    assert not any(e.lost or e.unexplained for e in found)


def test_slots_that_are_listed_in_the_wrong_order_are_booked_where_they_were_put():
    """The first has no pictures."""
    counters: dict[int, int] = {}
    first = ts.segment(start=S, pictures=16, counters=counters, video=None)
    rest = [ts.segment(start=S * (n + 2), pictures=16, counters=counters) for n in range(3)]
    datas = [rest[0], first, *rest[1:]]
    slots = [replace(slot, utc=n) for slot, n in zip(slots_of(datas), (1, 0, 2, 3), strict=True)]
    found = account(datas, slots=slots)
    assert [e.slot for e in found] == ["1.ts", "0.ts", "2.ts", "3.ts"]
    assert [e.payload - e.taken for e in found] == [0] * 4
    assert not any(e.short for e in found)


def test_packets_that_no_pes_begins_in_are_dropped():
    datas = run()
    only = ts.packet(ts.VIDEO, bytes(184), 3)
    found = account([*datas, datas[0][:376] + only])
    assert (found[5].payload, found[5].dropped, found[5].short) == (184, 184, True)


def test_slots_that_another_one_holds_are_told_and_promise_nothing():
    (slot,) = slots_of(run(1))
    lane = plan([slot]).lanes[0]
    (entry,) = aside(lane, [replace(slot, scan=None, aside=slot.scan, needed=False)])
    assert (entry.promised, entry.payload, entry.aside) == (None, entry.aside, entry.payload)
    assert entry.payload > 0
    assert not entry.short


def bytes_of(**more: int) -> AccountEntry:
    return AccountEntry("0.ts", "video", 256, 1.0, 1.0, **more)


@pytest.mark.parametrize(
    ("more", "loose"),
    [
        pytest.param({"payload": 100, "taken": 100}, 0, id="all taken"),
        pytest.param({"payload": 100, "taken": 60, "dropped": 30, "aside": 10}, 0, id="named"),
        pytest.param({"payload": 100, "taken": 60, "dropped": 30}, 10, id="not all of it"),
        pytest.param({"payload": 100, "taken": 101}, -1, id="more than there was"),
    ],
)
def test_loose_bytes(more, loose):
    assert balance.loose_bytes([bytes_of(**more)]) == loose


@pytest.mark.parametrize(
    ("taken", "says"),
    [
        (90, "10 bytes of video are in no unit, and nothing says why"),
        (110, "10 bytes of video more than packets carried"),
    ],
)
def test_loose_bytes_are_said(taken, says):
    lane = plan(slots_of(run(1))).lanes[0]
    (found,) = balance.unbalanced(lane, [bytes_of(payload=100, taken=taken)])
    assert (found.id, found.pid, found.detail) == ("ES_BYTES", ts.VIDEO, says)
    assert not [*balance.unbalanced(lane, [bytes_of(payload=100, taken=100)])]


# On a time line made by hand: what nobody may pass over.

LANE = plan(slots_of(run(1))).lanes[0]
SOUND = plan(slots_of(run(1))).lanes[1]
HERE = Promise(0.0, 0.0)


def line(
    *spans: tuple[float, float] | None, lane: Lane = LANE, **more: object
) -> balance.TrackSlots:
    """Slots of 4 s of which units begin and end then; None holds none."""
    slots = [Slot(f"{n}.ts", None, 4.0) for n in range(len(spans))]
    placed = {n: Placed(slots[n], n, {}, n) for n, span in enumerate(spans) if span}
    known = {n: span for n, span in enumerate(spans) if span}
    made = balance.TrackSlots(lane, slots, placed, known, sorted(known), longest=0.1, counted=False)
    return replace(made, **more)


def present(on: balance.TrackSlots, *numbers: int) -> balance.TrackSlots:
    """The same where these slots are there, without a unit of the lane."""
    there = {n: Placed(on.slots[n], n, {}, n) for n in numbers}
    return replace(on, placed=on.placed | there)


def of(on: balance.TrackSlots) -> list[AccountEntry]:
    spans = [on.spans.get(n, (0.0, 0.0)) for n in range(len(on.slots))]
    return [
        AccountEntry(
            s.name, on.lane.codec.kind, on.lane.pid, 4.0, round(b - a, 6), units=int(b > a)
        )
        for s, (a, b) in zip(on.slots, spans, strict=True)
    ]


def explained(on: balance.TrackSlots, *held: Hole, **more: object) -> list[AccountEntry]:
    return balance.explained(on, of(on), held, more.pop("promised", HERE), more.pop("by", {}))


SHORT = (0.0, 4.0), (4.0, 6.0), (8.0, 12.0), (12.0, 16.0), (16.0, 20.0)  # 2 s are missing


def test_two_witnesses_say_that_something_is_missing():
    found = explained(line(*SHORT))
    assert [e.unexplained for e in found] == [0, 2.0, 0, 0, 0]
    assert found[1].short
    assert found[1].reason is None


def test_what_is_lost_is_not_missing_once_more():
    on = line(*SHORT)
    hole = Hole("video", 6.0, 2.0, "2.ts")
    (found,) = [e for e in balance.booked(on, of(on), [hole], (0, 0)) if e.lost]
    assert (found.slot, found.lost, found.closed) == ("1.ts", 2.0, 0.0)
    again = balance.explained(on, balance.booked(on, of(on), [hole], (0, 0)), [hole], HERE, {})
    assert not any(e.unexplained or e.excepted for e in again)


@pytest.mark.parametrize(
    ("hole", "reason"),
    [
        pytest.param(Hole("video", 6.0, 2.0, "2.ts"), balance.NO_GAP, id="all of the gap"),
        pytest.param(Hole("video", 6.0, 1.0, "2.ts"), None, id="half of it"),
        pytest.param(Hole("video", 6.0, 2.0, "3.ts"), None, id="in front of another one"),
        pytest.param(Hole("video", 8.0, 2.0, "2.ts"), None, id="inside the one behind"),
        pytest.param(Hole("video", 5.9, 2.0, "2.ts"), None, id="before the gap"),
    ],
)
def test_a_gap_that_is_a_hole_is_open_no_more(hole, reason):
    found = explained(line(*SHORT), hole)
    assert found[1].reason == reason
    open_ = 1.0 if hole.length == 1.0 else 2.0
    assert found[1].unexplained == (0.0 if reason else open_)


@pytest.mark.parametrize(
    ("silent", "seconds"),
    [
        pytest.param((6.0, 8.0), 0.0, id="all of the gap"),
        pytest.param((5.0, 9.0), 0.0, id="more than it"),
        pytest.param((5.0, 7.0), 1.0, id="its first half"),
        pytest.param((7.0, 9.0), 1.0, id="its second half"),
        pytest.param((2.0, 3.0), 2.0, id="before it"),
    ],
)
def test_silence_explains_as_much_as_it_lasts(silent, seconds):
    begin, end = (BASE + round(s * HZ) for s in silent)
    found = explained(line(*SHORT), promised=Promise(0.0, 0.0, silent=((begin, end),)))
    assert found[1].unexplained == seconds
    assert found[1].reason == (None if seconds else balance.NOT_SENT)


def test_a_hole_that_was_closed_is_booked_as_both():
    on = line((0.0, 4.0), (4.0, 6.0), (6.0, 10.0), (10.0, 14.0), (14.0, 18.0))
    hole = Hole("video", 6.0, 2.0, "2.ts", became="closed")
    found = balance.booked(on, of(on), [hole], (0, 0))
    assert [(e.lost, e.closed) for e in found][1:3] == [(2.0, 2.0), (0.0, 0.0)]


def test_a_hole_inside_a_slot_is_its_own():
    on = line((0.0, 4.0), (4.0, 8.0))
    found = balance.booked(on, of(on), [Hole("video", 5.0, 1.0, "1.ts")], (0, 0))
    assert [e.lost for e in found] == [0.0, 1.0]


def test_a_hole_inside_a_slot_is_its_own_also_behind_one_that_holds_nothing():
    on = line((0.0, 4.0), None, (8.0, 12.0))
    found = balance.booked(on, of(on), [Hole("video", 9.0, 1.0, "2.ts")], (0, 0))
    assert [e.lost for e in found] == [0.0, 0.0, 1.0]


def test_what_another_part_goes_on_with_is_no_longer_promised():
    on = line(*SHORT)
    here, until = on.placed[1], {on.lane.pid: BASE + 6 * HZ}
    here = replace(here, slot=replace(here.slot, part="bak0"), until=until)
    found = explained(replace(on, placed={**on.placed, 1: here}))
    assert (found[1].reason, found[1].excepted) == ("bak0 goes on with another part", 2.0)


def test_what_nobody_promised_stands_in_front_of_the_segment_behind():
    on = line((0.0, 4.0), (40.0, 44.0))
    found = balance.booked(on, of(on), [Hole("video", 4.0, 36.0, "1.ts")], (0, 0))
    assert [e.lost for e in found] == [0.0, 36.0]


def test_what_is_missing_at_both_ends_is_booked_first_where_nothing_is():
    """A segment without the stream is there, and the stream may not have been sent."""
    on = present(line(None, None, (8.0, 12.0), None, None), 1, 3)
    found = balance.booked(on, of(on), [], (5.0, 6.0))
    assert [e.lost for e in found] == [4.0, 1.0, 0.0, 2.0, 4.0]


def test_a_hole_is_booked_first_where_nothing_is():
    on = present(line((0.0, 4.0), None, None, (12.0, 16.0)), 2)
    found = balance.booked(on, of(on), [Hole("video", 4.0, 5.0, "3.ts")], (0, 0))
    assert [e.lost for e in found] == [0.0, 4.0, 1.0, 0.0]


def test_a_stream_that_begins_later_lost_only_what_is_gone():
    counters: dict[int, int] = {}
    kinds = [ts.AUDIO, None, None, ts.AUDIO, ts.AUDIO]
    options = {"pictures": 16, "counters": counters}
    datas = [ts.segment(start=S * n, audio=kind, **options) for n, kind in enumerate(kinds, 1)]
    slots = slots_of([None, *datas[1:]])
    slots[0] = replace(slots[0], events=(TrackEvent("audio", None),))
    found = account([None, *datas[1:]], "audio", slots)
    assert [e.lost for e in found] == [pytest.approx(SECONDS, abs=FRAME), 0, 0, 0, 0]
    assert [e.reason for e in found] == [None, balance.NOT_BEGUN, balance.NOT_BEGUN, None, None]
    assert [e.short for e in found] == [True, False, False, False, False]


def test_what_is_missing_at_both_ends_is_booked_from_within():
    on = line(None, None, (8.0, 12.0), None)
    found = balance.booked(on, of(on), [], (9.0, 3.0))
    assert [e.lost for e in found] == [4.0, 4.0, 1.0, 3.0]


@pytest.mark.parametrize(
    ("on", "more", "reason", "slot"),
    [
        pytest.param(line((0, 4), (4, 6), (6, 10)), {}, balance.NO_GAP, 1, id="the clock goes on"),
        pytest.param(line((0, 4), (4, 8), (8, 10)), {}, balance.NOTHING_FOLLOWS, 2, id="the last"),
        pytest.param(line(None, (4, 8), (8, 12)), {}, balance.NOT_BEGUN, 0, id="not begun"),
        pytest.param(line((0, 4), (4, 8), None), {}, balance.ENDED, 2, id="ended"),
        pytest.param(line(None, None), {}, balance.NOT_BEGUN, 1, id="nothing at all"),
        pytest.param(
            line(*SHORT),
            {"by": {"1.ts": "bak0 holds its time"}},
            "bak0 holds its time",
            1,
            id="part",
        ),
        pytest.param(
            line(*SHORT),
            {"promised": Promise(0.0, 0.0, silent=((BASE + 6 * HZ, BASE + 8 * HZ),))},
            balance.NOT_SENT,
            1,
            id="silent",
        ),
        pytest.param(line(*SHORT, longest=4 / 3), {}, balance.STAYS, 1, id="just so long"),
        pytest.param(line(*SHORT, longest=1.4), {}, balance.STAYS, 1, id="pictures that pause"),
    ],
)
def test_named_exceptions(on, more, reason, slot):
    found = explained(on, **more)
    assert found[slot].reason == reason
    assert found[slot].excepted == pytest.approx(4.0 - found[slot].delivered)
    assert not any(e.unexplained or e.short for e in found)


@pytest.mark.parametrize(
    "on",
    [
        pytest.param(line(*SHORT, longest=1.3), id="pictures never paused for so long"),
        pytest.param(line(*SHORT, lane=SOUND, longest=9.0), id="sound does not pause"),
    ],
)
def test_what_is_no_exception(on):
    assert explained(on)[1].unexplained == 2.0


@pytest.mark.parametrize(("number", "missing"), [(2, False), (3, True), (1, True)])
def test_a_counter_that_goes_on(number, missing):
    """Between neighbours; and not for chance, one time in sixteen."""
    datas = run(6)
    on = line(*SHORT, counted=True)
    real = plan(slots_of(datas)).placed
    placed = {n: replace(real[n], position=n) for n in range(5)}
    placed[2] = real[number]
    found = explained(replace(on, placed=placed))
    assert bool(found[1].unexplained) is missing
    assert explained(replace(on, placed=placed, counted=False))[1].unexplained == 2.0


@pytest.mark.parametrize(("between", "missing"), [("2.ts", 2.0), ("1.ts", 0.0), ("0.ts", 0.0)])
def test_a_counter_says_nothing_of_segments_that_are_apart(between, missing):
    """What is listed again does not part them."""
    real = plan(slots_of(run(3))).placed
    on = line((0.0, 4.0), (4.0, 6.0), None, (20.0, 24.0), (24.0, 28.0), counted=True)
    on.slots[2] = replace(on.slots[2], name=between)
    places = {0: real[0], 1: real[1], 3: real[2], 4: real[0]}
    placed = {n: replace(p, slot=replace(p.slot, name=f"{n}.ts")) for n, p in places.items()}
    assert explained(replace(on, placed=placed))[1].unexplained == missing


@pytest.mark.parametrize(
    ("promised", "delivered", "most"),
    [
        pytest.param([4.0, 4.0], [4.0, 4.0], 0.6, id="EXTINF in whole seconds"),
        pytest.param([4.1, 4.0], [4.1, 4.0], 0.2, id="three units"),
        pytest.param([4.1, 4.1, 4.1], [4.0, 3.9, 1.0], 0.4, id="twice what is usual"),
    ],
)
def test_allowed(promised, delivered, most):
    found = [
        AccountEntry("", "video", 256, p, d, units=1)
        for p, d in zip(promised, delivered, strict=True)
    ]
    assert balance.allowed(LANE, found) == pytest.approx(most)


def test_a_tenth_of_a_second_is_allowed_to_sound():
    assert balance.allowed(SOUND, [AccountEntry("", "audio", 257, 4.1, 4.1, units=1)]) == 0.1


@pytest.mark.parametrize(
    ("more", "entry", "who"),
    [
        pytest.param({}, {"lost": 1.0}, ("EXTINF", "time stamps"), id="EXTINF and the clock"),
        pytest.param({"utc": (0, 4, 8, 12, 16)}, {"lost": 2.0}, None, id="the names as well"),
        pytest.param({}, {"packets": 1}, ("EXTINF", "time stamps", "counters"), id="counters"),
        pytest.param({}, {"cut": 1}, ("EXTINF", "time stamps", "units"), id="units"),
        pytest.param({}, {"dropped": 1}, ("EXTINF", "time stamps", "units"), id="dropped bytes"),
    ],
)
def test_who_says_so(more, entry, who):
    on = line(*SHORT)
    if "utc" in more:
        slots = [replace(s, utc=t) for s, t in zip(on.slots, more["utc"], strict=True)]
        on, who = replace(on, slots=slots), ("EXTINF", "slice names", "time stamps")
    given = of(on)
    given[1] = replace(given[1], **entry)
    found = balance.witnessed(on, given)
    assert [e.witnesses for e in found] == [(), who, (), (), ()]


@pytest.mark.parametrize(("later", "says"), [(0.2, False), (0.3, True)])
def test_names_stray_by_a_quarter_of_a_second(later, says):
    on = line((0.0, 4.0), (4.0, 8.0), (8.0, 12.0))
    slots = [replace(s, utc=4.0 * n + later * (n > 0)) for n, s in enumerate(on.slots)]
    given = [replace(e, promised=4.001, cut=1) for e in of(on)]  # not in whole seconds
    found = balance.witnessed(replace(on, slots=slots), given)
    assert ("slice names" in found[0].witnesses) is says


def test_names_of_another_part_or_none_say_nothing():
    on = line((0.0, 4.0), (4.0, 8.0))
    for other in (replace(on.slots[1], utc=90.0, part="bak0"), on.slots[1]):
        here = replace(on, slots=[replace(on.slots[0], utc=0.0), other])
        (first, _) = balance.witnessed(here, [replace(of(on)[0], cut=1), of(on)[1]])
        assert first.witnesses == ("units",)


def test_a_start_is_a_witness_of_what_it_is_of():
    on = line((0.0, 4.0), (4.0, 8.0))
    start = TrackEvent("video", 1.0)
    slots = [replace(s, events=(start,)) for s in on.slots]
    found = balance.witnessed(replace(on, slots=slots), [replace(e, cut=1) for e in of(on)])
    assert [e.witnesses for e in found] == [("units",), ("units", "START")]


# What one segment delivered.


def delivered(units: dict[str, object], until: int | None = None, lost: int = 0) -> AccountEntry:
    """The account of one segment, whose units have these figures besides."""
    datas = run(1)
    slots = slots_of(datas)
    made = plan(slots)
    lane = made.lanes[0]
    (stretch,) = stretches_of(made, datas, lane)
    (segment,) = made.placed
    assert segment.slot.scan is not None
    stream = replace(segment.stream(lane.pid), lost=lost)
    streams = {**segment.slot.scan.streams, lane.pid: stream}
    segment = replace(
        segment,
        slot=replace(segment.slot, scan=replace(segment.slot.scan, streams=streams)),
        missing={lane.pid: 2},
        until={lane.pid: until} if until else {},
    )
    there = Stretch(stretch.segment, replace(stretch.units, **units))
    return entries(lane, [segment], slots, [there], [], made.promised[lane.pid])[0]


@pytest.mark.parametrize(
    ("units", "dropped", "aside"),
    [
        pytest.param({"dropped": 5}, 5, 0, id="dropped"),
        pytest.param({"spared": 7, "dropped": 5}, 5, 7, id="and another part's"),
        pytest.param({"spared": 7, "dropped": 5, "unfinished": True}, 0, 12, id="a beginning"),
    ],
)
def test_where_the_bytes_go_that_are_in_no_unit(units, dropped, aside):
    found = delivered(units)
    assert (found.dropped, found.aside) == (dropped, aside)


@pytest.mark.parametrize(("until", "packets"), [(None, 5), (BASE + 9000, 2)])
def test_packets_are_missing_in_front_and_inside(until, packets):
    """Not inside, where another part takes over: it may be behind the cut."""
    assert delivered({}, until, lost=3).packets == packets


def test_what_came_out_of_a_segment():
    found = delivered({"cut": 1})
    assert (found.units, found.cut, found.delivered) == (16, 1, SECONDS)
    assert found.bytes == found.payload  # four bytes of each start code, or of each length


def test_a_hole_at_the_very_beginning_of_a_slot_is_in_front_of_it():
    datas = run(2)
    slots = slots_of(datas)
    made = plan(slots)
    stretches = stretches_of(made, datas, made.lanes[0])
    hole = Hole("video", SECONDS, 0.5, "1.ts", became="closed")
    found = entries(made.lanes[0], made.placed, slots, stretches, [hole], made.promised[ts.VIDEO])
    assert [e.delivered for e in found] == [SECONDS, pytest.approx(SECONDS, abs=1e-5)]


def test_a_stream_without_one_stamp_is_dropped():
    slots = slots_of(run())
    scan_ = slots[4].scan
    assert scan_ is not None
    blind = replace(scan_.streams[ts.VIDEO], dts=np.full(16, -1), pts=np.full(16, -1))
    slots[4] = replace(slots[4], scan=replace(scan_, streams={**scan_.streams, ts.VIDEO: blind}))
    made = plan(slots)
    lane = made.lanes[0]
    stretches = [Stretch(p.slot.name, NO_UNITS) for p in made.placed]
    found = entries(lane, made.placed, slots, stretches, [], made.promised[ts.VIDEO])
    assert (found[4].dropped, found[4].aside) == (found[4].payload, 0)


@pytest.mark.parametrize("unusable", [True, False])
def test_what_cannot_be_used_is_dropped_wherever_its_slot_stands(unusable):
    """By the time stamps of the others nothing is missing there."""
    datas = run(4)
    slots = slots_of([datas[0], datas[1], datas[3], datas[2]])
    aside = slots[2].scan
    slots[2] = replace(slots[2], scan=None, aside=aside, unusable=unusable)
    made = plan(slots)
    lane = made.lanes[0]
    stretches = stretches_of(made, [datas[0], datas[1], None, datas[2]], lane)
    promised = made.promised[lane.pid]
    rows = entries(lane, made.placed, slots, stretches, holes(lane, stretches), promised)
    assert rows[2].payload == (rows[2].dropped if unusable else rows[2].aside) > 0
    assert rows[2].short is unusable
