"""Slices that the playlist lacks."""

import pytest

from pipeline.media.playlist.orphans import with_orphans
from pipeline.model import Listed, Segment, StoredObject

UTC = 1e9


def slice_at(second: float, lasts: float = 6.0, *, listed: bool = True, rounded: bool = False):
    name = f"{second}.ts"
    segment = Segment(name, lasts, rounded=rounded)
    return Listed(segment, StoredObject(name, 10, None, 0.0), UTC + second, listed=listed)


@pytest.mark.parametrize(
    ("rounded", "second", "fits"),
    [
        pytest.param(False, 5.8, True, id="as exact as names are"),
        pytest.param(False, 5.7, False, id="another holds its time"),
        pytest.param(True, 5.3, True, id="EXTINF may be half a second too long"),
        pytest.param(True, 5.2, False, id="and no longer"),
    ],
)
def test_it_begins_where_another_may_end(rounded, second, fits):
    given = [slice_at(0, rounded=rounded), slice_at(12, rounded=rounded)]
    together, findings = with_orphans(given, [slice_at(second, 0.0, listed=False)])
    names = ["0.ts", f"{second}.ts", "12.ts"] if fits else ["0.ts", "12.ts"]
    assert [listed.name for listed in together] == names
    assert [finding.id for finding in findings] == ([] if fits else ["PL_ORPHAN"])
