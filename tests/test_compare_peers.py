"""The table *fault x tool*: what its cells say of a file, and that the README shows it."""

from pathlib import Path

import pytest

from pipeline.muxing.locate import locate
from pipeline.simulator.recorder.measure import Mark
from tests.programs import script

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def peers():
    with script("compare_peers") as module:
        yield module


@pytest.mark.parametrize(
    ("code", "there", "moved", "cell", "misleads"),
    [
        pytest.param(0, 25, 0.0, "0", True, id="silent about a loss"),
        pytest.param(3, 25, 0.0, "3", False, id="told"),
        pytest.param(0, 20, 0.0, "0: 5 s more gone", True, id="loses more"),
        pytest.param(0, 25, 2.0, "0: 2.0 s out of place", True, id="moves the rest"),
        pytest.param(1, 20, 2.0, "1: 5 s more gone, 2.0 s out of place", False, id="both, told"),
        pytest.param(1, None, 0.0, "1: no file", False, id="nothing made"),
        pytest.param(None, 25, 0.0, "stopped", False, id="never ended"),
    ],
)
def test_a_cell_says_what_is_wrong_besides_the_loss(peers, code, there, moved, cell, misleads):
    truth = peers.Truth("a slice is gone", 25, 5.0, 5.0)
    left = peers.Result(code, there, moved)
    assert (peers.cell(left, truth), peers.misleads(left, truth)) == (cell, misleads)


@pytest.mark.parametrize(
    ("code", "there", "moved", "misleads"),
    [(0, 30, 0.0, False), (0, 30, 0.05, False), (0, 30, 1.0, True), (0, None, 0.0, True)],
)
def test_a_code_of_zero_is_right_where_all_is_in_place(peers, code, there, moved, misleads):
    whole = peers.Truth("nothing is wrong", 30, 0.0, 0.0)
    assert peers.misleads(peers.Result(code, there, moved), whole) is misleads


def test_a_second_that_comes_twice_is_where_it_is_nearest_to_its_place(peers):
    found = [Mark(1.0, 0), Mark(2.0, 1), Mark(6.0, 1), Mark(4.5, 3), Mark(9.0, 63)]
    assert peers.where(found, 1.0) == {0: 0.0, 1: 0.0, 3: 0.5}


def test_the_last_row_counts(peers):
    truth = peers.Truth("a slice is gone", 25, 5.0, 5.0)
    results = [peers.Result(0, 25, 0.0), peers.Result(3, 25, 0.0, "degraded, lost 5.00 s")]
    assert list(peers.table(["other 1", "recpipe 2"], [(truth, results)])) == [
        "| fault | really lost | other 1 | recpipe 2 | recpipe says |",
        "|---|---|---|---|---|",
        "| a slice is gone | 5.00 s | 0 | 3 | degraded, lost 5.00 s |",
        "| **exit code 0 that misleads** |  | 1 of 1 | 0 of 1 |  |",
    ]


def test_what_makes_nothing_of_a_whole_recording_is_not_compared(peers):
    whole, gone = (
        peers.Truth(peers.WHOLE, 30, 0.0, 0.0),
        peers.Truth("a slice is gone", 25, 5.0, 5.0),
    )
    nothing, there = peers.Result(1, None, 0.0), peers.Result(0, 30, 0.0)
    rows = [(whole, [nothing, there, there]), (gone, [nothing, nothing, there])]
    names, kept, unable = peers.capable(["no plug-ins", "other", "recpipe"], rows)
    assert (names, unable) == (["other", "recpipe"], ["no plug-ins"])
    assert kept == [(whole, [there, there]), (gone, [nothing, there])]


def test_a_real_recording_is_made_and_measured(peers, monkeypatch, tmp_path):
    monkeypatch.setattr(peers, "SECONDS", 6)
    monkeypatch.setattr(peers, "SLICE", 2)
    (ours,) = (tool for tool in peers.tools() if tool.name == "recpipe")
    ((truth, (left,)),) = peers.compared([ours], ["missing_file:1"], tmp_path, locate())
    assert (truth.left, truth.video) == (4, 2.0)
    assert (left.code, left.there) == (3, 4)
    assert left.moved < peers.NEAR
    assert left.said == f"degraded, lost {truth.lost}"


def test_the_readme_has_a_row_for_each_fault_and_none_misled_by_us(peers):
    begin = README.index("| fault | really lost |")
    rows = README[begin : README.index("\n\n", begin)].splitlines()
    assert len(rows) == 2 + len(peers.FAULTS) + 1
    ours = [row.split("|")[-3].strip() for row in rows]
    assert ours[0].startswith("recpipe ")
    assert ours[-1] == f"0 of {len(peers.FAULTS)}"
