"""Recordings started, followed and stopped.  Each function may be called again after any failure:
none records twice, and none forgets what is running.
"""

from collections.abc import Iterator

from msgspec import Struct, field
from msgspec.structs import replace

from pipeline.agora.answers import Progress
from pipeline.agora.client import AgoraClient, Started
from pipeline.agora.schema.requests import (
    AcquireParameters,
    AcquireRequest,
    LayoutRequest,
    Mode,
    StartRequest,
    UpdateRequest,
)
from pipeline.agora.schema.values import Caution
from pipeline.agora.statuses import ADVICE, ENDING, RUNNING, Kind
from pipeline.errors import AgoraError
from pipeline.jobs.agora.sessions import KeptSession, Sessions

PAIRS = 3  # acquire and start, at most
AGAIN = 3.0  # seconds between two pairs
DEADLINE = 90.0  # seconds in which a recording has to have begun
FIRST_LOOK = 5.0
LOOKS = (5.0, 5.0, 10.0)  # seconds between looks; the last one again and again
WEB_PAGE = 1  # scene
MOST_EARLIER = 3
CONFIRMATIONS = 3  # of a recording that is said to be gone when it is stopped

_REFUSED = (Kind.AUTH, Kind.BAD_REQUEST, Kind.CONFLICT)
_STALE = (Kind.BAD_REQUEST, Kind.EXPIRED, Kind.NOT_FOUND, Kind.ALREADY_STOPPED)


class Project(Struct, frozen=True):
    """The recordings of one App ID: Agora's service, and what is remembered of them here."""

    client: AgoraClient
    sessions: Sessions


class NewRecording(Struct, frozen=True):
    """A recording to start."""

    start: StartRequest
    mode: Mode = "mix"
    parameters: AcquireParameters = field(default_factory=AcquireParameters)

    @property
    def acquire(self) -> AcquireRequest:
        """The other half of the pair; a web page is a scene of its own."""
        parameters = self.parameters
        if self.mode == "web" and parameters.scene is None:
            parameters = parameters.model_copy(update={"scene": WEB_PAGE})
        return AcquireRequest(cname=self.start.cname, uid=self.start.uid, client_request=parameters)

    def cautions(self, now: float) -> tuple[Caution, ...]:
        """What is allowed in the pair and seldom meant, ``now`` in seconds since 1970."""
        inner, lasts = self.start.client_request, self.parameters.lasts
        both = (*self.acquire.cautions(), *self.start.cautions())
        return (*both, *inner.ending(now, lasts))


class Begun(Struct, frozen=True):
    """A recording that runs; ``already`` if an earlier call had started it."""

    known: KeptSession
    already: bool = False


class Ended(Struct, frozen=True):
    """A recording that does not run any more.

    ``why`` is what the service said if it had ended before.
    """

    known: KeptSession
    progress: Progress
    why: str | None = None


def start(project: Project, wanted: NewRecording) -> Begun:
    """Acquire and start as a pair.  What runs already under this channel and uid is left alone."""
    client, request = project.client, wanted.start
    name = (client.calls.app_id, request.cname, request.uid)
    client.calls.acquire(wanted.acquire, wanted.mode)  # refused here, before anything is sent
    client.calls.start(request, "resourceid", wanted.mode)
    with project.sessions.locked(*name):
        known = project.sessions.read(*name)
        if known and known.ended is not None:
            known = None
        if known and known.sid and _is_alive(client, known):
            return Begun(known, already=True)
        return _begin(project, wanted, known)


def wait_until_recording(
    client: AgoraClient, known: KeptSession, *, at_once: bool = False
) -> Progress:
    """The first answer that says so; AgoraError if there is none within 90 s, with the reason."""
    begin, progress, error = client.clock.monotonic(), None, None
    for pause in _looks(0.0 if at_once else FIRST_LOOK):
        left = DEADLINE - (client.clock.monotonic() - begin)
        client.clock.sleep(max(0.0, min(pause, left)))
        try:
            progress, error = client.query(known.session, patient=False), None
        except AgoraError as failure:
            if failure.kind in (Kind.AUTH, Kind.BAD_REQUEST):
                raise
            progress, error = None, failure
        if progress and progress.status in RUNNING:
            return progress
        if progress and progress.status in ENDING:
            raise _did_not_begin(known, f"it is {progress.state} already", progress)
        if client.clock.monotonic() - begin >= DEADLINE:
            break
    seen = f"it is {progress.state}" if progress else str(error)
    raise _did_not_begin(known, f"after {DEADLINE:.0f} s {seen}", progress, error)


def change(project: Project, known: KeptSession, request: UpdateRequest | LayoutRequest) -> None:
    """Replace the subscription or the credentials of the store; or the layout."""
    client = project.client
    with project.sessions.locked(known.app_id, known.cname, known.uid):
        if isinstance(request, LayoutRequest):
            client.update_layout(request, known.session)
        else:
            client.update(request, known.session)


def stop(project: Project, known: KeptSession, *, in_background: bool = False) -> Ended:
    """End a recording, once: what ended before is not asked for again."""
    with project.sessions.locked(known.app_id, known.cname, known.uid):
        known = project.sessions.read(known.app_id, known.cname, known.uid) or known
        if known.ended is not None:
            return Ended(known, Progress(uploading=known.uploading), why="stopped before")
        try:
            progress, why = _stop(project.client, known, in_background=in_background)
        except AgoraError as error:
            if error.kind == Kind.NO_DATA:
                _ended(project, known)
            raise
        names = tuple(file.name for file in progress.files)
        known = replace(known, uploading=progress.uploading, files=names)
        return Ended(_ended(project, known), progress, why)


