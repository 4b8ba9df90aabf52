"""Segments on their way here: cut short, changed, gone, or here already."""

import errno
import hashlib
import os
import re
from dataclasses import dataclass, field

import pytest

from pipeline.errors import DiskFullError, NotFoundError, StorageError
from pipeline.model import Inventory, Listed, Segment, Severity, SourceFile, StoredObject
from pipeline.stages import fetch
from pipeline.storage.local import LocalStorage
from tests import ts

DATA = {f"in/{n}.ts": ts.segment(start=ts.START + n * 90_000) for n in range(3)}
KEYS = list(DATA)
WHOLE = object()  # an answer with nothing wrong


@dataclass
class Shelf:
    """A remote store.  What a key's first answers are may be said in advance: what was got of the
    bytes, or an error.
    """

    objects: dict[str, bytes] = field(default_factory=lambda: dict(DATA))
    answers: dict[str, list[object]] = field(default_factory=dict)
    opened: list[tuple[str, str | None]] = field(default_factory=list)

    def open(self, key, *, etag=None):
        self.opened.append((key, etag))
        answers = self.answers.get(key)
        answer = answers.pop(0) if answers else WHOLE
        if key not in self.objects:
            raise NotFoundError(f"{self.url(key)}: no such object")
        data = self.objects[key] if answer is WHOLE or isinstance(answer, Exception) else answer
        half = len(data) // 2
        yield data[:half]
        if isinstance(answer, Exception):
            raise answer
        yield data[half:]

    def url(self, key=""):
        return f"shelf://{key}"

    def path(self, key):
        return None


def listing(etag=None, keys=KEYS):
    """What a store said of them; ``etag`` makes one of the bytes."""
    return [StoredObject(k, len(DATA[k]), etag and etag(DATA[k]), 1.0) for k in keys]


def md5(data):
    return f'"{hashlib.md5(data).hexdigest()}"'


def wrong(data):
    return f'"{hashlib.md5(data + b"x").hexdigest()}"'


def no_digest(data):
    return f'"{hashlib.md5(data).hexdigest()}-2"'


@pytest.fixture
def spool(tmp_path):
    return tmp_path / "spool"


def download(objects, shelf, spool, progress=lambda stage, count: None):
    return fetch.download(objects, shelf, spool, progress)


def left(spool):
    return sorted(p.suffix for p in spool.iterdir())


