"""What the answers of Agora's REST API mean, and how long to wait before asking again.

Codes are those of Agora's page on status codes and of its older editions, waits (in seconds) those
of its best practices.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Literal, TypeAlias

Endpoint: TypeAlias = Literal["acquire", "start", "query", "update", "updateLayout", "stop"]


class Kind(StrEnum):
    """Kinds of answers; all but the first three are errors."""

    OK = "ok"
    ALREADY_RUNNING = "already_running"  # start: sent twice, and the recording is there
    ALREADY_STOPPED = "already_stopped"  # the recording has ended
    AUTH = "auth"
    BAD_REQUEST = "bad_request"
    CONFLICT = "conflict"  # start: another recording has this channel and uid
    EXPIRED = "expired"  # the resource cannot be used any more: acquire again
    NETWORK = "network"  # no answer
    NO_DATA = "no_data"  # nobody sent anything, so nothing was recorded
    NO_WORKER = "no_worker"  # start: acquire again
    NOT_FOUND = "not_found"  # no such recording, or not at this moment
    OVERLOADED = "overloaded"  # as many recordings as the project may have
    RATE_LIMITED = "rate_limited"
    TRANSIENT = "transient"  # the service failed or has not finished


PASSING = (
    *(Kind.EXPIRED, Kind.NETWORK, Kind.NO_WORKER),
    *(Kind.OVERLOADED, Kind.RATE_LIMITED, Kind.TRANSIENT),
)
"""Kinds of errors that may be gone in a later run."""

_STATUSES: Mapping[int, Kind] = {
    401: Kind.AUTH,
    403: Kind.AUTH,
    429: Kind.RATE_LIMITED,
}
_CODES: Mapping[int, Kind] = {  # of every call
    2: Kind.BAD_REQUEST,
    8: Kind.BAD_REQUEST,
    15: Kind.TRANSIENT,
    49: Kind.ALREADY_STOPPED,
    52: Kind.TRANSIENT,
    62: Kind.TRANSIENT,
    65: Kind.TRANSIENT,
    109: Kind.AUTH,
    110: Kind.AUTH,
    404: Kind.NOT_FOUND,
    432: Kind.BAD_REQUEST,
    433: Kind.EXPIRED,
    435: Kind.NO_DATA,
    501: Kind.ALREADY_STOPPED,  # "the recorder is exiting"
    1001: Kind.EXPIRED,
    1003: Kind.BAD_REQUEST,
    1013: Kind.BAD_REQUEST,
    1028: Kind.BAD_REQUEST,
}
_CALL_CODES: Mapping[tuple[Endpoint, int], Kind] = {
    ("acquire", 400): Kind.BAD_REQUEST,
    ("acquire", 401): Kind.BAD_REQUEST,
    ("acquire", 405): Kind.AUTH,  # the account is overdue
    ("acquire", 406): Kind.OVERLOADED,
    ("acquire", 501): Kind.TRANSIENT,
    ("start", 7): Kind.ALREADY_RUNNING,
    ("start", 53): Kind.CONFLICT,
    ("start", 501): Kind.TRANSIENT,
    ("start", 502): Kind.NO_WORKER,
    ("stop", 50): Kind.ALREADY_STOPPED,  # stopped; it is the upload that takes longer
    ("stop", 404): Kind.ALREADY_STOPPED,
}

ADVICE: Mapping[Kind, str] = {
    Kind.ALREADY_STOPPED: "the recording has ended",
    Kind.AUTH: "check App ID, customer ID and secret, token, and that the service is enabled",
    Kind.BAD_REQUEST: "check the request",
    Kind.CONFLICT: "this channel and uid are being recorded already; stop that, or use another uid",
    Kind.EXPIRED: "the resource is too old; start again",
    Kind.NETWORK: "check the network and --api-url, and run again later",
    Kind.NO_DATA: "nobody sent sound or pictures, so nothing was recorded",
    Kind.NO_WORKER: "run again later",
    Kind.NOT_FOUND: "it has ended or never began; usual reasons are a wrong token, storage "
    "credentials, channel or transcodingConfig, or that nobody was there for maxIdleTime",
    Kind.OVERLOADED: "too many recordings at once; look for some that nobody stopped",
    Kind.RATE_LIMITED: "too many requests a second; run again later",
    Kind.TRANSIENT: "run again later",
}
"""What a person may do about each kind."""

_SLOWER = (1.0, 2.0, 4.0, 8.0)
_SOON = (3.0, 6.0, 9.0)
_LATER = (5.0, 10.0, 15.0, 30.0)
_CONFIRM = (5.0, 10.0, 15.0)
_WAITS: Mapping[tuple[Endpoint, Kind], tuple[float, ...]] = {
    ("acquire", Kind.TRANSIENT): _SOON,
    ("start", Kind.TRANSIENT): _SOON,
    ("query", Kind.TRANSIENT): _LATER,
    ("query", Kind.NOT_FOUND): _CONFIRM,
    ("update", Kind.TRANSIENT): _LATER,
    ("update", Kind.NOT_FOUND): _CONFIRM,
    ("updateLayout", Kind.TRANSIENT): _LATER,
    ("updateLayout", Kind.NOT_FOUND): _CONFIRM,
    ("stop", Kind.TRANSIENT): _SOON,
}
HOST_WAITS = (1.0, 3.0, 6.0)  # the first on the same host, the others on the next ones

STATES: Mapping[int, str] = {
    0: "not started",
    1: "initialised",
    2: "components starting",
    3: "some components ready",
    4: "ready",
    5: "recording",
    6: "stopping",
    7: "stopped",
    8: "exited",
    20: "exited abnormally",
}
"""``status`` of query, in words."""

RUNNING = (4, 5)
ENDING = (6, 7, 8, 20)


def kind_of(endpoint: Endpoint, status: int, code: int | None) -> Kind:
    """The kind of an answer that is not a plain success, from its HTTP status and ``code``."""
    if status in _STATUSES:
        return _STATUSES[status]
    if endpoint == "acquire" and code == 62 and status < 500:
        return Kind.AUTH  # the service is not enabled
    if code:
        known = _CALL_CODES.get((endpoint, code)) or _CODES.get(code)
        if known:
            return known
    if endpoint == "start" and status == 201:
        return Kind.ALREADY_RUNNING
    if status == 206 or status >= 500 or status == 408:
        return Kind.TRANSIENT
    return Kind.BAD_REQUEST  # also a 404 that does not come from the service itself


def pause(endpoint: Endpoint, seen: Sequence[Kind]) -> float | None:
    """Seconds to wait after the last of the errors seen in one call; None: ask no more."""
    last = seen[-1]
    waits = _WAITS.get((endpoint, last), ())
    if last is Kind.RATE_LIMITED:
        waits = _SLOWER
    elif last is Kind.NETWORK:
        waits = HOST_WAITS
    count = seen.count(last)
    return waits[count - 1] if count <= len(waits) else None


def host_for(hosts: int, failures: int) -> int:
    """Index of the host to ask after so many failures of the network: the first is asked twice.

    Agora's page on switching the domain name.
    """
    return max(0, failures - 1) % hosts
