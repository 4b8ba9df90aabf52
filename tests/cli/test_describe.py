"""What people read about a recording."""

import click
import pytest

from pipeline.cli import describe, json_lines
from pipeline.errors import StorageError
from pipeline.jobs.outcomes import Failure
from pipeline.model import (
    Account,
    AccountEntry,
    Finding,
    Proof,
    Report,
    Severity,
    Total,
    TrackInfo,
    Verdict,
)

TRACKS = (TrackInfo("video", "h264", 1875, 125.0, 640, 360), TrackInfo("audio", "aac", 5861, 125.0))


def text(*findings: Finding, verdict: Verdict = Verdict.OK, **more: object) -> str:
    report = Report("sid_room", "/in/x.m3u8", verdict, findings, **more)
    return click.unstyle("\n".join(describe.as_text(report)))


def test_a_proof_in_words():
    said = text(tracks=TRACKS, proof=Proof(True, True, True), output="/out/x.mp4", size=1_600_000)
    assert "proof   1875 video and 5861 audio samples, every time stamp and byte equal" in said
    assert "file    /out/x.mp4 (1.6 MB, 0.000 s)" in said


def test_what_of_a_proof_failed():
    said = text(tracks=TRACKS, proof=Proof(True, False, False), verdict=Verdict.REJECTED)
    assert "not equal to the source: their time stamps, their bytes" in said


def test_findings_are_aligned_and_infos_left_out():
    said = text(
        Finding("SEG_MISSING", Severity.ERROR, "a.ts", detail="not there", repair="hole kept"),
        Finding("CC", Severity.WARNING, "b.ts", 257, 3, "jump"),
        Finding("NULLS", Severity.INFO),
        verdict=Verdict.DEGRADED,
        lost_seconds={"video": 15.2, "audio": 0.0},
        duration=60.0,
    ).splitlines()
    assert said == [
        "degraded  sid_room",
        "  lost    video 15.200 s of 60.000 s",
        "  error   SEG_MISSING  a.ts: not there (hole kept)",
        "  warning CC x3        b.ts: jump [PID 257]",
    ]


def test_many_findings_are_summed_up():
    said = text(*[Finding("CC", Severity.WARNING, f"{n}.ts") for n in range(100)])
    assert said.count("\n") == describe.MOST_FINDINGS + 1
    assert "and 80 more" in said


def test_a_pending_one_comes_with_advice():
    assert "--accept-unfinished" in text(verdict=Verdict.PENDING)


def test_names_cannot_drive_the_terminal():
    report = Report("a\x1b]0;owned\x07", "b", Verdict.DEGRADED, output="c\x1b[2J")
    said = "\n".join(describe.as_text(report)) + (describe.as_line(report) or "")
    assert "\x1b" not in click.unstyle(said)
    assert "\x07" not in said


@pytest.mark.parametrize("verdict", [Verdict.OK, Verdict.REPAIRED])
def test_quiet_about_what_is_well(verdict):
    assert describe.as_line(Report("a", "b", verdict)) is None


def test_the_worst_finding_stands_for_all():
    findings = (
        Finding("SEG_MISSING", Severity.ERROR, "a.ts", detail="not there"),
        Finding("PL_KEY", Severity.FATAL, detail="encrypted"),
    )
    line = describe.as_line(Report("id", "b", Verdict.REJECTED, findings))
    assert line == "recpipe: rejected: id: PL_KEY: encrypted (and 1 more)"


def test_a_failure_names_its_recording_only_among_others():
    failure = Failure("id", "b", StorageError("away"))
    assert describe.complaint(failure, among_many=False) == "recpipe: error: away"
    assert describe.complaint(failure, among_many=True) == "recpipe: error: id: away"


def test_the_summary_counts_words_in_their_order():
    words = {"failed": 1, "ok": 10, "degraded": 2}
    assert describe.summary(words) == "13 recordings: 10 ok, 2 degraded, 1 failed"


def test_the_account_in_json():
    row = AccountEntry("2.ts", "video", 256, 4.0, lost=4.0, witnesses=("EXTINF",))
    total = Total("video", 256, 2, 8.0, 4.0, 4.0, 0.0, 0.0, 0.0, 60, 5000, 5600, 0, 0)
    report = Report("id", "b", Verdict.DEGRADED, account=Account((total,), (row,), 0))
    assert json_lines.as_json(report)["account"] == {
        "tracks": (
            {
                "track": "video",
                "pid": 256,
                "slots": 2,
                "promised": 8.0,
                "delivered": 4.0,
                "lost": 4.0,
                "closed": 0.0,
                "excepted": 0.0,
                "unexplained": 0.0,
                "units": 60,
                "bytes": 5000,
                "payload": 5600,
                "dropped": 0,
                "filled": 0,
                "aside": 0,
            },
        ),
        "slots": (
            {
                "slot": "2.ts",
                "track": "video",
                "pid": 256,
                "promised": 4.0,
                "delivered": 0.0,
                "lost": 4.0,
                "closed": 0.0,
                "excepted": 0.0,
                "reason": None,
                "unexplained": 0.0,
                "units": 0,
                "bytes": 0,
                "payload": 0,
                "taken": 0,
                "dropped": 0,
                "filled": 0,
                "aside": 0,
                "cut": 0,
                "packets": 0,
                "witnesses": ("EXTINF",),
            },
        ),
        "more": 0,
    }
    assert json_lines.as_json(Report("id", "b", Verdict.PENDING))["account"] is None
