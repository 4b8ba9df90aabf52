"""Time stamps inside one segment: finding the few that cannot be right, and what they must have
been.

``pts`` and ``dts`` are int64[PES], 90 kHz ticks of 33 bits, -1 for none; what is returned has the
same shape, and is the same array where nothing was changed.
"""

from bisect import bisect_left
from collections.abc import Mapping

import numpy as np

from pipeline.media.clock import BASE, HZ, MODULO, Index, Ticks, median, signed
from pipeline.media.track import Lane

TRUSTED = 0.9  # share of stamps that must agree before the others are called wrong
FEW = 4  # stamps, of which one may be wrong
REORDER = 5  # pictures shown after one that is decoded after them: no encoder's pyramid has more
LATEST = BASE // 2  # ticks by which a picture may be decoded before it is shown
LONGEST = 16  # pictures a decoder may hold back (H.264 clause A.3.1)
SWAPPED = (
    0.25  # share of pictures: more carry no other picture's stamps, but have none of their own
)


def steady(pts: Ticks, dts: Ticks, lane: Lane) -> tuple[Ticks, Ticks, int | None]:
    """PTS and DTS with DTS in rising order, and how many were mended; None if too few agree.

    A wrong DTS of video is derived from its neighbours or, where too few agree, from the order in
    which pictures are shown; audio loses the stamp, as it follows from the samples before.  A DTS
    that repeats the one before says nothing for or against the others.
    """
    known = np.flatnonzero(dts >= 0)
    steps = signed(np.diff(dts[known]))
    if (steps > 0).all():
        return pts, dts, 0
    line = signed(dts[known] - dts[known[0]])
    once = np.flatnonzero(np.append(True, steps != 0))
    good = once[_more_even(line[once], _longest_rise(line[once].tolist()), lane.unit)]
    single = len(once) >= FEW and len(once) - len(good) == 1
    if (len(good) < TRUSTED * len(once) and not single) or 2 * len(once) < len(line):
        return _as_shown(pts, dts, lane)
    wrong = np.setdiff1d(np.arange(len(line)), good)
    apart = signed(pts[known] - dts[known])
    reordered = bool((signed(np.diff(pts[known])) < 0).any() and np.ptp(apart))
    shown = _as_shown(pts, dts, lane) if reordered else (pts, dts, None)
    even = np.ptp(signed(np.diff(shown[1][known]))) <= lane.unit / 8
    if shown[2] is not None and shown[2] <= (2 if even else 1) * len(wrong):
        return shown  # it contradicts hardly more, and says exactly when each was decoded
    told, stamps = pts, dts
    pts, dts = pts.copy(), dts.copy()
    if lane.codec.kind == "audio":
        pts[known[wrong]] = dts[known[wrong]] = -1
        return pts, dts, len(wrong)
    own = signed(pts[known] - dts[known])
    mended = _on_line(line, good, wrong, lane.unit)
    dts[known[wrong]] = (int(dts[known[0]]) + mended) % MODULO
    if (signed(np.diff(dts[known])) <= 0).any():  # there was no room between its neighbours
        return _as_shown(told, stamps, lane)
    usual = own[good].min(), own[good].max()
    delay = signed(pts[known] - dts[known])[wrong]
    # or both stamps are off together; of a time told again nothing else is known to be wrong
    right = (delay >= usual[0]) & (delay <= usual[1])
    right |= np.isin(wrong, once, invert=True) & (np.diff(pts[known], prepend=-1)[wrong] != 0)
    if reordered:
        right |= _have_a_place(signed(pts[known] - pts[known[0]]), wrong) & (own[wrong] != 0)
    plausible = np.where(right, delay, np.clip(own[wrong], *usual))
    pts[known[wrong]] = (dts[known[wrong]] + plausible) % MODULO
    return pts, dts, len(wrong)


def _on_line(line: Ticks, good: Index, wrong: Index, unit: float) -> Ticks:
    """Stamps for the wrong ones: interpolated between good ones, counted in units outside them."""
    mended: Ticks = np.interp(wrong, good, line[good]).round().astype(np.int64)
    front, beyond = wrong < good[0], wrong > good[-1]
    mended[front] = line[good[0]] - ((good[0] - wrong[front]) * unit).round().astype(np.int64)
    mended[beyond] = line[good[-1]] + ((wrong[beyond] - good[-1]) * unit).round().astype(np.int64)
    return mended


