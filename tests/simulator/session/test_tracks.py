"""One stream as it is stored: where slices end, and what stands in front of them."""

import pytest

from pipeline.agora import names
from pipeline.media.playlist import parse as reader
from pipeline.simulator.recorder.identify import look_at
from pipeline.simulator.recorder.values import HZ, START
from pipeline.simulator.session.tracks import Dialect
from tests.simulator.session.conftest import joined, playlist, stream

FIRST = START / HZ


def tags(made, uid, kind):
    """The names of what stands in front of each slice."""
    found, held = [], []
    for line in playlist(made, uid, kind)[5:]:
        if line.startswith("#EXT-X-"):
            held.append(line.removeprefix("#EXT-X-").partition(":")[0])
        elif not line.startswith("#"):
            found.append(held)
            held = []
    return found


BEGINS = ["DISCONTINUITY", "AGORA-TRACK-EVENT"]
SHOWN = ["DISCONTINUITY", "AGORA-ROTATE", "AGORA-TRACK-EVENT"]


def test_a_stream_begins_behind_discontinuity_and_start(session):
    made = session(duration=10.0, slice=5)
    assert tags(made, "1001", "audio") == [BEGINS, []]
    assert tags(made, "1001", "video") == [SHOWN, []]


@pytest.mark.parametrize(
    ("back", "slices"),
    [
        pytest.param("19.9", [BEGINS, []], id="less than 15 s, no word of it"),
        pytest.param("20.2", [BEGINS, BEGINS], id="15 s or more, a new start"),
    ],
)
def test_an_absence_of_15_seconds_is_an_interruption(session, back, slices):
    made = session("1001:mute@5", f"1001:unmute@{back}", duration=22.0)
    assert tags(made, "1001", "audio") == slices
    (absence,) = stream(made, "1001", "audio")["absences"]
    assert absence["cause"] == "muted"
    assert (absence["begin"], absence["end"]) == pytest.approx((5, float(back)), abs=0.03)


def test_a_short_absence_stays_inside_a_slice(session):
    made = session("1001:mute@2", "1001:unmute@4", duration=10.0)
    assert tags(made, "1001", "audio") == [BEGINS]
    one, other = stream(made, "1001", "audio")["sent"]
    assert (one["end"], other["begin"]) == pytest.approx((2, 4), abs=0.03)


def test_times_stand_in_17_digits_or_in_milliseconds(session):
    for milliseconds in (False, True):
        made = session(duration=5.0, dialect=Dialect(milliseconds=milliseconds))
        (segment,) = reader.parse("\n".join(playlist(made, "1001", "video")).encode()).segments
        begin = names.parse_slice_name(segment.uri).utc
        assert [event.time for event in segment.events] == [begin]
        assert [turn.time for turn in segment.rotations] == [begin]
        digits = 13 if milliseconds else 17
        assert all(
            len(line.rpartition("TIME=")[2]) == digits
            for line in playlist(made, "1001", "video")
            if "TIME=" in line
        )


def test_rotate_may_stand_before_discontinuity(session):
    made = session(duration=5.0, dialect=Dialect(rotate_first=True))
    assert tags(made, "1001", "video") == [["AGORA-ROTATE", "DISCONTINUITY", "AGORA-TRACK-EVENT"]]


def test_another_size_is_another_slice(session):
    made = session("1001:resize@4:320x180", duration=10.0)
    assert tags(made, "1001", "video") == [SHOWN, ["DISCONTINUITY", "AGORA-ROTATE"]]
    turns = stream(made, "1001", "video")["rotations"]
    assert [(t["width"], t["height"], t["rotate"]) for t in turns] == [(160, 96, 0), (320, 180, 0)]


def test_turns_inside_a_slice_stand_in_front_of_it(stored, ffmpeg):
    made, folder = stored("1001:rotate@3:90", "1001:rotate@6:270", duration=10.0)
    assert tags(made, "1001", "video") == [
        ["DISCONTINUITY", *["AGORA-ROTATE"] * 3, "AGORA-TRACK-EVENT"]
    ]
    told = stream(made, "1001", "video")
    begin = told["sent"][0]["begin"]
    seen = look_at(joined(made, folder, "1001", "video"), ffmpeg)
    flashes = [at for at in told["flashes"] if at < told["sent"][-1]["end"] - 0.2]
    for at in flashes:
        wanted = [t["rotate"] for t in told["rotations"] if t["at"] <= at + 0.001][-1]
        assert seen.turned_at(FIRST + at - begin + 0.02) == wanted


def test_a_rotation_holds_over_an_interruption(session):
    made = session(
        "1001:rotate@3:180", "1001:camera_off@5", "1001:camera_on@25", duration=30.0, slice=5
    )
    lines = [line for line in playlist(made, "1001", "video") if "ROTATE" in line]
    assert [line.partition("ROTATE=")[2][:3].rstrip(",T") for line in lines] == ["0", "180", "180"]


def test_the_clock_goes_on_over_an_interruption_or_restarts(session):
    for restarts in (False, True):
        made = session(
            *("1001:mute@5", "1001:unmute@25"), duration=30.0, dialect=Dialect(restarts=restarts)
        )
        (part,) = (p for p in made.parts if "1001__uid_e_audio" in p.stem)
        one, other = part.segments
        assert one.clock + one.begin == START
        assert (other.clock + other.begin == START) is restarts


def test_a_user_of_a_browser_is_stored_as_webm(stored, ffmpeg):
    made, folder = stored(
        "1001:mute@3", "1001:unmute@5", users=1, web={"1001": "vp8"}, duration=12.0, slice=5
    )
    assert not list(folder.glob("*.ts"))
    told = stream(made, "1001", "video")
    assert told["samples"] is None
    first = sorted(folder.glob("*video_*.webm"))[0]
    seen = look_at(first, ffmpeg)
    assert [seen.at(t).number for t in (0, 2.5, 4.9)] == [0, 0, 0]
    flash = told["flashes"][0] - told["sent"][0]["begin"]
    assert seen.turned_at(flash + 0.02) == 0
    audio = [line for line in playlist(made, "1001", "audio") if line.endswith(".webm")]
    assert len(audio) == 3
