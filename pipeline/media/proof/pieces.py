"""Where the bytes of each segment lie in an MP4, and their digests, block by block of the file."""

from collections.abc import MutableSequence, Sequence

import numpy as np
from isal.isal_zlib import crc32
from msgspec import Struct
from numpy.typing import NDArray

from pipeline.media.isobmff import sample_tables as mp4
from pipeline.media.loss.holes import Stretch


class Piece(Struct, frozen=True, eq=False):
    """Runs of bytes of the file, each of one segment of one track; int64[runs], in file order."""

    begin: NDArray[np.int64]  # offset in the file
    length: NDArray[np.int64]  # bytes
    slot: NDArray[np.int64]  # index into the digests


def pieces(tracks: Sequence[mp4.Track], expected: Sequence[Sequence[Stretch]], block: int) -> Piece:
    """Where each segment's share of every track lies, cut at multiples of ``block`` bytes and
    sorted by place in the file.
    """
    begins, lengths, slots = [], [], []
    base = 0
    for track, stretches in zip(tracks, expected, strict=True):
        begin, length, slot = _track_pieces(track, stretches)
        begins.append(begin)
        lengths.append(length)
        slots.append(slot + base)
        base += len(stretches)
    begin, length, slot = map(np.concatenate, (begins, lengths, slots))
    order = np.argsort(begin, kind="stable")
    return _cut_at_blocks(Piece(begin[order], length[order], slot[order]), block)


def _track_pieces(
    track: mp4.Track, stretches: Sequence[Stretch]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Chunk runs of a track, cut where the next segment's units begin."""
    offsets, lengths, first = mp4.runs(track)
    counts = np.array([len(s.units.sizes) for s in stretches], np.int64)
    bounds = np.cumsum(counts)[:-1]
    bounds = bounds[(bounds > 0) & (bounds < len(track.sizes))]
    total = np.append(0, np.cumsum(track.sizes, dtype=np.int64))
    chunk = np.searchsorted(first, bounds, side="right") - 1
    cuts = offsets[chunk] + total[bounds] - total[first[chunk]]
    begin = np.append(offsets, cuts)
    sample = np.append(first, bounds)
    end = np.append(offsets + lengths, (offsets + lengths)[chunk])
    order = np.lexsort((begin, sample))
    begin, sample, end = begin[order], sample[order], end[order]
    same = np.append(end[1:] == end[:-1], False)  # cut: ends where its next part begins
    end = np.where(same, np.append(begin[1:], 0), end)
    filled = end > begin
    begin, sample, end = begin[filled], sample[filled], end[filled]
    owner = np.searchsorted(np.cumsum(counts), sample, side="right")
    return begin, end - begin, np.minimum(owner, max(0, len(stretches) - 1))


def _cut_at_blocks(piece: Piece, block: int) -> Piece:
    """Split pieces that cross block borders into two or more."""
    end = piece.begin + piece.length
    spread = (end - 1) // block - piece.begin // block
    if not spread.any():
        return piece
    times = spread + 1
    begin = np.repeat(piece.begin, times)
    nth = np.arange(len(begin)) - np.repeat(np.cumsum(times) - times, times)
    border = (begin // block + nth) * block
    new_begin = np.maximum(begin, border)
    new_end = np.minimum(np.repeat(end, times), border + block)
    return Piece(new_begin, new_end - new_begin, np.repeat(piece.slot, times))


def digest_block(data: memoryview, start: int, piece: Piece, digests: MutableSequence[int]) -> None:
    """Continue the CRC-32 digests, one for each segment of each track, with the pieces inside the
    block of the file at the offset ``start``.  Blocks must come in file order.
    """
    lo, hi = np.searchsorted(piece.begin, (start, start + len(data)))
    begins = (piece.begin[lo:hi] - start).tolist()
    ends = (piece.begin[lo:hi] - start + piece.length[lo:hi]).tolist()
    for begin, end, slot in zip(begins, ends, piece.slot[lo:hi].tolist(), strict=True):
        digests[slot] = crc32(data[begin:end], digests[slot])
