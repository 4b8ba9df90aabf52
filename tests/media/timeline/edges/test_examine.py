"""What is missing between segments that have their place, and what only seems to be."""

import numpy as np
import pytest
from msgspec.structs import replace

from pipeline.media.es.codecs import AAC, H264
from pipeline.media.loss.account import entries
from pipeline.media.slots.segments import Placed, Slot
from pipeline.media.slots.stamps import Stamps
from pipeline.media.timeline.edges.examine import examine
from pipeline.media.timeline.edges.stream_gaps import came_back
from pipeline.media.timeline.plan import Plan, plan
from pipeline.media.track import Lane
from pipeline.media.ts.pes import stuffed
from pipeline.media.ts.scan import Stream
from pipeline.model import Finding, Severity, TrackEvent
from tests import ts
from tests.media.loss.test_balance import holes, run, slots_of, stretches_of
from tests.media.slots_builder import SECONDS, UTC, S

VIDEO, AUDIO = Lane(ts.VIDEO, H264, b"", 6000.0), Lane(ts.AUDIO, AAC, b"", 1920.0)


def interrupted(
    *,
    starts: str = "audio",
    at: float = 0.0,
    counter: int = 0,
    gaps: str = "audio",
    pause: int = 20 * 1920,
) -> tuple[list[bytes], list[Slot]]:
    """Five segments; between the second and the third some streams pause, by default sound for as
    long as 16 packets might fill.  The names tell no more than the clock.
    """
    counters: dict[int, int] = {}
    datas = []
    for n in range(5):
        if n == 2:
            counters = {pid: (count + counter) & 15 for pid, count in counters.items()}
        datas.append(ts.segment(start=S * (n + 1), pictures=16, counters=counters))
    slots = []
    for n, slot in enumerate(slots_of(datas)):
        scan = slot.scan
        assert scan is not None
        away = {
            pid: pause if n > 1 and s.codec is not None and s.codec.kind in gaps else 0
            for pid, s in scan.streams.items()
        }
        streams = {
            pid: replace(s, pts=s.pts + away[pid], dts=s.dts + away[pid])
            for pid, s in scan.streams.items()
        }
        utc = UTC + n * SECONDS + (pause / 90_000 if n > 1 and "video" in gaps else 0)
        first = pause / 90_000 if gaps == "audio" else 0.0
        told = tuple(TrackEvent(kind, utc + first + at) for kind in starts.split())
        here = replace(slot, scan=replace(scan, streams=streams), utc=utc)
        slots.append(replace(here, discontinuity=n == 2, events=told if n == 2 else ()))
    return datas, slots


def lost(datas: list[bytes], slots: list[Slot]) -> dict[str, float]:
    """Seconds by track, as the account has it."""
    made = plan(slots)
    found = {}
    for lane in made.lanes:
        stretches = stretches_of(made, datas, lane)
        promised = made.promised[lane.pid]
        inside = holes(lane, stretches, promised.silent)
        rows = entries(lane, made.placed, slots, stretches, inside, promised)
        found[lane.codec.kind] = round(sum(row.lost + row.unexplained for row in rows), 1)
    return found


def said(made: Plan) -> list[tuple[str, Severity, str | None, int | None]]:
    return [(f.id, f.severity, f.segment, f.pid) for f in made.findings]


LOST = {"video": 0.0, "audio": 0.4}
NOTHING = {"video": 0.0, "audio": 0.0}


def test_a_start_explains_that_nothing_was_sent():
    datas, slots = interrupted()
    assert lost(datas, slots) == NOTHING
    made = plan(slots)
    detail = (
        "0.427 s without audio: it was interrupted, as the playlist says (START), and no packet"
    )
    found = [f for f in made.findings if f.id == "ES_START"]
    assert [(f.severity, f.segment, f.pid) for f in found] == [(Severity.INFO, "2.ts", ts.AUDIO)]
    assert found[0].detail == f"{detail} of it is missing"
    assert not any(f.severity is Severity.ERROR for f in made.findings)
    before, segment = made.placed[1:3]
    assert segment.silent == {
        ts.AUDIO: ((round(before.end(made.lanes[1])), segment.first(ts.AUDIO)),)
    }


