"""The verdict as a sentence."""

import pytest
from msgspec.structs import replace

from pipeline.model import Finding, Piece, Proof, Seam, Severity, Verdict
from pipeline.report.verdict import sentence
from tests.report.reports import GOOD, lost, name

REPAIRED = replace(
    GOOD,
    verdict=Verdict.REPAIRED,
    findings=(Finding("PTS_ZERO", Severity.WARNING, name(1), repair="told by the next ones"),),
)
FATAL = Finding("PL_NOT_M3U", Severity.FATAL, detail="the file is empty")


@pytest.mark.parametrize(
    ("report", "told"),
    [
        pytest.param(
            GOOD,
            "Complete: all that 10 segments held is in the file, proven byte by byte, and nothing"
            " had to be changed.",
            id="ok",
        ),
        pytest.param(
            replace(GOOD, pieces=(Piece(0.0, 50.0), Piece(50.0, 50.0))),
            "Complete: all that 10 segments held is in the files, proven byte by byte, and nothing"
            " had to be changed.",
            id="several files",
        ),
        pytest.param(
            replace(GOOD, proof=None),
            "Complete: all that 10 segments held is in the file, and nothing had to be changed.",
            id="no proof",
        ),
        pytest.param(
            replace(GOOD, proof=Proof(counts=True)),
            "Complete: all that 10 segments held is in the file, and nothing had to be changed.",
            id="a proof that does not hold",
        ),
        pytest.param(
            replace(GOOD, output=None),
            "Complete: all that 10 segments held can be read, and nothing had to be changed.",
            id="checked",
        ),
        pytest.param(
            REPAIRED,
            "Complete: all that 10 segments held is in the file, proven byte by byte. 1 thing was"
            " put right on the way.",
            id="repaired",
        ),
        pytest.param(
            lost(),
            "Of 1 min 40 s, 10.0 s of picture and 10.0 s of sound are missing: the source had lost"
            " them. Why: segments are missing. All that is left is in the file, proven byte by"
            " byte.",
            id="degraded",
        ),
        pytest.param(
            replace(
                lost(), holes=(*lost().holes, replace(lost().holes[0], reason="x")), output=None
            ),
            "Of 1 min 40 s, 10.0 s of picture and 10.0 s of sound are missing: the source had lost"
            " them. Why: segments are missing, among other reasons.",
            id="several reasons",
        ),
        pytest.param(
            replace(lost(), holes=(), output=None, lost_seconds={}),
            "The source had lost media. Why: a listed segment is not there.",
            id="no hole",
        ),
        pytest.param(
            replace(
                lost(),
                joins=(Seam(40.0, "bak0", ""),),
                holes=(replace(lost().holes[0], reason="media lost"),),
                output=None,
            ),
            "Of 1 min 40 s, 10.0 s of picture and 10.0 s of sound are missing: the source had lost"
            " them. Why: one recorder failed before another took over.",
            id="a failover",
        ),
        pytest.param(
            replace(GOOD, verdict=Verdict.REJECTED, findings=(FATAL, FATAL)),
            "Nothing was made: it would mislead or be unsafe. The file is empty.",
            id="rejected",
        ),
        pytest.param(
            replace(GOOD, verdict=Verdict.PENDING),
            "Not finished yet: the playlist has no end, so more may come.",
            id="pending",
        ),
    ],
)
def test_sentences(report, told):
    assert sentence(report, 10) == told
