"""What is true of a session."""

import itertools

import pytest

from tests.simulator.session.conftest import stream


def test_what_is_sent_and_what_is_not_are_all_of_the_time(session):
    made = session("1001:join@5", "1001:leave@12.4", "1001:join@30", "1001:mute@31")
    told = stream(made, "1001", "audio")
    spans = sorted(
        (span["begin"], span["end"], span.get("cause"))
        for span in [*told["sent"], *told["absences"]]
    )
    assert [cause for _, _, cause in spans] == ["not_joined", None, "left", None, "muted"]
    for (_, end, _), (begin, _, _) in itertools.pairwise(spans):
        assert begin == end
    assert (spans[0][0], spans[-1][1]) == pytest.approx((0, 40), abs=0.03)


def test_times_are_told_by_the_clock_on_the_wall_as_well(session):
    told = stream(session("1001:join@5", duration=10.0), "1001", "audio")
    (sent,) = told["sent"]
    assert sent["begin_utc"].startswith("202603020900071")
    assert told["playlist"].endswith("__uid_s_1001__uid_e_audio.m3u8")


def test_absences_of_two_causes_in_a_row_are_told_apart(session):
    told = stream(session("1001:mute@5", "1001:leave@8", duration=12.0), "1001", "audio")
    assert [one["cause"] for one in told["absences"]] == ["muted", "left"]
    assert told["absences"][0]["end"] == told["absences"][1]["begin"] == 8


def test_an_absence_is_no_loss_and_a_loss_no_absence(session):
    faults = [("1001", "audio", "missing_file:1")]
    made = session("1001:mute@2", "1001:unmute@4", faults=faults, slice=5, duration=20.0)
    told = stream(made, "1001", "audio")
    assert told["lost_seconds"] == pytest.approx(5, abs=0.05)
    assert [loss["start"] for loss in told["lost"]] == pytest.approx([5], abs=0.05)
    assert [one["cause"] for one in told["absences"]] == ["muted"]
    assert not [at for at in told["beeps"] if 5.1 < at < 9.9]


@pytest.mark.parametrize(
    ("fault", "verdicts"),
    [
        pytest.param("no_endlist", ["pending"], id="one is not finished"),
        pytest.param("missing_file:0", ["degraded"], id="one lost something"),
        pytest.param("bom", ["ok", "repaired"], id="nothing is lost"),
    ],
)
def test_the_verdict_is_the_worst_of_all_streams(session, fault, verdicts):
    made = session(faults=[("1002", "audio", fault)], duration=10.0, slice=5)
    assert made.as_json()["verdicts"] == verdicts
