"""A thin client of Agora's REST API for Cloud Recording.

Each call is checked before it is sent, repeated as Agora's best practices ask for, and ends in a
value or in one :class:`pipeline.errors.AgoraError`.  Secrets are sent, and never shown.
"""

import json
from collections.abc import Sequence
from types import TracebackType

from msgspec import Struct, field
from pydantic import SecretStr

from pipeline.agora import answers
from pipeline.agora.calls import Call, Calls, Session
from pipeline.agora.schema.requests import (
    AcquireRequest,
    LayoutRequest,
    Mode,
    StartRequest,
    UpdateRequest,
)
from pipeline.agora.schema.values import MASK, disguises, secrets
from pipeline.agora.schema.values import wire as values
from pipeline.agora.statuses import ADVICE, PASSING, Endpoint, Kind, host_for, kind_of, pause
from pipeline.agora.transport import (
    DEFAULT_HOSTS,
    READ,
    Answer,
    Clock,
    NoAnswer,
    Transport,
    Wire,
    host_url,
)
from pipeline.errors import AgoraError, UsageError

STOP_READ = 40.0  # seconds: stop answers when everything is uploaded, which may take 20 s
LONGEST_REASON = 200  # characters
LONGEST_WAIT = 60.0  # seconds between two attempts, even if Retry-After asks for more


class Started(Struct, frozen=True):
    """The answer to start; ``sid`` is None if the service did not repeat it to a repeated call."""

    sid: str | None
    already: bool = False  # the service says that it was running when the call came


class Stopped(Struct, frozen=True):
    """The answer to stop; ``already`` is the refusal of one that had ended before."""

    progress: answers.Progress
    already: AgoraError | None = None


class _Attempts(Struct):
    """One call and its repetitions."""

    call: Call
    patient: bool
    home: int  # the host to begin with
    seen: list[Kind] = field(default_factory=list)
    asked: float = 0.0  # seconds to wait, as the last answer asked for

    def pause(self) -> float | None:
        """Seconds until the next attempt; None if there is to be none."""
        wait = pause(self.call.endpoint, self.seen) if self.patient else None
        return wait if wait is None else max(wait, min(self.asked, LONGEST_WAIT))


