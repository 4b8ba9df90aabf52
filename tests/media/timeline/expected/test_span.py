"""What is missing at both ends, by what the playlist promised."""

import numpy as np
import pytest
from msgspec.structs import replace

from pipeline.media.clock import BASE
from pipeline.media.slots.segments import Slot
from pipeline.media.timeline.expected.span import Promise, promises
from pipeline.media.timeline.plan import Plan, plan
from pipeline.media.ts.scan import scan
from pipeline.model import Finding, Severity, TrackEvent
from tests import ts

S = 96_000  # ticks of a segment: 16 pictures, 50 frames of sound
SECONDS = S / 90_000


def run(count: int = 4, first: int = 16, last: int = 16, **options: object) -> list[bytes]:
    """Segments of one writer, the first without its beginning, the last without its end."""
    counters: dict[int, int] = {}
    made = []
    for n in range(count):
        pictures = first if n == 0 else last if n == count - 1 else 16
        start = S * (n + 1) + (16 - first) * 6000 * (n == 0)
        data = ts.segment(start=start, pictures=pictures, counters=counters, **options)
        made.append(data)
    return made


def slots_of(datas: list[bytes | None], durations: list[float | None] | None = None) -> list[Slot]:
    durations = durations or [SECONDS] * len(datas)
    return [
        Slot(
            f"{n}.ts",
            None if data is None else scan(f"{n}.ts", np.frombuffer(data, np.uint8)),
            duration,
        )
        for n, (data, duration) in enumerate(zip(datas, durations, strict=True))
    ]


def promised(
    datas: list[bytes | None], durations: list[float | None] | None = None
) -> tuple[Plan, dict[int, tuple[int, int, bool, bool]], list[Finding]]:
    """Begin and end of every lane in ticks from the beginning, and whether they are missing."""
    slots = slots_of(datas, durations)
    made = plan(slots)
    found, findings = promises(made.placed, made.lanes, slots)
    return (
        made,
        {
            pid: (round(p.begin - BASE), round(p.end - BASE), p.late, p.early)
            for pid, p in found.items()
        },
        findings,
    )


def both(*promise: object) -> dict[int, tuple[object, ...]]:
    return {ts.VIDEO: promise, ts.AUDIO: promise}


@pytest.mark.parametrize(
    ("datas", "durations", "found"),
    [
        pytest.param(run(), None, both(0, 4 * S, False, False), id="as promised"),
        pytest.param(run(1), None, both(0, S, False, False), id="one segment"),
        pytest.param(run(), [None] * 4, both(0, 4 * S, False, False), id="no EXTINF"),
        pytest.param([None, *run(3)], None, both(-S, 3 * S, True, False), id="the first is gone"),
        pytest.param(
            [None, None, *run(3)], None, both(-2 * S, 3 * S, True, False), id="two are gone"
        ),
        pytest.param([*run(3), None], None, both(0, 4 * S, False, True), id="the last is gone"),
        pytest.param(
            [None, *run(3), None], None, both(-S, 4 * S, True, True), id="both ends are gone"
        ),
        pytest.param(
            [b"<html>" * 9, *run(3)],
            None,
            both(-S, 3 * S, True, False),
            id="the first is no stream",
        ),
        pytest.param(
            [*run(2), None, *run(5)[3:]], None, both(0, 5 * S, False, False), id="one in the middle"
        ),
    ],
)
def test_promises(datas, durations, found):
    _, made, findings = promised(datas, durations)
    assert made == found
    assert findings == []


