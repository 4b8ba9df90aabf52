"""What results are called where a template says so: ``{date}/{cname}_{sid}``."""

import string
from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, datetime

from msgspec import Struct

from pipeline.agora import names
from pipeline.errors import UsageError
from pipeline.jobs.output.destinations import file_name
from pipeline.jobs.selection import changed
from pipeline.model import Part, Recording
from pipeline.storage.names import printable

FIELDS = ("id", "sid", "cname", "date", "year", "month", "day", "time")
LONGEST = 200  # characters of a template


class Listings:
    """The names beside playlists, which many recordings share, sorted once.  For one run."""

    def __init__(self) -> None:
        self._sorted: dict[int, list[str]] = {}

    def starting(self, part: Part, stem: str) -> Iterator[str]:
        """Those that start so."""
        listed = self._sorted.get(id(part.objects))
        if listed is None:
            listed = self._sorted[id(part.objects)] = sorted(part.objects)
        for place in range(bisect_left(listed, stem), len(listed)):
            if not listed[place].startswith(stem):
                return
            yield listed[place]


class Naming(Struct, frozen=True):
    """A template, checked.  Whatever a recording is called, its result stays in the destination."""

    template: str

    def name(self, recording: Recording, listings: Listings | None = None) -> str:
        """The key of its result without a suffix."""
        values = _values(recording, listings)
        return "/".join(file_name(part.format_map(values)) for part in self.template.split("/"))


def naming(template: str | None) -> Naming | None:
    """UsageError for a template that leaves the destination, or gives two recordings one name."""
    if not template:
        return None
    said = printable(template)[:LONGEST]
    try:
        pieces = list(string.Formatter().parse(template))
    except ValueError as error:
        raise UsageError(f"--name {said}: {error}") from None
    used = {field for _, field, _, _ in pieces if field is not None}
    if len(template) > LONGEST or any(spec or kind for _, _, spec, kind in pieces):
        raise UsageError(f"--name {said}: expected at most {LONGEST} characters and plain fields")
    if used - {*FIELDS}:
        known = ", ".join(f"{{{name}}}" for name in FIELDS)
        raise UsageError(f"--name {said}: unknown field; known are {known}")
    if any(not part or part.startswith(".") or "\\" in part for part in template.split("/")):
        raise UsageError(f"--name {said}: expected names with / between them, none of them hidden")
    if "id" not in used and not {"sid", "cname"} <= used:
        raise UsageError(f"--name {said}: names two recordings alike; add {{id}}, or sid and cname")
    return Naming(template)


def _values(recording: Recording, listings: Listings | None) -> dict[str, str]:
    began = datetime.fromtimestamp(begins(recording, listings), UTC)
    moment = {
        "date": f"{began:%Y-%m-%d}",
        "year": f"{began:%Y}",
        "month": f"{began:%m}",
        "day": f"{began:%d}",
        "time": f"{began:%H%M%S}",
    }
    sid, cname = recording.sid or "none", recording.cname or recording.id
    return {"id": recording.id, "sid": sid, "cname": cname, **moment}


def begins(recording: Recording, listings: Listings | None = None) -> float:
    """When it began by the names of its slices, or else when it was last written; seconds since
    1970.
    """
    slices = slice_times(recording, listings or Listings())
    return min(slices, default=changed(recording))


def slice_times(recording: Recording, listings: Listings) -> Iterator[float]:
    """When each of its slices began, by their names, in no order; seconds since 1970."""
    for stream in recording.streams:  # those of a session are called after their users
        yield from slice_times(stream, listings)
    for part in recording.parts if recording.sid and not recording.streams else ():
        sid = part.sid or recording.sid or ""
        stem = names.stem(sid, recording.cname or "", bak=part.bak)
        for path in listings.starting(part, f"{stem}_"):
            parsed = names.parse_slice_name(path)
            if parsed is not None and parsed.cname == recording.cname:
                yield parsed.utc
