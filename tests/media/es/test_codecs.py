"""What is known of each codec, and what bytes that are no transport stream look like."""

import numpy as np
import pytest

from pipeline.media.es.codecs import H264, codec_of, sniff
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


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        pytest.param(b"\x1aE\xdf\xa3\x01", "a WebM or Matroska file", id="WebM"),
        pytest.param(b"\0\0\0\x18ftypmp42", "an MP4 file or fragment", id="MP4"),
        pytest.param(b"\0\0\n\x18styp", "an MP4 file or fragment", id="fMP4"),
        pytest.param(ts.adts_frame(b"x"), "packed audio (ADTS)", id="ADTS"),
        pytest.param(ts.adts_frame(b"x", crc=True), "packed audio (ADTS)", id="ADTS with CRC"),
        pytest.param(b"ID3\x04", "packed audio (ADTS)", id="ID3"),
        pytest.param(b"\x1f\x8b\x08", "gzip data", id="gzip"),
        pytest.param(b"#EXTM3U\n", "a playlist", id="playlist"),
        pytest.param(b"\x89PNG\r\n", "a picture", id="PNG"),
        pytest.param(b"\xff\xd8\xff\xe0", "a picture", id="JPEG"),
        pytest.param(b"\r\n <!DOCTYPE html>", "an HTML page", id="HTML with doctype"),
        pytest.param(b"<HTML><body>404", "an HTML page", id="HTML"),
        pytest.param(b"<?xml version='1.0'?><Error>", "an XML document", id="S3 error"),
        pytest.param(b' {"code": 404}', "a JSON document", id="JSON"),
        pytest.param(b"[1]", "a JSON document", id="JSON list"),
        pytest.param(bytes(4096), "nothing but zeros", id="zeros"),
        pytest.param(bytes(4095) + b"x", "unknown data", id="zeros, nearly"),
        pytest.param(
            b"".join(b"\0\0\n\0" + ts.packet(256, ts.noise(184), n) for n in range(3)),
            "a stream of 192-byte packets (M2TS)",
            id="192-byte packets",
        ),
        pytest.param(np.random.default_rng(2).bytes(4096), "encrypted or random data", id="random"),
        pytest.param(b"hello world", "unknown data", id="text"),
        pytest.param(b"", "unknown data", id="nothing"),
    ],
)
def test_sniff(head, expected):
    assert sniff(head) == expected
