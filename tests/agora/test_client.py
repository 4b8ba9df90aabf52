"""Every row of the service's table of errors, over real HTTP: what is done, how often, and how it
ends.
"""

import base64
import json
import socket
from urllib.parse import quote, quote_plus

import httpx
import pytest
from pydantic import SecretStr

from pipeline.agora.calls import Session
from pipeline.agora.client import AgoraClient
from pipeline.agora.schema.requests import (
    AcquireRequest,
    LayoutRequest,
    StartRequest,
    UpdateRequest,
)
from pipeline.agora.schema.values import parse
from pipeline.agora.statuses import Kind
from pipeline.errors import AgoraError, UsageError
from tests.agora.bodies import ACCESS, SECRET, START, STORAGE, TOKEN, changed
from tests.agora.server import HANG_UP, FakeTime, listening

CUSTOMER_SECRET = "customerSECRET"
SID = "38f8e3cfdc474cd56fc1ceba380d7e1a"
SESSION = Session(START["cname"], START["uid"], "resource+id=", SID)
STOPPED = {"serverResponse": {"fileList": "a.m3u8", "uploadingStatus": "uploaded"}}
RUNNING = {"serverResponse": {"status": 5, "fileList": "a.m3u8"}}


@pytest.fixture
def server():
    with listening() as server:
        yield server


@pytest.fixture
def time():
    return FakeTime()


@pytest.fixture
def client(server, time):
    with with_hosts([server.url], time) as client:
        yield client


def name() -> dict[str, str]:
    return {"cname": START["cname"], "uid": START["uid"]}


CALLS = {
    "acquire": lambda c: c.acquire(parse(AcquireRequest, {**name(), "clientRequest": {}})),
    "start": lambda c: c.start(parse(StartRequest, START), "resource+id="),
    "query": lambda c: c.query(SESSION),
    "update": lambda c: c.update(parse(UpdateRequest, UPDATE), SESSION),
    "updateLayout": lambda c: c.update_layout(parse(LayoutRequest, LAYOUT), SESSION),
    "stop": lambda c: c.stop(SESSION),
}
UPDATE = {
    **name(),
    "clientRequest": {
        "streamSubscribe": {
            "audioUidList": {"subscribeAudioUids": ["#allstream#"]},
            "videoUidList": {"unSubscribeVideoUids": ["444"]},
        }
    },
}
LAYOUT = {
    **name(),
    "clientRequest": {
        "mixedVideoLayout": 3,
        "layoutConfig": [{"x_axis": 0, "y_axis": 0, "width": 0.5, "height": 1, "alpha": 0}],
    },
}
GOOD = {
    "acquire": {"resourceId": "resource+id="},
    "start": {"sid": SID},
    "query": RUNNING,
    "update": {},
    "updateLayout": {},
    "stop": STOPPED,
}
ANY = tuple(GOOD)
CHANGES = ("query", "update", "updateLayout")

SOON, LATER, CONFIRM, SLOWER = [3, 6, 9], [5, 10, 15, 30], [5, 10, 15], [1, 2, 4, 8]


def row(calls, status, code, reason, kind, waits=(), exit_code=2):
    """One row of the table, for each of the calls it is about."""
    body = {"message": reason} if code is None else {"code": code, "reason": reason}
    for call in calls:
        id = f"{call} {status} {code or reason}"
        yield pytest.param(call, status, body, kind, list(waits), exit_code, id=id)


def unplanned(status):
    """What a proxy answers that has never heard of the service."""
    yield from row(ANY, status, None, "unavailable", Kind.TRANSIENT, ["by call"], 75)


