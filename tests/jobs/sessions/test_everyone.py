"""All users in one picture and one sound: each in the right tile, and where they were in time."""

import json
from datetime import datetime
from pathlib import Path

import pytest

from pipeline.choices import Absent, Format, Layout, Users
from pipeline.errors import ExistsError, FfmpegMissingError, UsageError
from pipeline.jobs.sessions.people import Person
from pipeline.media.compose.layout import Arrangement, Region
from pipeline.model import Verdict
from pipeline.receipts.read import read
from pipeline.simulator.recorder.identify import listen_to, look_at
from pipeline.simulator.recorder.measure import measure
from pipeline.storage.local import LocalStorage
from tests.jobs.sessions import shown
from tests.jobs.sessions.conftest import truth_of, user

SMALL = Arrangement(canvas=shown.SMALL)
SHORT = {"duration": 8.0, "slice": 4}


@pytest.fixture
def composed(convert):
    """Convert to one file of all, small."""

    def work(**chosen):
        return convert(**{"users": Users.ALL, "arrangement": SMALL, **chosen})

    return work


def of_layout(layout, **more):
    return Arrangement(layout, shown.SMALL, **more)


def said_of(out: Path) -> dict:
    (path,) = out.glob("*.session.json")
    return json.loads(path.read_text())


def test_one_file_of_all_and_one_receipt(stored, composed, out):
    made = stored(**SHORT)
    report = composed()
    assert {path.name.removeprefix(made.name) for path in out.iterdir()} == {
        *(".mp4", ".session.json", ".receipt.json"),
    }
    assert (report.verdict, report.made, report.proof) == (Verdict.OK, True, None)
    video, audio = report.tracks
    assert (video.codec, video.width, video.height, video.samples) == ("h264", 320, 180, 201)
    assert (audio.codec, audio.duration) == ("aac", 8.04)
    (said,) = [one for one in report.findings if one.id == "M_COMPOSED"]
    assert said.detail.startswith("encoded: 201 pictures, 25 a second, in 1 scene; 8.040 s; ")
    assert "1001 at 0.000 s, 1002 at 0.0" in said.detail
    published = read(LocalStorage(out), f"{made.name}.receipt.json")
    assert [one.name for one in published.files] == [f"{made.name}.mp4"]
    assert [u["files"] for u in published.receipt["users"]] == 2 * [[f"{made.name}.mp4"]]
    assert published.receipt["settings"]["layout"] == "best-fit"


def test_again_there_is_nothing_to_do_and_by_force_it_is_the_same(stored, composed, folder, out):
    stored(**SHORT)
    first, before = composed(), {p: p.stat().st_mtime_ns for p in out.iterdir()}
    second = composed()
    assert (second.made, second.verdict, second.tracks) == (False, first.verdict, first.tracks)
    assert [(u.uid, u.output, u.sha256, u.tracks) for u in second.users] == [
        (u.uid, u.output, u.sha256, u.tracks) for u in first.users
    ]
    assert {p: p.stat().st_mtime_ns for p in out.iterdir()} == before
    third = composed(force=True)
    assert (third.made, third.sha256) == (True, first.sha256)
    another = composed(arrangement=of_layout(Layout.VERTICAL))
    assert (another.made, another.sha256 != first.sha256) == (True, True)
    next(folder.glob("*1002*.ts")).unlink()
    with pytest.raises(ExistsError, match="no longer there"):
        composed(arrangement=of_layout(Layout.VERTICAL))


def test_who_leaves_makes_room_and_comes_back_last(stored, composed, out, ffmpeg):
    made = stored("1001:leave@3", "1001:join@20", duration=24.0)
    report = composed()
    assert [(round(a), round(b), uids) for a, b, uids in shown.scenes(said_of(out))] == [
        (0, 3, ["1001", "1002"]),
        (3, 20, ["1002"]),
        (20, 24, ["1002", "1001"]),
    ]
    assert shown.wrong(made, report, ffmpeg) == []


