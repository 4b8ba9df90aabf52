"""Time stamps and clock references as bytes (ISO/IEC 13818-1 clauses 2.4.3.5 and 2.4.3.7)."""

import numpy as np

from pipeline.media.clock import MODULO, Bytes, Mask, Ticks

_STAMP_BITS = np.array((0x0E, 0xFF, 0xFE, 0xFF, 0xFE), np.uint8)
_STAMP_WEIGHTS = np.array((1 << 30, 1 << 23, 1 << 15, 1 << 8, 1), np.int64)


def stamps(fields: Bytes) -> tuple[Ticks, Mask]:
    """Decode ``(k, 5)`` PTS or DTS fields; the mask tells if all marker bits are set (2.4.3.7)."""
    value: Ticks = (fields & _STAMP_BITS).astype(np.int64) @ _STAMP_WEIGHTS >> 1
    return value, (fields[:, 0] & fields[:, 2] & fields[:, 4] & 1) == 1


_PCR_WEIGHTS = np.array((1 << 26, 1 << 18, 1 << 10, 1 << 2, 0), np.int64)


def pcr_bases(fields: Bytes) -> Ticks:
    """program_clock_reference_base of ``(k, 5)`` PCR fields (2.4.3.5)."""
    bases: Ticks = (fields.astype(np.int64) @ _PCR_WEIGHTS >> 1) | fields[:, 4] >> 7
    return bases


def stamp_fields(value: Ticks, prefix: int | Bytes) -> Bytes:
    """The inverse: 33-bit values as ``(k, 5)`` fields behind a 4-bit prefix (2: PTS, 3: PTS of two,
    1: DTS).
    """
    value = value % MODULO
    field = np.empty((len(value), 5), np.uint8)
    field[:, 0] = prefix << 4 | (value >> 29) & 0x0E | 1
    field[:, 1] = (value >> 22) & 0xFF
    field[:, 2] = (value >> 14) & 0xFE | 1
    field[:, 3] = (value >> 7) & 0xFF
    field[:, 4] = (value << 1) & 0xFE | 1
    return field
