"""Waiting for one recording: when it may be converted, what is said meanwhile, when it is over."""

import shutil
from pathlib import Path

import pytest

from pipeline.errors import DeniedError, NotFoundError, StorageError, TemporaryError
from pipeline.storage.local import LocalStorage
from pipeline.watch.discovery.readiness import Patience
from pipeline.watch.discovery.wait_for_one import Awaited, settled
from tests.agora.server import FakeTime
from tests.cli.conftest import COMPOSITE, SAMPLES, edit_playlist, segments

SID = COMPOSITE.partition("_")[0]
END = "#EXT-X-ENDLIST\n"


class Upload(FakeTime):
    """A folder that changes while time passes: what happens at which sleep."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder, self.then, self.said = folder, {}, []

    def sleep(self, seconds):
        """Let time pass, and do what is due."""
        super().sleep(seconds)
        assert len(self.slept) < 1000, "never an end to it"
        self.then.pop(len(self.slept), lambda: None)()

    def wait(self, *told, storage=None, place=SID, **patience):
        """What is waited for here."""
        where = storage or LocalStorage(self.folder)
        awaited = Awaited(where, place, told, Patience(**patience))
        return settled(awaited, clock=self.clock, say=self.said.append)


@pytest.fixture
def upload(tmp_path):
    return Upload(Path(shutil.copytree(SAMPLES / "composite", tmp_path / "rec")))


def test_what_is_uploaded_and_whole_is_taken_at_once(upload):
    assert upload.wait("uploaded").id == COMPOSITE
    assert (upload.slept, upload.said) == ([], [])


@pytest.mark.parametrize("told", [(), ("unknown",), ("backuped",)])
def test_what_nobody_vouches_for_has_to_stay_unchanged(upload, told):
    upload.wait(*told, settle=600.0)
    assert 600 <= sum(upload.slept) < 620
    (said,) = upload.said
    assert "unchanged for 600 s?" in said


def test_an_end_is_waited_for(upload):
    edit_playlist(upload.folder, END, "")
    (playlist,) = upload.folder.glob("*.m3u8")
    upload.then[3] = lambda: playlist.write_text(playlist.read_text() + END)
    upload.wait("backuped", settle=0.0)
    assert len(upload.slept) == 3
    assert upload.said == [f"{upload.folder}/{SID}: no end yet, 4 segments so far"]


def test_told_that_all_is_uploaded_an_end_that_is_missing_is_waited_for_a_while(upload):
    edit_playlist(upload.folder, END, "")
    upload.wait("uploaded", settle=600.0)
    assert sum(upload.slept) >= 600


def test_a_late_segment_is_waited_for_and_named(upload):
    late = segments(upload.folder)[2]
    data = late.read_bytes()
    late.unlink()
    upload.then[5] = lambda: late.write_bytes(data)
    upload.wait("uploaded")
    assert len(upload.slept) == 5
    assert upload.said == [f"{upload.folder}/{SID}: 1 of 4 segments missing: {late.name}"]


def test_what_is_not_there_yet(upload):
    upload.folder.rename(upload.folder.with_name("later"))
    upload.folder.mkdir()
    later = upload.folder.with_name("later")
    upload.then[9] = lambda: shutil.copytree(later, upload.folder, dirs_exist_ok=True)
    assert upload.wait("backuped", settle=0.0).id == COMPOSITE
    assert upload.said == [f"{upload.folder}/{SID}: nothing of it is there"]


def test_a_wrong_place_is_found_out_soon(upload):
    with pytest.raises(NotFoundError, match="though everything is uploaded"):
        upload.wait("uploaded", place=f"elsewhere/{SID}")
    assert sum(upload.slept) < 10


@pytest.mark.parametrize("missing", ["an end", "a segment", "everything"])
def test_it_does_not_wait_for_ever(upload, missing):
    if missing == "an end":
        edit_playlist(upload.folder, END, "")
    else:
        for path in upload.folder.iterdir() if missing == "everything" else segments(upload.folder):
            path.unlink()
    upload.time = 4_000_000_000.0  # later than any file was written
    with pytest.raises(TemporaryError, match="nothing new for too long"):
        upload.wait("backuped", late_deadline=3600.0)
    assert sum(upload.slept) <= 3620


class Failing(LocalStorage):
    """A store that is out of order for some looks."""

    def __init__(self, root, *errors):
        super().__init__(root)
        self.errors = list(errors)

    def list(self, prefix="", *, after=""):
        if self.errors:
            raise self.errors.pop(0)
        return super().list(prefix, after=after)


def test_a_store_that_fails_is_asked_again(upload):
    upload.wait("uploaded", storage=Failing(upload.folder, *[StorageError("out of order")] * 7))
    assert upload.said == [f"{upload.folder}/{SID}: out of order"]


def test_a_store_that_refuses_is_not(upload):
    with pytest.raises(DeniedError):
        upload.wait("uploaded", storage=Failing(upload.folder, DeniedError("no")))
