"""Individual and web page mode, the backup cloud, and failures that are asked for by name."""

import json

import pytest

from pipeline.agora import names, webhook
from pipeline.agora.answers import progress
from pipeline.agora.schema.requests import StartRequest
from pipeline.agora.schema.values import parse
from pipeline.agora.statuses import Kind
from pipeline.errors import AgoraError, UsageError
from pipeline.jobs.agora import lifecycle as record
from pipeline.jobs.agora.sessions import Sessions
from pipeline.media.playlist import parse as reader
from pipeline.simulator.service.chaos import DOCUMENTED, Chaos, planned
from pipeline.simulator.service.gateway import HttpRequest
from tests.agora.bodies import CANVAS, GONE, RECORDING, START, changed
from tests.simulator.service.standin import HEADERS, NAME, STOP, Standin, client

FOLDER = "directory1/directory2"
INDIVIDUAL = {CANVAS: GONE, f"{RECORDING}.audioProfile": GONE}
SERVICES = {"extensionServiceConfig": {"extensionServices": []}}
WEB = {
    "clientRequest.recordingConfig": GONE,
    **{f"clientRequest.{k}": v for k, v in SERVICES.items()},
}

pytestmark = pytest.mark.usefixtures("ffmpeg")


@pytest.fixture
def standin(tmp_path):
    return Standin(tmp_path)


def streams(standin):
    """Whose streams there are playlists of, each of them whole."""
    found = []
    for path in sorted(standin.folder.rglob("*.m3u8")):
        listing = reader.parse(path.read_bytes())
        assert listing.ended
        assert all((path.parent / s.uri).stat().st_size for s in listing.segments)
        name = names.parse_playlist_name(path.name)
        stream = names.parse_stream(name.cname)
        found.append((stream.uid, stream.kind))
    return sorted(found)


def test_individual_mode_has_a_playlist_for_each_stream(standin):
    session = standin.start(INDIVIDUAL, mode="individual")
    assert session.ask("query").body["serverResponse"]["fileListMode"] == "json"
    standin.time.sleep(9)
    running = progress(session.ask("query").body)
    assert running.status == 5
    assert len(running.files) == 4
    assert {(f.uid, f.track, f.mixed) for f in running.files} == {
        (uid, kind, False) for uid in ("123", "456") for kind in ("audio", "video")
    }
    stopped = session.stop()
    assert (stopped.status, progress(stopped.body).uploading) == (200, "uploaded")
    assert streams(standin) == [(u, k) for u in ("123", "456") for k in ("audio", "video")]
    listed = {file.name for file in progress(stopped.body).files}
    assert listed == {str(p.relative_to(standin.folder)) for p in standin.folder.rglob("*.m3u8")}


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        pytest.param({"subscribeVideoUids": GONE}, {("123", "audio"), ("456", "audio")}, id="one"),
        pytest.param(
            {"subscribeVideoUids": ["#allstream#"], "subscribeAudioUids": ["7"]},
            {("7", "audio"), ("1001", "video"), ("1002", "video")},
            id="everyone",
        ),
        pytest.param(
            {"subscribeVideoUids": GONE, "subscribeAudioUids": GONE, "streamTypes": 1},
            {("1001", "video"), ("1002", "video")},
            id="no list",
        ),
        pytest.param(
            {
                **{"subscribeVideoUids": GONE, "subscribeAudioUids": GONE, "streamTypes": 0},
                "unSubscribeAudioUids": ["1001", "1003"],
            },
            {("1002", "audio"), ("1004", "audio")},
            id="without some",
        ),
    ],
)
def test_who_is_recorded_alone(standin, changes, found):
    changes = {f"{RECORDING}.{key}": value for key, value in changes.items()}
    session = standin.start({**INDIVIDUAL, **changes}, mode="individual")
    standin.time.sleep(5)
    session.stop()
    assert set(streams(standin)) == found
    starts = [n["payload"]["details"] for n in standin.notices if n["eventType"] == 42]
    assert {(d["streamUid"], d["trackType"]) for d in starts} == found


def test_a_failover_of_many(tmp_path):
    standin = Standin(tmp_path, kills=(10.0,))
    session = standin.start(INDIVIDUAL, mode="individual")
    standin.time.sleep(40)
    assert len(progress(session.stop().body).files) == 8
    assert len(list(tmp_path.rglob("bak0_*.m3u8"))) == 4
    assert standin.kinds().count(12) == 1


