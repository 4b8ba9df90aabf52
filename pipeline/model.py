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
    """What became of a recording ("Words" in ``docs/design.md``)."""

    OK = "ok"  # no finding above warning, and nothing was changed
    REPAIRED = "repaired"  # no finding above warning, and something was put right
    DEGRADED = "degraded"  # the source lost media: an MP4, and a list of what is missing
    REJECTED = "rejected"  # no MP4: it would mislead or be unsafe
    PENDING = "pending"  # the playlist is not finished


class Finding(Struct, frozen=True):
    """One fact about bad data, aggregated per (id, segment, pid).  ``id`` is a row of
    :mod:`pipeline.media.finding_ids`; ``segment`` is None if no single one is meant.  ``detail``
    says what was found, then what was expected; ``repair`` what was done then.
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
    parts.  ``etag`` changes whenever the object does; it has no quotes.
    """

    key: str
    size: int
    etag: str | None  # None: the store gives none
    modified: float  # seconds since the epoch; two answers about one version may be 1 s apart

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rpartition("/")[2]


class Key(Struct, frozen=True):
    """What AES-128 segments are encrypted with (EXT-X-KEY, RFC 8216 section 4.3.2.4)."""

    name: str  # the file of the key; empty where the playlist names none beside or below it
    iv: bytes | None = None  # 16 bytes; None: the media sequence number (RFC 8216 section 5.2)


class InitSection(Struct, frozen=True):
    """What fragmented MP4 segments need in front of them (EXT-X-MAP, RFC 8216 section 4.3.2.5)."""

    name: str
    byterange: tuple[int, int] | None = None  # length, offset: bytes
    key: Key | None = None  # it is encrypted as well


class TrackEvent(Struct, frozen=True):
    """A stream begins, or goes on after an interruption (EXT-X-AGORA-TRACK-EVENT, EVENT=START)."""

    kind: str  # "video" or "audio"
    time: float | None  # seconds since the epoch


class Rotation(Struct, frozen=True):
    """Size (pixels) and rotation of the pictures from here on (EXT-X-AGORA-ROTATE)."""

    width: int
    height: int
    degrees: int  # by which they are turned anticlockwise as they are stored
    time: float | None  # seconds since the epoch


class Turn(Struct, frozen=True):
    """From here on the pictures of a segment are turned so far."""

    since: float  # seconds from its beginning
    degrees: int  # anticlockwise, as they are stored: a player turns them as far clockwise


class Segment(Struct, frozen=True):
    """One media segment as its playlist lists it (RFC 8216 section 3)."""

    uri: str
    duration: float  # EXTINF, RFC 8216 section 4.3.2.1
    discontinuity: bool = False  # EXT-X-DISCONTINUITY, RFC 8216 section 4.3.2.3
    gap: bool = False  # EXT-X-GAP, RFC 8216bis section 4.4.4.7
    byterange: tuple[int, int] | None = None  # length, offset: bytes; section 4.3.2.2
    key: Key | None = None
    init: InitSection | None = None
    events: tuple[TrackEvent, ...] = ()  # that stand in front of it
    rotations: tuple[Rotation, ...] = ()
    rounded: bool = False  # EXTINF in whole seconds (RFC 8216 section 4.3.2.1)
    time: float | None = None  # EXT-X-PROGRAM-DATE-TIME, section 4.3.2.6: seconds since the epoch


class Playlist(Struct, frozen=True):
    """A media playlist (RFC 8216 section 4), with what is wrong about it."""

    segments: tuple[Segment, ...] = ()
    ended: bool = False  # EXT-X-ENDLIST, RFC 8216 section 4.3.3.4
    findings: tuple[Finding, ...] = ()


class Part(Struct, frozen=True):
    """One playlist with the objects beside it; ``playlist`` is None for a lone media file."""

    playlist: StoredObject | None
    folder: str  # key of the folder the segments lie in, "" or ending in "/"
    # by name: what lies beside it, and below, as far as no playlist there is nearer
    objects: Mapping[str, StoredObject] = field(default_factory=dict)
    captions: Mapping[str, StoredObject] = field(default_factory=dict)  # of those, by name
    copies: tuple[StoredObject, ...] = ()  # other versions of the playlist, from the backup cloud
    bak: int | None = None  # None: the main part; 0..2: failover parts
    sid: str | None = None  # whose it is, if not its recording's: see :mod:`pipeline.jobs.events`


