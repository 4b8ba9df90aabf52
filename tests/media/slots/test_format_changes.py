"""Which segments have to become like the others."""

import numpy as np
import pytest
from msgspec.structs import replace

from pipeline.media.es.codecs import AAC, H264, HEVC, OPUS, VP8, VP9
from pipeline.media.es.formats import StreamFormat
from pipeline.media.slots.format_changes import by_segment, restarted, survey
from pipeline.media.slots.segments import Slot
from pipeline.media.ts.scan import scan
from tests import ts

MONO, STEREO = b"\xff\xf1\x4c\x40", b"\xff\xf1\x4c\x80"
LENGTH = 15 * ts.PICTURE


def slots(pattern: str, *, gap: int = 0) -> list[Slot]:
    """A second each: mono, stereo, or nothing there; behind ``-`` comes a gap of so many ticks."""
    found, start = [], ts.START
    for n, letter in enumerate(pattern):
        made = ts.segment(start=start)
        made = made if letter != "s" else made.replace(MONO, STEREO)
        read = None if letter == "-" else scan(f"{n}.ts", np.frombuffer(made, np.uint8))
        found.append(Slot(f"{n}.ts", read, 1.0))
        start += LENGTH + (gap if letter == "-" else 0)
    return found


@pytest.mark.parametrize(
    ("pattern", "changed"),
    [
        pytest.param("mmm", [], id="none"),
        pytest.param("mms", [2], id="the last"),
        pytest.param("smm", [0], id="the first"),
        pytest.param("mss", [0], id="the longer part stays"),
        pytest.param("msmsm", [1, 3], id="twice"),
        pytest.param("m-s", [2], id="of two as long the first stays"),
    ],
)
def test_the_format_that_lasts_longest_stays(pattern, changed):
    found = survey(slots(pattern))
    assert [(c.number, c.kind, c.pid) for c in found.changes] == [
        (n, "audio", ts.AUDIO) for n in changed
    ]
    assert found.wanted.keys() == ({"audio"} if changed else set())
    if changed:
        wanted = MONO if pattern.count("m") >= pattern.count("s") else STEREO
        assert found.wanted["audio"].like == StreamFormat(AAC, wanted)
    assert by_segment(found.changes).keys() == set(changed)


@pytest.mark.parametrize(
    ("pattern", "gap", "runs"),
    [
        pytest.param("mmmssm", 0, [[3, 4]], id="neighbours"),
        pytest.param("msmsmm", 0, [[1], [3]], id="apart"),
        pytest.param("mmmms-s", 0, [[4], [6]], id="one is missing"),
    ],
)
def test_what_is_encoded_in_one_go(pattern, gap, runs):
    made = slots(pattern, gap=gap)
    found = survey(made)
    assert [[c.number for c in run] for run in found.runs(made)] == runs


OPUS_CONFIG = bytes.fromhex("0138 00 02 0138 0000bb80 0000 00")


@pytest.mark.parametrize(
    ("pictures", "stays"),
    [
        pytest.param(H264, True, id="beside H.264"),
        pytest.param(VP9, True, id="beside VP9"),
        pytest.param(VP8, True, id="beside pictures that are re-encoded"),
        pytest.param(HEVC, False, id="beside H.265, which the muxer is not fed in fragments"),
    ],
)
def test_sound_that_no_transport_stream_carries(pictures, stays):
    made = []
    for slot in slots("mm"):
        streams = slot.scan.streams
        video = replace(streams[ts.VIDEO], codec=pictures)
        audio = replace(streams[ts.AUDIO], codec=OPUS, config=OPUS_CONFIG)
        both = {ts.VIDEO: video, ts.AUDIO: audio}
        made.append(replace(slot, scan=replace(slot.scan, streams=both)))
    assert ("audio" not in survey(made).wanted) is stays


def test_a_segment_that_does_not_tell_is_what_the_one_before_was():
    made = slots("mm")
    quiet = made[1].scan.streams[ts.VIDEO]
    silent = {**made[1].scan.streams, ts.VIDEO: replace(quiet, config=None)}
    made[1] = replace(made[1], scan=replace(made[1].scan, streams=silent))
    assert survey(made).changes == ()


def test_nothing_is_said_of_a_kind_with_two_streams():
    made = slots("ms")
    streams = made[1].scan.streams
    two = replace(made[1].scan, streams={**streams, 0x300: streams[ts.AUDIO]})
    program = replace(two.program, streams={**two.program.streams, 0x300: 0x0F})
    made[1] = replace(made[1], scan=replace(two, program=program))
    assert survey(made).changes == ()


@pytest.mark.parametrize(
    ("format", "text"),
    [
        (StreamFormat(AAC, MONO), "aac 48000 Hz, 1 channels"),
        (StreamFormat(H264, ts.SPS), "h264 16x16"),
        (StreamFormat(H264, ts.SPS[:4]), "h264"),
        (StreamFormat(VP8, bytes((1, 64, 0, 240))), "vp8 320x240"),
        (StreamFormat(H264, None), "h264"),
    ],
)
def test_for_people(format, text):
    assert str(format) == text


def test_counters_need_not_go_on_where_the_encoder_began_again():
    made = slots("mmmm")
    other = ts.segment(start=ts.START + 2 * LENGTH).replace(ts.PPS, ts.PPS[:-1] + b"\xc9")
    made[2] = replace(made[2], scan=scan("2.ts", np.frombuffer(other, np.uint8)))
    assert survey(made).changes == ()
    free = [{s.free_start for s in slot.scan.streams.values()} for slot in restarted(made)]
    assert free == [{False}, {False}, {True}, {True}]
