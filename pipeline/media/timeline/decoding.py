"""Decoding times where encoders take turns: segments are placed by when they are shown, and in
front of a seam pictures may wait longer from decoding to presentation than behind it.

Times are ticks of 90 kHz.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from pipeline.media.clock import Ticks, median, quantile, signed_ticks
from pipeline.media.slots.segments import Placed
from pipeline.media.slots.timestamps import LATEST
from pipeline.media.track import Lane

STEADY = 1 / 8  # share of a picture's duration by which waits may differ from the usual one
MOST = 0.8  # share of the pictures: beside a loss some wait longer or shorter


def fitted(segments: Sequence[Placed], lanes: Sequence[Lane]) -> list[Placed]:
    """The segments with all pictures of a lane waiting equally long, so that they are decoded in
    the order of the segments: earlier than their DTS where others wait longer, and never later
    (ISO/IEC 13818-1 clause 2.7.4).  PTS stay.
    """
    found = list(segments)
    for lane in lanes:
        having = [n for n, s in enumerate(found) if lane.pid in s.stamps]
        if lane.codec.kind != "video" or not having:
            continue
        runs = _runs([found[n] for n in having], lane)
        leads = _leads(runs, lane) if len(runs) > 1 else [0]
        each = [ticks for run, ticks in zip(runs, leads, strict=True) for _ in run]
        for n, ticks in zip(having, each, strict=True):
            found[n] = found[n].decoded_earlier(lane.pid, ticks) if ticks else found[n]
    return found


def _runs(having: Sequence[Placed], lane: Lane) -> list[list[Placed]]:
    """Runs of segments by one encoder each, as far as stamps show."""
    runs = [[having[0]]]
    moved = [_moved(segment, lane.pid) for segment in having]
    for (before, segment), (was, now) in zip(pairwise(having), pairwise(moved), strict=True):
        if was != now or _restarts(before, segment, lane.pid) or _turns(before, segment, lane):
            runs.append([])
        runs[-1].append(segment)
    return runs


def _restarts(before: Placed, segment: Placed, pid: int) -> bool:
    """Whether another part begins, or DTS do not rise."""
    return before.slot.part != segment.slot.part or segment.first(pid) <= before.last(pid)


def _moved(segment: Placed, pid: int) -> int:
    """Ticks from the clock of a segment to its place."""
    pts = segment.stamps[pid][0]
    at = int(np.argmax(pts >= 0))
    return signed_ticks(int(pts[at]) - int(segment.stream(pid).pts[at]))


def _turns(before: Placed, segment: Placed, lane: Lane) -> bool:
    """Whether pictures are shown one after the other but not decoded like that, as the wait from
    decoding to presentation has changed.
    """
    pid, half = lane.pid, lane.unit / 2
    if abs(first_wait(before, pid) - first_wait(segment, pid)) <= half:
        return False
    waits = [_waits(before, pid), _waits(segment, pid)]
    usual = [median(each) for each in waits]
    strays = [quantile(np.abs(w - one), MOST) for w, one in zip(waits, usual, strict=True)]
    if abs(usual[0] - usual[1]) <= half or max(strays) > STEADY * lane.unit:
        return False
    decoded = segment.first(pid) - before.last(pid)
    shown = segment.presented(pid)[0] - before.presented(pid)[1]
    return abs(shown - lane.unit) < abs(decoded - lane.unit)


def first_wait(segment: Placed, pid: int) -> int:
    """Ticks from the decoding of the first picture to its presentation."""
    return segment.stamps[pid].wait


def _waits(segment: Placed, pid: int) -> Ticks:
    """Ticks from each DTS to the PTS at the same place of their rising order."""
    pts, dts = segment.stamps[pid]
    known = (pts >= 0) & (dts >= 0)
    return np.sort(pts[known]) - dts[known]


def _leads(runs: Sequence[Sequence[Placed]], lane: Lane) -> list[int]:
    """Ticks by which the pictures of each run are decoded earlier: all wait as long as the longest
    wait that is possible, and none is decoded after the first of the next run.
    """
    pid = lane.pid
    waits = [median(np.concatenate([_waits(s, pid) for s in run])) for run in runs]
    longest = max((wait for wait in waits if wait <= LATEST), default=0.0)
    short = [max(0.0, longest - wait) for wait in waits]
    leads = [round(ticks) if ticks > lane.unit / 2 else 0 for ticks in short]
    for n in range(len(runs) - 2, -1, -1):
        behind = runs[n + 1][0].first(pid) - leads[n + 1]
        leads[n] = max(leads[n], _last_kept(runs[n][-1], pid) + 1 - behind)
    return [min(lead, LATEST) for lead in leads]


def _last_kept(segment: Placed, pid: int) -> int:
    dts = segment.stamps[pid][1]
    kept = dts[(dts >= 0) & (dts < segment.until.get(pid, int(dts.max()) + 1))]
    return int(kept[-1])