def test_a_web_page(standin):
    changes = {**WEB, "cname": "my page!"}
    resource = standin.ask(
        "acquire", {**NAME, "cname": "my page!", "clientRequest": {"scene": 1}}
    ).body["resourceId"]
    start = standin.ask(f"resourceid/{resource}/mode/web/start", changed(changes))
    session = f"resourceid/{resource}/sid/{start.body['sid']}/mode/web"

    def query():
        return standin.ask(f"{session}/query", b"", method="GET").body["serverResponse"]

    (service,) = query()["extensionServiceState"]
    assert service["serviceName"] == "web_recorder_service"
    assert service["payload"] == {"state": "init", "onhold": False, "fileList": []}
    standin.time.sleep(9)
    hold = {"webRecordingConfig": {"onhold": True}}
    body = {**NAME, "cname": "my page!", "clientRequest": hold}
    assert standin.ask(f"{session}/update", body).status == 200
    (payload,) = [service["payload"] for service in query()["extensionServiceState"]]
    playlist = f"{start.body['sid']}_my page-.m3u8"  # no folder, and marks are replaced
    assert (payload["state"], payload["onhold"]) == ("inProgress", True)
    assert [file["filename"] for file in payload["fileList"]] == [playlist]
    stopped = standin.ask(f"{session}/stop", {**STOP, "cname": "my page!"}).body
    assert "status" not in stopped["serverResponse"]
    assert progress(stopped).uploading == "uploaded"
    assert [file.name for file in progress(stopped).files] == [playlist]
    assert (standin.folder / FOLDER / playlist).exists()
    assert [kind for kind in standin.kinds() if kind in (40, 41, 70, 71)] == [70, 71]
    uploaded = next(n for n in standin.notices if n["eventType"] == 31)
    assert "fileList" not in uploaded["payload"]["details"]


@pytest.mark.parametrize(("mode", "scene"), [("web", 0), ("mix", 1), ("individual", 1)])
def test_a_resource_is_for_its_scene(standin, mode, scene):
    body = {"mix": START, "individual": changed(INDIVIDUAL), "web": changed(WEB)}[mode]
    reply = standin.ask(f"resourceid/{standin.acquire(scene=scene)}/mode/{mode}/start", body)
    assert (reply.status, reply.body["code"]) == (400, 2)
    assert f"acquired for scene {scene}" in reply.body["reason"]


def test_a_recording_is_not_found_in_another_mode(standin):
    session = standin.start()
    session.mode = "web"
    assert session.after(0) == 404


@pytest.mark.parametrize(
    ("mode", "changes"), [("individual", INDIVIDUAL), ("web", WEB)], ids=["individual", "web"]
)
def test_the_client_follows_every_mode(standin, tmp_path, mode, changes):
    """Start until it records, query, stop: what record start and stop do."""
    wanted = record.NewRecording(parse(StartRequest, changed(changes)), mode)
    sessions = Sessions(tmp_path / "state")
    with client(standin) as agora:
        known = record.start(record.Project(agora, sessions), wanted).known
        assert record.wait_until_recording(agora, known).status == 5
        ended = record.stop(record.Project(agora, sessions), known)
    assert (ended.progress.uploading, bool(ended.progress.files)) == ("uploaded", True)


# The backup cloud.


def test_what_is_stored_last_comes_out_of_the_backup_cloud(tmp_path):
    standin = Standin(tmp_path, backup=600.0)
    session = standin.start()
    standin.time.sleep(9)
    stopped = session.stop()
    assert (stopped.status, progress(stopped.body).uploading) == (206, "backuped")
    (playlist,) = tmp_path.rglob("*.m3u8")
    first = reader.parse(playlist.read_bytes())
    assert not first.ended
    before = standin.names()
    standin.time.sleep(590)
    standin.service.tick()
    assert standin.names() == before
    standin.time.sleep(20)
    standin.service.tick()
    (copy,) = set(standin.names()) - set(before) - {n for n in standin.names() if n[-3:] == ".ts"}
    assert names.backup_copy(copy, playlist.stem) is not None
    last = reader.parse((playlist.parent / copy).read_bytes())
    assert last.ended
    assert len(last.segments) == len(first.segments) + 1
    assert all((playlist.parent / s.uri).stat().st_size for s in last.segments)
    events = [webhook.parse(raw(notice)).event for notice in standin.notices]
    assert webhook.Warned(1, 32) in events
    assert [e.complete for e in events if isinstance(e, webhook.Uploaded)] == [False]


