"""Charts, read back from their SVG."""

import re
import xml.etree.ElementTree as ET

import pytest
from msgspec.structs import replace

from pipeline.model import Piece
from pipeline.report.drawing import charts
from pipeline.report.facts import Measured, facts
from tests.report.reports import GOOD, VIDEO, lost

MEASURED = Measured(
    10.0,
    peaks=(0.5,) * 10,
    silences=((20.0, 25.0),),
    rates={"video": (1e6,) * 9 + (2e6,), "audio": (64e3,) * 10},
)


def points(svg: str, kind: str) -> list[tuple[float, float]]:
    (shape,) = (e for e in ET.fromstring(svg).iter("path") if e.get("class") == kind)
    pairs = re.findall(r"([\d.-]+) ([\d.-]+)", shape.get("d"))
    return [(float(x), float(y)) for x, y in pairs]


def test_loudness_has_a_step_for_each_column():
    upper = points(charts.waveform(facts(GOOD, measured=MEASURED)), "wave")[:20]
    assert [x for x, _ in upper] == [100 * ((n + 1) // 2) for n in range(20)]
    assert len({y for _, y in upper}) == 1


def test_silences_are_where_they_are():
    root = ET.fromstring(charts.waveform(facts(GOOD, measured=MEASURED)))
    (one,) = (e for e in root.iter("rect") if e.get("class") == "silence")
    assert (one.get("x"), one.get("width"), one[0].text) == ("20%", "5%", "silent for 5.0 s")


def test_the_rate_of_the_sound_lies_below_that_of_all():
    svg = charts.rates(facts(GOOD, measured=MEASURED))
    assert "at most 2.06 Mbit/s" in svg
    assert max(100 - y for _, y in points(svg, "rate")) == 94
    assert max(100 - y for _, y in points(svg, "rate sound")) == pytest.approx(2.9, abs=0.1)


def test_where_the_file_has_no_time_there_is_nothing():
    measured = replace(MEASURED, rates={"video": (1e6,) * 9})
    found = points(charts.rates(facts(lost(3, "closed"), measured=measured)), "rate")
    assert (300.0, 100.0) in found
    assert (400.0, 100.0) in found
    assert not [x for x, y in found if 300 < x < 400]


def test_nothing_measured_is_no_chart():
    of = facts(GOOD)
    assert charts.waveform(of) == charts.rates(of) == ""
    silent = replace(MEASURED, peaks=(), rates={"video": (0.0,)})
    of = facts(GOOD, measured=silent)
    assert charts.waveform(of) == charts.rates(of) == ""


def test_distances_are_dots_around_the_middle():
    audio = replace(GOOD.coverage.tracks[1], begin=(0.1, 9.96, *GOOD.coverage.tracks[1].begin[2:]))
    tracks = (GOOD.coverage.tracks[0], audio)
    of = facts(replace(GOOD, coverage=replace(GOOD.coverage, tracks=tracks)))
    root = ET.fromstring(charts.distance(of))
    dots = [(e.get("cx"), float(e.get("cy"))) for e in root.iter("circle")]
    assert charts.reach(of) == 0.1
    assert dots[:3] == [("0%", 3.0), ("10%", 29.6), ("20%", 22.0)]
    assert charts.distance(replace(of, distances=())) == ""


def test_of_many_distances_the_extremes_are_kept():
    many = [(float(n), 0.0) for n in range(5000)]
    many[1234], many[4321] = (1234.0, 0.7), (4321.0, -0.3)
    found = list(charts.thinned(many))
    assert len(found) <= 404
    assert {0.7, -0.3} <= {apart for _, apart in found}
    assert (found[0], found[-1]) == (many[0], many[-1])


def test_sizes_are_a_band_with_their_names():
    large = replace(VIDEO, width=1280, height=720)
    pieces = (Piece(0.0, 95.0, tracks=(VIDEO,)), Piece(95.0, 5.0, tracks=(large,)))
    root = ET.fromstring(charts.sizes(facts(replace(GOOD, pieces=pieces))))
    assert [(e.get("x"), e.get("class")) for e in root.iter("rect")] == [
        ("0%", "size"),
        ("95%", "size other"),
    ]
    assert [e.text for e in root.iter("text")] == ["640 × 360"]
    assert charts.sizes(facts(replace(GOOD, tracks=()))) == ""
