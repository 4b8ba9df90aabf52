"""PES headers in which one field cannot be right."""

import numpy as np
import pytest

from pipeline.media.ts.pes_header import WIDTH, begun, put_right
from pipeline.media.ts.scan import scan
from pipeline.media.ts.writing.replace_streams import samples
from pipeline.model import Severity
from tests import ts

UNITS = [ts.access_unit(n) for n in range(6)]


def headers(**changes: tuple[int, int]) -> np.ndarray:
    """The first bytes of six PES of pictures; ``n3=(8, 74)`` sets byte 8 of the fourth."""
    made = [bytearray(ts.pes(0xE0, unit, 6000 * n)[:WIDTH]) for n, unit in enumerate(UNITS)]
    for name, (place, value) in changes.items():
        made[int(name[1:])][place] = value
    return np.array(made, np.uint8)


def test_what_is_right_is_not_even_copied():
    given = headers()
    found, wrong = put_right(given)
    assert found is given
    assert not wrong.any()
    assert put_right(given[:0])[1].tolist() == []


@pytest.mark.parametrize(
    ("place", "value"),
    [
        pytest.param(0, 0x20, id="no start code"),
        pytest.param(2, 0, id="nor this"),
        pytest.param(3, 0xF0, id="a stream_id of no pictures"),
        pytest.param(3, 0xC0, id="a stream_id of sound"),
        pytest.param(8, 5 + 64, id="a longer header"),
        pytest.param(8, 1, id="a shorter one"),
        pytest.param(8, 255, id="one beyond the packet"),
    ],
)
def test_a_field_that_cannot_be_right(place, value):
    found, wrong = put_right(headers(n3=(place, value)))
    assert (found == headers()).all()
    assert wrong.tolist() == [False, False, False, True, False, False]


@pytest.mark.parametrize(
    ("stamps", "flags"),
    [
        pytest.param((6000,), 0x00, id="there is a PTS"),
        pytest.param((6000,), 0x40, id="they are forbidden ones"),
        pytest.param((6000, 3000), 0x80, id="there is a DTS"),
        pytest.param((6000, 3000), 0x00, id="there are both"),
    ],
)
def test_flags_that_deny_the_stamps_there_are(stamps, flags):
    given = headers()
    given[2, :WIDTH] = np.frombuffer(ts.pes(0xE0, UNITS[2], *stamps)[:WIDTH], np.uint8)
    wanted = given.copy()
    given[2, 7] = flags
    found, wrong = put_right(given)
    assert (found == wanted).all()
    assert wrong.tolist() == [False, False, True, False, False, False]


def test_a_writer_whose_flags_deny_most_stamps_means_it():
    given = headers(n0=(7, 0), n1=(7, 0), n2=(7, 0), n3=(7, 0))
    assert put_right(given)[0] is given


def test_flags_that_deny_what_is_no_stamp_are_right():
    """No marker bits, or a prefix of another field."""
    for place, value in ((9, 0xFF), (9, 0x31), (11, 0), (13, 0)):
        given = headers(n2=(place, value))
        given[2, 7] = 0
        assert put_right(given)[0] is given


def test_stuffing_is_no_mistake():
    given = headers()
    given[1, 8] = 7
    given[1, 14:16] = 0xFF
    given[1, 16:] = headers()[1, 14:22]
    assert put_right(given)[0] is given


def test_not_even_where_sound_seems_to_begin_in_it():
    made = [bytearray(ts.pes(0xBD, b"\xf1" * 40, 6000 * n)[:WIDTH]) for n in range(6)]
    made[5][8], made[5][14] = 6, 0xFF
    given = np.array(made, np.uint8)
    assert put_right(given)[0] is given


def test_flags_of_more_than_stamps_are_left_to_what_they_tell():
    given = headers(n2=(7, 0x81))
    given[2, 8] = 40
    assert put_right(given)[0] is given


@pytest.mark.parametrize(
    ("changes", "begins"),
    [
        pytest.param({}, True, id="a start code"),
        pytest.param({"n3": (1, 0x80)}, True, id="one bit of it flipped"),
        pytest.param({"n3": (1, 0x81)}, False, id="two"),
        pytest.param({"n3": (6, 0x40)}, False, id="no marker"),
    ],
)
def test_what_begins_a_pes(changes, begins):
    assert begun(headers(**changes)).tolist() == [True] * 3 + [begins] + [True] * 2


def test_with_a_start_code_that_is_none_a_unit_has_to_begin():
    given = headers(n3=(0, 1))
    given[3, 14:] = 7
    assert not begun(given)[3]


@pytest.mark.parametrize(("place", "value"), [(0, 1), (3, 0xF0), (8, 5 + 64), (8, 5 + 4)])
def test_no_byte_of_a_picture_is_lost_by_it(place, value):
    made: list[bytes] = []
    for n, unit in enumerate(UNITS):
        pes = bytearray(ts.pes(0xE0, unit, 6000 * n + 900))
        if n == 3:
            pes[place] = value
        made += ts.packets(ts.VIDEO, bytes(pes), len(made))
    tables = ts.table_packets(0, ts.pat()) + ts.table_packets(ts.PMT, ts.pmt({ts.VIDEO: ts.H264}))
    data = np.frombuffer(b"".join([*tables, *made]), np.uint8)
    found = scan("a.ts", data)
    said = [(f.id, f.severity, f.count) for f in found.findings]
    assert said == [("PES_HEADER", Severity.WARNING, 1)]
    assert found.streams[ts.VIDEO].payload == sum(map(len, UNITS))
    assert len(found.streams[ts.VIDEO].pts) == 6
    assert [s.data for s in samples(data, ts.VIDEO)][:3] == UNITS[:3]
