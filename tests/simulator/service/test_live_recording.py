"""One recording in life: its files, its failovers, its ends, and what it tells of them."""

import json
from concurrent.futures import Future

import pytest

from pipeline.agora import webhook
from pipeline.agora.webhook import in_order, parse
from pipeline.errors import DeniedError, MuxingError
from pipeline.media.playlist import parse as reader
from pipeline.model import Verdict
from tests import recordings as r
from tests.agora.bodies import CANVAS, GONE, RECORDING, START
from tests.simulator.service.standin import Standin, ready

pytestmark = pytest.mark.usefixtures("ffmpeg")
FOLDER = "directory1/directory2"


def listed(standin, bak=""):
    sid = standin.service.lives[0].order.sid
    path = standin.folder / FOLDER / f"{bak}{sid}_httpClient463224.m3u8"
    return reader.parse(path.read_bytes())


def told(standin):
    """Every notice as the product reads it."""
    sent = [{**notice, "notifyMs": 1} for notice in standin.notices]
    return in_order(parse(json.dumps(notice).encode()) for notice in sent)


def test_slices_appear_while_it_records(tmp_path):
    standin = Standin(tmp_path)
    session = standin.start()
    assert session.after(0) == 3  # a second after start
    assert session.after(1) == 4
    assert standin.names() == []
    assert session.after(2) == 5
    assert len(listed(standin).segments) == 1
    session.after(8)
    assert len(listed(standin).segments) == 3
    assert not listed(standin).ended


def test_what_is_stopped_can_be_converted(tmp_path, ffmpeg):
    (tmp_path / "store").mkdir()
    standin = Standin(tmp_path / "store")
    session = standin.start()
    standin.time.sleep(13.3)
    assert session.stop().status == 200
    report = r.convert(tmp_path / "store" / FOLDER, tmp_path / "out", ffmpeg)
    assert report.verdict is Verdict.OK, r.said(report)
    assert report.duration == pytest.approx(14.3, abs=0.2)


def test_speed_is_that_of_recordings_alone(tmp_path):
    standin = Standin(tmp_path, speed=10.0)
    resource = standin.acquire()
    standin.time.sleep(200)
    body = standin.ask(f"resourceid/{resource}/mode/mix/start", START)
    assert body.status == 200
    standin.time.sleep(4)
    standin.service.tick()
    assert len(listed(standin).segments) == 10


@pytest.mark.parametrize(
    ("changes", "streams"),
    [
        ({}, ("video", "audio")),
        ({f"{RECORDING}.streamTypes": GONE}, ("video", "audio")),
        ({f"{RECORDING}.streamTypes": 0, f"{RECORDING}.subscribeVideoUids": GONE}, ("audio",)),
        ({f"{RECORDING}.streamTypes": 1, f"{RECORDING}.subscribeAudioUids": GONE}, ("video",)),
        ({f"{RECORDING}.subscribeAudioUids": GONE}, ("video",)),
        ({f"{RECORDING}.subscribeVideoUids": GONE}, ("audio",)),
    ],
)
def test_what_is_recorded(tmp_path, changes, streams):
    standin = Standin(tmp_path)
    standin.start(changes)
    assert set(standin.service.lives[0].order.streams) == set(streams)


@pytest.mark.parametrize(
    ("changes", "look"),
    [
        ({}, (360, 640, 15)),
        ({CANVAS: GONE}, (360, 640, 15)),
        ({f"{CANVAS}.fps": 30, f"{CANVAS}.width": 641, f"{CANVAS}.height": 31}, (640, 64, 30)),
        ({f"{CANVAS}.fps": 14}, (360, 640, 15)),
        ({f"{CANVAS}.fps": 1}, (360, 640, 7)),
    ],
)
def test_the_canvas(tmp_path, changes, look):
    standin = Standin(tmp_path)
    standin.start(changes)
    found = standin.service.lives[0].order.look
    assert (found.width, found.height, found.fps) == look


def test_another_server_takes_over(tmp_path):
    standin = Standin(tmp_path, kills=(10.0,))
    session = standin.start()
    assert session.after(8.5) == 5
    assert session.after(1) == 404
    assert session.stop().status == 404
    assert session.after(7) == 5
    session.after(8)
    assert session.stop().status == 200
    main, bak = listed(standin), listed(standin, "bak0_")
    assert ([s.duration for s in main.segments], main.ended) == ([4, 4], False)
    assert bak.ended
    names = [name for name in standin.names() if ".ts" in name]
    assert len(names) == len(main.segments) + len(bak.segments)
    failover = next(n for n in told(standin) if isinstance(n.event, webhook.FailedOver))
    assert failover.event.new_uid == "527842"
    first, second = (n.event for n in told(standin) if isinstance(n.event, webhook.SliceStarted))
    assert first.start == first.interrupted
    assert second.start - second.interrupted == pytest.approx(10, abs=0.01)  # from 8 s to 18 s
    assert {n.uid for n in told(standin) if n.sequence > failover.sequence} == {"527842"}


