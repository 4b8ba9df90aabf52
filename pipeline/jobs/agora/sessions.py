"""What is remembered of recordings that were started: a small file for each, only for its owner.

A recording is named by App ID, channel and uid; Agora runs one at a time under such a name.
Without its resource id and sid a recording cannot be followed or stopped, so they are on disk
before anything else is done.
"""

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct, to_builtins

from pipeline.agora.calls import Session
from pipeline.agora.names import playlist_name
from pipeline.errors import NotFoundError, UsageError
from pipeline.jobs.limits.locks import locked
from pipeline.storage.names import printable
from pipeline.storage.oserrors import os_errors

SCHEMA = 1
PRIVATE = 0o600
_SID = re.compile(r"[A-Za-z0-9_-]{1,128}")


class KeptSession(Struct, frozen=True):
    """A recording as far as it is known; times are seconds since 1970.  No secret is in it."""

    app_id: str
    cname: str
    uid: str
    mode: str
    resource_id: str
    acquired: float
    earlier: tuple[tuple[str, str | None], ...] = ()  # resource and sid it may run under instead
    sid: str | None = None
    vendor: int | None = None  # of the store, as Agora numbers them
    region: int | None = None
    bucket: str | None = None
    prefix: tuple[str, ...] = ()  # fileNamePrefix
    started: float | None = None
    ended: float | None = None
    uploading: str | None = None  # what stop said of it
    files: tuple[str, ...] = ()

    @property
    def session(self) -> Session:
        """How Agora names it; NotFoundError without a sid."""
        if self.sid is None:
            raise NotFoundError(f"{self.name}: its sid is not known; name it with --sid")
        return Session(self.cname, self.uid, self.resource_id, self.sid, _mode(self.mode))

    @property
    def name(self) -> str:
        """For messages."""
        return f"channel {printable(self.cname)}, uid {self.uid}"

    @property
    def playlist(self) -> str | None:
        """Where Agora will put the playlist, below the root of the bucket."""
        if self.sid is None or self.mode != "mix":
            return None
        return "/".join((*self.prefix, playlist_name(self.sid, self.cname)))


class Sessions:
    """The folder with these files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "recordings"

    @contextlib.contextmanager
    def locked(self, app_id: str, cname: str, uid: str) -> Iterator[None]:
        """One process at a time deals with a recording; the others wait."""
        self._make()
        with locked(self._folder, _file_name(app_id, cname, uid)):
            yield

    def read(self, app_id: str, cname: str, uid: str) -> KeptSession | None:
        """What is known of one recording, if anything is."""
        path = self._folder / _file_name(app_id, cname, uid)
        return _read(path) if path.exists() else None

    def all(self) -> tuple[KeptSession, ...]:
        """Every recording, the latest first."""
        with os_errors(f"read {self._folder}"):
            paths = sorted(self._folder.glob("*.json"))
        found = [_read(path) for path in paths]
        return tuple(sorted(found, key=lambda known: -known.acquired))

    def write(self, known: KeptSession) -> KeptSession:
        """Remember it: whole or not at all, and on the disk when this returns."""
        self._make()
        path = self._folder / _file_name(known.app_id, known.cname, known.uid)
        part = path.with_suffix(".part")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        data = json.dumps({"schema": SCHEMA, **to_builtins(known)}, ensure_ascii=False, indent=1)
        with os_errors(f"write {path}"):
            with os.fdopen(os.open(part, flags, PRIVATE), "wb") as file:
                file.write(data.encode())
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
            folder = os.open(self._folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        return known

    def forget(self, known: KeptSession) -> None:
        """Nothing was started under this name."""
        path = self._folder / _file_name(known.app_id, known.cname, known.uid)
        with os_errors(f"remove {path}"):
            path.unlink(missing_ok=True)

    def _make(self) -> None:
        with os_errors(f"make {self._folder}"):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def checked_sid(sid: str) -> str:
    """A sid given by hand."""
    if not _SID.fullmatch(sid):
        raise UsageError(f"{printable(sid)[:40]}: no sid, expected 32 digits and letters a to f")
    return sid


def find(sessions: Sessions, app_id: str, cname: str | None, uid: str | None) -> KeptSession:
    """The one recording that is meant; without a name, the only one that was not stopped."""
    found = [
        known
        for known in sessions.all()
        if known.app_id == app_id
        and cname in (None, known.cname)
        and uid in (None, known.uid)
        and (cname or known.ended is None)
    ]
    running = [known for known in found if known.ended is None]
    if len(running or found) == 1:
        return (running or found)[0]
    if not found:
        raise NotFoundError(
            "no such recording was started here; check --channel, --uid and --state"
        )
    names = "; ".join(known.name for known in running or found)
    raise UsageError(f"more than one recording; name one with --channel and --uid: {names}")


def _file_name(app_id: str, cname: str, uid: str) -> str:
    """A channel may be called anything, so its name is no file name."""
    return hashlib.sha256("\0".join((app_id, cname, uid)).encode()).hexdigest()[:32] + ".json"


def _read(path: Path) -> KeptSession:
    """UsageError for a file that cannot be understood: to go on might record twice."""
    try:
        with os_errors(f"read {path}"):
            data = json.loads(path.read_bytes())
        schema = data.pop("schema")
        known = _known(data)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        schema, known = None, None
    if schema != SCHEMA or known is None:
        raise UsageError(f"{path}: not what recpipe wrote; look at it, then move it away")
    return known


def _known(data: dict[str, Any]) -> KeptSession | None:
    names = set(KeptSession.__struct_fields__)
    texts = ("app_id", "cname", "uid", "mode", "resource_id")
    if set(data) - names or not all(isinstance(data[name], str) for name in texts):
        return None
    tuples = {name: tuple(data.get(name, ())) for name in ("prefix", "files")}
    earlier = tuple((str(resource), sid) for resource, sid in data.get("earlier", ()))
    return KeptSession(**{**data, **tuples, "earlier": earlier})


def _mode(text: str) -> Any:
    return text
