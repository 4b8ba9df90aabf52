"""Encoders that take turns where a clock restarts: of their pictures none waits as those in front
of the seam did, and still each is shown in its time, beside its sound.
"""

import json
import subprocess
from itertools import pairwise, product
from pathlib import Path

import pytest

from pipeline.choices import OnLoss
from pipeline.model import Severity, Verdict
from tests import parts as p
from tests import recordings as r
from tests.parts import Piece

SEAM, SLICES = 3, 5  # the first slice behind it
RESTARTED, AHEAD = -500_000, 5 * 3600 * r.HZ
SOUND = r.Kind(video=False, seconds=19.95)
WAITS = list(product(range(3), repeat=2))  # pictures that wait in front of the seam, and behind


def pictures(waits, **chosen):
    return r.Kind(b_frames=waits, audio=False, **chosen)


def in_turns(library, folder, waits, *, sound, **chosen):
    """A recording whose pictures are of two encoders, and go on as its sound does."""
    front, behind = (library[pictures(n, **chosen)] for n in waits)
    begin = r.first_pts(front.data(0))
    made = front.copy(folder)
    for number in range(SLICES):
        here = behind if number >= SEAM else front
        data = r.shifted(here.data(number), begin - r.first_pts(here.data(0)))
        if sound:
            heard = library[SOUND]
            off = begin - r.first_pts(heard.data(0))
            data = beside(data, r.shifted(heard.data(number), off))
        made.write(number, data)
    return made


def beside(seen: bytes, heard: bytes) -> bytes:
    """Pictures and sound in one transport stream, a packet of sound after every few of pictures."""
    pid = r.stream_pids(heard)["audio"]
    frames = [r.with_pid(packet, 0x101) for packet in r.packets(heard) if r.pid_of(packet) == pid]
    found = r.packets(r.listing(seen, {0x100: 0x1B, 0x101: 0x0F}))
    out, taken = [], 0
    for number, packet in enumerate(found, 1):
        due = len(frames) * number // len(found)
        out += [packet, *frames[taken:due]]
        taken = due
    return b"".join(out)


@pytest.fixture
def recorded(library, tmp_path):
    """A folder with such a recording, and every unit of it."""

    def make(waits, *, sound=True, clock=RESTARTED, way="part", **chosen):
        whole = in_turns(library, tmp_path / "whole", waits, sound=sound, **chosen)
        held = r.units(whole.contents())
        if way == "part":
            pieces = Piece(None, range(SEAM), ended=False), Piece(0, range(SEAM, 5), clock=clock)
            return p.deal(whole, tmp_path / "recording", *pieces), held
        r.shift(whole, clock, since=SEAM)
        if way == "tag":
            r.tagged(whole, SEAM, "#EXT-X-DISCONTINUITY")
        return whole.folder, held

    return make


@pytest.fixture
def converted(library, tmp_path):
    def convert(folder, **chosen):
        report = r.convert(folder, tmp_path / "out", library.ffmpeg, **chosen)
        checked = r.check(folder, **chosen)
        assert checked.verdict is report.verdict, r.said(report) + "\n" + r.said(checked)
        return report

    return convert


def stamps(path, ffmpeg):
    """PTS and DTS of every picture in the order of the file, as ffprobe reads them."""
    argv = [str(ffmpeg.ffprobe), "-v", "error", "-select_streams", "v", "-of", "json"]
    argv += ["-show_entries", "packet=pts,dts", str(path)]
    done = subprocess.run(argv, env=ffmpeg.env or None, capture_output=True, check=True)
    return [(one["pts"], one["dts"]) for one in json.loads(done.stdout)["packets"]]


def in_their_time(report, held, ffmpeg):
    """Every unit once, in its order and its time to a tick or two; nothing put in."""
    assert report.proof.holds, r.said(report)
    assert report.proof.filled == 0
    found = r.samples(Path(report.output), ffmpeg)
    assert len(found) == len(held), r.said(report)
    shifts = [shift for each in r.offsets(held, found).values() for shift in each]
    assert len(shifts) == len(held)
    assert max(shifts) - min(shifts) <= 2.5, r.said(report)
    read = stamps(report.output, ffmpeg)
    decoded = [dts for _, dts in read]
    assert len({pts for pts, _ in read}) == len(read)
    assert all(dts <= pts for pts, dts in read)
    assert decoded == sorted(set(decoded))


EXPECTED = {
    "part": (Verdict.REPAIRED, [("PL_PARTS", Severity.WARNING, "joined")]),
    "tag": (Verdict.OK, []),
    "no tag": (Verdict.REPAIRED, [("DTS_BACK", Severity.WARNING, "joined without a gap")]),
}


@pytest.mark.parametrize("waits", WAITS, ids="{0[0]} then {0[1]}".format)
@pytest.mark.parametrize("way", EXPECTED)
@pytest.mark.parametrize("sound", [True, False], ids=["with sound", "pictures alone"])
def test_every_picture_is_shown_in_its_time(recorded, converted, library, waits, way, sound):
    folder, held = recorded(waits, sound=sound, way=way)
    report = converted(folder)
    verdict, said = EXPECTED[way]
    assert report.verdict is verdict, r.said(report)
    assert [(f.id, f.severity, f.repair) for f in r.loud(report)] == said, r.said(report)
    assert not any(report.lost_seconds.values())
    assert not report.holes
    in_their_time(report, held, library.ffmpeg)