TABLE = [
    *row(ANY, 400, None, "invalid appid", Kind.BAD_REQUEST),
    *row(ANY, 400, None, "appid is invalid", Kind.BAD_REQUEST),
    *row(ANY, 401, None, "Unauthorized", Kind.AUTH),
    *row(ANY, 401, None, "Invalid authentication credentials", Kind.AUTH),
    *row(ANY, 404, None, "no Route matched with those values", Kind.BAD_REQUEST),
    *row(ANY, 429, None, "API rate limit exceeded", Kind.RATE_LIMITED, SLOWER, 75),
    *row(ANY, 400, 2, "invalid parameter", Kind.BAD_REQUEST),
    *row(["acquire"], 400, 400, "invalid_appid", Kind.BAD_REQUEST),
    *row(["acquire"], 400, 401, "invalid_channel_name", Kind.BAD_REQUEST),
    *row(["acquire"], 400, 405, "no_active_status", Kind.AUTH),
    *row(["acquire"], 400, 406, "vendor_over_load", Kind.OVERLOADED, (), 75),
    *row(["acquire"], 400, 62, "not enabled", Kind.AUTH),
    *row(["acquire"], 500, 500, "internal_error", Kind.TRANSIENT, SOON, 75),
    *row(["acquire"], 500, 501, "no_worker_manager_available", Kind.TRANSIENT, SOON, 75),
    *row(["acquire"], 500, 504, "allocate_timeout", Kind.TRANSIENT, SOON, 75),
    *row(["start"], 206, 65, "request not completed", Kind.TRANSIENT, SOON, 75),
    *row(["start"], 400, 53, "task conflict", Kind.CONFLICT),
    *row(["start"], 500, 502, "Failed to allocate worker", Kind.NO_WORKER, (), 75),
    *row(["start"], 500, 62, "request timeout", Kind.TRANSIENT, SOON, 75),
    *row(["start"], 500, 15, "undocumented", Kind.TRANSIENT, SOON, 75),
    *row(["start"], 400, 433, "too old", Kind.EXPIRED, (), 75),
    *row(["start"], 400, 1001, "cannot be decrypted", Kind.EXPIRED, (), 75),
    *row(["start"], 400, 109, "token expired", Kind.AUTH),
    *row(["start"], 400, 110, "token wrong", Kind.AUTH),
    *row(["start"], 500, 52, "service start timeout", Kind.TRANSIENT, SOON, 75),
    *row(["start"], 400, 432, "not of the resourceId", Kind.BAD_REQUEST),
    *row(["start"], 206, None, "not finished", Kind.TRANSIENT, SOON, 75),
    *row(["acquire", "start"], 400, 1013, "illegal channel name", Kind.BAD_REQUEST),
    *row(ANY, 400, 8, "bad headers", Kind.BAD_REQUEST),
    *row(CHANGES, 206, 65, "request not completed", Kind.TRANSIENT, LATER, 75),
    *row(CHANGES, 404, 404, "failed to find worker", Kind.NOT_FOUND, CONFIRM),
    *row(CHANGES, 504, 62, "request timeout", Kind.TRANSIENT, LATER, 75),
    *row(CHANGES, 206, None, "not finished", Kind.TRANSIENT, LATER, 75),
    *row(CHANGES, 400, 501, "recorder is exiting", Kind.ALREADY_STOPPED),
    *row([*CHANGES, "stop"], 400, 1003, "not of the resourceId", Kind.BAD_REQUEST),
    *row([*CHANGES, "stop"], 400, 432, "not of the resourceId", Kind.BAD_REQUEST),
    *row([*CHANGES, "stop"], 400, 1001, "cannot be decrypted", Kind.EXPIRED, (), 75),
    *row(["updateLayout"], 400, 1028, "bad body", Kind.BAD_REQUEST),
    *row(["stop"], 206, 65, "request not completed", Kind.TRANSIENT, SOON, 75),
    *row(["stop"], 206, 435, "no recorded data", Kind.NO_DATA, (), 4),
    *row(["stop"], 504, 62, "request timeout", Kind.TRANSIENT, SOON, 75),
    *row(["stop"], 404, None, "<html>", Kind.BAD_REQUEST),
    *row(["stop"], 206, None, "not finished", Kind.TRANSIENT, SOON, 75),
    *(p for status in (500, 502, 503, 504) for p in unplanned(status)),
    *row(ANY, 403, None, "Forbidden", Kind.AUTH),
    *row(ANY, 405, None, "Method Not Allowed", Kind.BAD_REQUEST),
    *row(ANY, 408, None, "Request Timeout", Kind.TRANSIENT, ["by call"], 75),
    *row(ANY, 302, None, "Found", Kind.BAD_REQUEST),
]
BY_CALL = {"acquire": SOON, "start": SOON, "stop": SOON}


@pytest.mark.parametrize(("call", "status", "body", "kind", "waits", "exit_code"), TABLE)
def test_every_error(server, client, time, call, status, body, kind, waits, exit_code):
    if waits == ["by call"]:
        waits = BY_CALL.get(call, LATER)
    server.reply = lambda _: (status, body)
    with pytest.raises(AgoraError) as caught:
        CALLS[call](client)
    error = caught.value
    assert time.slept == waits
    assert server.calls == [call] * (len(waits) + 1)
    assert (error.kind, error.http_status, error.endpoint) == (kind, status, call)
    assert (error.code, error.reason) == (body.get("code"), body.get("reason", body.get("message")))
    assert (error.host, error.request_id) == (server.url, "request-7")
    assert (error.retriable, error.exit_code) == (exit_code == 75, exit_code)
    assert f"HTTP {status}" in str(error)


