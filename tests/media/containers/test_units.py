"""Samples of other containers as a transport stream: the same units, with the same times."""

import struct

import numpy as np
import pytest

from pipeline.media.clock import BASE
from pipeline.media.containers.to_ts import from_fragments, from_webm
from pipeline.media.es.adts import frames
from pipeline.media.ts.scan import scan
from pipeline.media.ts.writing.replace_streams import samples
from pipeline.model import Severity
from tests import ts
from tests.media.boxes_builder import ASC, audio_entry, box, esds
from tests.media.containers import test_matroska as webm
from tests.media.isobmff import test_fragments as mp4

VIDEO, AUDIO = 0x100, 0x110
CONFIG = b"\1" + ts.SPS[1:4] + b"\xff\xe1"
CONFIG += struct.pack(">H", len(ts.SPS)) + ts.SPS + b"\1" + struct.pack(">H", len(ts.PPS)) + ts.PPS
PICTURES = box(
    "stsd",
    bytes(4),
    struct.pack(">I", 1),
    box("avc1", bytes(24), struct.pack(">HH", 16, 16), bytes(50), box("avcC", CONFIG)),
)
ODD = int(f"{2:05b}{15:04b}{47999:024b}{2:04b}000", 2).to_bytes(5, "big")  # 47999 Hz
SOUND = audio_entry(esds(dsi=b"\x05\x02" + ASC))


def stored(number: int) -> bytes:
    """A picture as MP4 has it, without parameter sets."""
    nals = [n for n in ts.picture_nals(number) if n[0] & 31 not in (7, 8)]
    return b"".join(struct.pack(">I", len(nal)) + nal for nal in nals)


def sound(entries: bytes = SOUND) -> bytes:
    """The initialisation section of a track of sound."""
    return mp4.init(entries=entries).replace(b"vide", b"soun")


def fragment(units, *, step=100, media=None):
    """Of ticks of a millisecond, each sample as long as the next."""
    sizes = [len(unit) for unit in units]
    run = mp4.trun([step] * len(units), sizes, flags=0x301, offset=0)
    head = len(mp4.segment(mp4.traf(run, time=1000), media=b""))
    run = mp4.trun([step] * len(units), sizes, flags=0x301, offset=head)
    return mp4.segment(mp4.traf(run, time=1000), media=media or b"".join(units))


def kinds(found):
    return [(f.id, f.severity) for f in found.findings]


def test_pictures_get_start_codes_and_the_sets_in_front():
    units = [stored(n) for n in range(3)]
    found = from_fragments("a", mp4.init(entries=PICTURES), fragment(units))
    assert found.findings == ()
    made = samples(found.data, VIDEO)
    assert [one.pts - BASE for one in made] == [90000, 99000, 108000]
    nals = [ts.AUD, ts.SPS, ts.PPS, *[n for n in ts.picture_nals(0) if n[0] & 31 not in (7, 8, 9)]]
    assert made[0].data == ts.annex_b(nals)
    assert made[1].data == ts.annex_b(ts.picture_nals(1))
    assert scan("a", found.data).findings == ()


def test_sound_gets_adts_headers_and_shares_pes_while_its_beat_is_even():
    units = [ts.silence(40, seed=n) for n in range(20)]
    found = from_fragments("a", sound(), fragment(units))  # 100 ms each: no beat of 48 kHz
    assert found.findings == ()
    made = samples(found.data, AUDIO)
    assert [one.pts - BASE for one in made] == [90000 + 9000 * n for n in range(20)]
    header = b"\xff\xf1\x4c\x80"
    for one, unit in zip(made, units, strict=True):
        assert one.data[7:] == unit
        assert frames(np.frombuffer(one.data, np.uint8), header).end == len(one.data)


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        (audio_entry(esds(), kind="enca"), "encrypted"),
        (audio_entry(box("dac3", bytes(3)), kind="ac-3"), "'ac-3'"),
        (audio_entry(esds(dsi=b"")), "not AAC"),
        (audio_entry(esds(dsi=b"\x05\x05" + ODD)), "no ADTS header"),
    ],
    ids=["encrypted", "other codec", "no configuration", "no place in ADTS"],
)
def test_what_has_no_place_in_a_transport_stream_is_rejected(entries, why):
    found = from_fragments("a", sound(entries), fragment([bytes(20)]))
    assert kinds(found) == [("ES_CODEC", Severity.FATAL)]
    assert why in found.findings[0].detail
    assert len(found.data) == 0


def test_samples_that_are_no_pictures_are_rejected():
    unit = stored(0) + stored(1)  # two in one sample
    found = from_fragments("a", mp4.init(entries=PICTURES), fragment([unit]))
    assert kinds(found) == [("ES_CODEC", Severity.FATAL)]
    assert "one picture each" in found.findings[0].detail


def test_a_frame_too_long_for_its_header_is_rejected():
    found = from_fragments("a", sound(), fragment([bytes(8185)]))
    assert kinds(found) == [("ES_CODEC", Severity.FATAL)]


@pytest.mark.parametrize("left", [1, 30, 200])
def test_what_is_cut_off_is_told(left):
    units = [stored(n) for n in range(3)]
    whole = fragment(units)
    found = from_fragments("a", mp4.init(entries=PICTURES), whole[:-left])
    assert ("SEG_PARTIAL", Severity.ERROR) in kinds(found)
    assert found.cut
    assert len(samples(found.data, VIDEO)) == sum(
        sum(map(len, units[n + 1 :])) >= left for n in range(3)
    )


@pytest.mark.parametrize(
    "read", [lambda data: from_fragments("a", b"", data), lambda data: from_webm("a", data)]
)
@pytest.mark.parametrize("data", [b"", b"<html>", bytes(100), b"\x1a\x45\xdf\xa3" + bytes(9)])
def test_what_is_neither_is_a_finding(read, data):
    found = read(data)
    assert [id for id, _ in kinds(found)] in (["NOT_TS"], [], ["SEG_PARTIAL"])
    assert len(found.data) == 0
    assert found.findings or not data or data[:1] in b"\0\x1a"


def test_a_codec_of_webm_that_nobody_knows():
    found = from_webm(
        "a", webm.webm(webm.cluster(0, webm.simple(1, 0, b"aa"))).replace(b"V_VP8", b"V_XYZ")
    )
    assert kinds(found) == [("ES_CODEC", Severity.FATAL)]


@pytest.mark.parametrize("moved", [ts.AUD, ts.sei(9)], ids=["AUD", "SEI"])
def test_what_opens_a_picture_may_lie_in_the_sample_before(moved):
    units = [stored(n) + len(moved).to_bytes(4, "big") + moved for n in range(3)]
    found = from_fragments("a", mp4.init(entries=PICTURES), fragment(units))
    assert found.findings == ()
    assert len(samples(found.data, VIDEO)) == 3


def test_two_pictures_in_a_sample_are_refused():
    units = [stored(0), stored(1) + stored(2)]
    found = from_fragments("a", mp4.init(entries=PICTURES), fragment(units))
    assert kinds(found) == [("ES_CODEC", "fatal")]
