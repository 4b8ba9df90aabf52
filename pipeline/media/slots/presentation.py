"""Times at which single pictures of a segment cannot be shown, and when they must have been.

``pts`` and ``dts`` are int64[PES], 90 kHz ticks of 33 bits, -1 for none; what is returned has the
same shape, and is the same array where nothing was changed.
"""

import numpy as np

from pipeline.media.clock import HZ, MODULO, Index, Ticks, median, signed
from pipeline.media.track import Lane

TRUSTED = 0.9  # share of pictures that must be in place before the others are called wrong
REORDERED = 16  # pictures that may wait for one another (H.264 clause A.3.1: MaxDpbFrames)
EVEN = 1 / 8  # share of a picture's duration by which evenly spaced ones differ at most
FEW = 10  # pictures: fewer do not show that they are evenly spaced
ROUNDED = 2  # ticks by which a writer may round
FITS = HZ // 4  # ticks between what a segment lasts and its EXTINF


def in_place(pts: Ticks, dts: Ticks, lane: Lane) -> tuple[Ticks, int]:
    """PTS with single impossible ones set to where a picture is missing, and how many those are.

    A picture is shown before 16 more are decoded (H.264 clause A.3.1), and not before it is decoded
    itself; where pictures are evenly spaced, no two share one place while another is empty.  DTS
    must be in order.
    """
    known = np.flatnonzero(dts >= 0)
    if lane.codec.kind == "audio" or len(known) < 3:
        return pts, 0
    shown, decoded = signed(pts[known] - dts[known[0]]), signed(dts[known] - dts[known[0]])
    astray = _impossible(shown, decoded, lane.unit)
    if not len(astray):
        astray = _crowding(shown, decoded, lane.unit)
    if not 0 < len(astray) <= (1 - TRUSTED) * len(known):
        return pts, 0
    placed = _placed(shown, decoded, astray, lane.unit)
    mended = pts.copy()
    mended[known[astray]] = (int(dts[known[0]]) + placed) % MODULO
    return mended, len(astray)


def one_bit_off(pts: Ticks, dts: Ticks, lane: Lane) -> tuple[Ticks, Ticks, int]:
    """PTS and DTS with the one picture set right that is off evenly spaced ones by a single bit of
    its PTS, and of its DTS where both were equal; or by a bit of its DTS alone.  And 1, else 0.
    """
    known = np.flatnonzero(dts >= 0)
    if lane.codec.kind == "audio" or len(known) < FEW:
        return pts, dts, 0
    if off := _one_off(pts[known], lane.unit):
        picture, place = int(known[off[0]]), off[1]
        right, decoded = pts.copy(), dts.copy()
        right[picture] = place
        decoded[picture] = place if dts[picture] == pts[picture] else dts[picture]
        return right, decoded, 1
    if off := _one_off(dts[known], lane.unit):
        decoded = dts.copy()
        decoded[known[off[0]]] = off[1]
        return pts, decoded, 1
    return pts, dts, 0


def _one_off(stamps: Ticks, unit: float) -> tuple[int, int] | None:
    """Which of evenly spaced stamps is off its place by one bit, and the stamp of that place."""
    line = signed(stamps - stamps[0])
    order = np.argsort(line, kind="stable")
    odd = np.flatnonzero(np.abs(np.diff(line[order]) - unit) > EVEN * unit)
    off = _between_odd(odd.tolist(), len(order))
    if off is None:
        return None
    sides = [(off - 1, 1), (off + 1, -1)]
    wanted = [line[order[n]] + way * unit for n, way in sides if 0 <= n < len(order)]
    told = int(stamps[order[off]])
    middle = int(stamps[0]) + round(sum(wanted) / len(wanted))
    for place in range(middle - ROUNDED, middle + ROUNDED + 1):
        if (told ^ place % MODULO).bit_count() == 1:
            return int(order[off]), place % MODULO
    return None


def _between_odd(odd: list[int], count: int) -> int | None:
    """Which of ``count`` pictures stands between the only steps that are odd."""
    if len(odd) == 2 and odd[1] == odd[0] + 1:
        return odd[1]
    ends = {0: 0, count - 2: count - 1}
    return ends.get(odd[0]) if len(odd) == 1 else None


