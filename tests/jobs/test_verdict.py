"""Verdicts over real scans and plans of small recordings."""

import pytest
from msgspec.structs import replace

from pipeline.choices import OnLoss
from pipeline.jobs.options import Options
from pipeline.jobs.planning import Intake, planned
from pipeline.jobs.spool import Workspace
from pipeline.jobs.stopwatch import Clock
from pipeline.jobs.verdict import judged, rejected
from pipeline.media.es.access_units import NO_UNITS
from pipeline.media.loss.holes import Stretch
from pipeline.model import Finding, Severity, Verdict
from pipeline.stages.discover import discover
from pipeline.stages.inspect import inspect
from pipeline.stages.mux import mux
from pipeline.storage.local import LocalStorage
from tests import recordings, ts

NAMES = [f"{n}.ts" for n in range(5)]
FATAL = Finding("M_BYTES", Severity.FATAL, detail="another byte")
WARNING = Finding("AUDIO_CLOCK", Severity.WARNING, detail="a little off")


@pytest.fixture
def read(tmp_path):
    """Five segments of a second without these, as far as the judge needs them."""

    def make(*without, on_loss=OnLoss.HOLD):
        counters = {}
        for n, name in enumerate(NAMES):
            data = ts.segment(start=ts.START + n * 90_000, counters=counters)
            if n not in without:
                (tmp_path / name).write_bytes(data)
        lines = [f"#EXTINF:1.000,\n{name}" for name in NAMES]
        text = ["#EXTM3U", "#EXT-X-TARGETDURATION:1", *lines, "#EXT-X-ENDLIST", ""]
        (tmp_path / "talk.m3u8").write_text("\n".join(text))
        storage = LocalStorage(tmp_path)
        (found,) = discover(storage, "")
        inventory = inspect(found, storage, accept_unfinished=False)
        options = Options(on_loss=on_loss)
        work = Workspace(found, options)
        evidence = planned(Intake(found, storage, inventory, options, Clock(), work))
        measured = mux.measure(evidence.plan, evidence.segments, lambda stage, count: None)
        return found, evidence, measured

    return make


def errors(report):
    """Segment and repair of everything that was lost."""
    return [(f.id, f.segment, f.repair) for f in report.findings if f.severity == Severity.ERROR]


def test_a_whole_recording_is_ok(read):
    found, evidence, measured = read()
    report = judged(found, evidence, measured, OnLoss.HOLD)
    assert (report.verdict, report.findings, report.holes) == (Verdict.OK, (), ())
    assert report.lost_seconds == {"video": 0.0, "audio": 0.0}
    assert report.duration == pytest.approx(5.0, abs=0.03)
    assert (report.recording, report.source) == ("talk", found.source)
    assert (report.output, report.proof) == (None, None)


@pytest.mark.parametrize(
    ("on_loss", "repair", "became"),
    [(OnLoss.HOLD, "hole kept", "kept"), (OnLoss.CLOSE, "hole closed", "closed")],
)
def test_a_loss_in_the_middle(read, on_loss, repair, became):
    found, evidence, measured = read(2, on_loss=on_loss)
    report = judged(found, evidence, measured, on_loss)
    assert report.verdict is Verdict.DEGRADED
    assert errors(report) == [("SEG_MISSING", "2.ts", repair)]
    assert report.lost_seconds == pytest.approx({"video": 1.0, "audio": 1.0}, abs=0.05)
    assert sorted(hole.kind for hole in report.holes) == ["audio", "video"]
    assert all(hole.length == pytest.approx(1.0, abs=0.05) for hole in report.holes)
    assert {(hole.reason, hole.became) for hole in report.holes} == {("segment missing", became)}
    assert all(hole.start == pytest.approx(2.0, abs=0.05) for hole in report.holes)
    assert all(hole.segment == "3.ts" for hole in report.holes)


def test_holes_come_in_the_order_of_time(read):
    found, evidence, measured = read(1, 3)
    report = judged(found, evidence, measured, OnLoss.HOLD)
    starts = [hole.start for hole in report.holes]
    assert len(starts) == 4
    assert starts == sorted(starts)


@pytest.mark.parametrize(("gone", "duration"), [(0, 4.0), (4, 4.0)], ids=["the first", "the last"])
def test_a_loss_at_an_end_is_left_out(read, gone, duration):
    found, evidence, measured = read(gone)
    report = judged(found, evidence, measured, OnLoss.HOLD)
    assert report.verdict is Verdict.DEGRADED
    repair = "left out: nothing stands beyond it"
    assert ("SEG_MISSING", NAMES[gone], repair) in errors(report)
    assert report.holes == ()
    assert report.duration == pytest.approx(duration, abs=0.05)
    assert report.lost_seconds == pytest.approx({"video": 1.0, "audio": 1.0}, abs=0.1)


def test_losses_at_an_end_and_inside_have_their_own_words(read):
    found, evidence, measured = read(0, 2)
    repairs = {f.segment: f.repair for f in judged(found, evidence, measured, OnLoss.HOLD).findings}
    assert repairs["0.ts"] == "left out: nothing stands beyond it"
    assert repairs["2.ts"] == "hole kept"