@pytest.mark.parametrize(
    ("utcs", "before", "behind"),
    [
        pytest.param([0, 1, 2, 3, 4], 1, 1, id="one behind the other"),
        pytest.param([-7, 1, 2, 3, 4], 8, 1, id="a gap behind the first"),
        pytest.param([0, 1, 2, 3, 9], 1, 6, id="a gap before the last"),
        pytest.param([0.9, 1, 2, 3, 3.2], 1, 1, id="names that overlap"),
        pytest.param([-0.5, 1, 2, 3, 4.5], 1, 1, id="less than the names may stray"),
        pytest.param([-1e6, 1, 2, 3, 1e6], 1, 1, id="names of another day"),
        pytest.param([None, 1, 2, 3, None], 1, 1, id="those that are gone have none"),
        pytest.param([-7, None, None, None, 9], 1, 1, id="those that are there have none"),
    ],
)
def test_a_gap_beside_what_is_missing_at_an_end(utcs, before, behind):
    """The names tell of it; the unit is one segment."""
    slots = [
        replace(slot, utc=None if utc is None else utc * SECONDS)
        for slot, utc in zip(slots_of([None, *run(3), None]), utcs, strict=True)
    ]
    made = plan(slots)
    for promise in made.promised.values():
        assert promise.late
        assert promise.early
        assert promise.begin - BASE == pytest.approx(-before * S, abs=2)
        assert promise.end - BASE == pytest.approx((3 + behind) * S, abs=2)


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("cut", [True, False])
def test_a_last_segment_that_the_playlist_lacks(listed, cut):
    """If it is cut off, it was as long as the others."""
    datas = run(last=8)
    datas[3] = datas[3][:-288] if cut else datas[3]
    *slots, last = slots_of(datas)
    made = plan([*slots, replace(last, listed=listed, duration=SECONDS if listed else None)])
    lost = [f for f in made.findings if f.id == "PL_EXTINF"]
    assert len(lost) == (listed or cut)
    for promise in made.promised.values():
        assert promise.early is bool(lost)
        assert not lost or round(promise.end - BASE) == 4 * S


@pytest.mark.parametrize("key", [True, False])
def test_video_that_begins_later_and_not_with_a_key_picture(key):
    counters: dict[int, int] = {}
    kinds = [None, None, ts.VIDEO, ts.VIDEO]
    options = {"pictures": 16, "counters": counters}
    datas = [ts.segment(start=S * n, video=kind, **options) for n, kind in enumerate(kinds, 1)]
    scans = slots_of(datas)
    video = scans[2].scan.streams[ts.VIDEO]
    streams = {**scans[2].scan.streams, ts.VIDEO: replace(video, key_start=key)}
    scans[2] = replace(scans[2], scan=replace(scans[2].scan, streams=streams))
    made = plan(scans)
    assert made.promised[ts.VIDEO].late is not key
    said = [(f.severity, f.segment) for f in made.findings if f.id == "NO_KEY_AT_START"]
    assert said == ([] if key else [(Severity.ERROR, "2.ts")])


@pytest.mark.parametrize(("late", "behind"), [(0, 1), (3, 1), (0, 0)])
def test_video_that_begins_behind_damage_begins_as_long_after_the_sound_as_later_on(late, behind):
    """It waits for what is shown first, in every segment, and in the only one as well: ``late``
    pictures more are missing.
    """
    counters: dict[int, int] = {}
    options = {"delay": 2 * 6000, "counters": counters}
    datas = [
        ts.segment(start=S * n, pictures=16, video=ts.VIDEO if n > 2 else None, **options)
        for n in range(1, 4 + behind)
    ]
    datas[1] += bytes([1]) * 5000
    slots = slots_of(datas)
    if late:
        first = slots[2].scan
        video = first.streams[ts.VIDEO]
        video = replace(video, pts=video.pts + late * 6000, dts=video.dts + late * 6000)
        streams = {**first.streams, ts.VIDEO: video}
        slots[2] = replace(slots[2], scan=replace(first, streams=streams))
    made = plan(slots)
    promise = made.promised[ts.VIDEO]
    assert promise.late
    assert round(made.placed[2].first(ts.VIDEO) - promise.begin) == late * 6000