def _is_alive(client: AgoraClient, known: KeptSession) -> bool:
    try:
        return client.query(known.session).status not in ENDING
    except AgoraError as error:
        if error.kind in (Kind.NOT_FOUND, Kind.ALREADY_STOPPED):
            return False
        raise


def _begin(project: Project, wanted: NewRecording, left: KeptSession | None) -> Begun:
    """New pairs until one works; ``left`` is what an earlier call left behind."""
    known, resumed = left, left is not None and left.sid is None
    for pair in range(PAIRS + resumed):
        old = resumed and pair == 0
        known = known if known and old else _acquire(project, wanted, known)
        try:
            answer = project.client.start(wanted.start, known.resource_id, mode=wanted.mode)
            return _begun(project, known, answer)
        except AgoraError as error:
            if old and error.kind in _STALE:
                continue
            if error.kind == Kind.CONFLICT and known.earlier:
                return _found_again(project, wanted, known, error)
            if error.kind in _REFUSED and not old and not known.earlier:
                project.sessions.forget(known)
            again = (Kind.EXPIRED, Kind.NO_WORKER, Kind.TRANSIENT)
            if error.kind not in again or pair == PAIRS + resumed - 1:
                raise
            project.client.clock.sleep(AGAIN)
    raise AssertionError("the last pair returns or raises")


def _acquire(project: Project, wanted: NewRecording, before: KeptSession | None) -> KeptSession:
    client, request = project.client, wanted.start
    resource = client.acquire(wanted.acquire, mode=wanted.mode)
    storage = request.client_request.storage_config
    return project.sessions.write(
        KeptSession(
            client.calls.app_id,
            request.cname,
            request.uid,
            wanted.mode,
            resource,
            client.clock.now(),
            earlier=_earlier(before),
            vendor=storage.vendor,
            region=storage.region,
            bucket=storage.bucket,
            prefix=tuple(storage.file_name_prefix or ()),
        )
    )


def _begun(project: Project, known: KeptSession, answer: Started) -> Begun:
    now = project.client.clock.now()
    known = project.sessions.write(replace(known, sid=answer.sid, started=now))
    if answer.sid is None:
        where = f"first 32 characters of a name in the bucket like *_{known.cname}.m3u8"
        raise AgoraError(
            f"{known.name}: is being recorded, but the service did not repeat the sid; it is the "
            f"{where}, or in a notification: recpipe record status --sid SID remembers it",
            kind=Kind.ALREADY_RUNNING,
            endpoint="start",
            retriable=True,
        )
    return Begun(known, already=answer.already)


def _found_again(
    project: Project, wanted: NewRecording, known: KeptSession, conflict: AgoraError
) -> Begun:
    """An earlier start, of which no answer came, did begin to record."""
    for resource, sid in reversed(known.earlier):
        found = replace(known, resource_id=resource, sid=sid, earlier=())
        if sid is not None:
            if _is_alive(project.client, found):
                return Begun(project.sessions.write(found), already=True)
            continue
        try:
            answer = project.client.start(wanted.start, resource, mode=wanted.mode)
        except AgoraError as error:
            if error.kind not in (*_STALE, Kind.CONFLICT):
                raise
            continue
        return _begun(project, found, answer)
    for resource, sid in known.earlier:
        if sid is not None:  # not to be had at this moment; but it is the one to ask for
            project.sessions.write(replace(known, resource_id=resource, sid=sid, earlier=()))
    raise conflict


def _earlier(before: KeptSession | None) -> tuple[tuple[str, str | None], ...]:
    if before is None:
        return ()
    return (*before.earlier, (before.resource_id, before.sid))[-MOST_EARLIER:]


def _looks(first: float) -> Iterator[float]:
    yield first
    yield from LOOKS
    while True:
        yield LOOKS[-1]


def _did_not_begin(
    known: KeptSession, seen: str, progress: Progress | None, error: AgoraError | None = None
) -> AgoraError:
    gone = error.kind == Kind.NOT_FOUND if error else bool(progress and progress.status in ENDING)
    kind = Kind.NOT_FOUND if gone else Kind.TRANSIENT
    return AgoraError(
        f"{known.name}, sid {known.sid}: does not record: {seen}"
        + ("" if error else f"; {ADVICE[kind]}"),
        kind=kind,
        endpoint="query",
        retriable=not gone,
    )


def _stop(
    client: AgoraClient, known: KeptSession, *, in_background: bool
) -> tuple[Progress, str | None]:
    """Stop, and believe that it is gone only if a query says so too: it may be on the move."""
    for _ in range(CONFIRMATIONS):
        stopped = client.stop(known.session, in_background=in_background)
        if stopped.already is None:
            return stopped.progress, None
        if stopped.already.http_status != 404 or not _is_alive(client, known):
            break
    return stopped.progress, str(stopped.already)


def _ended(project: Project, known: KeptSession) -> KeptSession:
    return project.sessions.write(replace(known, ended=project.client.clock.now()))
