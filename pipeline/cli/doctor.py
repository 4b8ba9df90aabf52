"""``recpipe doctor``: proves what this machine needs for the work, and says how to fix the rest."""

import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline import config
from pipeline.cli import options, output
from pipeline.errors import RecpipeError, StorageError

if TYPE_CHECKING:
    from pipeline.muxing.locate import Ffmpeg
    from pipeline.storage import Storage

OLDEST_PYTHON = (3, 11)
ROOM = 1 << 30  # bytes that should be free where segments are kept
YEARS = range(2025, 2100)  # outside of these no signature and no certificate is valid
PROBLEM = 2  # exit code


MEANINGS = {  # of the fields of Capabilities
    "conditional_put": "refuses to create what exists: results are published under their own names",
    "conditional_large": "the same for large files",
    "copy": "copies on the server",
    "checksum": "refuses bytes that do not fit their digest",
    "range": "reads part of an object",
    "batch_delete": "deletes many in one request",
    "flat_keys": "holds a and a/b side by side",
    "creates_buckets": "makes a missing bucket without being asked: mind the spelling",
}


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check.  What fails is a value, not an exception."""

    name: str
    ok: bool
    detail: str  # for people
    fix: str | None = None  # what to do about a problem, or what could be better
    capabilities: Mapping[str, bool | None] | None = None  # of a store; None: not tried


@click.command(short_help="Prove that this machine can do the work.")
@click.option("--store", metavar="URL", help="Also list, write, read and delete there.")
@options.as_json
@options.ffmpeg
@options.spool
@options.store
@options.general
def doctor(store: str | None, **chosen: Any) -> int:
    """Prove ffmpeg, the disk, the clock and the libraries, and say how to fix what is wrong.

    ffmpeg is proven by having it remux a real transport stream: some builds crash on it.  With
    --store a tiny object is written to the store, read back and deleted, and what the store can do
    is found out by trying; everything written is removed.

    \b
    Examples:
      recpipe doctor
      recpipe doctor --store s3://bucket/prefix/ --endpoint-url http://localhost:8333
    """
    checks = []
    for check in _checks(store, chosen):
        checks.append(check)
        if not chosen["json"]:
            output.say_listing(_text(check))
    if chosen["json"]:
        all_ok = all(check.ok for check in checks)
        output.say_json({"ok": all_ok, "checks": [_json(check) for check in checks]})
    return 0 if all(check.ok for check in checks) else PROBLEM


def _checks(store: str | None, chosen: dict[str, Any]) -> Iterator[Check]:
    yield python()
    yield from ffmpeg(chosen["ffmpeg"])
    yield spool(chosen["spool"])
    yield clock(time.time())
    yield boto3()
    if store:
        file = click.get_current_context().ensure_object(options.Invocation).file
        where = {k: chosen[k] for k in ("endpoint_url", "region", "profile")}
        yield a_store(store, file=file, **where)


def python() -> Check:
    """Check the version of the interpreter."""
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] >= OLDEST_PYTHON:
        return Check("python", True, f"{found} at {sys.executable}")
    return Check("python", False, f"{found}, expected 3.11 or newer", "install a newer Python")


def ffmpeg(explicit: str | None) -> Iterator[Check]:
    """Check every ffmpeg that may be used, each proven again; one that works is enough."""
    from pipeline.muxing.locate import ADVICE, examine

    candidates = examine(explicit)
    usable = next((c.ffmpeg for c in candidates if c.ffmpeg), None)
    for candidate in candidates:
        if candidate.ffmpeg is usable and usable is not None:
            detail = f"{usable.version} at {usable.ffmpeg}, with {usable.ffprobe}"
            yield _paced(usable, f"{detail}: {candidate.outcome}")
        elif usable is None:
            yield Check("ffmpeg", False, f"{candidate.path}: {candidate.outcome}", ADVICE)
        elif not candidate.usable:
            yield Check("ffmpeg", True, f"{candidate.path}: {candidate.outcome}; not used")


def _paced(usable: "Ffmpeg", detail: str) -> Check:
    """The check of a usable ffmpeg with its speed: a slow one is no problem, but worth knowing."""
    from pipeline.muxing.pace import is_slow, pace

    speed = pace(usable)
    told = f"{detail}, {speed:.0f} MB a second of CPU" if speed else detail
    fix = "slow: another build takes a fraction of the time, try `apt install ffmpeg`"
    return Check("ffmpeg", True, told, fix if speed and is_slow(speed) else None)


def spool(chosen: str | None) -> Check:
    """Check that the folder for segments can be written to and has ``ROOM``."""
    import shutil
    import tempfile

    from pipeline.storage.oserrors import os_errors

    try:
        folder = Path(chosen) if chosen else config.default_spool()
        with os_errors(f"write to {folder}"):
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(b"recpipe")
            free = shutil.disk_usage(folder).free
    except RecpipeError as error:
        return Check("spool", False, str(error), "name another folder with --spool")
    detail = f"{folder}: {free / 1e9:.1f} GB free"
    if free < ROOM:
        return Check("spool", False, f"{detail}, expected 1 GB", "make room, or set --spool")
    return Check("spool", True, detail)


def clock(now: float) -> Check:
    """Check the time, ``now`` in seconds since the epoch: signatures and certificates need it."""
    moment = time.gmtime(now)
    said = time.strftime("%Y-%m-%d %H:%M:%S UTC", moment)
    if moment.tm_year in YEARS:
        return Check("clock", True, said)
    return Check("clock", False, said, "set the clock, for example with timedatectl")


def boto3() -> Check:
    """Check that the library for s3:// can be imported."""
    from importlib import import_module
    from importlib.metadata import version

    try:
        import_module("pipeline.storage.s3.store")
        return Check("boto3", True, f"{version('boto3')}; {_downloads()}")
    except ImportError as error:
        return Check("boto3", False, str(error), "pip install --force-reinstall recpipe")


