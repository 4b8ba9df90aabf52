"""What ``recpipe record`` prints about a recording."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pipeline.agora.answers import Progress
from pipeline.jobs.agora.sessions import KeptSession
from pipeline.storage.names import printable


def entry(
    command: str, known: KeptSession, progress: Progress | None, *, already: bool = False
) -> dict[str, Any]:
    """The JSON line for programs.  Keys may be added and are never renamed."""
    files = [file.name for file in progress.files] if progress else []
    return {
        "command": command,
        "channel": known.cname,
        "uid": known.uid,
        "mode": known.mode,
        "sid": known.sid,
        "resource_id": known.resource_id,
        "state": _state(known, progress),
        "status": progress.status if progress else None,
        "already": already,
        "uploading": (progress.uploading if progress else None) or known.uploading,
        "vendor": known.vendor,
        "region": known.region,
        "bucket": known.bucket,
        "playlist": known.playlist,
        "files": files or list(known.files),
    }


def line(known: KeptSession) -> str:
    """One line of ``list``: what is remembered, and may be out of date."""
    state = "stopped" if known.ended is not None else "started" if known.sid else "acquired"
    began = datetime.fromtimestamp(known.started or known.acquired, UTC)
    about = f"{known.cname}, uid {known.uid}, {known.mode}, sid {known.sid or 'not known'}"
    return printable(f"{state:<8} {began:%Y-%m-%dT%H:%M:%SZ}  {about}")


def _state(known: KeptSession, progress: Progress | None) -> str | None:
    if known.ended is not None:
        return "stopped"
    return progress.state if progress else None


def text(entry: Mapping[str, Any]) -> str:
    """The lines for people, from an :func:`entry`."""
    again = " (before this call)" if entry["already"] else ""
    lines = [f"{entry['state'] or 'changed'}{again}: {entry['channel']}, uid {entry['uid']}"]
    lines.append(f"  sid        {entry['sid']}")
    if entry["uploading"]:
        lines.append(f"  uploading  {entry['uploading']}{_UPLOADING.get(entry['uploading'], '')}")
    if entry["files"]:
        lines += [f"  file       {name}" for name in entry["files"]]
    elif entry["playlist"]:
        lines.append(f"  playlist   {entry['playlist']} (expected)")
    return "\n".join(printable(line) for line in lines)


_UPLOADING = {
    "backuped": ": some files are only in Agora's backup cloud so far; do not convert yet",
    "unknown": ": look into the bucket",
}
