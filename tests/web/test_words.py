"""Values as a page shows them."""

import shlex

import pytest

from pipeline.ledger.states import State
from pipeline.web import words

SID = "f" * 32


def row(**chosen):
    values = {"name": f"{SID}_room", "sid": SID, "destination": "s3://to/"}
    return {**values, "state": State.LATE, "held": False, "verdict": None, **chosen}


def test_the_channel_is_what_follows_the_sid():
    assert words.channel(row()) == "room"
    assert words.channel(row(sid=None, name="talk")) == "talk"


@pytest.mark.parametrize(
    ("group", "word", "tone"),
    [
        ((State.PUBLISHED, "ok"), "published", "good"),
        ((State.PUBLISHED, "degraded"), "degraded", "bad"),
        ((State.REJECTED, "rejected"), "rejected", "bad"),
        ((State.LATE, None), "late", "look"),
        ((State.CHANGED, "degraded"), "changed", "look"),
        ((State.RECORDING, None), "recording", "calm"),
    ],
)
def test_a_group_in_a_word(group, word, tone):
    assert (words.word(group), words.tone(group)) == (word, tone)


def test_every_state_has_a_tone():
    assert {words.tone((state, None)) for state in State} == {"bad", "look", "good", "calm"}


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "–"), (9.94, "9.9 s"), (61.0, "1 min 1 s"), (7265.0, "2 h 1 min")]
)
def test_lengths(seconds, text):
    assert words.lasting(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(None, "–"), (0, "0 bytes"), (1500, "1.5 kB"), (3.2e15, "3200.0 TB")]
)
def test_sizes(count, text):
    assert words.in_bytes(count) == text


def test_commands_are_those_that_can_be_done():
    def verbs(**chosen):
        return [text.split()[1] for _, text in words.commands(row(**chosen))]

    assert verbs() == ["explain", "retry", "hold"]
    assert verbs(state=State.WORKING) == ["explain", "hold"]
    assert verbs(state=State.PUBLISHED, verdict="ok") == ["explain", "hold", "archive"]
    assert "--release" in words.commands(row(held=True))[-1][1]


@pytest.mark.parametrize("name", ["a; rm -rf /", "$(id)", "`id`", "'\"", "--help", "-x"])
def test_a_name_is_one_word_of_a_command_and_no_option(name):
    for _, text in words.commands(row(sid=None, name=name)):
        assert shlex.split(text)[-1] == name
        assert (shlex.split(text)[-2] == "--") is name.startswith("-")


@pytest.mark.parametrize("name", ["a\nrm x", "a\u202eb", "a\x1b[2J"], ids=repr)
def test_no_command_for_what_a_terminal_would_not_take_as_it_is(name):
    assert words.commands(row(sid=None, name=name)) == []