def _downloads() -> str:
    from importlib import import_module
    from importlib.metadata import version

    try:
        import_module("pipeline.storage.s3.reading")
        return f"downloads with obstore {version('obstore')}"
    except ImportError:
        return "downloads cost less with obstore: pip install 'recpipe[fast]'"


def a_store(
    url: str,
    *,
    endpoint_url: str | None = None,
    region: str | None = None,
    profile: str | None = None,
    file: str | None = None,
) -> Check:
    """Check a store: list, write, read back and delete one tiny object, and try what else it can
    do.  Everything written is removed.
    """
    import secrets

    from msgspec import to_builtins

    from pipeline.jobs.many import shown
    from pipeline.jobs.named_stores import locations
    from pipeline.storage.probe import probe

    name = f".recpipe-doctor-{secrets.token_hex(8)}"
    try:
        opened = locations(endpoint_url=endpoint_url, region=region, profile=profile, file=file)
        storage, _ = opened(url.rstrip("/") + "/")
        _use(storage, name)
        remote = storage.trials() is not None
        capabilities = to_builtins(probe(storage)) if remote else None
    except RecpipeError as error:
        return Check("store", False, str(error), "the account needs to list, read, write, delete")
    detail = f"{shown(url)}: listed, wrote, read and deleted {name}"
    return Check("store", True, detail, capabilities=capabilities)


def _use(storage: "Storage", name: str) -> None:
    import hashlib
    import tempfile

    if list(storage.list(name)):
        raise StorageError(f"{storage.url(name)}: listed, but nobody wrote it yet")
    data = name.encode()
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        digest = hashlib.sha256(data).hexdigest()
        try:
            storage.put(Path(file.name), name, sha256=digest, content_type="text/plain")
            if b"".join(storage.open(name)) != data:
                raise StorageError(f"{storage.url(name)}: not what was written a moment ago")
        finally:
            storage.delete(name)


def _json(check: Check) -> dict[str, Any]:
    """A check as JSON; capabilities only where they were tried."""
    return {key: value for key, value in asdict(check).items() if key != "capabilities" or value}


def _text(check: Check) -> str:
    from pipeline.storage.names import printable

    mark = click.style("ok     ", fg="green")
    if check.fix:
        mark = click.style("warning", fg="yellow") if check.ok else click.style("problem", fg="red")
    fix = f"\n{'':8} {'':7} fix: {check.fix}" if check.fix else ""
    can = "".join(f"\n{'':8} {'':7} {line}" for line in _abilities(check.capabilities or {}))
    return f"{mark}  {check.name:<7} {printable(check.detail)}{fix}{can}"


def _abilities(capabilities: Mapping[str, bool | None]) -> Iterator[str]:
    words = {True: "yes", False: "no", None: "not tried"}
    for name, meaning in MEANINGS.items():
        if name in capabilities:
            yield f"{words[capabilities[name]]:<9} {meaning}"
