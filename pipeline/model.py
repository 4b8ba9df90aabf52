"""Frozen values that travel between stages.  Long: it has all of them.

Times are seconds, sizes bytes, unless the name says otherwise.
"""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct, field


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


class Finding(Struct, frozen=True):
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


class StoredObject(Struct, frozen=True):
    """One entry of a store's listing.  ``key`` is relative to the store's root, with ``/`` between
    parts.
    """

    key: str
    size: int
    etag: str | None
    modified: float  # seconds since the epoch

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rpartition("/")[2]


class Key(Struct, frozen=True):
    """What AES-128 segments are encrypted with (RFC 8216 section 4.3.2.4).  ``name`` is empty where
    the playlist names no file beside or below it; without ``iv`` it is the segment's number.
    """

    name: str
    iv: bytes | None = None


class InitSection(Struct, frozen=True):
    """What fragmented MP4 segments need in front of them (EXT-X-MAP, RFC 8216 section 4.3.2.5)."""

    name: str
    byterange: tuple[int, int] | None = None  # length, offset
    key: Key | None = None  # it is encrypted as well


class TrackEvent(Struct, frozen=True):
    """A stream begins, or goes on after an interruption (EXT-X-AGORA-TRACK-EVENT, EVENT=START)."""

    kind: str  # "video" or "audio"
    time: float | None  # seconds since the epoch


class Rotation(Struct, frozen=True):
    """Size and rotation of the pictures from here on (EXT-X-AGORA-ROTATE)."""

    width: int
    height: int
    degrees: int  # anticlockwise
    time: float | None  # seconds since the epoch


class Segment(Struct, frozen=True):
    """One media segment as its playlist lists it (RFC 8216 section 3)."""

    uri: str
    duration: float  # EXTINF
    discontinuity: bool = False
    gap: bool = False  # EXT-X-GAP, RFC 8216bis section 4.4.4.7
    byterange: tuple[int, int] | None = None  # length, offset
    key: Key | None = None
    init: InitSection | None = None
    events: tuple[TrackEvent, ...] = ()  # that stand in front of it
    rotations: tuple[Rotation, ...] = ()
    rounded: bool = False  # EXTINF in whole seconds (RFC 8216 section 4.3.2.1)


class Playlist(Struct, frozen=True):
    """A media playlist (RFC 8216 section 4), with what is wrong about it."""

    segments: tuple[Segment, ...] = ()
    ended: bool = False
    findings: tuple[Finding, ...] = ()


class Part(Struct, frozen=True):
    """One playlist with the objects beside it; ``playlist`` is None for a lone media file."""

    playlist: StoredObject | None
    folder: str  # key of the folder the segments lie in, "" or ending in "/"
    # by name: what lies beside it, and below, as far as no playlist there is nearer
    objects: Mapping[str, StoredObject] = field(default_factory=dict)
    copies: tuple[StoredObject, ...] = ()  # other versions of the playlist, from the backup cloud
    bak: int | None = None  # None: the main part; 0..2: failover parts


class Recording(Struct, frozen=True):
    """Everything of one ``sid``, or of one playlist or media file that is not Agora's."""

    id: str  # "<sid>_<cname>", or the file's stem
    source: str  # for people: where it came from
    parts: tuple[Part, ...]
    sid: str | None = None
    cname: str | None = None


MAIN = "main"  # what the part is called that is no failover part


class Listed(Struct, frozen=True):
    """One segment of a playlist with the object it names, None when there is none."""

    segment: Segment  # called as the object is, below the folder of the playlist
    object: StoredObject | None
    utc: float | None = None
    part: str = MAIN
    listed: bool = True  # False: the playlist lacks it
    key: StoredObject | None = None  # the file that holds its key
    init: StoredObject | None = None  # its initialisation section
    init_key: StoredObject | None = None

    @property
    def name(self) -> str:
        """How findings call it."""
        part = self.segment.byterange
        whole = part is None or self.object is None or part == (self.object.size, 0)
        return self.segment.uri if whole or part is None else f"{self.segment.uri}@{part[1]}"


class Inventory(Struct, frozen=True):
    """What a recording should hold, before a segment is opened; its parts one after the other."""

    segments: tuple[Listed, ...]
    findings: tuple[Finding, ...]
    unfinished: bool = False  # and not asked for as it is
    playlists: tuple[StoredObject, ...] = ()


class Hole(Struct, frozen=True):
    """A span of the timeline for which no media exists."""

    kind: str  # "video" or "audio"
    start: float  # seconds from the beginning of the MP4
    length: float  # seconds
    segment: str  # the segment behind it
    reason: str = "media lost"  # in plain words
    became: str = "kept"  # "closed": of no length in the MP4; "filled": with media made for it
    utc: str | None = None  # when it began, by the names of the segments (ISO 8601)


