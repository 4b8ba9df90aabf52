"""Names and places of results."""

from functools import partial
from pathlib import Path

import pytest

from pipeline.choices import Format
from pipeline.errors import UsageError
from pipeline.jobs.output.destinations import LONGEST, destination, file_name
from pipeline.storage.local import LocalStorage
from pipeline.storage.locations import open_storage
from pipeline.storage.names import safe_key


@pytest.mark.parametrize(
    ("id", "name"),
    [
        pytest.param("0a93_weekly meeting", "0a93_weekly meeting", id="spaces stay"),
        pytest.param("会議 été 🎥", "会議 été 🎥", id="letters of all scripts stay"),
        pytest.param("a/b\\c", "a_b_c", id="separators"),
        pytest.param("../../etc/passwd", "___.._etc_passwd", id="the way up"),
        pytest.param("..", "__", id="dots alone"),
        pytest.param(".hidden", "_hidden", id="a leading dot"),
        pytest.param("a\0b\nc\x1b[2Jd\x7f\x9b", "a_b_c_[2Jd__", id="control characters"),
        pytest.param("a\u202egpj.b", "a_gpj.b", id="a change of direction"),
        pytest.param("half \udcff", "half _", id="half a character"),
        pytest.param("", "recording", id="nothing"),
        pytest.param("   ", "recording", id="nothing but spaces"),
    ],
)
def test_file_names_are_safe(id, name):
    assert file_name(id) == name
    assert safe_key(file_name(id)) == file_name(id)


def test_long_names_are_cut_between_characters_and_stay_different():
    long = "会" * 100
    names = {file_name(long), file_name(long + "a"), file_name(long + "b")}
    assert len(names) == 3
    for name in names:
        assert len(name.encode()) <= LONGEST
        assert name.startswith("会" * 50)
    assert file_name("x" * LONGEST) == "x" * LONGEST


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Where a recording called ``id`` goes, relative to the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "old.mp4").touch()
    (tmp_path / "old.txt").touch()
    opened = partial(open_storage, region=None)

    def of(location: str, format: Format = Format.MP4) -> str:
        found = destination(location, format, opened)
        assert isinstance(found.storage, LocalStorage)
        return str(Path(found.target("id").url).relative_to(tmp_path))

    return of


@pytest.mark.parametrize(
    ("location", "url"),
    [
        pytest.param("out", "out/id.mp4", id="new folder"),
        pytest.param("out/", "out/id.mp4", id="new folder with a slash"),
        pytest.param("out.mp4/", "out.mp4/id.mp4", id="a slash makes any name a folder"),
        pytest.param("folder.mp4", "folder.mp4/id.mp4", id="a folder that is there"),
        pytest.param("new.mp4", "new.mp4", id="new file"),
        pytest.param("old.mp4", "old.mp4", id="a file that is there"),
        pytest.param("a/b/new.MP4", "a/b/new.MP4", id="new file in new folders"),
        pytest.param("2026.03", "2026.03/id.mp4", id="new folder with a dot"),
        pytest.param("new.mkv/", "new.mkv/id.mp4", id="new folder with a suffix and a slash"),
        pytest.param("2026.03/", "2026.03/id.mp4", id="the same with a slash"),
        pytest.param(".", "id.mp4", id="here"),
    ],
)
def test_a_destination_is_a_folder_or_a_file(place, location, url):
    assert place(location) == url


@pytest.mark.parametrize(
    ("location", "why"),
    [
        pytest.param("x.mp3", "give --format mp3", id="suffix of another format"),
        pytest.param("old.txt", "is a file", id="another file"),
        pytest.param("new.Mkv", r"ends in \.mkv, expected one of \.mp4, ", id="unknown suffix"),
        pytest.param("-", "standard output", id="standard output"),
    ],
)
def test_destinations_that_cannot_be(place, location, why):
    with pytest.raises(UsageError, match=why):
        place(location)


def test_the_suffix_is_that_of_the_format(place):
    assert place("out", Format.M4A) == "out/id.m4a"
