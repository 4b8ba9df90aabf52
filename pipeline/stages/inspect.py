"""Playlist against objects: which segments there are, and what is wrong with them."""

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

    @property
    def name(self) -> str:
        """How findings call it."""
        return self.segment.uri


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a recording should hold, before a segment is opened."""

    segments: tuple[Listed, ...]
    findings: tuple[Finding, ...]
    unfinished: bool = False  # and not asked for as it is
    playlist: StoredObject | None = None


def inspect(recording: Recording, storage: Storage, *, accept_unfinished: bool) -> Inventory:
    """Read the playlist and look every segment up in the listing."""
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
    elif segment.byterange is not None and segment.byterange != (found.size, 0):
        detail = f"bytes {segment.byterange[1]} to {sum(segment.byterange)} of {found.size}: "
        detail += "parts of a file are not supported yet"
        findings = [Finding("PL_BYTERANGE", Severity.FATAL, segment.uri, detail=detail)]
    return Listed(segment, found, utc), findings


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
