"""Reads a media playlist (RFC 8216).  Long: it has every tag, and every wrong way to write one.

The only module that imports m3u8.  m3u8 takes an HTML page for an empty playlist, skips a URI
without EXTINF and raises for a bad number: so it gets plain grammar and safe names only.
"""

import codecs
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from msgspec.structs import replace

from pipeline.media.findings import bounded
from pipeline.media.playlist.agora_tags import Events
from pipeline.media.playlist.tags import References, quoted, unsafe
from pipeline.model import (
    Finding,
    InitSection,
    Key,
    Playlist,
    Rotation,
    Segment,
    Severity,
    TrackEvent,
)
from pipeline.upkeep import imported_later

with imported_later("gzip", "ssl", "urllib.request"):  # for its HTTP client: 10 ms
    import m3u8

MAX_BYTES = 64 << 20
MAX_LINES = 1_000_000
MAX_LINE = 8_192  # characters
MAX_SEGMENTS = 200_000  # 24 hours are 5,760
MAX_SECONDS = 86_400.0  # EXTINF of one segment
MAX_NAMED = 50  # findings of one id with a segment of their own; the rest share one

OfAgora = tuple[tuple[TrackEvent, ...], tuple[Rotation, ...]]
Told = tuple[Key | None, InitSection | None, OfAgora, bool, float | None]

_ENDLIST = "#EXT-X-ENDLIST"
_PLAIN = {"#EXT-X-DISCONTINUITY", "#EXT-X-GAP", "#EXT-X-BYTERANGE"}
_NUMBERS = {
    "#EXT-X-MEDIA-SEQUENCE": ("PL_MEDIA_SEQUENCE", Severity.WARNING),
    "#EXT-X-TARGETDURATION": ("PL_TARGET", Severity.INFO),
}
_MASTER = ("STREAM-INF", "I-FRAME-STREAM-INF", "MEDIA", "SESSION-DATA", "SESSION-KEY")
_FOREIGN = {  # RFC 8216 section 4.3.4, and what lists only part of a recording
    **{f"#EXT-X-{name}": ("PL_MASTER", "a multivariant playlist") for name in _MASTER},
    "#EXT-X-I-FRAMES-ONLY": ("PL_MASTER", "a list of key frames for seeking"),
    "#EXT-X-SKIP": ("PL_TRUNCATED", "a delta update, which leaves segments out"),
}
_KINDS = (
    (rb"\s*\Z", "nothing"),
    (rb"\s*<(?:!doctype\s+)?html\b", "an HTML page"),
    (rb"\s*<", "an XML document"),
    (rb"\s*[{\[]", "JSON"),
    (rb"\xff\xfe|\xfe\xff", "UTF-16 text"),
    (rb"[^\0-\x08]+\Z", "some other text"),
    (rb"", "binary data"),
)
_HEADER = re.compile(rb"[ \t\r\n]*#EXTM3U(?![^ \t\r\n])")
_NOT_UTF8 = re.compile(r"[\udc80-\udcff]")
_INTEGER = re.compile(r"[0-9]{1,20}")  # RFC 8216 section 4.2
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_WHOLE = re.compile(r"[0-9]+(,.*)?")
_DECIMAL_COMMA = re.compile(r"([0-9]+),([0-9]+)\s*,\s*")
_BYTERANGE = re.compile(r"([0-9]{1,19})(?:@([0-9]{1,19}))?")


def parse(data: bytes) -> Playlist:
    """A media playlist (RFC 8216 section 4): its segments in listed order, and all that is wrong.
    Never raises for bad data.

    A segment with an unsafe name is left out, so every name may be joined to a folder as it is.
    """
    if refused := next(_not_m3u(data), None):
        return Playlist(findings=(refused,))
    text = data.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = [line.strip(" \t") for line in text.split("\n")]
    if refused := next(_not_a_recording(lines), None):
        return Playlist(findings=(refused,))
    plain, told, found = _plain(lines)
    head = _grammar(plain)
    segments = _segments(head, told)
    found = [*_encoding(data, lines), *found]
    found += [finding for rule in _RULES for finding in rule(segments, head)]
    return Playlist(segments, bool(head["is_endlist"]), bounded(found, MAX_NAMED))


