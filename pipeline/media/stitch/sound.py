"""The sound of a lane in one segment: which packets stay, and the units they come out as."""

import numpy as np
from msgspec.structs import replace

from pipeline.media.clock import Index, Mask, Ticks
from pipeline.media.es import access_units as units
from pipeline.media.es import adts
from pipeline.media.es.access_units import Units
from pipeline.media.malformed import Malformed
from pipeline.media.stitch.audio_repair import behind, in_line, mended
from pipeline.media.stitch.interpose import interposed
from pipeline.media.stitch.payload import (
    carry,
    stream_of,
)
from pipeline.media.stitch.work import TrackInSegment, torn_units
from pipeline.model import Finding, Severity


def sound(work: TrackInSegment) -> tuple[Mask, Units]:
    """Whole frames in one chain pass as they are; anything else is mended."""
    t = work.track
    kept = np.ones(len(t.index), np.bool_)
    if len(t.broken) or (work.torn and _head(work)) or work.until is not None:
        return mended(work)
    flow = stream_of(work, kept)
    found = adts.frames(flow.es, work.lane.config)
    if found.end < len(flow.es):
        rest = flow.es[found.end :].tobytes()
        if work.whole or not adts.goes_on(rest, work.lane.config):
            return mended(work)
        carry(flow, found.end, work.carried)
    flow.pts = _behind(work, found.begin, flow.pes, flow.pts)
    made = units.audio(flow.es, found, flow.pes, flow.pts)
    made = replace(made, torn=torn_units(made, work))
    return interposed(work, kept, made, (flow, found.begin))


def _behind(work: TrackInSegment, frames: Index, pes: Index, pts: Ticks) -> Ticks:
    """Stamps that a muxer can follow, also in the PES of this segment."""
    first = np.searchsorted(frames, pes)
    straight = in_line(first, pts, work.carried)
    detail = "a stamp that jumps out and back, while frame follows frame"
    _set(work, pts, straight, ("PTS_RANGE", detail, "set behind the frame in front"))
    followed = behind(first, straight, len(frames), work.carried)
    detail = "sound is stamped before the frame in front of it has begun"
    _set(work, straight, followed, ("DTS_BACK", detail, "put behind it"))
    return followed


def _set(work: TrackInSegment, pts: Ticks, new: Ticks, said: tuple[str, str, str]) -> None:
    """Other stamps for PES of this segment; those in front began in the segment before."""
    moved = np.flatnonzero(new != pts)
    if not len(moved):
        return
    own = len(pts) - len(work.pts)
    inside = moved[moved >= own]
    work.pts = work.pts.copy()
    work.pts[inside - own] = new[inside]
    id, detail, repair = said
    work.findings.append(
        Finding(id, Severity.WARNING, work.name, work.lane.pid, len(moved), detail, repair)
    )


def told_apart(work: TrackInSegment, made: Units) -> Units:
    """The first units of a track, whose channels may stand in the first frame alone."""
    if adts.read(work.lane.config).channels:
        return made
    try:
        return units.told_apart(made)
    except Malformed as error:
        detail = f"the channels of the sound are told nowhere: {error}"
        work.findings.append(
            Finding("ES_CODEC", Severity.FATAL, work.name, work.lane.pid, detail=detail)
        )
        return made


def _head(work: TrackInSegment) -> bool:
    return not len(work.track.starts) or int(work.track.starts[0]) > 0
