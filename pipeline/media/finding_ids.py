"""Every id a finding can have, as docs/findings.md shows them.

A receipt has the ids of the program that wrote it: one that is not here is no error.
"""

from enum import StrEnum

from msgspec import Struct


class Cost(StrEnum):
    """What a finding of severity error or fatal costs.  One of lower severity costs nothing."""

    CLAIMED = "what the account finds missing there"  # nothing by itself: media/loss/account
    MISSING = "what it says is missing"
    PENDING = "what is still to come"  # the recording may not be finished
    REFUSED = "the whole MP4"


class HoleReason(StrEnum):
    """Why there is a hole, for people.  Order matters: the plainest reason first."""

    MISSING = "segment missing"
    EMPTY = "segment empty"
    UNREADABLE = "segment unreadable"
    DECLARED = "declared by the playlist"
    ABSENT = "stream missing"
    CUT = "segment cut off"
    OVERWRITTEN = "segment overwritten"
    PACKETS = "packets lost"
    NOTHING = "nothing recorded"
    UNKNOWN = "media lost"


class FindingId(Struct, frozen=True):
    """What is known of all findings of one id, whatever their severity."""

    id: str
    meaning: str  # stands in the detail of some findings too, and so in receipts and kept scans
    cause: str
    costs: tuple[Cost, ...] = ()
    hole: HoleReason | None = None  # why there is a hole beside such a finding
    head: bool = False  # it may concern the beginning of its segment alone
    tail: bool = False  # it may concern the end of its segment alone
    change_of: str = ""  # "video" or "audio" where it reports a change of format: see --on-change


_CLAIMED = (Cost.CLAIMED,)
_MISSING = (Cost.MISSING,)
_PENDING = (Cost.PENDING,)
_REFUSED = (Cost.REFUSED,)

_PLAYLIST = (
    FindingId("PL_NOT_M3U", "the file is no playlist", "empty, or an error page", _REFUSED),
    FindingId("PL_MASTER", "it lists playlists, not segments", "another one is meant", _REFUSED),
    FindingId("PL_LIMIT", "too much for one recording", "damage, or an attack", _REFUSED),
    FindingId(
        "PL_UNSAFE_URI", "a name outside the playlist's folder", "an edit, or an attack", _REFUSED
    ),
    FindingId("PL_KEY", "segments are encrypted", "encryption is on in the recorder", _REFUSED),
    FindingId("PL_MAP", "an initialisation section", "segments of fragmented MP4", _REFUSED),
    FindingId(
        "PL_BYTERANGE",
        "a segment is a part of a file that is not clear or not there",
        "a damaged playlist, or a file cut off",
        _MISSING + _REFUSED,
    ),
    FindingId("PL_PARTS", "the recording has parts", "a server of the recorder failed", _MISSING),
    FindingId("PL_ORPHAN", "a slice that no playlist lists", "a server of the recorder failed"),
    FindingId(
        "PL_NO_ENDLIST",
        "no EXT-X-ENDLIST",
        "recording or upload goes on, or a server failed",
        _PENDING,
    ),
    FindingId("PL_GIVEN_UP", "converted although no end came", "the watcher waited long enough"),
    FindingId(
        "PL_TRUNCATED",
        "the playlist is cut off",
        "an upload that goes on or broke off",
        _PENDING + _MISSING + _REFUSED,
    ),
    FindingId(
        "PL_GAP",
        "the playlist declares a gap",
        "a segment was never recorded",
        _MISSING,
        HoleReason.DECLARED,
    ),
    FindingId("PL_EXTINF", "EXTINF and media differ", "a segment cut off, or rounding", _CLAIMED),
    FindingId("PL_ORDER", "segments out of order", "the playlist was rebuilt"),
    FindingId("PL_DUP_URI", "a segment listed more than once", "the playlist was written twice"),
    FindingId("PL_ENCODING", "bytes that are not UTF-8", "edited with another encoding", _REFUSED),
    FindingId("PL_MEDIA_SEQUENCE", "not numbered from 0", "the beginning was removed"),
    FindingId("PL_BOM", "a byte order mark", "saved by an editor"),
    FindingId("PL_DISCONTINUITY", "breaks that the playlist declares", "an interruption"),
    FindingId("PL_TARGET", "segments longer than the target duration", "key pictures far apart"),
)