def test_everything_arrives_hashed_and_scanned(spool):
    steps = []
    shelf = Shelf()
    fetched = download(listing(md5), shelf, spool, lambda *step: steps.append(step))
    assert [f.path.read_bytes() for f in fetched] == list(DATA.values())
    assert [f.sha256 for f in fetched] == [hashlib.sha256(d).hexdigest() for d in DATA.values()]
    assert [f.findings for f in fetched] == [()] * 3
    assert [set(f.scan.streams) for f in fetched] == [{ts.VIDEO, ts.AUDIO}] * 3
    assert sorted(steps) == sorted(("fetch", len(d)) for d in DATA.values())
    assert sorted(shelf.opened) == sorted((o.key, o.etag) for o in listing(md5))
    assert left(spool) == [".segment"] * 3


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(StorageError("reset by peer"), id="an error in the middle"),
        pytest.param(DATA[KEYS[0]][:-1], id="a byte too few"),
        pytest.param(DATA[KEYS[0]] + b"x", id="a byte too many"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_a_bad_answer_is_asked_for_again(spool, answer):
    shelf = Shelf(answers={KEYS[0]: [answer]})
    (fetched,) = download(listing(keys=KEYS[:1]), shelf, spool)
    assert fetched.path.read_bytes() == DATA[KEYS[0]]
    assert len(shelf.opened) == 2
    assert left(spool) == [".segment"]


def test_a_store_that_never_gets_it_right_is_given_up(spool):
    answers = [StorageError("busy"), DATA[KEYS[0]] + b"x", DATA[KEYS[0]][:9], DATA[KEYS[0]][:7]]
    shelf = Shelf(answers={KEYS[0]: [*answers, WHOLE]})
    with pytest.raises(
        StorageError, match=f"shelf://in/0.ts: 7 bytes, the listing says {len(DATA[KEYS[0]])}"
    ):
        download(listing(keys=KEYS[:1]), shelf, spool)
    assert len(shelf.opened) == fetch.TRIES
    assert left(spool) == []


def test_what_arrived_before_a_failure_is_kept(spool):
    shelf = Shelf(answers={KEYS[1]: [OSError(errno.EIO, "broken")]})
    with pytest.raises(OSError, match="broken"):
        download(listing(), shelf, spool)
    kept = left(spool)  # what had not begun is not begun any more
    assert set(kept) <= {".segment"}
    again = Shelf()
    assert None not in download(listing(), again, spool)
    assert len(again.opened) == len(KEYS) - len(kept)
    assert (KEYS[1], None) in again.opened


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fills_up_meanwhile(spool, number):
    shelf = Shelf(answers={KEYS[0]: [OSError(number, "full")]})
    with pytest.raises(DiskFullError, match="free some or set --spool"):
        download(listing(keys=KEYS[:1]), shelf, spool)
    assert len(shelf.opened) == 1
    assert left(spool) == []


def test_no_room_is_found_before_a_byte_is_fetched(spool):
    shelf = Shelf()
    with pytest.raises(DiskFullError, match=r"bytes free, \d+ needed for the segments"):
        download([*listing(), StoredObject("in/huge.ts", 1 << 60, None, 1.0)], shelf, spool)
    assert shelf.opened == []


def test_one_that_is_gone_meanwhile_is_none(spool):
    shelf = Shelf()
    del shelf.objects[KEYS[1]]
    fetched = download(listing(), shelf, spool)
    assert [f and f.object.key for f in fetched] == [KEYS[0], None, KEYS[2]]
    assert [key for key, _ in shelf.opened].count(KEYS[1]) == 1


def test_nothing_to_fetch(spool):
    assert download([], Shelf(), spool) == []


# ETags


def etags(fetched):
    return [[(x.id, x.severity, x.segment) for x in f.findings] for f in fetched]


def test_bytes_that_are_not_what_the_store_has(spool):
    objects = [*listing(md5, KEYS[:2]), *listing(wrong, KEYS[2:])]
    found = etags(download(objects, Shelf(), spool))
    assert found == [[], [], [("SEG_ETAG", Severity.ERROR, "2.ts")]]


def test_a_single_object_is_believed(spool):
    (found,) = etags(download(listing(wrong, KEYS[:1]), Shelf(), spool))
    assert [id for id, _, _ in found] == ["SEG_ETAG"]


def test_a_digest_of_another_kind_is_not_compared(spool):
    def sha1(data):
        return hashlib.sha1(data).hexdigest()

    assert etags(download(listing(sha1, KEYS[:1]), Shelf(), spool)) == [[]]


@pytest.mark.parametrize(
    "etag",
    [
        pytest.param(lambda data: None, id="none"),
        pytest.param(no_digest, id="of a multipart upload"),
        pytest.param(lambda data: '"5-17f"', id="size and time"),
        pytest.param(lambda data: md5(data).strip('"').upper(), id="capitals, no quotes"),
        pytest.param(wrong, id="not one is the digest"),
    ],
)
def test_etags_that_prove_nothing(spool, etag):
    assert etags(download(listing(etag), Shelf(), spool)) == [[]] * 3


# What is bad is fetched once more


SPOILT = bytes((DATA[KEYS[1]][0], *b"\xff" * 900)) + DATA[KEYS[1]][901:]


def severities(one):
    return [(f.id, f.severity) for f in (*one.findings, *one.scan.findings)]


@pytest.mark.parametrize("etag", [None, md5, wrong], ids=["no digests", "digests", "none of them"])
def test_what_went_bad_on_its_way(spool, etag):
    shelf = Shelf(answers={KEYS[1]: [SPOILT]})
    found = download(listing(etag), shelf, spool)
    assert [key for key, _ in shelf.opened].count(KEYS[1]) == 2
    assert len(shelf.opened) == 4
    assert found[1].path.read_bytes() == DATA[KEYS[1]]
    assert found[1].sha256 == hashlib.sha256(DATA[KEYS[1]]).hexdigest()
    ((id, severity),) = severities(found[1])
    assert severity is Severity.INFO
    assert id == ("SEG_ETAG" if etag is md5 else "SYNC_BYTE")
    assert left(spool) == [".segment"] * 3


def test_what_is_bad_twice_is_bad(spool):
    shelf = Shelf({**DATA, KEYS[1]: SPOILT})
    found = download(listing(), shelf, spool)
    assert [key for key, _ in shelf.opened].count(KEYS[1]) == 2
    assert found[1].path.read_bytes() == SPOILT
    assert ("SYNC_BYTE", Severity.ERROR) in severities(found[1])
    assert left(spool) == [".segment"] * 3


@pytest.mark.parametrize("answer", [StorageError("busy"), NotFoundError("gone")])
def test_a_second_try_that_fails_leaves_the_first(spool, answer):
    shelf = Shelf(answers={KEYS[1]: [SPOILT, *[answer] * fetch.TRIES]})
    found = download(listing(), shelf, spool)
    assert found[1].path.read_bytes() == SPOILT
    assert left(spool) == [".segment"] * 3


# Running again


@pytest.mark.parametrize("etag", [None, md5], ids=["without digests", "with digests"])
def test_what_is_whole_is_not_fetched_again(spool, etag):
    first = download(listing(etag), Shelf(), spool)
    steps, shelf = [], Shelf()
    again = download(listing(etag), shelf, spool, lambda *step: steps.append(step))
    assert shelf.opened == []
    assert [(f.path, f.sha256) for f in again] == [(f.path, f.sha256) for f in first]
    assert sorted(steps) == sorted(("fetch", len(d)) for d in DATA.values())


@pytest.mark.parametrize(
    ("etag", "damage"),
    [
        pytest.param(None, lambda data: data[:-188], id="a packet short"),
        pytest.param(None, lambda data: data + b"x", id="longer"),
        pytest.param(None, lambda data: bytes(len(data)), id="zeros of the same size"),
        pytest.param(md5, lambda data: data[:-1] + bytes([data[-1] ^ 1]), id="a flipped bit"),
    ],
)
def test_what_is_here_but_damaged_is_fetched_again(spool, etag, damage):
    first = download(listing(etag), Shelf(), spool)
    first[1].path.write_bytes(damage(DATA[KEYS[1]]))
    shelf = Shelf()
    again = download(listing(etag), shelf, spool)
    assert [key for key, _ in shelf.opened] == [KEYS[1]]
    assert again[1].path.read_bytes() == DATA[KEYS[1]]


@pytest.mark.parametrize("same", [True, False], ids=["these", "another version"])
def test_a_scan_is_believed_by_the_modules_that_made_it_alone(spool, monkeypatch, same):
    fetch.download(listing(), Shelf(), spool, lambda stage, count: None, ahead=True)
    scanned: list[str] = []
    real = fetch.scan
    monkeypatch.setattr(fetch, "scan", lambda name, data: scanned.append(name) or real(name, data))
    if not same:
        monkeypatch.setattr(fetch, "rules", lambda: "others")
    again = download(listing(), Shelf(), spool)
    assert len(scanned) == (0 if same else len(KEYS))
    assert [set(f.scan.streams) for f in again] == [{ts.VIDEO, ts.AUDIO}] * 3


def test_what_finds_something_in_a_segment_has_a_name():
    assert re.fullmatch("[0-9a-f]{64}", fetch.rules())


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"etag": '"another"'}, id="another ETag"),
        pytest.param({"modified": 2.0}, id="a later time"),
        pytest.param({"key": "elsewhere/0.ts"}, id="another folder"),
    ],
)
def test_another_version_is_another_file(spool, changed):
    (found,) = listing(keys=KEYS[:1])
    (first,) = download([found], Shelf(), spool)
    fields = {"key": found.key, "size": found.size, "etag": None, "modified": 1.0, **changed}
    shelf = Shelf({"elsewhere/0.ts": DATA[KEYS[0]], **DATA})
    (second,) = download([StoredObject(**fields)], shelf, spool)
    assert len(shelf.opened) == 1
    assert first.path != second.path


