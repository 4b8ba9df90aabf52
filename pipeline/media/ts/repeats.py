"""Packets of a stream that were sent again: one by one (2.4.3.3), or many in a row."""

import numpy as np
from numpy.typing import NDArray

from pipeline.media.clock import Bytes, Index, Mask
from pipeline.media.ts.packets import PACKET, Packets

MOST = 256  # breaks of one stream in one segment that are looked into
ROUND = 16  # packets after which continuity_counter is what it was
ROUNDS = 4  # so many rounds sent again at once are looked for
FARTHEST = 4096  # packets of a stream between a packet and its copy


def rounds_again(packets: Packets, index: Index) -> Mask:
    """Packets that were sent again sixteen, or a multiple of that, at a time: the counter cannot
    tell (2.4.3.3), for it is what it was.
    """
    again = np.zeros(len(index), np.bool_)
    if not may_be_rounds(packets, index):
        return again
    word = _last_words(packets)[index]
    for apart in range(ROUND, min(ROUNDS * ROUND, len(index) // 2) + 1, ROUND):
        alike = np.flatnonzero(word[apart:] == word[:-apart])
        if len(alike) < apart:
            continue
        runs = np.append(0, np.flatnonzero(np.diff(alike) != 1) + 1)
        long = runs[np.diff(runs, append=len(alike)) >= apart]
        for at in (alike[long] + apart).tolist():
            at += _first_equal(packets.rows, index[at - apart :], index[at : at + ROUND])
            if not again[at] and _copied(packets, index, at) >= apart:
                again[at : at + apart] = True
    return again


def _first_equal(rows: Bytes, one: Index, other: Index) -> int:
    """How many of the others come before the first that is a copy: some words are alike by
    chance.
    """
    return int(equal(rows, one[: len(other)], other).argmax())


def _last_words(packets: Packets) -> NDArray[np.uint32]:
    """The last four bytes of every packet."""
    return packets.rows.reshape(-1).view(np.uint32)[PACKET // 4 - 1 :: PACKET // 4]


def may_be_rounds(packets: Packets, index: Index) -> bool:
    """As far as every eighth packet tells: two in a row are in each round, and so are their
    copies.
    """
    word = _last_words(packets)[index[:: ROUND // 2]]
    for apart in range(2, 2 * ROUNDS + 1, 2):
        alike = word[apart:] == word[:-apart]
        if (alike[1:] & alike[:-1]).any():
            return True
    return False


def sent_again(packets: Packets, index: Index, wrong: Mask) -> Mask:
    """Ranges of packets that were there before; what follows goes on from where they begin.  There
    nothing is ``wrong`` any more.
    """
    again = np.zeros(len(index), np.bool_)
    end = 0
    for at in np.flatnonzero(wrong)[:MOST].tolist():
        if at >= end and (length := _copied(packets, index, at)):
            end = at + length
            again[at:end] = True
            wrong[at : end + 1] = False
    return again


def _copied(packets: Packets, index: Index, at: int) -> int:
    """How many packets from a place on are copies of earlier ones, byte for byte; 0 if what follows
    them does not go on from the packet before.
    """
    following = int(packets.counter[index[at - 1]] + 1) & 15
    apart = (following - int(packets.counter[index[at]])) & 15 or 16
    starts = np.arange(at - apart, max(-1, at - FARTHEST), -16)
    first = equal(packets.rows, index[starts], np.full(len(starts), index[at]))
    for start in starts[first].tolist():
        width = min(at - start, len(index) - at)
        same = equal(packets.rows, index[start : start + width], index[at : at + width])
        length = width if same.all() else int(np.argmin(same))
        behind = packets.counter[index[at + length : at + length + 1]]
        payload = packets.rows[index[at : at + length], 24:]
        told = bool((payload != payload[:, :1]).any())  # filler is the same wherever it is
        if told and (behind & 15 == following).all():
            return length
    return 0


def equal(rows: Bytes, one: Index, other: Index) -> Mask:
    """Packets equal in every byte but those of the PCR (2.4.3.3)."""
    differs = rows[one] != rows[other]
    clocked = (rows[one, 3] & 0x20 != 0) & (rows[one, 4] >= 7) & (rows[one, 5] & 0x10 != 0)
    differs[:, 6:12] &= ~clocked[:, None]
    equal: Mask = ~differs.any(axis=1)
    return equal
