"""What the names of segments say of the time, on segments made from nothing."""

import pytest
from msgspec.structs import replace

from pipeline.media.timeline.expected import slice_names as walls
from tests import ts
from tests.media.slots_builder import SECONDS, UTC, S, placed, slot

OFF = 960  # ticks by which sound begins behind the first picture of each segment
EXACT = UTC * 90_000 - S - OFF


@pytest.mark.parametrize(
    ("stray", "spread"),
    [
        pytest.param([0, 0, 0, 0], 0, id="exact"),
        pytest.param([0.5, 0.01, 0, 0.03], 0.01, id="the first one does not count"),
        pytest.param([0, 0, 0.9, 0], 0, id="one is far off"),
        pytest.param([0, 0, 0, 0, 7, 7, 7, 7, 7], 0, id="beyond a step of the wall clock"),
    ],
)
def test_what_the_names_say(stray, spread):
    segments, lanes = placed(
        [slot("main", n, utc=UTC + n * SECONDS + late) for n, late in enumerate(stray)]
    )
    found = walls.wall(segments, lanes)
    exact = UTC * 90_000 - S
    assert found.offset - exact == pytest.approx(spread * 90_000, abs=2)
    assert found.spread == pytest.approx(spread * 90_000, abs=2)


def test_no_names():
    segments, lanes = placed([slot("main", n, utc=0) for n in range(2)])
    assert walls.wall(segments, lanes) is None


@pytest.mark.parametrize("lost", [1, 5])
@pytest.mark.parametrize("audio", [None, ts.AUDIO], ids=["pictures", "and sound"])
@pytest.mark.parametrize("headless", [{1}, {2}, {0, 1}, {1, 3, 4}])
def test_what_lost_its_first_pictures_is_not_asked(headless, audio, lost):
    """It is named after a picture that it does not hold, whatever it begins with now."""
    slots = [slot("main", n, clock=OFF, lost=lost * (n in headless), audio=audio) for n in range(5)]
    segments, lanes = placed(slots)
    found = walls.wall(segments, lanes)
    assert found.offset == pytest.approx(EXACT, abs=2)
    assert found.spread == pytest.approx(0, abs=2)
    assert found.grain == 0


@pytest.mark.parametrize("lost", [1, 5])
def test_where_all_lost_their_first_pictures_sound_tells(lost):
    """It begins within a frame of where they were cut."""
    segments, lanes = placed([slot("main", n, clock=OFF, lost=lost) for n in range(2)])
    found = walls.wall(segments, lanes)
    assert found.offset == pytest.approx(EXACT - OFF, abs=2)
    assert found.grain == ts.FRAME


def test_sound_that_begins_behind_what_is_left_of_the_pictures_does_not_tell():
    segments, lanes = placed([slot("main", 0, lost=3)])
    later = segments[0].stamps[ts.AUDIO].later(4 * ts.PICTURE)
    segments[0] = replace(segments[0], stamps={**segments[0].stamps, ts.AUDIO: later})
    found = walls.wall(segments, lanes)
    assert found.offset == pytest.approx(EXACT + OFF - 3 * ts.PICTURE, abs=2)
    assert found.grain == 0


@pytest.mark.parametrize("stray", [0.0, 0.4], ids=["exact", "one name is off"])
@pytest.mark.parametrize("at", [11, 6])
def test_segments_that_last_longer_than_they_took(at, stray):
    """Each has a clock of its own; the more of them, the further the time line is behind."""
    slots = [
        slot("main", n, clock=-n * S, utc=UTC + n * SECONDS + stray * (n == 5)) for n in range(12)
    ]
    segments, lanes = placed(slots)
    segments = [segment.moved(n * (S + 1800)) for n, segment in enumerate(segments)]
    found = walls.wall(segments[::-1], lanes, at=segments[at])
    assert found.offset - (UTC * 90_000 - S) == pytest.approx(-1800 * at, abs=40 if stray else 2)
    assert found.spread == pytest.approx(0, abs=40 if stray else 2)
