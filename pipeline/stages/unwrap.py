"""Segments that are not stored as a transport stream: parts of a file, encrypted, or of another
container.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from msgspec.structs import replace

from pipeline.media.containers.aes128 import BLOCK, MAX_KEY, decrypted, keys_of
from pipeline.media.containers.unwrap import CONTAINERS, FRAGMENTS, Wrapping, opened
from pipeline.media.es.sniff import sniff
from pipeline.media.isobmff.fragments import parted
from pipeline.media.ts.scan import Scan, Stream, scan
from pipeline.model import Finding, InitSection, Listed, Severity, StoredObject
from pipeline.stages.segments import HEAD, LocalSegment, head, listed_as_wrapped, span
from pipeline.storage import Storage

MAX_INIT = 16 << 20  # bytes of a file that holds an initialisation section
NOBODY_KNOWS = ("encrypted or random data", "unknown data")


def unwrap(
    segments: Sequence[LocalSegment], source: Storage, given: Sequence[bytes]
) -> tuple[tuple[LocalSegment, ...], list[Finding]]:
    """Open and scan every wrapped segment; its file stays as it is.  ``given`` are keys of 16 bytes
    besides those beside the playlist.  StorageError if a file changed since it was fetched, or a
    key cannot be read.
    """
    ring = _Ring(source, given)
    fits: dict[str, list[bool]] = defaultdict(list)
    found = tuple(_opened(s, ring, fits) if _is_wrapped(s) else s for s in segments)
    return found, [*ring.findings, *_judged(fits)]


def _opened(segment: LocalSegment, ring: "_Ring", fits: Mapping[str, list[bool]]) -> LocalSegment:
    listed = segment.listed
    assert listed.object is not None
    how = _wrapping(listed, listed.object.size, ring)
    segment = replace(segment, wrapping=how)
    raw = span(segment)
    result = opened(listed.name, raw, how)
    if listed.segment.key:
        known = result.key is not None or bool(result.findings)
        if known or sniff(raw[:HEAD].tobytes()) in NOBODY_KNOWS:
            fits[listed.segment.key.name].append(known)
    scanned = scan(listed.name, result.data) if len(result.data) else Scan(listed.name, 0)
    scanned = replace(
        scanned,
        cut=scanned.cut or result.cut or len(raw) < _promised(listed, len(raw)),
        findings=(*result.findings, *scanned.findings),
        streams=told(scanned.streams, result.configs),
        gone=result.gone,
    )
    return replace(segment, slot=replace(segment.slot, scan=scanned))


def told(streams: Mapping[int, Stream], configs: Mapping[int, bytes]) -> dict[int, Stream]:
    """The streams with the decoder configuration that only their container has, by PID."""
    return {
        pid: replace(stream, config=configs[pid]) if pid in configs else stream
        for pid, stream in streams.items()
    }


def _is_wrapped(segment: LocalSegment) -> bool:
    scan = segment.slot.scan
    if segment.path is None or scan is None:
        return False
    if listed_as_wrapped(segment.listed):
        return True
    return not scan.packets and sniff(head(segment)) in CONTAINERS


def _promised(listed: Listed, length: int) -> int:
    return listed.segment.byterange[0] if listed.segment.byterange else length


def _wrapping(listed: Listed, size: int, ring: "_Ring") -> Wrapping:
    key = listed.segment.key
    init, lead = ring.init(listed)
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
        init=init,
        lead=lead,
    )


class _Ring:
    """The keys of a recording, each file read once."""

    def __init__(self, source: Storage, given: Sequence[bytes]) -> None:
        self.findings: list[Finding] = []
        self._source = source
        self._given = given
        self._known: dict[str, tuple[bytes, ...]] = {}
        self._inits: dict[InitSection, bytes] = {}

    def keys(self, beside: StoredObject | None) -> Sequence[bytes]:
        """The keys that may fit: the one beside the playlist, then those that were given."""
        if beside is None:
            return self._given
        if beside.key not in self._known:
            self._known[beside.key] = (*self._read(beside), *self._given)
        return self._known[beside.key]

    def init(self, listed: Listed) -> tuple[bytes, bytes]:
        """The initialisation section of a segment, decrypted; and, only the first time, the media
        behind it in its file.
        """
        wanted, beside = listed.segment.init, listed.init
        if wanted is None or beside is None:
            return b"", b""
        if wanted in self._inits:
            return self._inits[wanted], b""
        data = self._read_init(wanted, beside, listed.init_key)
        if sniff(data[:64]) != FRAGMENTS:
            detail = f"{wanted.name}: {sniff(data[:64])}, no initialisation section of an MP4"
            self.findings.append(Finding("PL_MAP", Severity.FATAL, detail=detail))
        self._inits[wanted], lead = parted(data)
        if lead:
            detail = f"{wanted.name} holds media as well: the beginning of the segment behind it"
            self.findings.append(Finding("PL_MAP", Severity.INFO, listed.name, detail=detail))
        return self._inits[wanted], lead

    def _read_init(
        self, wanted: InitSection, beside: StoredObject, key_file: StoredObject | None
    ) -> bytes:
        data = b""
        if beside.size <= MAX_INIT:
            data = b"".join(self._source.open(beside.key, etag=beside.etag))
        length, offset = wanted.byterange or (len(data), 0)
        data = data[offset : offset + length]
        if wanted.key and wanted.key.iv:
            for key in self.keys(key_file):
                clear = decrypted(np.frombuffer(data, np.uint8), key, wanted.key.iv)
                if clear.whole and sniff(clear.data[:64].tobytes()) == FRAGMENTS:
                    return clear.data.tobytes()
        return data

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
    """A PL_KEY for each key.  One that fits no segment is wrong; if it fits some, the others are
    damaged.
    """
    for name, fitting in fits.items():
        whose = f"with {name}" if name else "with a key that the playlist does not hold"
        if any(fitting):
            detail = f"segments encrypted {whose} (AES-128), decrypted to read them"
            yield Finding("PL_KEY", Severity.INFO, count=len(fitting), detail=detail)
        elif fitting:
            detail = f"{len(fitting)} segments encrypted {whose}: no key at hand decrypts them"
            yield Finding("PL_KEY", Severity.FATAL, count=len(fitting), detail=detail)
