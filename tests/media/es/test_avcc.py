"""avcC and hvcC: which parameter sets they hold."""

import pytest

from pipeline.media.es.avcc import avcc, read_avcc, read_hvcc, same_avcc, same_hvcc
from pipeline.media.malformed import Malformed
from tests import ts
from tests.media.boxes_builder import AVCC


def test_read_avcc():
    assert read_avcc(AVCC).sets == (b"\x67\x42\x00", b"\x68\xce")
    assert read_avcc(AVCC + b"\xfd\xf8\xf8\x00") == read_avcc(AVCC)


@pytest.mark.parametrize("cut", range(len(AVCC)))
def test_avc_parameter_sets_cut_short(cut):
    with pytest.raises(Malformed, match="avcC"):
        read_avcc(AVCC[:cut])


def test_avc_parameter_sets_of_another_version():
    with pytest.raises(Malformed, match="begin 02"):
        read_avcc(b"\x02" + AVCC[1:])


@pytest.mark.parametrize("width", [1, 2, 4])
def test_how_wide_lengths_are(width):
    assert read_avcc(AVCC[:4] + bytes((0xFC | width - 1,)) + AVCC[5:]).width == width


def test_what_is_written_is_read_again():
    other = ts.SPS[:-1] + b"\x19"
    written = avcc(ts.SPS, [ts.AUD, ts.PPS, other, ts.SPS, ts.PPS, ts.IDR])
    assert read_avcc(written).sets == (ts.SPS, other, ts.PPS)
    assert read_avcc(written).width == 4
    assert same_avcc(written, ts.SPS, {other, ts.PPS})
    assert not same_avcc(written, ts.SPS, {ts.PPS + b"\1"})
    assert not same_avcc(written, ts.SPS + b"\1", {ts.PPS})


def hvcc(*arrays):
    body = b"".join(
        bytes((0x20,))
        + len(units).to_bytes(2, "big")
        + b"".join(len(unit).to_bytes(2, "big") + unit for unit in units)
        for units in arrays
    )
    return b"\1" + bytes(20) + b"\xff" + bytes((len(arrays),)) + body


@pytest.mark.parametrize(
    "sps",
    [
        pytest.param(b"\x67\x64", id="cut short"),
        pytest.param(b"\x67\x64\x00\x0a" + bytes(20), id="numbers that cannot be"),
        pytest.param(ts.SPS + b"\1" * 70_000, id="longer than a length can say"),
    ],
)
def test_what_no_decoder_reads_is_written_as_far_as_it_goes(sps):
    """ffmpeg refuses it; until then nobody fails."""
    written = avcc(sps, [ts.PPS])
    assert read_avcc(written).sets == ((sps,) if len(sps) < 1 << 16 else ()) + (ts.PPS,)


def test_more_sets_than_there_is_room_for():
    many = [bytes((0x67, 66, 0, n)) for n in range(40)]
    more = [bytes((0x68, n // 256, n % 256)) for n in range(300)]
    assert read_avcc(avcc(many[0], [*many, *more])).sets == (*many[:31], *more[:255])


def test_parameter_sets_of_h265():
    box = hvcc([b"\x40\1v"], [b"\x42\1s", b"\x42\1t\0"])
    assert read_hvcc(box).sets == (b"\x40\1v", b"\x42\1s", b"\x42\1t\0")
    assert read_hvcc(box).width == 4
    assert same_hvcc(box, b"\x42\1s", {b"\x40\1v", b"\x42\1t"})
    assert not same_hvcc(box, b"\x42\1u", ())
    assert not same_hvcc(box, b"\x42\1s", {b"\x44\1p"})


@pytest.mark.parametrize("cut", [1, 2, 4, 8, 15])
def test_parameter_sets_of_h265_cut_short(cut):
    box = hvcc([b"\x40\1v"], [b"\x42\1s", b"\x42\1t\0"])
    with pytest.raises(Malformed, match="hvcC"):
        read_hvcc(box[:-cut])
