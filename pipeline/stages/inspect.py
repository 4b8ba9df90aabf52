"""Playlist against objects: which segments there are, and what is wrong with them."""

from dataclasses import dataclass, replace
from urllib.parse import unquote

from pipeline.agora import names
from pipeline.errors import NotFoundError, UnsafePathError
from pipeline.media import playlist as playlists
from pipeline.model import Finding, Part, Playlist, Recording, Segment, Severity, StoredObject
from pipeline.storage import Storage

UNFINISHED = ("PL_NO_ENDLIST", "PL_TRUNCATED")


MAIN = "main"


@dataclass(frozen=True, slots=True)
class Listed:
    """One segment of a playlist with the object it names, None when there is none."""

    segment: Segment
    object: StoredObject | None
    utc: float | None = None
    part: str = MAIN

    @property
    def name(self) -> str:
        """How findings call it."""
        return self.segment.uri


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a recording should hold, before a segment is opened; its parts one after the other."""

    segments: tuple[Listed, ...]
    findings: tuple[Finding, ...]
    unfinished: bool = False  # and not asked for as it is
    playlists: tuple[StoredObject, ...] = ()


@dataclass(frozen=True, slots=True)
class _Read:
    """One part as its playlist lists it."""

    label: str
    source: StoredObject
    segments: tuple[Listed, ...]
    findings: tuple[Finding, ...]

    @property
    def began(self) -> float | None:
        """The UTC in the name of its first segment; they need not be in order."""
        return min((s.utc for s in self.segments if s.utc is not None), default=None)

    @property
    def growing(self) -> bool:
        """It may not be finished."""
        return any(f.id in UNFINISHED and f.severity == Severity.ERROR for f in self.findings)


def inspect(recording: Recording, storage: Storage, *, accept_unfinished: bool) -> Inventory:
    """Read the playlists and look every segment up in the listing."""
    if recording.parts[0].playlist is None:
        (single,) = recording.parts[0].objects.values()
        segment = Listed(Segment(single.name, 0.0), single, _utc(single.name))
        return Inventory((segment,), ())
    parts = _in_order([_read(part, storage) for part in recording.parts])
    *ended, last = parts
    parts = [*(_gone_on(part, last.label) for part in ended), last]
    findings = [f for part in parts for f in part.findings]
    if recording.parts[0].bak is not None:
        detail = f"the main part is missing: the recording begins with {parts[0].label}"
        repair = "what it held is not in the MP4"
        findings.append(Finding("PL_PARTS", Severity.ERROR, detail=detail, repair=repair))
    if accept_unfinished:
        findings = [_accepted(f) for f in findings]
    return Inventory(
        tuple(s for part in parts for s in part.segments),
        tuple(findings),
        last.growing and not accept_unfinished,
        tuple(part.source for part in parts),
    )


def _read(part: Part, storage: Storage) -> _Read:
    source, playlist = _most_complete(part, storage)
    label = MAIN if part.bak is None else f"bak{part.bak}"
    findings = list(playlist.findings)
    segments = []
    for entry in playlist.segments:
        listed, said = _look_up(entry, part, storage)
        segments.append(replace(listed, part=label))
        findings += said
    if part.bak is not None:
        findings = [f if f.segment else _of(label, f) for f in findings]
    return _Read(label, source, tuple(segments), tuple(findings))


def _of(label: str, finding: Finding) -> Finding:
    """A failover part has a playlist of its own."""
    return replace(finding, detail=f"{label}: {finding.detail}")


def _in_order(parts: list[_Read]) -> list[_Read]:
    """By what their slices are called, not by the number of the failover; those that hold nothing
    stand aside.
    """
    holding = [part for part in parts if part.segments]
    if all(part.began is not None for part in holding):
        holding.sort(key=lambda part: part.began or 0.0)
    return [*(_empty(p) if holding else p for p in parts if not p.segments), *holding]


def _empty(part: _Read) -> _Read:
    """A server that took over and recorded nothing before another one did."""
    findings = (
        replace(f, severity=Severity.WARNING)
        if f.id == "PL_TRUNCATED" and f.severity == Severity.FATAL
        else f
        for f in part.findings
    )
    return replace(part, findings=tuple(findings))


def _gone_on(part: _Read, later: str) -> _Read:
    """A server that was lost cannot end its playlist: another one went on."""
    findings = (
        replace(f, severity=Severity.INFO, detail=f"{f.detail}; {later} goes on")
        if f.id in UNFINISHED and f.severity == Severity.ERROR
        else f
        for f in part.findings
    )
    return replace(part, findings=tuple(findings))


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
