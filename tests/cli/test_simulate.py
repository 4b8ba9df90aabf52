"""``recpipe simulate recording``, as people call it."""

import json

import pytest

from pipeline.simulator.faults.catalogue import FAULTS
from tests.cli.conftest import names, snapshot

SMALL = ("--size", "320x180", "--duration", "8s", "--segments", "2s")


def test_a_recording_with_its_truth(recpipe, tmp_path):
    ended = recpipe("simulate", "recording", "-o", tmp_path / "rec", *SMALL)
    assert (ended.code, ended.out) == (0, "")
    assert "4 segments, 8.021 s, nothing lost" in ended.err
    there = names(tmp_path / "rec")
    assert len([name for name in there if name.endswith(".ts")]) == 4
    truth = json.loads((tmp_path / "rec" / "truth.json").read_text())
    assert f"{truth['recording']}.m3u8" in there
    assert truth["lost_seconds"] == {"video": 0, "audio": 0}
    assert recpipe("check", tmp_path / "rec", "--json").line["verdict"] == "ok"


def test_quiet_says_nothing_of_what_worked(recpipe, tmp_path):
    ended = recpipe("simulate", "recording", "-o", tmp_path / "rec", "--quiet", *SMALL)
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    assert "truth.json" in names(tmp_path / "rec")


def test_truth_is_what_convert_finds(recpipe, tmp_path):
    faults = ("--fault", "missing_file:1", "--fault", "bom")
    ended = recpipe("simulate", "recording", "-o", tmp_path / "rec", *SMALL, *faults, "--json")
    truth = json.loads((tmp_path / "rec" / "truth.json").read_text())
    assert ended.line == {**truth, "source": str(tmp_path / "rec")}
    assert [fault["name"] for fault in truth["faults"]] == ["missing_file", "bom"]
    done = recpipe("convert", tmp_path / "rec", "-o", tmp_path / "out", "--json")
    assert (done.code, [done.line["verdict"]]) == (3, truth["verdicts"])
    assert done.line["lost_seconds"] == pytest.approx(truth["lost_seconds"], abs=0.1)
    assert done.line["duration"] == pytest.approx(truth["recoverable"]["duration"], abs=0.1)


def test_the_same_seed_gives_the_same_files(recpipe, tmp_path):
    for folder, seed in (("one", 7), ("two", 7), ("three", 8)):
        recpipe("simulate", "recording", "-o", tmp_path / folder, *SMALL, "--seed", seed)
    files = [
        {path.name: path.read_bytes() for path in (tmp_path / folder).iterdir()}
        for folder in ("one", "two", "three")
    ]
    assert files[0] == files[1]
    assert files[0].keys() != files[2].keys()


@pytest.mark.parametrize(("streams", "kinds"), [("audio", ["audio"]), ("video", ["video"])])
def test_one_kind_of_stream(recpipe, tmp_path, streams, kinds):
    made = recpipe(
        "simulate", "recording", "--to", tmp_path / "rec", *SMALL, "--stream-types", streams
    )
    assert made.code == 0
    line = recpipe("convert", tmp_path / "rec", "-o", tmp_path / "out", "--json").line
    assert [track["type"] for track in line["tracks"]] == kinds


def test_failover_parts(recpipe, tmp_path):
    ended = recpipe(
        *("simulate", "recording", "-o", tmp_path / "rec", *SMALL, "--bak", 1),
        *("--fault", "bak_overlap:1", "--json"),
    )
    main, bak = ended.line["playlists"]
    assert bak == f"bak0_{main}"
    assert {main, bak} <= set(names(tmp_path / "rec"))


def test_live_shows_up_in_time_and_ends(recpipe, tmp_path):
    ended = recpipe(
        "simulate", "recording", "-o", tmp_path / "rec", *SMALL, "--live", "--speed", 40
    )
    assert ended.code == 0
    times = sorted(at for name, (_, at) in snapshot(tmp_path / "rec").items() if ".ts" in name)
    assert times[-1] - times[0] >= 0.1e9  # three slices of two seconds, forty times as fast
    assert recpipe("check", tmp_path / "rec", "--json").line["verdict"] == "ok"


def test_every_fault_is_listed(recpipe):
    text = recpipe("simulate", "recording", "--list-faults")
    assert text.code == 0
    for fault in FAULTS:
        assert f"\n{fault.name}" in f"\n{text.out}"
    lines = recpipe("simulate", "recording", "--list-faults", "--json").lines
    assert [line["name"] for line in lines] == [fault.name for fault in FAULTS]
    assert all(line["what"] and line["loses"] for line in lines)


