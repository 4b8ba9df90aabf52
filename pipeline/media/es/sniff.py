"""What bytes that are no transport stream look like."""

import re

from pipeline.media.es.adts import SIGNATURE

_KINDS = (
    (rb"\x1aE\xdf\xa3", "a WebM or Matroska file"),
    (rb"....(ftyp|styp|moof|moov|sidx|emsg|prft)", "an MP4 file or fragment"),
    (rb"ID3|" + SIGNATURE, "packed audio (ADTS)"),
    (rb"\x1f\x8b", "gzip data"),
    (rb"#EXTM3U", "a playlist"),
    (rb"\xff\xd8\xff|\x89PNG|GIF8", "a picture"),
    (rb"(?i)\s*<(!doctype html|html|head|body)", "an HTML page"),
    (rb"\s*<", "an XML document"),
    (rb"\s*[{\[]", "a JSON document"),
    (rb"\x00+$", "nothing but zeros"),
    (rb"(?s)....G.{191}G.{191}G", "a stream of 192-byte packets (M2TS)"),
)


def sniff(head: bytes) -> str:
    """What the first bytes of a file look like, for people.  Never raises."""
    for pattern, kind in _KINDS:
        if re.match(pattern, head, re.DOTALL):
            return kind
    varied = len(set(head[:1024])) > 200
    return "encrypted or random data" if varied else "unknown data"
