"""Playlist against objects: which segments there are.  Long: one short function for each rule."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from pipeline.agora import names
from pipeline.errors import UnsafePathError
from pipeline.media.finding_ids import UNFINISHED
from pipeline.media.findings import bounded
from pipeline.media.playlist import parse as playlists
from pipeline.media.playlist import tags as references
from pipeline.media.playlist.orphans import with_orphans
from pipeline.media.playlist.rotations import turned
from pipeline.model import (
    MAIN,
    Finding,
    Inventory,
    Listed,
    Part,
    Playlist,
    Recording,
    Segment,
    Severity,
    StoredObject,
)
from pipeline.storage import Storage
from pipeline.storage.names import TRASH, common_folder

MOST_LISTED = 1000  # times that a playlist may list one file


class _Read(Struct, frozen=True):
    """One part as its playlist lists it."""

    label: str
    source: StoredObject | None  # None: there are only slices
    segments: tuple[Listed, ...]
    findings: tuple[Finding, ...]

    @property
    def began(self) -> float | None:
        """The earliest UTC in the names of its segments, seconds since the epoch; None without."""
        return min((s.utc for s in self.segments if s.utc is not None), default=None)

    @property
    def growing(self) -> bool:
        """Whether the part may not be finished."""
        return any(f.id in UNFINISHED and f.severity == Severity.ERROR for f in self.findings)


def inspect(
    recording: Recording, storage: Storage, *, accept_unfinished: bool, keys: Sequence[bytes] = ()
) -> Inventory:
    """Read the playlists and look every segment up in the listing; what is wrong is a finding.
    ``keys`` were given for encrypted segments.  Raises what the store raises for a playlist.
    """
    if recording.parts[0].playlist is None:
        (single,) = recording.parts[0].objects.values()
        segment = Listed(Segment(single.name, 0.0), single, _utc(single.name))
        return Inventory((segment,), ())
    read = [_read(recording, part, storage) for part in recording.parts]
    parts = _in_order([*read, *_without_playlist(recording)])
    *ended, last = parts
    parts = [*(_gone_on(part, last.label) for part in ended), last]
    findings = [f for part in parts for f in part.findings]
    segments = [s for part in parts for s in turned(part.segments)]
    findings += _wrapping_rules(segments, given=bool(keys))
    if all(part.label != MAIN for part in parts):
        detail = f"the main part is missing: the recording begins with {parts[0].label}"
        repair = "what it held is not in the MP4"
        findings.append(Finding("PL_PARTS", Severity.ERROR, detail=detail, repair=repair))
    if accept_unfinished:
        findings = [_accepted(f) for f in findings]
    return Inventory(
        tuple(segments),
        tuple(findings),
        last.growing and not accept_unfinished,
        tuple(part.source for part in parts if part.source),
    )


def _read(recording: Recording, part: Part, storage: Storage) -> _Read:
    source, playlist = _most_complete(part, storage)
    label = _label(part.bak, part.sid)
    part = reached(part, _named(playlist), storage)
    segments, said = [], []
    for entry in playlist.segments:
        listed, wrong = _look_up(entry, part, storage)
        segments.append(replace(listed, part=label))
        said += wrong
    findings = [*playlist.findings, *bounded((*said, *_listed_again(segments)))]
    if label != MAIN:
        findings = [f if f.segment else _of(label, f) for f in findings]
    orphans = _orphans(recording, part, segments)
    if orphans and not segments:
        if len(recording.parts) > 1:
            findings = _softened(findings, Severity.ERROR)
        return _unlisted(label, source, orphans, findings)
    segments, said = with_orphans(segments, orphans)
    return _Read(label, source, tuple(segments), tuple(findings + said))


def _unlisted(
    label: str, source: StoredObject, slices: Sequence[Listed], findings: Sequence[Finding]
) -> _Read:
    """A part with slices whose playlist lists none of them."""
    segments = [replace(s, listed=True) for s in slices if s.object and s.object.size]
    detail = f"{len(segments)} slices of {label}, of which its playlist lists none"
    said = Finding("PL_ORPHAN", Severity.WARNING, count=len(segments), detail=detail, repair="used")
    return _Read(label, source, tuple(segments), (*findings, said))


def _label(bak: int | None, sid: str | None = None) -> str:
    """What a part is called; ``sid`` if it is not of the recording's own."""
    own = MAIN if bak is None else f"bak{bak}"
    return own if sid is None else sid if bak is None else f"{own} of {sid}"


