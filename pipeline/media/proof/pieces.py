"""Where the bytes of each segment lie in an MP4, and their digests, block by block of the file."""

from collections.abc import MutableSequence, Sequence

import numpy as np
from isal.isal_zlib import crc32
from msgspec import Struct
from numpy.typing import NDArray

from pipeline.media.isobmff import sample_tables as mp4
from pipeline.media.loss.holes import Stretch


class Piece(Struct, frozen=True, eq=False):
    """Runs of bytes of the file, each of one segment of a track; int64[runs], in file order."""

    begin: NDArray[np.int64]  # offset in the file
    length: NDArray[np.int64]  # bytes
    slot: NDArray[np.int64]  # index into the digests


def pieces(
    tracks: Sequence[mp4.Track], expected: Sequence[Sequence[Stretch]], block: int
) -> list[Piece]:
    """Where each segment's share of every track lies, cut at multiples of ``block`` bytes."""
    found = []
    base = 0
    for track, stretches in zip(tracks, expected, strict=True):
        piece = _in_file_order(_track_pieces(track, stretches, base))
        found.append(_cut_at_blocks(piece, block))
        base += len(stretches)
    return found


def _track_pieces(track: mp4.Track, stretches: Sequence[Stretch], base: int) -> Piece:
    """Chunk runs of a track, cut where the next segment's units begin; its digests begin at
    ``base``.
    """
    offsets, lengths, first = mp4.runs(track)
    lasts = np.cumsum([len(s.units.sizes) for s in stretches], dtype=np.int64)
    bounds = lasts[:-1][(lasts[:-1] > 0) & (lasts[:-1] < len(track.sizes))]
    chunk = np.searchsorted(first, bounds, side="right") - 1
    cuts = offsets[chunk] + _lengths(track.sizes, first[chunk], bounds)
    begin = np.insert(offsets, chunk + 1, cuts)
    sample = np.insert(first, chunk + 1, bounds)
    end = np.insert(offsets + lengths, chunk + 1, (offsets + lengths)[chunk])
    cut = np.flatnonzero(end[1:] == end[:-1])  # ends where its next part begins
    end[cut] = begin[cut + 1]
    filled = end > begin
    begin, sample, end = begin[filled], sample[filled], end[filled]
    owner = np.searchsorted(lasts, sample, side="right")
    return Piece(begin, end - begin, base + np.minimum(owner, max(0, len(stretches) - 1)))


def _lengths(sizes: mp4.Samples, begin: NDArray[np.int64], end: NDArray[np.int64]) -> mp4.Longs:
    """Bytes of the samples of each of these spans, of which each has few."""
    spans = zip(begin.tolist(), end.tolist(), strict=True)
    return np.array([int(sizes[a:b].sum(dtype=np.int64)) for a, b in spans], np.int64)


def _in_file_order(piece: Piece) -> Piece:
    """The same sorted by place in the file, as a track nearly always is."""
    if (piece.begin[1:] >= piece.begin[:-1]).all():
        return piece
    order = np.argsort(piece.begin, kind="stable")
    return Piece(piece.begin[order], piece.length[order], piece.slot[order])


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


def digest_block(
    data: memoryview, start: int, tracks: Sequence[Piece], digests: MutableSequence[int]
) -> None:
    """Continue the CRC-32 digests, one for each segment of each track, with the pieces inside the
    block of the file at the offset ``start``.  Blocks must come in file order.
    """
    for piece in tracks:
        lo, hi = np.searchsorted(piece.begin, (start, start + len(data)))
        begins = (piece.begin[lo:hi] - start).tolist()
        ends = (piece.begin[lo:hi] - start + piece.length[lo:hi]).tolist()
        for begin, end, slot in zip(begins, ends, piece.slot[lo:hi].tolist(), strict=True):
            digests[slot] = crc32(data[begin:end], digests[slot])
