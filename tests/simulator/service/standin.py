"""The stand-in for Agora's service in this process, on a clock that runs only while one sleeps."""

import asyncio
import base64
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from pipeline.agora.client import AgoraClient
from pipeline.muxing.locate import locate
from pipeline.simulator.recorder.material import Look, Material, encode
from pipeline.simulator.service.chaos import Chaos
from pipeline.simulator.service.gateway import Customer, HttpRequest, Reply
from pipeline.simulator.service.requests import Conduct
from pipeline.simulator.service.rest import application
from pipeline.simulator.service.service import Service
from pipeline.storage.local import LocalStorage
from tests.agora.bodies import START, changed
from tests.agora.server import FakeTime

ACCOUNT = Customer("app1", "customer", SecretStr("customerSECRET"))
ROOT = "/v1/apps/app1/cloud_recording"
NAME = {"cname": START["cname"], "uid": START["uid"]}
BASIC = "Basic " + base64.b64encode(b"customer:customerSECRET").decode()
HEADERS = {"authorization": BASIC, "content-type": "application/json;charset=utf-8"}
STOP = {**NAME, "clientRequest": {"async_stop": False}}


@cache
def material() -> Material:
    """Pictures so small that hundreds of recordings cost nothing."""
    return encode(Look(64, 64, 7), 8, locate())


def ready(looks: Sequence[Look]) -> "Future[Mapping[Look, Material]]":
    """Material that is there at once, the same for all."""
    done: Future[Mapping[Look, Material]] = Future()
    done.set_result({look: material() for look in looks})
    return done


class Standin:
    """A service that stores into a folder, and all it told and noted."""

    def __init__(self, folder: Path, *, chaos: Chaos | None = None, **conduct: Any) -> None:
        self.folder = folder
        self.time = FakeTime()
        self.notices: list[Any] = []
        self.notes: list[Any] = []
        self.service = Service(
            ACCOUNT,
            Conduct(**{"slice": 4, **conduct}),
            lambda _: LocalStorage(folder),
            ready,
            lambda: self.time.time,
            tell=self.notices.append,
            note=self.notes.append,
            chaos=chaos or Chaos(),
        )

    def ask(
        self, call: str, body: Any = None, *, method: str = "POST", headers: Any = HEADERS
    ) -> Reply:
        """One request, straight to the service; a second later than the last one."""
        self.time.sleep(1)
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.service.answer(HttpRequest(method, f"{ROOT}/{call}", headers, raw))

    def acquire(self, **parameters: Any) -> str:
        """A resource id."""
        return str(self.ask("acquire", {**NAME, "clientRequest": parameters}).body["resourceId"])

    def start(self, changes: Any = None, *, mode: str = "mix", **parameters: Any) -> "Session":
        """A recording; ``parameters`` are those of acquire."""
        resource = self.acquire(**parameters)
        reply = self.ask(f"resourceid/{resource}/mode/{mode}/start", changed(changes or {}))
        assert reply.status == 200, reply
        return Session(self, resource, reply.body["sid"], mode)

    def names(self) -> list[str]:
        """Every file there is."""
        return sorted(p.name for p in self.folder.rglob("*") if p.is_file())

    def kinds(self) -> list[int]:
        """Of all notices."""
        return [notice["eventType"] for notice in self.notices]


class Session:
    """One recording, by the names the caller has."""

    def __init__(self, standin: Standin, resource: str, sid: str, mode: str = "mix") -> None:
        self.standin, self.resource, self.sid, self.mode = standin, resource, sid, mode

    def ask(self, verb: str, body: Any = None) -> Reply:
        """One call."""
        path = f"resourceid/{self.resource}/sid/{self.sid}/mode/{self.mode}/{verb}"
        method = "GET" if verb == "query" else "POST"
        return self.standin.ask(path, body if method == "POST" else b"", method=method)

    def after(self, seconds: float) -> Any:
        """What query says of it then: status of the recording, or of HTTP if it is not found."""
        self.standin.time.sleep(seconds)
        reply = self.ask("query")
        assert isinstance(reply.body, dict)
        return reply.body.get("serverResponse", {}).get("status", reply.status)

    def stop(self) -> Reply:
        """End it."""
        return self.ask("stop", STOP)


class Inside(httpx.BaseTransport):
    """Carries requests into an application in this process, and gives up when time is over."""

    def __init__(self, service: Service, time: FakeTime) -> None:
        async def pause(seconds: float) -> None:
            time.sleep(seconds)

        self._application = httpx.ASGITransport(application(service, pause=pause))
        self._runner = asyncio.Runner()
        self._time = time

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One request."""
        begin, raw = self._time.time, request.read()
        inner = httpx.Request(request.method, request.url, headers=request.headers, content=raw)
        try:
            response, content = self._runner.run(self._whole(inner))
        except AssertionError:  # the answer was not finished
            raise httpx.RemoteProtocolError("broken") from None
        if self._time.time - begin > request.extensions["timeout"]["read"]:
            raise httpx.ReadTimeout("too late")
        return httpx.Response(response.status_code, headers=response.headers, content=content)

    async def _whole(self, request: httpx.Request) -> tuple[httpx.Response, bytes]:
        response = await self._application.handle_async_request(request)
        return response, await response.aread()

    def close(self) -> None:
        """End the loop."""
        self._runner.close()


def client(standin: Standin) -> AgoraClient:
    """The product's own."""
    return AgoraClient(
        ACCOUNT.app_id,
        ACCOUNT.customer_id,
        ACCOUNT.secret,
        hosts=["http://127.0.0.1"],
        clock=standin.time.clock,
        wire=Inside(standin.service, standin.time),
    )