def _have_a_place(shown: Ticks, pictures: np.ndarray) -> np.ndarray:
    """Pictures shown between others that are decoded near them, when no other one is."""
    found = np.zeros(len(pictures), np.bool_)
    for n, at in enumerate(pictures.tolist()):
        low = max(0, at - REORDER)
        near = np.delete(shown[low : at + REORDER + 1], at - low)
        inside = len(near) > 1 and near.min() < shown[at] < near.max()
        found[n] = inside and shown[at] not in near
    return found


def _as_shown(pts: Ticks, dts: Ticks, lane: Lane) -> tuple[Ticks, Ticks, int | None]:
    """DTS derived from PTS, if those can be right: all different, and no further out of order than
    pictures that refer to later ones.
    """
    known = np.flatnonzero(dts >= 0)
    shown = signed(pts[known] - pts[known[0]])
    order = np.sort(shown)
    away = (np.arange(len(order)) - np.searchsorted(order, shown)).max()
    if lane.codec.kind == "audio" or away > REORDER or (np.diff(order) <= 0).any():
        return pts, dts, None
    lags, counts = np.unique(order - signed(dts[known] - pts[known[0]]), return_counts=True)
    usual, needed = int(lags[counts.argmax()]), int((order - shown).max())
    if needed > LATEST:
        return pts, dts, None
    delay = usual if needed <= usual <= min(LATEST, LONGEST * lane.unit) else needed
    right = dts.copy()
    right[known] = (int(pts[known[0]]) + order - delay) % MODULO
    return pts, right, int(np.count_nonzero(right != dts))


def told_again(dts: Ticks) -> int:
    """How many DTS repeat that of the PES before."""
    return int(np.count_nonzero(np.diff(dts[dts >= 0]) == 0))


def started(pts: Ticks, dts: Ticks) -> tuple[Ticks, Ticks] | None:
    """PTS and DTS with the first derived from the next ones where it is 0, as of a clock that was
    not set yet; None where it is not, or nothing contradicts it.
    """
    known = np.flatnonzero(dts >= 0)
    if len(known) < 3 or dts[known[0]] or abs(int(signed(dts[known[1]]))) <= HZ:
        return None
    step = int(median(signed(np.diff(dts[known[1:]]))))
    if step <= 0:
        return None
    pts, dts = pts.copy(), dts.copy()
    late = int(median(signed(pts[known[1:]] - dts[known[1:]])))
    dts[known[0]] = (dts[known[1]] - step) % MODULO
    pts[known[0]] = (dts[known[0]] + late) % MODULO
    return pts, dts


def as_due(pts: Ticks, dts: Ticks, shown: int, decoded: int) -> tuple[Ticks, Ticks]:
    """PTS and DTS with the first set to ``shown`` and ``decoded``, if that is in front of the
    second DTS by no more than the longest step of the others.
    """
    known = np.flatnonzero(dts >= 0)
    steps = signed(np.diff(dts[known[1:]]))
    ahead = int(signed(dts[known[1]] - decoded)) if len(steps) else 0
    if not 0 < ahead <= steps.max(initial=0):
        return pts, dts
    pts, dts = pts.copy(), dts.copy()
    pts[known[0]], dts[known[0]] = shown, decoded
    return pts, dts


def sound_from_next(pts: Ticks, dts: Ticks) -> tuple[Ticks, Ticks]:
    """Stamps of sound at the beginning of a recording with the first, where it is -1, as far from
    the next as most are from each other.
    """
    known = np.flatnonzero(dts >= 0)
    if len(known) < 2 or dts[0] >= 0:
        return pts, dts
    step = median(signed(np.diff(dts[known])) / np.diff(known))
    pts, dts = pts.copy(), dts.copy()
    pts[0] = dts[0] = (int(dts[known[0]]) - round(step * int(known[0]))) % MODULO
    return pts, dts


def sound_as_due(pts: Ticks, dts: Ticks, due: int, unit: float) -> tuple[Ticks, Ticks]:
    """Stamps of sound with the first set to ``due``, if the second PES follows from there as the
    others follow each other, and does not follow the first as it is.  ``unit``: ticks of a frame.
    """
    known = np.flatnonzero(dts >= 0)
    if len(known) < 4:
        return pts, dts
    steps = signed(np.diff(dts[known]))
    low, high = steps[1:].min() - unit, steps[1:].max() + unit
    from_there = int(signed(dts[known[1]] - due))
    if low <= steps[0] <= high or not low <= from_there <= high:
        return pts, dts
    pts, dts = pts.copy(), dts.copy()
    pts[known[0]] = dts[known[0]] = due
    return pts, dts


