"""Segments on their way here: cut short, changed, gone, or here already."""

import errno
import hashlib
import re

import pytest

from pipeline.errors import DiskFullError, NotFoundError, StorageError
from pipeline.model import Severity, StoredObject
from pipeline.stages.fetch import download as downloads
from pipeline.stages.fetch import fetched, scan_notes
from tests import ts
from tests.stages.fetch.shelf import (
    DATA,
    KEYS,
    SPOILT,
    WHOLE,
    Shelf,
    listing,
    md5,
    no_digest,
    severities,
    wrong,
)


def download(objects, shelf, spool, progress=lambda stage, count: None):
    return downloads.download(objects, shelf, spool, progress)


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
    assert len(shelf.opened) == downloads.TRIES
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
    shelf = Shelf(answers={KEYS[1]: [SPOILT, *[answer] * downloads.TRIES]})
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
    downloads.download(listing(), Shelf(), spool, lambda stage, count: None, ahead=True)
    scanned: list[str] = []
    real = fetched.scan_of
    monkeypatch.setattr(
        fetched, "scan_of", lambda name, data: scanned.append(name) or real(name, data)
    )
    if not same:
        monkeypatch.setattr(scan_notes, "rules", lambda: "others")
    again = download(listing(), Shelf(), spool)
    assert len(scanned) == (0 if same else len(KEYS))
    assert [set(f.scan.streams) for f in again] == [{ts.VIDEO, ts.AUDIO}] * 3


def test_what_finds_something_in_a_segment_has_a_name():
    assert re.fullmatch("[0-9a-f]{64}", scan_notes.rules())


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
