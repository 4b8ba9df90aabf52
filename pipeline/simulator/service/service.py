"""Agora's service as documented: resources, recordings, answers.  Long: one class holds its state.

It has no network.  :meth:`Service.answer` takes a request and gives a reply; time passes with
:meth:`Service.tick`, and notifications go to ``tell``.
"""

import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from pipeline.agora.schema.requests import (
    AcquireRequest,
    Request,
    StartRequest,
    StopRequest,
    UpdateRequest,
)
from pipeline.agora.schema.storage import StorageConfig
from pipeline.agora.schema.values import masked
from pipeline.errors import RecpipeError
from pipeline.simulator.recorder.material import Look, Material
from pipeline.simulator.recorder.publish import Shelf
from pipeline.simulator.service import crowd
from pipeline.simulator.service.chaos import Chaos
from pipeline.simulator.service.gateway import (
    ADDRESSES,
    CallTarget,
    Customer,
    HttpRequest,
    Rate,
    Refused,
    Reply,
    admit,
    admit_customer,
    body_of,
    parameters,
    route,
)
from pipeline.simulator.service.live_recording import Live
from pipeline.simulator.service.notifications import Tell, Teller, milliseconds
from pipeline.simulator.service.requests import Conduct, StartOrder
from pipeline.simulator.session.tracks import Webm, no_browser
from pipeline.storage import Storage

LIFE = 300.0  # seconds in which a resource has to be used
MOST_RECORDINGS = 50  # at once
PATIENCE = 20.0  # seconds that stop waits for uploads
GRACE = 0.05  # seconds by which an answer is later than what it reports
LONG_GONE = 30.0  # seconds after which an ended recording is forgotten
EXPIRY = 72  # hours, unless resourceExpiredHour says otherwise
HOUR = 3600.0
WEB_PAGE = 1  # scene
HERE = "127.0.0.1"  # where notifications come from

Open: TypeAlias = Callable[[StorageConfig], Storage]
Encode: TypeAlias = Callable[[Sequence[Look]], "Future[Mapping[Look, Material]]"]
Keep: TypeAlias = Callable[[str, Mapping[str, Any]], None]
Note: TypeAlias = Callable[[Mapping[str, Any]], None]


@dataclass(slots=True)
class Resource:
    """What acquire gave out, for one recording."""

    name: tuple[str, str]  # channel and uid
    acquired: float  # seconds, on the clock
    hours: int  # resourceExpiredHour
    scene: int
    promise: Any  # startParameter as it came
    live: Live | None = None


def _not_found() -> Refused:
    return Refused(404, 404, "failed to find worker")