@pytest.mark.parametrize(
    ("call", "status", "body", "kind", "waits", "exit_code"),
    [row for row in TABLE if row.values[4]],
)
def test_an_error_that_passes(server, client, time, call, status, body, kind, waits, exit_code):
    """The same call with the same body works at the second attempt."""
    server.script(**{call: [(status, body), (200, GOOD[call])]})
    CALLS[call](client)
    first, second = server.seen
    assert (first.path, first.raw) == (second.path, second.raw)
    assert len(time.slept) == 1


def test_errors_of_several_kinds_in_one_call_do_not_add_up(server, client, time):
    gone = (404, {"code": 404, "reason": "failed to find worker"})
    busy, limited = (504, {"code": 62}), (429, {})
    server.script(query=[gone, busy, limited, gone, HANG_UP, busy, (200, RUNNING)])
    assert client.query(SESSION).status == 5
    assert time.slept == [5, 5, 1, 10, 1, 10]


def test_a_start_sent_twice_is_success(server, client):
    server.script(start=[(201, {"code": 7, "reason": "already started"})])
    assert CALLS["start"](client).sid is None
    server.script(start=[(201, {"code": 7, "sid": SID})])
    started = CALLS["start"](client)
    assert (started.sid, started.already) == (SID, True)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        pytest.param(400, {"code": 49, "reason": "invalid operation"}, id="stopped before"),
        pytest.param(404, {"code": 404, "reason": "failed to find worker"}, id="gone"),
        pytest.param(400, {"code": 404, "reason": "failed to find worker"}, id="gone, in words"),
        pytest.param(400, {"code": 501, "reason": "recorder is exiting"}, id="exiting"),
        pytest.param(206, {"code": 50, "reason": "upload timeout"}, id="the upload goes on"),
    ],
)
def test_what_has_ended_counts_as_stopped(server, client, status, body):
    server.reply = lambda _: (status, body)
    stopped = client.stop(SESSION)
    assert server.calls == ["stop"]
    assert stopped.already.http_status == status
    assert stopped.progress.uploading == "unknown"


def test_some_files_only_in_the_backup_cloud_is_an_answer(server, client):
    backuped = {"serverResponse": {"fileList": "a.m3u8", "uploadingStatus": "backuped"}}
    server.reply = lambda _: (206, backuped)
    assert client.stop(SESSION).progress.uploading == "backuped"


NOT_JSON = [
    b"<html>Bad Gateway</html>",
    b"",
    b"[]",
    b"null",
    b"\xff\xfe",
    b'{"code": 2',
    b"{" * 9000,
]


@pytest.mark.parametrize("body", NOT_JSON)
@pytest.mark.parametrize("call", ANY)
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, Kind.TRANSIENT),
        (206, Kind.TRANSIENT),
        (400, Kind.BAD_REQUEST),
        (401, Kind.AUTH),
        (404, Kind.BAD_REQUEST),
        (429, Kind.RATE_LIMITED),
        (500, Kind.TRANSIENT),
        (504, Kind.TRANSIENT),
    ],
)
def test_a_body_that_is_not_json(server, client, time, call, status, kind, body):
    """The status alone decides, and nothing of the body is repeated."""
    server.reply = lambda _: (status, body)
    with pytest.raises(AgoraError) as caught:
        CALLS[call](client)
    error = caught.value
    waits = {Kind.TRANSIENT: BY_CALL.get(call, LATER), Kind.RATE_LIMITED: SLOWER}.get(kind, [])
    assert (error.kind, error.code, error.reason, time.slept) == (kind, None, None, waits)
    assert f"HTTP {status}: an answer that is not Agora's" in str(error)
    assert "html" not in str(error)


@pytest.mark.parametrize(
    ("asked", "slept"),
    [
        pytest.param("7", [7, 7, 7, 8], id="longer"),
        pytest.param("0", SLOWER, id="shorter"),
        pytest.param("86400", [60, 60, 60, 60], id="for ever"),
        pytest.param("soon", SLOWER, id="nonsense"),
        pytest.param("-5", SLOWER, id="negative"),
        pytest.param("9" * 400, [60, 60, 60, 60], id="beyond numbers"),
        pytest.param("Tue, 14 Nov 2023 22:13:25 GMT", [5, 2, 4, 8], id="a date"),
        pytest.param("Tue, 99 Nov 2023 22:13:25 GMT", SLOWER, id="no date"),
    ],
)
def test_too_many_requests_says_when_to_come_again(server, client, time, asked, slept):
    server.reply, server.headers = lambda _: (429, {}), {"Retry-After": asked}
    with pytest.raises(AgoraError) as caught:
        CALLS["query"](client)
    assert (caught.value.kind, time.slept) == (Kind.RATE_LIMITED, slept)


