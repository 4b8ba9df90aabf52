"""Playlist against objects: which segments there are, and what is wrong with them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from pipeline.agora import names
from pipeline.errors import NotFoundError, UnsafePathError
from pipeline.media import playlist as playlists
from pipeline.model import Finding, Part, Playlist, Recording, Segment, Severity, StoredObject
from pipeline.storage import Storage

UNFINISHED = ("PL_NO_ENDLIST", "PL_TRUNCATED")


@dataclass(frozen=True, slots=True)
class Listed:
    """One segment of the playlist with the object it names, None when there is none."""

    segment: Segment
    object: StoredObject | None
    utc: float | None = None
    key: StoredObject | None = None  # the file that holds its key
    init: StoredObject | None = None  # its initialisation section
    init_key: StoredObject | None = None

    @property
    def name(self) -> str:
        """How findings call it."""
        part = self.segment.byterange
        whole = part is None or self.object is None or part == (self.object.size, 0)
        return self.segment.uri if whole or part is None else f"{self.segment.uri}@{part[1]}"


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a recording should hold, before a segment is opened."""

    segments: tuple[Listed, ...]
    findings: tuple[Finding, ...]
    unfinished: bool = False  # and not asked for as it is
    playlist: StoredObject | None = None


def inspect(
    recording: Recording, storage: Storage, *, accept_unfinished: bool, keys: Sequence[bytes] = ()
) -> Inventory:
    """Read the playlist and look every segment up in the listing.  ``keys`` were given for what is
    encrypted.
    """
    part = recording.parts[0]
    if len(recording.parts) > 1:
        detail = f"{len(recording.parts)} parts (failover): joining them is not supported yet"
        return Inventory((), (Finding("PL_PARTS", Severity.FATAL, detail=detail),))
    if part.bak is not None:
        detail = f"only failover part bak{part.bak} is there, the main part is missing"
        return Inventory((), (Finding("PL_PARTS", Severity.FATAL, detail=detail),))
    if part.playlist is None:
        (single,) = part.objects.values()
        segment = Listed(Segment(single.name, 0.0), single, _utc(single.name))
        return Inventory((segment,), ())
    source, playlist = _most_complete(part, storage)
    findings = [_accepted(f) if accept_unfinished else f for f in playlist.findings]
    segments = []
    for entry in playlist.segments:
        listed, said = _look_up(entry, part, storage)
        segments.append(listed)
        findings += said
    findings += _wrapping_rules(segments, given=bool(keys))
    growing = any(f.id in UNFINISHED for f in playlist.findings) and not accept_unfinished
    return Inventory(tuple(segments), tuple(findings), growing, source)


def _most_complete(part: Part, storage: Storage) -> tuple[StoredObject, Playlist]:
    """The playlist, or a version of it from the backup cloud that lists more."""
    assert part.playlist is not None
    candidates = [part.playlist, *part.copies]
    read = [(c, playlists.parse(b"".join(storage.open(c.key, etag=c.etag)))) for c in candidates]
    return max(read, key=lambda pair: (len(pair[1].segments), pair[1].ended))


def _accepted(finding: Finding) -> Finding:
    """A playlist that may grow was asked for as it is."""
    if finding.id != "PL_NO_ENDLIST":
        return finding
    return Finding(finding.id, Severity.WARNING, detail=f"{finding.detail}; accepted as it is")


def _look_up(segment: Segment, part: Part, storage: Storage) -> tuple[Listed, list[Finding]]:
    utc = _utc(segment.uri)
    if segment.gap:
        return Listed(segment, None, utc), []  # the playlist says so itself
    findings = []
    found = part.objects.get(segment.uri) or part.objects.get(unquote(segment.uri))
    if found is None:
        findings = [_missing(segment, part, storage)]
    elif segment.byterange is not None and sum(segment.byterange) > found.size:
        detail = f"bytes {segment.byterange[1]} to {sum(segment.byterange)}, it has {found.size}"
        findings = [Finding("PL_BYTERANGE", Severity.ERROR, segment.uri, detail=detail)]
        if segment.byterange[1] >= found.size:
            found = None
    init = segment.init
    return Listed(
        segment,
        found,
        utc,
        key=_beside(part, segment.key.name) if segment.key else None,
        init=_beside(part, init.name) if init else None,
        init_key=_beside(part, init.key.name) if init and init.key else None,
    ), findings


def _beside(part: Part, name: str) -> StoredObject | None:
    return part.objects.get(name) or part.objects.get(unquote(name))


def _wrapping_rules(segments: Sequence[Listed], *, given: bool) -> Iterator[Finding]:
    """Keys and initialisation sections that are not there: nothing can be read without them."""
    named: dict[str, StoredObject | None] = {}
    inits: dict[str, StoredObject | None] = {}
    for listed in segments:
        init = listed.segment.init
        if listed.segment.key:
            named[listed.segment.key.name] = listed.key
        if init:
            inits[init.name] = listed.init
        if init and init.key:
            named[init.key.name] = listed.init_key
    for name, found in named.items():
        if found is None and not given:
            where = f"its key {name} is not beside the playlist" if name else "its key is not there"
            detail = f"encrypted with AES-128, and {where}: give it with --key"
            yield Finding("PL_KEY", Severity.FATAL, detail=detail)
    for name, found in inits.items():
        if found is None:
            detail = f"the initialisation section {name} is not beside the playlist"
            yield Finding("PL_MAP", Severity.FATAL, detail=detail)


def _missing(segment: Segment, part: Part, storage: Storage) -> Finding:
    """Not listed: gone, or a link that leads out of the folder."""
    try:
        storage.head(part.folder + segment.uri)
    except UnsafePathError:
        detail = "a link that leads out of the recording's folder"
        return Finding("PL_UNSAFE_URI", Severity.FATAL, segment.uri, detail=detail)
    except NotFoundError:
        pass
    detail = f"not there, playlist says {segment.duration:.3f} s"
    return Finding("SEG_MISSING", Severity.ERROR, segment.uri, detail=detail)


def _utc(name: str) -> float | None:
    parsed = names.parse_slice_name(name)
    return parsed.utc if parsed else None
