"""Segments as files: what is read of them, and when they are refused."""

import numpy as np
import pytest
from msgspec.structs import replace

from pipeline.errors import StorageError
from pipeline.media.containers.unwrap import Wrapping
from pipeline.model import Listed, Segment
from pipeline.stages import segments
from pipeline.stages.segments import LocalSegment
from tests import ts
from tests.segments import local

DATA = ts.segment()


@pytest.fixture
def segment(tmp_path):
    return local(tmp_path / "0.ts", DATA)


def test_a_segment_is_read_as_it_was_scanned(segment):
    assert segments.read(segment).tobytes() == DATA
    assert segments.head(segment) == DATA[: segments.HEAD]


def test_a_buffer_is_used_again(tmp_path, segment):
    buffer = segments.Buffer()
    other = local(tmp_path / "1.ts", ts.segment(start=ts.START + 90_000, size=3000))
    first = segments.read(segment, buffer)
    second = segments.read(other, buffer)
    assert second.tobytes() == other.path.read_bytes()
    assert np.shares_memory(first, second)
    assert not np.shares_memory(segments.read(segment), second)


def test_what_grows_beyond_a_buffer_is_read_whole(tmp_path, segment):
    buffer = segments.Buffer()
    segments.read(segment, buffer)
    data = ts.segment() * (segments.LEAST // len(DATA) + 1)
    assert segments.read(local(tmp_path / "1.ts", data), buffer).tobytes() == data


@pytest.mark.parametrize("data", [b"", DATA[:-188], DATA + b"x"], ids=["none", "less", "more"])
def test_a_file_that_changed_is_refused(segment, data):
    segment.path.write_bytes(data)
    with pytest.raises(StorageError, match=r"0\.ts: changed while it was converted; run again"):
        segments.read(segment)


def test_a_wrapped_segment_is_a_part_of_its_file(tmp_path, segment):
    front, behind = b"in front", b"behind"
    segment.path.write_bytes(front + DATA + behind)
    how = Wrapping(len(front), len(DATA), len(front + DATA + behind))
    part = replace(segment, wrapping=how)
    assert segments.read(part).tobytes() == DATA
    segment.path.write_bytes(front + DATA)
    with pytest.raises(StorageError, match=r"0\.ts: changed while it was read; run again"):
        segments.read(part)


def test_what_is_written_stands_in_its_place_and_the_source_stays(tmp_path, segment):
    shorter = DATA[: 188 * 20]
    slot = local(tmp_path / "0.short", shorter).slot
    wrapped = replace(segment, wrapping=Wrapping(0, len(DATA), len(DATA)), sha256="of the source")
    file = tmp_path / "folder" / "0.cut"
    new = segments.written(wrapped, slot, file, np.frombuffer(shorter, np.uint8))
    assert segments.read(new).tobytes() == shorter
    assert (new.path, new.wrapping, new.sha256) == (file, None, "of the source")
    assert segment.path.read_bytes() == DATA


def test_only_what_no_playlist_names_is_an_orphan(segment):
    empty = replace(segment.slot, scan=None)
    lacking = replace(segment, slot=empty)
    orphan = replace(segment, slot=replace(empty, listed=False))
    useful = replace(segment, slot=replace(segment.slot, listed=False))
    kept, findings = segments.without_orphans([segment, lacking, orphan, useful])
    assert kept == (segment, lacking, useful)
    assert [(f.id, f.segment) for f in findings] == [("PL_ORPHAN", "0.ts")]


def test_an_object_that_holds_two_segments_counts_once(segment):
    missing = Listed(Segment("1.ts", 1.0), None)
    gone = LocalSegment(missing, segments.slot_of(missing, None))
    assert segments.objects_of([segment, gone, segment]) == [segment.listed.object]


def test_reading_into_a_buffer_fills_what_there_is(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(bytes(range(10)))
    for room in (4, 10, 20):
        buffer = np.empty(room, np.uint8)
        assert segments.read_into(path, buffer) == min(room, 10)
        assert buffer[: min(room, 10)].tobytes() == bytes(range(min(room, 10)))