def _impossible(shown: Ticks, decoded: Ticks, unit: float) -> Index:
    """Pictures shown long before they are decoded, or after more are decoded than can wait."""
    count = len(decoded)
    last = np.arange(count) + REORDERED
    steps = np.diff(decoded)
    wait = decoded[np.minimum(last, count - 1)] + np.maximum(0, last - count + 1) * steps.max()
    early, late = shown < decoded - unit, shown > wait
    # where a whole stream is shown early its writer counts in another way: no picture is wrong
    return np.flatnonzero(late | early)


def _crowding(shown: Ticks, decoded: Ticks, unit: float) -> Index:
    """The one picture that stands where evenly spaced ones leave no room, while a single place is
    empty that can be its own.  Other empty places may belong to pictures of the segments beside.
    """
    none = np.empty(0, np.intp)
    order = np.argsort(shown, kind="stable")
    line = shown[order]
    steps = np.diff(line)
    odd = np.flatnonzero(np.abs(steps - unit) > EVEN * unit)
    wide = np.abs(steps[odd] - 2 * unit) <= EVEN * unit
    empty, rest = odd[wide], odd[~wide]
    if len(empty) != 1 or not 0 < len(rest) <= 2:
        return none
    first = int(rest[0])
    if len(rest) == 2 and rest[1] == first + 1 and abs(steps[rest].sum() - unit) <= EVEN * unit:
        picture = int(order[first + 1])
    elif len(rest) == 1 and first in (0, len(steps) - 1):
        picture = int(order[0 if first == 0 else -1])
    else:
        return none
    waits = np.delete(shown - decoded, picture)
    wait = line[empty[0]] + unit - decoded[picture]
    fits = waits.min() - unit / 2 <= wait <= waits.max() + unit / 2
    return np.array([picture]) if fits else none


def _placed(shown: Ticks, decoded: Ticks, astray: Index, unit: float) -> Ticks:
    """Where each picture is shown: in the middle of the widest gap that it can fill, else as long
    after its decoding as most.
    """
    sure = np.setdiff1d(np.arange(len(shown)), astray)
    waits = shown[sure] - decoded[sure]
    low, high, usual = waits.min(), waits.max(), int(median(waits))
    line = np.sort(shown[sure])
    placed = []
    for at in decoded[astray].tolist():
        gaps = np.diff(line)
        middle = line[:-1] + gaps // 2
        free = (gaps > (2 - 4 * EVEN) * unit) & (middle >= at + low) & (middle <= at + high)
        places = middle[free][np.argsort(-gaps[free], kind="stable")].tolist()
        places += [
            t for t in (line[-1] + round(unit), line[0] - round(unit)) if low <= t - at <= high
        ]
        place = int([*places, at + usual][0])
        placed.append(place)
        line = np.sort(np.append(line, place))
    return np.array(placed, np.int64)


def within(pts: Ticks, dts: Ticks, lane: Lane, lasts: float | None) -> tuple[Ticks, Ticks, int]:
    """PTS and DTS with the first or the last set beside the others, where it alone stands far from
    them and they are as long as the segment ``lasts`` by EXTINF (seconds); and how many, 0 or 1.
    """
    known = np.flatnonzero(dts >= 0)
    if lasts is None or len(known) < 4:
        return pts, dts, 0
    line = signed(dts[known] - dts[known[1]])
    steps = np.diff(line)
    for wrong, near, step, inner in ((-1, -2, steps[-1], steps[:-1]), (0, 1, steps[0], steps[1:])):
        widest = int(inner.max())
        if step <= max(HZ, 3 * widest, REORDERED * lane.unit):  # as nearly always
            continue
        usual = int(median(inner))
        short = int(inner.sum()) + 2 * usual - lasts * HZ
        beyond = short + step - usual  # with it, where it is
        if abs(short) <= FITS + 2 * widest and beyond > HZ / 2 + abs(short):
            pts, dts = pts.copy(), dts.copy()
            wait = int(signed(pts[known[[near]]] - dts[known[[near]]])[0])
            dts[known[wrong]] = (int(dts[known[near]]) + (usual if wrong else -usual)) % MODULO
            pts[known[wrong]] = (int(dts[known[wrong]]) + wait) % MODULO
            return pts, dts, 1
    return pts, dts, 0
