"""Segments of a short recording that stay in memory, from when they are scanned until they are
stitched.
"""

from collections.abc import Sequence
from pathlib import Path

from pipeline.media.ts.transport_stream import TransportStream
from pipeline.stages.segments import LocalSegment


class Kept:
    """Packets by file, each for one who edits them."""

    def __init__(self) -> None:
        self._streams: dict[Path, TransportStream] = {}

    def take(
        self, segments: Sequence[LocalSegment], streams: Sequence[TransportStream | None]
    ) -> None:
        """Keep the packets of some segments, where they are in memory."""
        for segment, stream in zip(segments, streams, strict=True):
            if segment.path is not None and stream is not None:
                self._streams[segment.path] = stream

    def row(self, segments: Sequence[LocalSegment]) -> list[TransportStream] | None:
        """The packets of some segments, which are forgotten here; None if not all are kept as they
        were scanned.
        """
        found = [self._of(segment) for segment in segments]
        return [one for one in found if one is not None] if None not in found else None

    def _of(self, segment: LocalSegment) -> TransportStream | None:
        if segment.path is None or segment.wrapping is not None or segment.slot.scan is None:
            return None
        stream = self._streams.pop(segment.path, None)
        same = stream is not None and len(stream.data) == segment.slot.scan.size
        return stream if same else None
