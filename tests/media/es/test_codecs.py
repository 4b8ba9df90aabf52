"""What is known of each codec."""

from contextlib import suppress

import pytest

from pipeline.media.es.codecs import BY_MP4_ENTRY, CODECS, H264, Codec, codec_of
from pipeline.media.malformed import Malformed
from tests import ts


@pytest.mark.parametrize(
    ("codec", "es", "config", "key"),
    [
        pytest.param(H264, ts.access_unit(0), ts.SPS, True, id="H.264 key picture"),
        pytest.param(H264, ts.access_unit(1), None, False, id="H.264 picture"),
        pytest.param(H264, ts.annex_b([ts.SPS]), ts.SPS, True, id="H.264 SPS alone"),
        pytest.param(H264, ts.annex_b([ts.IDR]), None, True, id="H.264 IDR alone"),
        pytest.param(H264, b"", None, False, id="nothing"),
    ],
)
def test_parameter_sets_and_key_pictures(codec, es, config, key):
    assert (codec.config(es), codec.is_key(es)) == (config, key)


@pytest.mark.parametrize(
    ("es", "count"),
    [
        pytest.param(ts.access_unit(0), 1, id="a picture"),
        pytest.param(ts.access_unit(0) + ts.access_unit(1), 2, id="two pictures"),
        pytest.param(ts.access_unit(0, slices=3), 1, id="a picture of three slices"),
        pytest.param(ts.annex_b([ts.nal(1, first_mb=2)]), 1, id="the rest of a picture"),
        pytest.param(ts.annex_b([ts.AUD, ts.SPS]), 0, id="no slice"),
    ],
)
def test_pictures_of_a_pes_are_counted(es, count):
    assert H264.count(es) == count


@pytest.mark.parametrize(
    ("stream_type", "format_identifier", "stream_id", "expected"),
    [
        pytest.param(0x1B, "", 0, ("h264", "video", True), id="H.264"),
        pytest.param(0x24, "", 0, ("hevc", "video", True), id="H.265"),
        pytest.param(0x0F, "", 0, ("aac", "audio", True), id="AAC"),
        pytest.param(0x0F, "Opus", 0xE0, ("aac", "audio", True), id="the type overrules all"),
        pytest.param(0x03, "", 0, ("mp2", "audio", False), id="MPEG audio"),
        pytest.param(0x11, "", 0, ("aac_latm", "audio", False), id="LATM"),
        pytest.param(0xDB, "", 0, ("SAMPLE-AES h264", "video", False), id="encrypted H.264"),
        pytest.param(0xCF, "", 0, ("SAMPLE-AES aac", "audio", False), id="encrypted AAC"),
        pytest.param(6, "Opus", 0, ("opus", "audio", False), id="private: Opus"),
        pytest.param(6, "HEVC", 0, ("hevc", "video", True), id="private: H.265"),
        pytest.param(6, "AC-3", 0, ("ac3", "audio", False), id="private: AC-3"),
        pytest.param(6, "", 0xE0, None, id="private data"),
        pytest.param(0x15, "", 0xE0, None, id="timed metadata"),
        pytest.param(None, "", 0xE0, ("h264", "video", True), id="not in the PMT: video"),
        pytest.param(None, "", 0xEF, ("h264", "video", True), id="not in the PMT: last video"),
        pytest.param(None, "", 0xC0, ("aac", "audio", True), id="not in the PMT: audio"),
        pytest.param(None, "", 0xDF, ("aac", "audio", True), id="not in the PMT: last audio"),
        pytest.param(None, "", 0xBD, None, id="not in the PMT: private"),
        pytest.param(None, "", 0xF0, None, id="not in the PMT: ECM"),
    ],
)
def test_codecs(stream_type, format_identifier, stream_id, expected):
    codec = codec_of(stream_type, format_identifier, stream_id)
    assert (codec and (codec.name, codec.kind, codec.copied)) == expected


COPIED = sorted(
    {codec for codec in (*CODECS.values(), *BY_MP4_ENTRY.values()) if codec.copied},
    key=lambda codec: codec.name,
)
CONFIG = {  # one of each that a decoder can be told
    "h264": ts.SPS,
    "hevc": ts.SPS,
    "aac": bytes.fromhex("fff14c40"),
    "vp9": bytes.fromhex("014000b4010000000000820202020000"),
    "av1": bytes.fromhex("014000b481000c00"),
    "opus": bytes.fromhex("00000002013800000bb80000000000"),
}
each_copied = pytest.mark.parametrize("codec", COPIED, ids=lambda codec: codec.name)


@each_copied
def test_all_is_known_of_what_is_copied(codec):
    """A codec that fits into MP4 has its place in a transport stream and in MP4."""
    assert codec.carriage is not None
    assert codec.mp4_entries
    assert codec.mp4_box
    assert codec_of(codec.stream_type, "rcpp", 0) is codec
    assert codec.name in codec.describe(CONFIG[codec.name])


@each_copied
def test_an_mp4_that_says_something_else_of_the_stream_is_not_believed(codec):
    config = CONFIG[codec.name]
    if codec.mp4_config:
        assert codec.same_config(codec.mp4_config(config, ()), config, ())
    with suppress(Malformed):
        assert not codec.same_config(b"\1" * 40, config, ())


def test_nothing_vouches_for_a_codec_of_which_nothing_is_known():
    assert not Codec("new", "audio").same_config(b"", b"", ())
