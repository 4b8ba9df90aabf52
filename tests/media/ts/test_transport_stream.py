"""Segments that are taken apart together are what each is by itself."""

import threading
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.media.ts import scan_cache
from pipeline.media.ts.packets import columns, framing
from pipeline.media.ts.scan import scan_of
from pipeline.media.ts.transport_stream import TransportStream, row_of, side_by_side
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
    return [s.among is not None for s in streams]


@pytest.mark.parametrize("anew", [False, True])
def test_each_segment_is_what_it_is_by_itself(anew):
    segments = recording(anew=anew)
    streams = together(segments)
    assert [*map(told, streams)] == [told(alone(one)) for one in segments]
    assert all(shared(streams))


def test_streams_are_followed_together():
    for stream in together(recording()):
        assert stream.among.track(VIDEO, stream._number) is stream.track(VIDEO)


@pytest.mark.parametrize("anew", [False, True])
def test_all_of_them_as_one(anew):
    segments = recording(anew=anew)
    streams = together(segments)
    row = row_of(streams)
    whole = row.track(VIDEO)
    assert bytes(row.together.rows) == b"".join(segments)
    assert whole.index.tolist() == packets_of(VIDEO, b"".join(segments))
    assert len(whole.starts) == sum(len(stream.track(VIDEO).starts) for stream in streams)
    assert row_of(streams[1:]) is None
    assert row_of([alone(segments[0])]) is None
    assert row_of([]) is None


@pytest.mark.parametrize("pid", [VIDEO, AUDIO])
def test_a_track_of_one_is_that_of_the_segment_alone(pid):
    counters, start, segments = {}, ts.START, []
    for gop in (15, 4, 7, 5):  # key pictures at other places in each
        made = ts.segment(start=start, gop=gop, pictures=15 + gop, counters=counters, size=2000)
        segments.append(made)
        start += (15 + gop) * ts.PICTURE
    for stream, segment in zip(together(segments), segments, strict=True):
        own, other = stream.track(pid), alone(segment).track(pid)
        for name in own.__struct_fields__:
            assert np.array_equal(getattr(own, name), getattr(other, name)), name


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
    "no adaptation field is told": lambda s, at: flipped(s, at, 3, 0x20),
    "no payload is told": lambda s, at: flipped(s, at, 3, 0x10),
    "no start code": lambda s, at: flipped(s, at, payload(s, at) + 2, 0x03),
    "another stream_id": lambda s, at: flipped(s, at, payload(s, at) + 3, 0x01),
    "no mark in the PES header": lambda s, at: flipped(s, at, payload(s, at) + 6, 0x80),
    "a longer PES header": lambda s, at: flipped(s, at, payload(s, at) + 8, 0x20),
    "bytes behind it": lambda s, at: s + b"some",
    "bytes in front of it": lambda s, at: b"some" + s,
    "cut off": lambda s, at: s[: at + 100],
    "nothing": lambda s, at: b"",
    "something else": lambda s, at: b"not a transport stream" * 60,
}


def payload(segment, at):
    """Where it begins in a packet."""
    return 5 + segment[at + 4] if segment[at + 3] & 0x20 else 4


def flipped(segment, at, place, bits):
    data = bytearray(segment)
    data[min(at + place, len(data) - 1)] ^= bits
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


def table(segment, pid, made):
    """The segment with these packets in place of those of a table."""
    rows = [segment[at : at + ts.PACKET] for at in range(0, len(segment), ts.PACKET)]
    for at in reversed(packets_of(pid, segment)):
        rows[at : at + 1] = made
        made = []
    return b"".join(rows)


def clocked(segment, nth, base):
    """The segment with another PCR in the nth packet that has one."""
    data = bytearray(segment)
    at = [
        row
        for row in range(0, len(data), ts.PACKET)
        if data[row + 3] & 0x20 and data[row + 4] >= 7 and data[row + 5] & 0x10
    ][nth]
    data[at + 6 : at + 12] = (base << 15 | 0x7E00).to_bytes(6, "big")
    return bytes(data)


def tables_of(*made, pid=ts.PMT, first=0):
    return [
        one for n, each in enumerate(made, first) for one in ts.table_packets(pid, each, n & 15)
    ]


USUAL = ts.pmt({VIDEO: ts.H264, AUDIO: ts.AAC}, pcr_pid=VIDEO)
OTHER = ts.pmt({VIDEO: ts.H264, AUDIO: 0x03}, pcr_pid=VIDEO)
TABLES = {
    "as the others": lambda s: table(s, ts.PMT, tables_of(USUAL)),
    "said again": lambda s: table(s, ts.PMT, tables_of(USUAL, USUAL, USUAL)),
    "with another stream": lambda s: table(s, ts.PMT, tables_of(OTHER)),
    "that change": lambda s: table(s, ts.PMT, tables_of(USUAL, OTHER)),
    "that change and change back": lambda s: table(s, ts.PMT, tables_of(USUAL, OTHER, USUAL)),
    "without a PMT": lambda s: table(s, ts.PMT, []),
    "without a PAT": lambda s: table(s, 0, []),
    "of another program": lambda s: table(s, 0, tables_of(ts.pat({2: ts.PMT}), pid=0)),
    "of two programs": lambda s: table(s, 0, tables_of(ts.pat({1: ts.PMT, 2: 99}), pid=0)),
    "elsewhere": lambda s: table(s, 0, tables_of(ts.pat({1: 99}), pid=0)),
    "whose checksum is wrong": lambda s: table(s, ts.PMT, tables_of(USUAL[:-1] + b"x")),
    "over two packets": lambda s: table(s, ts.PMT, ts.table_packets(ts.PMT, USUAL + b"\xff" * 200)),
    "behind padding": lambda s: table(
        s, ts.PMT, ts.table_packets(ts.PMT, USUAL, pointer=b"\xff" * 9)
    ),
    "of which some are lost": lambda s: table(
        s, ts.PMT, [*tables_of(USUAL), *tables_of(USUAL, first=3)]
    ),
    "whose clock runs back": lambda s: clocked(s, 5, 90),
    "whose clock begins early": lambda s: clocked(s, 0, 90),
    "whose clock ends late": lambda s: clocked(s, -1, 2**32),
}