_SEGMENTS = (
    FindingId(
        "SEG_MISSING",
        "a listed segment is not there",
        "not uploaded yet, or removed",
        _MISSING,
        HoleReason.MISSING,
    ),
    FindingId(
        "SEG_EMPTY", "a segment of 0 bytes", "an upload that failed", _MISSING, HoleReason.EMPTY
    ),
    FindingId(
        "SEG_SIZE",
        "a segment of another size than listed",
        "a copy that broke off",
        _MISSING,
        tail=True,
    ),
    FindingId("SEG_ETAG", "other bytes than were stored", "damage in the store or after", _MISSING),
    FindingId(
        "NOT_TS",
        "neither transport stream, fragmented MP4 nor WebM",
        "overwritten, or another file stored under its name",
        _MISSING,
        HoleReason.UNREADABLE,
    ),
    FindingId(
        "SEG_PARTIAL",
        "does not begin or end with a whole packet, box or element",
        "an upload or a copy that broke off",
        _MISSING,
        HoleReason.CUT,
        tail=True,
    ),
    FindingId("SEG_DUP", "the same media twice", "listed or stored twice", _MISSING),
    FindingId("SEG_FOREIGN", "a segment of another recording", "overwritten", _MISSING),
    FindingId("SEG_SHORT", "less media than promised", "a loss that no rule noticed", _MISSING),
    FindingId("ES_BYTES", "bytes of a track do not add up", "a mistake of this tool", _MISSING),
    FindingId("ES_START", "a stream was interrupted", "the sender stopped sending for a while"),
)

_PACKETS = (
    FindingId(
        "SYNC_BYTE",
        "packets that do not begin with 0x47",
        "bytes overwritten, zeroed, put in or taken out",
        _CLAIMED,
        HoleReason.OVERWRITTEN,
    ),
    FindingId("TEI", "packets marked as damaged in transport", "flipped bits", _CLAIMED),
    FindingId("SCRAMBLED", "packets marked as scrambled", "flipped bits, or encryption", _CLAIMED),
    FindingId(
        "AF_LENGTH", "packets whose adaptation field cannot be one", "flipped bits", _CLAIMED
    ),
    FindingId(
        "CC",
        "the continuity counter jumps inside a segment",
        "packets lost or sent again",
        _CLAIMED,
        HoleReason.PACKETS,
        tail=True,
    ),
    FindingId(
        "CC_EDGE",
        "the continuity counter jumps between two segments",
        "packets lost at the end of one or the beginning of the other",
        _CLAIMED,
        HoleReason.PACKETS,
        head=True,
        tail=True,
    ),
    FindingId("CC_DUP", "packets sent twice", "a muxer may: ISO/IEC 13818-1 clause 2.4.3.3"),
    FindingId("PCR_JUMP", "the clock reference runs back", "the recorder set its clock"),
    FindingId("PSI_LENGTH", "a table that is cut short", "packets lost"),
    FindingId("PSI_CRC", "a table whose checksum does not hold", "flipped bits"),
    FindingId("PSI_MISSING", "no tables", "a segment that begins late, or packets lost", _REFUSED),
    FindingId("PAT_PROGRAMS", "more than one program", "not a recording of Agora's", _REFUSED),
    FindingId("PMT_CHANGE", "the tables list other streams", "one came, went or moved", _REFUSED),
    FindingId("PMT_PID_CHANGE", "the PMT moved to another PID", "the recorder restarted"),
)

_STREAMS = (
    FindingId(
        "ES_ABSENT",
        "no sound or no picture",
        "nobody spoke or showed any, or it was lost",
        _CLAIMED + _REFUSED,
        HoleReason.ABSENT,
    ),
    FindingId(
        "ES_CODEC",
        "a codec that cannot be copied, or is not known",
        "another recorder, or damage",
        _MISSING + _REFUSED,
    ),
    FindingId("ES_DATA", "a stream of data", "metadata, sections or teletext beside the media"),
    FindingId("ES_UNREFERENCED", "a stream that no table lists", "tables lost or wrong", _MISSING),
    FindingId("PMT_TYPE", "sound of another kind than listed", "a stream_type that is wrong"),
    FindingId("PES_NONE", "packets of no PES", "their first packets are lost", _CLAIMED),
    FindingId("PES_HEADER", "PES headers that cannot be right", "flipped bits"),
    FindingId(
        "PES_START", "PES that do not begin as announced", "packets lost", _CLAIMED, head=True
    ),
    FindingId("PES_SIZE", "PES not as long as they declare", "packets lost", _CLAIMED, tail=True),
    FindingId("ADTS_SYNC", "bytes that are no AAC frame", "packets lost, flipped bits", _CLAIMED),
    FindingId("PTS_MARKER", "time stamps that are none", "flipped bits", _CLAIMED),
    FindingId("PTS_ZERO", "a segment begins with a stamp of 0", "a clock that was not set yet"),
    FindingId("PTS_RANGE", "single stamps that cannot be right", "flipped bits"),
    FindingId("PTS_ABSENT", "pictures without time stamps", "the recorder wrote none"),
    FindingId("DTS_LATE", "pictures shown before they are decoded", "a delay that is too short"),
    FindingId(
        "DTS_BACK",
        "the clock or a stamp goes back",
        "a restart of the recorder, or flipped bits",
        _CLAIMED + _REFUSED,
    ),
    FindingId(
        "AV_SHIFT", "one stream shifted against the others", "its clock was set wrong", _MISSING
    ),
    FindingId(
        "DTS_GAP",
        "a span without media, or a step of the clock",
        "a segment that is not listed, a pause, or a restart of the recorder",
        _CLAIMED,
        HoleReason.NOTHING,
        head=True,
    ),
    FindingId(
        "SPS_CHANGE",
        "pictures of another format than the rest",
        "another device, layout or size",
        _REFUSED,
        change_of="video",
    ),
    FindingId(
        "AAC_CHANGE",
        "sound of another format than the rest",
        "another sample rate or number of channels",
        _REFUSED,
        change_of="audio",
    ),
    FindingId(
        "ROTATION",
        "pictures that are turned, or turned otherwise than the rest",
        "a phone that is held sideways",
        _REFUSED,
    ),
    FindingId("ENCODED", "all pictures re-encoded", "a size or rate was asked for", _REFUSED),
    FindingId("DECODE", "pictures or sound that cannot be decoded", "bytes changed", _MISSING),
    FindingId("NO_KEY_AT_START", "no key picture at the beginning", "it was lost", _MISSING),
    FindingId("AUDIO_CLOCK", "stamps and samples of the sound run apart", "two clocks that drift"),
    FindingId("BLACK", "black pictures", "a web user without a camera"),
    FindingId("FROZEN", "pictures that do not change", "a document shown, or a sender stuck"),
    FindingId("SILENT", "digital silence", "nobody spoke, or a muted sender"),
    FindingId("EXPECT_AUDIO", "no sound, expected some", "nobody sent any", _MISSING),
    FindingId("EXPECT_VIDEO", "no picture, expected some", "nobody sent any", _MISSING),
    FindingId("AV_START", "sound and picture begin apart", "one was sent before the other"),
    FindingId("AV_END", "sound and picture end apart", "one was sent longer than the other"),
)

