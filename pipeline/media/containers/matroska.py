"""WebM and Matroska: the frames of a file, cut out of its clusters (RFC 9559).

Files of a live recorder have clusters of unknown size and no index; neither is needed here.
"""

import struct
from collections.abc import Iterator

from msgspec import Struct, field

from pipeline.media.malformed import Malformed

MAX_FRAMES = 1 << 22  # of a file
MAX_ELEMENTS = 1 << 23
_SEGMENT, _INFO, _TRACKS, _CLUSTER = 0x18538067, 0x1549A966, 0x1654AE6B, 0x1F43B675
_INDEX = {0x1C53BB6B, 0x1254C367, 0xEC}  # Cues, Tags, Void
_CONTAINERS = {_SEGMENT, _CLUSTER, _INFO, _TRACKS, 0xAE, 0xE0, 0xE1, 0xA0}


class MatroskaTrack(Struct):
    """One track (RFC 9559 section 5.1.4) with all its frames, in the order of the file."""

    number: int = 0
    kind: int = 0  # 1: video, 2: audio
    codec: str = ""  # CodecID
    private: bytes = b""  # CodecPrivate
    size: tuple[int, int] = (0, 0)  # pixels
    delay: int = 0  # CodecDelay, nanoseconds: times count from the first sample that is heard
    encoded: bool = False  # its frames are compressed or encrypted
    times: list[int] = field(default_factory=list)  # of each frame, ticks of 90 kHz
    frames: list[bytes] = field(default_factory=list)


class File(Struct, frozen=True):
    """What a WebM or Matroska file holds."""

    tracks: tuple[MatroskaTrack, ...]  # in the order of the file
    cut: bool  # it ends before it should
    index_cut: bool = False  # it does, and only its index lost anything


def read(data: bytes) -> File:
    """Every frame of a file.  Malformed if it is none, its elements cannot be followed, or it has
    more than ``MAX_FRAMES``.
    """
    if not data.startswith(b"\x1a\x45\xdf\xa3"):
        raise Malformed("it does not begin with an EBML header")
    reader = _Reader(data)
    reader.walk()
    return File(tuple(reader.tracks.values()), reader.cut, reader.index_cut)


class _Reader:
    """The state while the elements are read one after the other."""

    def __init__(self, data: bytes) -> None:
        self.tracks: dict[int, MatroskaTrack] = {}
        self.cut = False
        self.index_cut = False
        self._data = data
        self._scale = 1_000_000  # TimestampScale: nanoseconds of one unit of time
        self._cluster = 0  # Timestamp of the cluster, in that unit
        self._entry = MatroskaTrack()
        self._count = 0

    def walk(self) -> None:
        """Containers are entered, so that their size need not be known."""
        for id, begin, end in self._elements():
            value = self._data[begin:end]
            if id == 0x2AD7B1:
                self._scale = int.from_bytes(value, "big") or self._scale
            elif id == 0xE7:
                self._cluster = int.from_bytes(value, "big")
            elif id == 0xAE:
                self._entry = MatroskaTrack()
            elif id in (0xA3, 0xA1):
                self._block(value)
            else:
                self._describe(id, value)

    def _elements(self) -> Iterator[tuple[int, int, int]]:
        """ID of each element, and where its content begins and ends (RFC 8794 section 4)."""
        at = promised = 0
        size = len(self._data)
        for _ in range(MAX_ELEMENTS):
            if at >= size:
                self.cut = at < promised
                return
            id, begin = self._number(at, keep=True)
            first = begin
            length, begin = self._number(begin, keep=False) if begin else (0, 0)
            if not begin:
                self.cut = True
                return
            if id in _CONTAINERS:
                unknown = length == (1 << 7 * (begin - first)) - 1
                promised = promised if unknown else max(promised, begin + length)
                yield id, begin, begin
                at = begin
                continue
            end = begin + length
            if end > size:
                self.index_cut = id in _INDEX and end >= promised
                self.cut = not self.index_cut
                return
            yield id, begin, end
            at = end
        raise Malformed(f"more than {MAX_ELEMENTS} elements")

    def _number(self, at: int, *, keep: bool) -> tuple[int, int]:
        """A variable-size integer and where it ends; 0 and 0 where the file ends inside it."""
        first = self._data[at] if at < len(self._data) else 0
        width = 9 - first.bit_length()
        if not first or at + width > len(self._data):
            if at < len(self._data) and not first:
                raise Malformed(f"no element at byte {at}")
            return 0, 0
        value = int.from_bytes(self._data[at : at + width], "big")
        return value if keep else value & (1 << 7 * width) - 1, at + width

    def _describe(self, id: int, value: bytes) -> None:
        if id == 0xD7:
            self._entry.number = int.from_bytes(value, "big")
            self.tracks[self._entry.number] = self._entry
        elif id == 0x83:
            self._entry.kind = int.from_bytes(value, "big")
        elif id == 0x86:
            self._entry.codec = value.rstrip(b"\0").decode("ascii", "replace")
        elif id == 0x63A2:
            self._entry.private = value
        elif id == 0xB0:
            self._entry.size = int.from_bytes(value[:4], "big"), self._entry.size[1]
        elif id == 0xBA:
            self._entry.size = self._entry.size[0], int.from_bytes(value[:4], "big")
        elif id == 0x56AA:
            self._entry.delay = int.from_bytes(value[:8], "big")
        elif id == 0x6D80:
            self._entry.encoded = True

    def _block(self, value: bytes) -> None:
        """A Block or SimpleBlock (RFC 9559 sections 10.1 and 10.2)."""
        number, width = _vint(value)
        if len(value) < width + 3 or number not in self.tracks:
            raise Malformed(f"a block of {len(value)} bytes for track {number}")
        (offset,) = struct.unpack_from(">h", value, width)
        nanoseconds = (self._cluster + offset) * self._scale
        track = self.tracks[number]
        ticks = (nanoseconds * 9 + 50_000) // 100_000
        for frame in _frames(value[width + 3 :], value[width + 2] >> 1 & 3):
            self._count += 1
            if self._count > MAX_FRAMES:
                raise Malformed(f"more than {MAX_FRAMES} frames")
            track.times.append(ticks)
            track.frames.append(frame)


def _vint(value: bytes) -> tuple[int, int]:
    first = value[0] if value else 0
    width = 9 - first.bit_length()
    if not first or width > len(value):
        raise Malformed("a number that is cut short")
    return int.from_bytes(value[:width], "big") & (1 << 7 * width) - 1, width


def _frames(data: bytes, lacing: int) -> list[bytes]:
    """The frames of a block (RFC 9559 section 10.3): none, Xiph, fixed or EBML lacing."""
    if not lacing:
        return [data]
    if not data:
        raise Malformed("a block without a frame")
    count, at = data[0] + 1, 1
    sizes: list[int] = []
    if lacing == 2:
        each, rest = divmod(len(data) - 1, count)
        if rest:
            raise Malformed(f"{len(data) - 1} bytes are not {count} frames of one size")
        sizes = [each] * count
    else:
        for n in range(count - 1):
            if lacing == 1:
                size = 0
                while at < len(data) and data[at] == 255:
                    size, at = size + 255, at + 1
                size, at = size + (data[at] if at < len(data) else 0), at + 1
            else:
                size, width = _vint(data[at:])
                size -= (1 << 7 * width - 1) - 1 - sizes[-1] if n else 0
                at += width
            sizes.append(size)
        sizes.append(len(data) - at - sum(sizes))
    if min(sizes) < 0:
        raise Malformed("frames that are longer than their block")
    frames = []
    for size in sizes:
        frames.append(data[at : at + size])
        at += size
    return frames
