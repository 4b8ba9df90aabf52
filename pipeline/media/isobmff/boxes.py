"""Boxes: the headers and the nesting of an MP4 file.

Clauses are those of ISO/IEC 14496-12:2015 (ISO base media file format).  A count is believed only
after it was compared with the bytes that are there; what does not fit raises Malformed.
"""

import struct
from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from pipeline.media.malformed import Malformed

MAX_BOXES = 256  # in one container; ffmpeg writes about ten


class Box(NamedTuple):
    """A box and where it lies (4.2): offset from the beginning of the file or of the moov, size
    with header, and size of the header, in bytes.
    """

    type: str
    offset: int
    size: int
    header: int = 8

    @property
    def payload(self) -> tuple[int, int]:
        """Offsets of the first byte of the content and of the first byte behind it."""
        return self.offset + self.header, self.offset + self.size


def read_header(head: bytes, at: int, room: int, *, top: bool) -> Box:
    """A box header (4.2) at the offset ``at``, from its first 8 or 16 bytes; ``room`` bytes are
    there.  Size 0, to the end of the file, is for ``top`` level boxes only.  Malformed if the
    header is cut short or its size does not fit.
    """
    if len(head) < 8:
        raise Malformed(f"box at {at}: cut short, {len(head)} bytes, expected 8")
    size, kind = struct.unpack(">I4s", head[:8])
    header = 8
    if size == 1 and len(head) >= 16:
        size, header = int.from_bytes(head[8:16], "big"), 16
    elif size == 0 and top:
        size = room
    if not header <= size <= room:
        name = kind.decode("latin-1")
        raise Malformed(f"{name!r} at {at}: size {size}, expected {header} to {room}")
    return Box(kind.decode("latin-1"), at, size, header)


def top_level(read: Callable[[int, int], bytes], size: int) -> tuple[Box, ...]:
    """Top-level boxes of a file of ``size`` bytes (4.2): one ``read(offset, 16)`` for each.
    Malformed if they do not fill the file, or are more than ``MAX_BOXES``.
    """
    boxes: list[Box] = []
    at = 0
    while at < size:
        if len(boxes) == MAX_BOXES:
            raise Malformed(f"file: more than {MAX_BOXES} boxes before offset {at}")
        boxes.append(read_header(read(at, min(16, size - at)), at, size - at, top=True))
        at += boxes[-1].size
    return tuple(boxes)


class Node(Struct, frozen=True, dict=True):
    """A box of the moov with its bytes; ``box.offset`` counts from the start of the moov."""

    box: Box
    data: memoryview  # the content, without the header

    def error(self, detail: str) -> Malformed:
        """The exception for what is wrong with it, which says where it lies."""
        return Malformed(f"{self.box.type!r} at {self.box.offset}: {detail}")

    def unpack(self, layout: str, at: int = 0) -> tuple[Any, ...]:
        """Big-endian fields of a struct ``layout`` at an offset in the content; Malformed behind
        its end.
        """
        end = at + struct.calcsize(">" + layout)
        if end > len(self.data):
            raise self.error(f"cut short, {len(self.data)} bytes, expected {end}")
        return struct.unpack_from(">" + layout, self.data, at)

    def version(self, most: int) -> int:
        """Version of a full box (4.2); Malformed above ``most``."""
        found: int = self.unpack("B")[0]
        if found > most:
            raise self.error(f"version {found}, expected <= {most}")
        return found

    def table(self, dtype: str, columns: int = 1, at: int = 4) -> NDArray[Any]:
        """A table ``dtype[count, columns]`` behind its count, which is at the offset ``at``; not
        copied.  Malformed if the box has no room for so many rows.
        """
        count: int = self.unpack("I", at)[0]
        room = (len(self.data) - at - 4) // (np.dtype(dtype).itemsize * columns)
        if count > room:
            raise self.error(f"{count} entries, there is room for {room}")
        return np.frombuffer(self.data, dtype, count * columns, at + 4).reshape(count, columns)

    def boxes(self, skip: int) -> list["Node"]:
        """The boxes inside, behind ``skip`` bytes of fields; Malformed if they do not fill it."""
        found: list[Node] = []
        at, base = skip, self.box.payload[0]
        while at < len(self.data):
            if len(found) == MAX_BOXES:
                raise self.error(f"more than {MAX_BOXES} boxes")
            head = bytes(self.data[at : at + 16])
            box = read_header(head, base + at, len(self.data) - at, top=False)
            found.append(Node(box, self.data[at + box.header : at + box.size]))
            at += box.size
        return found

    @cached_property
    def children(self) -> list["Node"]:
        """The boxes inside a plain container."""
        return self.boxes(0)

    def find(self, kind: str) -> "Node | None":
        """The child of that type, None without one; Malformed if there are several."""
        found = [n for n in self.children if n.box.type == kind]
        if len(found) > 1:
            raise self.error(f"{len(found)} {kind} boxes, expected 1")
        return found[0] if found else None

    def need(self, *path: str) -> "Node":
        """The descendant at a path that the standard makes mandatory; Malformed without it."""
        node = self
        for kind in path:
            child = node.find(kind)
            if child is None:
                raise node.error(f"no {kind} box")
            node = child
        return node
