"""What goes wrong with a service now and then: every documented failure, by chance."""

import random
from dataclasses import dataclass, field

from pipeline.agora.statuses import Endpoint
from pipeline.simulator.gateway import Reply

LONGEST_BURST = 3  # requests that fail one after another
MOVES = (10.0, 60.0)  # seconds of a recording, between which another server takes over

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
_AFTER = (  # it was done, and nobody is told
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


@dataclass(slots=True)
class Chaos:
    """The share of requests that fail before anything is done, and as many after it was done."""

    rate: float = 0.0
    seed: int = 0
    _chance: random.Random = field(init=False)
    _burst: list[Reply] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)

    def before(self, endpoint: Endpoint) -> Reply | None:
        """In place of an answer; 5xx come in bursts."""
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
        """The answer, or something else that comes as late."""
        if not self._strikes():
            return reply
        other = self._chance.choice(_AFTER)
        return Reply(other.status, other.body, reply.delay, other.broken)

    def moves(self) -> tuple[float, ...]:
        """Seconds after which a recording that begins now loses its recorder."""
        return (self._chance.uniform(*MOVES),) if self._strikes() else ()

    def copies(self) -> int:
        """How often a notification is sent."""
        return self._chance.choice((0, 2)) if self._strikes() else 1

    def _strikes(self) -> bool:
        return self._chance.random() < self.rate
