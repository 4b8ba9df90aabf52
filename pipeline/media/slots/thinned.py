"""Which pictures stay where at most so many are asked for in a second; the others are left out."""

import numpy as np

from pipeline.media.clock import HZ, Ticks

EARLY = 0.3  # of a step: a picture that comes so much before its time stays
LATE = 0.6  # of a step: one that comes so much later has paused, and the next is a step behind it
BETWEEN = 0.4  # ticks by which both limits are moved, so that they fall between two ticks


def limits(rate: int) -> tuple[float, float]:
    """How many ticks before its time a picture may come, and how many behind it, at so many
    pictures a second.
    """
    return EARLY * HZ / rate + BETWEEN, LATE * HZ / rate + BETWEEN


def kept(pts: Ticks, rate: int) -> Ticks:
    """The stamps, of all in rising order, of the pictures that stay.

    Each is due a step behind the time at which the one before was; ``muxing/commands`` tells ffmpeg
    the same.
    """
    step, due, found = HZ / rate, 0.0, []
    early, late = limits(rate)
    for tick in pts.tolist():
        at = tick - int(pts[0])
        if at >= due - early:
            found.append(tick)
            due = (at if at > due + late else due) + step
    return np.array(found, np.int64)