def _orphans(recording: Recording, part: Part, segments: Sequence[Listed]) -> list[Listed]:
    """Slices of a part that its playlist lacks, in the order of their names, in the folders that
    its own slices are in.
    """
    if recording.sid is None or recording.cname is None:
        return []
    begin = names.stem(part.sid or recording.sid, recording.cname, bak=part.bak)
    listed = {s.object.key for s in segments if s.object}
    folders = {_folder(s.segment.uri) for s in segments} or {""}
    found = []
    for name, orphan in part.objects.items():
        folder = _folder(name)
        if name.startswith(f"{begin}_", len(folder)) and orphan.key not in listed:
            parsed = names.parse_slice_name(orphan.name)
            if parsed and parsed.cname == recording.cname and folder in folders:
                utc, label = parsed.utc, _label(part.bak, part.sid)
                found.append(Listed(Segment(name, 0.0), orphan, utc, label, listed=False))
    return sorted(found, key=lambda orphan: orphan.name.rpartition("/")[2])


def _without_playlist(recording: Recording) -> list[_Read]:
    """Parts that have slices but no playlist."""
    known = {(part.sid, part.bak) for part in recording.parts}
    found: dict[str, list[Listed]] = defaultdict(list)
    firsts = {part.sid: part for part in reversed(recording.parts)} if recording.sid else {}
    for other, first in firsts.items():
        sid = other or recording.sid or ""
        for name, slice in first.objects.items():
            parsed = names.parse_slice_name(name) if sid in name else None
            if parsed and parsed.sid == sid and (other, parsed.bak) not in known:
                label = _label(parsed.bak, other)
                found[label].append(Listed(Segment(name, 0.0), slice, parsed.utc, label))
    parts = []
    for label, slices in found.items():
        slices.sort(key=lambda listed: listed.name)
        detail = f"{len(slices)} slices of {label}, but no playlist of it"
        said = Finding(
            "PL_ORPHAN", Severity.WARNING, count=len(slices), detail=detail, repair="used"
        )
        open_ = Finding("PL_NO_ENDLIST", Severity.ERROR, detail=detail)
        parts.append(_Read(label, None, tuple(slices), (said, open_)))
    return parts


def _of(label: str, finding: Finding) -> Finding:
    """The finding with the part in front: each failover part has a playlist of its own."""
    return replace(finding, detail=f"{label}: {finding.detail}")


def _in_order(parts: list[_Read]) -> list[_Read]:
    """The parts by the times in their slice names, not by the number of the failover; those without
    segments in front.
    """
    holding = [part for part in parts if part.segments]
    if all(part.began is not None for part in holding):
        holding.sort(key=lambda part: part.began or 0.0)
    return [*(_empty(p) if holding else p for p in parts if not p.segments), *holding]


def _empty(part: _Read) -> _Read:
    """A part without segments: a server took over and recorded nothing before another one did."""
    return replace(part, findings=tuple(_softened(part.findings, Severity.WARNING)))


def _softened(findings: Sequence[Finding], severity: Severity) -> list[Finding]:
    """Lower the severity of a fatal PL_TRUNCATED: other parts hold media."""
    return [
        replace(f, severity=severity)
        if f.id == "PL_TRUNCATED" and f.severity == Severity.FATAL
        else f
        for f in findings
    ]


def _gone_on(part: _Read, later: str) -> _Read:
    """Excuse a missing end: a server that was lost cannot end its playlist, and another one went
    on.  Only if the playlist is cut off before it lists anything, and the part has no slice, what
    it listed is gone.
    """

    def told(finding: Finding) -> Finding:
        if finding.id not in UNFINISHED or finding.severity != Severity.ERROR:
            return finding
        if finding.id == "PL_TRUNCATED" and not part.segments:
            detail = f"{finding.detail}; there is no slice of {part.label}"
            return replace(finding, detail=detail, repair="that part left out")
        detail = f"{finding.detail}; {later} goes on"
        return replace(finding, severity=Severity.INFO, detail=detail)

    return replace(part, findings=tuple(map(told, part.findings)))


def _most_complete(part: Part, storage: Storage) -> tuple[StoredObject, Playlist]:
    """The playlist of a part, or the version from the backup cloud that lists more."""
    assert part.playlist is not None
    candidates = [part.playlist, *part.copies]
    read = [(c, read_playlist(storage, c)) for c in candidates]
    return max(read, key=lambda pair: (len(pair[1].segments), pair[1].ended))


