"""Failures of the service, by chance or planned: those that Agora documents."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.agora.statuses import Endpoint
from pipeline.errors import UsageError
from pipeline.simulator.service.gateway import Reply

LONGEST_BURST = 3  # requests that fail one after another
MOVES = (10.0, 60.0)  # seconds of a recording: another server takes over between them

_HANG_UP = Reply(200, {}, broken=True)
_BEFORE = (  # nothing was done
    *(
        Reply(500, {"code": 500, "reason": "internal_error"}),
        Reply(502, "<html>Bad Gateway</html>"),
    ),
    *(
        Reply(503, "<html>Service Unavailable</html>"),
        Reply(504, {"code": 62, "reason": "request timeout"}),
    ),
)
_AFTER = (  # it was done, and the answer is lost
    *(Reply(206, {"code": 65, "reason": "request not completed"}), _HANG_UP),
    *(Reply(504, {"code": 62, "reason": "request timeout"}), Reply(500, "<html></html>")),
)
_OF_ACQUIRE = (
    Reply(500, {"code": 501, "reason": "no_worker_manager_available"}),
    Reply(500, {"code": 504, "reason": "allocate_timeout"}),
)
_OF_START = (
    Reply(500, {"code": 502, "reason": "Failed to allocate worker"}),
    Reply(500, {"code": 62, "reason": "request timeout"}),
    Reply(206, {"code": 65, "reason": "request not completed"}),
)
_TOO_MANY = Reply(429, {"message": "API rate limit exceeded"})
_CHANGES = {
    65: (206, "request not completed"),
    404: (404, "failed to find worker"),
    62: (504, "request timeout"),
    501: (400, "the recorder is exiting"),
}
DOCUMENTED: Mapping[str, Mapping[int, tuple[int, str]]] = {  # HTTP status and reason
    "acquire": {
        62: (400, "the service is not enabled"),
        405: (400, "no_active_status"),
        406: (400, "vendor_over_load"),
        500: (500, "internal_error"),
        501: (500, "no_worker_manager_available"),
        504: (500, "allocate_timeout"),
    },
    "start": {
        15: (500, "unknown error"),
        52: (500, "service start timeout"),
        53: (400, "task conflict"),
        62: (500, "request timeout"),
        65: (206, "request not completed"),
        109: (400, "the token has expired"),
        110: (400, "the token is wrong"),
        433: (400, "the resourceId is older than 5 minutes"),
        502: (500, "Failed to allocate worker"),
        1001: (400, "the resourceId cannot be decrypted"),
    },
    "query": _CHANGES,
    "update": _CHANGES,
    "updateLayout": {**_CHANGES, 1028: (400, "the layout cannot be read")},
    "stop": {
        49: (400, "invalid operation"),
        50: (206, "upload timeout"),
        62: (504, "request timeout"),
        65: (206, "request not completed"),
        404: (404, "failed to find worker"),
        435: (206, "no recorded data"),
    },
}
"""The errors that the service may answer of itself, by call and code (Agora's page on status
codes).
"""


def planned(text: str) -> tuple[str, int]:
    """A failure from its text, ``start:109``: call and code.

    Raises ``UsageError`` if it is not documented.
    """
    call, _, code = text.partition(":")
    if call not in DOCUMENTED:
        raise UsageError(f"{text!r}: no such call; known are {', '.join(DOCUMENTED)}")
    if not code.isdecimal() or int(code) not in DOCUMENTED[call]:
        known = ", ".join(f"{call}:{number}" for number in DOCUMENTED[call])
        raise UsageError(f"{text!r}: not documented; known are {known}")
    return call, int(code)


@dataclass(slots=True)
class Chaos:
    """Failures: a share ``rate`` (0 to 1) of requests fails before anything is done, and as many
    after it was done.

    ``planned`` are calls and codes of failures that certainly come, in this order.
    """

    rate: float = 0.0
    seed: int = 0
    planned: list[tuple[str, int]] = field(default_factory=list)
    _chance: random.Random = field(init=False)
    _burst: list[Reply] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)

    def before(self, endpoint: Endpoint) -> Reply | None:
        """A failure in place of doing anything, or None; 5xx come in bursts."""
        due = next((one for one in self.planned if one[0] == endpoint), None)
        if due is not None:
            self.planned.remove(due)
            status, reason = DOCUMENTED[endpoint][due[1]]
            return Reply(status, {"code": due[1], "reason": reason})
        if self._burst:
            return self._burst.pop()
        if not self._strikes():
            return None
        own = {"acquire": _OF_ACQUIRE, "start": _OF_START}.get(endpoint, ())
        reply = self._chance.choice((*_BEFORE, *own, _TOO_MANY, _HANG_UP))
        if reply in _BEFORE:
            self._burst = [reply] * self._chance.randrange(LONGEST_BURST)
        return reply

    def after(self, reply: Reply) -> Reply:
        """The answer to what was done, or a failure that comes as late."""
        if not self._strikes():
            return reply
        other = self._chance.choice(_AFTER)
        return Reply(other.status, other.body, reply.delay, other.broken)

    def moves(self) -> tuple[float, ...]:
        """After how many seconds a recording that begins now loses its recorder; often never."""
        return (self._chance.uniform(*MOVES),) if self._strikes() else ()

    def copies(self) -> int:
        """How often a notification is sent."""
        return self._chance.choice((0, 2)) if self._strikes() else 1

    def _strikes(self) -> bool:
        return self._chance.random() < self.rate
