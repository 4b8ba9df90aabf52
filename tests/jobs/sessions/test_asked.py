"""Pictures of another size or rate, of users who send all kinds of them."""

from pipeline.choices import Align
from tests.jobs.sessions import played


def test_pictures_of_every_user_as_asked(stored, convert, ffmpeg):
    """Upright, also of a phone that was turned; of one who comes by the web; each where it was."""
    made = stored("1001:rotate@12:90", "1002:leave@15", "1002:join@35", web={"1002": "vp8"})
    report = convert(picture_width=96, picture_height=120, video_bitrate=400)
    assert [(t.width, t.height, t.rotation) for u in report.users for t in u.tracks[:1]] == [
        (96, 120, 0)
    ] * 2
    assert [one.verdict for one in report.users] == ["ok", "repaired"]  # clocks of WebM slices
    assert all(one.proof.holds for one in report.users)
    assert played.wrong(made.as_json(), report) == []
    assert played.misplaced(made, report, ffmpeg) == []


def test_fewer_pictures_are_no_absence_and_no_loss(stored, convert):
    made = stored("1001:camera_off@10", "1001:camera_on@30", faults=[])
    plain, fewer = convert(), convert(video_framerate=4, force=True)
    for user, before in zip(fewer.users, plain.users, strict=True):
        assert user.tracks[0].samples < before.tracks[0].samples / 2
        assert [a.cause for a in user.absences] == [a.cause for a in before.absences]
        assert user.lost_seconds == {"video": 0.0, "audio": 0.0}
    assert fewer.verdict == "ok"
    assert played.wrong(made.as_json(), fewer) == []


def test_all_users_are_encoded_before_the_first_is_written(stored, convert, out, ffmpeg):
    """They begin together, so that all are planned first: none takes the place of another."""
    made = stored(faults=[])
    report = convert(picture_width=96, picture_height=120, align=Align.SESSION)
    assert [one.verdict for one in report.users] == ["ok", "ok"]
    assert played.wrong(made.as_json(), report) == []
    assert played.misplaced(made, report, ffmpeg) == []
    assert not list((out.parent / "spool").rglob("*.reencoded"))
