"""What has to be listed to see everything that can have changed.  Pure."""

import re
from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime, timedelta

from msgspec import Struct

from pipeline.agora import names
from pipeline.ledger.discovery import StoreMemory
from pipeline.stages.discover import is_playlist

# 2026/11/22/, 20261122/, 2026-11-22/, dt=2026-11-22/, year=2026/month=11/day=22/
_DAY = re.compile(
    r"(?P<above>(?:[^/]+/)*?)(?:\w+=)?(?P<year>20\d\d)"
    r"(?:/(?:\w+=)?|-?)(?P<month>\d\d)(?:/(?:\w+=)?|-?)(?P<day>\d\d)/"
)
_PARTS = ("", "bak0_", "bak1_", "bak2_")
SID = re.compile(r"[0-9a-f]{32}")
MARGIN = timedelta(days=1)  # time zones, and recordings over midnight


class Scope(Struct, frozen=True):
    """One listing."""

    prefix: str = ""
    after: str = ""  # only keys behind this one


def of_recording(place: str) -> tuple[Scope, ...]:
    """The listings of all that can belong to one recording, given by the key of its sid or of its
    playlist.
    """
    folder, slash, name = place.rpartition("/")
    if SID.fullmatch(name):
        return tuple(Scope(f"{folder}{slash}{part}{name}_") for part in _PARTS)
    return (Scope(folder + slash),)


def place_of(key: str) -> str | None:
    """The key of the recording that an object belongs to by its name; None if the name does not
    say.
    """
    folder, slash, name = key.rpartition("/")
    parsed = names.parse_slice_name(name) or names.parse_playlist_name(name)
    if parsed is not None:
        return folder + slash + parsed.sid
    return key if is_playlist(name) else None


def scopes(
    memory: StoreMemory,
    open_places: Collection[str],
    named: Collection[str] | None,
    *,
    sweep: float,
    now: float,
) -> tuple[tuple[Scope, ...], bool]:
    """What to list, and whether that is everything.

    ``named`` are recordings that notifications named, None without a source of them.  ``sweep`` is
    the longest time between full listings, in seconds, ``now`` in seconds since the epoch.
    """
    swept_lately = memory.swept is not None and now - memory.swept < sweep
    if not swept_lately or (named is None and not memory.floor):
        return (Scope(),), True
    places = set(open_places) | set(named or ())
    listed: tuple[Scope, ...] = ()
    if memory.floor:
        listed = (Scope(after=memory.floor),)
        places = {place for place in places if place <= memory.floor}
    return (*listed, *(scope for place in sorted(places) for scope in of_recording(place))), False


def floor(keys: Iterable[str], before: str, *, horizon: float, swept: bool) -> str:
    """The first folder of a day in which new objects may still appear; "" if none is certain.

    ``keys`` are those of playlists; days before ``horizon``, seconds since the epoch, are over.
    """
    earliest = (datetime.fromtimestamp(horizon, UTC) - MARGIN).date()
    unsure = "" if swept else before
    days, above = {}, set()
    for key in keys:
        match = _DAY.match(key)
        day = _date(match) if match else None
        if match is None or day is None:
            return unsure
        days[match[0]] = day
        above.add(match["above"])
    if len(above) != 1:  # under many folders no single key is a limit
        return unsure
    young = [folder for folder, day in days.items() if day >= earliest]
    return max(unsure, min(young) if young else max(days))


def _date(match: re.Match[str]) -> date | None:
    try:
        return date(int(match["year"]), int(match["month"]), int(match["day"]))
    except ValueError:
        return None
