"""The display matrix of turned pictures: versions of ffmpeg differ in how they are told of it."""

import struct
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pipeline.media.isobmff import sample_tables as mp4
from pipeline.media.malformed import Malformed
from pipeline.media.track import Lane

ONE = 1 << 16  # 1.0 as 16.16 bits


def tell_rotation(path: Path, lanes: Sequence[Lane]) -> None:
    """Let players show the pictures of an MP4 upright (ISO/IEC 14496-12 clause 8.3.2)."""
    if not any(lane.turned for lane in lanes):
        return
    turned = [lane.turned for lane in lanes if lane.codec.kind == "video"]
    with path.open("r+b") as file:

        def read(offset: int, length: int) -> bytes:
            file.seek(offset)
            return file.read(length)

        with suppress(Malformed):  # the proof will say so
            moov = mp4.moov_span(read, path.stat().st_size).moov
            shapes = [x for x in mp4.shapes(read(moov.offset, moov.size)) if x.handler == "vide"]
            for degrees, shape in zip(turned, shapes, strict=False):
                file.seek(moov.offset + shape.offset)
                file.write(_matrix(degrees, shape))


def _matrix(degrees: int, shape: mp4.Shape) -> bytes:
    """Clockwise, then moved so that the upper left corner is at 0 (clause 6.2.2)."""
    a, b, x, y = {
        0: (ONE, 0, 0, 0),
        90: (0, ONE, shape.height, 0),
        180: (-ONE, 0, shape.width, shape.height),
        270: (0, -ONE, 0, shape.width),
    }[degrees]
    return struct.pack(">9i", a, b, 0, -b, a, 0, x, y, 1 << 30)
