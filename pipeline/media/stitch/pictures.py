"""The pictures of a lane in one segment: which packets stay, and the units they come out as."""

import numpy as np
from msgspec.structs import replace

from pipeline.media.clock import Mask
from pipeline.media.es import access_units as units
from pipeline.media.es.access_units import Units
from pipeline.media.es.formats import needs
from pipeline.media.es.nal import NalSyntax, nals
from pipeline.media.stitch.interpose import interposed
from pipeline.media.stitch.payload import (
    attributable,
    carry,
    extent,
    stream_of,
    unfinished,
)
from pipeline.media.stitch.regroup import grouped
from pipeline.media.stitch.work import TrackInSegment, torn_units
from pipeline.media.ts.elementary import elementary
from pipeline.media.ts.pes import misdeclared
from pipeline.model import Finding, Severity


def pictures(work: TrackInSegment) -> tuple[Mask, Units]:
    """Pictures that lost bytes keep what stands before the loss, if that shows anything at all; one
    of which nobody knows where they are missing is left out.
    """
    kept, damaged = attributable(work)
    open_ones = set(unfinished(work))
    lacking = set(misdeclared(work.packets, work.track, work.dts)[1].tolist()) - damaged
    cut = {len(work.track.starts) - 1} if work.cut else set()
    if work.until is not None:
        beyond = int([*np.flatnonzero(work.dts >= work.until), len(work.dts)][0])
        kept[extent(work.track, beyond)[0] :] = False
        damaged, cut = frozenset(k for k in damaged if k < beyond), set()
        open_ones = {k for k in open_ones if k < beyond}
    hurt = {k for k in open_ones | cut if k >= 0}
    syntax = work.lane.syntax
    assert syntax is not None
    shown = {k for k in hurt if _shows(work, kept, k, syntax)}
    for ordinal in (hurt - shown) | lacking:
        begin, end = extent(work.track, ordinal)
        kept[begin:end] = False
    unseen = 0 if work.carried.started else _drop_unseen(work, kept)
    opens = not (work.lane.inside or work.carried.started or len(work.carried.offsets))
    flow = stream_of(work, kept)
    found = grouped(work, kept, flow, opens=opens and len(flow.pes) > work.joined)
    if work.joined and len(flow.pes):
        found = found.until(int(flow.pes[-1]))
        carry(flow, int(flow.pes[-1]), work.carried)
    stream = flow.es, flow.pes, flow.pts, flow.dts
    made, sets = units.video(*stream, syntax=syntax, found=found, in_place=True)
    made = replace(made, foreign=made.foreign + flow.left_out)
    if flow.guessed:
        detail = "pictures without time stamps among some that are shown in another order"
        repair = "shown where there is room"
        work.findings.append(
            Finding(
                "PTS_ABSENT",
                Severity.WARNING,
                work.name,
                work.lane.pid,
                flow.guessed,
                detail,
                repair,
            )
        )
    work.carried.started |= len(made.sizes) > 0
    _say_what_is_wrong(work, made, sets)
    torn = torn_units(made, work, [k + 1 for k in damaged | lacking])
    return kept, replace(made, torn=torn, cut=len(shown) + unseen)


def framed(work: TrackInSegment) -> tuple[Mask, Units]:
    """One unit in each PES: whole ones pass as they are, others are left out."""
    kept, damaged = attributable(work)
    hurt = set(damaged) | ({len(work.track.starts) - 1} if work.cut else set())
    hurt |= set(np.flatnonzero(work.pts < 0).tolist())
    if work.until is not None:
        hurt |= set(np.flatnonzero(work.dts >= work.until).tolist())
    for ordinal in (k for k in hurt if k >= 0):
        begin, end = extent(work.track, ordinal)
        kept[begin:end] = False
    flow = stream_of(work, kept)
    made = units.framed(flow.es, flow.pes, flow.pts, flow.dts)
    lane = work.lane
    if lane.codec.kind == "video" and any(
        (found := lane.codec.config(bytes(flow.es[at : at + 20]))) and found != lane.config
        for at in flow.pes.tolist()
    ):
        detail = "the size changes inside this segment: kept as it is, each key picture tells it"
        work.findings.append(
            Finding("SPS_CHANGE", Severity.INFO, work.name, work.lane.pid, detail=detail)
        )
    made = replace(made, torn=torn_units(made, work, [k + 1 for k in damaged]))
    return interposed(work, kept, made, (flow, flow.pes))


def _shows(work: TrackInSegment, kept: Mask, ordinal: int, syntax: NalSyntax) -> bool:
    """What is left of a PES holds a slice of a picture."""
    begin, end = extent(work.track, ordinal)
    end = begin + int(np.argmin(np.append(kept[begin:end], False)))
    picture = elementary(work.packets, work.track, begin, end)
    found = nals(np.frombuffer(picture, np.uint8), syntax)
    return bool(found.picture.any())


def _drop_unseen(work: TrackInSegment, kept: Mask) -> int:
    """Pictures that follow the first one but are due before it: what they refer to is gone."""
    t = work.track
    alive = np.flatnonzero(kept[t.starts] & (work.pts >= 0))
    unseen = alive[work.pts[alive] < work.pts[alive[0]]] if len(alive) else alive
    for ordinal in unseen.tolist():
        begin, end = extent(t, ordinal)
        kept[begin:end] = False
    if len(unseen):
        detail = "pictures that refer to others before the beginning"
        pid = work.lane.pid
        work.findings.append(
            Finding("NO_KEY_AT_START", Severity.ERROR, work.name, pid, len(unseen), detail)
        )
    return len(unseen)


def _say_what_is_wrong(work: TrackInSegment, made: Units, sets: list[bytes]) -> None:
    if made.foreign:
        detail = "NAL units whose header cannot be one"
        work.findings.append(
            Finding("DECODE", Severity.ERROR, work.name, work.lane.pid, made.foreign, detail)
        )
    wanted = needs(work.lane.codec, work.lane.config)
    if any(needs(work.lane.codec, s) != wanted for s in {*sets}):
        detail = "the picture format changes (SPS differs from the first)"
        work.findings.append(
            Finding("SPS_CHANGE", Severity.FATAL, work.name, work.lane.pid, detail=detail)
        )