@pytest.mark.parametrize(
    ("started", "whole", "begun"),
    [
        pytest.param(0, 1, True, id="the playlist says so"),
        pytest.param(0, 3, True, id="the playlist says so, long before"),
        pytest.param(2, 1, False, id="it begins later by the playlist"),
        pytest.param(None, 1, True, id="nobody says when, and one segment lacks it"),
        pytest.param(None, 2, False, id="nobody says when, and two whole segments lack it"),
    ],
)
def test_sound_that_may_have_begun_in_a_segment_that_is_gone(started, whole, begun):
    counters: dict[int, int] = {}
    kinds = [*[None] * (1 + whole), ts.AUDIO, ts.AUDIO]
    options = {"pictures": 16, "counters": counters}
    datas = [ts.segment(start=S * n, audio=kind, **options) for n, kind in enumerate(kinds, 1)]
    slots = slots_of([None, *datas[1:]])
    if started is not None:
        slots[started] = replace(slots[started], events=(TrackEvent("audio", None),))
    made = plan(slots)
    promise = made.promised[ts.AUDIO]
    assert promise.late is begun
    assert not begun or round(promise.begin - BASE) == -S
    assert round(promise.unsent) == (whole * S if begun else 0)


@pytest.mark.parametrize(
    ("spoiled", "unsent"),
    [
        pytest.param({}, 3, id="three whole segments lack it"),
        pytest.param({2: None}, 2, id="one of them is gone"),
        pytest.param({2: 0.5}, 2, id="one of them lost its end"),
        pytest.param({2: 188}, 2, id="one of them lost a packet"),
        pytest.param({2: "on"}, 2, id="it goes on in one of them"),
        pytest.param({2: "begun"}, 2, id="it begins in one of them, without a whole unit"),
    ],
)
def test_what_is_whole_lost_nothing_of_a_stream_that_may_have_begun_before(spoiled, unsent):
    counters: dict[int, int] = {}
    kinds = [None] * 4 + [ts.AUDIO] * 2
    options = {"pictures": 16, "counters": counters}
    datas = [ts.segment(start=S * n, audio=kind, **options) for n, kind in enumerate(kinds, 1)]
    datas[0] = None
    for number, how in spoiled.items():
        data = datas[number]
        kept = len(data) // 376 * 188
        cut = {None: None, 0.5: data[:kept], 188: data[:kept] + data[kept + 188 :]}
        begun = ts.packet(ts.AUDIO, ts.pes(0xC0, ts.adts_frame(bytes(200))[:99]), 15, start=True)
        cut["on"] = data[:376] + ts.packet(ts.AUDIO, bytes(184), 15) + data[376:]
        cut["begun"] = data[:376] + begun + data[376:]
        datas[number] = cut[how]
    slots = slots_of(datas)
    slots[0] = replace(slots[0], events=(TrackEvent("audio", None),))
    promise = plan(slots).promised[ts.AUDIO]
    assert promise.late
    assert round(promise.unsent) == unsent * S


def test_the_media_begins_late():
    _, made, findings = promised(run(first=12))
    assert made == both(-24_000, 4 * S - 24_000, True, False)
    detail = "the media begins later than the playlist promises"
    assert findings == [Finding("PL_EXTINF", Severity.ERROR, "0.ts", detail=detail)]


def test_the_media_ends_early():
    _, made, findings = promised(run(last=12))
    assert made == both(0, 4 * S, False, True)
    detail = "the media ends earlier than the playlist promises"
    assert findings == [Finding("PL_EXTINF", Severity.ERROR, "3.ts", detail=detail)]


@pytest.mark.parametrize(
    ("off", "early"),
    [
        pytest.param(0.0, True, id="where EXTINF is exact everywhere else"),
        pytest.param(0.0009, True, id="to the millisecond"),
        pytest.param(0.002, False, id="unless it is not"),
    ],
)
def test_a_picture_that_is_missing_at_the_end(off, early):
    """And the frame of sound beside it; every unit that is there is whole."""
    lasts = [SECONDS, SECONDS + off, SECONDS - off, SECONDS]
    _, made, findings = promised(run(last=15), lasts)
    assert made == both(0, 4 * S, False, early)
    assert [f.id for f in findings] == ["PL_EXTINF"] * early


