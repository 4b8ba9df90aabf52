"""Segments of a folder, where they lie."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from pipeline.media.ts.scan import scan
from pipeline.media.ts.scan_cache import dumps
from pipeline.model import Severity, StoredObject
from pipeline.stages.fetch import in_folder
from pipeline.stages.fetch.fetched import better
from pipeline.stages.fetch.in_folder import scan_in_place
from pipeline.storage.local import LocalStorage
from tests import ts
from tests.stages.fetch.shelf import DATA, KEYS, SPOILT, severities


def test_a_folder_is_scanned_where_it_lies(folder):
    steps = []
    objects = list(folder.list())
    found = scan_in_place(objects, folder, lambda *step: steps.append(step))
    assert [f.object for f in found] == objects
    assert [f.path for f in found] == [folder.path(key) for key in KEYS]
    assert [f.scan.findings for f in found] == [()] * 3
    assert steps == [("inspect", len(d)) for d in DATA.values()]


def test_a_file_that_got_shorter_is_told(folder):
    objects = list(folder.list())
    os.truncate(folder.path(KEYS[1]), 188 * 20)
    found = scan_in_place(objects, folder, lambda stage, count: None)
    (size,) = [f for f in found[1].scan.findings if f.id == "SEG_SIZE"]
    assert size.detail == f"3760 bytes, the listing says {len(DATA[KEYS[1]])}"
    assert (size.severity, found[1].scan.cut) == (Severity.ERROR, True)
    assert [f.scan.findings for f in (found[0], found[2])] == [(), ()]


def test_a_file_is_bad_when_it_reads_the_same_again(folder):
    objects = list(folder.list())
    path = folder.path(KEYS[1])
    path.write_bytes(SPOILT)
    first, spoilt, _ = scan_in_place(objects, folder, lambda stage, count: None)
    assert ("SYNC_BYTE", Severity.ERROR) in severities(spoilt)
    healed = better(spoilt, first)  # a network drive may give something else
    assert severities(healed) == [("SYNC_BYTE", Severity.INFO)]
    assert better(spoilt, spoilt) is spoilt


@pytest.mark.parametrize("together", [1, 60_000, 200_000, 1 << 22])
def test_many_segments_are_each_as_they_are_alone(tmp_path, monkeypatch, together):
    """Whatever is read beside them, and whoever edits one that was looked at."""
    monkeypatch.setattr(in_folder, "TOGETHER", together)
    counters: dict[int, int] = {}
    data = [ts.segment(start=n * 90_000, counters=counters, size=500) for n in range(20)]
    for number, segment in enumerate(data):
        (tmp_path / f"{number:02}.ts").write_bytes(segment)
    folder = LocalStorage(tmp_path)
    looked = []

    def look(first, founds, streams):
        for number, (found, stream) in enumerate(zip(founds, streams, strict=True), first):
            looked.append((number, bytes(stream.data)))
            assert found.sha256 == hashlib.sha256(stream.data).hexdigest()
            stream.data[:] = 0

    found = scan_in_place(list(folder.list()), folder, lambda *step: None, look=look)
    assert looked == list(enumerate(data))
    assert [f.sha256 for f in found] == [hashlib.sha256(one).hexdigest() for one in data]
    alone = [
        scan(f.object.name, np.frombuffer(one, np.uint8))
        for f, one in zip(found, data, strict=True)
    ]
    assert [dumps(f.scan, "") for f in found] == [dumps(one, "") for one in alone]


def test_so_many_are_read_at_once_as_fit(monkeypatch):
    monkeypatch.setattr(in_folder, "TOGETHER", 10)
    files = [
        in_folder._File(StoredObject(str(n), n, None, 0.0), Path())
        for n in (4, 6, 1, 30, 5, 5, 0, 1)
    ]
    groups = [[file.object.size for file in group] for group in in_folder._grouped(files)]
    assert groups == [[4, 6], [1], [30], [5, 5, 0], [1]]