class Recording(Struct, frozen=True):
    """Everything of one ``sid``, or of one playlist or media file that is not Agora's."""

    id: str  # "<sid>_<cname>", or the file's stem
    source: str  # for people: where it came from
    parts: tuple[Part, ...]
    sid: str | None = None
    cname: str | None = None
    # of a session (individual mode): each stream of each user by itself, which hold all its parts
    streams: tuple["Recording", ...] = ()


MAIN = "main"  # the name of the part that is not a failover part


class Listed(Struct, frozen=True):
    """One segment of a playlist with the object it names, None when there is none."""

    segment: Segment  # its ``uri`` is the name of the object, below the folder of the playlist
    object: StoredObject | None
    utc: float | None = None  # when it begins, by its name: seconds since the epoch
    part: str = MAIN
    listed: bool = True  # False: the playlist lacks it
    key: StoredObject | None = None  # the file that holds its key
    init: StoredObject | None = None  # its initialisation section
    init_key: StoredObject | None = None
    turns: tuple[Turn, ...] = ()  # of its pictures, the first from its beginning; empty: upright

    @property
    def name(self) -> str:
        """Its name in findings: that of the file, with ``@offset`` (bytes) where it is a part."""
        part = self.segment.byterange
        whole = part is None or self.object is None or part == (self.object.size, 0)
        return self.segment.uri if whole or part is None else f"{self.segment.uri}@{part[1]}"


class Inventory(Struct, frozen=True):
    """What a recording should hold, before a segment is opened; its parts one after the other."""

    segments: tuple[Listed, ...]
    findings: tuple[Finding, ...]
    unfinished: bool = False  # the playlist has no end, and that was not allowed
    playlists: tuple[StoredObject, ...] = ()
    streams: tuple["Inventory", ...] = ()  # of a session: what each of its streams should hold


class Hole(Struct, frozen=True):
    """A span of the timeline for which no media exists."""

    kind: str  # "video" or "audio"
    start: float  # seconds from the beginning of the MP4
    length: float  # seconds
    segment: str  # the segment behind it
    reason: str = "media lost"  # in plain words
    became: str = "kept"  # "closed": of no length in the MP4; "filled": with media made for it
    utc: str | None = None  # when it began, by the names of the segments (ISO 8601)


class Absence(Struct, frozen=True):
    """A span in which a stream was not sent: its user was away, muted, or had the camera off."""

    kind: str  # "video" or "audio"
    start: float  # seconds from the beginning of the MP4
    length: float  # seconds
    cause: str  # in plain words
    became: str = "kept"  # "closed": of no length in the MP4; "black": with a black picture
    utc: str | None = None  # when it began, by the names of the segments (ISO 8601)


class Seam(Struct, frozen=True):
    """Where a recording goes on with another failover part."""

    at: float  # seconds from the beginning of the MP4
    part: str
    reason: str  # for people: how its place is known
    utc: str | None = None  # when, by the names of the segments (ISO 8601)


class AccountEntry(Struct, frozen=True):
    """One track in one slot of the playlist: what was promised, and what was delivered.

    The account as ``docs/guide.md`` describes it.
    """

    slot: str  # name of the segment
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
    bytes: int = 0  # of these units, as the result stores them
    payload: int = 0  # bytes of the elementary stream in its packets
    taken: int = 0  # of these, bytes its units were made of
    dropped: int = 0  # bytes that are in no unit
    aside: int = 0  # bytes that do not belong here, or stand elsewhere as well
    cut: int = 0  # units that lost bytes
    packets: int = 0  # missing, at least, by the continuity counters
    witnesses: tuple[str, ...] = ()  # what says that something is missing
    filled: int = 0  # units that were put in: silence, or pictures for a hole

    @property
    def short(self) -> bool:
        """Less was delivered than was promised."""
        missing = self.lost or self.unexplained
        return bool(missing or self.cut or self.packets or self.dropped)


class Total(Struct, frozen=True):
    """All entries of one track added up, in the units of :class:`AccountEntry`."""

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
    slots: tuple[AccountEntry, ...] = ()  # those that are not as promised
    more: int = 0  # such slots that were left out


