"""What one decoder can follow, and what it cannot."""

import pytest

from pipeline.media.es.codecs import AAC, H264, HEVC, OPUS
from pipeline.media.es.formats import StreamFormat, collide, needs
from tests import ts


def sps(
    *,
    width: int = 20,
    profile: int = 66,
    level: int = 10,
    number: int = 0,
    references: int = 1,
    chroma: int = 1,
    depth: int = 0,
    vui: bool = False,
) -> bytes:
    """A sequence parameter set of H.264 (clause 7.3.2.1.1); ``width`` in macroblocks."""

    def ue(value: int) -> str:
        bits = f"{value + 1:b}"
        return "0" * (len(bits) - 1) + bits

    bits = f"{profile:08b}{0:08b}{level:08b}" + ue(number)
    bits += (ue(chroma) + ue(depth) + ue(depth) + "00") if profile == 100 else ""
    bits += ue(0) + ue(2) + ue(references) + "0" + ue(width - 1) + ue(9) + "110"
    bits += "1" + "0" * 4 + "1" + ue(0) + ue(0) + "0000" if vui else "0"
    bits += "1"
    bits += "0" * (-len(bits) % 8)
    return b"\x67" + int(bits, 2).to_bytes(len(bits) // 8, "big")


@pytest.mark.parametrize(
    "change",
    [
        {"level": 31},
        {"number": 3},
        {"references": 4},
        {"profile": 100},
        {"vui": True},
    ],
    ids=str,
)
def test_one_decoder_follows(change):
    assert sps(**change) != sps()
    assert StreamFormat(H264, sps(**change)) == StreamFormat(H264, sps())


@pytest.mark.parametrize(
    "change",
    [
        {"width": 40},
        {"profile": 100, "chroma": 2},
        {"profile": 100, "depth": 2},
    ],
    ids=str,
)
def test_one_decoder_does_not_follow(change):
    assert StreamFormat(H264, sps(**change)) != StreamFormat(H264, sps())


def test_what_cannot_be_read_is_equal_to_itself_alone():
    assert needs(H264, b"\x67\x42") == needs(H264, b"\x67\x42") != needs(H264, b"\x67\x43")
    assert StreamFormat(H264, None) != StreamFormat(HEVC, None)


def test_opus_may_skip_and_come_from_what_it_likes():
    first, other = bytes.fromhex("0138 00 02 0138 0000bb80 0000 00"), b""
    other = first[:4] + b"\x0f\x00" + first[6:10] + first[10:]
    assert StreamFormat(OPUS, first) == StreamFormat(OPUS, other)
    assert StreamFormat(OPUS, first) != StreamFormat(OPUS, first[:3] + b"\x06" + first[4:])


def test_sound_of_other_channels_is_another():
    assert StreamFormat(AAC, b"\xff\xf1\x4c\x40") != StreamFormat(AAC, b"\xff\xf1\x4c\x80")


PPS = ts.PPS
HEVC_PPS = bytes.fromhex("4401c0718312")


@pytest.mark.parametrize(
    ("codec", "sets", "expected"),
    [
        pytest.param(H264, [sps(), PPS], False, id="one of each"),
        pytest.param(H264, [sps(), sps(number=1)], False, id="other numbers"),
        pytest.param(H264, [sps(), sps(), PPS, PPS], False, id="the same again"),
        pytest.param(H264, [sps(), sps(level=31)], True, id="another SPS under its number"),
        pytest.param(H264, [PPS, PPS + b"\x80"], True, id="another PPS under its number"),
        pytest.param(H264, [sps(), b"\x67\x42"], True, id="one that cannot be read"),
        pytest.param(HEVC, [HEVC_PPS, bytes.fromhex("4401c1718312")], True, id="PPS of H.265"),
        pytest.param(HEVC, [HEVC_PPS, bytes.fromhex("440140718312")], False, id="PPS 0 and 1"),
        pytest.param(HEVC, [b"\x40\x01\x0c", b"\x40\x01\x1c"], False, id="VPS 0 and 1"),
        pytest.param(HEVC, [b"\x40\x01\x0c", b"\x40\x01\x0d"], True, id="VPS of H.265"),
        pytest.param(H264, [], False, id="none"),
    ],
)
def test_sets_that_cannot_stand_side_by_side(codec, sets, expected):
    assert collide(codec, sets) is expected