def read_playlist(storage: Storage, found: StoredObject) -> Playlist:
    """A playlist of the store, parsed.  One larger than ``MAX_BYTES`` is not read: a fatal
    PL_LIMIT.  Raises what the store raises.
    """
    if found.size > playlists.MAX_BYTES:
        detail = f"{found.size} bytes, at most {playlists.MAX_BYTES}"
        return Playlist(findings=(Finding("PL_LIMIT", Severity.FATAL, detail=detail),))
    return playlists.parse(b"".join(storage.open(found.key, etag=found.etag)))


def _accepted(finding: Finding) -> Finding:
    """A missing ENDLIST as a warning: the user asked for the playlist as it is."""
    if finding.id != "PL_NO_ENDLIST":
        return finding
    return Finding(finding.id, Severity.WARNING, detail=f"{finding.detail}; accepted as it is")


def reached(part: Part, uris: Iterable[str], storage: Storage) -> Part:
    """The part with the objects in folders below that these URIs name and the part lacks.

    One listing, whatever a playlist names: of the folder that all of them are in.
    """
    lacking = (form for uri in uris if not find(part, uri)[1] for form in references.names(uri))
    folders = {folder for folder in map(_folder, lacking) if folder and TRASH not in folder}
    if not folders:
        return part
    try:
        listing = storage.list(part.folder + common_folder(folders))
        below = ((o.key[len(part.folder) :], o) for o in listing)
        found = {name: o for name, o in below if _folder(name) in folders}
    except UnsafePathError:  # a link that leads out: each segment will say so
        return part
    return replace(part, objects={**part.objects, **found})


def _folder(name: str) -> str:
    return name[: name.rfind("/") + 1]


def _named(playlist: Playlist) -> Iterator[str]:
    """Everything a playlist names: each once, in order."""
    named: dict[str, None] = {}
    for segment in playlist.segments:
        named[segment.uri] = None
        keys = [segment.key, segment.init and segment.init.key]
        named |= dict.fromkeys(key.name for key in keys if key and key.name)
        named |= {segment.init.name: None} if segment.init else {}
    return iter(named)


def find(part: Part, uri: str) -> tuple[str, StoredObject | None]:
    """The name below the playlist's folder and the object of a safe URI; None if it is not there.

    Then the name has no query, which may hold a secret; Agora's names have none.
    """
    forms = references.names(uri)
    for form in forms:
        if form in part.objects:
            return form, part.objects[form]
    return next((form for form in forms if _utc(form) is not None), forms[-1]), None


def _look_up(segment: Segment, part: Part, storage: Storage) -> tuple[Listed, list[Finding]]:
    name, found = find(part, segment.uri)
    segment = replace(segment, uri=name)
    utc = _utc(name)
    if segment.gap:
        return Listed(segment, None, utc), []  # the playlist says so itself
    findings = []
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
    return find(part, name)[1] if name else None


def _listed_again(segments: Sequence[Listed]) -> Iterator[Finding]:
    """A finding for each file, or part of one, that is listed more than once."""
    times = Counter((s.segment.uri, s.segment.byterange) for s in segments if not s.segment.gap)
    for (uri, _), listed in times.items():
        detail = f"listed {listed} times, expected once"
        if listed > MOST_LISTED:
            detail = f"{references.quoted(uri)} is listed {listed} times, at most {MOST_LISTED}"
            yield Finding("PL_LIMIT", Severity.FATAL, detail=detail)
        elif listed > 1:
            yield Finding("PL_DUP_URI", Severity.WARNING, uri, count=listed - 1, detail=detail)


def _wrapping_rules(segments: Sequence[Listed], *, given: bool) -> Iterator[Finding]:
    """Keys and initialisation sections that are not there: nothing can be read without them."""
    named: dict[str, StoredObject | None] = {}
    inits: dict[str, StoredObject | None] = {}
    for listed in (one for one in segments if one.object):  # nothing else is read
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
    """Why a segment is not in the listing: gone, or a link that leads out of the folder (which only
    a folder of this machine has).
    """
    try:
        storage.path(part.folder + segment.uri)
    except UnsafePathError:
        detail = "a link that leads out of the recording's folder"
        return Finding("PL_UNSAFE_URI", Severity.FATAL, segment.uri, detail=detail)
    detail = f"not there, playlist says {segment.duration:.3f} s"
    return Finding("SEG_MISSING", Severity.ERROR, segment.uri, detail=detail)


def _utc(name: str) -> float | None:
    parsed = names.parse_slice_name(name.rpartition("/")[2])
    return parsed.utc if parsed else None