@pytest.mark.parametrize(
    "body", [b"<html>welcome to our hotel</html>", b"[]", b"", b"\xff" * 100, b"[" * 100_000]
)
def test_an_answer_that_is_not_the_services(server, client, body):
    server.reply = lambda _: (200, body)
    with pytest.raises(AgoraError, match="not Agora's") as caught:
        CALLS["query"](client)
    assert caught.value.kind == Kind.TRANSIENT


def test_a_start_without_a_sid_is_sent_again(server, client):
    server.script(start=[(200, {"sid": ""}), (201, {"code": 7, "sid": SID})])
    assert CALLS["start"](client).sid == SID


# Requests.


def test_requests_are_those_of_the_documentation(server, client):
    server.script(**{call: [(200, good)] for call, good in GOOD.items()})
    for call in CALLS.values():
        call(client)
    root = "/v1/apps/app1/cloud_recording"
    inner = f"{root}/resourceid/resource+id=/sid/{SID}/mode/mix"
    assert [(seen.method, seen.path) for seen in server.seen] == [
        ("POST", f"{root}/acquire"),
        ("POST", f"{root}/resourceid/resource+id=/mode/mix/start"),
        ("GET", f"{inner}/query"),
        ("POST", f"{inner}/update"),
        ("POST", f"{inner}/updateLayout"),
        ("POST", f"{inner}/stop"),
    ]
    basic = base64.b64encode(f"customer:{CUSTOMER_SECRET}".encode()).decode()
    for seen in server.seen:
        assert seen.headers["authorization"] == f"Basic {basic}"
        assert seen.headers["content-type"] == "application/json;charset=utf-8"
        assert seen.headers["user-agent"].startswith("recpipe")
    assert server.seen[0].body == {**name(), "clientRequest": {}}
    assert server.seen[1].body == START
    assert server.seen[2].raw == b""
    assert server.seen[3].body == UPDATE
    assert server.seen[5].body == {**name(), "clientRequest": {"async_stop": False}}


def test_a_body_is_sent_as_it_was_given(server, client):
    """Explicit zeros stay, whole numbers stay whole, nothing is added."""
    server.script(updateLayout=[(200, {})])
    CALLS["updateLayout"](client)
    sent = server.seen[0].raw.decode()
    assert json.loads(sent) == LAYOUT
    assert '"x_axis": 0,' in sent
    assert '"alpha": 0}' in sent


def test_other_modes_are_a_word_of_the_address(server, client):
    server.script(query=[(200, {})])
    client.query(Session("room", "1", "r", SID, "individual"))
    assert "/mode/individual/query" in server.seen[0].path


def test_a_wrong_request_is_never_sent(server, client):
    with pytest.raises(UsageError):
        client.start(parse(StartRequest, changed({"cname": "a/b"})), "r")
    with pytest.raises(UsageError, match="not those the recording was started with"):
        client.update(parse(UpdateRequest, {**UPDATE, "uid": "9"}), SESSION)
    with pytest.raises(UsageError, match="App ID"):
        AgoraClient("../x", "c", SecretStr("s"))
    assert server.seen == []


# Hosts and time.