def begins(data: bytes) -> bool:
    """Whether a file that begins with these bytes is a playlist, whatever its name (RFC 8216
    section 4.3.1.1).
    """
    return _HEADER.match(data.removeprefix(codecs.BOM_UTF8)) is not None


def _grammar(plain: Sequence[str]) -> Mapping[str, Any]:
    """What m3u8 reads, as its own dictionary: no objects made, no URL joined."""
    head = m3u8.parse("\n".join(plain))
    return {**head, "segments": [entry for entry in head["segments"] if "uri" in entry]}


def _fatal(id: str, detail: str) -> Finding:
    return Finding(id, Severity.FATAL, detail=detail)


# What refuses a whole file; only the first one counts.


def _not_m3u(data: bytes) -> Iterator[Finding]:
    """RFC 8216 section 4.3.1.1: the first line is #EXTM3U."""
    if len(data) > MAX_BYTES:
        yield _fatal("PL_LIMIT", f"{len(data)} bytes, at most {MAX_BYTES}")
    if not begins(data):
        start = data.removeprefix(codecs.BOM_UTF8)[:4096]
        kind = next(kind for pattern, kind in _KINDS if re.match(pattern, start, re.S | re.I))
        yield _fatal("PL_NOT_M3U", f"{kind}, expected #EXTM3U in the first line")
    if (count := max(data.count(b"\n"), data.count(b"\r"))) > MAX_LINES:
        yield _fatal("PL_LIMIT", f"{count} lines, at most {MAX_LINES}")


def _not_a_recording(lines: Sequence[str]) -> Iterator[Finding]:
    """Too long to be genuine, or a playlist that does not list a whole recording itself."""
    if (longest := max(map(len, lines))) > MAX_LINE:
        yield _fatal("PL_LIMIT", f"a line of {longest} characters, at most {MAX_LINE}")
    uris = sum(bool(line) and line[0] != "#" for line in lines)
    if uris > MAX_SEGMENTS:
        yield _fatal("PL_LIMIT", f"{uris} segments, at most {MAX_SEGMENTS}")
    for tag in (line.partition(":")[0] for line in lines):
        if tag in _FOREIGN:
            id, what = _FOREIGN[tag]
            yield _fatal(id, f"{what} ({tag}), expected a media playlist")
    if _ENDLIST in lines and uris == len(_cut(lines)):
        yield _fatal("PL_TRUNCATED", "lists no whole segment, but says it is complete")


# From lines to plain lines.


def _encoding(data: bytes, lines: Sequence[str]) -> Iterator[Finding]:
    """RFC 8216 section 4.1: UTF-8, and no BOM."""
    if data.startswith(codecs.BOM_UTF8):
        yield Finding("PL_BOM", Severity.WARNING, detail="begins with a byte order mark")
    for line in lines:
        if _NOT_UTF8.search(line):
            severity = Severity.WARNING if line.startswith("#") else Severity.FATAL
            yield Finding("PL_ENCODING", severity, detail=f"not UTF-8: {quoted(line)}")


def _plain(lines: Sequence[str]) -> tuple[list[str], list[Told], list[Finding]]:
    """The lines for m3u8: each safe URI with one EXTINF before it, and the tags that matter.

    Keys, initialisation sections and Agora's own tags are read here, for each of those URIs.
    """
    references, events = References(), Events()
    told: list[Told] = []
    plain = ["#EXTM3U", _ENDLIST] if _ENDLIST in lines else ["#EXTM3U"]
    found: list[Finding] = []
    extinf: str | None = None
    time: float | None = None
    cut = _cut(lines)
    for line in lines[:-1] if cut else lines:
        tag, _, value = line.partition(":")
        if tag == "#EXTINF":
            found += _without_uri(extinf)
            extinf = value.strip()
        elif tag in ("#EXT-X-KEY", "#EXT-X-MAP"):
            found += references.read(tag, value)
        elif tag == "#EXT-X-PROGRAM-DATE-TIME":
            time = _date_time(value.strip())
        elif line.startswith("#"):
            events.read(tag, value)
            found += _tag(tag, value.strip(), plain)
        elif line:
            listed = len(plain)
            found += _uri(line, extinf, plain)
            whole = _is_rounded(extinf or "")
            here = references.key, references.init, events.take(), whole, time
            told += [here] if len(plain) > listed else []
            extinf = time = None
    if not cut:
        return plain, told, found + _without_uri(extinf)
    if not lines[-1].startswith("#"):
        found += _uri(lines[-1], "0", [])  # half a name is not listed, but may be unsafe
    return plain, told, found + cut


