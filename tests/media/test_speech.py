"""Who spoke when, and who has the floor."""

import json

import numpy as np
import pytest

from pipeline.media.speech import (
    STEP,
    Spoken,
    Talk,
    Turn,
    Voice,
    as_json,
    as_vtt,
    coarser,
    floor,
    levels,
    of_json,
    spoken,
)

QUIET, NOISE, TALK = -120.0, -60.0, -25.0  # dB
RATE = 4000


def voice(*stretches, uid="1", begin=0.0):
    """Of (seconds, dB)."""
    made = [np.full(round(seconds / STEP), loud) for seconds, loud in stretches]
    return Voice(uid, begin, np.concatenate(made))


def told(*voices):
    return [(one.begin, one.end, one.uid) for one in spoken(voices)]


def test_levels_are_those_of_full_scale():
    time = np.arange(RATE) / RATE
    loud = np.sin(2 * np.pi * 440 * time) * 32767
    samples = np.concatenate([loud, loud / 10, np.zeros(RATE), loud[:10]]).astype(np.int16)
    found = levels(samples, RATE)
    assert len(found) == 31
    assert found[:20] == pytest.approx([-3.01] * 10 + [-23.01] * 10, abs=0.1)
    assert (found[20:30] < -100).all()
    assert levels(np.zeros(0, np.int16), RATE).tolist() == []


def test_steps_are_put_together_by_power():
    fine = np.array([-20.0] * 10 + [-10.0] * 5 + [-120.0] * 5 + [-20.0])
    assert coarser(fine, 0.01) == pytest.approx([-20.0, -13.01, -30.0], abs=0.01)


@pytest.mark.parametrize(
    ("stretches", "expected"),
    [
        pytest.param([(2, NOISE), (3, TALK), (2, NOISE)], [(2, 5)], id="above the noise"),
        pytest.param([(2, QUIET), (3, TALK), (2, QUIET)], [(2, 5)], id="muted before and after"),
        pytest.param(
            [(1, TALK), (0.9, NOISE), (1, TALK), (1.2, NOISE), (1, TALK)],
            [(0, 2.9), (4.1, 5.1)],
            id="a short pause and a long one",
        ),
        pytest.param([(2, QUIET), (3, -45.0), (9, -70.0)], [(2, 5)], id="soft, in a quiet room"),
        pytest.param([(9, -40.0)], [], id="a fan"),
        pytest.param([(9, -20.0)], [(0, 9)], id="loud all the time"),
        pytest.param([(9, QUIET)], [], id="silence"),
        pytest.param([], [], id="nothing"),
    ],
)
def test_a_user_speaks(stretches, expected):
    made = voice(*stretches) if stretches else Voice("1", 0.0, np.zeros(0))
    assert told(made) == [(begin, end, "1") for begin, end in expected]


def test_every_voice_is_on_the_clock_of_the_session():
    one, two = voice((2, TALK)), voice((1, NOISE), (2, TALK), uid="2", begin=0.5)
    assert told(one, two) == [(0.0, 2.0, "1"), (1.5, 3.5, "2")]


def test_the_floor_goes_to_the_loudest_and_not_for_a_moment():
    one = voice((6, TALK), (0.5, NOISE), (3.5, TALK), (10, NOISE))
    two = voice((6, NOISE), (0.5, TALK), (4.5, NOISE), (14, TALK), uid="2")
    louder = voice((14, NOISE), (4, TALK + 10), (2, NOISE), uid="3")
    turns = floor([one, two, louder])
    assert [turn.uid for turn in turns] == ["1", "2", "3", "2"]
    assert [round(turn.begin) for turn in turns] == [0, 11, 13, 19]


@pytest.mark.parametrize("voices", [(), (voice((5, QUIET)),)])
def test_nobody_has_the_floor(voices):
    assert floor(voices) == ()


def test_one_who_speaks_alone_keeps_the_floor():
    assert floor([voice((1, NOISE), (1, TALK), (20, NOISE))]) == (Turn(0.1, "1"),)


TALKING = Talk(
    "s_room",
    "2026-03-02T09:00:02.123Z",
    (Spoken(0.0, 1.5, "7"), Spoken(3599.9, 3661.25, "12"), Spoken(3662.0, 3663.0, "7")),
    {"12": "A <b> & C\n\nD"},
)


def test_json_says_how_long_each_spoke_and_when():
    document = json.loads(as_json(TALKING))
    assert (document["session"], document["started"]) == ("s_room", TALKING.started)
    assert document["speakers"] == [
        {"uid": "7", "name": None, "seconds": 2.5},
        {"uid": "12", "name": "A <b> & C\n\nD", "seconds": 61.35},
    ]
    assert document["spoken"][1] == {"begin": 3599.9, "end": 3661.25, "uid": "12"}
    assert of_json(as_json(TALKING)) == TALKING


def test_webvtt_has_a_cue_for_each_time():
    """A name can end neither cue nor tag."""
    assert as_vtt(TALKING).decode() == (
        "WEBVTT\n\n"
        "00:00:00.000 --> 00:00:01.500\n<v 7>7</v>\n\n"
        "00:59:59.900 --> 01:01:01.250\n<v A &lt;b&gt; &amp; C D>A &lt;b&gt; &amp; C D</v>\n\n"
        "01:01:02.000 --> 01:01:03.000\n<v 7>7</v>\n"
    )
    assert as_vtt(Talk("s", None)) == b"WEBVTT\n"


def test_without_a_user_nothing_is_left_of_them():
    left = TALKING.without("12")
    assert left == Talk("s_room", TALKING.started, (TALKING.spoken[0], TALKING.spoken[2]))
    assert b"12" not in as_vtt(left).replace(b"00:", b"")
    assert left.without("12") == left


@pytest.mark.parametrize("text", [b"{}", b"[]", b"{", b'{"schema": 2}'])
def test_what_is_no_such_document(text):
    with pytest.raises((ValueError, KeyError, TypeError)):
        of_json(text)
