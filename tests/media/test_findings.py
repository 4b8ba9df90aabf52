"""Many findings as few."""

from pipeline.media.findings import bounded
from pipeline.model import Finding, Severity


def said(id="CC", segment=None, **more):
    return Finding(id, more.pop("severity", Severity.ERROR), segment, **more)


def test_what_is_said_twice_of_one_segment_is_counted():
    found = bounded([said(segment="a", count=2, detail="first"), said(segment="a", detail="then")])
    assert found == (said(segment="a", count=3, detail="first"),)


def test_other_streams_severities_and_repairs_stay_apart():
    apart = (
        said(segment="a"),
        said(segment="b"),
        said(segment="a", pid=1),
        said(segment="a", severity=Severity.WARNING),
        said(segment="a", repair="kept"),
        said("PCR", segment="a"),
        said(),
    )
    assert bounded(apart) == apart


def test_a_flood_names_the_first_segments_and_counts_the_others():
    flood = [said(segment=str(n), detail=str(n)) for n in range(10)]
    assert bounded([*flood, said("PCR", segment="9")], 3) == (
        *flood[:3],
        said(count=7, detail="3"),
        said("PCR", segment="9"),
    )


def test_what_is_said_again_of_a_named_segment_stays_with_it():
    flood = [said(segment=str(n)) for n in (0, 1, 2, 3, 0, 3)]
    assert [(f.segment, f.count) for f in bounded(flood, 2)] == [("0", 2), ("1", 1), (None, 3)]
