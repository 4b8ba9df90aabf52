"""What stands at a destination is what the receipt beside it explains, and nothing else."""

import hashlib

import pytest

from pipeline.choices import Format
from pipeline.errors import ChangedError
from pipeline.receipts.earlier import earlier, lost
from pipeline.stages import publish
from pipeline.storage.local import LocalStorage
from tests.receipts.notes import note, text
from tests.shelf import Shelf

SIZE = 1200
MOVIE = b"ftypmoovmdat" * (SIZE // 12)
OWN = "out.0123456789abcdef.mp4"


def pointing(file):
    """A receipt of a result under another name."""
    return note(output={"size": SIZE, "sha256": "2" * 64, "file": file})


def test_nothing_stands_there():
    assert earlier(Shelf({"out.receipt.json": text(note())}), "out.mp4") is None


def test_a_result_with_its_receipt():
    found = earlier(Shelf({"out.mp4": MOVIE, "out.receipt.json": text(note())}), "out.mp4")
    assert (found.key, found.size, found.receipt, found.files) == (
        "out.mp4",
        SIZE,
        note(),
        ("out.mp4",),
    )


def test_a_file_name_that_is_no_utf_8_is_the_same_when_read_again(tmp_path):
    storage = LocalStorage(tmp_path / "out")
    key = "caf\udce9 \N{SNOWMAN}.ts"
    receipt = note(source="/in/caf\\udce9 \N{SNOWMAN}.ts", key=key)
    temporary = storage.temporary("out.mp4", tmp_path / "spool")
    temporary.write_bytes(MOVIE)
    digest = hashlib.sha256(MOVIE).hexdigest()
    publish.publish(temporary, storage, "out.mp4", receipt, format=Format.MP4, sha256=digest)
    assert earlier(storage, "out.mp4").receipt == receipt
    assert "\N{SNOWMAN}" in (tmp_path / "out/out.receipt.json").read_text("utf-8")


@pytest.mark.parametrize(
    "receipt",
    [
        pytest.param(None, id="none"),
        pytest.param(text(note(size=SIZE - 1)), id="of a file of another size"),
        pytest.param(text(note())[:-1], id="cut off"),
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff\xfe\xfd", id="no text"),
        pytest.param(b"[1, 2]", id="a list"),
        pytest.param(b"null", id="null"),
        pytest.param(b'{"name": "x"}', id="of another tool"),
        pytest.param(b'{"output": 5, "inputs": []}', id="nearly ours"),
        pytest.param(text(note(inputs=5)), id="inputs that are none"),
        pytest.param(text(note(schema=2)), id="of another version"),
        pytest.param(text(note(settings={"format": "m4a"})), id="of another format"),
    ],
)
def test_a_file_that_no_receipt_explains(receipt):
    shelf = Shelf({"out.mp4": MOVIE, **({} if receipt is None else {"out.receipt.json": receipt})})
    found = earlier(shelf, "out.mp4")
    assert (found.key, found.size, found.receipt, found.files) == ("out.mp4", SIZE, None, ())


def test_a_receipt_is_of_one_result_alone():
    """``out.m4a.receipt.json`` is that of ``out.m4a``, or of ``out.m4a.mp4``."""
    objects = {"out.m4a": MOVIE, "out.m4a.mp4": MOVIE, "out.m4a.receipt.json": text(note())}
    assert earlier(Shelf(objects), "out.m4a.mp4").receipt == note()
    assert earlier(Shelf(objects), "out.m4a").receipt is None


class Replacing(Shelf):
    """A store in which receipts are replaced while they are read, so many times."""

    times = 1

    def open(self, key, *, etag=None):
        if self.times and key.endswith(".receipt.json"):
            self.times -= 1
            raise ChangedError(key)
        return super().open(key, etag=etag)


def test_a_receipt_that_is_replaced_is_read_once_more():
    shelf = Replacing({"out.mp4": MOVIE, "out.receipt.json": text(note())})
    assert earlier(shelf, "out.mp4").receipt == note()


def test_the_receipt_says_which_one_counts():
    receipt = pointing(OWN)
    shelf = Shelf({f"a/{OWN}": MOVIE, "a/out.receipt.json": text(receipt)})
    found = earlier(shelf, "a/out.mp4")
    assert (found.key, found.size, found.receipt) == (f"a/{OWN}", SIZE, receipt)
    assert not lost(shelf, "a/out.mp4", f"a/{OWN}")


def test_who_was_overtaken_takes_its_own_away():
    mine = "a/out.aaaaaaaaaaaaaaaa.mp4"
    objects = {mine: MOVIE, f"a/{OWN}": MOVIE, "a/out.receipt.json": text(pointing(OWN))}
    shelf = Shelf(objects)
    assert lost(shelf, "a/out.mp4", mine)
    assert set(shelf.objects) == {f"a/{OWN}", "a/out.receipt.json"}


def test_a_receipt_that_is_being_written_takes_nothing_away():
    mine = "a/out.aaaaaaaaaaaaaaaa.mp4"
    shelf = Shelf({mine: MOVIE, "a/out.receipt.json": text(pointing(OWN))[:20]})
    assert not lost(shelf, "a/out.mp4", mine)
    assert mine in shelf.objects


@pytest.mark.parametrize(
    "file",
    ["../secret.mp4", "/etc/passwd", "other.mp4", "out.mp4/x", "out.0123.mp4", f"x/{OWN}", 5, None],
)
def test_a_receipt_cannot_point_elsewhere(file):
    objects = {"a/out.mp4": MOVIE, "a/out.receipt.json": text(pointing(file))}
    shelf = Shelf({f"a/{file}": MOVIE, **objects})  # it would be found there
    assert earlier(shelf, "a/out.mp4").key == "a/out.mp4"


def test_a_receipt_whose_file_is_gone_says_nothing():
    shelf = Shelf({"a/out.receipt.json": text(pointing(OWN))})
    assert earlier(shelf, "a/out.mp4") is None