class Seam(Struct, frozen=True):
    """Where a recording goes on with another failover part."""

    at: float  # seconds from the beginning of the MP4
    part: str
    reason: str  # for people: what tells its place
    utc: str | None = None  # when, by the names of the segments (ISO 8601)


class AccountEntry(Struct, frozen=True):
    """One track in one slot of the playlist: what was promised, and what was delivered."""

    slot: str
    track: str  # "video" or "audio"
    pid: int
    promised: float | None  # seconds: EXTINF
    delivered: float = 0.0  # seconds its units last
    lost: float = 0.0  # seconds: of its own promise, or in front of its first unit
    closed: float = 0.0  # seconds of ``lost`` that take no time in the result
    excepted: float = 0.0  # seconds that are not there, and for ``reason`` are not lost
    reason: str | None = None
    unexplained: float = 0.0  # seconds that are not there, and nothing says why
    units: int = 0
    bytes: int = 0  # of them, as the result stores them
    payload: int = 0  # bytes of the elementary stream in its packets
    taken: int = 0  # of these, bytes its units were made of
    dropped: int = 0  # bytes that are in no unit
    aside: int = 0  # bytes that do not belong here, or stand elsewhere as well
    cut: int = 0  # units that lost bytes
    packets: int = 0  # missing at least, by the continuity counters
    witnesses: tuple[str, ...] = ()  # who says that something is missing
    filled: int = 0  # units that were put in: silence, or pictures for a hole

    @property
    def short(self) -> bool:
        """Less was delivered than was promised."""
        missing = self.lost or self.unexplained
        return bool(missing or self.cut or self.packets or self.dropped)


class Total(Struct, frozen=True):
    """All entries of one track as one."""

    track: str
    pid: int
    slots: int
    promised: float
    delivered: float
    lost: float
    closed: float
    excepted: float
    unexplained: float
    units: int
    bytes: int
    payload: int
    dropped: int
    aside: int
    filled: int = 0


class Account(Struct, frozen=True):
    """What was promised and delivered, in summary."""

    tracks: tuple[Total, ...] = ()
    slots: tuple[AccountEntry, ...] = ()  # those of which there is something to say
    more: int = 0  # such slots that are not among them


class Proof(Struct, frozen=True):
    """The MP4 against the segments; all three must hold."""

    counts: bool = False
    timestamps: bool | None = False  # None: the format has none
    bytes: bool = False
    max_error_ticks: float = 0.0  # of 90 kHz
    filled: int = 0  # samples that were put in, silence or black: they are none of the source's

    @property
    def holds(self) -> bool:
        """Nothing was lost and nothing moved."""
        return self.counts and self.timestamps is not False and self.bytes


class TrackInfo(Struct, frozen=True):
    """One track of the result."""

    type: str
    codec: str
    samples: int
    duration: float
    width: int | None = None
    height: int | None = None
    sample_rate: int | None = None
    channels: int | None = None


class Reencoded(Struct, frozen=True):
    """One stream of one segment that was re-encoded, because MP4 could not hold it as it was."""

    kind: str  # "video" or "audio"
    segment: str
    seconds: float
    units: int  # pictures, or frames of sound, that came out
    was: str  # its format, for people
    now: str


class Piece(Struct, frozen=True):
    """One of the files that a recording became where its format changes on the way."""

    begin: float  # seconds from the beginning of the recording
    duration: float
    output: str | None = None
    size: int | None = None
    sha256: str | None = None
    tracks: tuple[TrackInfo, ...] = ()
    proof: Proof | None = None


class SourceFile(Struct, frozen=True):
    """One input, exactly as it was read."""

    key: str
    size: int
    etag: str | None
    sha256: str | None  # None: it was not there to be read


class Report(Struct, frozen=True):
    """What became of one recording: the JSON line of ``convert`` and ``check``."""

    recording: str
    source: str
    verdict: Verdict
    findings: tuple[Finding, ...] = ()
    output: str | None = None
    receipt: str | None = None
    duration: float = 0.0
    lost_seconds: Mapping[str, float] = field(default_factory=dict)
    size: int | None = None
    sha256: str | None = None
    tracks: tuple[TrackInfo, ...] = ()
    proof: Proof | None = None
    started: str | None = None  # when its first moment was, by the slice names (ISO 8601)
    holes: tuple[Hole, ...] = ()
    joins: tuple[Seam, ...] = ()
    reencoded: tuple[Reencoded, ...] = ()
    account: Account | None = None  # None: no segment was opened
    pieces: tuple[Piece, ...] = ()  # all of them; ``output`` and what tells of it is the first
    timings: Mapping[str, float] = field(default_factory=dict)
    made: bool = False  # by this run; else it was there, or nothing was to be made