def raw(notice):
    return json.dumps(notice).encode()


def test_the_end_of_the_service_forwards_what_is_held(tmp_path):
    standin = Standin(tmp_path, backup=600.0, slow_stop=5.0)
    session = standin.start()
    standin.time.sleep(9)
    assert progress(session.stop().body).uploading == "backuped"
    standin.service.close()
    assert len(list(tmp_path.rglob("*.m3u8"))) == 2


# What else it answers.


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_where_notifications_come_from(standin, version):
    reply = standin.service.answer(HttpRequest("GET", f"/{version}/ncs/ip", HEADERS))
    assert reply.status == 200
    assert reply.body["data"]["service"]["hosts"] == [{"primaryIP": "127.0.0.1"}]
    assert standin.service.answer(HttpRequest("GET", f"/{version}/ncs/ip")).status == 401
    assert standin.service.answer(HttpRequest("POST", f"/{version}/ncs/ip", HEADERS)).status == 404


def test_a_recorder_that_is_exiting_changes_nothing(tmp_path):
    standin = Standin(tmp_path, slow_stop=30.0)
    session = standin.start()
    standin.time.sleep(5)
    session.stop()
    reply = session.ask("updateLayout", {**NAME, "clientRequest": {"mixedVideoLayout": 1}})
    assert (reply.status, reply.body["code"]) == (400, 501)


FAILURES = [(call, code) for call, codes in DOCUMENTED.items() for code in codes]


@pytest.mark.parametrize(("call", "code"), FAILURES)
def test_every_documented_failure_can_be_had(tmp_path, call, code):
    standin = Standin(tmp_path, chaos=Chaos(planned=[planned(f"{call}:{code}")]))
    made = _calls(standin)
    reply = made[call]()
    status, reason = DOCUMENTED[call][code]
    assert (reply.status, reply.body) == (status, {"code": code, "reason": reason})
    assert made[call]().body.get("code") != code or call == "query"  # it comes once


def _calls(standin):
    session = standin.start() if not _early(standin) else None
    inner = session.ask if session else None
    return {
        "acquire": lambda: standin.ask("acquire", {**NAME, "clientRequest": {}}),
        "start": lambda: standin.ask(f"resourceid/{standin.acquire()}/mode/mix/start", START),
        "query": lambda: inner("query"),
        "update": lambda: inner(
            "update",
            {
                **NAME,
                "clientRequest": {
                    "streamSubscribe": {"audioUidList": {"subscribeAudioUids": ["5"]}}
                },
            },
        ),
        "updateLayout": lambda: inner(
            "updateLayout", {**NAME, "clientRequest": {"mixedVideoLayout": 1}}
        ),
        "stop": lambda: inner("stop", STOP),
    }


def _early(standin):
    return standin.service.chaos.planned[0][0] in ("acquire", "start")


@pytest.mark.parametrize(("code", "why"), [(109, "has expired"), (110, "is wrong")])
def test_a_token_that_does_not_open_the_channel(tmp_path, code, why):
    """What the client makes of it: the user is told, and nothing is repeated."""
    standin = Standin(tmp_path, chaos=Chaos(planned=[("start", code)]))
    wanted = record.NewRecording(parse(StartRequest, START))
    with client(standin) as agora, pytest.raises(AgoraError, match=why) as caught:
        record.start(record.Project(agora, Sessions(tmp_path / "state")), wanted)
    assert (caught.value.kind, caught.value.code, caught.value.exit_code) == (Kind.AUTH, code, 2)
    assert "token" in str(caught.value)
    assert standin.service.lives == []


@pytest.mark.parametrize("text", ["start:7000", "begin:109", "start", "", "start:", ":", "stop:x"])
def test_a_failure_that_is_not_documented(text):
    with pytest.raises(UsageError, match="known are"):
        planned(text)
