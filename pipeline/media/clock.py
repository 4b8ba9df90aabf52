"""The 90 kHz clock of MPEG systems, and the arrays that all readers share."""

import numpy as np
from numpy.typing import NDArray

HZ = 90000  # PTS, DTS and the base of PCR (ISO/IEC 13818-1 clause 2.4.3.7)
OPUS_HZ = 48000  # samples per second of any Opus stream, whatever it was made of
MODULO = 1 << 33  # PTS, DTS and PCR base count 90 kHz modulo 2^33 (clause 2.4.3.7)
BASE = 10 * HZ  # where a recording begins on the clock the muxer is fed

Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Index = NDArray[np.intp]
Ticks = NDArray[np.int64]


def signed(step: Ticks) -> Ticks:
    """Steps of a 33-bit clock as the nearest signed difference."""
    return (step + (MODULO >> 1)) % MODULO - (MODULO >> 1)


def signed_ticks(step: int) -> int:
    """One step of a 33-bit clock as the nearest signed difference."""
    return (step + (MODULO >> 1)) % MODULO - (MODULO >> 1)
