"""What bytes that are no transport stream look like."""

import numpy as np
import pytest

from pipeline.media.es.sniff import sniff
from tests import ts


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
