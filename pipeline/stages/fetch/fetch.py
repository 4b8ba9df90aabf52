"""Segments become local files, scanned: read in place from a folder, downloaded in parallel from a
store.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from msgspec.structs import replace

from pipeline.media.ts.transport_stream import TransportStream
from pipeline.model import Finding, Inventory, Listed, Severity, SourceFile
from pipeline.stages.fetch import fetched
from pipeline.stages.fetch.download import download
from pipeline.stages.fetch.fetched import Fetched
from pipeline.stages.fetch.in_folder import in_place, scan_in_place
from pipeline.stages.segments import LocalSegment, listed_as_wrapped, slot_of
from pipeline.storage import Storage

Look = Callable[[Sequence[LocalSegment], Sequence[TransportStream | None]], None]
Progress = Callable[[str, int], None]  # stage, bytes done since the last call


def fetch(
    inventory: Inventory,
    storage: Storage,
    spool: Path,
    progress: Progress,
    *,
    look: Look | None = None,
) -> tuple[LocalSegment, ...]:
    """Every segment listed; those that are there with their file, hashed and scanned.

    ``look`` is given some in a row, in turn, while others are fetched, if all are there, each once.
    """
    there = [(found, s) for s in inventory.segments if (found := s.object)]
    objects = list({found.key: found for found, _ in there}.values())
    wrapped = {found.key for found, s in there if listed_as_wrapped(s)}
    each = _looking(inventory, look) if len(objects) == len(inventory.segments) else None
    at_hand: Sequence[Fetched | None]
    if in_place(objects, storage):
        at_hand = scan_in_place(objects, storage, progress, wrapped=wrapped, look=each)
    else:
        at_hand = download(objects, storage, spool, progress, wrapped=wrapped, look=each)
    names = {found.key: s.segment.uri for found, s in there}
    by_key = {f.object.key: _called(f, names[f.object.key]) for f in at_hand if f}
    return tuple(_local(s, by_key) for s in inventory.segments)


def _looking(inventory: Inventory, look: Look | None) -> fetched.Look | None:
    if look is None:
        return None

    def each(
        first: int, founds: Sequence[Fetched | None], streams: Sequence[TransportStream | None]
    ) -> None:
        by_key = {found.object.key: found for found in founds if found}
        listed = inventory.segments[first : first + len(founds)]
        look([_local(segment, by_key) for segment in listed], streams)

    return each


def _local(listed: Listed, at_hand: Mapping[str, Fetched]) -> LocalSegment:
    found = at_hand.get(listed.object.key) if listed.object else None
    if found is not None:
        slot = slot_of(listed, found.scan)
        return LocalSegment(listed, slot, found.path, found.sha256, findings=found.findings)
    gone: tuple[Finding, ...] = ()
    if listed.object:
        detail = "listed, but gone when it was to be read"
        gone = (Finding("SEG_MISSING", Severity.ERROR, listed.name, detail=detail),)
    return LocalSegment(listed, slot_of(listed, None), findings=gone)


def _called(fetched: Fetched, name: str) -> Fetched:
    """The same under the name its recording has for it, which may have folders in it."""
    if fetched.scan.name == name:
        return fetched
    scan = replace(fetched.scan, name=name, findings=_named(fetched.scan.findings, name))
    return replace(fetched, scan=scan, findings=_named(fetched.findings, name))


def _named(findings: Sequence[Finding], name: str) -> tuple[Finding, ...]:
    return tuple(replace(finding, segment=name) for finding in findings)


def digests(segments: Sequence[LocalSegment]) -> list[SourceFile]:
    """What the receipt says of every object that was there."""
    there = {found.key: (found, s.sha256) for s in segments if (found := s.listed.object)}
    return [
        SourceFile(found.key, found.size, found.etag, sha256)
        for found, sha256 in there.values()
        if sha256 is not None
    ]
