"""What was encoded waits on the disk for the segments it belongs to: memory holds only when each
unit is shown and where it lies.

Times are ticks of 90 kHz.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from pipeline.media.clock import MODULO, Bytes, Index, Ticks
from pipeline.media.ts.packets import PACKET, columns, framing
from pipeline.media.ts.writing.mux import Sample
from pipeline.media.ts.writing.replace_streams import samples
from pipeline.storage.oserrors import os_errors

BLOCK = PACKET << 14  # bytes of a transport stream that are looked at together


class Spool:
    """A file without a name, one unit behind the other, to be closed: the kernel frees it however
    we end.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with os_errors(f"write to {folder}"):
            folder.mkdir(parents=True, exist_ok=True)
            self._file = TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115  # by close()
        self._end = 0

    def close(self) -> None:
        """Give it up, with all units."""
        self._file.close()

    def add(self, units: Sequence[bytes]) -> tuple[Index, Index]:
        """Write units behind all others; returns offset and size of each, in bytes.  DiskFullError
        where there is no room.
        """
        size = np.array([len(unit) for unit in units], np.intp)
        ends = self._end + np.cumsum(size)
        with os_errors(f"write to {self.folder}"):
            rest = memoryview(b"".join(units))
            while rest:
                rest = rest[self._file.write(rest) :]
        self._end = int(ends[-1]) if len(ends) else self._end
        return ends - size, size

    def unit(self, begin: int, size: int) -> bytes:
        """The bytes that lie there."""
        return os.pread(self._file.fileno(), size, begin)


class Units(Struct, frozen=True, eq=False):
    """Units of one stream, in the order in which they were encoded."""

    spool: Spool
    pts: Ticks
    begin: Index  # bytes: where each lies
    size: Index  # bytes
    delay: int = 0  # ticks from the decoding of each to its presentation

    def __len__(self) -> int:
        return len(self.pts)

    def __iter__(self) -> Iterator[Sample]:
        """With stamps of 33 bits, and their bytes, which are read as they are asked for."""
        shown, decoded = self.pts % MODULO, (self.pts - self.delay) % MODULO
        columns = (shown, decoded, self.begin, self.size)
        for pts, dts, begin, size in zip(*(c.tolist() for c in columns), strict=True):
            yield Sample(pts, dts, self.spool.unit(begin, size))

    def of(self, index: Index) -> "Units":
        """Some of them."""
        return replace(self, pts=self.pts[index], begin=self.begin[index], size=self.size[index])


def joined(parts: Iterable[Units], spool: Spool) -> Units:
    """All units of several parts, one part behind the other."""
    none = np.empty(0, np.int64)
    every = [(none, none, none), *((one.pts, one.begin, one.size) for one in parts)]
    pts, begin, size = map(np.concatenate, zip(*every, strict=True))
    return Units(spool, pts, begin, size)


def taken(output: IO[bytes], pid: int, spool: Spool, block: int = BLOCK) -> Units:
    """What the PES of one stream hold, out of a file that holds a transport stream; as ``samples``
    has them, but ``block`` bytes at a time.
    """
    parts = []
    for some in _pes(output, pid, block):
        pts = np.array([one.pts for one in some], np.int64)
        parts.append(Units(spool, pts, *spool.add([one.data for one in some])))
    return joined(parts, spool)


def _pes(output: IO[bytes], pid: int, block: int) -> Iterator[list[Sample]]:
    output.seek(0)
    rest = b""
    while more := output.read(block):
        data = np.frombuffer(rest + more, np.uint8)
        whole = _before_the_last(data, pid)
        yield samples(data[:whole], pid)
        rest = data[whole:].tobytes()
    yield samples(np.frombuffer(rest, np.uint8), pid)


def _before_the_last(data: Bytes, pid: int) -> int:
    """Bytes in front of the last PES of a stream: more of that may follow."""
    packets = columns(framing(data).rows)
    starts = np.flatnonzero((packets.pid == pid) & packets.unit_start)
    return int(starts[-1]) * PACKET if len(starts) else 0
