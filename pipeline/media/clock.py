"""The 90 kHz clock of MPEG systems, and the arrays that all readers share."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

HZ = 90000  # PTS, DTS and the base of PCR (ISO/IEC 13818-1 clause 2.4.3.7)
OPUS_HZ = 48000  # samples per second of any Opus stream, whatever it was made of
MODULO = 1 << 33  # PTS, DTS and PCR base count 90 kHz modulo 2^33 (clause 2.4.3.7)
BASE = 10 * HZ  # ticks: where a recording begins on the clock the muxer is fed

Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Index = NDArray[np.intp]  # positions in another array, or byte offsets
Ticks = NDArray[np.int64]  # 90 kHz


def signed(step: Ticks) -> Ticks:
    """Steps of a 33-bit clock in ticks as the nearest signed differences, -2^32 to 2^32 - 1; of any
    shape.
    """
    return (step + (MODULO >> 1)) % MODULO - (MODULO >> 1)


def signed_ticks(step: int) -> int:
    """The same of one step (ISO/IEC 13818-1 clause 2.4.3.7: stamps count modulo 2^33)."""
    return (step + (MODULO >> 1)) % MODULO - (MODULO >> 1)


def median(values: NDArray[Any] | Sequence[float]) -> float:
    """The middle value, or the mean of the two in the middle.  There must be at least one, and no
    NaN: to look for NaN, numpy's own median loads a library that nothing else here needs.
    """
    ordered = np.sort(values, axis=None)
    middle = len(ordered) // 2
    return float(ordered[middle - 1 + len(ordered) % 2] + ordered[middle]) / 2


def quantile(values: NDArray[Any] | Sequence[float], share: float) -> float:
    """The value below which a share (0 to 1) of the values lies, interpolated linearly between two.
    There must be at least one, and no NaN.
    """
    ordered = np.sort(values, axis=None)
    place = share * (len(ordered) - 1)
    low, high = ordered[int(place)], ordered[min(int(place) + 1, len(ordered) - 1)]
    return float(low + (high - low) * (place - int(place)))
