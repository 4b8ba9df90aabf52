"""Where the file of each user begins, and how that is told."""

import json
from datetime import datetime
from pathlib import Path

import pytest

from pipeline.choices import Absent, Align, OnChange, OnLoss, Users
from pipeline.errors import UsageError
from pipeline.receipts.read import read
from pipeline.simulator.recorder.measure import measure
from pipeline.storage.local import LocalStorage
from tests.jobs.sessions.conftest import truth_of, user
from tests.jobs.sessions.played import NEAR

LATE = ("1002:leave@0", "1002:join@20")


def begins(report) -> list[float]:
    """When each user's file begins, in seconds from the beginning of the first."""
    told = [datetime.fromisoformat(one.started).timestamp() for one in report.users]
    return [round(time - min(told), 3) for time in told]


def test_without_it_the_offset_is_told(stored, convert, out, creation):
    """In the receipt, in the session file, and in whole seconds in the file itself."""
    made = stored(*LATE)
    report = convert()
    _, wait = begins(report)
    assert wait == pytest.approx(20.0, abs=0.1)
    said = json.loads((out / f"{made.name}.session.json").read_text())
    assert [one["begin"] for one in said["users"]] == [0.0, wait]
    receipt = read(LocalStorage(out), f"{made.name}.receipt.json").receipt
    assert [piece["begin"] for piece in receipt["pieces"]] == [0.0, wait]
    assert [one["started"] for one in receipt["users"]] == [one.started for one in report.users]
    for one in report.users:
        assert creation(one.output) == f"{one.started[:19]}.000000Z"


def test_every_file_begins_with_the_session(stored, convert, ffmpeg, creation):
    made = stored(*LATE)
    report = convert(align=Align.SESSION)
    late = user(report, "1002")
    assert begins(report) == [0.0, 0.0]
    assert {creation(one.output)[:19] for one in report.users} == {report.started[:19]}
    assert late.verdict == "ok"
    assert late.proof.holds
    assert late.duration == pytest.approx(40.0, abs=0.2)
    begin = datetime.fromisoformat(late.started).timestamp() - made.order.epoch
    measured, streams = measure(Path(late.output), ffmpeg), truth_of(made, "1002")
    for found, true in (
        (measured.flashes, streams["video"]["flashes"]),
        (measured.beeps, streams["audio"]["beeps"]),
    ):
        assert len(found) >= len(true) - 1 >= 1
        assert all(min(abs(at + begin - when) for when in true) <= NEAR for at in found)
    away = [(a.kind, round(a.start, 1), a.cause) for a in late.absences]
    assert away == [("audio", 0.0, "away"), ("video", 0.0, "away")]


def test_one_user_alone_begins_with_the_session_of_all(stored, convert):
    stored(*LATE)
    alone = convert(align=Align.SESSION, uids=("1002",))
    assert user(alone, "1002").duration == pytest.approx(40.0, abs=0.2)


def test_each_stream_by_itself_begins_with_the_session(stored, convert):
    stored(*LATE)
    report = convert(align=Align.SESSION, users=Users.SEPARATE)
    assert begins(report) == [0.0] * 4
    assert [round(one.duration) for one in report.users] == [40] * 4
    assert all(one.proof.holds and one.verdict == "ok" for one in report.users)


def test_what_is_lost_stays_lost_and_in_its_place(stored, convert):
    stored(*LATE, faults=[("1001", "video", "missing_file:2"), ("1002", "audio", "missing_file:1")])
    apart, report = convert(), convert(align=Align.SESSION)
    for plain, aligned in zip(apart.users, report.users, strict=True):
        assert aligned.lost_seconds == plain.lost_seconds
        assert aligned.verdict is plain.verdict
        wait = aligned.duration - plain.duration
        pairs = zip(aligned.holes, plain.holes, strict=True)
        moved = [later.start - earlier.start for later, earlier in pairs]
        assert moved == pytest.approx([wait] * len(moved), abs=0.01)


def test_time_is_closed_up_by_nothing(stored, convert):
    stored(*LATE, faults=[("1002", "audio", "missing_file:1")])
    report = user(convert(align=Align.SESSION, on_loss=OnLoss.CLOSE), "1002")
    assert {hole.became for hole in report.holes} == {"kept"}


@pytest.mark.parametrize(
    "chosen",
    [
        {"absent": Absent.CLOSE},
        {"users": Users.SEPARATE, "on_change": OnChange.SPLIT},
        {"users": Users.SEPARATE, "max_length": 3600.0},
    ],
    ids=["closed", "cut by format", "cut by length"],
)
def test_what_would_not_stay_in_step(stored, convert, chosen):
    stored(duration=10.0)
    with pytest.raises(UsageError, match="leave --align out"):
        convert(align=Align.SESSION, **chosen)


def test_without_pictures_there_is_silence_and_without_sound_there_is_black(stored, convert):
    stored("1002:camera_off@0", *LATE, "1003:mute@0", "1003:leave@0", "1003:join@15", users=3)
    report = convert(align=Align.SESSION)
    assert [round(one.duration) for one in report.users] == [40, 40, 40]
    heard, seen = user(report, "1002"), user(report, "1003")
    assert [t.type for t in heard.tracks] == ["audio"]
    assert [t.type for t in seen.tracks] == ["video"]
    assert heard.proof.filled > 900
    assert seen.proof.filled == 1
    assert (heard.verdict, seen.verdict) == ("ok", "ok")


def test_who_comes_by_the_web(stored, convert):
    """No black picture can be made for VP8 or VP9 that is copied: the track begins late."""
    stored("1002:leave@0", "1002:join@20", web={"1002": "vp9"})
    report = user(convert(align=Align.SESSION), "1002")
    assert report.duration == pytest.approx(40.0, abs=0.3)
    assert report.proof.holds
