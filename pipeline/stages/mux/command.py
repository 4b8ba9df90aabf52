"""How ffmpeg is called for a plan, and what it gets of the streams first."""

from collections.abc import Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field

from pipeline.choices import Format
from pipeline.media.captions.text_track import TextTrack
from pipeline.media.clock import BASE, HZ
from pipeline.media.es.access_units import NO_UNITS, Units
from pipeline.media.es.codecs import Carriage
from pipeline.media.loss.chapters import Marks
from pipeline.media.loss.fills import EncodedUnits, Fill
from pipeline.media.stitch.priming import INTRODUCED, TIMES, introduction
from pipeline.media.stitch.stitcher import Stitcher
from pipeline.media.timeline.plan import Plan
from pipeline.media.timeline.wall_clock import iso, wall_clock
from pipeline.media.track import Lane
from pipeline.muxing import commands
from pipeline.muxing.locate import Ffmpeg
from pipeline.stages.mux.converted import NO_MARKS, lanes_of
from pipeline.stages.segments import LocalSegment, read

if TYPE_CHECKING:  # at run time only for what a transport stream cannot carry
    from pipeline.media.stitch.fmp4_writer import Feed


class OutputSpec(Struct, frozen=True, eq=False):
    """The file that is to be made."""

    format: Format
    in_one_pass: bool = True  # room for the index is kept in front; with too little, muxing fails
    marks: Marks = NO_MARKS  # chapters and comment about its holes
    fills: Sequence[Fill] = ()  # units that go into holes
    made: Mapping[int, EncodedUnits] = field(default_factory=dict)  # by PID, of which fills consist
    sparse_sound: bool = False  # sound that pauses is not filled with silence
    texts: Sequence[TextTrack] = ()  # captions


def command(
    plan: Plan,
    ffmpeg: Ffmpeg,
    output: Path,
    wanted: OutputSpec,
    *,
    room: int | None,
    texts: Sequence[Path] = (),
) -> list[str]:
    """The argv of ffmpeg; ``room`` bytes are kept for the index, besides what marks and captions
    need; None: the file is rewritten at the end.  ``texts`` are files of one caption track each.
    """
    lanes = lanes_of(plan, wanted.format)
    fed = feed_of(lanes) is not None
    metadata = wanted.marks.metadata if wanted.marks != NO_MARKS else ""
    if room is not None:
        room += 4 * len(metadata) + sum(text.index_size for text in wanted.texts)
    inside = (x.inside or (x.pid in wanted.made and wanted.made[x.pid].own) for x in lanes)
    return commands.mux(
        ffmpeg.ffmpeg,
        output,
        [*range(len(lanes))] if fed else [lane.pid for lane in lanes],
        format=wanted.format,
        adts=not fed and any(lane.codec.carriage is Carriage.ADTS for lane in lanes),
        hevc=any(lane.codec.nal is not None and lane.codec.nal.apart for lane in lanes),
        picture_ticks=_lasting(lanes, "video", HZ),
        sound_ticks=_lasting(lanes, "audio", commands.SOUND_HZ) if fed else None,
        base=BASE / HZ,
        drop_before=INTRODUCED if _late(plan, lanes) else None,
        moov_size=room,
        metadata=metadata or None,
        parameters_inside=any(inside),
        fragments=fed,
        languages=[lane.language for lane in lanes],
        created=_created(plan),
        texts=[(path, text.language) for path, text in zip(texts, wanted.texts, strict=True)],
    )


def _created(plan: Plan) -> str | None:
    """When the recording began by its first slice names, ISO 8601 in whole seconds, as an MP4 has
    it (creation_time, ISO/IEC 14496-12 clause 8.2.2); None where no name has a time.
    """
    told = iso(wall_clock(plan.placed).at(0.0))
    return f"{told[:19]}Z" if told else None


def feed_of(lanes: tuple[Lane, ...]) -> "Feed | None":
    """A writer of fragmented MP4 for ffmpeg, where a transport stream cannot carry a codec; else
    None.
    """
    if all(lane.codec.carriage is not Carriage.UNIT for lane in lanes):
        return None
    from pipeline.media.stitch.fmp4_writer import Feed

    return Feed(lanes)


def opening(
    plan: Plan,
    lanes: tuple[Lane, ...],
    feed: "Feed | None",
    segments: Sequence[LocalSegment],
) -> list[bytes]:
    """The bytes the muxer gets before the first segment: tables or an initialisation section, and
    an introduction of each lane that begins late.
    """
    late = _late(plan, lanes)
    if feed is None:
        shown = [_introduction(plan, x, segments) for x in late]
        return [Stitcher(lanes).tables(), *shown]
    units = {x.pid: _first(plan, lanes, x, segments) for x in lanes}
    return [feed.head(units), *(feed.introduction(x.pid, units[x.pid]) for x in late)]


def _lasting(lanes: Sequence[Lane], kind: str, clock: int) -> int | None:
    """Ticks of a ``clock`` (Hz) that a unit of this kind lasts; None without such a lane."""
    unit = next((lane.unit for lane in lanes if lane.codec.kind == kind), 0.0)
    return round(unit * clock / HZ) or None


def _late(plan: Plan, lanes: Sequence[Lane]) -> list[Lane]:
    """Lanes of which the muxer would not find enough units within a second of the others: they
    begin late, or a screen stands still.  All of them where sound of the first segment begins late:
    the silence in front of it is written in one piece, before the pictures of that segment; and of
    a user, whose streams lie in segments of their own.
    """
    if len(lanes) == 1:  # nothing stands in between
        return []
    if any(lane.pauses for lane in lanes):
        return list(lanes)
    times = {lane.pid: _times(plan, lane) for lane in lanes}
    begin = min(known[0] for known in times.values())
    if any(times[x.pid][0] - begin > HZ for x in lanes if _sounds_first(plan, x)):
        return list(lanes)
    return [x for x in lanes if len(times[x.pid]) < TIMES or times[x.pid][-1] - begin > HZ]


def _sounds_first(plan: Plan, lane: Lane) -> bool:
    return lane.codec.kind == "audio" and lane.pid in plan.placed[0].stamps


def _times(plan: Plan, lane: Lane) -> list[int]:
    """DTS of the first units of a lane, as many as introduce it."""
    stamps = (p.stamps[lane.pid][1] for p in plan.placed if lane.pid in p.stamps)
    return list(islice(chain.from_iterable(dts[dts >= 0].tolist() for dts in stamps), TIMES))


def _introduction(plan: Plan, lane: Lane, segments: Sequence[LocalSegment]) -> bytes:
    """The first units of a lane that begins late: ffmpeg looks at the beginning only."""
    placed = next(
        p for p in plan.placed if lane.pid in p.stamps and p.stream(lane.pid).config is not None
    )
    data = read(segments[placed.number])
    return introduction(data, lane, placed.stream(lane.pid).pids)


def _first(
    plan: Plan,
    lanes: tuple[Lane, ...],
    lane: Lane,
    segments: Sequence[LocalSegment],
) -> Units:
    """The units of the first segment that has some of a lane, for the initialisation section."""
    for placed in plan.placed:
        if lane.pid in placed.stamps:
            data = read(segments[placed.number])
            stitcher = Stitcher(lanes)
            held = stitcher.add("", data, placed.times, placed.edges, pids=placed.pids).units[
                lane.pid
            ]
            if len(held.sizes):
                return held
    return NO_UNITS
