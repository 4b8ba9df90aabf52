"""The plain story: a recording becomes one proven MP4 with a receipt, once."""

import hashlib
import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.errors import ExistsError, StorageError
from pipeline.media.timeline.plan import OnLoss
from pipeline.model import Verdict
from pipeline.muxing.run import Muxer
from pipeline.storage.local import LocalStorage
from pipeline.storage.temporaries import is_temporary
from tests import recordings as r

SAMPLES = Path(__file__).parents[2] / "sample_media"
KINDS = {"composite": ["video", "audio"], "audio_only": ["audio"], "video_only": ["video"]}


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def left(out):
    """Everything in the destination but the spool."""
    return sorted(p.name for p in out.iterdir() if p.name != "spool")


@pytest.mark.parametrize("name", KINDS)
def test_done_once(library, out, name):
    report = r.convert(SAMPLES / name, out, library.ffmpeg)
    made = Path(report.output)
    assert report.verdict is Verdict.OK
    assert not r.loud(report), r.said(report)
    assert report.proof.holds
    assert [track.type for track in report.tracks] == KINDS[name]
    assert report.lost_seconds == {"video": 0.0, "audio": 0.0}
    assert report.size == made.stat().st_size
    assert report.sha256 == sha256(made)
    assert left(out) == [made.name, made.with_suffix(".receipt.json").name]
    held = r.units(r.Recording(SAMPLES / name).contents())
    found = r.recorded(r.samples(made, library.ffmpeg))
    assert [sum(t.samples for t in report.tracks), len(found)] == [len(held)] * 2
    shifts = [s for of_kind in r.offsets(held, found).values() for s in of_kind]
    assert len(shifts) == len(held)
    assert max(shifts) - min(shifts) <= 2.5


@pytest.mark.parametrize("name", KINDS)
def test_done_twice_is_done_once(library, out, name):
    first = r.convert(SAMPLES / name, out, library.ffmpeg)
    before = {p.name: p.stat() for p in out.iterdir() if p.is_file()}
    second = r.convert(SAMPLES / name, out, library.ffmpeg)
    after = {p.name: p.stat() for p in out.iterdir() if p.is_file()}
    assert {n: (s.st_ino, s.st_mtime_ns) for n, s in before.items()} == {
        n: (s.st_ino, s.st_mtime_ns) for n, s in after.items()
    }
    for value in ("verdict", "findings", "output", "receipt", "duration", "sha256", "tracks"):
        assert getattr(first, value) == getattr(second, value), value
    assert second.timings["convert"] == 0


def test_what_a_forwarded_playlist_lists_is_done_once_too(library, out, tmp_path):
    folder = shutil.copytree(SAMPLES / "composite", tmp_path / "in")
    (playlist,) = folder.glob("*.m3u8")
    playlist.rename(playlist.with_name(f"{playlist.stem}_17_0.m3u8"))
    first, second = (r.convert(folder, out, library.ffmpeg) for _ in range(2))
    assert (first.made, second.made) == (True, False)
    assert first.receipt == second.receipt


@pytest.mark.parametrize("name", KINDS)
def test_two_runs_make_the_same_bytes(library, tmp_path, name):
    one, two = (r.convert(SAMPLES / name, tmp_path / n, library.ffmpeg) for n in ("1", "2"))
    assert Path(one.output).read_bytes() == Path(two.output).read_bytes()


def test_two_receipts_of_the_same_differ_in_their_time_alone(library, tmp_path):
    told = []
    for _ in range(2):
        report = r.convert(SAMPLES / next(iter(KINDS)), tmp_path / "out", library.ffmpeg)
        told.append(json.loads(Path(report.receipt).read_text(encoding="utf-8")))
        for path in (report.output, report.receipt):
            Path(path).unlink()
    for receipt in told:
        made = datetime.fromisoformat(receipt.pop("converted"))
        assert abs((made - datetime.now(UTC)).total_seconds()) < 600
    assert told[0] == told[1]


def test_the_receipt_names_every_input(library, out):
    source = r.Recording(SAMPLES / "composite")
    report = r.convert(source.folder, out, library.ffmpeg)
    receipt = json.loads(Path(report.receipt).read_text(encoding="utf-8"))
    inputs = {entry["key"]: entry for entry in receipt["inputs"]}
    assert set(inputs) == {p.name for p in source.folder.iterdir()}
    for name, entry in inputs.items():
        assert entry["sha256"] == sha256(source.folder / name)
        assert entry["size"] == (source.folder / name).stat().st_size
        assert entry["etag"]
    assert receipt["output"]["sha256"] == sha256(Path(report.output))
    assert receipt["output"]["size"] == Path(report.output).stat().st_size
    assert receipt["verdict"] == "ok"
    assert receipt["proof"]["counts"]
    assert receipt["proof"]["timestamps"]
    assert receipt["proof"]["bytes"]
    assert receipt["muxer"]["version"]
    assert receipt["software"].startswith("recpipe")


def test_the_receipt_of_a_damaged_recording(library, out, tmp_path):
    made = library[r.AV_B].copy(tmp_path / "recording")
    r.missing(made, 2)
    report = r.convert(made.folder, out, library.ffmpeg)
    receipt = json.loads(Path(report.receipt).read_text(encoding="utf-8"))
    assert receipt["verdict"] == "degraded"
    assert receipt["lost_seconds"] == report.lost_seconds
    assert [hole["kind"] for hole in receipt["holes"]] == [h.kind for h in report.holes]
    assert {f["id"] for f in receipt["findings"]} == {f.id for f in report.findings}
    again = r.convert(made.folder, out, library.ffmpeg)
    assert again.findings == report.findings
    assert again.holes == report.holes


