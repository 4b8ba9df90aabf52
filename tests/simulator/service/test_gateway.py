"""What is refused before the service sees it: addresses, credentials, rate, bodies."""

import json

import pytest

from pipeline.simulator.service.gateway import HttpRequest
from tests.agora.bodies import CANVAS, GONE, RECORDING, START, STORAGE, changed
from tests.simulator.service.standin import HEADERS, NAME, ROOT, STOP, Standin

pytestmark = pytest.mark.usefixtures("ffmpeg")


@pytest.fixture
def standin(tmp_path):
    return Standin(tmp_path)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"{ROOT}/acquire"),
        ("PUT", f"{ROOT}/acquire"),
        ("POST", f"{ROOT}/Acquire"),
        ("POST", f"{ROOT}/acquire/"),
        ("POST", "/v1/apps/app1/acquire"),
        ("POST", "/"),
        ("GET", f"{ROOT}/resourceid/r/mode/mix/start"),
        ("POST", f"{ROOT}/resourceid/r/sid/s/mode/mix/start"),
        ("POST", f"{ROOT}/resourceid/r/mode/mix/stop"),
        ("POST", f"{ROOT}/resourceid/r/sid/s/mode/mix/query"),
        ("POST", f"{ROOT}/resourceid/r/sid/s/mode/mix/updatelayout"),
        ("POST", f"{ROOT}/resourceid/r/sid/s/mode/individual/updateLayout"),
    ],
)
def test_no_such_call(standin, method, path):
    reply = standin.service.answer(HttpRequest(method, path, HEADERS))
    assert (reply.status, reply.body) == (404, {"message": "no Route matched with those values"})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "Unauthorized"),
        ("", "Invalid authentication credentials"),
        (HEADERS["authorization"][6:], "Invalid authentication credentials"),
        ("Bearer " + HEADERS["authorization"][6:], "Invalid authentication credentials"),
        ("Basic ***", "Invalid authentication credentials"),
        ("Basic Y3VzdG9tZXI6b3RoZXI=", "Invalid authentication credentials"),
    ],
)
def test_who_is_calling(standin, given, said):
    headers = {**HEADERS, "authorization": given}
    if given is None:
        del headers["authorization"]
    reply = standin.ask("acquire", {**NAME, "clientRequest": {}}, headers=headers)
    assert (reply.status, reply.body) == (401, {"message": said})


def test_another_project(standin):
    for call, method, body in (
        ("acquire", "POST", {"code": 400, "reason": "invalid_appid"}),
        ("resourceid/r/sid/s/mode/mix/query", "GET", {"message": "invalid appid"}),
    ):
        path = f"/v1/apps/other/cloud_recording/{call}"
        reply = standin.service.answer(HttpRequest(method, path, HEADERS))
        assert (reply.status, reply.body) == (400, body)


def test_the_kind_of_body(standin):
    for headers in ({**HEADERS, "content-type": "text/plain"}, {**HEADERS, "content-type": ""}):
        assert standin.ask("acquire", {}, headers=headers).body["code"] == 8
    for raw, code in ((b"{", 8), (b"\xff", 8), (b"[" * 100_000, 8), (b"[]", 2), (b"null", 2)):
        reply = standin.ask("acquire", raw)
        assert (reply.status, reply.body["code"]) == (400, code)


def test_ten_requests_a_second(standin):
    asked = HttpRequest("POST", f"{ROOT}/acquire", HEADERS, b"{}")
    answers = [standin.service.answer(asked).status for _ in range(12)]
    assert answers == [400] * 10 + [429] * 2
    standin.time.sleep(1)
    assert standin.service.answer(asked).status == 400


@pytest.mark.parametrize(
    ("changes", "code", "why"),
    [
        ({"cname": GONE}, 2, "cname: missing"),
        ({"cname": "a/b"}, 401, "invalid_channel_name"),
        ({"cname": "x" * 65}, 401, "invalid_channel_name"),
        ({"uid": 5}, 2, "uid: 5, expected text in quotes"),
        ({"uid": "0"}, 2, "from 1 to 4294967295"),
        ({"clientRequest.resourceExpiredHour": 721}, 2, "at most 720"),
        ({"clientRequest.region": "US"}, 2, "'NA'"),
        ({"clientRequest.Scene": 0}, 2, "did you mean scene?"),
    ],
)
def test_acquire_is_checked(standin, changes, code, why):
    body = changed(changes, {**NAME, "clientRequest": {}})
    reply = standin.ask("acquire", body)
    assert (reply.status, reply.body["code"]) == (400, code)
    assert why in reply.body["reason"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({RECORDING: GONE}, "recordingConfig: missing"),
        ({STORAGE: GONE}, "storageConfig: missing"),
        ({f"{RECORDING}.streamTypes": "2"}, "streamTypes: '2', expected a whole number"),
        ({f"{RECORDING}.maxIdleTime": 4}, "at least 5"),
        ({f"{CANVAS}.height": 1921}, "at most 1920"),
        ({f"{STORAGE}.region": 99}, "region 99"),
        ({f"{STORAGE}.fileNamePrefix": ["a_b"]}, "only letters"),
        ({f"{STORAGE}.secretkey": "keySECRET2"}, "unknown key"),
        ({"clientRequest.recordingFileConfig.avFileType": ["mp4"]}, "hls"),
        ({f"{RECORDING}.subscribeVideoUids": []}, "not to be empty"),
    ],
)
def test_start_is_checked_and_no_secret_repeated(standin, changes, why):
    resource = standin.acquire()
    reply = standin.ask(f"resourceid/{resource}/mode/mix/start", changed(changes))
    assert (reply.status, reply.body["code"]) == (400, 2)
    assert why in reply.body["reason"]
    assert "SECRET" not in json.dumps(reply.body) + repr(standin.notes)
    assert standin.service.lives == []


def test_other_bodies_are_checked(standin):
    session = standin.start()
    assert session.ask("updateLayout", {**NAME, "clientRequest": {"layoutConfig": []}}).body[
        "code"
    ] in (1028,)
    assert session.ask("update", {**NAME, "clientRequest": {}}).body["code"] == 2
    assert session.ask("stop", {**STOP, "clientRequest": {"async_stop": 1}}).body["code"] == 2
    layout = {**NAME, "clientRequest": {"mixedVideoLayout": 1}}
    assert session.ask("updateLayout", layout).status == 200
    lists = {"audioUidList": {"subscribeAudioUids": ["#allstream#"]}}
    assert (
        session.ask("update", {**NAME, "clientRequest": {"streamSubscribe": lists}}).status == 200
    )


def test_every_request_is_noted_without_secrets(standin):
    session = standin.start()
    session.stop()
    assert [note["endpoint"] for note in standin.notes] == ["acquire", "start", "stop"]
    start = standin.notes[1]
    storage = start["body"]["clientRequest"].pop("storageConfig")
    expected = START["clientRequest"]["storageConfig"]
    assert storage == {**expected, "accessKey": "***", "secretKey": "***"}
    assert (start["status"], start["sid"], start["authorized"]) == (200, session.sid, True)
    assert "SECRET" not in repr(standin.notes)
    assert HEADERS["authorization"] not in repr(standin.notes)