def test_without_a_start_the_counter_alone_cannot_tell():
    assert lost(*interrupted(starts="")) == LOST


def test_what_counters_say_is_missing_stays_lost_whatever_a_start_says():
    datas, slots = interrupted(counter=1)
    assert lost(datas, slots) == LOST
    assert not any(id == "ES_START" for id, *_ in said(plan(slots)))


def test_a_start_tells_of_its_own_track_alone():
    assert lost(*interrupted(starts="video")) == LOST


@pytest.mark.parametrize(
    ("at", "found"), [(0.9, NOTHING), (1.1, LOST), (-0.9, NOTHING), (-1.1, LOST)]
)
def test_a_start_tells_of_its_own_time_alone(at, found):
    assert lost(*interrupted(at=at)) == found


@pytest.mark.parametrize("number", [1, 2])
def test_a_start_does_not_explain_what_extinf_promised(number):
    """Two seconds of a slice beside it were promised, and are not there."""
    datas, slots = interrupted()
    slots[number] = replace(slots[number], duration=SECONDS + 2)
    assert lost(datas, slots)["audio"] >= 0.4


def test_where_all_streams_were_interrupted_the_recorder_was():
    """Agora calls that lost media, and says when it went on."""
    datas, slots = interrupted(starts="video audio", gaps="video audio", pause=900_000)
    assert lost(datas, slots) == {"video": 10.0, "audio": 10.0}
    (found,) = [f for f in plan(slots).findings if f.pid == ts.VIDEO]
    assert (found.id, found.severity, found.segment) == ("DTS_GAP", Severity.ERROR, "2.ts")
    where = "10.000 s without video in front of this segment"
    assert found.detail == f"{where}, interrupted as the playlist says"


@pytest.mark.parametrize(
    ("utc", "time", "back"),
    [
        pytest.param(UTC, UTC, True, id="at the time of its name"),
        pytest.param(None, UTC, True, id="without a name"),
        pytest.param(UTC, None, False, id="at no time"),
        pytest.param(None, None, False, id="at no time, without a name"),
        pytest.param(UTC, UTC + 60, False, id="at another time"),
    ],
)
def test_came_back(utc, time, back):
    (slot,) = slots_of(run(1))
    (segment,) = plan([slot]).placed
    segment = replace(segment, slot=replace(slot, utc=utc, events=(TrackEvent("video", time),)))
    assert came_back(segment, VIDEO) is back
    assert not came_back(segment, AUDIO)


def test_a_stream_comes_back_later_than_its_slice_begins():
    data = ts.segment(start=S, pictures=16)
    (slot,) = slots_of([data])
    (segment,) = plan([slot]).placed
    segment = moved(segment, ts.VIDEO, 5 * 90_000)
    for time, back in ((UTC + 5, True), (UTC, False)):
        told = replace(slot, utc=UTC, events=(TrackEvent("video", time),))
        assert came_back(replace(segment, slot=told), VIDEO) is back


def test_pictures_that_a_start_tells_of_were_not_sent_in_whole_segments():
    """They pause from the edge of one segment to that of another: that alone would be a loss."""
    counts: dict[int, int] = {}
    datas = []
    for n in range(5):
        data = ts.segment(start=S * (n + 1), pictures=16)
        rows = [data[at : at + 188] for at in range(0, len(data), 188)]
        kept = []
        for row in rows:
            pid = (row[1] & 31) << 8 | row[2]
            if pid == ts.VIDEO and n == 2:
                continue
            counter = counts.get(pid, 0)
            counts[pid] = counter + 1 & 15
            kept.append(row[:3] + bytes((row[3] & 0xF0 | counter,)) + row[4:])
        datas.append(b"".join(kept))
    slots = slots_of(datas)
    assert lost(datas, slots)["video"] == 1.1
    slots[3] = replace(slots[3], events=(TrackEvent("video", UTC),))
    assert lost(datas, slots)["video"] == 0.0


