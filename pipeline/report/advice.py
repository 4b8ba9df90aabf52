"""What to do about errors, and what became of a loss, in plain words.

The rows stand in ``docs/findings.md`` too, in more words for each severity.
"""

from collections.abc import Mapping

AGAIN = "Fetch the segment from the original store once more, and convert again with --force."
BOTH = "Fetch this segment and the one before it once more, and convert again with --force."
LOOK = "Look at what the files are; none of them can be read as media."
UNSUPPORTED = "This cannot be done right yet, so it is not done at all."
REPORT = "Please report it, with the version of ffmpeg that recpipe doctor shows."
SENDER = "Look at what the recorder was told to subscribe to (streamTypes)."

ADVICE: Mapping[str, str] = {
    "PL_NOT_M3U": "Name the playlist itself; what lies there is an error page or empty.",
    "PL_MASTER": "Name one of the playlists that it lists.",
    "PL_LIMIT": "Look at the playlist: it lists far more than any recording has.",
    "PL_UNSAFE_URI": "Find out who wrote the playlist: it names files outside its own folder.",
    "PL_KEY": "Give the key with --key FILE, or put it next to the playlist.",
    "PL_MAP": "Put the initialisation section that the playlist names next to it.",
    "PL_BYTERANGE": AGAIN,
    "PL_PARTS": "Look for the part that is missing in the original store.",
    "PL_NO_ENDLIST": "Run again when the recording has ended, or give --accept-unfinished.",
    "PL_TRUNCATED": "Fetch the playlist once more, or give --accept-unfinished.",
    "PL_GAP": "Nothing can be done: the media was never recorded.",
    "PL_EXTINF": AGAIN,
    "PL_ENCODING": "Write the playlist in UTF-8.",
    "SEG_MISSING": "Look for the segment in the original store, or wait for the upload to end.",
    "SEG_EMPTY": AGAIN,
    "SEG_SIZE": AGAIN,
    "SEG_ETAG": AGAIN,
    "NOT_TS": AGAIN,
    "SEG_PARTIAL": AGAIN,
    "SEG_DUP": AGAIN,
    "SEG_FOREIGN": "Find out what wrote over the segment, and look for another copy.",
    "SEG_SHORT": AGAIN,
    "ES_BYTES": REPORT,
    "SYNC_BYTE": AGAIN,
    "TEI": AGAIN,
    "SCRAMBLED": "Fetch the segment once more; if all are encrypted, decrypt them first.",
    "AF_LENGTH": AGAIN,
    "CC": AGAIN,
    "CC_EDGE": BOTH,
    "PSI_MISSING": LOOK,
    "PAT_PROGRAMS": UNSUPPORTED,
    "PMT_CHANGE": UNSUPPORTED,
    "ES_ABSENT": AGAIN,
    "ES_CODEC": "Look at the stream: what it holds is not in the file.",
    "ES_UNREFERENCED": "Look at the stream: what it holds is not in the file.",
    "PES_NONE": AGAIN,
    "PES_START": AGAIN,
    "PES_SIZE": AGAIN,
    "ADTS_SYNC": AGAIN,
    "PTS_MARKER": AGAIN,
    "DTS_BACK": AGAIN,
    "AV_SHIFT": "Look whether sound and picture fit there, and fetch the segment once more.",
    "DTS_GAP": "Look in the store for a segment that the playlist does not list.",
    "SPS_CHANGE": "Convert without --on-change fail, or with --on-change split.",
    "AAC_CHANGE": "Convert without --on-change fail, or with --on-change split.",
    "ROTATION": "Convert without --on-change fail, or with --on-change split.",
    "ENCODED": "Convert without --width, --height, --video-bitrate and --video-framerate.",
    "DECODE": AGAIN,
    "NO_KEY_AT_START": AGAIN,
    "EXPECT_AUDIO": SENDER,
    "EXPECT_VIDEO": SENDER,
    "M_PARSE": REPORT,
    "M_REFUSED": "Fetch the first segments once more, or try another ffmpeg with --ffmpeg.",
    "M_TRACKS": "Choose another --format; else report it.",
    "M_COUNT": REPORT,
    "M_HASH": REPORT,
    "M_TIME": REPORT,
    "M_BOUNDS": REPORT,
    "M_FASTSTART": REPORT,
    "M_CHAPTERS": REPORT,
    "M_CONFIG": REPORT,
    "M_ROTATION": REPORT,
}

REPAIRS: Mapping[str, str] = {
    "hole kept": "Its time is kept: the last picture stays, and the sound is silent.",
    "hole closed": "Its time is left out where all tracks lack it: the rest comes earlier.",
    "hole filled where it reaches to the next segment, else kept": (
        "Black pictures or silence stand in its place, or its time is kept."
    ),
    "left out: nothing stands beyond it": "The file begins behind it, or ends in front of it.",
    "not kept: it lies between two files": "It lies between two files, and is in neither.",
}


def repaired(repair: str | None) -> str:
    """What was done about a finding, as a sentence; empty if nothing was."""
    if not repair:
        return ""
    text = REPAIRS.get(repair, repair[:1].upper() + repair[1:])
    return text if text.endswith(".") else f"{text}."
