"""Resources and recordings, answered as documented."""

import pytest

from pipeline.agora.answers import progress
from pipeline.agora.statuses import Kind, kind_of
from pipeline.errors import UsageError
from pipeline.simulator.service import service as module
from tests.agora.bodies import STORAGE, changed
from tests.simulator.service.standin import NAME, STOP, Standin

pytestmark = pytest.mark.usefixtures("ffmpeg")


@pytest.fixture
def standin(tmp_path):
    return Standin(tmp_path)


def start(standin, resource, **changes):
    return standin.ask(f"resourceid/{resource}/mode/mix/start", changed(changes))


def test_a_resource_is_good_for_five_minutes_and_one_recording(standin):
    fresh, old = standin.acquire(), standin.acquire()
    assert len(fresh) > 250
    standin.time.sleep(290)
    first = start(standin, fresh)
    assert first.status == 200
    assert first.body == {**NAME, "resourceId": fresh, "sid": first.body["sid"]}
    again = start(standin, fresh)
    assert (again.status, again.body["code"], again.body["sid"]) == (201, 7, first.body["sid"])
    standin.time.sleep(20)
    assert start(standin, old).body["code"] == 433
    assert standin.ask(f"resourceid/{fresh}/sid/{first.body['sid']}/mode/mix/stop", STOP).status
    assert start(standin, fresh).body["code"] == 433
    assert len(standin.service.lives) == 1


@pytest.mark.parametrize(
    ("changes", "code"), [({"cname": "other"}, 432), ({"uid": "7"}, 432)], ids=["cname", "uid"]
)
def test_a_resource_is_for_one_channel_and_uid(standin, changes, code):
    assert start(standin, standin.acquire(), **changes).body["code"] == code


def test_a_resource_nobody_gave_out(standin):
    assert start(standin, "made-up").body["code"] == 1001


def test_one_recording_at_a_time_under_a_name(standin):
    session = standin.start()
    conflict = start(standin, standin.acquire())
    assert (conflict.status, conflict.body) == (400, {"code": 53, "reason": "task conflict"})
    session.stop()
    standin.start()


def test_as_many_at_once_as_a_project_may_have(standin, monkeypatch):
    monkeypatch.setattr(module, "MOST_RECORDINGS", 1)
    standin.start()
    reply = standin.ask("acquire", {**NAME, "clientRequest": {}})
    assert (reply.status, reply.body) == (400, {"code": 406, "reason": "vendor_over_load"})


def test_what_acquire_was_promised(standin):
    def acquire(promise):
        body = {**NAME, "clientRequest": {"startParameter": promise}}
        return standin.ask("acquire", body).body["resourceId"]

    assert start(standin, acquire({"nonsense": 1})).body["code"] == 2
    assert start(standin, acquire(changed({})["clientRequest"])).status == 200


def test_other_modes_are_refused(standin):
    resource = standin.acquire()
    body = changed({"clientRequest.recordingConfig.transcodingConfig": {"width": 5}})
    assert standin.ask(f"resourceid/{resource}/mode/web/start", body).body["code"] == 2
    assert standin.ask(f"resourceid/{resource}/mode/Mix/start", body).body["code"] == 2


def test_names_that_belong_together(standin):
    session = standin.start()
    other = f"resourceid/{session.resource}/sid/{'0' * 32}/mode/mix"
    assert standin.ask(f"{other}/query", b"", method="GET").body["code"] == 1003
    unknown = f"resourceid/unknown/sid/{session.sid}/mode/mix"
    reply = standin.ask(f"{unknown}/query", b"", method="GET")
    assert (reply.status, reply.body) == (404, {"code": 404, "reason": "failed to find worker"})
    assert session.ask("stop", {**STOP, "uid": "7"}).body["code"] == 432
    assert session.stop().status == 200


def test_a_recording_is_followed_until_its_session_expires(standin, monkeypatch):
    monkeypatch.setattr(module, "HOUR", 60.0)
    body = {**NAME, "clientRequest": {"resourceExpiredHour": 1}}
    resource = standin.ask("acquire", body).body["resourceId"]
    sid = start(standin, resource).body["sid"]
    path = f"resourceid/{resource}/sid/{sid}/mode/mix/query"
    standin.time.sleep(30)
    assert standin.ask(path, b"", method="GET").status == 200
    standin.time.sleep(60)
    assert standin.ask(path, b"", method="GET").status == 404


def test_what_query_and_stop_say(standin):
    session = standin.start()
    empty = session.ask("query").body["serverResponse"]
    assert empty == {"status": 3, "fileListMode": "string", "fileList": ""}
    standin.time.sleep(9)
    running = progress(session.ask("query").body)
    playlist = f"directory1/directory2/{session.sid}_httpClient463224.m3u8"
    assert (running.status, [file.name for file in running.files]) == (5, [playlist])
    assert running.start == pytest.approx(standin.service.lives[0].began, abs=0.01)
    ended = progress(session.stop().body)
    assert ([file.name for file in ended.files], ended.uploading) == ([playlist], "uploaded")


def test_files_as_objects(standin):
    session = standin.start({"clientRequest.recordingFileConfig.avFileType": ["hls", "mp4"]})
    assert session.ask("query").body["serverResponse"]["fileList"] == []
    standin.time.sleep(9)
    (file,) = progress(session.ask("query").body).files
    assert (file.track, file.uid, file.mixed, file.playable) == ("audio_and_video", "0", True, True)
    assert file.start == pytest.approx(standin.service.lives[0].began, abs=0.01)


def test_stopped_twice_then_forgotten(standin):
    session = standin.start()
    standin.time.sleep(10)
    assert session.stop().status == 200
    again = session.stop()
    assert (again.status, again.body) == (400, {"code": 49, "reason": "invalid operation"})
    assert session.after(0) == 404
    standin.time.sleep(30)
    assert session.stop().status == 404


def test_stop_that_does_not_wait(tmp_path):
    standin = Standin(tmp_path, slow_stop=8.0)
    session = standin.start()
    standin.time.sleep(10)
    reply = session.ask("stop", {**STOP, "clientRequest": {"async_stop": True}})
    assert (reply.status, reply.delay, reply.body["serverResponse"]) == (200, 0.0, {})
    assert session.after(0) == 6
    assert session.after(10) == 404


def test_nobody_sent_anything(tmp_path):
    standin = Standin(tmp_path, users_leave=0.0)
    session = standin.start()
    standin.time.sleep(10)
    reply = session.stop()
    assert (reply.status, reply.body["code"]) == (206, 435)
    assert kind_of("stop", 206, 435) is Kind.NO_DATA
    assert standin.names() == []


def test_a_store_that_is_not_known_is_refused(standin):
    def refuse(wanted):
        raise UsageError(f"no bucket {wanted.bucket}")

    standin.service.open = refuse
    reply = start(standin, standin.acquire(), **{f"{STORAGE}.bucket": "other"})
    assert (reply.status, reply.body["code"]) == (400, 2)
    assert reply.body["reason"] == "storageConfig: no bucket other"


def test_closing_stops_what_runs(tmp_path):
    standin = Standin(tmp_path, slow_stop=100.0)
    standin.start()
    standin.time.sleep(6)
    standin.service.close()
    assert standin.service.running == []
    (playlist,) = tmp_path.rglob("*.m3u8")
    assert "#EXT-X-ENDLIST" in playlist.read_text()
