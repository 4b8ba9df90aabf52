"""A report comes back from its receipt unchanged."""

import pytest
from msgspec.structs import replace

from pipeline.model import Piece, Verdict
from pipeline.receipts.report import report_of
from tests.receipts.notes import REPORT, made


def again(note):
    names = [f"/out/{piece['file']}" for piece in note["pieces"]] or ["/out/a.mp4"]
    return report_of(note, source="/in/a.m3u8", outputs=names, beside="/out/a.receipt.json")


def several():
    """A recording that became two files."""
    first = Piece(0.0, 8.0, "/out/a.1.mp4", 4321, "ab" * 32, REPORT.tracks, REPORT.proof)
    second = Piece(8.5, 3.845678, "/out/a.2.mp4", 99, "ba" * 32, REPORT.tracks[:1], REPORT.proof)
    return replace(REPORT, output="/out/a.1.mp4", pieces=(first, second))


@pytest.mark.parametrize(
    "report",
    [
        pytest.param(REPORT, id="a degraded one"),
        pytest.param(replace(REPORT, findings=(), holes=()), id="nothing found"),
        pytest.param(replace(REPORT, proof=None), id="no proof"),
        pytest.param(several(), id="two files"),
        pytest.param(replace(REPORT, verdict=Verdict.OK, findings=()), id="a good one"),
    ],
)
def test_a_report_comes_back_as_it_was(report):
    assert again(made(report)) == report


def test_receipts_of_older_versions_have_no_account_and_no_coverage():
    note = made()
    del note["account"], note["coverage"]
    assert again(note) == replace(REPORT, account=None, coverage=None)


def test_a_result_is_where_it_lies_now():
    moved = report_of(made(), source="s3://x/a", outputs=["s3://y/b"], beside="s3://y/b.json")
    assert (moved.source, moved.output, moved.receipt) == ("s3://x/a", "s3://y/b", "s3://y/b.json")
    assert moved.recording == REPORT.recording
