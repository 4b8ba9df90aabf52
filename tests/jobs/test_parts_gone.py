"""A part of which every slice is gone, beside parts that hold its time or do not."""

import pytest

from pipeline.model import Severity, Verdict
from tests import parts as p
from tests import recordings as r
from tests.parts import Piece

RESTARTED = -1_234_567  # ticks: another server, another clock


@pytest.fixture
def converted(library, tmp_path):
    def convert(*pieces):
        folder = p.deal(library[r.AV], tmp_path / "recording", *pieces)
        for path in p.slices_of(folder, 0):
            path.unlink()
        report = r.convert(folder, tmp_path / "out", library.ffmpeg)
        checked = r.check(folder)
        assert (checked.verdict, checked.lost_seconds) == (report.verdict, report.lost_seconds)
        return report

    return convert


@pytest.mark.parametrize("clock", [0, RESTARTED], ids=["goes on", "restarts"])
@pytest.mark.parametrize("gone", [range(1, 3), range(2, 4), range(1, 4), range(5)], ids=str)
def test_two_other_parts_hold_its_time(converted, gone, clock):
    main, later = Piece(None, range(3), ended=False), Piece(1, range(2, 5), clock=clock)
    report = converted(main, Piece(0, gone, ended=False), later)
    assert report.verdict is Verdict.REPAIRED, r.said(report)
    assert report.lost_seconds == {"video": 0, "audio": 0}
    missing = [f for f in report.findings if f.id == "SEG_MISSING"]
    assert len(missing) == len(gone)
    for finding in missing:
        assert finding.severity is Severity.WARNING
        assert str(finding.repair).startswith("not needed: ")


def test_one_other_part_holds_its_time(converted):
    report = converted(Piece(None, range(5)), Piece(0, range(1, 3)))
    assert report.verdict is Verdict.REPAIRED, r.said(report)


@pytest.mark.parametrize("gone", [range(1, 4), range(2, 3), range(3, 5)], ids=str)
def test_nobody_holds_some_of_it(converted, gone):
    """Slice 2 is nowhere, or what comes behind the last part."""
    last = 4 if gone.stop == 5 else 5
    report = converted(
        Piece(None, range(2), ended=False),
        Piece(0, gone, ended=False),
        Piece(1, range(3, last), clock=RESTARTED),
    )
    assert report.verdict is Verdict.DEGRADED, r.said(report)
    lost = {
        str(f.segment) for f in report.findings if f.id == "SEG_MISSING" and f.severity == "error"
    }
    assert lost, r.said(report)


def test_a_hole_in_what_is_left_is_no_cover(converted, tmp_path, library):
    whole = p.deal(library[r.AV], tmp_path / "all", Piece(None, range(5)), Piece(0, range(1, 4)))
    for path in (*p.slices_of(whole, 0), p.slices_of(whole, None)[2]):
        path.unlink()
    report = r.check(whole)
    assert report.verdict is Verdict.DEGRADED
    lost = [f for f in report.findings if f.id == "SEG_MISSING" and f.severity is Severity.ERROR]
    assert sorted(str(f.segment)[:4] for f in lost) == [str(r.SID)[:4], "bak0"]
