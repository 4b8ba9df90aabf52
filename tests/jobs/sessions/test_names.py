"""What users are called stands in their files, in the session file and in the receipt."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pipeline.jobs.sessions.people import Person
from pipeline.muxing.locate import Ffmpeg
from pipeline.receipts.read import read
from pipeline.receipts.report import reported
from pipeline.storage.local import LocalStorage
from tests.jobs.sessions.conftest import user

ANNA = Person("1001", "Anna; \\=#שרה", "host")
EVE = Person("1009", "Eve")


@pytest.fixture
def tags(ffmpeg: Ffmpeg):
    """What a file says of itself by ffprobe: title, comment and the titles of its chapters."""

    def probe(path: str | Path) -> tuple[Any, ...]:
        argv = [str(ffmpeg.ffprobe), "-v", "error", "-of", "json", "-show_format"]
        argv += ["-show_chapters", str(path)]
        told = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)
        own = told["format"]["tags"]
        chapters = [chapter["tags"]["title"] for chapter in told["chapters"]]
        return own.get("title"), own.get("comment"), chapters

    return probe


def test_a_title_for_whom_there_is_a_name(stored, convert, out, tags):
    made = stored()
    report = convert(people=(ANNA, EVE))
    title = f"{ANNA.name} (host)"
    assert tags(user(report, "1001").output) == (title, None, [])
    assert tags(user(report, "1002").output) == (None, None, [])
    assert all(one.proof and one.proof.holds for one in report.users)
    said = json.loads((out / f"{made.name}.session.json").read_text())
    assert [(one["name"], one["role"]) for one in said["users"]] == [
        (ANNA.name, "host"),
        (None, None),
    ]
    published = read(LocalStorage(out), f"{made.name}.receipt.json")
    assert published.receipt["settings"]["names"] == json.dumps(
        {"1001": [ANNA.name, "host"]}, ensure_ascii=False
    )
    again = reported(published)
    assert [(one.name, one.role) for one in again.users] == [(ANNA.name, "host"), (None, None)]


def test_other_names_make_other_files(stored, convert):
    """Of those who take part: what others are called changes nothing."""
    stored()
    assert convert(people=(ANNA,)).made is True
    assert convert(people=(ANNA, EVE)).made is False
    report = convert(people=(Person("1001", "Anna"),))
    assert (report.made, user(report, "1001").name) == (True, "Anna")


def test_chapters_are_called_like_the_user(stored, convert, tags):
    stored(faults=[("1001", "video", "missing_file:3")])
    _, comment, chapters = tags(user(convert(people=(ANNA,)), "1001").output)
    assert comment.startswith("recpipe: the source lost ")
    assert [chapters[n].partition(",")[0] for n in (0, 2)] == [f"{ANNA.name} (host)"] * 2
    assert len(chapters) == 3
    assert chapters[1].startswith("lost ")
