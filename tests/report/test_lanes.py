"""What stands on each lane of the bar, by its cause."""

import pytest
from msgspec.structs import replace

from pipeline.model import AccountEntry, Coverage, Hole, Reencoded, Seam
from pipeline.report.axis import axis
from pipeline.report.lanes import Cause, Span, form, joins, lanes, places
from tests.report.reports import AUDIO, GOOD, VIDEO, covered, lost, name


def drawn(report):
    """Its lanes by their kind."""
    on = axis(report)
    return {lane.kind: lane for lane in lanes(report, on, places(report, on))}


def with_rows(report, *rows):
    return replace(report, account=replace(report.account, slots=rows))


def test_a_whole_recording_is_there_from_end_to_end():
    found = drawn(GOOD)
    assert [(lane.label, lane.form) for lane in found.values()] == [
        ("Video", "h264 640 × 360"),
        ("Audio", "aac 48 kHz stereo"),
    ]
    assert all(lane.present == ((0.0, 100.0),) and not lane.spans for lane in found.values())


@pytest.mark.parametrize(
    ("became", "cause"), [("kept", Cause.KEPT), ("filled", Cause.FILLED), ("closed", Cause.LOST)]
)
def test_a_hole_is_drawn_by_what_became_of_it(became, cause):
    for lane in drawn(lost(3, became)).values():
        assert lane.spans == (Span(cause, 30.0, 40.0, 30.0, "segment missing, 10.0 s"),)
        assert lane.present == ((0.0, 30.0), (40.0, 100.0))


def test_what_was_not_sent_is_no_loss():
    why = "none was sent: its counter goes on"
    row = AccountEntry(name(6), "audio", 257, 10.0, excepted=10.0, reason=why)
    found = drawn(with_rows(replace(GOOD, coverage=covered(audio={6})), row))
    assert found["audio"].spans == (Span(Cause.ABSENT, 60.0, 70.0, 60.0, f"{why}, 10.0 s"),)
    assert not found["video"].spans


def test_what_nothing_explains_is_a_loss():
    row = AccountEntry(name(6), "audio", 257, 10.0, unexplained=10.0)
    (span,) = drawn(with_rows(replace(GOOD, coverage=covered(audio={6})), row))["audio"].spans
    assert (span.cause, span.why) == (Cause.KEPT, "missing, and nothing says why")


@pytest.mark.parametrize(
    ("gone", "begin", "end", "why"),
    [
        ({0, 1}, 0.0, 20.0, "it begins later, 20.0 s"),
        ({8, 9}, 80.0, 100.0, "it has ended, 20.0 s"),
    ],
)
def test_a_track_that_begins_late_or_ends_early(gone, begin, end, why):
    found = drawn(replace(GOOD, coverage=covered(video=gone)))
    assert found["video"].spans == (Span(Cause.ABSENT, begin, end, begin, why),)


def test_what_is_lost_at_the_ends_has_no_time_in_the_file():
    tracks = tuple(replace(t, before=5.0, behind=7.0) for t in GOOD.coverage.tracks)
    report = replace(GOOD, coverage=replace(GOOD.coverage, tracks=tracks))
    for lane in drawn(report).values():
        assert [(s.cause, s.begin, s.end) for s in lane.spans] == [
            (Cause.LOST, 0.0, 5.0),
            (Cause.LOST, 105.0, 112.0),
        ]


def test_a_track_that_begins_late_and_lost_its_first_second():
    tracks = covered(audio={0, 1}).tracks
    report = replace(
        GOOD, coverage=replace(covered(), tracks=(tracks[0], replace(tracks[1], before=1.0)))
    )
    assert [(s.cause, s.begin, s.end) for s in drawn(report)["audio"].spans] == [
        (Cause.ABSENT, 0.0, 19.0),
        (Cause.LOST, 19.0, 20.0),
    ]


