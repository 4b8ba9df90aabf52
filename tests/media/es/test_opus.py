"""Opus: its configuration, as containers tell it."""

import pytest

from pipeline.media.es.codecs import OPUS
from pipeline.media.es.descriptions import Sound
from pipeline.media.es.opus import configured, dops, dops_of, same_config

HEAD = b"OpusHead\1\2\x38\1\x80\xbb\0\0\0\0\0"  # RFC 7845 section 5.1: 312 of 48 kHz
DOPS = b"\0\2\1\x38\0\0\xbb\x80\0\0\0"


def test_the_head_of_an_ogg_file_as_mp4_has_it():
    assert dops_of(HEAD) == DOPS


@pytest.mark.parametrize("head", [b"", b"OpusTags", HEAD[:18], b"OpusHead\x11" + HEAD[9:]])
def test_what_is_no_such_head(head):
    assert dops_of(head) == b""


def test_a_configuration_tells_rate_channels_and_what_is_not_heard():
    config = configured(DOPS, (0, 0), 312 / 48000)
    assert config == b"\x01\x38" + DOPS
    assert dops(config) == DOPS
    assert OPUS.sound(config) == Sound(48000, 2, None, 585)
    assert OPUS.unit_ticks(config) is None
    assert OPUS.describe(config) == "opus 48000 Hz, 2 channels"


def test_no_container_skips_more_than_it_can_say():
    assert configured(DOPS, (0, 0), 10.0)[:2] == b"\xff\xff"


@pytest.mark.parametrize("box", [b"", DOPS[:10], b"\1" + DOPS[1:]])
def test_what_is_no_configuration(box):
    assert configured(box, (0, 0), 0.0) == b""


def test_an_mp4_may_have_another_version_and_nothing_else():
    config = configured(DOPS, (0, 0), 0.0)
    assert same_config(b"\1" + DOPS[1:], config, ())
    assert not same_config(DOPS[:1] + b"\1" + DOPS[2:], config, ())
