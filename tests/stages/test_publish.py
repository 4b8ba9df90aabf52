"""The result under its final name: whole or not at all, the receipt last."""

import hashlib
import json
import re

import pytest

from pipeline.choices import Format
from pipeline.errors import DeniedError, ExistsError, StorageError
from pipeline.stages import publish
from pipeline.storage.local import LocalStorage
from tests.shelf import Shelf

SIZE = 1200
MOVIE = b"ftypmoovmdat" * (SIZE // 12)
SHA256 = hashlib.sha256(MOVIE).hexdigest()


def note(size=SIZE, **more):
    output = {"size": size, "sha256": SHA256}
    return {"schema": publish.SCHEMA, "settings": {}, "output": output, "inputs": [], **more}


def text(receipt):
    return json.dumps(receipt).encode()


@pytest.fixture
def ready(tmp_path):
    """A result written where the destination wants it."""

    def make(storage, key):
        written = storage.temporary(key, tmp_path / "spool")
        written.write_bytes(MOVIE)
        return written

    return make


def do(temporary, storage, key="a/out.mp4", receipt=None, format=Format.MP4):
    return publish.publish(temporary, storage, key, receipt or note(), format=format, sha256=SHA256)


@pytest.mark.parametrize(
    ("key", "receipt"),
    [
        ("a/out.mp4", "a/out.receipt.json"),
        ("a/out.m4a", "a/out.m4a.receipt.json"),
        ("out.mp4.ts", "out.mp4.ts.receipt.json"),
        ("out", "out.receipt.json"),
    ],
)
def test_receipts_lie_beside_their_results(key, receipt):
    assert publish.receipt_key(key) == receipt


@pytest.mark.parametrize("kind", ["folder", "store", "store without conditions"])
def test_without_leave_nothing_changes(tmp_path, ready, kind):
    folder = LocalStorage(tmp_path / "out")
    storage = folder if kind == "folder" else Shelf(creates_once=kind == "store")
    key, placed = (
        "out.mp4",
        "out.mp4" if kind != "store without conditions" else f"out.{0:016x}.mp4",
    )
    temporary = ready(storage, key)
    if kind == "folder":
        (tmp_path / "out" / "out.receipt.json").write_text("an older one")

    def refuse():
        raise DeniedError("no")

    with pytest.raises(DeniedError, match="no"):
        publish.publish(
            temporary,
            storage,
            key,
            note(),
            format=Format.MP4,
            sha256=SHA256,
            placed=placed,
            replacing=False,
            guard=refuse,
        )
    there = [one.key for one in folder.list()] if kind == "folder" else list(storage.objects)
    assert there == (["out.receipt.json"] if kind == "folder" else [])
    assert kind == "folder" or storage.log == []


def test_a_folder_gets_both_and_nothing_else(tmp_path, ready):
    storage = LocalStorage(tmp_path / "out")
    temporary = ready(storage, "a/out.mp4")
    stored = do(temporary, storage)
    assert (stored.key, stored.size) == ("a/out.mp4", SIZE)
    names = sorted(p.name for p in (tmp_path / "out" / "a").iterdir())
    assert names == ["out.mp4", "out.receipt.json"]
    assert (tmp_path / "out/a/out.mp4").read_bytes() == MOVIE
    assert json.loads((tmp_path / "out/a/out.receipt.json").read_text()) == note()


@pytest.mark.parametrize("format", list(Format))
def test_a_store_gets_the_receipt_last(ready, format):
    shelf = Shelf()
    temporary = ready(shelf, "a/out.mp4")
    do(temporary, shelf, format=format)
    assert shelf.log == [
        ("delete", "a/out.receipt.json"),
        ("put", "a/out.mp4", publish.CONTENT_TYPES[format]),
        ("put", "a/out.receipt.json", "application/json"),
    ]
    assert shelf.objects["a/out.mp4"] == MOVIE
    assert json.loads(shelf.objects["a/out.receipt.json"]) == note()
    assert list(temporary.parent.iterdir()) == [temporary]


def test_safe_to_repeat(ready):
    shelf = Shelf()
    for _ in range(2):
        do(ready(shelf, "a/out.mp4"), shelf)
    assert sorted(shelf.objects) == ["a/out.mp4", "a/out.receipt.json"]


def test_an_earlier_receipt_goes_before_a_new_file_comes(ready):
    shelf = Shelf({"a/out.mp4": b"old", "a/out.receipt.json": text(note(3))}, refuses="a/out.mp4")
    temporary = ready(shelf, "a/out.mp4")
    with pytest.raises(StorageError, match="no answer"):
        do(temporary, shelf)
    assert shelf.objects == {"a/out.mp4": b"old"}
    assert list(temporary.parent.iterdir()) == [temporary]


def test_an_earlier_receipt_in_a_folder_goes_first_too(tmp_path, ready):
    storage = LocalStorage(tmp_path / "out")
    (tmp_path / "out/a/out.mp4").mkdir(parents=True)  # nothing can take this name
    (tmp_path / "out/a/out.receipt.json").write_text("of the one before")
    temporary = ready(storage, "a/out.mp4")
    with pytest.raises(ExistsError):
        do(temporary, storage)
    names = {p.name for p in temporary.parent.iterdir()}
    assert names == {"out.mp4", temporary.name}


def test_an_earlier_receipt_stays_when_there_is_no_room_for_a_new_one(tmp_path):
    shelf = Shelf({"a/out.mp4": b"old", "a/out.receipt.json": text(note(3))})
    with pytest.raises(OSError, match="No such file"):
        do(tmp_path / "nowhere" / ".x.part", shelf)
    assert shelf.log == []


@pytest.mark.parametrize("lost", [1, SIZE])
def test_what_did_not_arrive_whole_gets_no_receipt(ready, lost):
    shelf = Shelf(lost=lost)
    said = f"{SIZE - lost} bytes arrived, {SIZE} sent"
    with pytest.raises(StorageError, match=f"shelf://a/out.mp4: {said}"):
        do(ready(shelf, "a/out.mp4"), shelf)
    assert "a/out.receipt.json" not in shelf.objects


# Beside what stands there already


def test_the_very_same_file_may_stay():
    publish.refuse_other(Shelf({"out.mp4": MOVIE}), "out.mp4", SHA256)


@pytest.mark.parametrize("there", [b"", MOVIE[:-1], MOVIE + b"x"], ids=["empty", "less", "more"])
def test_another_file_is_refused(there):
    with pytest.raises(ExistsError, match=r"shelf://out\.mp4: exists and no receipt explains it"):
        publish.refuse_other(Shelf({"out.mp4": there}), "out.mp4", SHA256)


# Once, whoever else is at it


def test_a_store_that_creates_once_gets_results_under_their_own_names():
    assert publish.place(Shelf(), "a/out.mp4") == "a/out.mp4"


def test_another_store_gets_them_under_a_name_of_this_run():
    one, two = (publish.place(Shelf(creates_once=False), "a/out.mp4") for _ in range(2))
    assert one != two
    assert re.fullmatch(r"a/out\.[0-9a-f]{16}\.mp4", one)


def create(ready, shelf):
    """Publish where nothing may stand yet."""
    publish.publish(
        ready(shelf, "a/out.mp4"),
        shelf,
        "a/out.mp4",
        note(),
        format=Format.MP4,
        sha256=SHA256,
        replacing=False,
    )


def test_the_quicker_one_stays(ready):
    shelf = Shelf({"a/out.mp4": b"quicker"})
    with pytest.raises(ExistsError, match="no receipt explains it"):
        create(ready, shelf)
    assert shelf.objects == {"a/out.mp4": b"quicker"}


@pytest.mark.parametrize("replacing", [True, False])
def test_in_a_folder_the_result_is_moved_whatever_stood_there(tmp_path, ready, replacing):
    """A lock of this machine keeps others out; a copy would take room and time."""
    storage = LocalStorage(tmp_path / "out")
    temporary = ready(storage, "out.mp4")
    inode = temporary.stat().st_ino
    publish.publish(
        temporary,
        storage,
        "out.mp4",
        note(),
        format=Format.MP4,
        sha256=SHA256,
        replacing=replacing,
    )
    assert (tmp_path / "out" / "out.mp4").stat().st_ino == inode


def test_an_answer_that_was_lost_is_no_rival(ready):
    shelf = Shelf({"a/out.mp4": MOVIE})
    create(ready, shelf)
    assert set(shelf.objects) == {"a/out.mp4", "a/out.receipt.json"}


class Overtaken(Shelf):
    """A store where another run writes a receipt as soon as our file is there."""

    theirs = b""

    def create(self, source, key, **more):
        stored = super().create(source, key, **more)
        if key == "a/out.mp4":
            self.objects["a/out.receipt.json"] = self.theirs
        return stored


@pytest.mark.parametrize("ours", [True, False], ids=["whose answer was lost", "of another run"])
def test_a_receipt_that_came_meanwhile_stays(ready, ours):
    shelf = Overtaken()
    shelf.theirs = publish.receipt_bytes(note()) if ours else text(note(converted="earlier"))
    if ours:
        create(ready, shelf)
    else:
        with pytest.raises(ExistsError):
            create(ready, shelf)
    assert shelf.objects == {"a/out.mp4": MOVIE, "a/out.receipt.json": shelf.theirs}
