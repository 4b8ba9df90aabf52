"""Transport packets of one segment as columns (ISO/IEC 13818-1 clause 2.4.3).

One 32-bit header column of the ``(n, 188)`` byte matrix answers most questions; only packets with
an adaptation field are looked at a second time.
"""

import sys

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from pipeline.media.clock import Bytes, Index, Mask

PACKET = 188
SYNC = 0x47
NULL_PID = 0x1FFF
FIRST_PID = 0x20  # below are tables: NIT, SDT, EIT ... (EN 300 468)
LOCK = 5  # sync bytes in a row that acquire synchronisation (TR 101 290, 1.1)


# packet_start_code_prefix as numpy reads it from memory: 00 00 01 and any byte.
PREFIX, PREFIX_MASK = (
    (np.uint32(0x00010000), np.uint32(0x00FFFFFF))
    if sys.byteorder == "little"
    else (np.uint32(0x00000100), np.uint32(0xFFFFFF00))
)


class Framing(Struct, frozen=True, eq=False):
    """Whole packets found in a segment, and the bytes that belong to none."""

    rows: Bytes  # (n, 188)
    leading: int = 0  # bytes before the first packet
    trailing: int = 0  # bytes of a packet cut off at the end
    behind: int = 0  # bytes behind the last packet that begin none
    lost: int = 0  # bytes skipped inside to find the next packet
    breaks: tuple[int, ...] = ()  # rows in front of which bytes were skipped


class Packets(Struct, frozen=True, eq=False):
    """Header fields of n packets; ``bad`` ones carry the null PID here."""

    rows: Bytes  # (n, 188)
    pid: NDArray[np.uint16]
    counter: NDArray[np.uint8]  # continuity_counter
    payload: Mask  # carries payload
    unit_start: Mask  # payload_unit_start_indicator
    start: NDArray[np.int16]  # where the payload begins; 188 where there is none
    discontinuity: Mask  # discontinuity_indicator
    adapted: Index  # packets with an adaptation field
    fields: Bytes  # (k, 8): what each of these fields begins with: length, flags, PCR
    prefixed: Index  # packets that may begin a PES without saying so
    bad: Index  # packets that must not be trusted
    odd: bool = False  # so many adaptation fields are rare ones that they are trusted

    def between(self, begin: int, end: int) -> "Packets":
        """Some packets in a row, as if they were all."""
        here = slice(begin, end)
        some = [
            slice(*np.searchsorted(index, (begin, end)).tolist())
            for index in (self.adapted, self.prefixed, self.bad)
        ]
        return Packets(
            rows=self.rows[here],
            pid=self.pid[here],
            counter=self.counter[here],
            payload=self.payload[here],
            unit_start=self.unit_start[here],
            start=self.start[here],
            discontinuity=self.discontinuity[here],
            adapted=self.adapted[some[0]] - begin,
            fields=self.fields[some[0]],
            prefixed=self.prefixed[some[1]] - begin,
            bad=self.bad[some[2]] - begin,
            odd=self.odd,
        )


def framing(data: Bytes) -> Framing:
    """Find the packets.  After a loss of synchronisation the next five packets in a row count
    again.
    """
    opens = len(data) >= LOCK * PACKET and (data[: LOCK * PACKET : PACKET] == SYNC).all()
    first = 0 if opens else _lock(data, 0)
    if first is None:
        return Framing(np.empty((0, PACKET), np.uint8), leading=len(data))
    if data[first % PACKET] == SYNC:
        first %= PACKET  # damage among the first packets, not garbage in front of them
    whole = (len(data) - first) // PACKET
    rows = data[first : first + whole * PACKET].reshape(whole, PACKET)
    if whole and rows[-1, 0] != SYNC:
        whole -= _padding(rows)
        rows = rows[:whole]
    if (rows[:, 0] == SYNC).all():
        return Framing(rows, first, *_rest(data, first + whole * PACKET))
    return _reframed(data, first)


