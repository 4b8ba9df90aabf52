"""Units as fragmented MP4, read back by our own reader of fragments."""

import re
import struct

import numpy as np
import pytest

from pipeline.media.clock import BASE, HZ, OPUS_HZ
from pipeline.media.es.access_units import Units
from pipeline.media.es.audio_config import audio_object
from pipeline.media.es.avcc import read_avcc
from pipeline.media.es.codecs import AAC, AV1, H264, OPUS, VP9
from pipeline.media.isobmff import fragments
from pipeline.media.stitch.fmp4_writer import Feed
from pipeline.media.track import Lane
from tests import ts

PICTURE = 6000
SOUND = 1800
DOPS = b"\0\1\1\x38\0\0\xbb\x80\0\0\0"
VP9_KEY = bytes.fromhex("824983420013f00b3000")
VP9_OTHER = b"\x86\0\0\0"
SPS = bytes.fromhex("6742c00aa6117b011000000300100000030140f1226118")
PPS = b"\x68\xce\x3c\x80"


def units(found, dts, pts=None):
    times = np.array(dts, np.int64)
    shown = times if pts is None else np.array(pts, np.int64)
    sizes = np.array([len(one) for one in found], np.uint32)
    return Units(sizes, shown, times, 0, np.empty(0, np.intp), data=b"".join(found))


def vp9():
    config = VP9.config(VP9_KEY)
    assert config is not None
    return Lane(256, VP9, config, PICTURE)


def opus(skipped=312):
    return Lane(272, OPUS, skipped.to_bytes(2, "big") + DOPS, SOUND)


def written(lanes, *segments):
    """What a reader finds in the feed of these segments, by handler."""
    feed = Feed(lanes)
    head = feed.head(segments[0])
    body = b"".join(chunk for segment in segments for chunk in feed.add(segment))
    found = fragments.read(head, body)
    assert not found.cut
    return {s.track.handler: s for s in found.samples}, body


def test_every_stamp_and_size():
    pictures = [VP9_KEY, *[VP9_OTHER] * 40]
    sound = [bytes([n + 1] * (n + 3)) for n in range(100)]
    video = [BASE + n * PICTURE for n in range(41)]
    audio = [BASE - 585 + n * SOUND for n in range(100)]
    lanes = vp9(), opus()
    found, body = written(lanes, {256: units(pictures, video), 272: units(sound, audio)})
    assert found["vide"].dts.tolist() == video
    assert found["vide"].pts.tolist() == video
    assert found["soun"].dts.tolist() == audio
    for handler, wanted in (("vide", pictures), ("soun", sound)):
        spans = zip(found[handler].offset, found[handler].size, strict=True)
        assert [body[at : at + size] for at, size in spans] == wanted
    assert body.count(b"moof") == 3  # fragments of a second


def test_what_the_tracks_say():
    lanes = vp9(), opus()
    found, _ = written(lanes, {256: units([VP9_KEY], [BASE]), 272: units([b"a"], [BASE])})
    video, sound = found["vide"].track, found["soun"].track
    assert (video.codec, video.width, video.height, video.timescale) == ("vp09", 320, 180, HZ)
    assert video.configuration == lanes[0].config[4:]
    assert (sound.codec, sound.channels, sound.timescale) == ("Opus", 1, OPUS_HZ)
    assert sound.configuration == DOPS


def test_pictures_out_of_order_and_their_parameter_sets():
    nals = (b"\x09\xf0", SPS, PPS, b"\x65\x88\x80")
    key = b"".join(len(nal).to_bytes(4, "big") + nal for nal in nals)
    other = b"\0\0\0\3\x41\x88\x80"
    dts = [BASE + n * PICTURE for n in range(4)]
    pts = [BASE + n * PICTURE for n in (1, 4, 2, 3)]
    lane = Lane(256, H264, SPS, PICTURE)
    found, body = written((lane, opus()), {256: units([key, *[other] * 3], dts, pts), **QUIET})
    assert found["vide"].pts.tolist() == pts
    assert found["vide"].dts.tolist() == dts
    assert read_avcc(found["vide"].track.configuration).sets == (SPS, PPS)
    (at,) = [m.end() for m in re.finditer(b"trun", body)][:1]
    flags = [row[2] for row in struct.iter_unpack(">4I", body[at + 12 : at + 12 + 4 * 16])]
    assert flags == [0x02000000, *[0x01010000] * 3]


QUIET = {272: units([b"a"], [BASE])}


def test_frames_without_a_stamp_follow_the_one_before():
    header = ts.adts_frame(b"")[:4]
    lane = Lane(273, AAC, header[:3] + bytes((header[3] & 0xF0,)), 1920.0)
    lanes = opus(), lane
    first = {272: units([b"a"], [BASE]), 273: units([b"b"] * 3, [BASE, -1, -1])}
    then = {273: units([b"c"] * 2, [-1, -1])}
    feed = Feed(lanes)
    head = feed.head(first)
    body = b"".join((*feed.add(first), *feed.add(then)))
    track = fragments.read(head, body).samples[1]
    assert track.dts.tolist() == [BASE + n * 1920 for n in range(5)]
    assert audio_object(track.track.configuration)[:2] == (2, 48000)


def test_a_lane_that_is_not_in_a_segment():
    first = {256: units([VP9_KEY], [BASE]), 272: units([b"a"], [BASE])}
    found, _ = written((vp9(), opus()), first, {272: units([b"b"], [BASE + 5 * HZ])}, {})
    assert found["vide"].dts.tolist() == [BASE]
    assert found["soun"].dts.tolist() == [BASE, BASE + 5 * HZ]


@pytest.mark.parametrize("lane", [vp9(), opus()], ids=["video", "audio"])
def test_an_introduction_stands_before_everything(lane):
    first = {256: units([VP9_KEY, VP9_OTHER], [BASE, BASE + 6000]), 272: units([b"a"], [BASE])}
    feed = Feed((vp9(), opus()))
    data = feed.introduction(lane.pid, first[lane.pid])
    found = {s.track.handler: s for s in fragments.read(feed.head(first), data).samples}
    mine = found["vide" if lane.codec.kind == "video" else "soun"]
    assert mine.dts.tolist() == [0]
    assert mine.size.tolist() == [first[lane.pid].sizes[0]]


def test_av1_brings_its_configuration():
    told = b"\x81\x00\x0c\x00"
    lane = Lane(256, AV1, b"\x01\x40\0\xb4" + told, PICTURE)
    found, _ = written((lane,), {256: units([b"\x0a\2\0\0\x32\1a"], [BASE])})
    assert (found["vide"].track.codec, found["vide"].track.configuration) == ("av01", told)
    assert (found["vide"].track.width, found["vide"].track.height) == (320, 180)