def late(pts: Ticks, dts: Ticks, lane: Lane) -> int:
    """The most ticks by which a picture is decoded after it is shown, 0 if none is; more than
    ``LONGEST`` pictures or ``LATEST`` ticks do not count.

    A writer with composition offsets below 0 (ISO/IEC 14496-12 clause 8.6.1.3) may count like that.
    """
    behind = signed(dts - pts)[(dts >= 0) & (pts >= 0)]
    behind = behind[behind <= min(LONGEST * lane.unit, LATEST)]
    return int(behind.max(initial=0))


def unwrapped(stamps: Mapping[int, tuple[Ticks, Ticks]]) -> dict[int, tuple[Ticks, Ticks]]:
    """PTS and DTS of all streams of a segment, by PID, on one line: where the 33-bit clock wraps
    inside it, stamps exceed 2^33 instead.
    """
    clocks = {id(clock): clock for pair in stamps.values() for clock in pair}.values()
    latest = max(int(clock.max(initial=0)) for clock in clocks)
    if latest < MODULO >> 1 or all(_known_from(clock, latest - (MODULO >> 1)) for clock in clocks):
        return dict(stamps)  # it does not
    dts = next(iter(stamps.values()))[1]
    first = int(dts[dts >= 0][0]) + MODULO  # nothing becomes negative

    def line(clock: Ticks) -> Ticks:
        return np.where(clock >= 0, first + signed(clock - first), -1)

    def both(pts: Ticks, dts: Ticks) -> tuple[Ticks, Ticks]:
        shown = line(pts)
        return shown, shown if dts is pts else line(dts)

    return {pid: both(*pair) for pid, pair in stamps.items()}


def _known_from(clock: Ticks, first: int) -> bool:
    return bool(((clock < 0) | (clock > first)).all())


def swapped(pts: Ticks, dts: Ticks, lane: Lane) -> tuple[Ticks, Ticks, int] | None:
    """PTS, DTS and how many pictures were changed, where neighbouring pictures carry each other's
    stamps and get their own back; None where something else, or nothing, is wrong.
    """
    known = np.flatnonzero(dts >= 0)
    line = signed(dts[known] - dts[known[:1]])
    order = np.argsort(line, kind="stable")
    away = order - np.arange(len(order))
    share = np.count_nonzero(away) / max(1, len(away))
    if lane.codec.kind == "audio" or not 0 < share <= SWAPPED or np.abs(away).max() > 1:
        return None
    steps = np.diff(line[order])
    near = (away[1:] != 0) | (away[:-1] != 0)
    longest = max([1.5 * lane.unit, *steps[~near].tolist()])  # pictures may be sparse
    if (steps <= 0).any() or steps[near].max() > longest:
        return None
    right, both = dts.copy(), pts.copy()
    right[known], both[known] = dts[known][order], pts[known][order]
    # the presentation time was swapped as well if that makes for steadier delays
    delays = [signed(shown[known] - right[known]) for shown in (both, pts)]
    strays = [np.abs(delay - median(delay)).sum() for delay in delays]
    return (both if strays[0] <= strays[1] else pts), right, int(np.count_nonzero(away))


def _longest_rise(line: list[int]) -> np.ndarray:
    """Positions of the longest strictly rising subsequence (patience sorting)."""
    tops: list[int] = []
    places: list[int] = []
    before: list[int] = []
    for place, value in enumerate(line):
        pile = bisect_left(tops, value)
        before.append(places[pile - 1] if pile else -1)
        tops[pile : pile + 1] = [value]
        places[pile : pile + 1] = [place]
    chain = [places[-1]]
    while before[chain[-1]] >= 0:
        chain.append(before[chain[-1]])
    return np.array(chain[::-1])


def _more_even(line: Ticks, good: np.ndarray, unit: float) -> np.ndarray:
    """The same subsequence, but of two neighbours of which either fits the one that leaves steps
    more even.
    """
    kept = {*good.tolist()}
    for wrong in sorted({*range(len(line))} - kept):
        for other in (wrong - 1, wrong + 1):
            if other not in kept or not 0 < min(wrong, other) <= max(wrong, other) < len(line) - 1:
                continue
            low, high = line[min(wrong, other) - 1], line[max(wrong, other) + 1]
            if not low < line[wrong] < high:
                continue
            odd = [abs(line[n] - low - (n - min(wrong, other) + 1) * unit) for n in (wrong, other)]
            if odd[0] < odd[1]:
                kept = kept - {other} | {wrong}
                break
    return np.array(sorted(kept))
