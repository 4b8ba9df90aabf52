"""Faults done to one playlist with its slices, in the order in which they can be done."""

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from pipeline.simulator.faults import catalogue
from pipeline.simulator.faults.catalogue import (
    CONTENT,
    FAILOVER,
    FILES,
    LISTING,
    PACKETS,
    UNITS,
    ChosenFault,
)
from pipeline.simulator.faults.fault_context import Case
from pipeline.simulator.recorder.mux import muxed
from pipeline.simulator.recorder.values import RecordedPart

Change = Callable[[RecordedPart], RecordedPart]


def _as_it_is(part: RecordedPart) -> RecordedPart:
    return part


def faulty(
    part: RecordedPart, wanted: Sequence[ChosenFault], case: Case, between: Change = _as_it_is
) -> RecordedPart:
    """A part with its faults; ``between`` is what happens to it besides, before it is written."""
    content, early, late = (
        [w for w in wanted if w.fault.level in levels]
        for levels in ((CONTENT,), (UNITS,), (PACKETS, FILES, LISTING, FAILOVER))
    )
    part = _changed(between(_changed(part, content, case)), early, case)
    if any(w.fault.level in (PACKETS, FILES) for w in late):
        part = muxed(part)  # else on the way to the store: packets take a lot of memory
    return _changed(part, late, case)


def _changed(part: RecordedPart, wanted: Sequence[ChosenFault], case: Case) -> RecordedPart:
    for one in catalogue.in_order(wanted):
        assert one.fault.apply is not None
        part = one.fault.apply(part, replace(case, fault=one.fault.name, argument=one.argument))
    return part
