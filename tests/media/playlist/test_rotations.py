"""How pictures are turned, by what stands in front of their segments."""

import pytest

from pipeline.media.playlist.rotations import turned
from pipeline.model import Listed, Rotation, Segment, Turn

BEGIN = 1_700_000_000.25


def part(*rotations, utc=True, duration=15.0):
    """Segments of 15 s, each behind tags: degrees, and seconds from the beginning of the part."""
    segments = []
    for n, tags in enumerate(rotations):
        told = tuple(
            Rotation(640, 360, degrees, None if at is None else BEGIN + at) for degrees, at in tags
        )
        begin = BEGIN + 15 * n if utc else None
        segments.append(Listed(Segment(f"{n}.ts", duration, rotations=told), None, begin))
    return segments


def turns(*rotations, **how):
    found = turned(part(*rotations, **how))
    return [[(turn.since, turn.degrees) for turn in one.turns] for one in found]


@pytest.mark.parametrize(
    ("rotations", "found"),
    [
        pytest.param([[], []], [[], []], id="nothing is told"),
        pytest.param([[(0, 0)], []], [[], []], id="upright"),
        pytest.param([[(90, 0)], []], [[(0, 90)], [(0, 90)]], id="it holds on"),
        pytest.param([[(90, 0)], [(0, 15)]], [[(0, 90)], []], id="until the next"),
        pytest.param([[(0, 0), (270, 4)], []], [[(0, 0), (4, 270)], [(0, 270)]], id="inside"),
        pytest.param([[(0, 0), (90, 4), (180, 6)]], [[(0, 0), (4, 90), (6, 180)]], id="twice"),
        pytest.param([[(0, 0), (90, 4), (90, 6)]], [[(0, 0), (4, 90)]], id="said twice"),
        pytest.param([[(90, 0.367)], []], [[(0, 90)], [(0, 90)]], id="pictures come later"),
        pytest.param([[], [(90, 15)]], [[(0, 90)], [(0, 90)]], id="the first tag comes late"),
        pytest.param([[(0, 0), (90, 15)], []], [[], [(0, 90)]], id="with the next one"),
        pytest.param([[(90, -3)], []], [[(0, 90)], [(0, 90)]], id="before the beginning"),
        pytest.param([[(0, 0)], [(90, 3)]], [[], [(0, 90)]], id="a time that is past"),
        pytest.param([[(0, 0), (90, None)]], [[(0, 90)]], id="without a time"),
        pytest.param([[(0, 0), (90, 5), (180, 4)]], [[(0, 0), (4, 180)]], id="times run back"),
        pytest.param([[(0, 0), (90, 0.001)]], [[(0, 90)]], id="a millisecond is rounding"),
    ],
)
def test_turns_of_each_segment(rotations, found):
    assert turns(*rotations) == found


def test_only_so_many_turns_inside_a_segment_are_followed():
    (found,) = turns([(90 * (n % 2), n / 5) for n in range(70)])
    assert len(found) == 16
    assert found[0] == (0, 0)
    assert found[-1] == (13.8, 90)


def test_without_a_time_in_the_name_it_holds_from_the_beginning():
    assert turns([(0, 0)], [(90, 20)], utc=False) == [[], [(0, 90)]]


def test_without_a_length_a_turn_may_come_at_any_time():
    assert turns([(0, 0), (90, 400)], duration=0.0) == [[(0, 0), (400, 90)]]


def test_what_is_upright_is_passed_on_as_it_is():
    segments = part([(0, 0)], [])
    assert [a is b for a, b in zip(segments, turned(segments), strict=True)] == [True, True]


def test_a_turn_is_a_plain_value():
    assert Turn(1.5, 90) == Turn(1.5, 90)
