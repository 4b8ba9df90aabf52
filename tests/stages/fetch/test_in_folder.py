"""Segments of a folder, where they lie."""

import os

from pipeline.model import Severity
from pipeline.stages.fetch.fetched import better
from pipeline.stages.fetch.in_folder import scan_in_place
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