@pytest.mark.parametrize(("earlier", "seconds"), [(False, 0.0), (True, SECONDS)])
def test_the_first_start_of_a_stream_says_that_there_was_none_before(earlier, seconds):
    """Behind a slice that is gone; with a START in front of that, it was in there."""
    datas: list[bytes | None] = list(run())
    counts: dict[int, int] = {}
    datas[0] = ts.segment(start=S, pictures=16, audio=None, counters=counts)
    datas[1] = None
    slots = slots_of(datas)
    slots[2] = replace(slots[2], events=(TrackEvent("audio", UTC),))
    if earlier:
        slots[1] = replace(slots[1], events=(TrackEvent("audio", UTC),))
    assert lost(datas, slots)["audio"] == pytest.approx(seconds, abs=0.1)


def segments(datas: list[bytes]) -> list[Placed]:
    return [
        Placed(s, n, {p: Stamps.of(x.pts, x.dts) for p, x in s.scan.streams.items()}, n)
        for n, s in enumerate(slots_of(datas))
    ]


def changed(segment: Placed, pid: int, **more: object) -> Placed:
    """One stream of a segment, scanned as something else."""
    stream: Stream = replace(segment.stream(pid), **more)
    scan = segment.slot.scan
    assert scan is not None
    streams = {**scan.streams, pid: stream}
    return replace(segment, slot=replace(segment.slot, scan=replace(scan, streams=streams)))


def examined(found: list[Placed], *, counters: bool = True) -> list[tuple]:
    slots = [segment.slot for segment in found]
    lanes = [VIDEO, AUDIO]
    found[:], made = examine(found, lanes, slots, counters=counters)
    return [(f.id, f.severity, f.segment, f.pid, f.detail) for f in made]


@pytest.mark.parametrize(
    ("counters", "missing", "counted"),
    [
        pytest.param((1, 0), 1, True, id="one packet"),
        pytest.param((0, 0), 0, False, id="the counter of a writer that restarts"),
        pytest.param((15, 0), 15, True, id="fifteen"),
    ],
)
def test_packets_that_a_counter_misses(counters, missing, counted):
    found = segments(run(3))[:2]
    last = found[0].stream(ts.VIDEO).counters[1]
    here = found[1].stream(ts.VIDEO)
    found[1] = changed(
        found[1], ts.VIDEO, counters=((last + 1 + counters[0]) & 15, here.counters[1])
    )
    made = examined(found, counters=counted)
    assert found[1].missing == ({ts.VIDEO: missing} if missing else {})
    assert (ts.VIDEO in found[1].torn) is bool(missing)
    if missing:
        assert made[0][:4] == ("CC_EDGE", Severity.ERROR, "1.ts", ts.VIDEO)
        assert made[0][4].endswith("packets are missing")


def test_a_pes_that_lacks_its_end_and_no_counter_tells():
    found = segments(run(3))[:2]
    found[0] = changed(found[0], ts.AUDIO, short=99)
    made = examined(found)
    assert made == [("PES_SIZE", Severity.ERROR, "0.ts", ts.AUDIO, "its last PES lacks 99 bytes")]
    assert found[1].missing == {ts.AUDIO: 16}
    assert found[1].torn == {ts.AUDIO}


@pytest.mark.parametrize(("head", "joined"), [(99, True), (98, False)])
def test_a_pes_goes_on_if_the_rest_of_it_is_what_it_lacks(head, joined):
    found = segments(run(3))[:2]
    found[0] = changed(found[0], ts.AUDIO, short=99)
    found[1] = changed(found[1], ts.AUDIO, head=head)
    made = examined(found)
    assert (found[0].joined == {ts.AUDIO}) is joined
    assert (not [m for m in made if m[0] == "PES_SIZE"]) is joined


