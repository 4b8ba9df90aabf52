"""Captions of a session are in the file of each user, and in that of all, when they were said."""

import json
from datetime import datetime

import pytest

from pipeline.choices import Users
from pipeline.jobs.options import Options
from pipeline.model import Verdict
from tests.jobs.output.test_captions import near, shown
from tests.jobs.sessions import played
from tests.jobs.sessions.conftest import user


def due(made, started: str | None, end: float) -> list[tuple[float, float, str]]:
    """What is true, in seconds from a time on."""
    assert started is not None
    wait = datetime.fromisoformat(started).timestamp() - made.order.epoch
    said = ((one.begin - wait, one.end - wait, one.text) for one in made.captions.said)
    return [(max(0.0, a), min(b, end), text) for a, b, text in said if b > 0 and a < end]


def test_every_user_has_those_of_the_time_when_they_were_there(stored, convert, out, ffmpeg):
    made = stored("1002:camera_off@0", "1002:mute@0", "1002:unmute@15", captions=True)
    report = convert()
    assert report.verdict is Verdict.OK
    first = user(report, "1001")
    assert near(shown(first.output, ffmpeg), due(made, first.started, first.duration))
    assert [track.type for track in first.tracks] == ["video", "audio"]
    assert (first.captions[0].cues, first.captions[0].language) == (8, "en-US")
    second = user(report, "1002")
    assert second.output is not None
    assert second.output.endswith(".m4a")  # a file of sound has no subtitles
    receipt = json.loads((out / f"{made.name}.receipt.json").read_text())
    assert [track["cues"] for track in receipt["captions"]] == [8]
    assert convert().made is False


def test_check_says_of_captions_what_convert_says(stored, convert, folder, out):
    """Of every user, and of the session."""
    stored("1002:camera_off@0", "1002:leave@20", captions=True)
    checked = played.check(folder, Options(spool=out.parent / "spool"))
    made = convert()
    assert [len(one.captions) for one in (made, *made.users)] == [1, 1, 0]
    for told, said in zip((made, *made.users), (checked, *checked.users), strict=True):
        assert said.captions == told.captions
        assert of_captions(said) == of_captions(told)
    assert of_captions(made)


def of_captions(report):
    return [found for found in report.findings if found.id.startswith("CAPTIONS")]


@pytest.mark.parametrize("users", [Users.SEPARATE, Users.ALL])
def test_a_file_of_one_stream_and_a_file_of_all(stored, convert, ffmpeg, users):
    made = stored(duration=12.0, captions=True)
    report = convert(users=users)
    assert report.verdict is Verdict.OK
    files = report.pieces if users is Users.ALL else report.users
    films = [one for one in files if one.output and one.output.endswith(".mp4")]
    assert len(films) == (1 if users is Users.ALL else 2)
    for film in films:
        assert near(shown(film.output, ffmpeg), due(made, film.started, film.duration))
    assert "CAPTIONS" in {finding.id for finding in report.findings}
    assert convert(users=users).made is False
