"""Users, their screens, and what they are told to do."""

import pytest

from pipeline.errors import UsageError
from pipeline.simulator.recorder import palette
from pipeline.simulator.recorder.values import HZ
from pipeline.simulator.session.cast import MOST_USERS, Act, crew, parse_act
from tests.simulator.session.conftest import LOOK


@pytest.mark.parametrize(
    ("text", "act"),
    [
        ("1001:leave@20", Act("1001", "leave", 20.0)),
        ("1001:camera_off@0.25", Act("1001", "camera_off", 0.25)),
        ("7:rotate@3:270", Act("7", "rotate", 3.0, "270")),
        ("7:resize@3:320x180", Act("7", "resize", 3.0, "320x180")),
    ],
)
def test_an_act_is_read(text, act):
    assert parse_act(text) == act


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("leave", "UID:WHAT@SECONDS", id="nobody"),
        pytest.param("1001:dance@3", "expected UID:WHAT", id="unknown"),
        pytest.param("1001:leave@1.2.3", "expected seconds", id="no time"),
        pytest.param("1001:leave@3:90", "takes no argument", id="an argument too many"),
        pytest.param("1001:rotate@3:45", "one of 0, 90, 180, 270", id="no right angle"),
        pytest.param("1001:rotate@3", "one of 0, 90, 180, 270", id="no angle"),
        pytest.param("1001:resize@3:90", "WIDTHxHEIGHT", id="no size"),
    ],
)
def test_what_is_no_act_is_refused(text, why):
    with pytest.raises(UsageError, match=why):
        parse_act(text)


def test_everyone_has_a_colour_a_tone_and_a_clock_of_their_own():
    acts = (Act("1001", "share", 3.0),)
    made = crew(3, LOOK, 5, acts=acts, web={"1002": "vp9"})
    assert [m.uid for m in made] == ["1001", "1002", "1003", "10001"]
    assert [m.look.chroma for m in made] == [palette.chroma(n) for n in range(4)]
    assert [m.look.tone for m in made] == [palette.tone(n) for n in range(4)]
    assert len({m.phase for m in made[:3]}) == 3
    assert all(0 <= m.phase < HZ for m in made)
    assert [m.web for m in made] == [None, "vp9", None, None]
    assert [m.streams for m in made][2:] == [("audio", "video"), ("video",)]
    assert made[3].screen_of == "1001"


@pytest.mark.parametrize("count", [0, MOST_USERS + 1])
def test_too_few_and_too_many_are_refused(count):
    with pytest.raises(UsageError, match="expected 1 to 12"):
        crew(count, LOOK, 0)


def test_a_browser_of_nobody_is_refused():
    with pytest.raises(UsageError, match="1009: nobody has that uid"):
        crew(2, LOOK, 0, web={"1009": "vp8"})