def test_flashes_and_beeps_are_where_they_were(stored, composed, ffmpeg):
    """To 40 ms; the camera is off for a while, and the user joins later than the other."""
    made = stored(
        "1001:leave@0.1", "1002:camera_off@4", "1002:camera_on@8", **SHORT | {"duration": 16.0}
    )
    whole = of_layout(Layout.CUSTOM, regions=(Region(0, 0, 1, 1, "1002"),))
    report = composed(arrangement=whole)
    begin = datetime.fromisoformat(report.started).timestamp() - made.order.epoch
    measured, streams = measure(Path(report.output), ffmpeg), truth_of(made, "1002")
    for found, true, least in (
        (measured.flashes, streams["video"]["flashes"], 10),
        (measured.beeps, streams["audio"]["beeps"], 15),
    ):
        assert len(found) >= least
        assert all(min(abs(at + begin - when) for when in true) <= 0.04 for at in found)


def test_whoever_speaks_is_large(stored, composed, out, ffmpeg):
    stored("1002:mute@0.05", "1001:mute@8", "1002:unmute@8.5", duration=16.0)
    report = composed(arrangement=of_layout(Layout.SPEAKER))
    (_, middle, first), (_, end, second) = shown.scenes(said_of(out))
    assert (first, second, end) == (["1001", "1002"], ["1002", "1001"], report.duration)
    assert abs(middle - 8.5) < 1.5
    pictures = look_at(Path(report.output), ffmpeg)
    for at, large, small in ((3.0, 0, 1), (14.0, 1, 0)):
        tiles = said_of(out)["composed"]["scenes"][at > middle]["tiles"]
        seen = [pictures.at(at, shown.area(tile, shown.SMALL)).number for tile in tiles]
        assert seen == [large, small]


def test_regions_as_agora_has_them(stored, composed, ffmpeg):
    stored(**SHORT)
    regions = (Region(0.0, 0.0, 0.5, 1.0, "1002"), Region(0.5, 0.5, 0.5, 0.5, whole=True))
    report = composed(arrangement=of_layout(Layout.CUSTOM, regions=regions))
    pictures = look_at(Path(report.output), ffmpeg)
    boxes = ((0, 0, 160, 180), (160, 90, 160, 90), (160, 0, 160, 90))
    areas = [dict(zip(("x", "y", "width", "height"), box, strict=True)) for box in boxes]
    seen = [pictures.at(4.0, shown.area(one, shown.SMALL)) for one in areas]
    assert [one.number for one in seen] == [1, 0, None]
    assert seen[2].black


@pytest.mark.parametrize(("absent", "black"), [(Absent.HOLD, False), (Absent.BLACK, True)])
def test_a_tile_while_the_camera_is_off(stored, composed, ffmpeg, absent, black):
    """The user is still there: the last picture stands, or a black one."""
    stored("1002:camera_off@4", "1002:camera_on@12", duration=16.0, slice=4)
    pictures = look_at(Path(composed(absent=absent).output), ffmpeg)
    right = {"x": 160, "y": 46, "width": 158, "height": 88}
    seen = pictures.at(8.0, shown.area(right, shown.SMALL))
    assert (seen.black, seen.number) == (black, None if black else 1)


def test_a_loss_of_one_user_is_judged_as_in_a_file_of_its_own(stored, convert, composed):
    stored(duration=16.0, slice=4, faults=[("1002", "video", "missing_file:1")])
    report, merged = composed(), convert(users=Users.MERGE, force=True)
    assert report.verdict is Verdict.DEGRADED
    assert report.lost_seconds == merged.lost_seconds
    for one, other in zip(report.users, merged.users, strict=True):
        assert (one.verdict, one.holes, one.lost_seconds, one.absences, one.account) == (
            *(other.verdict, other.holes, other.lost_seconds, other.absences, other.account),
        )