@pytest.mark.parametrize(
    ("last", "whole", "joined"),
    [
        pytest.param(b"\x47\x01\x00\x10" + bytes(184), False, True, id="it ends in a full packet"),
        pytest.param(b"\x47\x01\x00\x10" + bytes(184), True, False, id="as long as it declares"),
        pytest.param(b"\x47\x01\x00\x30\x02\0\xff" + bytes(181), False, False, id="stuffed"),
    ],
)
def test_an_unbounded_pes_goes_on_in_any_rest(last, whole, joined):
    """A packet is stuffed, where nothing else has to be said, at the end of a PES alone."""
    found = segments(run(3))[:2]
    found[0] = changed(found[0], ts.VIDEO, filled=stuffed(last), whole=whole)
    found[1] = changed(found[1], ts.VIDEO, head=500)
    examined(found)
    assert found[0].joined == ({ts.VIDEO} if joined else set())
    assert (ts.VIDEO in found[1].torn) is not joined


@pytest.mark.parametrize(
    ("anew", "gap", "lacks", "joined"),
    [
        pytest.param(True, 2, False, False, id="by chance, where media is missing"),
        pytest.param(True, 0, False, True, id="nothing is missing"),
        pytest.param(True, 2, True, True, id="as long as what it lacks"),
        pytest.param(False, 2, False, True, id="of a writer that counts on"),
    ],
)
def test_a_counter_that_goes_on_by_chance_joins_nothing(anew, gap, lacks, joined):
    """A writer that begins anew counts on at one edge of sixteen."""
    found = []
    for n, segment in enumerate(segments([*run(), *run()][:6])):
        stamps = segment.stamps[ts.VIDEO]
        later = stamps.later(S * n - stamps.decoded[0] + (n > 3) * gap * 90_000)
        segment = replace(segment, stamps={ts.VIDEO: later})
        counters = (0, 6) if anew else (7 * n & 15, 7 * n + 6 & 15)
        found.append(changed(segment, ts.VIDEO, counters=counters, filled=False))
    found[3] = changed(found[3], ts.VIDEO, short=500 if lacks else 0)
    goes_on = found[3].stream(ts.VIDEO).counters[1] + 1 & 15
    last = found[4].stream(ts.VIDEO).counters[1]
    found[4] = changed(found[4], ts.VIDEO, counters=(goes_on, last), head=500)
    said = examined(found, counters=not anew)
    assert found[3].joined == ({ts.VIDEO} if joined else set())
    assert (ts.VIDEO in found[4].torn) is not joined
    told = [m[4] for m in said if m[0] == "CC_EDGE"]
    detail = "counter 7 after 6: packets are missing, and no other segment goes on like that"
    assert told == [detail] * (not joined)


def test_a_counter_may_begin_anew_where_it_says_so():
    found = segments(run(3))[:2]
    found[1] = changed(found[1], ts.VIDEO, counters=(9, 9), free_start=True)
    assert examined(found) == []
    assert found[1].torn == set()


def test_a_stream_that_ends_must_end_whole():
    found = segments(run(1))
    found[0] = changed(found[0], ts.AUDIO, short=7)
    made = examined(found)
    assert made == [("PES_SIZE", Severity.ERROR, "0.ts", ts.AUDIO, "its last PES lacks 7 bytes")]
    assert found[0].whole == {ts.VIDEO, ts.AUDIO}


def moved(segment: Placed, pid: int, ticks: int) -> Placed:
    return replace(segment, stamps={**segment.stamps, pid: segment.stamps[pid].later(ticks)})


def paused(found: list[Placed], **ticks: int) -> list[Placed]:
    """Pictures or sound come so much later from the fourth segment on."""
    for n, segment in enumerate(found[3:], 3):
        late = moved(segment, ts.VIDEO, ticks.get("video", 0))
        found[n] = moved(late, ts.AUDIO, ticks.get("audio", 0)) if ts.AUDIO in late.stamps else late
    return found


@pytest.mark.parametrize(
    ("ticks", "torn"),
    [
        pytest.param(5_700, False, id="nearly a unit behind the usual border"),
        pytest.param(18_001, True, id="three units"),
    ],
)
def test_a_gap_of_whole_units_where_no_counter_tells(ticks, torn):
    found = segments(run(6))
    paused(found, video=ticks)
    examined(found, counters=False)
    assert (ts.VIDEO in found[3].torn) is torn