@dataclass(slots=True)
class Service:
    """The service for one customer.  Calls may come from several threads.

    ``open`` gives the store that a request's bucket stands for, ``encode`` makes the material,
    ``note`` gets each request without secrets,
    ``browser`` makes what users of one send, ``keep`` gets the sid and the truth of what is over,
    ``now`` is the clock in seconds since 1970.
    """

    account: Customer
    conduct: Conduct
    open: Open
    encode: Encode
    now: Callable[[], float]
    tell: Tell = lambda _: None
    note: Note = lambda _: None
    chaos: Chaos = field(default_factory=Chaos)
    browser: Webm = no_browser
    keep: Keep = lambda _, __: None
    lives: list[Live] = field(init=False, default_factory=list)
    _resources: dict[str, Resource] = field(init=False, default_factory=dict)
    _rate: Rate = field(init=False, default_factory=Rate)
    _kept: set[str] = field(init=False, default_factory=set)
    _lock: threading.RLock = field(init=False, default_factory=threading.RLock)

    @property
    def running(self) -> list[Live]:
        """The recordings that are running."""
        return [live for live in self.lives if live.over is None]

    def tick(self) -> None:
        """Do everything that is due."""
        with self._lock:
            now = self.now()
            for live in self.lives:
                live.advance(now)
                self._keep_truth(live)

    def _keep_truth(self, live: Live) -> None:
        """What is true of a recording of users one by one that is over."""
        if live.over is not None and live.order.sid not in self._kept:
            self._kept.add(live.order.sid)
            truth = live.truth()
            if truth is not None:
                self.keep(live.order.sid, truth)

    def close(self) -> None:
        """Stop all recordings, so that none is left unfinished."""
        with self._lock:
            for live in self.running:
                live.stop(self.now())
            for live in self.lives:
                live.forward()
                self._keep_truth(live)

    def answer(self, asked: HttpRequest) -> Reply:
        """The reply to a request; an error of Agora's is a reply as well."""
        with self._lock:
            self.tick()
            seen: dict[str, Any] = {"endpoint": None, "body": None}
            try:
                reply = self._answer(asked, seen)
            except Refused as refused:
                reply = refused.reply
            self.note({**_plain(asked), **seen, **_told(reply)})
            return reply

    def _answer(self, asked: HttpRequest, seen: dict[str, Any]) -> Reply:
        if asked.method == "GET" and asked.path in ADDRESSES:
            admit_customer(self.account, asked.headers)
            return Reply(200, {"data": {"service": {"hosts": [{"primaryIP": HERE}]}}})
        target = route(asked.method, asked.path)
        seen["endpoint"] = target.endpoint
        admit(self.account, target, asked.headers)
        self._rate.admit(self.now())
        body = body_of(target, asked.raw)
        seen["body"] = masked(body) if body else None
        return self.chaos.before(target.endpoint) or self.chaos.after(
            self._act(target, body, asked)
        )

    def _act(self, target: CallTarget, body: Request | None, asked: HttpRequest) -> Reply:
        """Do what is asked; errors are replies here as well, so that they too may get lost."""
        try:
            if isinstance(body, AcquireRequest):
                return self._acquire(body, parameters(asked.raw).get("startParameter"))
            if isinstance(body, StartRequest):
                return self._start(target, body, parameters(asked.raw))
            live = self._find(target, body)
            if body is None:
                return _progress(target, live)
            if isinstance(body, StopRequest):
                return self._stop(target, live, body)
            if live.away:
                raise _not_found()
            if live.asked is not None:
                raise Refused(400, 501, "the recorder is exiting")
            if isinstance(body, UpdateRequest) and body.client_request.web_recording_config:
                live.onhold = body.client_request.web_recording_config.onhold
            return Reply(200, _names(live.order.name, target))
        except Refused as refused:
            return refused.reply

    def _acquire(self, body: AcquireRequest, promise: Any) -> Reply:
        if len(self.running) >= MOST_RECORDINGS:
            raise Refused(400, 406, "vendor_over_load")
        hours = body.client_request.resource_expired_hour or EXPIRY
        identifier = secrets.token_urlsafe(220)
        name = body.cname, body.uid
        scene = body.client_request.scene or 0
        self._resources[identifier] = Resource(name, self.now(), hours, scene, promise)
        return Reply(200, {"cname": body.cname, "uid": body.uid, "resourceId": identifier})

    def _start(self, target: CallTarget, body: StartRequest, given: Any) -> Reply:
        resource = self._resources.get(target.resource)
        if resource is None:
            raise Refused(400, 1001, "the resourceId cannot be decrypted")
        if resource.name != (body.cname, body.uid):
            raise Refused(400, 432, "cname or uid is not that of the resourceId")
        if (resource.scene == WEB_PAGE) != (target.mode == "web"):
            raise Refused(400, 2, f"mode {target.mode}: acquired for scene {resource.scene}")
        if resource.live is not None:
            if resource.live.over is not None:
                raise Refused(400, 433, "the resourceId has been used")
            told = {**_names(resource.name, target), "sid": resource.live.order.sid}
            return Reply(201, {"code": 7, "reason": "already started", **told})
        if self.now() - resource.acquired > LIFE:
            raise Refused(400, 433, "the resourceId is older than 5 minutes")
        if any(live.order.name == resource.name for live in self.running):
            raise Refused(400, 53, "task conflict")
        if resource.promise not in (None, given):
            raise Refused(400, 2, "clientRequest is not the startParameter of acquire")
        resource.live = self._begin(body, target)
        return Reply(200, {**_names(resource.name, target), "sid": resource.live.order.sid})

    def _begin(self, body: StartRequest, target: CallTarget) -> Live:
        order = StartOrder(body, target.resource, secrets.token_hex(16), target.mode)
        try:
            storage = self.open(order.storage)
        except RecpipeError as error:
            raise Refused(400, 2, f"storageConfig: {error}") from None
        live = Live(
            order,
            self.conduct,
            self.encode(tuple(crowd.looks(order, self.conduct))),
            Shelf(storage, order.prefix),
            Teller(self.tell, body.cname, body.uid, order.sid),
            self.chaos.moves(),
            self.browser,
        )
        self.lives.append(live)
        live.advance(self.now())
        return live

    def _find(self, target: CallTarget, body: Request | None) -> Live:
        resource = self._resources.get(target.resource)
        live = resource.live if resource else None
        if resource is None or live is None:
            raise _not_found()
        if live.order.sid != target.sid:
            raise Refused(400, 1003, "the sid does not belong to the resourceId")
        if body is not None and resource.name != (body.cname, body.uid):
            raise Refused(400, 432, "cname or uid is not that of the resourceId")
        expired = self.now() - resource.acquired > resource.hours * HOUR
        if live.order.mode != target.mode:
            raise _not_found()
        if expired or (live.over is not None and target.endpoint != "stop"):
            raise _not_found()
        return live

    def _stop(self, target: CallTarget, live: Live, body: StopRequest) -> Reply:
        now = self.now()
        if live.away or (live.over is not None and now - live.over > LONG_GONE):
            raise _not_found()
        if live.over is not None or live.asked is not None:
            raise Refused(400, 49, "invalid operation")
        slow = self.conduct.slow_stop
        live.stop(now, slow)
        told = _names(live.order.name, target)
        if body.client_request.async_stop:
            return Reply(200, {**told, "serverResponse": {}})
        if live.over is not None and not live.has_data:
            return Reply(206, {**told, "code": 435, "reason": "no recorded data"})
        if slow > PATIENCE:
            return Reply(206, {**told, "code": 50, "reason": "upload timeout"}, delay=PATIENCE)
        ended, delay = _ended(live), slow + GRACE if slow else 0.0
        status = 206 if live.uploading == "backuped" else 200
        return Reply(status, {**told, "serverResponse": ended}, delay)


