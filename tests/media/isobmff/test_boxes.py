"""Headers, the walk over a file, and the way to a box inside another."""

import struct

import pytest

from pipeline.media.isobmff.boxes import MAX_BOXES, Box, Node, read_header, top_level
from pipeline.media.malformed import Malformed
from tests.media.boxes_builder import HUGE, box, counted, reader


def node(data: bytes) -> Node:
    found = read_header(data[:16], 0, len(data), top=True)
    return Node(found, memoryview(data)[found.header :])


@pytest.mark.parametrize(
    ("head", "top", "expected"),
    [
        pytest.param(struct.pack(">I4s", 8, b"free"), False, Box("free", 40, 8), id="empty"),
        pytest.param(struct.pack(">I4s", 100, b"mdat"), False, Box("mdat", 40, 100), id="fits"),
        pytest.param(
            struct.pack(">I4sQ", 1, b"mdat", 99), False, Box("mdat", 40, 99, 16), id="64-bit size"
        ),
        pytest.param(struct.pack(">I4s", 0, b"mdat"), True, Box("mdat", 40, 100), id="to the end"),
    ],
)
def test_headers(head, top, expected):
    assert read_header(head, 40, 100, top=top) == expected


@pytest.mark.parametrize(
    ("head", "why"),
    [
        pytest.param(b"", "cut short, 0 bytes", id="nothing"),
        pytest.param(bytes(7), "cut short, 7 bytes", id="half a header"),
        pytest.param(struct.pack(">I4s", 7, b"free"), "size 7, expected 8 to 100", id="size 7"),
        pytest.param(struct.pack(">I4s", 101, b"free"), "size 101", id="one byte too long"),
        pytest.param(struct.pack(">I4s", 1, b"mdat"), "size 1", id="no 64 bits"),
        pytest.param(struct.pack(">I4sQ", 1, b"mdat", 15), "15, expected 16", id="64-bit size 15"),
        pytest.param(struct.pack(">I4sQ", 1, b"mdat", 2**64 - 1), "to 100", id="2^64"),
        pytest.param(
            struct.pack(">I4s", 0, b"a\nb!"), r"'a\\nb!' at 40: size 0", id="size 0 inside"
        ),
    ],
)
def test_headers_that_are_refused(head, why):
    with pytest.raises(Malformed, match=why) as caught:
        read_header(head, 40, 100, top=False)
    assert "\n" not in str(caught.value)


def test_the_walk_reads_each_header_and_nothing_else():
    data = box("ftyp", bytes(8)) + box("free") + struct.pack(">I4s", 0, b"mdat") + bytes(90)
    reads: list[tuple[int, int]] = []

    def read(offset: int, length: int) -> bytes:
        reads.append((offset, length))
        return data[offset : offset + length]

    assert top_level(read, len(data)) == (
        Box("ftyp", 0, 16),
        Box("free", 16, 8),
        Box("mdat", 24, 98),
    )
    assert reads == [(0, 16), (16, 16), (24, 16)]
    assert Box("mdat", 24, 98).payload == (32, 122)


def test_the_walk_ends_at_a_limit():
    assert len(top_level(reader(box("free") * MAX_BOXES), 8 * MAX_BOXES)) == MAX_BOXES
    with pytest.raises(Malformed, match="more than 256 boxes before offset 2048"):
        top_level(reader(box("free") * 999), 8 * 999)


def test_the_way_to_a_descendant():
    root = node(box("moov", box("free"), box("trak", box("mdia", b"\0\1\2\3"))))
    found = root.need("trak", "mdia")
    assert found.box == Box("mdia", 24, 12)
    assert found.unpack("HxB") == (1, 3)
    assert found.unpack("B", 3) == (3,)
    assert root.find("udta") is None
    assert [n.box.type for n in root.children] == ["free", "trak"]
    assert [n.box.type for n in root.boxes(8)] == ["trak"]


@pytest.mark.parametrize(
    ("data", "path", "why"),
    [
        pytest.param(box("moov"), ["trak"], "'moov' at 0: no trak box", id="absent"),
        pytest.param(
            box("moov", box("trak")), ["trak", "mdia"], "'trak' at 8: no mdia", id="absent below"
        ),
        pytest.param(box("moov", box("trak") * 2), ["trak"], "2 trak boxes", id="twice"),
        pytest.param(box("moov", bytes(5)), ["trak"], "box at 8: cut short", id="half a header"),
        pytest.param(box("moov", box("free") * 257), ["trak"], "more than 256", id="very many"),
    ],
)
def test_ways_that_lead_nowhere(data, path, why):
    with pytest.raises(Malformed, match=why):
        node(data).need(*path)


def test_a_table_of_two_columns():
    assert node(counted("stts", (3, 100), (2, 50))).table(">u4", 2).tolist() == [[3, 100], [2, 50]]
    assert node(counted("stts", (3, 100), count=0)).table(">u4", 2).tolist() == []


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(counted("stts", (3, 100), count=2), "2 entries, .* room for 1", id="one more"),
        pytest.param(counted("stts", count=HUGE), "4294967295 entries", id="2^32 entries"),
        pytest.param(box("stts", bytes(7)), "cut short, 7 bytes, expected 8", id="no count"),
    ],
)
def test_tables_shorter_than_their_count(data, why):
    with pytest.raises(Malformed, match=why):
        node(data).table(">u4", 2)


def test_versions():
    assert node(box("mdhd", b"\1\0\0\0")).version(1) == 1
    with pytest.raises(Malformed, match="version 2, expected <= 1"):
        node(box("mdhd", b"\2\0\0\0")).version(1)
