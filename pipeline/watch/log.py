"""One log line per state change, with the recording's id bound to it."""

import logging
from typing import Any

import structlog

from pipeline.ledger.ledger import Move
from pipeline.ledger.states import State
from pipeline.model import Verdict

NAME = "pipeline.watch"

log: structlog.stdlib.BoundLogger = structlog.wrap_logger(
    logging.getLogger(NAME),
    processors=[structlog.stdlib.filter_by_level, structlog.stdlib.render_to_log_kwargs],
    wrapper_class=structlog.stdlib.BoundLogger,
)
_WARNINGS = frozenset({State.RETRY, State.FAILED, State.REJECTED, State.CHANGED})


def told(move: Move, **more: Any) -> None:
    """Log that a recording went to another state; as a warning if a person should look."""
    bound = log.bind(recording=move.recording, source=move.source)
    degraded = move.verdict == Verdict.DEGRADED
    say = bound.warning if degraded or move.after in _WARNINGS else bound.info
    before = move.before.value if move.before else "new"
    given = {"verdict": move.verdict, "why": move.why}
    said = {name: value for name, value in given.items() if value}
    say(move.after.value, before=before, **said, **more)