def test_check_makes_nothing(tmp_path, library, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = library[r.AV].copy(tmp_path / "recording")
    before = sorted(tmp_path.rglob("*"))
    report = r.check(made.folder)
    assert report.verdict is Verdict.OK
    assert report.output is None
    assert sorted(tmp_path.rglob("*")) == before


def test_a_source_that_may_only_be_read(library, out, tmp_path):
    made = library[r.AV].copy(tmp_path / "recording")
    for path in (*made.folder.iterdir(), made.folder):
        path.chmod(0o555)
    before = {p.name: p.stat().st_mtime_ns for p in made.folder.iterdir()}
    report = r.convert(made.folder, out, library.ffmpeg)
    made.folder.chmod(0o755)
    assert report.verdict is Verdict.OK
    assert {p.name: p.stat().st_mtime_ns for p in made.folder.iterdir()} == before


def test_a_slice_that_arrived_late(library, out, tmp_path):
    """The result is made again, from all of it."""
    made = library[r.AV].copy(tmp_path / "recording")
    late = made.data(2)
    path = made.path(2)
    r.missing(made, 2)
    assert r.convert(made.folder, out, library.ffmpeg).verdict is Verdict.DEGRADED
    path.write_bytes(late)
    report = r.convert(made.folder, out, library.ffmpeg)
    assert report.verdict is Verdict.OK, r.said(report)
    assert report.sha256 == sha256(Path(report.output))


def test_a_source_that_became_less(library, out, tmp_path):
    """What was whole is not replaced by what is not."""
    made = library[r.AV].copy(tmp_path / "recording")
    whole = r.convert(made.folder, out, library.ffmpeg)
    r.missing(made, 2)
    with pytest.raises(ExistsError, match="--force"):
        r.convert(made.folder, out, library.ffmpeg)
    assert sha256(Path(whole.output)) == whole.sha256
    forced = r.convert(made.folder, out, library.ffmpeg, force=True)
    assert forced.verdict is Verdict.DEGRADED


def test_other_settings_make_another_result(library, out, tmp_path):
    made = library[r.AV].copy(tmp_path / "recording")
    r.missing(made, 2)
    held = r.convert(made.folder, out, library.ffmpeg)
    closed = r.convert(made.folder, out, library.ffmpeg, on_loss=OnLoss.CLOSE)
    assert closed.duration == pytest.approx(held.duration - 4, abs=0.1)


def test_a_file_that_is_not_ours(library, out):
    out.mkdir()
    source = r.Recording(SAMPLES / "audio_only")
    other = out / f"{source.playlist.stem}.mp4"
    other.write_bytes(b"somebody else's")
    with pytest.raises(ExistsError, match="no receipt"):
        r.convert(source.folder, out, library.ffmpeg)
    assert other.read_bytes() == b"somebody else's"
    assert left(out) == [other.name]


def test_a_receipt_lost_to_a_crash(library, out):
    """The same bytes stand there: only the receipt is written."""
    report = r.convert(SAMPLES / "audio_only", out, library.ffmpeg)
    Path(report.receipt).unlink()
    again = r.convert(SAMPLES / "audio_only", out, library.ffmpeg)
    assert Path(again.receipt).exists()
    assert again.sha256 == report.sha256


def test_an_mp4_cut_short_after_the_receipt(library, out):
    """Its receipt does not fit any more: not taken for done."""
    report = r.convert(SAMPLES / "audio_only", out, library.ffmpeg)
    os.truncate(report.output, 1000)
    with pytest.raises(ExistsError):
        r.convert(SAMPLES / "audio_only", out, library.ffmpeg)
    again = r.convert(SAMPLES / "audio_only", out, library.ffmpeg, force=True)
    assert again.sha256 == report.sha256


def test_the_same_recording_elsewhere(library, tmp_path, out):
    """A receipt holds wherever the source was moved to."""
    r.convert(SAMPLES / "audio_only", out, library.ffmpeg)
    shutil.copytree(SAMPLES / "audio_only", tmp_path / "moved", copy_function=shutil.copy2)
    again = r.convert(tmp_path / "moved", out, library.ffmpeg)
    assert again.timings["convert"] == 0


def test_ffmpeg_makes_the_file_itself(library, out, monkeypatch):
    """ext4 brings a file that replaces another to the disk before it is closed."""
    there = []
    begin = Muxer.__init__

    def begun(muxer, argv, **how):
        there.extend(Path(one).exists() for one in argv if is_temporary(Path(one)))
        begin(muxer, argv, **how)

    monkeypatch.setattr(Muxer, "__init__", begun)
    assert r.convert(SAMPLES / "composite", out, library.ffmpeg).verdict is Verdict.OK
    assert there
    assert not any(there)


def test_a_file_that_does_not_reach_the_disk_is_not_published(library, out, monkeypatch):
    def failing(self, temporary):
        raise StorageError(f"write {temporary}: Input/output error")

    monkeypatch.setattr(LocalStorage, "flush", failing)
    with pytest.raises(StorageError, match="Input/output error"):
        r.convert(SAMPLES / "composite", out, library.ffmpeg)
    assert left(out) == []
