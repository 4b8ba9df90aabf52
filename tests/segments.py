"""Segments at hand, as the stages behind ``fetch`` take them."""

from pathlib import Path

import numpy as np

from pipeline.media.ts.scan import scan
from pipeline.model import Listed, Segment, StoredObject
from pipeline.stages.segments import LocalSegment, slot_of


def local(path: Path, data: bytes, seconds: float = 1.0) -> LocalSegment:
    """A segment of a second whose file holds these bytes."""
    path.write_bytes(data)
    listed = Listed(Segment(path.name, seconds), StoredObject(path.name, len(data), None, 0.0))
    found = scan(path.name, np.frombuffer(data, np.uint8))
    return LocalSegment(listed, slot_of(listed, found), path)