def dead() -> str:
    """An address where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def with_hosts(hosts, time, secret=CUSTOMER_SECRET):
    wire = httpx.HTTPTransport(verify=False)  # loading the certificates takes longer than a test
    return AgoraClient(
        "app1", "customer", SecretStr(secret), hosts=hosts, clock=time.clock, wire=wire
    )


def test_another_host_is_asked_when_one_is_silent(server, time):
    server.script(query=[(200, RUNNING)])
    with with_hosts([dead(), server.url], time) as client:
        assert client.query(SESSION).status == 5
        assert time.slept == [1, 3]  # the first host twice
        client.query(SESSION)
        assert time.slept == [1, 3]  # the one that answered is asked first from now on


def test_a_host_that_fails_in_words_is_not_left(server, time):
    """It answers: the silent one is not asked again."""
    server.script(query=[(504, {"code": 62}), (504, {"code": 62}), (200, RUNNING)])
    with with_hosts([dead(), server.url], time) as client:
        assert client.query(SESSION).status == 5
    assert time.slept == [1, 3, 5, 10]


def test_an_impatient_query_begins_with_the_next_host_after_silence(server, time):
    server.script(query=[(200, RUNNING)])
    with with_hosts([dead(), server.url], time) as client:
        with pytest.raises(AgoraError):
            client.query(SESSION, patient=False)
        assert client.query(SESSION, patient=False).status == 5
    assert time.slept == []


def test_no_host_answers(time):
    with with_hosts([dead(), dead(), dead()], time) as client, pytest.raises(AgoraError) as caught:
        client.query(SESSION)
    error = caught.value
    assert time.slept == [1, 3, 6]
    assert (error.kind, error.http_status, error.exit_code) == (Kind.NETWORK, None, 75)
    assert "no answer (ConnectError)" in str(error)


def test_an_answer_of_a_host_is_no_reason_to_ask_another(server, time):
    with listening() as second:
        server.reply = lambda _: (401, {"message": "Unauthorized"})
        with with_hosts([server.url, second.url], time) as client, pytest.raises(AgoraError):
            client.query(SESSION)
        assert (len(server.seen), second.seen) == (1, [])


def test_a_lost_answer_is_asked_for_again(server, client, time):
    server.script(start=[HANG_UP, (201, {"code": 7, "sid": SID})])
    assert CALLS["start"](client).sid == SID
    assert time.slept == [1]


def test_credentials_follow_no_redirect(server, client):
    server.reply = lambda _: (302, {})
    with pytest.raises(AgoraError, match="HTTP 302"):
        CALLS["query"](client)
    assert len(server.seen) == 1


def test_stop_has_more_time_than_the_service_takes_to_upload(time):
    times = {}

    def wire(request):
        times[request.url.path.rpartition("/")[2]] = request.extensions["timeout"]
        return httpx.Response(200, json=STOPPED)

    secret, mock = SecretStr(CUSTOMER_SECRET), httpx.MockTransport(wire)
    with AgoraClient("app1", "customer", secret, clock=time.clock, wire=mock) as client:
        client.query(SESSION)
        client.stop(SESSION)
    assert (times["query"]["connect"], times["query"]["read"]) == (5, 10)
    assert times["stop"]["read"] >= 30


def test_an_impatient_query_is_sent_once(server, client, time):
    server.reply = lambda _: (404, {"code": 404})
    with pytest.raises(AgoraError):
        client.query(SESSION, patient=False)
    assert (len(server.seen), time.slept) == (1, [])


# Secrets.


def test_no_secret_in_an_error_even_if_the_service_repeats_it(server, client):
    told = f"bad {TOKEN} {ACCESS} {SECRET} {CUSTOMER_SECRET}\r\n\x1b[31m"
    server.reply = lambda _: (400, {"code": 2, "reason": told})
    with pytest.raises(AgoraError) as caught:
        CALLS["start"](client)
    error = caught.value
    everything = f"{error} {error!r} {vars(error)} {error.__cause__!r} {error.__context__!r}"
    assert "SECRET" not in everything
    assert error.reason == "bad *** *** *** ***   [31m"
    assert error.reason.isprintable()


HARD = 'a/SECRET+ "ä=&?'


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(HARD, id="as it is"),
        pytest.param(quote(HARD), id="in a URL"),
        pytest.param(quote(HARD, safe=""), id="in a URL, slashes too"),
        pytest.param(quote_plus(HARD), id="in a form"),
        pytest.param(json.dumps(HARD), id="in JSON"),
        pytest.param(json.dumps(HARD, ensure_ascii=False), id="in JSON, letters kept"),
        pytest.param(base64.b64encode(HARD.encode()).decode(), id="in base64"),
        pytest.param(base64.urlsafe_b64encode(HARD.encode()).decode().rstrip("="), id="unpadded"),
    ],
)
@pytest.mark.parametrize("place", ["customer", "body"])
def test_no_secret_in_any_disguise(server, time, said, place):
    server.reply = lambda _: (400, {"code": 2, "reason": f"no such key: {said} (or another)"})
    secret = HARD if place == "customer" else "x"
    with with_hosts([server.url], time, secret) as client:
        body = parse(StartRequest, changed({f"{STORAGE}.secretKey": HARD}))
        with pytest.raises(AgoraError) as caught:
            client.start(body, "r")
    assert said.strip('"') not in str(caught.value)
    assert caught.value.reason.strip('"').replace('"', "") == "no such key: *** (or another)"


def test_no_credentials_of_the_header(server, client):
    """Repeated by a proxy that shows what it was sent."""
    server.reply = lambda seen: (400, {"message": f"bad header {seen.headers['authorization']}"})
    with pytest.raises(AgoraError) as caught:
        CALLS["query"](client)
    assert caught.value.reason == "bad header Basic ***"


def test_no_secret_in_what_a_client_shows_of_itself(client):
    request = parse(StartRequest, START)
    assert "SECRET" not in f"{client!r} {vars(client)} {request!r} {request}"