@pytest.mark.parametrize(
    ("duration", "blamed", "where"),
    [
        pytest.param(SECONDS, "3.ts", "in front of", id="both as long as promised"),
        pytest.param(SECONDS + 1, "2.ts", "at the end of", id="the one before is short"),
    ],
)
def test_who_is_blamed_for_a_gap(duration, blamed, where):
    found = segments(run(6))
    found[2] = replace(found[2], slot=replace(found[2].slot, duration=duration))
    paused(found, video=90_000, audio=90_000)
    made = [m for m in examined(found, counters=False) if m[3] == ts.VIDEO]
    detail = f"1.000 s without video {where} this segment"
    assert made == [("DTS_GAP", Severity.ERROR, blamed, ts.VIDEO, detail)]


def test_names_that_know_of_no_gap_make_a_step_of_the_clock_none():
    found = segments(run(6))
    for n, segment in enumerate(found):
        found[n] = replace(segment, slot=replace(segment.slot, utc=UTC + n * SECONDS))
    paused(found, video=180_000, audio=180_000)
    made = examined(found, counters=False)
    assert {m[:3] for m in made} == {("DTS_GAP", Severity.WARNING, "3.ts")}
    assert found[3].torn == set()
    assert made[0][4] == "2.000 s by the clock, -0.000 s by the slice names"


def test_names_say_nothing_of_one_stream_while_another_goes_on():
    """Sound is missing at the end of a slice; its pictures go on into the next one."""
    found = segments(run(6))
    for n, segment in enumerate(found):
        found[n] = replace(segment, slot=replace(segment.slot, utc=UTC + n * SECONDS))
    pts, dts = found[2].stamps[ts.AUDIO]
    short = {**found[2].stamps, ts.AUDIO: Stamps.of(pts[:-4], dts[:-4])}
    found[2] = replace(found[2], stamps=short)
    made = examined(found, counters=False)
    assert [m[:4] for m in made] == [("DTS_GAP", Severity.ERROR, "3.ts", ts.AUDIO)]
    assert found[3].torn == {ts.AUDIO}


@pytest.mark.parametrize("short", [0.03, 0.04])
def test_extinf_excuses_no_gap_that_is_smaller_than_what_it_may_be_off(short):
    """Half a gap of two pictures, to which EXTINF is kept or not."""
    found = segments(run(6, audio=None))
    paused(found, video=6000)
    found[2] = replace(found[2], slot=replace(found[2].slot, duration=SECONDS + short))
    torn = [m[:3] for m in examined(found, counters=False)]
    assert torn == ([("DTS_GAP", Severity.ERROR, "3.ts")] if short > 6000 / 90_000 / 2 else [])


def test_streams_that_pause_together_for_as_long_as_promised_lose_nothing():
    """Each slice is as long as EXTINF says, and the gap is short."""
    found = segments(run(6))
    paused(found, video=30_000, audio=30_000)
    assert examined(found, counters=False) == []
    found = segments(run(6))
    paused(found, video=50_000, audio=50_000)  # a longer one does
    assert {m[:2] for m in examined(found, counters=False)} == {("DTS_GAP", Severity.ERROR)}


@pytest.mark.parametrize(("named", "torn"), [(0.9, False), (1.1, True)])
def test_names_that_know_of_a_second_make_a_step_of_the_clock_a_gap(named, torn):
    found = segments(run(6))
    for n, segment in enumerate(found):
        utc = UTC + n * SECONDS + (named if n > 2 else 0)
        found[n] = replace(segment, slot=replace(segment.slot, utc=utc))
    paused(found, video=360_000, audio=360_000)
    examined(found, counters=False)
    assert (found[3].torn == {ts.VIDEO, ts.AUDIO}) is torn