def _cut(lines: Sequence[str]) -> list[Finding]:
    """The file ends inside its last line: no line break, and no ENDLIST or whole name there."""
    last = lines[-1]
    first = next((line for line in lines if line and line[0] != "#"), "")
    if last.startswith("#"):
        whole = _ENDLIST in lines
    else:
        whole = not last or PurePosixPath(last).suffix == PurePosixPath(first).suffix != ""
    detail = f"ends inside the line {quoted(last)}"
    return [] if whole else [Finding("PL_TRUNCATED", Severity.ERROR, detail=detail)]


def _without_uri(extinf: str | None) -> list[Finding]:
    """RFC 8216 section 4.3.2.1: an EXTINF belongs to the URI that follows it."""
    detail = f"EXTINF {quoted(extinf or '')} has no URI after it: a segment is not listed"
    return [] if extinf is None else [Finding("PL_TRUNCATED", Severity.ERROR, detail=detail)]


def _tag(tag: str, value: str, plain: list[str]) -> Iterator[Finding]:
    """Pass on a tag that matters; every other one, and each comment, is dropped (section 4.1)."""
    if tag in _PLAIN or (tag in _NUMBERS and _INTEGER.fullmatch(value)):
        plain.append(" ".join(f"{tag}:{value}".split()))  # m3u8 takes a form feed for a line break
    elif tag in _NUMBERS:
        id, severity = _NUMBERS[tag]
        yield Finding(id, severity, detail=f"{tag} {quoted(value)}, expected a whole number")


def _uri(uri: str, extinf: str | None, plain: list[str]) -> Iterator[Finding]:
    """Pass on a segment that may be read, with its EXTINF in plain seconds."""
    if _NOT_UTF8.search(uri):
        return  # _encoding tells
    if why := unsafe(uri):
        expected = "expected a name in its own folder or below"
        yield _fatal("PL_UNSAFE_URI", f"{why}, {expected}: {quoted(uri)}")
    elif uri.lower().endswith((".m3u8", ".m3u")):
        yield _fatal("PL_MASTER", f"lists another playlist: {quoted(uri)}")
    else:
        seconds, problem = _seconds(extinf)
        if problem:
            yield replace(problem, segment=uri if not seconds else None)
        plain += (f"#EXTINF:{seconds}", uri)


def _date_time(value: str) -> float | None:
    """RFC 8216 section 4.3.2.6: when the first sample of the next segment was, seconds since the
    epoch; UTC where no time zone is given, and None for what is no date and time.
    """
    try:
        told = datetime.fromisoformat(value)
        return told.replace(tzinfo=told.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError):
        return None


def _is_rounded(extinf: str) -> bool:
    """Whether EXTINF has no decimals, as up to version 2 (RFC 8216 section 4.3.2.1)."""
    return bool(_WHOLE.fullmatch(extinf)) and not _DECIMAL_COMMA.fullmatch(extinf)


def _seconds(extinf: str | None) -> tuple[float, Finding | None]:
    """Seconds of an EXTINF (RFC 8216 section 4.3.2.1), with or without its comma; 0 where it cannot
    be read.
    """
    if extinf is None:
        return 0.0, Finding("PL_EXTINF", Severity.WARNING, detail="no EXTINF before the URI")
    comma = _DECIMAL_COMMA.fullmatch(extinf)
    text = f"{comma[1]}.{comma[2]}" if comma else extinf.partition(",")[0].strip()
    seconds = float(text) if _DECIMAL.fullmatch(text) else -1.0
    if not 0 <= seconds <= MAX_SECONDS:
        detail = f"EXTINF {quoted(text)}, expected 0 to {MAX_SECONDS:.0f} seconds"
        return 0.0, Finding("PL_EXTINF", Severity.WARNING, detail=detail)
    if comma:
        detail = f"EXTINF {quoted(extinf)} has a decimal comma: read as {text} s"
        return seconds, Finding("PL_EXTINF", Severity.WARNING, detail=detail)
    return seconds, None