# In place


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    for key, data in DATA.items():
        (tmp_path / key).write_bytes(data)
    return LocalStorage(tmp_path)


def test_a_folder_is_scanned_where_it_lies(folder):
    steps = []
    objects = list(folder.list())
    found = fetch.scan_in_place(objects, folder, lambda *step: steps.append(step))
    assert [f.object for f in found] == objects
    assert [f.path for f in found] == [folder.path(key) for key in KEYS]
    assert [f.scan.findings for f in found] == [()] * 3
    assert steps == [("inspect", len(d)) for d in DATA.values()]


def test_a_file_that_got_shorter_is_told(folder):
    objects = list(folder.list())
    os.truncate(folder.path(KEYS[1]), 188 * 20)
    found = fetch.scan_in_place(objects, folder, lambda stage, count: None)
    (size,) = [f for f in found[1].scan.findings if f.id == "SEG_SIZE"]
    assert size.detail == f"3760 bytes, the listing says {len(DATA[KEYS[1]])}"
    assert (size.severity, found[1].scan.cut) == (Severity.ERROR, True)
    assert [f.scan.findings for f in (found[0], found[2])] == [(), ()]


def test_a_file_is_bad_when_it_reads_the_same_again(folder):
    objects = list(folder.list())
    path = folder.path(KEYS[1])
    path.write_bytes(SPOILT)
    first, spoilt, _ = fetch.scan_in_place(objects, folder, lambda stage, count: None)
    assert ("SYNC_BYTE", Severity.ERROR) in severities(spoilt)
    healed = fetch._better(spoilt, first)  # a network drive may give something else
    assert severities(healed) == [("SYNC_BYTE", Severity.INFO)]
    assert fetch._better(spoilt, spoilt) is spoilt


def listed(objects):
    """An inventory that names them all."""
    return Inventory(tuple(Listed(Segment(o.name, 1.0), o) for o in objects), ())


def fetched(objects, storage, spool):
    return fetch.fetch(listed(objects), storage, spool, lambda stage, count: None)


def test_digests_of_both_kinds_are_the_same(folder, spool):
    objects = list(folder.list())
    here = fetch.digests(fetched(objects, folder, spool))
    there = fetch.digests(fetched(objects, Shelf(), spool))
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
    assert [entry.key for entry in fetch.digests(segments)] == [KEYS[0], KEYS[2]]


def test_a_segment_listed_twice_is_fetched_once(spool):
    one = listing(keys=KEYS[:1])
    shelf = Shelf()
    segments = fetched(one * 2, shelf, spool)
    assert len(shelf.opened) == 1
    assert segments[0].path == segments[1].path
    assert len(fetch.digests(segments)) == 1