class AgoraClient:
    """The calls of Cloud Recording for one project (App ID), one at a time.

    ``hosts`` are URLs, in the order in which they are asked.  Every call raises ``AgoraError`` if
    the service refuses it or gives no answer, and ``UsageError`` for a body that it would refuse.
    """

    def __init__(
        self,
        app_id: str,
        customer_id: str,
        customer_secret: SecretStr,
        *,
        hosts: Sequence[str] = DEFAULT_HOSTS,
        clock: Clock | None = None,
        wire: Wire | None = None,
    ) -> None:
        if not hosts:
            raise UsageError("no host to call")
        self.calls = Calls(app_id)
        self.clock = clock or Clock()
        self.hosts = tuple(map(host_url, hosts))
        self._home = 0  # the host that answered last
        self._customer_id, self._secret = customer_id, customer_secret
        self._transport = Transport(customer_id, customer_secret, clock=self.clock, wire=wire)

    def __enter__(self) -> "AgoraClient":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    # The calls.

    def acquire(self, request: AcquireRequest, *, mode: Mode = "mix") -> str:
        """A resource id, for one recording that starts in 5 minutes; Agora advises 2 seconds."""
        answer = self._ask(self.calls.acquire(request, mode), needs="resourceId")
        return str(answer.body["resourceId"])

    def start(self, request: StartRequest, resource_id: str, *, mode: Mode = "mix") -> Started:
        """Begin to record.  Success means an accepted request, not that the recording works."""
        answer = self._ask(self.calls.start(request, resource_id, mode), needs="sid")
        sid = answers.text(answer.body.get("sid"))
        return Started(sid, already=self._kind("start", answer) is Kind.ALREADY_RUNNING)

    def query(self, session: Session, *, patient: bool = True) -> answers.Progress:
        """The state of a recording.

        A 404 may pass while the service moves it to another server, and is believed after 30 s.
        Without ``patient`` nothing is repeated: each failure is raised at once.
        """
        return answers.progress(self._ask(self.calls.query(session), patient=patient).body)

    def update(self, request: UpdateRequest, session: Session) -> None:
        """Replace the subscription, or the storage settings with their credentials."""
        self._ask(self.calls.update(request, session))

    def update_layout(self, request: LayoutRequest, session: Session) -> None:
        """Replace the whole layout; what is left out falls back to Agora's defaults."""
        self._ask(self.calls.update(request, session))

    def stop(self, session: Session, *, in_background: bool = False) -> Stopped:
        """End a recording; with ``in_background`` the answer does not wait for the uploads.

        A recording that has ended already is no error.
        """
        try:
            answer = self._ask(self.calls.stop(session, in_background=in_background))
        except AgoraError as error:
            if error.kind != Kind.ALREADY_STOPPED:
                raise
            return Stopped(answers.Progress(uploading="unknown"), already=error)
        return Stopped(answers.progress(answer.body))

    # Sending them.

    def _ask(self, call: Call, *, needs: str | None = None, patient: bool = True) -> Answer:
        """Send until there is an answer that counts; AgoraError if there is none."""
        from tenacity import RetryCallState, Retrying, retry_if_exception_type

        attempts = _Attempts(call, patient, self._home)

        def last(_: RetryCallState) -> bool:
            return attempts.pause() is None

        retrying = Retrying(
            retry=retry_if_exception_type(AgoraError),
            stop=last,
            wait=lambda _: attempts.pause() or 0.0,
            sleep=self.clock.sleep,
            reraise=True,
        )
        return retrying(self._attempt, attempts, needs)

    def _attempt(self, attempts: _Attempts, needs: str | None) -> Answer:
        call = attempts.call
        ahead = host_for(len(self.hosts), attempts.seen.count(Kind.NETWORK))
        place = (attempts.home + ahead) % len(self.hosts)
        host = self.hosts[place]
        body = json.dumps(values(call.body), ensure_ascii=False).encode() if call.body else None
        patience = STOP_READ if call.endpoint == "stop" else READ
        try:
            answer = self._transport.send(call.method, host, call.path, body, patience=patience)
        except NoAnswer as error:
            attempts.seen.append(Kind.NETWORK)
            attempts.asked = 0.0
            if not attempts.patient:
                self._home = (place + 1) % len(self.hosts)
            raise self._error(call, Kind.NETWORK, host, what=f"no answer ({error})") from error
        self._home = place
        kind = self._kind(call.endpoint, answer)
        if kind in (Kind.OK, Kind.ALREADY_RUNNING) and _lacks(answer, kind, needs):
            kind = Kind.TRANSIENT
        if kind in (Kind.OK, Kind.ALREADY_RUNNING):
            return answer
        attempts.seen.append(kind)
        attempts.asked = answer.not_before
        raise self._error(call, kind, host, answer=answer)

    def _kind(self, endpoint: Endpoint, answer: Answer) -> Kind:
        code = answers.whole(answer.body.get("code"))
        if answer.status == 200 and not code:
            return Kind.OK if answer.is_json else Kind.TRANSIENT
        if answer.status == 206 and not code and answer.body.get("serverResponse"):
            return Kind.OK  # some files are not in the bucket yet
        return kind_of(endpoint, answer.status, code)

    def _error(
        self, call: Call, kind: Kind, host: str, *, answer: Answer | None = None, what: str = ""
    ) -> AgoraError:
        code = answers.whole(answer.body.get("code")) if answer else None
        reason = self._reason(call, answer) if answer else None
        if answer:
            said = "an answer that is not Agora's" if not answer.is_json else reason
            numbers = f"HTTP {answer.status}" + (f", code {code}" if code is not None else "")
            what = f"{numbers}: {said}" if said else numbers
        return AgoraError(
            f"{call.endpoint} at {host}: {what}; {ADVICE[kind]}",
            kind=kind,
            endpoint=call.endpoint,
            host=host,
            http_status=answer.status if answer else None,
            code=code,
            reason=reason,
            request_id=_plain(answer.request_id) if answer and answer.request_id else None,
            retriable=kind in PASSING,
        )

    def _reason(self, call: Call, answer: Answer) -> str | None:
        """What the service says, without the secrets it may repeat."""
        said = answers.text(answer.body.get("reason")) or answers.text(answer.body.get("message"))
        if said is None:
            return None
        own = self._secret.get_secret_value()
        hidden = {own, f"{self._customer_id}:{own}"} - {"", f"{self._customer_id}:"}
        hidden |= secrets(call.body) if call.body else set()
        forms = {form for secret in hidden for form in disguises(secret)}
        for form in sorted(forms, key=len, reverse=True):
            said = said.replace(form, MASK)
        return _plain(said)


def _lacks(answer: Answer, kind: Kind, key: str | None) -> bool:
    """Success without what the call was for; a repeated start may come without a sid."""
    missing = key is not None and answers.text(answer.body.get(key)) is None
    return missing and kind is not Kind.ALREADY_RUNNING


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)[:LONGEST_REASON]
