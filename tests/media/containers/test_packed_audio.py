"""Packed audio: ADTS frames behind a tag that says when they are heard."""

import numpy as np
import pytest

from pipeline.media.containers.packed_audio import OWNER, from_packed
from pipeline.media.es.adts import frames
from pipeline.media.ts.scan import Stream, scan
from pipeline.media.ts.writing.replace_streams import samples
from pipeline.model import Severity
from tests import ts

UNIT = 1920  # ticks of a frame at 48 kHz
FRAMES = [ts.adts_frame(ts.noise(90, n)) for n in range(40)]


def tag(time: int | None, before: bytes = b"") -> bytes:
    """An ID3 tag with a time stamp."""
    told = b"" if time is None else OWNER + time.to_bytes(8, "big")
    frame = b"PRIV" + len(told).to_bytes(4, "big") + b"\0\0" + told
    size = len(before + frame)
    head = bytes((size >> 21 & 0x7F, size >> 14 & 0x7F, size >> 7 & 0x7F, size & 0x7F))
    return b"ID3\4\0\0" + head + before + frame


def opened(data: bytes) -> tuple[Stream | None, list[bytes], list[tuple[str, Severity]], bool]:
    """The stream, its frames, what was found, and whether its end is missing."""
    made = from_packed("a.aac", data)
    stream = scan("a.aac", made.data).streams.get(0x110) if len(made.data) else None
    found = scan("a.aac", made.data).findings if len(made.data) else ()
    assert found == ()
    es = b"".join(s.data for s in samples(made.data, 0x110)) if stream else b""
    chain = frames(np.frombuffer(es, np.uint8), es[:4]) if es else None
    held = []
    if chain:
        bounds = zip(chain.begin.tolist(), chain.length.tolist(), strict=True)
        held = [es[at : at + length] for at, length in bounds]
    return stream, held, [(f.id, f.severity) for f in made.findings], made.cut


@pytest.mark.parametrize("time", [0, 900_000, (1 << 33) - 5 * UNIT, (1 << 33) + 7])
def test_frames_are_heard_when_the_tag_says(time):
    stream, held, findings, cut = opened(tag(time) + b"".join(FRAMES))
    assert held == FRAMES
    assert stream.pts.tolist() == [(time + n * UNIT) % (1 << 33) for n in (0, 16, 32)]
    assert (findings, cut) == ([], False)


@pytest.mark.parametrize(
    "front",
    [b"", tag(None), tag(None) + tag(None), tag(None, b"TXXX\0\0\0\1\0\0x")],
    ids=["no tag", "no time in it", "two tags", "another frame"],
)
def test_without_a_time_a_segment_begins_at_zero(front):
    stream, held, findings, _ = opened(front + b"".join(FRAMES))
    assert held == FRAMES
    assert stream.pts[0] == 0
    assert findings == []


def test_the_time_may_stand_behind_other_frames_or_tags():
    front = tag(None) + tag(90_000, b"TXXX\0\0\0\1\0\0x")
    assert opened(front + b"".join(FRAMES))[0].pts[0] == 90_000


@pytest.mark.parametrize("gone", [1, 50, 96])
def test_a_segment_that_ends_inside_a_frame_is_cut(gone):
    _, held, findings, cut = opened(tag(5) + b"".join(FRAMES)[:-gone])
    assert held == FRAMES[:-1]
    assert (findings, cut) == ([("ADTS_SYNC", Severity.ERROR)], True)


def test_what_is_no_frame_is_told_and_left_out():
    data = tag(5) + b"".join(FRAMES[:20]) + bytes(70) + b"".join(FRAMES[20:])
    _, held, findings, cut = opened(data)
    assert held == FRAMES[:19] + FRAMES[20:]  # nothing tells that the one in front is whole
    assert (findings, cut) == ([("ADTS_SYNC", Severity.ERROR)], False)


@pytest.mark.parametrize(
    "data", [b"", b"ID3", tag(5), tag(5)[:30], b"\xff\xf1", b"\xff\xf1" * 9, bytes(500)]
)
def test_nothing_to_be_heard(data):
    assert opened(data)[0] is None
