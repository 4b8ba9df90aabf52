"""A recorder that was started again under another sid: one recording, the pause a hole."""

import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

from pipeline.agora import names
from pipeline.jobs import many, one
from pipeline.jobs.events import joined, works_of
from pipeline.jobs.options import Options
from pipeline.jobs.output.destinations import Target
from pipeline.model import Part, Recording, Verdict
from pipeline.receipts.read import read
from pipeline.storage.local import LocalStorage
from tests import recordings as r

SECOND = r.SID[::-1]


def listed(letter: str, *seconds: float, cname: str = "room") -> Recording:
    """A recording as it is listed, with slices that began so many seconds after a moment; its sid
    is of this letter alone.
    """
    sid = letter * 32
    stored = {names.slice_name(sid, cname, r.EPOCH + at): None for at in seconds}
    part = Part(None, "", stored)
    return Recording(names.stem(sid, cname), "", (part,), sid, cname)


def ids(recordings) -> list[list[str]]:
    return sorted([(part.sid or found.sid)[0] for part in found.parts] for found in recordings)


@pytest.mark.parametrize(
    ("within", "expected"),
    [
        (10.0, [["a"], ["b"], ["c"]]),
        (30.0, [["a", "b"], ["c"]]),
        (3600.0, [["a", "b", "c"]]),
    ],
)
def test_which_belong_together(within, expected):
    """By the time between the last slice of one and the first of the next, in the order of time."""
    a, b, c = listed("a", 0, 15), listed("b", 45, 60), listed("c", 3000)
    assert ids(joined([c, b, a], within)) == expected


def test_one_beside_another_does_not_end_it_early():
    a, b, c = listed("a", 0, 15, 30, 600), listed("b", 20), listed("c", 620)
    assert ids(joined([a, b, c], 30.0)) == [["a", "b", "c"]]


def test_what_stays_alone():
    other = listed("b", 20, cname="hall")
    timeless = replace(listed("c"), id="c")
    session = replace(listed("d", 20), streams=(listed("e", 20),))
    assert ids(joined([listed("a", 0), other, timeless, session], 3600.0)) == [
        ["a"],
        ["b"],
        ["c"],
        ["d"],
    ]


@pytest.fixture
def started_again(copied, tmp_path) -> Path:
    """A recording of 20 s that broke off, and below it another, 60 s behind its beginning."""
    made = copied(r.AV_B)
    again = tmp_path / "recording" / "again"
    again.mkdir()
    for path in sorted(made.folder.glob("*.*")):
        name = path.name.replace(r.SID, SECOND)
        if slice := names.parse_slice_name(path.name):
            name = names.slice_name(SECOND, slice.cname, slice.utc + 60.0)
        shutil.copy(path, again / name)
    playlist = next(again.glob("*.m3u8"))
    text = playlist.read_text()
    for path in made.folder.glob("*.ts"):
        slice = names.parse_slice_name(path.name)
        assert slice is not None
        text = text.replace(path.name, names.slice_name(SECOND, slice.cname, slice.utc + 60.0))
    playlist.write_text(text)
    made.edit(lambda text: text.replace("#EXT-X-ENDLIST\n", ""))  # nobody ended it
    return made.folder


def found(folder: Path) -> list[many.Task]:
    works, failures = many.find([str(folder)], many.opener(None))
    assert failures == []
    assert len(works) == 2
    events = works_of(works, 60.0)
    assert {work.location for work in events} == {str(folder)}
    return events


def test_one_file_with_a_hole_between_them(started_again, tmp_path, ffmpeg):
    (work,) = found(started_again)
    to = LocalStorage(tmp_path / "out")
    target, options = Target(to, f"{work.recording.id}.mp4"), Options(spool=tmp_path / "spool")
    report = one.process(work.recording, work.source, target, ffmpeg, options)
    assert (report.verdict, report.proof.holds) == (Verdict.DEGRADED, True), r.said(report)
    assert report.duration == pytest.approx(80.0, abs=0.2)
    for kind in ("video", "audio"):
        assert report.lost_seconds[kind] == pytest.approx(40.0, abs=0.2)
        (hole,) = (hole for hole in report.holes if hole.kind == kind)
        assert (round(hole.start), round(hole.length)) == (20, 40)
    assert [(round(join.at), join.part) for join in report.joins] == [(60, SECOND)]
    published = read(to, f"{work.recording.id}.receipt.json")
    assert {one.key for one in published.inputs} == {
        path.relative_to(started_again).as_posix()
        for path in started_again.rglob("*")
        if path.is_file()
    }
    again = one.process(work.recording, work.source, target, ffmpeg, options)
    assert (again.made, again.verdict) == (False, Verdict.DEGRADED)


def test_a_slice_that_no_playlist_of_the_second_lists_is_found(started_again, tmp_path):
    playlist = next((started_again / "again").glob("*.m3u8"))
    lines = playlist.read_text().split("\n")
    at = next(n for n, line in enumerate(lines) if line.endswith(".ts"))
    playlist.write_text("\n".join([*lines[: at - 1], *lines[at + 1 :]]))
    (work,) = found(started_again)
    report = one.check(work.recording, work.source, Options(spool=tmp_path / "spool"))
    assert report.lost_seconds["video"] == pytest.approx(40.0, abs=0.3), r.said(report)