def _padding(rows: Bytes) -> int:
    """How many packets' room at the end holds nothing but zeros."""
    synced = np.flatnonzero(rows[:, 0] == SYNC)
    behind = rows[int(synced[-1]) + 1 :] if len(synced) else rows[len(rows) :]
    return 0 if behind.any() else len(behind)


def _rest(data: Bytes, at: int) -> tuple[int, int]:
    """What is left behind the last packet: bytes of one that is cut off, or of none."""
    rest = len(data) - at
    return (rest, 0) if rest and data[at] == SYNC else (0, rest)


def _lock(data: Bytes, begin: int) -> int | None:
    """Offset of the next run of sync bytes 188 apart: five, or as many as fit from here on."""
    need = min(LOCK, (len(data) - begin) // PACKET)
    last = len(data) - need * PACKET if need else -1
    at, width = begin, PACKET
    while at <= last:
        width = min(width, last + 1 - at)
        candidates = data[at : at + width] == SYNC
        for ahead in range(1, need):
            candidates &= data[at + ahead * PACKET :][:width] == SYNC
        if candidates.any():
            return at + int(candidates.argmax())
        at, width = at + width, min(2 * width, 1 << 20)
    return None


def _reframed(data: Bytes, first: int, block: int = 4096) -> Framing:
    """The slow way, for damaged segments: follow packets, search again where two in a row fail."""
    pieces: list[Bytes] = [np.empty((0, PACKET), np.uint8)]
    breaks: list[int] = []
    lost, at, count = 0, first, 0
    while whole := min(block, (len(data) - at) // PACKET):
        rows = data[at : at + whole * PACKET].reshape(whole, PACKET)
        bad = np.append(rows[:, 0] != SYNC, False)
        broken = np.flatnonzero(bad[:-1] & bad[1:])
        good = int(broken[0]) if len(broken) else whole
        pieces.append(rows[:good])
        at, count = at + good * PACKET, count + good
        if good < whole:
            again = _lock(data, at) or _last_packets(data, at)
            if again == len(data):
                break
            breaks.append(count)
            lost += again - at
            at = again
    rows = np.concatenate(pieces)
    rows[[count - 1 for count in breaks if count], 0] = 0  # whatever went wrong began in there
    return Framing(rows, first, *_rest(data, at), lost, tuple(breaks))


def _last_packets(data: Bytes, begin: int) -> int:
    """Where two to four packets reach to the end of the data, or the end."""
    for at in range(max(begin, len(data) - LOCK * PACKET), len(data) - 2 * PACKET + 1):
        if (data[at : len(data) - PACKET + 1 : PACKET] == SYNC).all():
            return at
    return len(data)


def columns(rows: Bytes) -> Packets:
    """Split the header word: sync:8 TEI:1 PUSI:1 prio:1 PID:13 TSC:2 AFC:2 CC:4."""
    count = len(rows)
    header = rows.reshape(-1).view(">u4")[:: PACKET // 4].astype(np.uint32)
    control = header.astype(np.uint8)  # TSC, AFC, CC
    payload = (control & 0x10) != 0
    adapted = np.flatnonzero(control & 0x20)
    start = np.full(count, 4, np.int16)
    fields = rows[adapted, 4:12]
    length = fields[:, 0].astype(np.int16)
    start[adapted] = 5 + length
    start[~payload] = PACKET
    flags = fields[:, 1].copy()
    flags[length == 0] = 0
    discontinuity = np.zeros(count, np.bool_)
    discontinuity[adapted[flags & 0x80 != 0]] = True
    untrusted = ((header ^ SYNC << 24) & 0xFF8000C0) != 0
    untrusted |= (control & 0x30) == 0
    wrong, odd = _impossible(rows, header, adapted, length=length, flags=flags)
    untrusted[adapted[wrong]] = True
    pid = ((header >> 8) & 0x1FFF).astype(np.uint16)
    bad = np.flatnonzero(untrusted)
    pid[bad] = NULL_PID
    return Packets(
        rows=rows,
        pid=pid,
        counter=control & np.uint8(15),
        payload=payload,
        unit_start=(header & 0x400000) != 0,
        start=start,
        discontinuity=discontinuity,
        adapted=adapted,
        fields=fields,
        prefixed=_prefixed(rows, header, adapted, start),
        bad=bad,
        odd=odd,
    )


def _prefixed(
    rows: Bytes, header: NDArray[np.uint32], adapted: Index, start: NDArray[np.int16]
) -> Index:
    """Packets without payload_unit_start_indicator whose payload begins as a PES does."""
    flat = rows.reshape(-1)
    plain = np.flatnonzero(flat.view(np.uint32)[1 :: PACKET // 4] & PREFIX_MASK == PREFIX)
    shifted = adapted[(start[adapted] < PACKET - 6) & (header[adapted] & 0x400000 == 0)]
    first = flat.take((shifted * PACKET + start[shifted])[:, None] + np.arange(4))
    shifted = shifted[first.view(np.uint32)[:, 0] & PREFIX_MASK == PREFIX]
    plain = plain[header[plain] & 0x20 == 0]
    found: Index = np.concatenate([plain, shifted])
    found = found[(header[found] & 0x400000 == 0) & (start[found] < PACKET - 6)]
    if not len(found):
        return found
    head = flat.take((found * PACKET + start[found])[:, None] + np.arange(7))
    known = ((head[:, 3] & 0xF0) == 0xE0) | ((head[:, 3] & 0xE0) == 0xC0)  # Table 2-22
    prefixed: Index = found[known & (head[:, 6] & 0xC0 == 0x80)]
    return prefixed


def random_access(packets: Packets, index: Index) -> Mask:
    """Which of these packets have random_access_indicator set (2.4.3.5)."""
    control, length, flags = packets.rows[index, 3:6].T
    marked: Mask = (control & 0x20 != 0) & (length != 0) & (flags & 0x40 != 0)
    return marked


def causes(packets: Packets) -> dict[str, Index]:
    """Why packets are bad, each for its first reason, by finding id."""
    left = packets.bad
    found: dict[str, Index] = {}
    for id, place, mask, good in (
        ("SYNC_BYTE", 0, 0xFF, SYNC),
        ("TEI", 1, 0x80, 0),
        ("SCRAMBLED", 3, 0xC0, 0),
    ):
        wrong = packets.rows[left, place] & mask != good
        found[id] = left[wrong]
        left = left[~wrong]
    return {**found, "AF_LENGTH": left}


def _impossible(
    rows: Bytes,
    header: NDArray[np.uint32],
    adapted: Index,
    *,
    length: NDArray[np.int16],
    flags: NDArray[np.uint8],
) -> tuple[Mask, bool]:
    """Adaptation fields whose length does not fit, or with a content no muxer writes (2.4.3.5); and
    whether this one writes such.
    """
    control = header[adapted]
    clocked = flags & 0x10 != 0
    # with a payload at most 182, but some write padding that way: no byte of payload is left
    wrong: Mask = np.where(control & 0x10 == 0, length != 183, length > 183)
    padding = adapted[(control & 0x10 != 0) & (length == 183)]
    if len(padding):
        filled = (rows[padding, 12:] == 0xFF).all(axis=1) & (header[padding] & 0x400000 == 0)
        wrong[np.searchsorted(adapted, padding[~filled])] = True
    wrong |= clocked & (length < 7)  # no room for the PCR it announces
    # A payload taken for an adaptation field by one flipped bit shows rare flags or odd stuffing.
    # Some muxers do write such fields, then many of them: only exceptions count.
    inner = np.flatnonzero((control & 0x400000 == 0) & ~wrong)
    first = np.where(clocked[inner], 12, 6)
    last = 4 + length[inner]
    ends = rows[adapted[inner], last] & rows[adapted[inner], np.minimum(first, last)]
    odd = (flags[inner] & 0x2F != 0) | ((last >= first) & (ends != 0xFF))
    usual = 10 * int(np.count_nonzero(odd)) > len(adapted)
    if not usual:
        wrong[inner[odd]] = True
    return wrong, usual