@pytest.mark.parametrize(
    ("args", "why"),
    [
        pytest.param((), "missing option '-o' / '--output'", id="no folder"),
        pytest.param(("-o", "rec", "--fault", "nonsense"), "no such fault", id="fault"),
        pytest.param(("-o", "rec", "--fault", "missing_file:9"), "from 0 to 3", id="slice"),
        pytest.param(("-o", "rec", "--duration", "long"), "is no length", id="duration"),
        pytest.param(("-o", "rec", "--duration", "1000h"), "expected 1 to 93600", id="too long"),
        pytest.param(("-o", "rec", "--size", "640"), "WIDTHxHEIGHT", id="size"),
        pytest.param(("-o", "rec", "--size", "641x361"), "even numbers", id="odd size"),
        pytest.param(("-o", "rec", "--fps", "0"), "6 to 60 pictures", id="fps"),
        pytest.param(("-o", "rec", "--bak", "4"), "0<=x<=3", id="parts"),
        pytest.param(("-o", "rec", "--live", "--speed", "0"), "more than 0", id="speed"),
        pytest.param(("-o", "ftp://x/"), "not supported", id="store"),
    ],
)
def test_what_makes_no_sense_is_refused(recpipe, clean, args, why):
    ended = recpipe("simulate", "recording", *SMALL, *args)
    assert ended.code == 2
    assert why in ended.err
    assert ended.err.count("\n") == 1
    assert not (clean / "rec").exists()


def test_the_folder_of_another_recording_is_left_alone(recpipe, tmp_path):
    recpipe("simulate", "recording", "-o", tmp_path / "rec", *SMALL)
    before = snapshot(tmp_path / "rec")
    ended = recpipe("simulate", "recording", "-o", tmp_path / "rec", *SMALL, "--seed", 1)
    assert ended.code == 2
    assert "of another recording" in ended.err
    assert snapshot(tmp_path / "rec") == before


def test_into_a_bucket(recpipe, weed):
    place = f"s3://{weed.new_bucket()}/live/"
    ended = recpipe(
        *("simulate", "recording", "-o", place, *SMALL, "--fault", "zero_byte:1", "--json"),
        env=weed.environment,
    )
    assert ended.code == 0, ended.err
    assert ended.line["verdicts"] == ["degraded"]
    line = recpipe("check", place, "--json", env=weed.environment).line
    assert line["verdict"] == "degraded"
    assert line["lost_seconds"] == pytest.approx(ended.line["lost_seconds"], abs=0.1)


def test_users_recorded_one_by_one(recpipe, tmp_path):
    acts = ("--act", "1002:leave@3", "--fault", "missing_file:0@1001/audio")
    ended = recpipe("simulate", "recording", "-o", tmp_path / "rec", *SMALL, "--users", 2, *acts)
    assert (ended.code, ended.out) == (0, "")
    assert "2 users in 4 streams, 12 segments, lost 2.0" in ended.err
    truth = json.loads((tmp_path / "rec" / "truth.json").read_text())
    assert [user["uid"] for user in truth["users"]] == ["1001", "1002"]
    assert set(truth["playlists"]) <= set(names(tmp_path / "rec"))


def test_acts_by_chance_are_those_of_the_seed(recpipe, tmp_path):
    for folder in ("one", "two"):
        chosen = ("--users", 2, "--random-acts", "--seed", 4)
        recpipe("simulate", "recording", "-o", tmp_path / folder, *SMALL, *chosen)
    assert names(tmp_path / "one") == names(tmp_path / "two")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        pytest.param(("--act", "1001:leave@3"), "--act: only with --users", id="acts of nobody"),
        pytest.param(("--users", 1, "--act", "1001:dance@3"), "1001:dance@3", id="unknown act"),
        pytest.param(("--users", 1, "--act", "1001:rotate@3:45"), "one of 0, 90", id="odd turn"),
        pytest.param(("--users", 1, "--web", "1001:h264"), "vp8 or vp9", id="unknown codec"),
        pytest.param(("--users", 1, "--fault", "bak_gap"), "--bak N", id="no failover parts"),
        pytest.param(("--users", 1, "--fault", "bom"), "@UID/audio", id="a fault of nobody"),
        pytest.param(
            ("--users", 1, "--random-acts", "--act", "1001:leave@3"), "leave them away", id="both"
        ),
    ],
)
def test_sessions_that_contradict_themselves_are_refused(recpipe, tmp_path, options, why):
    ended = recpipe("simulate", "recording", "-o", tmp_path / "rec", *SMALL, *options)
    assert ended.code == 2
    assert why in ended.err
