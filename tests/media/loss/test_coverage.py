"""Where the media of each track stands in a result."""

import numpy as np
import pytest
from msgspec.structs import replace

from pipeline.media.clock import BASE
from pipeline.media.es.access_units import Units
from pipeline.media.loss.coverage import covered, together
from pipeline.media.loss.holes import Stretch
from pipeline.model import Coverage, TrackCoverage
from tests.media.loss.test_holes import AUDIO, KEPT, VIDEO, grouped, steps, stretch


def test_each_segment_is_where_its_units_are():
    found = covered(VIDEO, [stretch(0, steps(0, 15)), stretch(1, steps(180_000, 15))], KEPT)
    assert found == TrackCoverage("video", 256, begin=(0.0, 2.0), end=(1.0, 3.0))


def test_a_segment_without_the_track_has_no_place():
    empty = stretch(1, [])
    found = covered(AUDIO, [stretch(0, grouped(0, 8)), empty], KEPT)
    assert (found.begin, found.end) == ((0.0, None), (0.171, None))


def test_pictures_stand_where_they_are_shown():
    """Two steps behind their decoding."""
    dts = np.array(steps(BASE, 3), np.int64)
    pts = dts[[0, 2, 1]] + 12_000
    units = Units(np.ones(3, np.uint32), pts, dts, 0, np.empty(0, np.intp))
    found = covered(VIDEO, [Stretch("0.ts", units)], KEPT)
    assert (found.begin, found.end) == ((0.133,), (0.333,))


def test_what_is_lost_at_both_ends():
    promised = replace(KEPT, end=BASE + 270_000.0, late=True, early=True, within=(0, 0))
    found = covered(VIDEO, [stretch(0, steps(90_000, 15))], promised)
    assert (found.before, found.behind) == (1.0, 1.0)


def test_what_was_not_sent_behind_what_is_lost_is_no_part_of_it():
    promised = replace(KEPT, late=True, unsent=60_000.0, within=(0, 0))
    found = covered(VIDEO, [stretch(0, steps(90_000, 15))], promised)
    assert (found.before, found.unsent) == (0.333, 0.667)
    nothing = covered(VIDEO, [stretch(0, steps(90_000, 15))], replace(promised, late=False))
    assert (nothing.before, nothing.unsent) == (0.0, 0.0)


VIDEO_ALONE = Coverage(("0.ts",), (TrackCoverage("video", 256, 0.5, 9.0, (0.0,), (4.0,)),))
BOTH = Coverage(
    ("1.ts",),
    (
        TrackCoverage("video", 256, 9.0, 0.25, (0.0,), (4.0,)),
        TrackCoverage("audio", 257, 0.0, 0.0, (0.02,), (3.9,)),
    ),
)


def test_of_several_files_the_first_one_says_what_was_not_sent():
    one, other = (replace(VIDEO_ALONE.tracks[0], unsent=seconds) for seconds in (2.0, 3.0))
    parts = [(0.0, Coverage(("0.ts",), (one,))), (4.0, Coverage(("1.ts",), (other,)))]
    (found,) = together(parts).tracks
    assert (found.before, found.unsent, found.behind) == (0.5, 2.0, 9.0)


@pytest.mark.parametrize("begin", [4.0, 5.5])
def test_files_of_one_recording_stand_behind_each_other(begin):
    found = together([(0.0, VIDEO_ALONE), (begin, BOTH)])
    assert found == Coverage(
        ("0.ts", "1.ts"),
        (
            TrackCoverage("video", 256, 0.5, 0.25, (0.0, begin), (4.0, begin + 4.0)),
            TrackCoverage("audio", 257, 0, 0, (None, begin + 0.02), (None, round(begin + 3.9, 3))),
        ),
    )
