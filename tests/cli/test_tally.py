"""The table behind many recordings."""

from pipeline.cli.tally import FEW, Tally
from pipeline.errors import StorageError
from pipeline.jobs.outcomes import Failure
from pipeline.model import Report, Verdict


def told(*outcomes):
    tally = Tally()
    for outcome in outcomes:
        tally.add(outcome)
    return tally.lines()


OK = Report("a", "a", Verdict.OK, duration=1800.0, size=2_000_000)
DEGRADED = Report(
    "b",
    "b",
    Verdict.DEGRADED,
    duration=3600.0,
    size=500_000,
    lost_seconds={"video": 7.25, "audio": 3.0},
)


def test_a_row_for_each_word_and_one_for_all():
    assert told(*[OK] * 10, DEGRADED, Failure("c", "c", StorageError("away"))) == [
        "          recordings   media   results   lost",
        "ok                10  5.00 h   20.0 MB      -",
        "degraded           1  1.00 h  500.0 kB  7.2 s",
        "failed             1  0.00 h   0 bytes      -",
        "all               12  6.00 h   20.5 MB  7.2 s",
    ]


def test_where_all_ended_alike_there_is_one_row():
    assert len(told(*[OK] * (FEW + 1))) == 2


def test_a_few_stand_for_themselves():
    assert told(*[OK] * FEW) == []
