"""What the playlist lists, with the file each segment has."""

import hashlib

from pipeline.model import Inventory, Listed, Segment, SourceFile
from pipeline.stages.fetch.fetch import digests, fetch
from tests.stages.fetch.shelf import DATA, KEYS, Shelf, listing


def listed(objects):
    """An inventory that names them all."""
    return Inventory(tuple(Listed(Segment(o.name, 1.0), o) for o in objects), ())


def fetched(objects, storage, spool):
    return fetch(listed(objects), storage, spool, lambda stage, count: None)


def test_digests_of_both_kinds_are_the_same(folder, spool):
    objects = list(folder.list())
    here = digests(fetched(objects, folder, spool))
    there = digests(fetched(objects, Shelf(), spool))
    sha256 = [hashlib.sha256(data).hexdigest() for data in DATA.values()]
    assert here == there
    assert here == [
        SourceFile(o.key, o.size, o.etag, d) for o, d in zip(objects, sha256, strict=True)
    ]


def test_every_segment_listed_has_its_slot_and_what_is_there_its_file(folder, spool):
    objects = list(folder.list())
    shelf = Shelf({key: data for key, data in DATA.items() if key != KEYS[1]})
    for storage, there in ((folder, [True] * 3), (shelf, [True, False, True])):
        segments = fetched(objects, storage, spool)
        assert [s.slot.name for s in segments] == [o.name for o in objects]
        assert [s.path is not None and s.path.is_file() for s in segments] == there
        assert [s.slot.scan is not None for s in segments] == there
    assert [[(f.id, f.segment) for f in s.findings] for s in segments] == [
        [],
        [("SEG_MISSING", "1.ts")],
        [],
    ]
    assert [entry.key for entry in digests(segments)] == [KEYS[0], KEYS[2]]


def test_a_segment_listed_twice_is_fetched_once(spool):
    one = listing(keys=KEYS[:1])
    shelf = Shelf()
    segments = fetched(one * 2, shelf, spool)
    assert len(shelf.opened) == 1
    assert segments[0].path == segments[1].path
    assert len(digests(segments)) == 1
