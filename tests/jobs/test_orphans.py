"""Slices that no playlist lists: used where media is missing, told in any case."""

from pathlib import Path

import pytest

from pipeline.agora import names
from pipeline.model import Severity, Verdict
from tests import parts as p
from tests import recordings as r
from tests.parts import Piece


@pytest.fixture
def made(library, tmp_path):
    return library[r.AV_B].copy(tmp_path / "recording")


def orphans(report):
    return [(f.severity, f.repair) for f in report.findings if f.id == "PL_ORPHAN"]


def whole(report, library):
    """Every unit where it was."""
    assert report.verdict is Verdict.REPAIRED, r.said(report)
    assert not any(report.lost_seconds.values()), r.said(report)
    assert report.proof.holds
    held = library.held(r.AV_B)
    found = r.recorded(r.samples(Path(report.output), library.ffmpeg))
    shifts = [s for of in r.offsets(held, found).values() for s in of]
    assert len(found) == len(held) == len(shifts)
    assert max(shifts) - min(shifts) <= 2.5


@pytest.mark.parametrize(
    "order", [[1, 2, 3, 4], [0, 1, 3, 4], [0, 1, 2, 3], [0, 4], [0, 1, 1, 3, 4]]
)
def test_a_slice_that_is_not_listed_is_used(made, library, tmp_path, order):
    r.relisted(made, order)
    report = r.convert(made.folder, tmp_path / "out", library.ffmpeg)
    whole(report, library)
    used = 5 - len(set(order))
    assert orphans(report) == [(Severity.WARNING, "put in its place")] * used


@pytest.mark.parametrize("data", [b"", r.HTML], ids=["empty", "an error page"])
def test_a_slice_that_is_not_listed_and_holds_nothing(made, data):
    (made.folder / names.slice_name(r.SID, r.CNAME, r.EPOCH + 20)).write_bytes(data)
    report = r.check(made.folder)
    assert report.verdict is Verdict.OK, r.said(report)
    assert orphans(report) == [(Severity.WARNING, None)]


@pytest.mark.parametrize("number", [0, 2, 4])
def test_damage_of_a_slice_that_is_not_listed_is_told(made, number):
    data = made.data(number)
    made.write(number, data[: 188 * 200 + 99])
    r.relisted(made, [n for n in range(5) if n != number])
    report = r.check(made.folder)
    assert report.verdict is Verdict.DEGRADED, r.said(report)


def test_a_slice_whose_clock_contradicts_its_name(made):
    """A copy of another one, with other counters, put where nothing is."""
    copy = r.shifted(made.data(2), 900)
    r.missing(made, 3)
    name = names.slice_name(r.SID, r.CNAME, r.EPOCH + 12.5)
    (made.folder / name).write_bytes(copy)
    report = r.check(made.folder)
    assert report.verdict is Verdict.DEGRADED, r.said(report)
    assert report.lost_seconds == pytest.approx({"video": 4, "audio": 4}, abs=0.1)
    assert orphans(report) == [(Severity.WARNING, None)]


@pytest.mark.parametrize("bak", [None, 0])
def test_a_part_without_its_playlist(library, tmp_path, bak):
    folder = p.deal(
        library[r.AV_B],
        tmp_path / "recording",
        Piece(None, range(2), ended=False),
        Piece(0, range(2, 4), ended=False),
        Piece(1, range(3, 5)),
    )
    (folder / names.playlist_name(r.SID, r.CNAME, bak=bak)).unlink()
    report = r.convert(folder, tmp_path / "out", library.ffmpeg)
    whole(report, library)
    assert orphans(report) == [(Severity.WARNING, "used")]


def test_a_playlist_of_the_backup_cloud_alone(made, library, tmp_path):
    made.playlist.rename(made.folder / f"{r.SID}_{r.CNAME}_1772442030_0.m3u8")
    report = r.convert(made.folder, tmp_path / "out", library.ffmpeg)
    assert report.verdict is Verdict.OK, r.said(report)
    assert report.recording == f"{r.SID}_{r.CNAME}"
