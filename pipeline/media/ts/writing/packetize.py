"""Single PES and packets to be put between those of a stream (ISO/IEC 13818-1 clause 2.4.3)."""

import numpy as np

from pipeline.media.clock import Bytes, Mask
from pipeline.media.ts.packets import NULL_PID, PACKET
from pipeline.media.ts.time_fields import stamp_fields


def audio_pes(payload: bytes, pts: int) -> bytes:
    """One audio PES with a PTS (2.4.3.6)."""
    length = len(payload) + 8
    head = b"\0\0\1\xc0" + (length if length < 65536 else 0).to_bytes(2, "big") + b"\x80\x80\x05"
    return head + stamp_fields(np.array([pts], np.int64), 2).tobytes() + payload


def video_pes(payload: bytes, pts: int, dts: int | None = None) -> bytes:
    """One video PES with a PTS, none where it is -1, and a DTS where that is another; its length is
    left open (2.4.3.7).
    """
    if pts < 0:
        return b"\0\0\1\xe0\0\0\x80\0\0" + payload
    both = dts is not None and dts != pts
    fields = stamp_fields(np.array([pts], np.int64), 3 if both else 2).tobytes()
    fields += stamp_fields(np.array([dts], np.int64), 1).tobytes() if both else b""
    head = b"\0\0\1\xe0\0\0\x80" + bytes((0xC0 if both else 0x80, len(fields)))
    return head + fields + payload


def clock(pid: int, base: int, counter: int) -> bytes:
    """A packet with a PCR and nothing else; ``counter`` is that of the next one (2.4.3.3)."""
    field = (base << 15 | 0x3F << 9).to_bytes(6, "big")
    head = bytes((0x47, pid >> 8, pid & 0xFF, 0x20 | counter - 1 & 15, PACKET - 5, 0x10))
    return (head + field).ljust(PACKET, b"\xff")


def packetize(pid: int, pes: bytes, counter: int, *, begins: bool = True) -> tuple[bytes, int]:
    """A PES as transport packets, the last one stuffed (2.4.3.3); returns the next counter too.
    It ``begins`` there, or these bytes go on with one.
    """
    packets = []
    for at in range(0, len(pes), PACKET - 4):
        piece = pes[at : at + PACKET - 4]
        start = 0x40 if begins and at == 0 else 0
        head = bytes((0x47, start | pid >> 8, pid & 0xFF))
        spare = PACKET - 4 - len(piece)
        stuffing = (
            b"" if not spare else bytes((spare - 1,)) + (b"\0" + b"\xff" * (spare - 2))[: spare - 1]
        )
        packets.append(head + bytes((0x10 | (0x20 if spare else 0) | counter,)) + stuffing + piece)
        counter = counter + 1 & 15
    return b"".join(packets), counter


def blank(rows: Bytes, out: Mask) -> None:
    """Turn packets into null packets."""
    index = np.flatnonzero(out)
    rows[index, 0] = 0x47
    rows[index, 1] = NULL_PID >> 8
    rows[index, 2] = NULL_PID & 0xFF
    rows[index, 3] = 0x10
