"""When streams of a user were not sent, and why."""

import pytest

from pipeline.media.clock import BASE, HZ
from pipeline.media.loss.absences import at_the_ends, explained, left_out, measured
from pipeline.model import Absence, Hole
from tests.media.loss.test_holes import AUDIO, VIDEO, steps, stretch


def absence(kind, start, end, cause="not sent"):
    return Absence(kind, start, round(end - start, 6), cause)


def told(found):
    return [(a.kind, a.start, round(a.start + a.length, 6), a.cause) for a in found]


@pytest.mark.parametrize(
    ("video", "audio", "expected"),
    [
        pytest.param([(10, 30)], [], [("video", 10, 30, "camera off")], id="camera off"),
        pytest.param([], [(10, 30)], [("audio", 10, 30, "muted")], id="muted"),
        pytest.param(
            [(10, 30.6)],
            [(10, 30)],
            [("audio", 10, 30, "away"), ("video", 10, 30.6, "away")],
            id="away, and the camera back with its key picture",
        ),
        pytest.param(
            [(10, 40)],
            [(20, 40)],
            [("video", 10, 20, "camera off"), ("audio", 20, 40, "away"), ("video", 20, 40, "away")],
            id="first the camera off, then away",
        ),
        pytest.param(
            [(0, 5)],
            [(10, 15)],
            [("video", 0, 5, "camera off"), ("audio", 10, 15, "muted")],
            id="one after the other",
        ),
    ],
)
def test_who_sends_neither_is_away(video, audio, expected):
    spans = [absence("video", *span) for span in video]
    spans += [absence("audio", *span) for span in audio]
    assert told(explained(spans, ["video", "audio"])) == expected


def test_of_one_stream_alone_nothing_says_why():
    spans = [absence("audio", 10, 30)]
    assert explained(spans, ["audio"]) == spans


def test_every_gap_that_is_no_hole_is_an_absence():
    held = [stretch(0, steps(0, 50, 1920)), stretch(1, steps(10 * HZ, 50, 1920))]
    end = 50 * 1920 / HZ
    assert told(measured(AUDIO, held, [])) == [("audio", round(end, 6), 10.0, "not sent")]
    part = [Hole("audio", round(end, 6), 3.0, "1.ts")]
    assert told(measured(AUDIO, held, part)) == [("audio", round(end + 3, 6), 10.0, "not sent")]
    whole = [Hole("audio", round(end, 6), round(10 - end, 6), "1.ts")]
    assert measured(AUDIO, held, whole) == []


def test_pictures_that_come_seldom_are_no_absence():
    held = [stretch(0, [*steps(0, 5), *steps(5 * 6000 + HZ // 3, 5)])]
    assert measured(VIDEO, held, []) == []


def test_streams_that_begin_late_or_end_early():
    found = [*at_the_ends("video", 3.0, 20.0, 30.0)]
    assert told(found) == [("video", 0.0, 3.0, "not sent"), ("video", 20.0, 30.0, "not sent")]
    assert [*at_the_ends("video", 0.9, 29.8, 30.0)] == []


def test_what_was_left_out_stands_where_it_was():
    spans = [(BASE + 10 * HZ, BASE + 30 * HZ), (BASE + 50 * HZ, BASE + 60 * HZ)]
    found = [*left_out(spans, ["video", "audio"])]
    assert [(a.kind, a.start, a.length, a.cause, a.became) for a in found] == [
        ("video", 10.0, 20.0, "away", "closed"),
        ("audio", 10.0, 20.0, "away", "closed"),
        ("video", 30.0, 10.0, "away", "closed"),
        ("audio", 30.0, 10.0, "away", "closed"),
    ]
