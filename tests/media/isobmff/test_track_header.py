"""What a track says of itself, by whichever reader."""

import struct

import pytest
from msgspec.structs import asdict

from pipeline.media.isobmff.boxes import Box, Node
from pipeline.media.isobmff.fragments import read
from pipeline.media.isobmff.sample_tables import parse_moov
from pipeline.media.isobmff.track_header import Edit, TrackHeader, clock, track_header
from pipeline.media.malformed import Malformed
from tests.media.boxes_builder import ASC, AVCC, audio_entry, box, edits, esds, full, moov, trak
from tests.media.isobmff.test_fragments import MVHD


def node(data: bytes) -> Node:
    return Node(Box(data[4:8].decode(), 0, len(data)), memoryview(data)[8:])


PICTURES = trak(edts=edits((60, -1, 0x10000), (240, 100, 0x10000)))
SOUND = trak(handler=b"soun", stsd=audio_entry(esds()))


def test_a_track_of_pictures():
    assert asdict(track_header(node(PICTURES))) == {
        "track_id": 7,
        "handler": "vide",
        "codec": "avc1",
        "timescale": 1000,
        "duration": 400,
        "width": 160,
        "height": 120,
        "channels": 0,
        "sample_rate": 0,
        "configuration": AVCC,
        "descriptions": 1,
        "edits": (Edit(60, -1, 1.0), Edit(240, 100, 1.0)),
        "rotation": None,  # its header ends before the matrix
    }


ONE = 1 << 16
WIDE = 320 * ONE, 180 * ONE


def tkhd(*matrix: int, version: int = 0, size: tuple[int, int] = WIDE) -> bytes:
    data = struct.pack(">QQIIQ" if version else ">5I", 0, 0, 7, 0, 0) + bytes(16)
    return full("tkhd", f"{len(data)}s9i2I", data, *matrix, *size, version=version)


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize(
    ("matrix", "degrees"),
    [
        pytest.param((ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30), 0, id="upright"),
        pytest.param((0, ONE, 0, -ONE, 0, 0, WIDE[1], 0, 1 << 30), 90, id="clockwise"),
        pytest.param((-ONE, 0, 0, 0, -ONE, 0, *WIDE, 1 << 30), 180, id="upside down"),
        pytest.param((0, -ONE, 0, ONE, 0, 0, 0, WIDE[0], 1 << 30), 270, id="anticlockwise"),
        pytest.param((0, ONE, 0, -ONE, 0, 0, 0, 0, 1 << 30), None, id="out of sight"),
        pytest.param((-ONE, 0, 0, 0, ONE, 0, WIDE[0], 0, 1 << 30), None, id="mirrored"),
        pytest.param((2 * ONE, 0, 0, 0, 2 * ONE, 0, 0, 0, 1 << 30), None, id="twice as large"),
        pytest.param((ONE, 0, 1, 0, ONE, 0, 0, 0, 1 << 30), None, id="in perspective"),
        pytest.param((ONE, 0, 0, 0, ONE, 0, 0, 0, 0), None, id="without a last 1"),
    ],
)
def test_how_players_turn_a_track(matrix, degrees, version):
    old = full("tkhd", "5I", 0, 0, 7, 0, 0)
    assert old in PICTURES
    turned = PICTURES.replace(old, tkhd(*matrix, version=version))
    turned = len(turned).to_bytes(4, "big") + turned[4:]
    assert track_header(node(turned)).rotation == degrees


def test_a_track_of_sound():
    header = track_header(node(SOUND))
    assert (header.handler, header.codec, header.configuration) == ("soun", "mp4a", ASC)
    assert (header.channels, header.sample_rate, header.edits) == (2, 48000, ())


@pytest.mark.parametrize("track", [PICTURES, SOUND], ids=["pictures", "sound"])
def test_tables_and_fragments_say_the_same(track):
    expected = asdict(track_header(node(track)))
    (in_tables,) = parse_moov(moov(track)).tracks
    fragmented = box("moov", MVHD, track, box("mvex", full("trex", "5I", 7, 1, 0, 0, 0)))
    (samples,) = read(fragmented, b"").samples
    for found in (in_tables, samples.track):
        assert isinstance(found, TrackHeader)
        assert {name: getattr(found, name) for name in expected} == expected


@pytest.mark.parametrize("version", [0, 1])
def test_a_clock_of_both_versions(version):
    layout = ">QQIQ" if version else ">IIII"
    body = bytes((version, 0, 0, 0)) + struct.pack(layout, 0, 0, 90000, 1 << 31)
    assert clock(node(box("mdhd", body))) == (90000, 1 << 31)


def test_a_second_of_no_ticks():
    stopped = trak(mdhd=full("mdhd", "5I", 0, 0, 0, 400, 0))
    with pytest.raises(Malformed, match="timescale 0"):
        track_header(node(stopped))