def test_a_user_of_whom_nothing_can_be_made_stops_no_other(stored, composed, folder, ffmpeg):
    made = stored(**SHORT)
    for path in folder.glob("*1002*.ts"):
        path.unlink()
    report = composed()
    assert (report.verdict, user(report, "1002").verdict) == 2 * (Verdict.REJECTED,)
    assert user(report, "1002").output is None
    assert Path(report.output).name == f"{made.name}.mp4"
    assert look_at(Path(report.output), ffmpeg).at(4.0).number == 0


def test_the_sound_of_all_alone(stored, convert, out, ffmpeg):
    made = stored("1002:mute@4", **SHORT)
    report = convert(users=Users.MIX_AUDIO)
    assert {path.name.removeprefix(made.name) for path in out.iterdir()} == {
        *(".m4a", ".session.json", ".receipt.json"),
    }
    assert [track.type for track in report.tracks] == ["audio"]
    sound = listen_to(Path(report.output), ffmpeg)
    assert [{*sound.at(at)} for at in (2.0, 6.0)] == [{0, 1}, {0}]
    published = read(LocalStorage(out), f"{made.name}.receipt.json")
    assert not [one.key for one in published.inputs if "_video" in one.key]
    assert convert(users=Users.MIX_AUDIO).made is False


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"users": Users.ALL, "format": Format.M4A}, "--users all makes an MP4, not m4a"),
        ({"users": Users.MIX_AUDIO, "format": Format.MP3}, "makes an m4a, not mp3"),
        ({"users": Users.ALL, "absent": Absent.CLOSE}, "give --absent hold or black"),
    ],
)
def test_choices_that_contradict_each_other(stored, convert, chosen, said):
    stored(**SHORT)
    with pytest.raises(UsageError, match=said):
        convert(**chosen)


@pytest.mark.parametrize("users", [Users.MERGE, Users.SEPARATE, Users.ALL])
def test_who_spoke_when(stored, composed, out, users):
    """To the second: what each says is a beep at every second of a clock of their own."""
    made = stored("1001:mute@3", "1001:unmute@9", "1002:mute@7", duration=14.0, slice=4)
    report = composed(users=users, speakers=True)
    document = json.loads((out / f"{made.name}.speakers.json").read_text())
    assert (document["session"], document["started"]) == (made.name, report.started)
    said = [(one["uid"], one["begin"], one["end"]) for one in document["spoken"]]
    expected = [("1001", 0, 3), ("1002", 0, 7), ("1001", 9, 14)]
    assert [one[0] for one in sorted(said, key=lambda one: one[2])] == [one[0] for one in expected]
    for (_, *found), (_, *true) in zip(sorted(said, key=lambda one: one[2]), expected, strict=True):
        assert all(abs(a - b) <= 1.2 for a, b in zip(found, true, strict=True))
    cues = (out / f"{made.name}.speakers.vtt").read_text()
    assert cues.count("-->") == 3
    assert composed(users=users, speakers=True).made is False


def test_who_spoke_when_is_heard_in_files_with_an_index(stored, convert):
    stored(**SHORT)
    with pytest.raises(UsageError, match="--speakers listens to mp4 and m4a, not to mp3"):
        convert(speakers=True, format=Format.MP3)


def test_names_are_in_the_tiles_and_beside_what_was_said(stored, composed, out):
    made = stored(**SHORT)
    plain = composed()
    people = (Person("1001", "Anna: [Müller]'s", "host"),)
    try:
        named = composed(people=people, speakers=True)
    except FfmpegMissingError as error:
        pytest.skip(f"platform: {error}")
    assert named.sha256 != plain.sha256
    assert [user.name for user in named.users] == ["Anna: [Müller]'s", None]
    cues = (out / f"{made.name}.speakers.vtt").read_text(encoding="utf-8")
    assert "<v Anna: [Müller]'s>" in cues
    assert "<v 1002>" in cues
