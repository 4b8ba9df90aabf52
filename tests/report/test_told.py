"""Findings as people read them."""

from msgspec.structs import replace

from pipeline.model import Finding, Severity
from pipeline.report.axis import axis
from pipeline.report.lanes import places
from pipeline.report.told import NOTHING, told
from tests.report.reports import GOOD, lost, name


def of(report):
    return told(report, places(report, axis(report)))


def finding(id, severity, n=None, **more):
    return Finding(id, severity, None if n is None else name(n), **more)


def test_a_loss_says_what_it_costs_what_was_done_and_what_to_do():
    (one,) = of(lost(3))
    assert (one.id, one.must, one.segments) == ("SEG_MISSING", True, 1)
    assert one.meaning == "a listed segment is not there"
    assert one.cost == "Costs the media that should stand there."
    assert one.repair == "Its time is kept: the last picture stays, and the sound is silent."
    assert one.advice.startswith("Look for the segment in the original store")
    assert [(x.segment, x.at) for x in one.instances] == [(name(3), 30.0)]


def test_equal_ones_are_told_once_with_all_their_places():
    findings = tuple(finding("CC", Severity.ERROR, n, detail=str(n)) for n in (2, 5, 5))
    (one,) = of(replace(GOOD, findings=findings))
    assert one.segments == 2
    assert [(x.at, x.detail) for x in one.instances] == [(20.0, "2"), (50.0, "5"), (50.0, "5")]


def test_the_worst_come_first_and_severities_stay_apart():
    order = ("info", "warning", "fatal", "error")
    findings = tuple(finding("SEG_DUP", Severity(word), 1) for word in order)
    found = of(replace(GOOD, findings=findings))
    assert [one.severity.value for one in found] == ["fatal", "error", "warning", "info"]
    assert [one.must for one in found] == [True, True, False, False]
    assert [one.cost for one in found] == [
        "Costs the whole file.",
        "Costs the media that should stand there.",
        NOTHING,
        NOTHING,
    ]
    assert [bool(one.advice) for one in found] == [True, True, False, False]


def test_different_repairs_stand_with_their_places():
    findings = (
        finding("SPS_CHANGE", Severity.WARNING, 1, repair="re-encoded as h264 640x360"),
        finding("SPS_CHANGE", Severity.WARNING, 2, repair="in a file of its own"),
    )
    (one,) = of(replace(GOOD, findings=findings))
    assert one.repair == ""
    assert one.instances[1].repair == "In a file of its own."


def test_an_id_of_another_version_is_shown_too():
    (one,) = of(replace(GOOD, findings=(finding("SEG_NEW", Severity.ERROR),)))
    assert (one.meaning, one.cost) == ("written by another version", "Costs media.")
    assert one.instances[0].at is None
