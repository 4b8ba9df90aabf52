"""Segments that are not a transport stream as they lie there: parts of a file, or encrypted."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pipeline.media.codecs import sniff
from pipeline.media.decrypt import BLOCK, MAX_KEY, keys_of
from pipeline.media.mpegts import Scan, scan
from pipeline.media.wrapping import Wrapping, opened
from pipeline.model import Finding, Severity, StoredObject
from pipeline.stages.convert import read_span
from pipeline.stages.fetch import Fetched
from pipeline.stages.inspect import Inventory, Listed
from pipeline.storage import Storage

NOBODY_KNOWS = ("encrypted or random data", "unknown data")


@dataclass(frozen=True, slots=True, eq=False)
class Unwrapped:
    """What such segments hold, by their number in the playlist."""

    scans: dict[int, Scan] = field(default_factory=dict)
    wrappings: dict[int, Wrapping] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def unwrap(
    inventory: Inventory,
    fetched: Mapping[str, Fetched | None],
    source: Storage,
    given: Sequence[bytes],
) -> Unwrapped:
    """Open and scan every wrapped segment.  Its file stays as it is."""
    found = Unwrapped()
    ring = _Ring(source, given)
    fits: dict[str, list[bool]] = defaultdict(list)
    for number, listed in enumerate(inventory.segments):
        here = fetched.get(listed.object.key) if listed.object else None
        if here is None or not _is_wrapped(listed):
            continue
        how = _wrapping(listed, here.object.size, ring)
        raw = read_span(here.path, how)
        result = opened(listed.name, raw, how)
        if listed.segment.key:
            known = result.key is not None or bool(result.findings)
            if known or sniff(raw[:4096].tobytes()) in NOBODY_KNOWS:
                fits[listed.segment.key.name].append(known)
        scanned = scan(listed.name, result.data)
        findings = (*result.findings, *scanned.findings)
        cut = scanned.cut or result.cut or len(raw) < _promised(listed, len(raw))
        found.scans[number] = replace(scanned, cut=cut, findings=findings)
        found.wrappings[number] = how
    found.findings.extend([*ring.findings, *_judged(fits)])
    return found


def _is_wrapped(listed: Listed) -> bool:
    return listed.segment.key is not None or listed.name != listed.segment.uri


def _promised(listed: Listed, length: int) -> int:
    return listed.segment.byterange[0] if listed.segment.byterange else length


def _wrapping(listed: Listed, size: int, ring: "_Ring") -> Wrapping:
    key = listed.segment.key
    length, offset = listed.segment.byterange or (size, 0)
    if key and (length % BLOCK or offset + length + BLOCK == size):
        length += BLOCK - length % BLOCK  # ffmpeg lists what it encrypted, without the padding
    return Wrapping(
        offset,
        max(0, min(length, size - offset)),
        size,
        encrypted=key is not None,
        keys=ring.keys(listed.key) if key else (),
        iv=(key and key.iv) or b"",
    )


class _Ring:
    """The keys of a recording, each file read once."""

    def __init__(self, source: Storage, given: Sequence[bytes]) -> None:
        self.findings: list[Finding] = []
        self._source = source
        self._given = given
        self._known: dict[str, tuple[bytes, ...]] = {}

    def keys(self, beside: StoredObject | None) -> Sequence[bytes]:
        """What may decrypt: the key beside the playlist, then those that were given."""
        if beside is None:
            return self._given
        if beside.key not in self._known:
            self._known[beside.key] = (*self._read(beside), *self._given)
        return self._known[beside.key]

    def _read(self, beside: StoredObject) -> Sequence[bytes]:
        data = b""
        if beside.size <= MAX_KEY:
            data = b"".join(self._source.open(beside.key, etag=beside.etag))
        keys = keys_of(data)
        if not keys and not self._given:
            detail = f"{beside.name} is no key: {beside.size} bytes, expected 16"
            self.findings.append(Finding("PL_KEY", Severity.FATAL, detail=detail))
        return keys


def _judged(fits: Mapping[str, Sequence[bool]]) -> Iterator[Finding]:
    """A key that fits no segment is the wrong one; one that fits others tells of damage."""
    for name, fitting in fits.items():
        whose = f"with {name}" if name else "with a key that the playlist does not hold"
        if any(fitting):
            detail = f"segments encrypted {whose} (AES-128), decrypted to read them"
            yield Finding("PL_KEY", Severity.INFO, count=len(fitting), detail=detail)
        elif fitting:
            detail = f"{len(fitting)} segments encrypted {whose}: no key at hand decrypts them"
            yield Finding("PL_KEY", Severity.FATAL, count=len(fitting), detail=detail)
