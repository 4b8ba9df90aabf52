"""ADTS: what its headers say, and the frames behind them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.media.es import adts
from pipeline.media.es.adts import AdtsHeader
from pipeline.media.es.audio_config import specific_config
from pipeline.media.malformed import Malformed
from tests import ts

HEADERS = st.builds(AdtsHeader, st.integers(1, 4), st.sampled_from(ts.RATES), st.integers(0, 7))
FIXED = bytes.fromhex("fff14c40")  # of ts.adts_frame


@given(HEADERS)
def test_a_fixed_part_says_what_it_was_made_of(header):
    bits = f"{int.from_bytes(header.fixed_part, 'big'):032b}"
    assert bits[:16] == "1111111111110001"
    assert int(bits[16:18], 2) + 1 == header.object_type
    assert ts.RATES[int(bits[18:22], 2)] == header.rate
    assert int(bits[23:26], 2) == header.channels
    assert adts.read(header.fixed_part) == header


@given(HEADERS, st.binary(max_size=300))
def test_a_frame_behind_a_header_is_found_again(header, raw):
    frame = adts.framed(header.fixed_part, raw)
    assert adts.fixed_part(frame) == adts.first_fixed_part(b"\xff" + frame) == header.fixed_part
    assert adts.raw(frame) == raw
    found = adts.frames(np.frombuffer(frame, np.uint8), header.fixed_part)
    assert (found.begin.tolist(), found.length.tolist()) == ([0], [len(frame)])


def test_frames_are_written_as_any_writer_has_them():
    for length in (0, 1, 250, 1000, 8184):
        raw = ts.noise(length)
        assert adts.framed(FIXED, raw)[:7] == ts.adts_frame(raw)[:7]
    with pytest.raises(Malformed):
        adts.framed(FIXED, bytes(8185))


@pytest.mark.parametrize("crc", [False, True])
def test_a_frame_without_its_header(crc):
    assert adts.raw(ts.adts_frame(b"sound", crc=crc)) == b"sound"


@given(HEADERS)
def test_what_mp4_says_of_the_sound_adts_says_as_well(header):
    asc = specific_config(header.object_type, header.rate, header.channels)
    if header.channels:
        assert adts.of_asc(asc) == header
    else:
        with pytest.raises(Malformed):
            adts.of_asc(asc)


def test_how_long_a_frame_lasts():
    assert AdtsHeader(2, 48000, 1).ticks == 1920
    assert AdtsHeader(2, 44100, 1).ticks == pytest.approx(2089.795918)


@given(st.lists(st.sampled_from([FIXED, b"\xff", b"\0", b"\x01", b"\x1f", b"\xfc"]), max_size=40))
def test_a_chain_of_bytes_is_the_chain_of_columns(pieces):
    """Where every byte is of a frame; else the one goes on behind what is none."""
    es = b"".join(pieces)
    found = adts.frames(np.frombuffer(es, np.uint8), FIXED)
    if found.end == len(es) and (found.length > 7).all():
        assert adts.chain(es, FIXED) == list(zip(found.begin, found.length, strict=True))


def test_a_chain_goes_on_behind_what_is_no_frame():
    one, other = ts.adts_frame(ts.noise(40)), ts.adts_frame(ts.noise(50))
    assert adts.chain(one + b"junk" + other, FIXED) == [(len(one) + 4, len(other))]
    assert adts.chain(b"junk" + one + other, FIXED) == [(4, len(one)), (4 + len(one), len(other))]


@pytest.mark.parametrize("cut", range(1, 57))
def test_the_beginning_of_a_frame_may_go_on(cut):
    frame = ts.adts_frame(ts.noise(50))
    assert adts.goes_on(frame[:cut], FIXED)
    assert not adts.goes_on(frame, FIXED)
    assert not adts.goes_on(b"x" + frame[:cut], FIXED)


def test_frames_of_one_form_in_a_row():
    mono, stereo = ts.adts_frame(b"one"), ts.adts_frame(b"two", channels=2)
    es = mono * 3 + stereo * 2
    assert adts.alike(es) == (3, 3 * len(mono))
    assert adts.alike(es, 3 * len(mono)) == (2, len(es))
    assert adts.alike(es, 0, len(mono) + 1) == (2, 2 * len(mono))
    assert adts.alike(b"none") == (0, 0)


def test_many_headers_are_told_at_once():
    heads = np.frombuffer(FIXED + b"\xff\xf9\x4e\x7f" + b"\xff\xfb\x90\x44", np.uint8)
    heads = heads.reshape(-1, 4)
    assert adts.synced(heads).tolist() == [True, True, False]
    assert adts.needed(heads)[0].tolist() == adts.needed(heads)[1].tolist()


@pytest.mark.parametrize("rate", ts.RATES)
def test_the_rate_of_each_adts_header(rate):
    config = adts.fixed_part(ts.adts_frame(ts.silence(30), rate=rate))
    assert config is not None
    assert adts.read(config).rate == rate


@pytest.mark.parametrize("channels", range(8))
def test_the_fixed_part_of_adts_headers_is_that_of_all_frames(channels):
    configs = {
        adts.fixed_part(ts.adts_frame(ts.noise(n), channels=channels)) for n in (1, 300, 8184)
    }
    assert configs == {bytes((0xFF, 0xF1, 0x4C | channels >> 2, channels << 6 & 0xFF))}


@pytest.mark.parametrize(
    ("place", "bit"),
    [
        pytest.param(1, 0x08, id="MPEG-2 or MPEG-4"),
        pytest.param(1, 0x01, id="a checksum"),
        pytest.param(2, 0x02, id="private bit"),
        pytest.param(3, 0x20, id="original or copy"),
        pytest.param(3, 0x10, id="home"),
        pytest.param(3, 0x08, id="copyright bit"),
        pytest.param(5, 0x1F, id="buffer fullness"),
    ],
)
def test_bits_of_a_header_that_no_decoder_needs(place, bit):
    frame = bytearray(ts.adts_frame(b"x"))
    frame[place] ^= bit
    assert adts.fixed_part(bytes(frame)) == bytes.fromhex("fff14c40")
    assert adts.begins(bytes(frame), adts.fixed_part(ts.adts_frame(b"")))


@pytest.mark.parametrize(
    ("place", "bit"),
    [
        pytest.param(1, 0x02, id="layer"),
        pytest.param(2, 0x80, id="profile"),
        pytest.param(2, 0x04, id="rate"),
        pytest.param(2, 0x01, id="channels"),
        pytest.param(3, 0x40, id="channels, low bits"),
    ],
)
def test_bits_of_a_header_that_a_decoder_needs(place, bit):
    frame = bytearray(ts.adts_frame(b"x"))
    frame[place] ^= bit
    assert adts.fixed_part(bytes(frame)) != bytes.fromhex("fff14c40")
    assert not adts.begins(bytes(frame), adts.fixed_part(ts.adts_frame(b"")))


@pytest.mark.parametrize(
    "es",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(ts.adts_frame(b"")[:6], id="half a header"),
        pytest.param(b"\xfe" + ts.adts_frame(b"")[1:], id="no sync word"),
        pytest.param(b"\xff\xfb\x90\x44\0\0\0", id="MP3"),
        pytest.param(b"\xff\xf1\x74\x40\0\0\0", id="reserved rate 13"),
        pytest.param(b"\xff\xf1\x7c\x40\0\0\0", id="rate 15"),
    ],
)
def test_no_adts_header(es):
    assert adts.fixed_part(es) is None


THREE = b"".join(ts.adts_frame(ts.noise(n)) for n in (100, 0, 200))


@pytest.mark.parametrize(
    ("es", "expected"),
    [
        pytest.param(THREE, 3, id="three frames"),
        pytest.param(THREE[:-1], 2, id="the last cut"),
        pytest.param(THREE + b"\xff\xf1", 3, id="half a header behind"),
        pytest.param(b"", 0, id="nothing"),
        pytest.param(b"x" + THREE, 3, id="behind the rest of another"),
        pytest.param(b"x\xff\xf1\x4c\x80\x02\0\0" + THREE, 3, id="what looks like a header"),
        pytest.param(b"x" + THREE[:107], 1, id="of which one ends here"),
        pytest.param(b"x" + THREE[:90], 0, id="of which none ends here"),
        pytest.param(b"x" * (1 << 13) + b"x" + THREE, 0, id="no frame is so long"),
        pytest.param(ts.adts_frame(b"x", crc=True), 1, id="with checksum"),
    ],
)
def test_frames_in_a_pes_are_counted(es, expected):
    assert adts.count(es) == expected


def test_a_length_of_zero_does_not_hang():
    assert adts.count(ts.adts_frame(b"", length=0) * 1000) <= 1000