# From m3u8's dictionary to segments, and the rules for them.


def _segments(head: Mapping[str, Any], told: Sequence[Told]) -> tuple[Segment, ...]:
    segments: list[Segment] = []
    first = head["media_sequence"] or 0
    for number, (entry, here) in enumerate(zip(head["segments"], told, strict=True), first):
        key, init, (events, rotations), whole, time = here
        segments.append(
            Segment(
                uri=entry["uri"],
                duration=entry["duration"],
                discontinuity=bool(entry["discontinuity"]),
                gap=bool(entry["gap_tag"]),
                byterange=_byterange(entry, segments[-1] if segments else None),
                key=key and replace(key, iv=key.iv or number.to_bytes(16, "big")),
                init=init,
                events=events,
                rotations=rotations,
                rounded=whole,
                time=time,
            )
        )
    return tuple(segments)


def _byterange(entry: Mapping[str, Any], previous: Segment | None) -> tuple[int, int] | None:
    """RFC 8216 section 4.3.2.2: without an offset it goes on where the previous one ended."""
    match = _BYTERANGE.fullmatch(entry.get("byterange", ""))
    if not match or not int(match[1]):
        return None
    if match[2]:
        return int(match[1]), int(match[2])
    if previous and previous.byterange and previous.uri == entry["uri"]:
        return int(match[1]), sum(previous.byterange)
    return None


def _endlist(segments: Sequence[Segment], head: Mapping[str, Any]) -> Iterator[Finding]:
    """RFC 8216 section 4.3.3.4: it may stand anywhere, so segments after it count too."""
    if not head["is_endlist"]:
        detail = f"no {_ENDLIST} after {len(segments)} segments: more may follow"
        yield Finding("PL_NO_ENDLIST", Severity.ERROR, detail=detail)


def _byteranges(segments: Sequence[Segment], head: Mapping[str, Any]) -> Iterator[Finding]:
    for segment, entry in zip(segments, head["segments"], strict=True):
        if "byterange" in entry and not segment.byterange:
            detail = f"{quoted(entry['byterange'])}, expected <length>@<offset> or a range before"
            yield Finding("PL_BYTERANGE", Severity.FATAL, segment.uri, detail=detail)


def _gaps(segments: Sequence[Segment], head: Mapping[str, Any]) -> Iterator[Finding]:
    """RFC 8216bis section 4.4.4.7: the segment is absent, and must not be loaded."""
    for segment in segments:
        if segment.gap:
            detail = f"declared gap of {segment.duration:.3f} s"
            yield Finding("PL_GAP", Severity.ERROR, segment.uri, detail=detail)


def _media_sequence(segments: Sequence[Segment], head: Mapping[str, Any]) -> Iterator[Finding]:
    """RFC 8216 section 4.3.3.2: the number of the first segment, raised for each one removed."""
    if head["is_endlist"] and (first := head["media_sequence"]):
        detail = f"begins with number {first}, expected 0: its head was rotated out"
        yield Finding("PL_MEDIA_SEQUENCE", Severity.WARNING, detail=detail)


def _discontinuities(segments: Sequence[Segment], head: Mapping[str, Any]) -> Iterator[Finding]:
    """RFC 8216 section 4.3.2.3; Agora writes one before the very first segment as well."""
    if count := sum(segment.discontinuity for segment in segments[1:]):
        yield Finding(
            "PL_DISCONTINUITY",
            Severity.INFO,
            count=count,
            detail="declared after the first segment",
        )


def _target(segments: Sequence[Segment], head: Mapping[str, Any]) -> Iterator[Finding]:
    """RFC 8216 section 4.3.3.1: no EXTINF, rounded, is above it."""
    target = head.get("targetduration")
    longer = [s.duration for s in segments if target is not None and int(s.duration + 0.5) > target]
    if longer:
        detail = f"segments of up to {max(longer):.3f} s, EXT-X-TARGETDURATION says {target}"
        yield Finding("PL_TARGET", Severity.INFO, count=len(longer), detail=detail)


_RULES = (_endlist, _byteranges, _gaps, _media_sequence, _discontinuities, _target)