def test_with_fail_a_loss_is_a_reason_to_make_nothing(read):
    found, evidence, measured = read(2)
    report = judged(found, evidence, measured, OnLoss.FAIL)
    assert report.verdict is Verdict.REJECTED
    assert [(f.id, f.severity) for f in report.findings if f.segment == "2.ts"] == [
        ("SEG_MISSING", Severity.FATAL)
    ]
    assert errors(report) == []


def test_a_loss_that_no_rule_explains_is_never_passed_over(read):
    found, evidence, measured = read()
    empty = tuple((*lane[:-1], Stretch("4.ts", NO_UNITS)) for lane in measured.expected)
    report = judged(found, evidence, replace(measured, expected=empty), OnLoss.HOLD)
    assert report.verdict is Verdict.DEGRADED
    short, bytes_ = ("SEG_SHORT", "4.ts", "hole kept"), ("ES_BYTES", None, "hole kept")
    assert errors(report) == [short, short, bytes_, bytes_]
    assert report.lost_seconds == pytest.approx({"video": 1.0, "audio": 1.0}, abs=0.05)


@pytest.mark.parametrize(
    ("proved", "verdict"),
    [
        pytest.param([WARNING], Verdict.OK, id="a warning"),
        pytest.param([replace(WARNING, repair="put right")], Verdict.REPAIRED, id="a repair"),
        pytest.param([FATAL], Verdict.REJECTED, id="fatal"),
        pytest.param([WARNING, FATAL], Verdict.REJECTED, id="the worst counts"),
    ],
)
def test_what_the_proof_found_counts(read, proved, verdict):
    found, evidence, measured = read()
    report = judged(found, evidence, measured, OnLoss.HOLD, proved=proved)
    assert report.verdict is verdict
    assert report.findings[-len(proved) :] == tuple(proved)


def test_a_repair_that_was_named_stays(read):
    found, evidence, measured = read()
    lost = Finding("DECODE", Severity.ERROR, "1.ts", repair="shown as it is")
    report = judged(found, evidence, measured, OnLoss.CLOSE, proved=[lost])
    assert errors(report) == [("DECODE", "1.ts", "shown as it is")]


def test_a_rule_that_costs_nothing_is_no_error(read):
    """All that was promised is there, whatever packets and stamps look like."""
    found, evidence, measured = read()
    claimed = Finding("DTS_BACK", Severity.ERROR, "1.ts", repair="derived from their neighbours")
    report = judged(found, evidence, measured, OnLoss.HOLD, proved=[claimed])
    assert report.verdict is Verdict.REPAIRED
    assert errors(report) == []


@pytest.mark.parametrize("name", ["0.ts", "4.ts"])
def test_losses_inside_the_outermost_segments_are_not_outside(read, name):
    found, evidence, measured = read()
    lost = Finding("TS_CC", Severity.ERROR, name)
    report = judged(found, evidence, measured, OnLoss.HOLD, proved=[lost])
    assert errors(report) == [("TS_CC", name, "hole kept")]


def test_a_rejection_always_says_why(read):
    found, _, _ = read()
    silent = rejected(found, [WARNING])
    assert [f.id for f in silent.findings] == ["AUDIO_CLOCK", "ES_ABSENT"]
    assert rejected(found, [FATAL]).findings == (FATAL,)
    assert silent.verdict is rejected(found, [FATAL]).verdict is Verdict.REJECTED


SID = "5f0c" * 8


def interrupted(folder, *, start: bool):
    """A recording as Agora lists it, of which nothing was recorded for ten seconds."""
    counters: dict[int, int] = {}
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:2"]
    for n in range(6):
        away = 10 if n > 2 else 0
        utc = f"202404150900{2 + n + away:02}000"
        if n in (0, 3):
            lines.append("#EXT-X-DISCONTINUITY")
        if n == 0 or (n == 3 and start):
            event = "#EXT-X-AGORA-TRACK-EVENT:EVENT=START,TRACK_TYPE"
            lines += [f"{event}={kind},TIME={utc}" for kind in ("AUDIO", "VIDEO")]
        name = f"{SID}_room_{utc}.ts"
        data = ts.segment(start=ts.START + (n + away) * 90_000, counters=counters)
        (folder / name).write_bytes(data)
        lines += ["#EXTINF:1.000000", name]
    (folder / f"{SID}_room.m3u8").write_text("\n".join([*lines, "#EXT-X-ENDLIST", ""]))
    return recordings.check(folder)


@pytest.mark.parametrize("start", [False, True])
def test_an_interruption_of_all_is_lost_and_a_start_a_witness_of_it(tmp_path, start):
    report = interrupted(tmp_path, start=start)
    assert report.verdict is Verdict.DEGRADED
    assert report.lost_seconds == pytest.approx({"video": 10.0, "audio": 10.0}, abs=0.05)
    assert {hole.reason for hole in report.holes} == {"nothing recorded"}
    assert report.account is not None
    rows = [row for row in report.account.slots if row.lost]
    assert [row.track for row in rows] == ["video", "audio"]
    assert all(row.slot.endswith("15000.ts") for row in rows)
    told = ("time stamps", "START") if start else ("time stamps",)
    assert {row.witnesses for row in rows} == {told}
