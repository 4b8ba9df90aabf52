"""Settings: flag > ``RECPIPE_*`` > the user's own file > default.  Long: it has every key.

A file that merely lies in the working directory is not read: settings can run commands, name hosts
that get secrets, and weaken cleanup, and a folder of recordings may come from anybody.

The only reader of our part of the environment: ``AWS_*`` is read by boto3, ``PATH`` by the search
for ffmpeg.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, get_args

from pipeline import choices
from pipeline.errors import NotFoundError, UsageError

FILE = "config.toml"  # in the user's own folder for settings
STRAY = "recpipe.toml"  # in the working directory: named in a warning, and not read
PREFIX = "RECPIPE_"
STORES = "storage"  # begins the tables of stores

KINDS: Mapping[str, type | UnionType] = {
    **choices.settings(),
    "after": str,
    "agora_app_id": str,
    "agora_customer_id": str,
    "agora_customer_secret_file": str,
    "allow_host": list,
    "api_url": list,
    "as": str,
    "backup": str,
    "background": bool,
    "bak": int,
    "bitrate": int,
    "channel": str,
    "channel_type": int,
    "bwlimit": str,
    "chaos": str,
    "conditions": bool,
    "debug": bool,
    "dry_run": bool,
    "duration": str,
    "encode_jobs": int,
    "endpoint_url": str,
    "events": str,
    "exclude": list,
    "executor": str,
    "fail": list,
    "fast": bool,
    "fetch": bool,
    "ffmpeg": str,
    "fps": int,
    "from": str,
    "from_file": str,
    "height": int,
    "include": list,
    "include_degraded": bool,
    "interval": str,
    "jobs": int,
    "json": bool,
    "keep_last": int,
    "kill_recorder": list,
    "late_deadline": str,
    "lease": str,
    "ledger": str,
    "leftovers": bool,
    "limit": int,
    "live": bool,
    "lock_days": int,
    "log": str,
    "log_format": str,
    "max_age": str,
    "max_attempts": int,
    "max_bytes": str,
    "max_delete": int,
    "max_duration": str,
    "max_fraction": str,
    "max_idle_time": int,
    "metadata": str,
    "min_age": str,
    "mixed_video_layout": int,
    "mode": str,
    "name": str,
    "notify": str,
    "object_lock": str,
    "ocfl": str,
    "older_than": str,
    "once": bool,
    "organization": str,
    "originals": str,
    "output": str,
    "ping": str,
    "port": int,
    "prefix": str,
    "no_media": bool,
    "profile": str,
    "progress": str,
    "quiet": bool,
    "region": str,
    "repair_from": str,
    "reports_older_than": str,
    "report_known": bool,
    "request": str,
    "require_archive": str,
    "sample": str,
    "seed": int,
    "segments": str,
    "settle": str,
    "sid": str,
    "size": str,
    "slow_stop": str,
    "source": str,
    "speed": str,
    "spool": str,
    "spool_limit": str,
    "state": str,
    "storage": str,  # in the file, the tables of stores have this name
    "storage_class": str,
    "store": str,
    "subscribe_audio": list,
    "subscribe_video": list,
    "sweep": str,
    "tar": str,
    "to": str,
    "token_file": str,
    "trash": str,
    "trash_days": int,
    "trust_proxy_user": str,
    "uid": str,
    "unknown": str,
    "users_leave": str,
    "verify": str,
    "wait": bool,
    "webhook": str,
    "webhook_secret_file": str,
    "width": int,
    "workers": int,
}
"""The type of every option of every command; those of a conversion come from
:mod:`pipeline.choices`.
"""

_YES = ("1", "true", "yes", "on")
_NO = ("0", "false", "no", "off")
_WORDS: Mapping[type | UnionType, str] = {
    bool: "true or false",
    int: "a whole number",
    int | str: "a whole number, or text in quotes",
    list: "a list of texts",
    str: "text in quotes",
}
_SECRET = "agora_customer_secret"
_WEBHOOK_SECRET = "webhook_secret"
NO_OPTIONS = (  # variables that are no options but are read, and those of scripts/systemd
    *(_SECRET, _WEBHOOK_SECRET, "notify_secret", "config"),
    *("stores", "clean", "clean_ping", "archive", "archive_ping"),
)
_NEAR = 0.7  # as difflib measures it


@dataclass(frozen=True, slots=True)
class Setting:
    """A value, and where it was set, for error messages."""

    value: Any  # of the type of its key, or a text that is still to be parsed
    origin: str


def one_thread_for_algebra() -> None:
    """Keep OpenBLAS to one thread (``OPENBLAS_NUM_THREADS``): nothing here needs more, and starting
    one for each core takes a third of numpy's import.  To be called before numpy is imported.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def load(
    file: str | None = None, *, environ: Mapping[str, str] = os.environ
) -> Mapping[str, Setting]:
    """All settings outside the command line.

    Raises ``NotFoundError`` if a file that was named is not there, ``UsageError`` for an unknown
    key, a value of another type, a secret in the file, or a file that cannot be read.
    """
    path, named = _place(file, environ)
    told = dict(_from_file(path, required=named))
    return told | dict(_from_environment(environ))