@pytest.mark.parametrize("which", [{0}, {1}, {3}, {1, 3}, {0, 1, 2, 3}])
@pytest.mark.parametrize("what", TABLES)
def test_tables_and_clocks(what, which):
    segments = [TABLES[what](s) if n in which else s for n, s in enumerate(recording())]
    streams = together(segments)
    assert [*map(told, streams)] == [told(alone(one)) for one in segments]
    assert all(shared(streams))


@pytest.mark.parametrize("anew", [False, True])
def test_tables_that_are_the_same_in_all_are_read_once(anew):
    streams = together(recording(anew=anew))
    assert all(stream.tables is streams[0].tables for stream in streams)
    assert streams[0].among.flawless
    changed = together([*recording(anew=anew)[:-1], TABLES["that change"](recording()[-1])])
    assert changed[0].among.tables is None
    assert not changed[0].among.flawless


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
    assert streams[0].among.track(VIDEO, 1) is None


@pytest.mark.parametrize("number", [0, 1, COUNT - 1])
def test_a_stream_that_one_of_them_lacks(number):
    segments = recording()
    rows = np.frombuffer(segments[number], np.uint8).reshape(-1, ts.PACKET)
    segments[number] = np.delete(rows, packets_of(AUDIO, segments[number]), axis=0).tobytes()
    streams = together(segments)
    assert [*map(told, streams)] == [told(alone(one)) for one in segments]
    assert all(shared(streams))
    assert streams[number].among.track(AUDIO, number) is None


def test_packets_sent_again_sixteen_at_a_time():
    """Their counters go on."""
    segments = recording(audio=None, pictures=3)
    sent = segments[1]
    at = packets_of(VIDEO, sent)[1] * 188
    segments[1] = sent[: at + 16 * 188] + sent[at : at + 16 * 188] + sent[at + 16 * 188 :]
    assert [*map(told, together(segments))] == [told(alone(one)) for one in segments]
    assert told(alone(segments[1])) != told(alone(sent))


def test_sixteen_packets_that_cannot_be_trusted():
    """The counters on either side go on."""
    segments = recording(audio=None, pictures=3)
    data = bytearray(segments[1])
    for at in packets_of(VIDEO, segments[1])[3:19]:
        data[at * 188 + 1] |= 0x80  # transport_error_indicator
    segments[1] = bytes(data)
    assert [*map(told, together(segments))] == [told(alone(one)) for one in segments]


def test_a_muxer_that_writes_rare_fields_everywhere():
    """What is usual in all of them may be a fault in one."""
    counters = {}
    plain = ts.segment(pictures=15, size=2000, counters=counters)
    odd = [ts.packet(VIDEO, ts.noise(100, n), n, key=False) for n in range(60)]
    rare = [bytes((*p[:5], p[5] | 0x04, *p[6:])) for p in odd]  # splicing_point_flag
    segments = [b"".join([plain, *rare]), plain + rare[0], plain]
    assert [*map(told, together(segments))] == [told(alone(one)) for one in segments]


def test_a_stream_that_moves_to_another_pid_is_followed_by_itself():
    segments = recording()
    (stream, *_) = together(segments)
    both = stream.track(VIDEO, AUDIO)
    assert len(both.index) == len(stream.track(VIDEO).index) + len(stream.track(AUDIO).index)


def test_less_than_five_packets_are_no_segment():
    """Synchronisation takes five (TR 101 290, 1.1)."""
    short = ts.segment()[: 4 * 188]
    streams = together([*recording()[:1], short])
    assert not any(shared(streams))


def test_one_segment_is_taken_apart_by_itself():
    (stream,) = together(recording()[:1])
    assert stream.among is None


class Meeting:
    """Stands for the segments around one, and waits for another thread that asks at that moment."""

    def __init__(self, barrier, packets):
        self._barrier, self._asked, self.packets = barrier, False, packets

    def __bool__(self):
        if not self._asked:
            self._asked = True
            self._barrier.wait(30)
        return self.packets is not None


def test_two_threads_that_ask_for_one_thing_after_the_other_do_not_wait_for_each_other():
    """Before Python 3.12 a cached property has one lock for all its objects."""
    data = np.frombuffer(bytearray(recording()[0]), np.uint8)
    barrier, told = threading.Barrier(2), []
    alone = TransportStream(data, Meeting(barrier, None))
    one_of_many = TransportStream(data, Meeting(barrier, [columns(framing(data).rows)]))
    asked = (lambda: told.append(alone.packets), lambda: told.append(one_of_many.framing))
    threads = [threading.Thread(target=ask, daemon=True) for ask in asked]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(told) == 2