@pytest.mark.parametrize("waits", WAITS, ids="{0[0]} then {0[1]}".format)
@pytest.mark.parametrize(("way", "clock"), [("part", 0), ("no tag", 0), ("part", AHEAD)])
def test_a_clock_that_goes_on_or_is_ahead(recorded, converted, library, waits, way, clock):
    folder, held = recorded(waits, way=way, clock=clock)
    report = converted(folder)
    verdict, said = EXPECTED[way if clock or way == "part" else "tag"]
    assert report.verdict is verdict, r.said(report)
    assert [(f.id, f.severity, f.repair) for f in r.loud(report)] == said, r.said(report)
    in_their_time(report, held, library.ffmpeg)


FEW = [(0, 1), (0, 2), (1, 0), (2, 0), (2, 1)]


@pytest.mark.parametrize("waits", FEW, ids="{0[0]} then {0[1]}".format)
@pytest.mark.parametrize("way", EXPECTED)
def test_pictures_at_irregular_times(recorded, converted, library, waits, way):
    """Some of them a second or two apart: as long do those wait that are shown in between."""
    folder, held = recorded(waits, way=way, vfr=True, picture_filter=r.VFR.picture_filter)
    report = converted(folder)
    assert report.verdict is EXPECTED[way][0], r.said(report)
    assert not any(report.lost_seconds.values())
    in_their_time(report, held, library.ffmpeg)


@pytest.mark.parametrize("waits", FEW, ids="{0[0]} then {0[1]}".format)
def test_an_overlap_is_cut_once(recorded, converted, library, tmp_path, waits):
    """The slice of the older part that the newer one holds as well, of the older encoder."""
    folder, held = recorded(waits)
    older = in_turns(library, tmp_path / "older", (waits[0], waits[0]), sound=True)
    for number in range(SEAM, 4):
        (folder / older.names[number]).write_bytes(older.data(number))
    (playlist,) = (path for path in folder.glob("*.m3u8") if "bak0" not in path.name)
    listed = f"#EXTINF:4.000000\n{older.names[SEAM]}\n"
    playlist.write_text(playlist.read_text() + listed)
    report = converted(folder)
    assert report.verdict is Verdict.REPAIRED, r.said(report)
    assert [f.repair for f in r.loud(report)] == ["joined, the overlap cut from main"]
    in_their_time(report, held, library.ffmpeg)


@pytest.mark.parametrize("waits", FEW, ids="{0[0]} then {0[1]}".format)
@pytest.mark.parametrize("on_loss", [OnLoss.HOLD, OnLoss.CLOSE, OnLoss.FILL])
@pytest.mark.parametrize("gone", [SEAM - 1, SEAM], ids=["in front", "behind"])
def test_a_slice_beside_the_seam_is_gone(recorded, converted, library, waits, on_loss, gone):
    """It is all that is missing, and all that is closed."""
    folder, held = recorded(waits, way="tag")
    made = r.Recording(folder)
    left, lost = r.survivors(held, r.missing(made, gone))
    report = converted(folder, on_loss=on_loss)
    assert report.verdict is Verdict.DEGRADED, r.said(report)
    assert report.proof.holds, r.said(report)
    missing = r.seconds(lost, held)
    assert dict(report.lost_seconds) == pytest.approx(missing, abs=0.03), r.said(report)
    found = r.samples(Path(report.output), library.ffmpeg)
    closed = 4 * r.HZ if on_loss is OnLoss.CLOSE else 0
    behind = [unit for unit in left if unit.pts - left[0].pts > (gone + 0.5) * 4 * r.HZ]
    shifts = r.offsets(behind, found)
    in_front = r.offsets([unit for unit in left if unit not in behind], found)
    moved = [in_front[kind][0] - shift for kind in shifts for shift in shifts[kind]]
    assert sum(map(len, shifts.values())) == len(behind)
    assert moved == pytest.approx([closed] * len(behind), abs=2000), r.said(report)


@pytest.mark.parametrize("waits", [(2, 0), (1, 0)], ids="{0[0]} then {0[1]}".format)
def test_sound_that_is_missing_at_the_seam(library, converted, tmp_path, waits):
    """What the encoder in front held back for its pictures is lost: so much, and no picture."""
    made = whole_slices(library, tmp_path, waits)
    r.shift(made, RESTARTED, since=SEAM)
    report = converted(made.folder)
    assert report.verdict is Verdict.DEGRADED, r.said(report)
    lost = {"video": 0, "audio": waits[0] / 15}
    assert dict(report.lost_seconds) == pytest.approx(lost, abs=0.02), r.said(report)
    assert {b - a for a, b in pairwise(shown(report, library.ffmpeg))} == {6000}


@pytest.mark.parametrize("waits", [(0, 2), (0, 1)], ids="{0[0]} then {0[1]}".format)
def test_sound_that_is_there_twice_at_the_seam(library, converted, tmp_path, waits):
    """Not a frame is left out, so pictures make room for it; none of them is missing."""
    made = whole_slices(library, tmp_path, waits)
    r.shift(made, RESTARTED, since=SEAM)
    report = converted(made.folder)
    assert report.verdict is Verdict.REPAIRED, r.said(report)
    assert [f.id for f in r.loud(report)] == ["DTS_BACK"]
    assert not any(report.lost_seconds.values())
    steps = [b - a for a, b in pairwise(shown(report, library.ffmpeg))]
    assert max(steps) == pytest.approx(6000 * (1 + waits[1]), abs=1920)
    assert steps.count(6000) == len(steps) - 1


def whole_slices(library, tmp_path, waits):
    """As the encoders cut them: sound ends as much before the pictures as these wait."""
    front, behind = (library[r.Kind(b_frames=n)] for n in waits)
    made = front.copy(tmp_path / "recording")
    for number in range(SEAM, SLICES):
        made.write(number, behind.data(number))
    return made


def shown(report, ffmpeg):
    """When each picture is shown, in that order."""
    return sorted(pts for pts, _ in stamps(report.output, ffmpeg))
