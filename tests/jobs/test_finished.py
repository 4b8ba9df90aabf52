"""What is finished is found again by the listings, without a request for each recording."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

from pipeline.choices import Format, OnLoss
from pipeline.errors import ExistsError
from pipeline.jobs.many import aim, convert_all, find
from pipeline.jobs.options import Options
from pipeline.jobs.outcomes import Failure
from pipeline.jobs.output.destinations import destination
from pipeline.storage.local import LocalStorage
from tests.jobs.test_many import SAMPLES

pytestmark = pytest.mark.usefixtures("ffmpeg")


class Counting(LocalStorage):
    """A folder that counts what is asked of it."""

    def __init__(self, root: Path, asked: Counter[str]) -> None:
        super().__init__(root)
        self._asked = asked

    def list(self, prefix="", *, after=""):
        self._asked["list"] += 1
        return super().list(prefix, after=after)

    def head(self, key):
        self._asked["head"] += 1
        return super().head(key)

    def open(self, key, *, etag=None):
        self._asked["open"] += 1
        return super().open(key, etag=etag)


class Folders:
    """Sources and results, and what was asked of both."""

    def __init__(self, folder: Path, ffmpeg) -> None:
        self.source, self.out, self._ffmpeg = folder / "in", folder / "out", ffmpeg
        self._spool = folder / "spool"
        self.asked: Counter[str] = Counter()

    def opened(self, location):
        return Counting(Path(location), self.asked), ""

    def run(self, **chosen):
        works, _ = find([str(self.source)], self.opened)
        works, _ = aim(works, destination(str(self.out), Format.MP4, self.opened))
        self.asked.clear()
        options = Options(spool=self._spool, **chosen)
        outcomes = convert_all(works, self._ffmpeg, options, jobs=1)
        return {one.recording: one for one in outcomes}

    def file(self, suffix):
        return next(path for path in self.out.iterdir() if path.name.endswith(suffix))


@pytest.fixture(scope="module")
def converted(ffmpeg, tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    shutil.copytree(SAMPLES, folder / "in")
    made = Folders(folder, ffmpeg).run()
    assert all(one.made for one in made.values())
    return folder


@pytest.fixture
def folders(converted, ffmpeg, tmp_path):
    """A copy, in which the notes of the first place say nothing."""
    shutil.copytree(converted, tmp_path / "copy")
    return Folders(tmp_path / "copy", ffmpeg)


def test_a_second_run_makes_one_listing_and_no_request(folders):
    first = folders.run()
    again = folders.run()
    assert folders.asked == {"list": 1}
    assert len(again) == 3
    assert not any(one.made for one in again.values())
    assert {id: one.findings for id, one in again.items()} == {
        id: one.findings for id, one in first.items()
    }
    assert all(Path(one.output).is_file() for one in again.values())


def made(outcomes):
    return sum(one.made for one in outcomes.values() if not isinstance(one, Failure))


def test_what_is_gone_is_made_again(folders):
    folders.run()
    folders.file(".receipt.json").unlink()
    assert made(folders.run()) == 1
    folders.file(".mp4").unlink()
    assert made(folders.run()) == 1


def test_what_has_another_choice_is_made_again(folders):
    folders.run()
    assert made(folders.run(on_loss=OnLoss.CLOSE)) == 3
    assert made(folders.run(force=True)) == 3


def test_captions_that_come_later_are_put_in(folders):
    """Though they are not called after the recording."""
    folders.run()
    beside = sorted(folders.source.rglob("*.ts"))[0].parent
    (beside / "any.vtt").write_text("WEBVTT\n\n00:00.100 --> 00:01.000\nhello\n")
    outcomes = folders.run()
    assert [len(one.captions) for one in outcomes.values() if one.made] == [1]
    assert made(folders.run()) == 0


def test_a_source_that_changed_is_looked_at(folders):
    folders.run()
    one = sorted(folders.source.rglob("*.ts"))[0]
    one.write_bytes(one.read_bytes() + bytes(188))
    (failed,) = [x for x in folders.run().values() if isinstance(x, Failure)]
    assert isinstance(failed.error, ExistsError)


def test_a_note_that_cannot_be_read_costs_requests_only(folders):
    folders.run()
    for note in (folders.out.parent / "spool" / "finished").iterdir():
        note.write_bytes(b"{}")
    assert made(folders.run()) == 0
    assert folders.asked["head"] > 0
