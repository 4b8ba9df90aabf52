"""The requests of Cloud Recording: method, path and body of each call of Agora's REST reference."""

from typing import Any
from urllib.parse import quote

from msgspec import Struct

from pipeline.agora.schema.requests import (
    AcquireRequest,
    LayoutRequest,
    Mode,
    StartRequest,
    StopParameters,
    StopRequest,
    UpdateRequest,
    refuse_unfit,
)
from pipeline.agora.schema.values import MASK, Body, masked
from pipeline.agora.statuses import Endpoint
from pipeline.errors import UsageError

CONTENT_TYPE = "application/json;charset=utf-8"  # older versions of the service insist on this


class Session(Struct, frozen=True):
    """What identifies a running recording in every later call."""

    cname: str
    uid: str
    resource_id: str
    sid: str
    mode: Mode = "mix"


class Call(Struct, frozen=True):
    """One request as it would be sent; ``path`` is without the host and percent-encoded."""

    endpoint: Endpoint
    method: str
    path: str
    body: Body | None = None

    def shown(self, host: str) -> dict[str, Any]:
        """The request as JSON values to print; secrets are masked."""
        headers = {"Authorization": f"Basic {MASK}", "Content-Type": CONTENT_TYPE}
        shown: dict[str, Any] = {"method": self.method, "url": host + self.path, "headers": headers}
        return {**shown, "body": masked(self.body)} if self.body else shown


class Calls:
    """The requests for one project (App ID).

    Each raises ``UsageError`` for a body that the service would refuse; nothing is sent.
    """

    def __init__(self, app_id: str) -> None:
        if not app_id.isalnum() or not app_id.isascii():
            raise UsageError(
                "the App ID is not one of Agora's: expected letters and digits alone; "
                "copy it from the Agora console"
            )
        self.app_id = app_id
        self._root = f"/v1/apps/{app_id}/cloud_recording"

    def acquire(self, request: AcquireRequest, mode: Mode) -> Call:
        """Ask for a resource id."""
        refuse_unfit(request, mode)
        return Call("acquire", "POST", f"{self._root}/acquire", request)

    def start(self, request: StartRequest, resource_id: str, mode: Mode) -> Call:
        """Begin to record with a resource id."""
        refuse_unfit(request, mode)
        path = f"{self._root}/resourceid/{_quoted(resource_id)}/mode/{mode}/start"
        return Call("start", "POST", path, request)

    def query(self, session: Session) -> Call:
        """Ask for the state of a recording."""
        return Call("query", "GET", self._path(session, "query"))

    def update(self, request: UpdateRequest | LayoutRequest, session: Session) -> Call:
        """Change subscription, credentials of the store, or layout.

        Raises ``UsageError`` if channel and uid are not those of the session.
        """
        if (request.cname, request.uid) != (session.cname, session.uid):
            raise UsageError(
                "cname and uid are not those the recording was started with; name the same two"
            )
        refuse_unfit(request, session.mode)
        verb: Endpoint = "updateLayout" if isinstance(request, LayoutRequest) else "update"
        return Call(verb, "POST", self._path(session, verb), request)

    def stop(self, session: Session, *, in_background: bool) -> Call:
        """End a recording; ``in_background``, the answer does not wait for uploads."""
        parameters = StopParameters(async_stop=in_background)
        body = StopRequest(cname=session.cname, uid=session.uid, client_request=parameters)
        return Call("stop", "POST", self._path(session, "stop"), body)

    def _path(self, session: Session, verb: str) -> str:
        resource, sid = _quoted(session.resource_id), _quoted(session.sid)
        return f"{self._root}/resourceid/{resource}/sid/{sid}/mode/{session.mode}/{verb}"


def _quoted(identifier: str) -> str:
    return quote(identifier, safe="=+{}")  # braces: what a dry run does not know
