"""Who is on the canvas when; the scenes hold every picture once."""

import random

import pytest

from pipeline.choices import Layout
from pipeline.media.compose.layout import Arrangement
from pipeline.media.compose.scenes import Presence, pictures_in, presence, schedule
from pipeline.media.speech import Turn
from pipeline.model import Absence

HOW = Arrangement()


def there(*spans, uid="1"):
    return Presence(uid, spans)


def told(scenes):
    """First picture, number of pictures and users of each."""
    return [(one.begin, one.count, [uid for uid, _ in one.tiles]) for one in scenes]


@pytest.mark.parametrize(
    ("seconds", "pictures"), [(0.0, 1), (0.04, 1), (0.041, 2), (40.0, 1000), (40.013, 1001)]
)
def test_all_of_a_time_is_shown(seconds, pictures):
    assert pictures_in(seconds, 25) == pictures


def test_who_leaves_makes_room_and_who_returns_comes_last():
    scenes = schedule([there((0, 4), (6, 10)), there((1, 10), uid="2")], HOW, 250)
    assert told(scenes) == [
        (0, 25, ["1"]),
        (25, 75, ["1", "2"]),
        (100, 50, ["2"]),
        (150, 100, ["2", "1"]),
    ]


def test_who_comes_a_moment_later_comes_with_the_others():
    scenes = schedule([there((0, 10)), there((0.3, 9.8), uid="2")], HOW, 250)
    assert told(scenes) == [(0, 250, ["1", "2"])]


def test_a_session_shorter_than_a_scene_is_one():
    assert told(schedule([there((0, 0.2))], HOW, 5)) == [(0, 5, ["1"])]


def test_nobody_is_there_for_a_while():
    scenes = schedule([there((0, 2)), there((6, 8), uid="2")], HOW, 200)
    assert told(scenes) == [(0, 50, ["1"]), (50, 100, []), (150, 50, ["2"])]


def test_users_who_come_at_once_are_in_the_order_of_their_numbers():
    scenes = schedule([there((0, 4), uid="10"), there((0, 4), uid="9")], HOW, 100)
    assert told(scenes) == [(0, 100, ["9", "10"])]


def test_the_large_tile_goes_with_the_floor():
    users = [there((0, 8)), there((0, 8), uid="2")]
    scenes = schedule(users, Arrangement(Layout.SPEAKER), 200, [Turn(2.0, "2"), Turn(6.0, "1")])
    assert told(scenes) == [(0, 50, ["1", "2"]), (50, 100, ["2", "1"]), (150, 50, ["1", "2"])]


def absent(kind, start, length):
    return Absence(kind, start, length, "away")


@pytest.mark.parametrize(
    ("absences", "spans"),
    [
        pytest.param([], ((5.0, 65.0),), id="always there"),
        pytest.param(
            [absent("audio", 10, 20), absent("video", 12, 18.5)],
            ((5.0, 17.0), (35.0, 65.0)),
            id="both streams are away",
        ),
        pytest.param([absent("video", 10, 20)], ((5.0, 65.0),), id="the camera is off"),
        pytest.param(
            [absent("audio", 10, 14), absent("video", 10, 14)],
            ((5.0, 65.0),),
            id="away for a shorter time than Agora announces",
        ),
        pytest.param(
            [absent("audio", 40, 20), absent("video", 41, 19)], ((5.0, 46.0),), id="left for good"
        ),
    ],
)
def test_who_sends_nothing_for_long_has_left(absences, spans):
    found = presence("1", (5.0, 65.0), absences, ("video", "audio"))
    assert found == Presence("1", spans)


@pytest.mark.parametrize("seed", range(50))
def test_every_picture_is_in_one_scene_and_no_scene_is_short(seed):
    dice = random.Random(seed)
    users = []
    for n in range(dice.randint(1, 20)):
        edges = sorted(dice.uniform(0, 60) for _ in range(2 * dice.randint(1, 4)))
        users.append(there(*zip(edges[::2], edges[1::2], strict=True), uid=str(n + 1)))
    pictures = dice.randint(1, 1500)
    scenes = schedule(users, HOW, pictures)
    ends = [one.begin + one.count for one in scenes]
    assert [one.begin for one in scenes] == [0, *ends[:-1]]
    assert ends[-1] == pictures
    assert all(one.count >= min(10, pictures) for one in scenes)
    assert all(len(one.tiles) <= 17 for one in scenes)
