"""Whether a slot is of this recording."""

import pytest
from msgspec.structs import replace

from pipeline.media.slots.identity import identified
from pipeline.media.slots.segments import Slot
from pipeline.model import Severity
from tests import ts
from tests.media.es.test_formats import sps
from tests.media.identity_builder import (
    SECONDS,
    S,
    counted,
    data,
    first,
    held,
    of_format,
    run,
    said,
    shifted,
    slots,
)
from tests.media.slots_builder import UTC


@pytest.mark.parametrize("away", [600 * 90_000 + 7, -9 * S + 501])
def test_a_slice_of_another_recording(away):
    datas = run()
    datas[2] = data(3 * S + away + 40_000, frames_per_pes=3)
    datas[2] = datas[2][: len(datas[2]) // 188 // 2 * 188]  # of another length
    made = identified(slots(*datas))
    assert held(made) == [True, True, False, True, True]
    assert said(made) == [("SEG_FOREIGN", Severity.ERROR, "2.ts")]


def test_a_slice_of_another_recording_that_is_listed_twice():
    """It is foreign wherever it is listed, also behind itself."""
    datas = run()
    foreign = data(3 * S + 54_000_007, frames_per_pes=3)
    datas[2] = foreign[: len(foreign) // 188 // 2 * 188]
    given = slots(*datas)
    made = identified([*given[:3], given[2], *given[3:]])
    assert held(made) == [True, True, False, False, True, True]
    assert said(made) == [("SEG_FOREIGN", Severity.ERROR, "2.ts")]


def test_a_clock_that_steps_out_and_back_and_is_listed_twice_is_set_back_in_both():
    given = slots(*counted([S, 2 * S, 3 * S + 324_000_000, 4 * S, 5 * S]))
    kept, findings = identified([*given[:3], given[2], *given[3:]])
    assert [first(slot, ts.VIDEO) for slot in kept[2:4]] == [3 * S, 3 * S]
    assert [f.id for f in findings] == ["DTS_BACK"]


def test_a_clock_that_steps_out_and_back_while_the_counters_go_on():
    made = identified(slots(*counted([S, 2 * S, 3 * S + 324_000_000, 4 * S, 5 * S])))
    assert said(made) == [("DTS_BACK", Severity.WARNING, "2.ts")]
    assert first(made[0][2], ts.VIDEO) == 3 * S


def test_a_clock_that_steps_out_and_back_and_fits_to_the_tick():
    """Sound and pictures moved as one, and between its neighbours is room for just as much."""
    made = identified(slots(*run(2), data(3 * S + 90_000_000), *run(5)[3:]))
    assert said(made) == [("DTS_BACK", Severity.WARNING, "2.ts")]
    assert first(made[0][2], ts.AUDIO) == first(slots(data(3 * S))[0], ts.AUDIO)


@pytest.mark.parametrize("counts", [True, False], ids=["counters go on", "counters restart"])
def test_sound_and_pictures_that_are_off_each_by_itself(counts):
    """No one clock explains both, and each fits between its own neighbours."""
    datas = counted([S * n for n in range(1, 6)]) if counts else run(5)
    given = slots(*datas)
    given[2] = shifted(shifted(given[2], ts.VIDEO, 25 * S + 9_000), ts.AUDIO, 12 * S)
    made = identified(given)
    assert [(f.id, f.pid) for f in made[1]] == [("DTS_BACK", ts.VIDEO), ("DTS_BACK", ts.AUDIO)]
    assert f"{12 * S / 90_000:+.3f} s off" in made[1][1].detail
    for pid in (ts.VIDEO, ts.AUDIO):
        assert first(made[0][2], pid) == first(slots(*datas)[2], pid)


@pytest.mark.parametrize("number", [0, 4])
@pytest.mark.parametrize("counts", [True, False], ids=["counters go on", "counters restart"])
def test_sound_and_pictures_that_are_off_each_by_itself_at_an_end(number, counts):
    """One neighbour and the counters tell as much as two neighbours."""
    datas = counted([S * n for n in range(1, 6)]) if counts else run(5)
    given = slots(*datas)
    given[number] = shifted(shifted(given[number], ts.VIDEO, 25 * S), ts.AUDIO, 12 * S)
    made = identified(given)
    back = [("DTS_BACK", ts.VIDEO), ("DTS_BACK", ts.AUDIO)]
    assert [(f.id, f.pid) for f in made[1]] == (back if counts else [])
    if counts:
        for pid in (ts.VIDEO, ts.AUDIO):
            off = first(made[0][number], pid) - first(slots(*datas)[number], pid)
            assert abs(off) <= 90_000 / 25, pid


def with_a_pause(slot: Slot) -> Slot:
    """Its last two pictures were not sent: the one before is shown for longer."""
    assert slot.scan is not None
    video = slot.scan.streams[ts.VIDEO]
    fewer = replace(video, pts=video.pts[:-2], dts=video.dts[:-2])
    streams = {**slot.scan.streams, ts.VIDEO: fewer}
    return replace(slot, scan=replace(slot.scan, streams=streams))


@pytest.mark.parametrize("number", [0, 2, 4])
def test_pictures_that_pause_at_an_edge_go_back_to_where_extinf_puts_them(number):
    given = slots(*counted([S * n for n in range(1, 6)]))
    pausing = number if not number else number - 1
    given[pausing] = with_a_pause(given[pausing])
    given[number] = shifted(shifted(given[number], ts.VIDEO, 25 * S), ts.AUDIO, 12 * S)
    made = identified(given)
    assert [(f.id, f.pid) for f in made[1]] == [("DTS_BACK", ts.VIDEO), ("DTS_BACK", ts.AUDIO)]
    assert first(made[0][number], ts.VIDEO) == S * (number + 1)


@pytest.mark.parametrize(
    ("rounded", "off"),
    [pytest.param(False, 0, id="to the tick"), pytest.param(True, -12_000, id="not by seconds")],
)
def test_pictures_without_sound_go_back_to_where_extinf_puts_them(rounded, off):
    counters: dict[int, int] = {}
    starts = [S, 2 * S, 3 * S + 324_000_000, 4 * S, 5 * S]
    given = slots(*(data(start, counters=counters, audio=None) for start in starts))
    given[1] = with_a_pause(given[1])
    given = [replace(slot, rounded=rounded) for slot in given]
    kept, findings = identified(given)
    assert [f.id for f in findings] == ["DTS_BACK"]
    assert first(kept[2], ts.VIDEO) == 3 * S + off


def still(datas: list[bytes], number: int) -> list[Slot]:
    """Of one segment only the first picture was sent, for the screen stands still."""
    given = slots(*datas)
    scan = given[number].scan
    assert scan is not None
    video = scan.streams[ts.VIDEO]
    one = replace(video, pts=video.pts[:1], dts=video.dts[:1], tail=1)
    given[number] = replace(
        given[number], scan=replace(scan, streams={**scan.streams, ts.VIDEO: one})
    )
    return given


@pytest.mark.parametrize("number", [0, 4])
def test_a_screen_that_stands_still_at_an_end_stays(number):
    given = still(counted([S * n for n in range(1, 6)]), number)
    assert said(identified(given)) == []


def test_one_stream_at_an_end_is_no_matter_of_all():
    """It alone is off the others, and set back as such."""
    given = slots(*counted([S * n for n in range(1, 6)]))
    given[0] = shifted(given[0], ts.VIDEO, 25 * S)
    assert said(identified(given)) == [("AV_SHIFT", Severity.WARNING, "0.ts")]


def test_both_by_the_same_at_an_end_may_be_a_clock_that_restarts():
    given = slots(*counted([S * n for n in range(1, 6)]))
    given[0] = shifted(shifted(given[0], ts.VIDEO, 25 * S), ts.AUDIO, 25 * S)
    assert said(identified(given)) == []


@pytest.mark.parametrize("sound", [5, 9], ids=["as a whole", "each by itself"])
def test_a_neighbour_that_is_off_itself_sets_nobody(sound):
    given = slots(*counted([S * n for n in range(1, 6)]))
    given[0] = shifted(shifted(given[0], ts.VIDEO, 25 * S), ts.AUDIO, 12 * S)
    given[1] = shifted(shifted(given[1], ts.VIDEO, 5 * S), ts.AUDIO, sound * S)
    assert said(identified(given)) == []


def test_sixteen_packets_in_a_slot_are_no_counter_that_restarts():
    """It begins as the one before, and goes on from it as well."""
    datas = counted([S, 2 * S, 3 * S + 324_000_000, 4 * S])
    given = slots(*datas)
    first_two = [replace(s, counters=(0, 15)) for s in given[0].scan.streams.values()]
    streams = dict(zip(given[0].scan.streams, first_two, strict=True))
    given[0] = replace(given[0], scan=replace(given[0].scan, streams=streams))
    own = {
        pid: replace(s, counters=(0, given[1].scan.streams[pid].counters[1]))
        for pid, s in given[1].scan.streams.items()
    }
    given[1] = replace(given[1], scan=replace(given[1].scan, streams=own))
    assert said(identified(given)) == [("DTS_BACK", Severity.WARNING, "2.ts")]


@pytest.mark.parametrize(("apart", "ours"), [(0, True), (3_000, False)])
def test_a_clock_that_steps_beside_what_is_missing_behind_it(apart, ours):
    """It fits the one before to the tick, and what follows keeps its distances."""
    behind = [shifted(slots(data(S * n))[0], ts.AUDIO, apart) for n in (5, 6)]
    given = [*slots(*run(2), data(3 * S + 324_000_000)), *behind]
    given = [replace(slot, name=f"{n}.ts") for n, slot in enumerate(given)]
    made = identified(given)
    assert said(made)[:1] == (
        [("DTS_BACK", Severity.WARNING, "2.ts")]
        if ours
        else [("SEG_FOREIGN", Severity.ERROR, "2.ts")]
    )


def test_what_fits_to_the_tick_and_is_counted_by_nobody_is_of_another_recording():
    """Every other counter goes on."""
    datas = counted([S, 2 * S, 3 * S, 4 * S, 5 * S, 6 * S])
    datas[2] = data(3 * S + 90_000_000, counters={ts.VIDEO: 9, ts.AUDIO: 9})
    assert said(identified(slots(*datas))) == [("SEG_FOREIGN", Severity.ERROR, "2.ts")]


def test_a_clock_that_restarts_is_no_other_recording():
    _, findings = identified(slots(data(90 * S), data(91 * S), data(S), data(2 * S)))
    assert findings == []


def test_a_clock_of_its_own_for_each_slice_is_no_other_recording():
    _, findings = identified(slots(*[data(S, size=600 + n) for n in range(5)]))
    assert findings == []


def test_what_the_playlist_announces_is_no_other_recording():
    given = slots(*run(2), data(3 * S + 90_000_000, frames_per_pes=3), *run(5)[3:])
    given[2] = replace(given[2], discontinuity=True)
    assert identified(given)[1] == []


@pytest.mark.parametrize("number", [0, 4])
@pytest.mark.parametrize("apart", [True, False], ids=["another clock", "the same clock"])
def test_another_format_at_an_end(number, apart):
    """It is foreign only if its clock says so as well."""
    given = slots(*run())
    given[number] = of_format(given[number], b"\xff\xf1\x4c\x80")  # stereo
    for pid in (ts.VIDEO, ts.AUDIO):
        given[number] = shifted(given[number], pid, 500 * S if apart else 0)
    made = identified(given)
    assert said(made) == ([("SEG_FOREIGN", Severity.ERROR, f"{number}.ts")] if apart else [])


def test_a_slice_of_another_recording_beside_one_that_is_missing():
    """What is missing takes its room as well."""
    datas: list[bytes | None] = list(run(6))
    foreign = data(3 * S + 54_000_007, frames_per_pes=3)
    datas[2], datas[3] = foreign[: len(foreign) // 188 // 2 * 188], None
    assert said(identified(slots(*datas))) == [("SEG_FOREIGN", Severity.ERROR, "2.ts")]


@pytest.mark.parametrize(
    ("config", "begins", "foreign"),
    [
        pytest.param(b"\xff\xf1\x50\x40", 2.5, True, id="another format, over both"),
        pytest.param(b"\xff\xf1\x4c\x40", 2.5, False, id="their format"),
        pytest.param(b"\xff\xf1\x50\x40", 3.0, False, id="in its place"),
    ],
)
def test_a_slice_for_which_its_neighbours_leave_no_room(config, begins, foreign):
    """All that belongs there stands in the slice before."""
    both = data(S) + data(2 * S)
    given = [data(0), both, data(round(S * begins)), data(3 * S)]
    if not foreign:
        given[1] = data(S)
        given[2] = data(2 * S)
    made = slots(*given)
    made[2] = of_format(made[2], config)
    kept = identified(made)
    assert ("SEG_FOREIGN", Severity.ERROR, "2.ts") in said(kept) if foreign else not said(kept)


def too_long(named: float, **options: object) -> list[Slot]:
    """The third of five is twice as long as its EXTINF, and its clock is another."""
    datas = run(5, **options)
    datas[2] = ts.segment(start=900 * S, pictures=32)
    return [replace(slot, utc=UTC + n * named * SECONDS) for n, slot in enumerate(slots(*datas))]


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "unannounced"])
def test_a_slice_that_is_longer_than_its_name_and_extinf_say(announced):
    """Whatever is announced of the clock."""
    given = too_long(1)
    given[2] = replace(given[2], discontinuity=announced)
    made = identified(given)
    assert held(made) == [True, True, False, True, True]
    assert said(made) == [("SEG_FOREIGN", Severity.ERROR, "2.ts")]


def test_a_slice_that_is_as_long_as_the_names_say_is_no_other_recordings():
    """EXTINF alone is wrong."""
    given = too_long(1)
    for n in (3, 4):
        given[n] = replace(given[n], utc=UTC + (n + 1) * SECONDS)
    given[2] = replace(given[2], discontinuity=True)
    assert said(identified(given)) == []


@pytest.mark.parametrize("both", [True, False], ids=["sound and picture", "sound alone"])
def test_another_format_between_clocks_that_begin_again(both):
    """Of one stream it is a change of format, of all it is another recording."""
    given = slots(data(S), data(2 * S), data(600 * S), data(40 * S), data(41 * S))
    given[2] = of_format(given[2], b"\xff\xf1\x4c\x80")
    if both:
        stream = given[2].scan.streams[ts.VIDEO]
        other = replace(stream, config=sps(width=22))
        streams = {**given[2].scan.streams, ts.VIDEO: other}
        given[2] = replace(given[2], scan=replace(given[2].scan, streams=streams))
    found = [("SEG_FOREIGN", Severity.ERROR, "2.ts")] if both else []
    assert said(identified(given)) == found


def test_a_clock_that_steps_out_with_the_first_pictures():
    """In front of it is sound alone."""
    datas = [data(S, video=None), data(2 * S, video=None), data(9_000 * S), data(4 * S)]
    made = identified(slots(*datas))
    assert said(made) == [("DTS_BACK", Severity.WARNING, "2.ts")]
    assert first(made[0][2], ts.VIDEO) == first(slots(data(3 * S))[0], ts.VIDEO)


@pytest.mark.parametrize(
    ("lost", "ours", "found"),
    [
        pytest.param(1, False, [("SEG_FOREIGN", Severity.ERROR)], id="another recording's"),
        pytest.param(
            1, True, [("DTS_BACK", Severity.WARNING)], id="its counters go on on one side"
        ),
        pytest.param(3, False, [("SEG_FOREIGN", Severity.ERROR)], id="where three are missing"),
        pytest.param(9, False, [], id="neighbours too far apart to tell"),
    ],
)
def test_a_clock_that_steps_out_beside_a_slice_that_is_not_listed(lost, ours, found):
    """There is more room than it takes."""
    counters: dict[int, int] = {}
    datas = [data(S * (n + 1), counters=counters) for n in (0, 1)]
    datas.append(data(3 * S + 90_000_000, counters=counters if ours else {ts.VIDEO: 9}))
    for pid in counters:
        counters[pid] += 5
    datas += [data(S * (n + 1 + lost), counters=counters) for n in (3, 4, 5)]
    made = identified(slots(*datas))
    assert [(id, severity) for id, severity, _ in said(made)] == found
    if ours:
        assert first(made[0][2], ts.VIDEO) == 3 * S


@pytest.mark.parametrize("other", [True, False], ids=["another format", "the same format"])
def test_another_format_needs_less_besides(other):
    """Half a second that neither EXTINF nor the names know of, and a clock that nearly fits."""
    datas = run(5)
    datas[2] = ts.segment(start=3 * S, pictures=24, video=None)
    given = [
        replace(slot, utc=UTC + n * SECONDS)
        for n, slot in enumerate(slots(*(data(S * (n + 1), video=None) for n in range(5))))
    ]
    given[2] = replace(slots(*datas)[2], utc=given[2].utc)
    if other:
        given[2] = of_format(given[2], b"\xff\xf1\x4c\x80")
    found = [("SEG_FOREIGN", Severity.ERROR, "2.ts")] if other else []
    assert said(identified(given)) == found


@pytest.mark.parametrize(
    ("over", "other", "foreign"),
    [
        pytest.param(9_100, True, True, id="over both, in another format"),
        pytest.param(2_000, True, False, id="by less than a writer may"),
        pytest.param(9_100, False, False, id="in the same format"),
    ],
)
def test_a_slice_that_lies_over_both_its_neighbours(over, other, foreign):
    """EXTINF is rounded, and the names tell no time."""
    datas = [data(S * (n + 1), video=None) for n in range(5)]
    datas[2] = ts.segment(start=3 * S - over, pictures=18 if over > 6000 else 16, video=None)
    given = slots(*datas)
    if other:
        given[2] = of_format(given[2], b"\xff\xf1\x4c\x80")
    found = [("SEG_FOREIGN", Severity.ERROR, "2.ts")] if foreign else []
    assert said(identified(given)) == found


@pytest.mark.parametrize(
    ("exact", "more", "foreign"),
    [
        pytest.param(0.0, 8, True, id="EXTINF is exact everywhere else"),
        pytest.param(0.0, 4, True, id="by a quarter of a second"),
        pytest.param(0.0, 2, False, id="by hardly more than others"),
        pytest.param(0.2, 4, False, id="and is not"),
    ],
)
def test_another_format_that_is_longer_than_extinf_says(exact, more, foreign):
    """Into the next one; the names tell no time."""
    datas = [data(S * (n + 1), video=None) for n in range(6)]
    datas[2] = ts.segment(start=3 * S, pictures=16 + more, video=None)
    given = slots(*datas)
    given[1] = replace(given[1], duration=SECONDS + exact)
    given[2] = of_format(given[2], b"\xff\xf1\x4c\x80")
    found = [("SEG_FOREIGN", Severity.ERROR, "2.ts")] if foreign else []
    assert said(identified(given)) == found


@pytest.mark.parametrize("other", [True, False], ids=["pictures differ", "sound alone differs"])
def test_another_format_where_one_neighbour_has_no_sound(other):
    """What one of two neighbours has of a kind tells, if both tell the same of another kind."""
    datas = [data(S * (n + 1), audio=None if n < 2 else ts.AUDIO) for n in range(6)]
    datas[2] = ts.segment(start=3 * S, pictures=24)
    given = slots(*datas)
    given[2] = of_format(given[2], b"\xff\xf1\x4c\x80")
    if other:
        streams = given[2].scan.streams
        pictures = replace(streams[ts.VIDEO], config=sps(width=22))
        scan = replace(given[2].scan, streams={**streams, ts.VIDEO: pictures})
        given[2] = replace(given[2], scan=scan)
    found = [("SEG_FOREIGN", Severity.ERROR, "2.ts")] if other else []
    assert said(identified(given)) == found


@pytest.mark.parametrize(("last", "foreign"), [(SECONDS, True), (SECONDS / 2, False)])
def test_of_four_slots_the_last_one_tells_too_whether_extinf_is_exact(last, foreign):
    datas = [data(S * (n + 1), video=None) for n in range(4)]
    datas[2] = ts.segment(start=3 * S, pictures=24, video=None)
    given = slots(*datas)
    given[2] = of_format(given[2], b"\xff\xf1\x4c\x80")
    given[3] = replace(given[3], duration=last)
    found = [("SEG_FOREIGN", Severity.ERROR, "2.ts")] if foreign else []
    assert said(identified(given)) == found
