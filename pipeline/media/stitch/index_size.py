"""How much room the index of an MP4 needs in front of its media."""

from collections.abc import Sequence

import numpy as np
from msgspec.structs import replace

from pipeline.media.clock import BASE, HZ
from pipeline.media.loss.fills import Fill
from pipeline.media.timeline.plan import Plan
from pipeline.media.track import Lane

FIRST = 4  # segments by which the others are judged
MORE = 17 / 16  # how much more of a table the others may need


def index_size(plan: Plan, lanes: Sequence[Lane], fills: Sequence[Fill]) -> int:
    """Room for the moov box: what its tables can need (ISO/IEC 14496-12 clauses 8.6 and 8.7), and
    not less than one would have foreseen, for the file may have been begun with that.
    """
    first = replace(plan, placed=plan.placed[:FIRST])
    own = plan.slots[plan.placed[0].position : plan.placed[-1].position + 1]
    promised = sum(slot.duration or 0.0 for slot in own)  # of this file, if it is one of several
    room = _needed(plan, lanes) + sum(24 * len(fill.dts) for fill in fills)
    return max(room, foreseen_size(first, lanes, promised))


def foreseen_size(first: Plan, lanes: Sequence[Lane], promised: float) -> int:
    """Room for that of a recording of so many seconds, by the plan of its first segments."""
    lasts = sum(placed.slot.duration or 0.0 for placed in first.placed)
    room = _needed(first, lanes)
    return room + int(room * MORE * (promised - lasts) / lasts) if lasts else 0


def _needed(plan: Plan, lanes: Sequence[Lane]) -> int:
    room = 4096 + 2 * sum(map(len, (one for lane in lanes for one in (lane.config, *lane.sets))))
    for lane in lanes:
        stamps = [p.stamps[lane.pid] for p in plan.placed if lane.pid in p.stamps]
        if not stamps:  # among the first segments
            continue
        pts, dts = (np.concatenate(column) for column in zip(*stamps, strict=True))
        seconds = float(dts.max() - dts[dts >= 0].min()) / HZ
        chunks = 2 * seconds + 16 * len(plan.placed)  # at a second each, and at every break
        room += int(chunks * 20)  # stco or co64, stsc
        if lane.codec.kind == "video":
            changes = int(np.count_nonzero(np.diff(np.diff(dts)))) + len(plan.placed)
            orders = int(np.count_nonzero(np.diff(pts - dts)))
            room += len(dts) * 5 + (changes + orders) * 8  # stsz, stss, stts, ctts
        else:
            room += int(seconds * HZ / lane.unit) * 4 + 16 * len(dts)  # stsz, stts
    return room + _silence(plan, lanes)


def _silence(plan: Plan, lanes: Sequence[Lane]) -> int:
    """Room for the silence in long pauses (stsz, stts): what one takes more does not fit, and the
    file is made once more.
    """
    begin, end = BASE, plan.end
    room = 0.0
    for lane in (lane for lane in lanes if lane.codec.kind == "audio"):
        stamps = [p.stamps[lane.pid][1] for p in plan.placed if lane.pid in p.stamps]
        steps = np.diff(np.concatenate([[begin], *(dts[dts >= 0] for dts in stamps), [end]]))
        room += float(steps[steps > HZ].sum()) / lane.unit * 16
    return int(room)
