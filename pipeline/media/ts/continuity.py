"""Whether a stream goes on from one segment to the next, by its packets."""

from pipeline.media.ts.scan import Stream


def continues(a: Stream, b: Stream) -> bool:
    """The continuity counter goes on over the edge of two segments (ISO/IEC 13818-1 clause
    2.4.3.3).
    """
    return b.counters[0] == (a.counters[1] + 1) & 15


def moved(a: Stream, b: Stream) -> bool:
    """The stream goes on under another PID."""
    return a.pids[-1] != b.pids[0]
