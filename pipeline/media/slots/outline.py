"""Slots of other files, as far as the account of one file looks at them: their names, what they
promise, and whether they hold media.
"""

import numpy as np
from msgspec.structs import replace

from pipeline.media.slots.segments import Slot, has_media
from pipeline.media.track import NOTHING
from pipeline.media.ts.scan import Scan, Stream

_SOME = Stream(
    pids=(),
    codec=None,
    packets=1,
    pts=np.zeros(1, np.int64),
    dts=np.zeros(1, np.int64),
    damaged=NOTHING,
    head=0,
    short=0,
    counters=(0, 0),
    prints=(b"", b""),
    filled=False,
    free_start=False,
    config=None,
    key_start=None,
    tail=1,
    blank=False,
    rows=(0, 0),
)
_MEDIA = Scan("", 0, packets=1, streams={0: _SOME})
_TABLES = Scan("", 0, packets=1)
_NOTHING = Scan("", 0)


def outline(slot: Slot) -> Slot:
    """The same slot with a scan that says no more than whether it holds packets, and media; all
    outlines share it.
    """
    return replace(slot, scan=_outlined(slot), aside=slot.aside and _NOTHING)


def _outlined(slot: Slot) -> Scan | None:
    if slot.scan is None:
        return None
    if has_media(slot):
        return _MEDIA
    return _TABLES if slot.scan.packets else _NOTHING