@pytest.mark.parametrize(
    ("audio", "more", "early"),
    [
        pytest.param(ts.AUDIO, 0.021, False, id="less than a frame of sound"),
        pytest.param(ts.AUDIO, 0.022, True, id="more than that"),
        pytest.param(None, 0.033, False, id="less than half a picture"),
        pytest.param(None, 0.034, True, id="more than half of one"),
    ],
)
def test_how_much_earlier_than_an_exact_extinf_the_last_segment_may_end(audio, more, early):
    _, made, findings = promised(run(audio=audio), [SECONDS] * 3 + [SECONDS + more])
    assert {promise[3] for promise in made.values()} == {early}
    assert [f.id for f in findings] == ["PL_EXTINF"] * early


def test_decoding_begins_before_presentation():
    made, found, _ = promised(run(audio=None, delay=12_000))
    assert found == {ts.VIDEO: (-12_000, 4 * S - 12_000, False, False)}
    assert made.placed[0].first(ts.VIDEO) == BASE - 12_000


def test_a_recording_that_begins_inside_a_picture_is_late():
    datas = run()
    first = datas[0].index(b"\x47\x41\x00")
    datas[0] = datas[0][:first] + datas[0][first + 188 :]
    _, made, _ = promised(datas)
    assert (made[ts.VIDEO][2], made[ts.AUDIO][2]) == (True, False)


def test_a_last_segment_that_is_cut_is_early():
    datas = run()
    datas[3] = datas[3][:-288]
    _, made, _ = promised(datas)
    assert (made[ts.VIDEO][3], made[ts.AUDIO][3]) == (True, True)


def test_a_stream_may_end_before_the_last_segment():
    datas = run()
    datas[3] = datas[3][:376] + ts.segment(start=4 * S, pictures=16, audio=None)[376:]
    _, made, _ = promised(datas)
    assert (made[ts.VIDEO][3], made[ts.AUDIO][3]) == (False, False)


def test_a_stream_may_begin_behind_the_first_segment():
    datas = run()
    datas[0] = datas[0][:376] + ts.segment(start=S, pictures=16, audio=None)[376:]
    _, made, _ = promised(datas)
    assert (made[ts.VIDEO][2], made[ts.AUDIO][2]) == (False, False)


@pytest.mark.parametrize("gone", [[1], [0, 1], [1, 2]])
def test_a_stream_may_have_begun_in_what_is_missing(gone):
    """Not before the end of what is there without it."""
    alone = ts.segment(start=S, pictures=16, audio=None)
    datas = [alone, *run(5)[1:]]
    for number in gone:
        datas[number] = None
    _, made, _ = promised(datas)
    begin, _, late, _ = made[ts.AUDIO]
    assert late
    assert begin == pytest.approx(-2 * S if 0 in gone else S, abs=ts.FRAME)


@pytest.mark.parametrize("gone", [[3], [3, 4], [2, 3]])
def test_a_stream_may_have_ended_in_what_is_missing(gone):
    datas = [*run(5)[:4], ts.segment(start=5 * S, pictures=16, audio=None)]
    for number in gone:
        datas[number] = None
    _, made, _ = promised(datas)
    _, end, _, early = made[ts.AUDIO]
    assert early
    assert end == pytest.approx(5 * S if 4 in gone else 4 * S, abs=ts.FRAME)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_whole_seconds_are_not_always_rounded(count):
    """Fifteen pictures of 15 Hz; a sixth of a second is missing at the beginning of them all."""
    datas = [ts.segment(start=90_000 * (n + 1), gop=3, audio=None) for n in range(count)]
    datas[0] = ts.segment(start=90_000 + 3 * 6000, pictures=12, gop=3, audio=None)
    _, made, findings = promised(list(datas), [1.0] * count)
    begin, _, late, _ = made[ts.VIDEO]
    assert late is (count > 4)  # three neighbours that last a whole second each
    assert [f.id for f in findings] == ["PL_EXTINF"] * late
    assert begin == -3 * 6000 if late else begin in (0, -3 * 6000)


