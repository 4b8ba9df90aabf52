"""One moment of a command in words and numbers."""

import pytest

from pipeline.cli.moment import Moment, Part

PART = Part("0a93_room", 200e6, begun=10.0, stage="convert", done=50e6)


def moment(**more) -> Moment:
    told = {"noun": "recordings", "finished": 1, "total": 4, "worked": 60e6, "before": 40e6}
    return Moment(**{**told, "size": 400e6, "seconds": 30.0, "now": 40.0, "parts": (PART,), **more})


@pytest.mark.parametrize(
    ("more", "line"),
    [
        pytest.param(
            {},
            "25%, 1 of 4 recordings, 100.0 MB of 400.0 MB, 2.0 MB/s, 2 min 30 s left;"
            " 0a93_room convert 25%",
            id="many",
        ),
        pytest.param(
            {"total": 1, "finished": 0, "parts": ()},
            "25%, 100.0 MB of 400.0 MB, 2.0 MB/s, 2 min 30 s left",
            id="one",
        ),
        pytest.param(
            {"noun": "bags", "size": 0.0, "worked": 0.0, "before": 0.0, "parts": ()},
            "25%, 1 of 4 bags, 1 min 30 s left",
            id="counted",
        ),
        pytest.param(
            {"noun": "bags", "size": 0.0, "worked": 0.0, "total": None, "parts": ()},
            "1 bag",
            id="of nobody knows how many",
        ),
        pytest.param(
            {"noun": "bags", "sized": False},
            "31%, 1 of 4 bags, 100.0 MB, 2.0 MB/s, 1 min 6 s left; 0a93_room convert 25%",
            id="of a size that is known when it is begun",
        ),
        pytest.param(
            {"worked": 0.0, "finished": 0, "parts": ()},
            "10%, 0 of 4 recordings, 40.0 MB of 400.0 MB",
            id="nothing worked on yet",
        ),
        pytest.param(
            {"parts": (PART,) * 5},
            "25%, 1 of 4 recordings, 100.0 MB of 400.0 MB, 2.0 MB/s, 2 min 30 s left;"
            " 0a93_room convert 25%; 0a93_room convert 25%; 0a93_room convert 25%; 2 more",
            id="more at once than fit",
        ),
    ],
)
def test_a_line_for_people(more, line):
    assert moment(**more).line == line


def test_what_is_re_encoded_takes_half_of_what_is_left_whatever_its_bytes():
    part = Part("a", 300.0, begun=0.0)
    shares = []
    for stage, count in (("fetch", 100), *(("reencode", 250),) * 4, ("convert", 100)):
        part = part.in_stage(stage)
        part = part.moved(stage, part.step(stage, count))
        shares.append(part.done)
    assert shares == [100, 125, 150, 175, 200, 250]
    assert part.step("verify", 200) == 50  # never more than it holds


def test_how_long_one_recording_will_take():
    assert PART.left(40.0) == 90.0
    assert Part("new", 5.0, begun=40.0).left(40.0) is None


def test_what_is_sent_goes_at_a_speed_of_its_own():
    part = PART.moved("publish", 50e6).sent_on(50_000_000, 20.0)
    assert (part.speed(20.1), part.left(20.1)) == ("", pytest.approx(10.1))  # too soon to tell
    part = part.moved("publish", 20e6).sent_on(20_000_000, 40.0)
    sent = moment(total=1, finished=0, parts=(part,))
    assert (part.sent, part.speed(40.0), part.left(40.0)) == (70_000_000, "3.5 MB/s", 80.0)
    assert sent.line.endswith("; 0a93_room publish 60% 3.5 MB/s")
    assert (sent.left, sent.json["now"][0]["sent"]) == (80.0, 70_000_000)


def test_rounding_never_leaves_less_than_nothing():
    assert moment(worked=360e6 + 0.5).left == 0.0
    almost = moment(worked=360e6 - 1e-6, parts=())
    assert almost.line == "100%, 1 of 4 recordings, 400.0 MB of 400.0 MB, 12.0 MB/s"


def test_a_long_name_keeps_both_ends():
    part = Part("0a93a5e0c1d44f7c8d5e6b7a1f2c3d4e_weekly_meeting", 1.0, begun=0.0)
    assert part.short == "0a93a5e0c1d…kly_meeting"


def test_numbers_for_programs():
    assert moment().json == {
        "event": "progress",
        "unit": "recordings",
        "finished": 1,
        "total": 4,
        "share": 0.25,
        "bytes": 100_000_000,
        "size": 400_000_000,
        "bytes_per_second": 2_000_000,
        "seconds_left": 150.0,
        "now": [
            {
                "recording": "0a93_room",
                "stage": "convert",
                "share": 0.25,
                "bytes": 50_000_000,
                "size": 200_000_000,
                "sent": 0,
            }
        ],
    }
