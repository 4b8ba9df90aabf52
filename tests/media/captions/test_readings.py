"""What the times of captions can mean, and which meaning is believed."""

import pytest

from pipeline.media.captions.clock import WRAP, ResultClock
from pipeline.media.captions.readings import CaptionFile, of_span, reading
from pipeline.media.captions.webvtt import Cue, Document, TimestampMap

NOON = 1_772_442_000.0
CLOCK = ResultClock(zero=(NOON,), seconds=100.0, first=1000)
DAY = "the times of day in their cues"
MAPPED = "the times of day in X-TIMESTAMP-MAP"
STAMPS = "the stamps in X-TIMESTAMP-MAP"
FILES = "the times of their files"
BEGIN = "the beginning of the recording"


def file(*at: float, map: TimestampMap | None = None, **told: float) -> CaptionFile:
    """A cue of a second at each of these times."""
    return CaptionFile(Document(tuple(Cue(a, a + 1, "x") for a in at), map), **told)


def placed(*files: CaptionFile, clock: ResultClock = CLOCK) -> tuple[str, list[float]] | None:
    found = reading(files, clock)
    return found and (found.how, [round(cue.begin, 3) for cue in found.cues])


@pytest.mark.parametrize(
    ("files", "found"),
    [
        pytest.param([file(NOON + 3, NOON + 8)], (DAY, [3, 8]), id="cues count from 1970"),
        pytest.param(
            [file(5, map=TimestampMap(2.0, round((NOON + 10) * 90_000)))],
            (MAPPED, [13]),
            id="the map counts from 1970",
        ),
        pytest.param(
            [file(5, map=TimestampMap(2.0, round((NOON + 10) * 90_000) % WRAP))],
            (MAPPED, [13]),
            id="the map counts from 1970 in 33 bits",
        ),
        pytest.param(
            [file(5, map=TimestampMap(2.0, 1000 + 10 * 90_000))],
            (STAMPS, [13]),
            id="the map is of the slices",
        ),
        pytest.param(
            [file(5, time=NOON, lasts=60.0), file(2, time=NOON + 60, lasts=60.0)],
            (FILES, [5, 62]),
            id="each file begins at 0",
        ),
        pytest.param(
            [file(5, time=NOON, lasts=60.0), file(70, time=NOON + 60, lasts=60.0)],
            (FILES, [5, 70]),
            id="the first file begins at 0",
        ),
        pytest.param([file(5), file(70)], (BEGIN, [5, 70]), id="nothing is said"),
        pytest.param([file(NOON - 500)], None, id="another day"),
        pytest.param([file(5, time=NOON - 500)], None, id="files of another time"),
        pytest.param([file(100)], None, id="behind the end"),
        pytest.param([file()], None, id="no cue"),
        pytest.param([], None, id="no file"),
    ],
)
def test_times_are_read_off_whatever_says_them(files, found):
    assert placed(*files) == found


def test_without_a_wall_clock_only_the_beginning_is_known():
    clock = ResultClock(seconds=100.0)
    assert placed(file(5, time=NOON), clock=clock) == (BEGIN, [5])
    assert placed(file(NOON + 5), clock=clock) is None


def test_cues_outside_are_counted_and_cut():
    found = reading([file(-0.5, 40, 99.5, 200)], CLOCK)
    assert found is not None
    assert [(cue.begin, cue.end) for cue in found.cues] == [(0, 0.5), (40, 41), (99.5, 100)]
    assert found.outside == 1


def test_a_user_who_came_late_has_captions_of_the_session():
    clock = ResultClock(zero=(NOON + 10,), seconds=100.0, began=NOON)
    assert placed(file(15), clock=clock) == (BEGIN, [5])


def test_the_second_of_two_files_begins_anew():
    cues = (Cue(5, 7, "a"), Cue(59, 61, "b"), Cue(70, 71, "c"))
    assert of_span(cues, 60, 120) == (Cue(0, 1, "b"), Cue(10, 11, "c"))
