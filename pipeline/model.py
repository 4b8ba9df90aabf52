"""Frozen values that travel between stages.  Times are seconds, sizes bytes, unless the name says otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding matters, in rising order."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"  # the source lost media here
    FATAL = "fatal"  # no MP4: it would mislead or be unsafe


class Verdict(StrEnum):
    """What became of a recording."""

    OK = "ok"
    REPAIRED = "repaired"
    DEGRADED = "degraded"
    REJECTED = "rejected"
    PENDING = "pending"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact about bad data, aggregated per (id, segment, pid).

    ``detail`` says what was found, then what was expected.  ``repair`` says what was done about it.
    """

    id: str
    severity: Severity
    segment: str | None = None
    pid: int | None = None
    count: int = 1
    detail: str = ""
    repair: str | None = None


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One entry of a store's listing.  ``key`` is relative to the store's root, with ``/`` between parts."""

    key: str
    size: int
    etag: str | None
    modified: float  # seconds since the epoch

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Segment:
    """One media segment as its playlist lists it (RFC 8216 section 3)."""

    uri: str
    duration: float  # EXTINF
    discontinuity: bool = False
    gap: bool = False  # EXT-X-GAP, RFC 8216bis section 4.4.4.7
    byterange: tuple[int, int] | None = None  # length, offset


@dataclass(frozen=True, slots=True)
class Playlist:
    """A media playlist (RFC 8216 section 4), with what is wrong about it."""

    segments: tuple[Segment, ...] = ()
    ended: bool = False
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """One playlist with the objects beside it; ``playlist`` is None for a lone media file."""

    playlist: StoredObject | None
    folder: str  # key of the folder the segments lie in, "" or ending in "/"
    objects: Mapping[str, StoredObject] = field(default_factory=dict)  # by name
    bak: int | None = None  # None: the main part; 0..2: failover parts


@dataclass(frozen=True, slots=True)
class Recording:
    """Everything of one ``sid``, or of one playlist or media file that is not Agora's."""

    id: str  # "<sid>_<cname>", or the file's stem
    source: str  # for people: where it came from
    parts: tuple[Part, ...]
    sid: str | None = None
    cname: str | None = None
