"""VP8 and VP9: what frames say of themselves."""

import pytest

from pipeline.media.es.codecs import VP8, VP9
from pipeline.media.es.vpx import same_config, vp9_key


@pytest.mark.parametrize(
    ("frame", "config", "key"),
    [
        pytest.param("5001009d012a4001b400", "014000b4", True, id="key"),
        pytest.param("5101009d012a4001b400", None, False, id="other"),
        pytest.param("5001009d012b4001b400", None, True, id="no start code"),
        pytest.param("5001009d012a4001b4", None, True, id="cut short"),
    ],
)
def test_vp8_frames(frame, config, key):
    es = bytes.fromhex(frame)
    assert VP8.config(es) == (config and bytes.fromhex(config))
    assert VP8.is_key(es) is key


@pytest.mark.parametrize(
    ("frame", "key"),
    [
        pytest.param("824983420013f00b3000", True, id="key"),
        pytest.param("8649834200", False, id="other"),
        pytest.param("8a", None, id="shown again"),
        pytest.param("", False, id="nothing"),
    ],
)
def test_vp9_key_pictures(frame, key):
    assert vp9_key(bytes.fromhex(frame)) is key


@pytest.mark.parametrize(
    ("frame", "size", "depth"),
    [
        pytest.param("824983420013f00b3000", (320, 180), 0x82, id="profile 0"),
        pytest.param("92498342080013f00b3000"[:20], None, None, id="10 bits, cut"),
    ],
)
def test_what_a_vp9_key_picture_tells(frame, size, depth):
    config = VP9.config(bytes.fromhex(frame))
    if size:
        assert config is not None
        assert tuple(int.from_bytes(config[n : n + 2], "big") for n in (0, 2)) == size
        assert config[10] == depth


def test_a_frame_that_only_shows_one_again_is_no_change():
    assert VP9.is_key(bytes.fromhex("8a"))
    assert not VP9.is_key(bytes.fromhex("8649834200"))


@pytest.mark.parametrize(
    ("place", "value", "same"),
    [
        pytest.param(4, 1, False, id="profile"),
        pytest.param(6, 0xA2, False, id="depth"),
        pytest.param(6, 0x86, False, id="chroma"),
        pytest.param(5, 30, True, id="level"),
        pytest.param(6, 0x80, True, id="where chroma samples lie"),
    ],
)
def test_what_an_mp4_says_of_the_stream(place, value, same):
    config = VP9.config(bytes.fromhex("824983420013f00b3000"))
    assert config is not None
    told = bytearray(config[4:])
    told[place] = value
    assert same_config(bytes(told), config, ()) is same
