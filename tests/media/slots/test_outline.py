"""Slots of other files, as far as the account of one looks at them."""

import numpy as np
import pytest

from pipeline.media.slots.outline import outline
from pipeline.media.slots.segments import Slot, has_media, is_gone
from pipeline.media.ts.scan import Scan, scan
from tests import ts


def found_in(data: bytes) -> Scan:
    return scan("a.ts", np.frombuffer(data, np.uint8))


MEDIA = found_in(ts.segment())
TABLES = found_in(b"".join(ts.table_packets(0, ts.pat())))
NO_STREAM = found_in(b"<html>")


@pytest.mark.parametrize("duration", [None, 15.0])
@pytest.mark.parametrize(
    "found",
    [
        pytest.param(MEDIA, id="media"),
        pytest.param(TABLES, id="tables alone"),
        pytest.param(NO_STREAM, id="no transport stream"),
        pytest.param(None, id="nothing"),
    ],
)
def test_an_outline_answers_like_its_slot(found, duration):
    slot = Slot("a.ts", found, duration, utc=3.0, part="bak0", aside=found)
    told = outline(slot)
    assert (has_media(told), is_gone(told)) == (has_media(slot), is_gone(slot))
    assert (told.name, told.duration, told.utc, told.part) == ("a.ts", duration, 3.0, "bak0")
    assert (told.aside is None) == (slot.aside is None)


def test_outlines_share_what_they_say():
    one, other = (outline(Slot(name, MEDIA)).scan for name in ("a.ts", "b.ts"))
    assert one is other
