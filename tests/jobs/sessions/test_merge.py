"""Each user of a session becomes one file: sound and pictures on one clock, copied and proven."""

import json
from datetime import datetime
from pathlib import Path

import pytest

from pipeline.choices import Absent, Format, OnChange, Users
from pipeline.errors import UsageError
from pipeline.jobs.options import Options
from pipeline.model import Report, Verdict
from pipeline.receipts.read import read
from pipeline.simulator.recorder.measure import measure
from pipeline.simulator.session.session import Session
from pipeline.storage.local import LocalStorage
from tests.jobs.sessions import played
from tests.jobs.sessions.conftest import truth_of, user

LEAVES = ("1002:leave@10", "1002:join@30")


def names(out: Path, made: Session) -> list[str]:
    """The files of a folder without what all begin with."""
    found = [path.name for path in out.iterdir()]
    assert all(name.startswith(made.name) for name in found)
    return sorted(name.removeprefix(made.name) for name in found)


def kept(report: Report) -> list[tuple[str, float, float, str, str]]:
    """Absences, to a tenth of a second."""
    return [
        (a.kind, round(a.start, 1), round(a.length, 1), a.cause, a.became) for a in report.absences
    ]


def test_a_file_of_each_user_one_receipt_and_what_was_in_it(stored, convert, out):
    made = stored(*LEAVES)
    report = convert()
    assert names(out, made) == [
        ".receipt.json",
        ".session.json",
        "__uid_s_1001.mp4",
        "__uid_s_1002.mp4",
    ]
    assert (report.recording, report.verdict, report.made) == (made.name, Verdict.OK, True)
    assert [one.recording for one in report.users] == [
        f"{made.name}__uid_s_{uid}" for uid in ("1001", "1002")
    ]
    for one in report.users:
        assert [track.type for track in one.tracks] == ["video", "audio"]
        assert one.proof is not None
        assert one.proof.holds
        assert (one.session, one.lost_seconds) == (made.name, {"video": 0.0, "audio": 0.0})
    assert played.wrong(made.as_json(), report) == []


def test_sound_and_pictures_are_where_they_were(stored, convert, out, ffmpeg):
    """To 40 ms, by what flashes and beeps."""
    made = stored("1001:camera_off@5", "1001:camera_on@25", *LEAVES)
    report = convert()
    for one in report.users:
        begin = datetime.fromisoformat(one.started).timestamp() - made.order.epoch
        measured, streams = measure(Path(one.output), ffmpeg), truth_of(made, one.uid)
        shown, heard = streams["video"]["flashes"], streams["audio"]["beeps"]
        for found, true in ((measured.flashes, shown), (measured.beeps, heard)):
            assert len(true) - 1 <= len(found) <= len(true)  # one may be held over an absence
            assert all(min(abs(at + begin - when) for when in true) <= 0.04 for at in found)


def test_again_there_is_nothing_to_do(stored, convert, out):
    stored()
    first, before = convert(), {p: p.stat().st_mtime_ns for p in out.iterdir()}
    second = convert()
    assert (second.made, second.verdict) == (False, first.verdict)
    assert {p: p.stat().st_mtime_ns for p in out.iterdir()} == before
    assert [(u.uid, u.output, u.sha256, u.tracks, u.absences) for u in second.users] == [
        (u.uid, u.output, u.sha256, u.tracks, u.absences) for u in first.users
    ]


def test_the_receipt_names_every_input_and_every_file(stored, convert, folder, out):
    made = stored(*LEAVES)
    report = convert()
    published = read(LocalStorage(out), f"{made.name}.receipt.json")
    assert [one.name.removeprefix(made.name) for one in published.outputs] == [
        "__uid_s_1001.mp4",
        "__uid_s_1002.mp4",
        ".session.json",
    ]
    assert {one.key for one in published.inputs} == {path.name for path in folder.iterdir()}
    assert [(one.size, one.sha256) for one in published.pieces] == [
        (one.size, one.sha256) for one in report.users
    ]


def test_the_session_file_says_who_was_there_when(stored, convert, out):
    made = stored(*LEAVES)
    convert()
    said = json.loads((out / f"{made.name}.session.json").read_text())
    assert (said["session"], said["verdict"]) == (made.name, "ok")
    one, two = said["users"]
    assert (one["uid"], one["files"], one["absences"]) == (
        "1001",
        [f"{made.name}__uid_s_1001.mp4"],
        [],
    )
    assert {(a["kind"], a["cause"]) for a in two["absences"]} == {
        ("audio", "away"),
        ("video", "away"),
    }


