"""Segments as files: what is read of them, and when they are refused."""

import numpy as np

from pipeline.stages import segments


def test_reading_into_a_buffer_fills_what_there_is(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(bytes(range(10)))
    for room in (4, 10, 20):
        buffer = np.empty(room, np.uint8)
        assert segments.read_into(path, buffer) == min(room, 10)
        assert buffer[: min(room, 10)].tobytes() == bytes(range(min(room, 10)))