def _progress(target: CallTarget, live: Live) -> Reply:
    if live.away:
        raise _not_found()
    if live.order.mode == "web":
        response = _states(live, "inProgress" if live.has_data else "init")
    else:
        response = {"status": live.status, **_files(live)}
        if live.has_data and live.begin is not None:
            response["sliceStartTime"] = milliseconds(live.begin)
    return Reply(200, {**_names(live.order.name, target), "serverResponse": response})


def _ended(live: Live) -> dict[str, Any]:
    """What stop says of the files."""
    if live.order.mode != "web":
        return {**_files(live), "uploadingStatus": live.uploading}
    upload = {"serviceName": "upload_service", "payload": {"uploadingStatus": live.uploading}}
    states = _states(live, "exit")["extensionServiceState"]
    return {"extensionServiceState": [upload, *states]}


def _states(live: Live, state: str) -> dict[str, Any]:
    """Of the services that record a web page."""
    payload = {"state": state, "onhold": live.onhold, "fileList": live.pages()}
    return {"extensionServiceState": [{"serviceName": "web_recorder_service", "payload": payload}]}


def _files(live: Live) -> dict[str, Any]:
    return {
        "fileListMode": "json" if live.order.lists_json else "string",
        "fileList": live.files(),
    }


def _names(name: tuple[str, str], target: CallTarget) -> dict[str, str]:
    told = {"cname": name[0], "uid": name[1], "resourceId": target.resource}
    return {**told, "sid": target.sid} if target.sid else told


def _plain(asked: HttpRequest) -> dict[str, Any]:
    return {
        "method": asked.method,
        "path": asked.path,
        "content_type": asked.headers.get("content-type"),
        "authorized": "authorization" in asked.headers,
    }


def _told(reply: Reply) -> dict[str, Any]:
    body = reply.body if isinstance(reply.body, Mapping) else {}
    known = {key: body[key] for key in ("code", "reason", "message", "sid") if key in body}
    return {"status": None if reply.broken else reply.status, **known}
