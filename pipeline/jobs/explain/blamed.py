"""What Agora's notifications say about what is missing from a published recording.  Pure."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from pipeline.agora import names
from pipeline.agora.causes import Cause, of_files, of_span
from pipeline.model import Absence, Hole


def of_hole(found: Sequence[Cause], hole: Hole) -> tuple[Cause, ...]:
    """What explains a hole, by the time at which it began."""
    return of_span(found, _seconds(hole.utc), hole.length, hole.kind)


def of_absence(found: Sequence[Cause], absence: Absence, uid: str | None) -> tuple[Cause, ...]:
    """What explains that a user sent nothing, by the time at which that began."""
    own = [cause for cause in found if cause.uid in (None, uid)]
    return of_span(own, _seconds(absence.utc), absence.length, absence.kind)


def of_entry(found: Sequence[Cause], row: Mapping[str, Any]) -> tuple[Cause, ...]:
    """What explains a row of the account as it is written, by the name of its segment; of a
    segment that was not there at all also what became of files.
    """
    name = names.parse_slice_name(str(row.get("slot", "")).rpartition("/")[2])
    lost, promised = row.get("lost"), row.get("promised")
    if not lost and not row.get("unexplained"):
        return ()
    length = max((float(x) for x in (lost, promised) if isinstance(x, int | float)), default=0.0)
    track = str(row.get("track", ""))
    return (
        *of_span(found, name.utc if name else None, length, track),
        *(of_files(found) if not row.get("units") else ()),
    )


def _seconds(iso: str | None) -> float | None:
    with suppress(ValueError):
        return datetime.fromisoformat(iso).timestamp() if iso else None
    return None
