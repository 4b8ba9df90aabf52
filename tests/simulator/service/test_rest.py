"""The stand-in on the network: bytes as they come, answers that come late or break."""

import threading
import time
from contextlib import contextmanager

import httpx
import pytest
import uvicorn

from pipeline.simulator.service.chaos import Chaos
from pipeline.simulator.service.gateway import LARGEST
from pipeline.simulator.service.rest import application, listen
from tests.agora.bodies import START
from tests.simulator.service.standin import HEADERS, NAME, ROOT, STOP, Standin

pytestmark = pytest.mark.usefixtures("ffmpeg")


@contextmanager
def served(standin):
    """Its address, while it listens; the clock is the real one."""
    standin.service.now = time.monotonic
    listening = listen(0)
    config = uvicorn.Config(application(standin.service), log_config=None, lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        with httpx.Client(
            base_url="http://{}:{}".format(*listening.getsockname()), headers=HEADERS
        ) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(30)
        listening.close()


def test_start_and_a_slow_stop(tmp_path):
    standin = Standin(tmp_path, slow_stop=0.4, speed=50.0)
    with served(standin) as client:
        resource = client.post(f"{ROOT}/acquire", json={**NAME, "clientRequest": {}}).json()
        base = f"{ROOT}/resourceid/{resource['resourceId']}"
        sid = client.post(f"{base}/mode/mix/start", json=START).json()["sid"]
        while client.get(f"{base}/sid/{sid}/mode/mix/query").json()["serverResponse"]["status"] < 5:
            pass
        answer = client.post(f"{base}/sid/{sid}/mode/mix/stop", json=STOP)
        assert answer.elapsed.total_seconds() > 0.4
        (playlist,) = tmp_path.rglob("*.m3u8")
        assert "#EXT-X-ENDLIST" in playlist.read_text()  # what the answer says is true
        assert answer.json()["serverResponse"]["uploadingStatus"] == "uploaded"


def test_the_end_of_the_process_stops_what_runs(tmp_path):
    standin = Standin(tmp_path, speed=50.0)
    with served(standin) as client:
        resource = client.post(f"{ROOT}/acquire", json={**NAME, "clientRequest": {}}).json()
        client.post(f"{ROOT}/resourceid/{resource['resourceId']}/mode/mix/start", json=START)
        while not standin.names():  # time passes although nobody asks
            pass
    (playlist,) = tmp_path.rglob("*.m3u8")
    assert "#EXT-X-ENDLIST" in playlist.read_text()


def test_a_connection_that_breaks(tmp_path):
    with served(Standin(tmp_path, chaos=Chaos(0.9, 1))) as client:
        kinds = set()
        body = {**NAME, "clientRequest": {}}
        for _ in range(10):  # which is what a second may have
            try:
                kinds.add(client.post(f"{ROOT}/acquire", json=body).status_code)
            except httpx.RemoteProtocolError:
                kinds.add("broken")
        assert "broken" in kinds
        assert len(kinds) > 2


def test_more_than_a_body(tmp_path):
    with served(Standin(tmp_path)) as client:
        answer = client.post(f"{ROOT}/acquire", content=b" " * (LARGEST + 1))
        assert answer.status_code == 413
        assert client.request("DELETE", "/a%2Fb?token=tokenSECRET").status_code == 404


def test_only_this_machine_is_answered():
    with listen(0) as listening:
        assert listening.getsockname()[0] == "127.0.0.1"
