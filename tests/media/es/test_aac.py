"""AAC: what a configuration says of the sound, and what an MP4 may say of it."""

import pytest

from pipeline.media.es.aac import asc, same_config
from pipeline.media.es.adts import AdtsHeader
from pipeline.media.es.audio_config import audio_object, program_config
from pipeline.media.es.codecs import AAC

LC, RATE = 2, 48000
PCE = bytes.fromhex("a0a08000000000")  # LC, 44.1 kHz, one front element, no comment


def config(kind=LC, rate=RATE, channels=2):
    return AdtsHeader(kind, rate, channels).fixed_part


def test_what_a_configuration_says():
    sound = AAC.sound(config())
    assert (sound.rate, sound.channels, sound.unit, sound.lead) == (48000, 2, 1920, 0)
    assert AAC.unit_ticks(config(rate=44100)) == pytest.approx(2089.795918)
    assert AAC.unit_ticks(None) is None
    assert AAC.describe(config(rate=22050, channels=1)) == "aac 22050 Hz, 1 channels"


@pytest.mark.parametrize("channels", range(1, 8))
def test_what_is_written_into_an_mp4_says_the_same(channels):
    told = asc(config(channels=channels))
    assert audio_object(told) == (LC, RATE, 8 if channels == 7 else channels)
    assert same_config(told, config(channels=channels), ())


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"kind": 1}, id="Main"),
        pytest.param({"rate": 44100}, id="44.1 kHz"),
        pytest.param({"channels": 1}, id="mono"),
        pytest.param({"channels": 6}, id="5.1"),
    ],
)
def test_an_mp4_that_says_something_else(other):
    assert not same_config(asc(config(**other)), config(), ())
    assert not same_config(asc(config()), config(**other), ())


def test_channels_that_only_the_stream_tells_are_those_of_its_first_frame():
    header = config(rate=44100, channels=0)
    element = PCE[: program_config(PCE, 3).end]
    same, other = bytes.fromhex("1200050400000000"), bytes.fromhex("1200150400000000")
    assert same_config(same, header, {element})
    assert not same_config(other, header, {element})
    assert not same_config(bytes.fromhex("1208"), header, {element})


def test_nothing_is_asked_of_sound_without_a_configuration():
    assert same_config(b"", config(), ())
