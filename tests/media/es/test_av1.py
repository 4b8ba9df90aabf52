"""AV1: temporal units and what stands in them, and its configuration."""

import pytest

from pipeline.media.es.av1 import av1c, configured, is_key, obus, same_config, stored

AV1C = b"\x81\0\x0c\0"
UNIT = b"\x12\0" + b"\x0a\2xy" + b"\x32\3abc" + b"\x7a\1\0"


def test_what_stands_in_a_temporal_unit():
    assert [kind for kind, _, _ in obus(UNIT)] == [2, 1, 6, 15]
    assert [UNIT[a:b] for _, a, b in obus(UNIT)][1] == b"\x0a\2xy"


@pytest.mark.parametrize("unit", [b"", b"\xff", b"\x0a", b"\x0a\x7f", b"\x0a\xff\xff", b"\x32\5ab"])
def test_obus_that_cannot_be_followed(unit):
    assert list(obus(unit)) == []


def test_what_mp4_stores_of_it():
    assert stored(UNIT) == b"\x0a\2xy\x32\3abc"
    assert stored(stored(UNIT)) == stored(UNIT)
    assert stored(UNIT + b"\xff") == UNIT + b"\xff"  # what cannot be followed is left alone


def test_only_a_unit_with_a_sequence_header_can_be_begun_with():
    assert is_key(UNIT)
    assert not is_key(b"\x32\3abc")


def test_a_configuration_is_size_and_av1c():
    config = configured(AV1C, (320, 180), 0.0)
    assert config == b"\x01\x40\0\xb4" + AV1C
    assert av1c(config) == AV1C
    assert same_config(AV1C, config, ())
    assert not same_config(AV1C[:3] + b"\1", config, ())


@pytest.mark.parametrize(
    ("box", "size"),
    [
        pytest.param(b"", (320, 180), id="nothing"),
        pytest.param(AV1C[:3], (320, 180), id="cut short"),
        pytest.param(b"\x80" + AV1C[1:], (320, 180), id="another version"),
        pytest.param(AV1C, (1 << 16, 180), id="larger than any size field"),
    ],
)
def test_what_is_no_configuration(box, size):
    assert configured(box, size, 0.0) == b""