@pytest.mark.parametrize(("ticks", "torn"), [(2900, False), (4000, True)])
def test_beside_damage_half_a_unit_is_a_gap(ticks, torn):
    """The counter cannot show a loss of sixteen packets."""
    for hurt in (False, True):
        found = segments(run(6))
        scan = found[2].slot.scan
        assert scan is not None
        said = (Finding("CC", Severity.ERROR, "2.ts"),) if hurt else ()
        found[2] = replace(found[2], slot=replace(found[2].slot, scan=replace(scan, findings=said)))
        paused(found, video=ticks)
        examined(found, counters=False)
        assert (ts.VIDEO in found[3].torn) is (torn and hurt)


@pytest.mark.parametrize(("beside", "excused"), [(0, True), (45_000, True), (45_001, False)])
def test_a_start_needs_another_stream_that_goes_on(beside, excused):
    found = segments(run(6))
    for n, segment in enumerate(found):
        utc = UTC + n * SECONDS
        back = (TrackEvent("audio", None), TrackEvent("audio", utc + 1.0)) if n == 3 else ()
        found[n] = replace(segment, slot=replace(segment.slot, utc=utc, events=back))
    paused(found, video=beside, audio=90_000)
    examined(found)
    assert (ts.AUDIO in found[3].silent) is excused


@pytest.mark.parametrize(
    ("ticks", "counters", "cut", "torn"),
    [
        pytest.param(4000, True, True, False, id="less than a unit, and the counter goes on"),
        pytest.param(4000, False, False, True, id="no counter tells"),
        pytest.param(12_000, True, True, True, id="whole units"),
        pytest.param(12_000, True, False, False, id="whole units, and nothing is cut off"),
        pytest.param(12_000, False, False, True, id="nothing is cut off, no counter tells"),
    ],
)
def test_beside_damage_a_counter_that_goes_on_tells_of_a_pause(ticks, counters, cut, torn):
    """What is wrong stands behind the last packet, and the sound goes on."""
    found = segments(run(6))
    scan = found[2].slot.scan
    assert scan is not None
    said = (Finding("SYNC_BYTE", Severity.ERROR, "2.ts"),)
    found[2] = replace(
        found[2], slot=replace(found[2].slot, scan=replace(scan, findings=said, cut=cut))
    )
    paused(found, video=ticks)
    examined(found, counters=counters)
    assert (ts.VIDEO in found[3].torn) is torn


@pytest.mark.parametrize("broken", [(), (ts.VIDEO,), (ts.VIDEO, ts.AUDIO)])
def test_a_counter_that_breaks_tells_of_all_streams_that_pause_as_long(broken):
    """One of the others may go on by chance; without a break they paused together."""
    found = segments(run(6))
    paused(found, video=round(S), audio=round(S))
    for pid in broken:
        first, last = found[3].stream(pid).counters
        found[3] = changed(found[3], pid, counters=(first + 5 & 15, last))
    examined(found)
    assert found[3].torn == ({ts.VIDEO, ts.AUDIO} if broken else set())


@pytest.mark.parametrize(
    ("damage", "gone"),
    [
        pytest.param(lambda data: data + bytes(376), 0.0, id="behind the last packet"),
        pytest.param(lambda data: data + data[:100], 0.0, id="inside one more packet"),
        pytest.param(lambda data: bytes(376) + data[376:], 0.3, id="in front"),
    ],
)
def test_what_is_wrong_behind_a_segment_tells_nothing_of_what_is_missing_in_front(damage, gone):
    """Two segments of pictures that come as they like, as far apart as two of them often are."""
    steps = [6000, 36_000] * 8
    datas = [jagged(S, steps), damage(jagged(S + sum(steps), steps))]
    assert lost(datas, slots_of(datas)) == {"video": gone}


def jagged(start: int, steps: list[int]) -> bytes:
    """A segment of pictures with these ticks between them, and counters that restart."""
    times = start + np.cumsum([0, *steps[:-1]])
    tables = ts.table_packets(0, ts.pat()) + ts.table_packets(ts.PMT, ts.pmt({ts.VIDEO: ts.H264}))
    rows = []
    for n, time in enumerate(times.tolist()):
        es = ts.pes(0xE0, ts.access_unit(n), time)
        rows += ts.packets(ts.VIDEO, es, len(rows), pcr=time)
    return b"".join([*tables, *rows])
