"""What a page says, as a value."""

import pytest
from msgspec.structs import replace

from pipeline.model import Finding, Hole, Severity, TrackInfo
from pipeline.report.facts import facts
from tests.report.reports import GOOD, SID, covered, lost, receipt


def test_who_and_how_many():
    found = facts(GOOD, receipt())
    assert (found.channel, found.sid, found.user, found.segments) == ("room", SID, "", 10)
    assert found.making.software == "recpipe 0.1.0"
    assert found.making.command == ("ffmpeg", "-i", "pipe:0", "OUTPUT")
    assert len(found.making.inputs) == 10
    assert facts(GOOD, receipt(inputs=[])).segments == 10
    assert facts(replace(GOOD, account=None), receipt()).segments == 10


def test_a_stream_of_individual_mode_is_of_a_user():
    found = facts(replace(GOOD, recording=f"{SID}_room__uid_s_42__uid_e_video"))
    assert (found.channel, found.user) == ("room", "42")


def test_what_is_not_agoras_has_its_own_name():
    found = facts(replace(GOOD, recording="talk", coverage=None, account=None))
    assert (found.channel, found.sid, found.segments) == ("talk", "", 0)


def test_findings_are_those_one_must_look_at_and_those_one_should_know():
    note = Finding("BLACK", Severity.INFO)
    found = facts(replace(lost(), findings=(note, *lost().findings)))
    assert [one.id for one in found.must] == ["SEG_MISSING"]
    assert [one.id for one in found.should] == ["BLACK"]


def test_how_far_sound_is_behind_its_picture():
    late = replace(
        GOOD.coverage.tracks[1],
        begin=tuple(None if at == 20.0 else at + 0.02 for at in GOOD.coverage.tracks[1].begin),
    )
    report = replace(GOOD, coverage=replace(GOOD.coverage, tracks=(GOOD.coverage.tracks[0], late)))
    assert facts(report).distances[:3] == ((0.0, 0.02), (10.0, 0.02), (30.0, 0.02))
    alone = replace(GOOD, coverage=replace(covered(), tracks=covered().tracks[:1]))
    assert facts(alone).distances == ()


NAN, FAR = float("nan"), 1e300


@pytest.mark.parametrize(
    "report",
    [
        pytest.param(replace(GOOD, duration=NAN), id="no number"),
        pytest.param(replace(GOOD, duration=10**400), id="too many digits"),
        pytest.param(replace(GOOD, duration="100"), id="a text for a number"),
        pytest.param(replace(GOOD, holes=(Hole("video", FAR, 1.0, "x"),)), id="too large"),
        pytest.param(replace(GOOD, lost_seconds={"video": "much"}), id="a loss that is none"),
        pytest.param(replace(GOOD, tracks=(TrackInfo("video", "h264", [], 1.0),)), id="a list"),
        pytest.param(replace(GOOD, started=5), id="a number for a time"),
    ],
)
def test_a_report_that_nobody_here_wrote_is_refused(report):
    with pytest.raises(ValueError, match="not a report of this tool"):
        facts(report)


@pytest.mark.parametrize(
    "other",
    [{"settings": [1]}, {"inputs": [{"key": 5}]}, {"muxer": {"command": [{}]}}, {"software": 5}],
)
def test_so_is_a_receipt(other):
    with pytest.raises(ValueError, match="not a receipt of this tool"):
        facts(GOOD, receipt(**other))
