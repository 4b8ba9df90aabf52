"""The display matrix of turned pictures: versions of ffmpeg differ in how they are told of it."""

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.media.isobmff import sample_tables as mp4
from pipeline.media.track import Lane
from pipeline.muxing.patch import patch_moov

ONE = 1 << 16  # 1.0 as 16.16 bits


def tell_rotation(path: Path, lanes: Sequence[Lane]) -> None:
    """Let players show the pictures of an MP4 upright (ISO/IEC 14496-12 clause 8.3.2)."""
    if not any(lane.turned for lane in lanes):
        return
    turned = [lane.turned for lane in lanes if lane.codec.kind == "video"]

    def matrices(moov: bytes) -> Iterator[tuple[int, bytes]]:
        shapes = [shape for shape in mp4.shapes(moov) if shape.handler == "vide"]
        for degrees, shape in zip(turned, shapes, strict=False):
            yield shape.offset, _matrix(degrees, shape)

    patch_moov(path, matrices)


def _matrix(degrees: int, shape: mp4.Shape) -> bytes:
    """Clockwise, then moved so that the upper left corner is at 0 (clause 6.2.2)."""
    a, b, x, y = {
        0: (ONE, 0, 0, 0),
        90: (0, ONE, shape.height, 0),
        180: (-ONE, 0, shape.width, shape.height),
        270: (0, -ONE, 0, shape.width),
    }[degrees]
    return struct.pack(">9i", a, b, 0, -b, a, 0, x, y, 1 << 30)
