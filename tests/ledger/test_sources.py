"""The name of a recording's source."""

import pytest

from pipeline.ledger.sources import identity
from tests.watch.test_rebuild_ledger import SID, SOURCE


@pytest.mark.parametrize(
    ("playlist", "expected"),
    [
        (SOURCE, (f"s3://calls/2026/{SID}", SID)),
        (f"/d/bak2_{SID}_a_b.m3u8", (f"/d/{SID}", SID)),
        ("/d/talk.m3u8", ("/d/talk.m3u8", None)),
        (f"{SID}_room.m3u8", (SID, SID)),
    ],
)
def test_what_stays_the_same_of_a_recording(playlist, expected):
    assert identity(playlist) == expected