def test_what_is_lost_in_front_of_what_was_not_sent_stands_in_front_of_it():
    tracks = covered(audio={0, 1}).tracks
    lacking = replace(tracks[1], before=5.0, unsent=20.0)
    found = drawn(replace(GOOD, coverage=replace(covered(), tracks=(tracks[0], lacking))))
    assert [(s.cause, s.begin, s.end) for s in found["audio"].spans] == [
        (Cause.ABSENT, 5.0, 25.0),
        (Cause.LOST, 0.0, 5.0),
    ]
    assert found["video"].present == ((5.0, 105.0),)


def test_neighbours_that_were_re_encoded_are_one_span():
    one = Reencoded("video", name(4), 10.0, 150, "h264 1280x720", "h264 640x360")
    found = drawn(replace(GOOD, reencoded=(one, replace(one, segment=name(5)))))
    why = "re-encoded from h264 1280x720 to h264 640x360"
    assert found["video"].spans == (Span(Cause.REENCODED, 40.0, 60.0, 40.0, why),)


def test_units_that_are_cut_have_a_mark_where_no_hole_tells_of_them():
    row = AccountEntry(name(2), "video", 256, 10.0, 10.0, units=150, cut=2)
    found = drawn(with_rows(GOOD, row))
    assert found["video"].spans == (Span(Cause.KEPT, 20.0, 20.0, 20.0, "2 units lost their end"),)
    report = with_rows(lost(3), replace(row, slot=name(4)))
    assert len(drawn(report)["video"].spans) == 1


def test_short_pauses_of_pictures_are_usual():
    begin = tuple(b + 0.4 for b in GOOD.coverage.tracks[0].begin)
    video = replace(GOOD.coverage.tracks[0], begin=begin)
    report = replace(GOOD, coverage=replace(GOOD.coverage, tracks=(video,)))
    assert drawn(report)["video"].present == ((0.4, 100.0),)


def test_of_several_tracks_of_a_kind_each_has_its_own_losses():
    other = replace(GOOD.coverage.tracks[1], pid=258)
    report = replace(
        GOOD,
        tracks=(VIDEO, AUDIO, replace(AUDIO, channels=1)),
        coverage=replace(GOOD.coverage, tracks=(*GOOD.coverage.tracks, other)),
        holes=(Hole("audio", 30.0, 1.0, name(3)),),
    )
    report = with_rows(report, AccountEntry(name(3), "audio", 258, 10.0, lost=1.0))
    on = axis(report)
    found = lanes(report, on, places(report, on))
    assert [(x.label, x.form, len(x.spans)) for x in found] == [
        ("Video", "h264 640 × 360", 0),
        ("Audio 1", "aac 48 kHz stereo", 0),
        ("Audio 2", "aac 48 kHz mono", 1),
    ]


def test_receipts_of_older_versions_are_drawn_by_their_holes():
    found = drawn(replace(lost(3), coverage=None))
    assert found["video"].present == ((0.0, 30.0), (40.0, 100.0))
    assert [span.cause for span in found["video"].spans] == [Cause.KEPT]


def test_a_segment_without_media_has_its_place_by_its_name():
    report = lost(3)
    assert places(report, axis(report)).at[name(3)] == 30.0


def test_joins():
    report = replace(GOOD, joins=(Seam(50.0, "bak0", "the clock goes on"),))
    told = "bak0: the clock goes on"
    assert joins(report, axis(report)) == (Span(Cause.JOINED, 50.0, 50.0, 50.0, told),)


def test_columns_of_different_length_are_no_error():
    broken = replace(GOOD.coverage.tracks[0], end=(1.0,))
    report = replace(GOOD, coverage=Coverage((), (broken,)))
    assert drawn(report)["video"].present == ((0.0, 1.0),)


@pytest.mark.parametrize(
    ("track", "told"),
    [
        (replace(AUDIO, channels=6), "aac 48 kHz 6 channels"),
        (replace(AUDIO, sample_rate=None, channels=None), "aac"),
        (replace(AUDIO, sample_rate=44100, channels=1), "aac 44.1 kHz mono"),
    ],
)
def test_forms(track, told):
    assert form(track) == told
