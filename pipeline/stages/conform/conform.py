"""Segments whose format is not that of the others are brought into line before the plan is made."""

from collections.abc import Sequence

from msgspec.structs import replace

from pipeline.choices import Format, OnChange
from pipeline.media.slots.format_changes import Asked, restarted, survey
from pipeline.media.slots.segments import Slot
from pipeline.media.slots.turns import seen, vary
from pipeline.model import Finding, Severity
from pipeline.muxing.locate import Ffmpeg
from pipeline.stages.conform.conformed import Conformed, Progress
from pipeline.stages.segments import Folder, LocalSegment, slots_of, with_slots


def conform(
    segments: Sequence[LocalSegment],
    folder: Folder,
    ffmpeg: Ffmpeg | None,
    *,
    on_change: OnChange,
    format: Format,
    progress: Progress,
    asked: Asked | None = None,
) -> Conformed:
    """Leave segments alone that may stay and rewrite the others into ``folder``, or all pictures
    where others are ``asked`` for; the code for that is loaded only where it is needed.  Without
    ``ffmpeg`` nothing is encoded: see :func:`pipeline.stages.conform.rewrite.rewritten`.
    ``progress`` is told "reencode" and how many thousandths of that are done since.  StorageError
    if a segment's file changed.
    """
    segments = with_slots(segments, restarted(slots_of(segments)))
    segments, said = _turned(segments, on_change, format)
    changes = asked is not None or _changes(slots_of(segments), on_change, format)
    if on_change is OnChange.FAIL or not changes:
        return Conformed(segments, said)
    from pipeline.stages.conform.rewrite import rewritten

    made = rewritten(
        segments,
        folder,
        ffmpeg,
        on_change=on_change,
        format=format,
        progress=progress,
        asked=asked,
    )
    return replace(made, findings=(*said, *made.findings))


def _turned(
    segments: Sequence[LocalSegment], on_change: OnChange, format: Format
) -> tuple[tuple[LocalSegment, ...], tuple[Finding, ...]]:
    """The segments with what their pictures show of turns, as far as the format can tell it."""
    slots = [seen(slot) for slot in slots_of(segments)]
    if not any(slot.turns for slot in slots):
        return with_slots(segments, slots), ()
    said: tuple[Finding, ...] = ()
    if format is not Format.MP4:
        if format is Format.TS and any(slot.turned != 0 for slot in slots):
            detail = "pictures are turned, which a transport stream cannot tell: players show them"
            said = (Finding("ROTATION", Severity.WARNING, detail=f"{detail} as they are stored"),)
        slots = [replace(slot, turns=()) for slot in slots]
    elif on_change is OnChange.FAIL and vary(slots):
        detail = "pictures are turned on the way: a change of video format is refused"
        said = (Finding("ROTATION", Severity.FATAL, detail=detail),)
    return with_slots(segments, slots), said


def _changes(slots: Sequence[Slot], on_change: OnChange, format: Format) -> bool:
    """Whether anything is to be cut or re-encoded."""
    if on_change is OnChange.SPLIT:
        return True
    if vary(slots):
        return True
    if any(slot.scan and any(s.turns for s in slot.scan.streams.values()) for slot in slots):
        return True
    return bool(survey(slots, mp4=format in (Format.MP4, Format.M4A)).changes)