@pytest.mark.parametrize(
    ("acts", "expected"),
    [
        pytest.param(
            LEAVES, [("audio", 20.0, "away"), ("video", 20.4, "away")], id="left and came back"
        ),
        pytest.param(("1002:mute@10", "1002:unmute@30"), [("audio", 20.0, "muted")], id="muted"),
        pytest.param(
            ("1002:mute@10", "1002:unmute@14"), [("audio", 4.0, "muted")], id="muted for a moment"
        ),
        pytest.param(
            ("1002:camera_off@10", "1002:camera_on@30"), [("video", 20.4, "camera off")], id="dark"
        ),
        pytest.param(
            ("1002:camera_off@10", "1002:camera_on@13"),
            [("video", 3.4, "camera off")],
            id="dark for a moment",
        ),
    ],
)
def test_who_sends_nothing_is_absent_and_nothing_is_lost(stored, convert, acts, expected):
    stored(*acts)
    report = user(convert(), "1002")
    assert report.verdict is Verdict.OK
    assert report.lost_seconds == {"video": 0.0, "audio": 0.0}
    told = [(a.kind, a.length, a.cause) for a in report.absences]
    assert [(kind, cause) for kind, _, cause in told] == [(k, c) for k, _, c in expected]
    for (_, length, _), (_, true, _) in zip(told, expected, strict=True):
        assert length == pytest.approx(true, abs=1.0)


def test_a_slice_that_is_gone_is_lost_also_beside_an_absence(stored, convert):
    """The last one before the user left: what it promised, and no more."""
    made = stored(*LEAVES, faults=[("1002", "audio", "missing_file:1")])
    report = user(convert(), "1002")
    stream = truth_of(made, "1002")["audio"]
    assert report.verdict is Verdict.DEGRADED
    assert report.lost_seconds["audio"] == pytest.approx(stream["lost_seconds"], abs=0.05)
    assert report.lost_seconds["video"] == 0.0
    away = sum(a.length for a in report.absences if a.kind == "audio")
    assert away == pytest.approx(20.0, abs=0.1)
    (hole,) = report.holes
    assert hole.length == pytest.approx(report.lost_seconds["audio"], abs=0.05)


def test_a_break_inside_a_run_is_lost(stored, convert):
    made = stored(faults=[("1001", "video", "missing_file:3")])
    report = convert()
    hurt, other = report.users
    assert (report.verdict, hurt.verdict, other.verdict) == (
        Verdict.DEGRADED,
        Verdict.DEGRADED,
        Verdict.OK,
    )
    lost = truth_of(made, "1001")["video"]["lost_seconds"]
    assert hurt.lost_seconds == {"video": pytest.approx(lost, abs=0.05), "audio": 0.0}
    assert not [a for a in hurt.absences if a.kind == "video"]


def test_a_user_of_whom_nothing_is_left_stops_no_other(stored, convert, folder, out):
    made = stored()
    for path in folder.glob("*__uid_s_1001__*.ts"):
        path.unlink()
    report = convert()
    assert [one.verdict for one in report.users] == [Verdict.REJECTED, Verdict.OK]
    assert report.verdict is Verdict.REJECTED
    assert names(out, made) == [".receipt.json", ".session.json", "__uid_s_1002.mp4"]
    assert convert().made is False


def test_a_stream_of_which_nothing_is_left_is_lost(stored, convert, folder, out):
    made = stored()
    for path in folder.glob("*__uid_s_1001__uid_e_video_*.ts"):
        path.unlink()
    report = user(convert(), "1001")
    promised = sum(s["end"] - s["begin"] for s in truth_of(made, "1001")["video"]["sent"])
    assert report.verdict is Verdict.DEGRADED
    assert report.lost_seconds == {"video": pytest.approx(promised, abs=0.2), "audio": 0.0}
    assert report.output.endswith("__uid_s_1001.m4a")


def test_a_user_of_whom_there_is_sound_alone(stored, convert, out):
    made = stored("1002:camera_off@0")
    convert()
    assert "__uid_s_1002.m4a" in names(out, made)


def test_streams_by_themselves(stored, convert, out):
    made = stored(*LEAVES)
    report = convert(users=Users.SEPARATE)
    assert names(out, made) == [
        ".receipt.json",
        ".session.json",
        "__uid_s_1001__uid_e_audio.m4a",
        "__uid_s_1001__uid_e_video.mp4",
        "__uid_s_1002__uid_e_audio.m4a",
        "__uid_s_1002__uid_e_video.mp4",
    ]
    assert report.verdict is Verdict.OK
    assert [(a.kind, a.cause) for a in report.users[3].absences] == [("audio", "not sent")]


