"""Sessions that moved to other servers."""

import pytest

from pipeline.errors import UsageError
from pipeline.simulator.faults.catalogue import parse
from tests.simulator.session.conftest import stream


def moved(session, *meetings, acts=(), bak=1, **chosen):
    return session(*acts, users=1, bak=bak, meetings=tuple(map(parse, meetings)), **chosen)


def test_each_server_has_playlists_of_its_own(stored):
    made, folder = stored(users=1, bak=2, duration=30.0)
    for kind in ("audio", "video"):
        told = stream(made, "1001", kind)
        assert [name[:5] for name in told["parts"]][1:] == ["bak0_", "bak1_"]
        assert all((folder / name).exists() for name in told["parts"])
        first = (folder / told["parts"][1]).read_text().splitlines()[5:8]
        assert first[0] == "#EXT-X-DISCONTINUITY"
        assert any("EVENT=START" in line for line in first)


def test_sound_that_goes_on_is_not_lost_and_pictures_wait_for_a_key_picture(session):
    made = moved(session, duration=20.0)
    assert stream(made, "1001", "audio")["lost_seconds"] == 0
    told = stream(made, "1001", "video")
    assert 0 <= told["lost_seconds"] < 1
    assert told["absences"] == []


def test_what_nobody_recorded_is_lost(session):
    told = stream(moved(session, "bak_gap:3", duration=20.0), "1001", "audio")
    assert told["lost_seconds"] == pytest.approx(3, abs=0.05)
    assert told["verdicts"] == ["degraded"]
    assert told["absences"] == []


def test_who_was_not_there_meanwhile_lost_nothing(session):
    acts = ("1001:leave@8", "1001:join@16")
    told = stream(moved(session, "bak_gap:3", acts=acts, duration=20.0), "1001", "audio")
    assert told["lost_seconds"] == 0
    assert [one["cause"] for one in told["absences"]] == ["left"]


def test_only_what_was_sent_of_a_gap_is_lost(session):
    acts = ("1001:leave@11", "1001:join@16")
    told = stream(moved(session, "bak_gap:3", acts=acts, duration=20.0), "1001", "audio")
    assert told["lost_seconds"] == pytest.approx(1, abs=0.05)


def test_what_two_servers_recorded_is_there_once(session):
    told = stream(moved(session, "bak_overlap:3", duration=20.0), "1001", "video")
    (sent,) = told["sent"]
    assert sent["end"] - sent["begin"] == pytest.approx(told["samples"] / 10, abs=0.01)


def test_a_killed_server_leaves_its_playlists_open(stored):
    made, folder = stored(users=1, bak=1, meetings=(parse("bak_killed"),), duration=20.0)
    first, second = stream(made, "1001", "audio")["parts"]
    assert "ENDLIST" not in (folder / first).read_text()
    assert "ENDLIST" in (folder / second).read_text()


@pytest.mark.parametrize(
    ("meetings", "bak", "why"),
    [
        pytest.param(("bak_gap",), 0, "--bak N", id="one server"),
        pytest.param((), 4, "at most 3", id="too many"),
        pytest.param((), 3, "too short", id="too short"),
    ],
)
def test_what_cannot_be_is_refused(session, meetings, bak, why):
    with pytest.raises(UsageError, match=why):
        moved(session, *meetings, bak=bak, duration=5.0)
