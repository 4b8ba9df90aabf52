"""Captions for the files of a recording: which are meant, and where their cues stand in each file.

Whatever is wrong with captions is said, and changes nothing of the verdict: no media is lost by it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from pipeline.choices import Format
from pipeline.jobs.options import AUTO, OFF, Options
from pipeline.media.captions.clock import ResultClock, result_clock
from pipeline.media.captions.languages import iso639
from pipeline.media.captions.readings import Reading, of_span, reading
from pipeline.media.captions.text_track import TextTrack, text_track
from pipeline.media.timeline.plan import Plan
from pipeline.model import CaptionTrack, Finding, Recording, Severity, SourceFile
from pipeline.stages import captions
from pipeline.stages.captions import CaptionsRead, Group
from pipeline.storage import Storage
from pipeline.storage.locations import open_storage

MOST_TOLD = 3  # files that are named in one finding


class Subtitles(Struct, frozen=True, eq=False):
    """Captions on the clock of a whole recording, and what is said of them."""

    readings: tuple[tuple[CaptionsRead, Reading | None], ...] = ()
    findings: tuple[Finding, ...] = ()

    def of_span(self, begin: float, end: float) -> tuple[TextTrack, ...]:
        """A text track of each for a file that holds these seconds; none where nothing is said."""
        tracks = (
            text_track(of_span(found.cues, begin, end), iso639(read.language))
            for read, found in self.readings
            if found is not None
        )
        return tuple(track for track in tracks if track.says)

    @property
    def told(self) -> tuple[CaptionTrack, ...]:
        """What reports and receipts say of them."""
        return tuple(
            CaptionTrack(read.name, read.language, *_placed(found), read.sources)
            for read, found in self.readings
        )


NONE = Subtitles()


def _placed(found: Reading | None) -> tuple[int, str]:
    return (len(found.cues), found.how) if found else (0, "")


def meant(recording: Recording, source: Storage, options: Options) -> tuple[Group, ...]:
    """The captions to be put into what is made of a recording.  NotFoundError or UsageError for a
    file that was named.
    """
    if options.captions == OFF or options.format is not Format.MP4:
        return ()
    if options.captions == AUTO:
        return captions.beside(recording, source)
    return (captions.named(*open_storage(options.captions)),)


def subtitles(groups: Sequence[Group], plan: Plan, began: float | None = None) -> Subtitles:
    """What these captions say while the recording lasts; ``began`` is when its session did."""
    if not groups or plan.rejected:
        return NONE
    return on_clock(groups, result_clock(plan, began))


def on_clock(groups: Sequence[Group], clock: ResultClock) -> Subtitles:
    """What these captions say while a result lasts."""
    found: list[tuple[CaptionsRead, Reading | None]] = []
    findings: list[Finding] = []
    for group in groups:
        read = captions.read(group)
        placed = reading(read.files, clock)
        findings += _told(read, placed)
        found.append((read, placed))
    return Subtitles(tuple(found), tuple(findings))


def _told(read: CaptionsRead, placed: Reading | None) -> Iterator[Finding]:
    if read.wrong:
        named = "; ".join(read.wrong[:MOST_TOLD])
        more = f"; and {len(read.wrong) - MOST_TOLD} more" if len(read.wrong) > MOST_TOLD else ""
        yield _unused(f"{named}{more}", len(read.wrong))
    skipped = sum(file.document.skipped for file in read.files)
    if skipped:
        yield _unused(f"{read.name}: {_cues(skipped)} without a time or a text", skipped)
    if placed is None:
        if read.files:
            yield _unused(f"{read.name}: no cue is of the time of this recording")
        return
    outside = f"; {placed.outside} outside the recording left out" if placed.outside else ""
    spoken = f" ({read.language})" if read.language else ""
    detail = f"{read.name}{spoken}: {_cues(len(placed.cues))}, placed by {placed.how}{outside}"
    yield Finding("CAPTIONS", Severity.INFO, detail=detail)


def _cues(count: int) -> str:
    return f"{count} cue{'' if count == 1 else 's'}"


def _unused(detail: str, count: int = 1) -> Finding:
    return Finding("CAPTIONS_UNUSED", Severity.WARNING, count=count, detail=detail)


def with_unused(told: Sequence[CaptionTrack], groups: Sequence[Group]) -> tuple[CaptionTrack, ...]:
    """With those that were not even read, as no film was made."""
    known = {one.name for one in told}
    return (*told, *(_unread(group) for group in groups if group.name not in known))


def _unread(group: Group) -> CaptionTrack:
    files = (SourceFile(one.key, one.size, one.etag, None) for one in group.objects)
    return CaptionTrack(group.name, "", 0, "", tuple(files))


def as_before(receipt: Mapping[str, Any], groups: Sequence[Group]) -> bool:
    """Whether a result was made with these captions, or without any."""
    written = [file for track in receipt.get("captions", ()) for file in track["files"]]
    before = {(file["key"], file["size"], file["etag"]) for file in written}
    return before == {(o.key, o.size, o.etag) for group in groups for o in group.objects}