def test_absences_closed_where_nothing_is_sent(stored, convert):
    stored(*LEAVES)
    held, closed = user(convert(), "1002"), user(convert(absent=Absent.CLOSE, force=True), "1002")
    taken = [a for a in closed.absences if a.became == "closed"]
    assert {a.kind for a in taken} == {"video", "audio"}
    assert held.duration - closed.duration == pytest.approx(taken[0].length, abs=0.05)
    assert taken[0].length == pytest.approx(20.0, abs=0.1)
    assert closed.verdict is Verdict.OK


def test_time_in_which_the_other_stream_goes_on_is_not_closed(stored, convert):
    stored("1002:camera_off@10", "1002:camera_on@30")
    report = user(convert(absent=Absent.CLOSE), "1002")
    assert [a.became for a in report.absences] == ["kept"]
    assert report.duration == pytest.approx(40.0, abs=0.2)


def test_a_camera_that_is_off_shows_black(stored, convert, ffmpeg):
    stored("1002:camera_off@10", "1002:camera_on@30")
    report = user(convert(absent=Absent.BLACK), "1002")
    assert [(a.kind, a.became) for a in report.absences] == [("video", "black")]
    assert report.proof.holds
    assert report.verdict is Verdict.OK


def test_check_says_the_same(stored, convert, folder, tmp_path):
    stored(*LEAVES, faults=[("1001", "audio", "missing_file:2")])
    made, checked = convert(), played.check(folder, Options(spool=tmp_path / "spool"))
    assert [(u.uid, u.verdict, u.lost_seconds, u.absences) for u in checked.users] == [
        (u.uid, u.verdict, u.lost_seconds, u.absences) for u in made.users
    ]
    assert checked.output is None


def test_an_index_over_both_streams_is_no_result(stored, convert, out):
    made = stored(standard=True)
    report = convert()
    assert [one.uid for one in report.users] == ["1001", "1002"]
    assert report.verdict is Verdict.OK
    assert names(out, made)[2:] == ["__uid_s_1001.mp4", "__uid_s_1002.mp4"]


def test_a_format_of_sound_alone_reads_no_pictures(stored, convert, out, folder):
    made = stored()
    for path in folder.glob("*_video_*.ts"):
        path.unlink()
    assert convert(format=Format.M4A).verdict is Verdict.OK
    assert names(out, made)[1:] == [".session.json", "__uid_s_1001.m4a", "__uid_s_1002.m4a"]


def test_a_session_that_goes_on_is_pending(stored, convert, folder):
    stored()
    path = next(folder.glob("*1002*video.m3u8"))
    path.write_text(path.read_text().replace("#EXT-X-ENDLIST\n", ""))
    assert convert().verdict is Verdict.PENDING
    assert convert(accept_unfinished=True).verdict is Verdict.OK


def test_a_file_for_each_format_is_not_for_merged_users(stored, convert):
    stored()
    with pytest.raises(UsageError, match="--users separate"):
        convert(on_change=OnChange.SPLIT)


def test_a_user_is_not_cut_for_the_length(stored, convert, out):
    """Nothing is made of anybody; streams by themselves are cut."""
    made = stored("1001:leave@10", duration=20.0)
    with pytest.raises(
        UsageError, match=r"of user 1002 would last 20 s, .* 12 s; .*separate.* 2\d$"
    ):
        convert(max_length=12.0)
    assert names(out, made) == []
    assert convert(max_length=21.0).verdict is Verdict.OK
    report = convert(max_length=12.0, users=Users.SEPARATE, force=True)
    assert [len(user.pieces) for user in report.users if user.uid == "1002"] == [2, 2]


def test_a_camera_that_was_off_while_the_phone_was_turned_inside_a_slice(stored, convert):
    """The slice is cut where the rotation changes: what was not sent before is no loss."""
    made = stored("1001:camera_off@11.5", "1001:rotate@12:90", "1001:camera_on@13.5")
    one = user(convert(), "1001")
    assert [a for a in kept(one) if a[0] == "video"] == [("video", 11.5, 2.6, "camera off", "kept")]
    assert (one.verdict, one.holes, one.lost_seconds["video"]) == (Verdict.REPAIRED, (), 0.0)
    assert played.wrong(made.as_json(), convert()) == []