class TrackCoverage(Struct, frozen=True):
    """Where the units of one track are shown, segment by segment of :class:`Coverage`."""

    track: str  # "video" or "audio"
    pid: int
    before: float = 0.0  # seconds that are lost in front of its first unit
    behind: float = 0.0  # and behind its last one
    begin: tuple[float | None, ...] = ()  # seconds of the result; None: the segment has none of it
    end: tuple[float | None, ...] = ()
    unsent: float = 0.0  # seconds between what is lost before and its first unit


class Coverage(Struct, frozen=True):
    """Which media of the source stands where in the result; what was put in is not counted."""

    segments: tuple[str, ...] = ()  # those that have a place, in order
    tracks: tuple[TrackCoverage, ...] = ()


class Proof(Struct, frozen=True):
    """The MP4 against the segments; counts, time stamps and bytes must all hold."""

    counts: bool = False  # as many samples as units
    timestamps: bool | None = False  # None: the format has none
    bytes: bool = False  # the bytes of every unit
    max_error_ticks: float = 0.0  # of 90 kHz
    filled: int = 0  # samples that were put in, silence or black: not from the source

    @property
    def holds(self) -> bool:
        """Nothing was lost and nothing moved."""
        return self.counts and self.timestamps is not False and self.bytes


class TrackInfo(Struct, frozen=True):
    """One track of the result."""

    type: str  # "video" or "audio"
    codec: str
    samples: int
    duration: float
    width: int | None = None  # pixels
    height: int | None = None  # pixels
    sample_rate: int | None = None  # Hz
    channels: int | None = None
    rotation: int | None = None  # degrees clockwise by which players turn its pictures


class Reencoded(Struct, frozen=True):
    """One stream of one segment that was re-encoded: MP4 could not hold it, or it was asked for."""

    kind: str  # "video" or "audio"
    segment: str
    seconds: float
    units: int  # pictures, or frames of sound, in the result
    was: str  # its format, for people
    now: str


class Piece(Struct, frozen=True):
    """One of the files of a recording whose format changes, or that is too long for one."""

    begin: float  # seconds from the beginning of the recording
    duration: float
    output: str | None = None
    size: int | None = None
    sha256: str | None = None
    tracks: tuple[TrackInfo, ...] = ()
    proof: Proof | None = None
    started: str | None = None  # what time it was at its beginning, as that of the report


class SourceFile(Struct, frozen=True):
    """One input, exactly as it was read."""

    key: str
    size: int
    etag: str | None
    sha256: str | None  # None: it was not there to be read


class CaptionTrack(Struct, frozen=True):
    """Captions that were put into the result as a subtitle track."""

    name: str  # of their playlist, or what their files are called
    language: str  # as they say (BCP 47), empty if they do not
    cues: int
    placed: str  # by what, for people
    files: tuple[SourceFile, ...] = ()


class Report(Struct, frozen=True):
    """What became of one recording: the JSON line of ``convert`` and ``check``."""

    recording: str
    source: str
    verdict: Verdict
    findings: tuple[Finding, ...] = ()
    output: str | None = None
    receipt: str | None = None
    page: str | None = None  # about it, where one was asked for
    duration: float = 0.0
    lost_seconds: Mapping[str, float] = field(default_factory=dict)  # of "video" and "audio"
    size: int | None = None
    sha256: str | None = None
    tracks: tuple[TrackInfo, ...] = ()
    proof: Proof | None = None
    started: str | None = None  # when it begins, by the slice names (ISO 8601)
    holes: tuple[Hole, ...] = ()
    joins: tuple[Seam, ...] = ()
    reencoded: tuple[Reencoded, ...] = ()
    account: Account | None = None  # None: no segment was opened
    coverage: Coverage | None = None  # None: no segment was opened, or an older version made it
    pieces: tuple[Piece, ...] = ()  # all files; ``output``, ``tracks`` and ``proof`` tell the first
    timings: Mapping[str, float] = field(default_factory=dict)  # seconds spent in each stage
    made: bool = False  # by this run; else the file was there, or nothing was to be made
    captions: tuple[CaptionTrack, ...] = ()
    absences: tuple[Absence, ...] = ()  # of a user: no loss
    session: str | None = None  # the id of the session it is one file of
    uid: str | None = None  # whose file that is
    users: tuple["Report", ...] = ()  # of a session: what became of each of its users
    name: str | None = None  # what that user is called, where it was said
    role: str | None = None
