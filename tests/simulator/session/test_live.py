"""A stream recorded as time goes by is the one that is recorded at once."""

import pytest

from pipeline.errors import UsageError
from pipeline.simulator.recorder.publish import Shelf, publish
from pipeline.simulator.recorder.values import HZ
from pipeline.simulator.session.cast import crew, parse_act
from pipeline.simulator.session.live import TrackRecorder
from pipeline.simulator.session.presence import intervals, views
from pipeline.simulator.session.tracks import Dialect, Room, Source, Studio, record
from pipeline.storage.local import LocalStorage
from tests.simulator.conftest import contents
from tests.simulator.session.conftest import LOOK

ACTS = tuple(
    map(
        parse_act,
        (
            *("1001:mute@2", "1001:unmute@4", "1001:rotate@7:90", "1001:leave@12.3"),
            *("1001:join@32", "1001:resize@36:320x180"),
        ),
    )
)
LENGTH = 42  # seconds


@pytest.fixture
def source(ffmpeg):
    def make(stream, *, web=None, acts=ACTS):
        (member,) = crew(1, LOOK, 0, acts=acts, web=web and {"1001": web})
        room = Room("a" * 32, "room", 1_772_442_002.12, 5, Dialect(), Studio.of(ffmpeg, 8))
        return Source(room, member, stream)

    return make


@pytest.fixture
def recorder(source, tmp_path):
    def make(stream, *, acts=ACTS, **chosen):
        folder = tmp_path / "live"
        folder.mkdir()
        made = source(stream, acts=acts, **chosen)
        return TrackRecorder(made, acts, Shelf(LocalStorage(folder))), folder

    return make


@pytest.mark.parametrize(
    ("stream", "web", "step"),
    [
        pytest.param("audio", None, 0.2, id="sound"),
        pytest.param("video", None, 0.2, id="pictures"),
        pytest.param("video", None, 7.0, id="pictures in large steps"),
        pytest.param("video", "vp8", 1.0, id="pictures of a browser"),
    ],
)
def test_the_files_are_the_same(source, recorder, tmp_path, stream, web, step):
    running, folder = recorder(stream, web=web)
    while running.now < LENGTH * HZ:
        running.advance(min(step, LENGTH - running.now / HZ))
    part = running.stop()
    at_once = source(stream, web=web)
    sent = [s for s in intervals(at_once.member, ACTS, stream, LENGTH * HZ) if s.cause is None]
    made = record(at_once, sent, tuple(views(at_once.member, ACTS)))
    (tmp_path / "once").mkdir()
    publish(Shelf(LocalStorage(tmp_path / "once")), [made.part])
    assert contents(folder) == contents(tmp_path / "once")
    assert part.playlist == made.part.playlist
    assert running.track.turns == made.turns


def test_slices_appear_when_they_are_complete_and_the_playlist_ends_last(recorder):
    running, folder = recorder("audio", acts=())
    running.advance(4.9)
    assert contents(folder) == {}
    running.advance(0.6)
    assert len([name for name in contents(folder) if name.endswith(".ts")]) == 1
    assert b"ENDLIST" not in contents(folder)[running.source.playlist]
    running.stop()
    assert b"ENDLIST" in contents(folder)[running.source.playlist]


def test_what_stops_for_15_seconds_is_stored_before_it_comes_back(recorder):
    running, folder = recorder("audio", acts=(parse_act("1001:leave@3"),))
    running.advance(17.5)
    assert contents(folder) == {}
    running.advance(1)
    assert len([name for name in contents(folder) if name.endswith(".ts")]) == 1


def test_of_somebody_who_never_comes_nothing_is_stored(recorder):
    running, folder = recorder("video", acts=(parse_act("1001:join@50"),))
    running.advance(20)
    assert not running.is_sent
    part = running.stop()
    assert (part.segments, contents(folder)) == ((), {})


def test_another_server_goes_on_under_a_name_of_its_own(recorder):
    running, folder = recorder("video", acts=())
    running.advance(12)
    running.kill()
    other = running.take_over(8)
    assert other.begin == 20 * HZ
    other.advance(8)
    other.stop()
    stored = contents(folder)
    assert b"ENDLIST" not in stored[running.source.playlist]
    assert b"START" in stored[f"bak0_{running.source.playlist}"]
    with pytest.raises(UsageError, match="bak3_"):
        other.take_over(1).take_over(1).take_over(1)