def test_the_fourth_failure_is_the_end(tmp_path):
    standin = Standin(tmp_path, kills=(5.0, 20.0, 35.0, 50.0))
    session = standin.start()
    assert session.after(60) == 404
    assert {name[:5] for name in standin.names()} >= {"bak0_", "bak1_", "bak2_"}
    assert standin.kinds()[-2:] == [1, 11]
    assert standin.service.running == []


def test_everybody_leaves(tmp_path):
    standin = Standin(tmp_path, users_leave=10.0)
    session = standin.start()  # maxIdleTime is 30
    assert session.after(35) == 5
    assert session.after(5) == 404
    assert listed(standin).ended
    assert sum(s.duration for s in listed(standin).segments) == pytest.approx(10)
    left = next(n.event for n in told(standin) if isinstance(n.event, webhook.RecorderLeft))
    assert left.why == {"no users"}
    assert session.stop().body["code"] == 49


def test_notifications_of_a_plain_recording(tmp_path):
    standin = Standin(tmp_path)
    session = standin.start()
    standin.time.sleep(130)
    session.stop()
    assert standin.kinds() == [40, 30, 42, 4, 33, 33, 41, 31, 33, 11]
    notices = told(standin)
    assert [n.sequence for n in notices] == list(range(10))
    assert {(n.sid, n.cname, n.product) for n in notices} == {(session.sid, "httpClient463224", 3)}
    assert len({n.id for n in notices}) == 10
    playlist = f"{FOLDER}/{session.sid}_httpClient463224.m3u8"
    (made,) = notices[3].event.files
    (uploaded,) = notices[7].event.files
    assert (made.name, uploaded.name) == (playlist, playlist)
    assert (notices[7].event.complete, notices[9].event.normally) == (True, True)
    begin = standin.service.lives[0].began
    assert notices[2].event.start == pytest.approx(begin, abs=0.01)
    assert notices[5].happened == pytest.approx(begin + 120, abs=0.01)


class Full:
    """A store that takes nothing."""

    def put(self, *_, **__):
        raise DeniedError("no")


def test_a_store_that_cannot_be_written_to_ends_it(tmp_path):
    standin = Standin(tmp_path)
    standin.service.open = lambda _: Full()
    session = standin.start()
    assert session.after(2) == 4
    assert session.after(3) == 404
    failed = next(n.event for n in told(standin) if isinstance(n.event, webhook.Failed))
    assert (failed.module, failed.level, failed.code) == (1, 5, 47)
    assert not next(
        n.event for n in told(standin) if isinstance(n.event, webhook.SessionExited)
    ).normally
    assert session.stop().body["code"] == 49


def test_a_store_that_fails_in_the_end(tmp_path):
    standin = Standin(tmp_path)
    standin.service.open = lambda _: Full()
    session = standin.start()
    standin.time.sleep(1)
    assert session.stop().status == 206
    assert standin.kinds()[-2:] == [1, 11]


def test_it_begins_when_there_is_something_to_record(tmp_path):
    standin = Standin(tmp_path)
    later = Future()
    asked = []
    standin.service.encode = lambda looks: asked.extend(looks) or later
    session = standin.start()
    assert session.after(5) == 2
    later.set_result(ready(asked).result())
    assert session.after(0) == 3
    assert session.after(5) == 5
    session.stop()
    (first,) = [n for n in told(standin) if isinstance(n.event, webhook.SliceStarted)]
    assert first.event.start == pytest.approx(standin.service.lives[0].began, abs=0.01)


@pytest.mark.parametrize("broken", [True, False])
def test_it_ends_before_it_began(tmp_path, broken):
    standin = Standin(tmp_path)
    never = Future()
    standin.service.encode = lambda _: never
    session = standin.start()
    if broken:
        never.set_exception(MuxingError("no encoder"))
        assert session.after(1) == 404
    assert session.stop().status == (400 if broken else 206)
    assert standin.kinds() == ([1, 11] if broken else [])
    assert standin.names() == []


def test_nothing_is_recorded_while_it_uploads(tmp_path):
    standin = Standin(tmp_path, slow_stop=30.0)
    session = standin.start()
    standin.time.sleep(5)
    reply = session.stop()  # six seconds after it began
    assert (reply.status, reply.body["code"], reply.delay) == (206, 50, 20.0)
    assert session.after(10) == 6
    assert not listed(standin).ended
    assert session.after(30) == 404
    assert sum(s.duration for s in listed(standin).segments) == pytest.approx(6, abs=0.1)
    assert listed(standin).ended
