"""The coverage bar, read back from its SVG."""

import xml.etree.ElementTree as ET

import pytest
from msgspec.structs import replace

from pipeline.model import AccountEntry, Hole, Reencoded, Seam
from pipeline.report.drawing import bar
from pipeline.report.facts import facts
from pipeline.report.lanes import Cause
from tests.report.reports import GOOD, covered, lost, name


def of(report, kind="video"):
    """Cause, begin and end in percent of all that is hatched or marked on a lane."""
    found = facts(report)
    (lane,) = (one for one in found.lanes if one.kind == kind)
    root = ET.fromstring(bar.lane(lane, found.axis, found.joins))
    return [(e.get("data-cause"), *place(e)) for e in root if e.get("data-cause")]


def place(element):
    if element.tag == "line":
        at = float(element.get("x1").rstrip("%"))
        return at, at
    begin = float(element.get("x").rstrip("%"))
    return begin, round(begin + float(element.get("width").rstrip("%")), 3)


def test_three_faults_stand_where_they_are():
    once = Reencoded("video", name(8), 10.0, 150, "h264 1280x720", "h264 640x360")
    row = AccountEntry(name(5), "audio", 257, 10.0, excepted=10.0, reason="none was sent")
    report = replace(
        lost(2),
        coverage=covered({2}, {2, 5}),
        reencoded=(once,),
        account=replace(GOOD.account, slots=(row,)),
    )
    assert of(report) == [("reencoded", 80.0, 90.0), ("kept", 20.0, 30.0)]
    assert of(report, "audio") == [("absent", 50.0, 60.0), ("kept", 20.0, 30.0)]


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause is not Cause.JOINED])
def test_every_cause_has_a_pattern_of_its_own(cause):
    root = ET.fromstring(bar.patterns())
    strokes = {e.get("id"): e[1].get("d") for e in root.iter("pattern")}
    assert len(set(strokes.values())) == len(strokes)
    assert f"hatch-{cause.value}" in strokes


def test_a_span_refers_to_the_pattern_of_its_cause():
    found = facts(lost(3, "filled"))
    assert 'fill="url(#hatch-filled)"' in bar.lane(found.lanes[0], found.axis)


def test_what_is_too_narrow_to_be_seen_has_a_mark():
    report = replace(lost(3), holes=(Hole("video", 30.0, 0.04, name(3), "packets lost"),))
    assert of(replace(report, coverage=covered())) == [
        ("kept", 30.0, 30.04),
        ("kept", 30.02, 30.02),
    ]


def test_joins_are_marked_on_every_lane():
    report = replace(GOOD, joins=(Seam(50.0, "bak0", "slice names"),))
    assert of(report) == of(report, "audio") == [("joined", 50.0, 50.0)]


def test_a_lane_says_in_words_what_it_shows():
    found = facts(lost(3))
    told = bar.described(found.lanes[0], found.axis)
    assert told == (
        "Video, 1 min 40 s: lost, its time kept: segment missing, 10.0 s, at 30 % of the time"
    )
    whole = facts(GOOD)
    assert bar.described(whole.lanes[0], whole.axis).endswith("there from the beginning to the end")


def test_the_scale_has_a_label_for_each_tick():
    root = ET.fromstring(bar.scale(facts(GOOD).axis))
    assert [e.text for e in root.iter("text")] == ["9:00:00", "9:00:30", "9:01:00", "9:01:30"]
    assert [e.get("x") for e in root.iter("text")] == ["0%", "30%", "60%", "90%"]


def test_a_sparkline_has_all_lanes():
    found = facts(lost(3))
    root = ET.fromstring(bar.sparkline(found.lanes, found.axis))
    shown = [one.get("class") for one in root.iter("svg")]
    assert [word for word in shown if word and word.startswith("lane")] == [
        "lane video",
        "lane audio",
    ]