def load_stores(
    file: str | None = None, *, environ: Mapping[str, str] = os.environ
) -> tuple[Mapping[str, Mapping[str, Any]], Path]:
    """The tables ``[storage.NAME]`` as written, and the file they are in.  Errors as for ``load``,
    but the tables are not checked: :func:`pipeline.agora.stores.parse` does that.
    """
    path, named = _place(file, environ)
    tables = read_toml(path, required=named).get(STORES, {})
    if not isinstance(tables, dict) or not all(isinstance(t, dict) for t in tables.values()):
        raise UsageError(f"{path}: expected tables [{STORES}.NAME]")
    return tables, path


def misspelt(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Warnings about ``RECPIPE_*`` variables that are not read but look like one that is; others
    may be the user's own.
    """
    known = [key.upper() for key in (*KINDS, *NO_OPTIONS)]
    ours = [name.removeprefix(PREFIX) for name in sorted(environ) if name.startswith(PREFIX)]
    return [
        f"{PREFIX}{name}: no such setting; did you mean {PREFIX}{near}?"
        for name in ours
        if name not in known and (near := _close_to(name, known, _NEAR))
    ]


def stray(file: str | None = None, *, environ: Mapping[str, str] = os.environ) -> str | None:
    """A warning about settings in the working directory, which are not read; None without any."""
    path, named = _place(file, environ)
    if named or not os.path.lexists(STRAY):
        return None
    return f"{STRAY} in this folder is not read; settings are in {path}, or name it with --config"


def _place(file: str | None, environ: Mapping[str, str]) -> tuple[Path, bool]:
    """Where the settings are, and whether that was said with --config or ``RECPIPE_CONFIG``."""
    named = file or environ.get(f"{PREFIX}CONFIG")
    if named:
        return Path(named), True
    return (_folder(environ, "CONFIG", "~/.config") or Path(os.devnull)) / FILE, False


def variable(name: str, *, environ: Mapping[str, str] = os.environ) -> str:
    """The value of a variable that the settings name, for a key that is in no file; "" if unset."""
    return environ.get(name, "")


def default_spool(environ: Mapping[str, str] = os.environ) -> Path:
    """Where segments are kept while a recording is worked on, below ``XDG_CACHE_HOME``.

    Raises ``UsageError`` without a home folder.
    """
    return _base(environ, "CACHE", "~/.cache", "keep segments in; set --spool") / "spool"


def default_ledger(environ: Mapping[str, str] = os.environ) -> str:
    """The ledger's database as a URL of SQLAlchemy, below ``XDG_STATE_HOME``.

    Raises ``UsageError`` without a home folder.
    """
    state = _base(environ, "STATE", "~/.local/state", "keep the ledger in; set --ledger")
    return f"sqlite:///{state}/ledger.db"


def notify_socket(environ: Mapping[str, str] = os.environ) -> str:
    """The socket of systemd for sd_notify(3) (``NOTIFY_SOCKET``); empty without systemd."""
    return environ.get("NOTIFY_SOCKET", "")


def notify_secret(environ: Mapping[str, str] = os.environ) -> str:
    """The secret our web hooks are signed with; empty if unset.  Never an option: every user of the
    machine can read command lines.
    """
    return environ.get(f"{PREFIX}NOTIFY_SECRET", "")


def default_state(environ: Mapping[str, str] = os.environ) -> Path:
    """Where records of what was started and deleted are kept, below ``XDG_STATE_HOME``: a cache may
    be emptied.  Raises ``UsageError`` without a home folder.
    """
    return _base(environ, "STATE", "~/.local/state", "remember things in; set --state")


def _base(environ: Mapping[str, str], kind: str, usual: str, purpose: str) -> Path:
    """Our folder of this kind; UsageError if there is no home and the user has to say where."""
    found = _folder(environ, kind, usual)
    if found is None:
        raise UsageError(f"no home folder to {purpose}")
    return found


def _folder(environ: Mapping[str, str], kind: str, usual: str) -> Path | None:
    """Ours below one of the XDG Base Directory Specification, which ignores relative ones.

    None without a home: a relative folder would be one of the working directory.
    """
    named = environ.get(f"XDG_{kind}_HOME", "")
    if named.startswith("/"):
        return Path(named) / "recpipe"
    with suppress(RuntimeError):
        base = Path(usual).expanduser()
        return base / "recpipe" if base.is_absolute() else None
    return None


def customer_secret(environ: Mapping[str, str] = os.environ) -> str | None:
    """The customer secret of Agora's REST API, None if unset; no option, as command lines are
    visible to every user.
    """
    return environ.get(PREFIX + _SECRET.upper()) or None


def webhook_secret(environ: Mapping[str, str] = os.environ) -> str | None:
    """The secret Agora signs notifications with, None if unset; no option either."""
    return environ.get(PREFIX + _WEBHOOK_SECRET.upper()) or None


def colour_wanted(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether a terminal may get colours: ``NO_COLOR`` (https://no-color.org) forbids them."""
    return not environ.get("NO_COLOR") and cursor_moves(environ)


def cursor_moves(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether a terminal can overwrite what it shows: ``TERM`` is neither unset nor ``dumb``."""
    return environ.get("TERM", "dumb") != "dumb"


def completion(environ: Mapping[str, str] = os.environ) -> str:
    """The instruction of a shell that completes a command line; empty otherwise."""
    return environ.get(f"_{PREFIX}COMPLETE", "")


def _from_environment(environ: Mapping[str, str]) -> Iterator[tuple[str, Setting]]:
    for key, kind in KINDS.items():
        name = PREFIX + key.upper()
        text = environ.get(name, "")
        if text:
            yield key, Setting(_read_as(kind, name, text), name)


def _read_as(kind: type | UnionType, name: str, text: str) -> Any:
    if kind is bool:
        return _switch(name, text)
    return text.split() if kind is list else text


def _switch(name: str, text: str) -> bool:
    if text.lower() not in (*_YES, *_NO):
        raise UsageError(f"{name}: {text!r}, expected 1 or 0")
    return text.lower() in _YES


def _from_file(path: Path, *, required: bool) -> Iterator[tuple[str, Setting]]:
    for key, value in read_toml(path, required=required).items():
        if key == STORES:
            continue
        name = key.replace("-", "_")
        if name in (_SECRET, _WEBHOOK_SECRET):
            instead = f"set {PREFIX}{name.upper()}, or name a file with {key}-file"
            raise UsageError(f"{path}: {key}: a secret does not belong here; {instead}")
        if name not in KINDS:
            raise UsageError(f"{path}: unknown key {key!r}{_nearest(name)}")
        kind = KINDS[name]
        if type(value) not in (get_args(kind) or [kind]) or not _are_texts(value):
            raise UsageError(f"{path}: {key} = {value!r}, expected {_WORDS[kind]}")
        yield name, Setting(value, f"{path}: {key}")


def _are_texts(value: Any) -> bool:
    """Whether a list, if it is one, holds nothing else."""
    return not isinstance(value, list) or all(type(text) is str for text in value)


def read_toml(path: Path, *, required: bool = True) -> dict[str, Any]:
    """A TOML file; {} if it is not there and need not be.  Raises ``NotFoundError`` if it must be,
    ``UsageError`` if it cannot be read or is not TOML.
    """
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        if required:
            raise NotFoundError(f"{path}: no such file; check --config") from error
        return {}
    except OSError as error:
        if not required and not os.path.lexists(path):  # in a home that we may not look into
            return {}
        why = (error.strerror or str(error)).lower()
        raise UsageError(f"{path}: {why}; check its mode, or name another --config") from error
    import tomllib

    try:
        return tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not valid TOML: {' '.join(str(error).split())}") from error


def _nearest(name: str) -> str:
    near = _close_to(name, KINDS, 0.5)
    return f"; did you mean {near}?" if near else f"; known are {', '.join(sorted(KINDS))}"


def _close_to(name: str, known: Iterable[str], ratio: float) -> str | None:
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, list(known), 1, ratio)), None)
