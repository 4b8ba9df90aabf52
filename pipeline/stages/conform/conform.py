"""Segments whose format is not that of the others are brought into line before the plan is made."""

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from pipeline.choices import Format, OnChange
from pipeline.media.slots.format_changes import restarted, survey
from pipeline.media.slots.segments import Slot
from pipeline.model import Finding, Reencoded
from pipeline.muxing.locate import Ffmpeg
from pipeline.stages.segments import LocalSegment, slots_of, with_slots


class Conformed(Struct, frozen=True, eq=False):
    """The segments in one format, and what was done to those that had another."""

    segments: tuple[LocalSegment, ...]
    findings: tuple[Finding, ...] = ()
    reencoded: tuple[Reencoded, ...] = ()


def conform(
    segments: Sequence[LocalSegment],
    folder: Path,
    ffmpeg: Ffmpeg | None,
    *,
    on_change: OnChange,
    format: Format,
) -> Conformed:
    """Leave segments alone that may stay and rewrite the others into ``folder``; the code for that
    is loaded only where it is needed.  Without ``ffmpeg`` nothing is encoded: see
    :func:`pipeline.stages.conform.rewrite.rewritten`.  StorageError if a segment's file changed.
    """
    segments = with_slots(segments, restarted(slots_of(segments)))
    if on_change is OnChange.FAIL or not _changes(slots_of(segments), on_change, format):
        return Conformed(segments)
    from pipeline.stages.conform.rewrite import rewritten

    return rewritten(segments, folder, ffmpeg, on_change=on_change, format=format)


def _changes(slots: Sequence[Slot], on_change: OnChange, format: Format) -> bool:
    """Whether anything is to be cut or re-encoded."""
    if on_change is OnChange.SPLIT:
        return True
    if any(slot.scan and any(s.turns for s in slot.scan.streams.values()) for slot in slots):
        return True
    return bool(survey(slots, mp4=format in (Format.MP4, Format.M4A)).changes)