@pytest.mark.parametrize("lost", [2, 10])
@pytest.mark.parametrize("audio", [None, ts.AUDIO], ids=["pictures", "and sound"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_without_a_key_picture_the_first_ones_are_missing(count, audio, lost):
    datas: list[bytes | None] = [
        ts.segment(start=2 * 90_000 * (n + 1), pictures=30, audio=audio) for n in range(count)
    ]
    datas[0] = ts.headless(datas[0] or b"", lost)
    made, ends, findings = promised(datas, [2.0] * count)
    begin, _, late, early = ends[ts.VIDEO]
    assert (late, early) == (True, False)
    missing = made.placed[0].first(ts.VIDEO) - BASE - begin
    assert missing == pytest.approx(lost * 6000, abs=ts.FRAME)
    assert [(f.id, f.severity) for f in findings] == [("PL_EXTINF", Severity.ERROR)]


def test_sound_that_begins_inside_a_unit_lost_its_beginning():
    """What follows is gone as well, and tells nothing of it."""
    datas: list[bytes | None] = [
        ts.segment(start=S * (n + 1), pictures=16, video=None, size=4000, frames_per_pes=10)
        for n in range(4)
    ]
    first = datas[0] or b""
    packets = [first[at : at + 188] for at in range(0, len(first), 188)]
    sound = [n for n, p in enumerate(packets) if (p[1] & 31) << 8 | p[2] == ts.AUDIO]
    begins = [n for n in sound if packets[n][1] & 0x40]
    datas[0] = b"".join([*packets[:2], *packets[begins[1] + 1 :]])
    datas[1] = None
    made, ends, _ = promised(datas)
    begin, _, late, _ = ends[ts.AUDIO]
    assert late
    assert begin == pytest.approx(-20 * ts.FRAME, abs=ts.FRAME)
    assert made.placed[0].first(ts.AUDIO) == BASE


@pytest.mark.parametrize("blank", [True, False])
def test_sound_of_which_no_whole_unit_is_left_began_where_that_was_cut_off(blank):
    """It comes with the second segment; half of the first is left."""
    counters: dict[int, int] = {}
    datas: list[bytes | None] = [
        ts.segment(start=S, pictures=16, audio=None, counters=counters),
        *(ts.segment(start=S * (n + 2), pictures=16, counters=counters) for n in range(1, 4)),
    ]
    slots = slots_of(datas, [2 * SECONDS, *[SECONDS] * 3])
    scans = [slot.scan for slot in slots]
    if blank and scans[0] and scans[1]:
        part = replace(scans[1].streams[ts.AUDIO], blank=True)
        streams = {**scans[0].streams, ts.AUDIO: part}
        slots[0] = replace(slots[0], scan=replace(scans[0], streams=streams))
    made = plan(slots)
    found = made.promised[ts.AUDIO]
    assert found.late is blank
    assert found.begin - BASE == pytest.approx(S if blank else 2 * S, abs=ts.FRAME)


def test_names_say_nothing_of_pictures_that_are_missing_while_sound_goes_on():
    datas = [ts.segment(start=180_000 * (n + 1), pictures=30, audio=ts.AUDIO) for n in range(3)]
    datas[0] = ts.headless(datas[0], 10)
    slots = [replace(s, utc=5.0 + 2 * n) for n, s in enumerate(slots_of([*datas], [2.0] * 3))]
    made = plan(slots)
    found, _ = promises(made.placed, made.lanes, slots)
    assert found[ts.VIDEO].late


@pytest.mark.parametrize(("longest", "early"), [(1, True), (4, True), (5, False), (6, False)])
def test_the_last_picture_may_be_shown_as_long_as_any_other(longest, early):
    """The last segment ends four pictures before it should, and there is no sound."""
    datas: list[bytes] = []
    counters: dict[int, int] = {}
    for n in range(5):
        start = 90_000 * (n + 1)
        head = ts.segment(start=start, pictures=5, audio=None, counters=counters)
        start += (4 + longest) * 6000
        rest = (10 if n < 4 else 6) - longest + 1
        tail = ts.segment(start=start, pictures=rest, audio=None, counters=counters)
        datas.append(head + tail)
    _, ends, _ = promised(list(datas), [1.0] * 5)
    assert ends[ts.VIDEO][3] is early


def test_a_promise_is_kept_unless_it_says_otherwise():
    assert Promise(0.0, 1.0) == Promise(0.0, 1.0, late=False, early=False, closed=())


@pytest.mark.parametrize(
    ("utcs", "late"),
    [
        pytest.param([None, None], True, id="no names"),
        pytest.param([5.0, 5.0 + SECONDS], False, id="as long as the names say"),
        pytest.param([5.0, 5.0 + SECONDS + 0.09], False, id="nearly"),
        pytest.param([5.0, 5.0 + SECONDS + 10], True, id="the names say so too"),
        pytest.param([5.0, 5.0 - 1800], True, id="their clock steps"),
    ],
)
def test_the_first_segment_is_as_long_as_names_and_media_say(utcs, late):
    slots = slots_of(run(), [SECONDS + 10, *[SECONDS] * 3])
    times = [*utcs, *(utcs[1] and utcs[1] + SECONDS * n for n in (1, 2))]
    slots = [replace(slot, utc=utc) for slot, utc in zip(slots, times, strict=True)]
    made = plan(slots)
    found, _ = promises(made.placed, made.lanes, slots)
    assert {promise.late for promise in found.values()} == {late}


@pytest.mark.parametrize(("at", "late"), [(30, True), (0, False)])
def test_damage_inside_the_second_segment_says_nothing_of_its_beginning(at, late):
    """The first one lost half of its pictures, and begins with a key picture again."""
    datas = run(first=8)
    datas[1] = datas[1][: 188 * (2 + at)] + datas[1][188 * (3 + at) :]
    _, made, _ = promised(datas)
    assert made[ts.VIDEO][2] is late


@pytest.mark.parametrize(("delay", "late"), [(12_000, False), (6_000, True)])
def test_the_first_extinf_may_count_from_when_its_first_picture_is_decoded(delay, late):
    lasts = [SECONDS + 12_000 / 90_000, *[SECONDS] * 3]
    _, made, _ = promised(run(audio=None, delay=delay), lasts)
    assert made[ts.VIDEO][2] is late


@pytest.mark.parametrize(("frames", "early"), [(0, False), (2, True)])
def test_a_last_picture_that_is_not_stuffed_may_be_whole_where_the_sound_is(frames, early):
    """EXTINF is of whichever ends last, and one packet in 184 is full by chance."""
    slots = slots_of(run())
    scan = slots[3].scan
    assert scan is not None
    pictures, sound = scan.streams[ts.VIDEO], scan.streams[ts.AUDIO]
    shorter = replace(pictures, pts=pictures.pts[:-1], dts=pictures.dts[:-1], filled=False)
    quieter = replace(sound, tail=sound.tail - frames)
    streams = {ts.VIDEO: shorter, ts.AUDIO: quieter}
    slots[3] = replace(slots[3], scan=replace(scan, streams=streams))
    made = plan(slots)
    found, _ = promises(made.placed, made.lanes, slots)
    assert found[ts.VIDEO].early is early


@pytest.mark.parametrize(("left", "early"), [(5, True), (15, False)])
def test_sound_may_have_gone_on_in_a_last_segment_of_which_little_is_left(left, early):
    """It was cut where a packet ends: only EXTINF tells."""
    datas = [*run(4)[:3], ts.segment(start=4 * S, pictures=left, audio=None)]
    _, made, _ = promised(datas, [SECONDS] * 3 + [2 * SECONDS])
    assert made[ts.AUDIO][3] is early