_OURS = "a mistake of ffmpeg or of this tool"
_RESULT = (
    FindingId("M_PARSE", "the result cannot be read back", "a mistake of ffmpeg", _REFUSED),
    FindingId("M_REFUSED", "ffmpeg would not take the stream", "a header that lies", _REFUSED),
    FindingId("M_TRACKS", "other tracks than asked for", "no sound, or ffmpeg's mistake", _REFUSED),
    FindingId("M_COUNT", "more or fewer samples", _OURS, _REFUSED),
    FindingId("M_HASH", "samples that differ", _OURS, _REFUSED),
    FindingId("M_TIME", "samples at another time", _OURS, _REFUSED),
    FindingId("M_BOUNDS", "samples outside the media data", _OURS, _REFUSED),
    FindingId("M_FASTSTART", "the index behind the media", _OURS, _REFUSED),
    FindingId("M_CHAPTERS", "chapters that are not the holes", _OURS, _REFUSED),
    FindingId("M_CONFIG", "another decoder configuration", _OURS, _REFUSED),
    FindingId("M_ROTATION", "players would turn the pictures otherwise", _OURS, _REFUSED),
    FindingId("M_FILL", "holes that could not be filled", "a form that cannot be made"),
    FindingId("M_CAPTIONS", "a subtitle track that is not the captions", _OURS),
    FindingId("CAPTIONS", "captions put in as a subtitle track", "speech to text was recorded"),
    FindingId("CAPTIONS_UNUSED", "captions that could not be used", "damage, or another time"),
    FindingId("VIDEO_FILLED", "black pictures put in", "none was sent, or none is left"),
    FindingId("AUDIO_FILLED", "silent frames put in", "none was sent, or none is left"),
    FindingId("M_ENCODED", "proven by its length alone", "an mp3 or wav is re-encoded"),
    FindingId("M_COMPOSED", "one file of all users, encoded", "it was asked for: --users"),
)

IDS = {one.id: one for one in (*_PLAYLIST, *_SEGMENTS, *_PACKETS, *_STREAMS, *_RESULT)}

# A rule that claims something of packets and stamps costs only what the account says is missing;
# every other error says by itself that something promised is not there.
CLAIMS = frozenset(one.id for one in IDS.values() if Cost.CLAIMED in one.costs)
UNFINISHED = frozenset(one.id for one in IDS.values() if Cost.PENDING in one.costs)
AT_THE_HEAD = frozenset(one.id for one in IDS.values() if one.head)
AT_THE_TAIL = frozenset(one.id for one in IDS.values() if one.tail)
CHANGES = {one.change_of: one.id for one in IDS.values() if one.change_of}  # by kind of stream


def hole_reason(ids: set[str]) -> HoleReason:
    """The plainest reason that findings of these ids give for a hole; unknown ids are ignored."""
    given = {IDS[id].hole for id in ids & IDS.keys()}
    return next((reason for reason in HoleReason if reason in given), HoleReason.UNKNOWN)
