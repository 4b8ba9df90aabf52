"""A segment cut in several: every unit in exactly one piece, decodable from its beginning."""

from bisect import bisect_left
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.media.ts.scan import scan
from pipeline.media.ts.writing.replace_streams import samples
from pipeline.media.ts.writing.split import CutPoint, cut, places
from tests import ts

VIDEO, AUDIO = ts.VIDEO, ts.AUDIO
WHOLE = ts.segment(pictures=30, gop=10)


def data(made: bytes) -> np.ndarray:
    return np.frombuffer(made, np.uint8)


def begins(made: bytes, pid: int) -> list[int]:
    """Packets in which a PES of a stream begins."""
    rows = [made[at : at + 188] for at in range(0, len(made), 188)]
    return [
        n for n, row in enumerate(rows) if (row[1] & 0x1F) << 8 | row[2] == pid and row[1] & 0x40
    ]


def stereo(made: bytes, since: int) -> bytes:
    """The sound has two channels from a packet on."""
    at = since * 188
    return made[:at] + made[at:].replace(b"\xff\xf1\x4c\x40", b"\xff\xf1\x4c\x80")


@given(st.lists(st.integers(0, len(WHOLE) // 188), max_size=4).map(sorted))
def test_every_unit_is_in_exactly_one_piece(rows):
    pieces = cut(data(WHOLE), [CutPoint(row) for row in rows])
    assert len(pieces) == len(rows) + 1
    for pid in (VIDEO, AUDIO):
        again = [one for piece in pieces for one in (samples(piece, pid) if len(piece) else [])]
        assert again == samples(data(WHOLE), pid)


def test_every_piece_has_the_tables_and_no_fault():
    middle = begins(WHOLE, VIDEO)[10]
    for piece in cut(data(WHOLE), [CutPoint(middle)]):
        found = scan("one", piece)
        assert found.program.streams == scan("whole", data(WHOLE)).program.streams
        assert found.findings == ()
        assert found.streams[VIDEO].key_start
        assert found.streams[AUDIO].head == 0


def test_sound_does_not_turn_with_bits_that_no_decoder_needs():
    at = begins(WHOLE, AUDIO)[5] * 188
    made = WHOLE[:at] + WHOLE[at:].replace(b"\xff\xf1\x4c\x40", b"\xff\xf9\x4e\x70")
    assert made != WHOLE
    assert scan("one", data(made)).streams[AUDIO].turns == ()


def test_sound_that_turns_takes_the_nearest_key_picture_with_it():
    turn = begins(WHOLE, AUDIO)[5]
    made = stereo(WHOLE, turn)
    found = scan("one", data(made)).streams[AUDIO]
    assert found.turns == (turn,)
    (place,) = places(data(made), {AUDIO: found.turns})
    keys = [begins(WHOLE, VIDEO)[n] for n in (10, 20)]
    assert place.own[AUDIO] == turn
    assert place.row == place.own[VIDEO] == min(keys, key=lambda row: abs(row - turn))


def test_what_turns_together_is_one_cut():
    key, turn = begins(WHOLE, VIDEO)[10], begins(WHOLE, AUDIO)[5]
    (place,) = places(data(WHOLE), {VIDEO: [key], AUDIO: [turn]})
    assert place == CutPoint(key, {VIDEO: key, AUDIO: turn})


def test_sound_of_two_formats_in_one_pes_becomes_two():
    """Its later frames go behind the cut, with the time they had."""
    frames = [ts.adts_frame(ts.silence(40, seed=n), channels=1 + (n >= 6)) for n in range(12)]
    out, counter = [], 0
    for first in range(0, 12, 4):
        pts = ts.START + first * ts.FRAME
        packets = ts.packets(AUDIO, ts.pes(0xC0, b"".join(frames[first : first + 4]), pts), counter)
        counter = counter + len(packets) & 15
        out += packets
    head = ts.table_packets(0, ts.pat({1: ts.PMT}))
    head += ts.table_packets(ts.PMT, ts.pmt({AUDIO: ts.AAC}, pcr_pid=AUDIO))
    made = b"".join([*head, *out])
    found = scan("one", data(made)).streams[AUDIO]
    first, second = cut(data(made), places(data(made), {AUDIO: found.turns}))
    old, new = samples(first, AUDIO), samples(second, AUDIO)
    assert b"".join(one.data for one in old) == b"".join(frames[:6])
    assert b"".join(one.data for one in new) == b"".join(frames[6:])
    assert [one.pts for one in new] == [ts.START + n * ts.FRAME for n in (6, 8)]
    assert scan("a", first).findings == scan("b", second).findings == ()


def cut_up(es: bytes, size: int, ends: list[int]) -> bytes:
    """Sound in PES of so many bytes, each stamped with the first frame that begins in it."""
    out, counter = [], 0
    for at in range(0, len(es), size):
        pts = ts.START + bisect_left(ends, at) * ts.FRAME
        packets = ts.packets(AUDIO, ts.pes(0xC0, es[at : at + size], pts), counter)
        counter = counter + len(packets) & 15
        out += packets
    head = ts.table_packets(0, ts.pat({1: ts.PMT}))
    head += ts.table_packets(ts.PMT, ts.pmt({AUDIO: ts.AAC}, pcr_pid=AUDIO))
    return b"".join([*head, *out])


FRAMES = [ts.adts_frame(ts.silence(90 + n % 5, seed=n)) for n in range(24)]
ENDS = [0, *accumulate(map(len, FRAMES))]


@pytest.mark.parametrize("size", [104, 110, 150, 233, 400])
def test_no_frame_lies_in_two_files(size):
    es = b"".join(FRAMES)
    made = cut_up(es, size, ENDS)
    for at, row in enumerate(begins(made, AUDIO)[1:], 1):
        if at * size > ENDS[-2]:
            continue  # none begins in the last one: it should have no stamp
        pieces = cut(data(made), [CutPoint(row, apart=True)])
        first, second = (samples(piece, AUDIO) for piece in pieces)
        border = bisect_left(ENDS, at * size)  # frames that begin in front of it
        assert b"".join(one.data for one in first) == es[: ENDS[border]]
        assert b"".join(one.data for one in second) == es[ENDS[border] :]
        assert second[0].pts == ts.START + border * ts.FRAME
        assert [scan("one", piece).findings for piece in pieces] == [(), ()]


def test_a_pes_that_goes_on_elsewhere_is_not_written_again():
    """It would be shorter than it says, and what follows it would belong to nothing."""
    made = cut_up(b"".join(FRAMES), 400, ENDS)
    made = made[: 188 * (begins(made, AUDIO)[3] + 1)]
    row = begins(made, AUDIO)[3]
    first, second = cut(data(made), [CutPoint(row, apart=True)])
    assert first.tobytes() == made[: 188 * row]
    assert second.tobytes()[-188:] == made[188 * row :]


@pytest.mark.parametrize("seed", range(30))
def test_flipped_bytes_raise_nothing(seed):
    dice = np.random.default_rng(seed)
    made = data(WHOLE).copy()
    made[dice.integers(0, len(made), 40)] ^= 0xFF
    where = places(made, {VIDEO: [int(dice.integers(0, len(made) // 188))]})
    assert len(cut(made, where)) == 2
