"""AudioSpecificConfig and program_config_element: as muxers write them, and as none should."""

import pytest

from pipeline.media.es.audio_config import audio_object, program_config, told_channels
from pipeline.media.malformed import Malformed
from tests.media.boxes_builder import ASC


def bits(text: str) -> bytes:
    text = text.replace(" ", "")
    return int(text.ljust(-len(text) % 8 + len(text), "0"), 2).to_bytes((len(text) + 7) // 8, "big")


@pytest.mark.parametrize(
    ("asc", "expected"),
    [
        pytest.param(ASC, (2, 48000, 2), id="LC 48 kHz stereo"),
        pytest.param(bytes.fromhex("1208"), (2, 44100, 1), id="LC 44.1 kHz mono"),
        pytest.param(bytes.fromhex("119056e500"), (2, 48000, 2), id="LC, SBR sync extension"),
        pytest.param(bits(f"00010 1111 {48001:024b} 0010"), (2, 48001, 2), id="rate in full"),
        pytest.param(bits("11111 000111 0011 0001"), (39, 48000, 1), id="type 39 by escape"),
        pytest.param(bits("00101 0110 0010 0011 00010"), (2, 24000, 2), id="SBR in front"),
        pytest.param(bits("11101 0110 0001 0011 00010"), (2, 24000, 1), id="PS in front"),
        pytest.param(
            bits(f"00101 0110 0010 1111 {48001:024b} 00010"), (2, 24000, 2), id="SBR, rate"
        ),
        pytest.param(bits("00010 0011 0111"), (2, 48000, 8), id="7.1"),
        pytest.param(bits("00010 0011 0000"), (2, 48000, 0), id="channels in the stream"),
    ],
)
def test_audio_object(asc, expected):
    assert audio_object(asc) == expected


@pytest.mark.parametrize(
    ("asc", "why"),
    [
        pytest.param(b"", "cut short", id="nothing"),
        pytest.param(b"\x11", "cut short", id="one byte"),
        pytest.param(b"\x17\x80", "cut short", id="rate in full cut short"),
        pytest.param(bits("00010 1101 0001"), "index 13", id="reserved rate"),
        pytest.param(bits("00010 0011 1111"), "configuration 15", id="reserved channels"),
    ],
)
def test_audio_object_refuses(asc, why):
    with pytest.raises(Malformed, match=why):
        audio_object(asc)


# instance 0, LC, 48 kHz; one front pair, one back pair; an LFE; a mono mixdown of element 3
PCE = "0000 01 0011 0001 0000 0001 01 000 0000 1 0011 0 0 10000 11000 0010"


@pytest.mark.parametrize(
    ("data", "at"),
    [
        pytest.param(bits(f"00010 0011 0000 000 {PCE}") + b"\2hi", 16, id="in the configuration"),
        pytest.param(bits(f"101 {PCE}") + b"\2hi" + b"frame", 3, id="in front of a frame"),
    ],
)
def test_channels_are_told_the_same_wherever_that_stands(data, at):
    found = program_config(data, at)
    assert (found.coded, found.comment) == (PCE.replace(" ", ""), b"hi")
    assert found.channels == 5
    assert data[found.end :] in (b"", b"frame")


@pytest.mark.parametrize("left", range(3, 10))
def test_channels_that_are_cut_short(left):
    data = (bits(f"101 {PCE}") + b"\2hi")[:left]
    with pytest.raises(Malformed, match="cut short"):
        program_config(data, 3)


def test_only_channels_that_stand_nowhere_else_are_told_apart():
    assert told_channels(bytes.fromhex("1190")) is None
    told = told_channels(bits(f"00010 0011 0000 000 {PCE}") + b"\0")
    assert told is not None
    assert told.channels == 5
