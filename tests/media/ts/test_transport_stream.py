"""Segments that are taken apart together are what each is by itself."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.media.ts import scan_cache
from pipeline.media.ts.scan import scan_of
from pipeline.media.ts.transport_stream import TransportStream, side_by_side
from tests import ts

COUNT, VIDEO, AUDIO = 4, ts.VIDEO, ts.AUDIO


def recording(*, anew=False, **segment):
    """Segments one behind the other; each begins its counters ``anew``, or goes on."""
    counters = {}
    return [
        ts.segment(
            start=ts.START + n * 90_000, counters={} if anew else counters, size=2000, **segment
        )
        for n in range(COUNT)
    ]


def together(segments):
    data = np.frombuffer(bytearray(b"".join(segments)), np.uint8)
    return side_by_side(data, [len(one) for one in segments])


def told(stream):
    """Everything that is found in a segment."""
    return scan_cache.dumps(scan_of("x", stream), "")


def alone(segment):
    return TransportStream(np.frombuffer(bytearray(segment), np.uint8))


def packets_of(pid, segment):
    """Where the packets of a PID stand."""
    rows = np.frombuffer(segment, np.uint8).reshape(-1, ts.PACKET)
    pids = (rows[:, 1] & 0x1F).astype(int) << 8 | rows[:, 2]
    return np.flatnonzero(pids == pid).tolist()


def shared(streams):
    """Streams of which the packets were found with those of the others."""
    return [s._among is not None for s in streams]


@pytest.mark.parametrize("anew", [False, True])
def test_each_segment_is_what_it_is_by_itself(anew):
    segments = recording(anew=anew)
    streams = together(segments)
    assert [*map(told, streams)] == [told(alone(one)) for one in segments]
    assert all(shared(streams))


def test_streams_are_followed_together():
    for stream in together(recording()):
        assert stream._among.track(VIDEO, stream._number) is stream.track(VIDEO)


FAULTS = {
    "a packet is gone": lambda s, at: s[:at] + s[at + 188 :],
    "sixteen packets are gone": lambda s, at: s[:at] + s[at + 16 * 188 :],
    "a packet stands twice": lambda s, at: s[:at] + s[at : at + 188] + s[at:],
    "sixteen packets stand twice": lambda s, at: s[:at] + s[at : at + 16 * 188] + s[at:],
    "a packet in error": lambda s, at: flipped(s, at, 1, 0x80),
    "no sync byte": lambda s, at: flipped(s, at, 0, 0x01),
    "another counter": lambda s, at: flipped(s, at, 3, 0x04),
    "no PES is announced": lambda s, at: flipped(s, at, 1, 0x40),
    "scrambled": lambda s, at: flipped(s, at, 3, 0x80),
    "bytes behind it": lambda s, at: s + b"some",
    "bytes in front of it": lambda s, at: b"some" + s,
    "cut off": lambda s, at: s[: at + 100],
    "nothing": lambda s, at: b"",
    "something else": lambda s, at: b"not a transport stream" * 60,
}


def flipped(segment, at, place, bits):
    data = bytearray(segment)
    data[at + place] ^= bits
    return bytes(data)


@pytest.mark.parametrize("pid", [VIDEO, AUDIO, 0])
@pytest.mark.parametrize("which", ["first", "second", "last"])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("number", [0, 2])
def test_a_fault_in_one_is_found_and_leaves_the_others_as_they_are(number, fault, which, pid):
    segments = recording()
    place = {"first": 0, "second": 1, "last": -1}[which]
    at = [*packets_of(pid, segments[number]), 0][: -1 if pid else None][place] * 188
    segments[number] = FAULTS[fault](segments[number], at)
    assert [*map(told, together(segments))] == [told(alone(one)) for one in segments]


@given(st.lists(st.tuples(st.integers(0, 2**18), st.integers(0, 7)), min_size=1, max_size=6))
def test_flipped_bits(bits):
    segments = recording()
    data = bytearray(b"".join(segments))
    for place, bit in bits:
        data[place % len(data)] ^= 1 << bit
    sizes = np.cumsum([0, *map(len, segments)]).tolist()
    segments = [bytes(data[a:b]) for a, b in pairwise(sizes)]
    assert [*map(told, together(segments))] == [told(alone(one)) for one in segments]


def test_a_pes_that_goes_on_in_the_next_segment():
    whole = b"".join(recording())
    cut = packets_of(VIDEO, whole)[7] * 188
    segments = [whole[:cut], whole[cut : 2 * cut], whole[2 * cut :]]
    streams = together(segments)
    assert [*map(told, streams)] == [told(alone(one)) for one in segments]
    assert all(shared(streams))
    assert streams[0]._among.track(VIDEO, 1) is None


def test_headers_that_are_right_among_all_and_wrong_by_themselves():
    """What most of a segment's headers have is right there, whatever those of others have."""
    segments = recording()
    rows = packets_of(AUDIO, segments[1])
    for row in rows[:1]:
        segments[1] = flipped(
            segments[1], row * 188, 4 + int(segments[1][row * 188 + 4]) + 1 + 3, 4
        )
    assert [*map(told, together(segments))] == [told(alone(one)) for one in segments]


def test_one_segment_is_taken_apart_by_itself():
    (stream,) = together(recording()[:1])
    assert stream._among is None
