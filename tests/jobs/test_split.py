"""``--on-change split``: every run of equal format is a file of its own, and nothing lies between.

The truth is computed from the slices as they are; the MP4s are read by ffprobe.
"""

import json
import shutil
from collections import Counter
from datetime import datetime
from itertools import accumulate, pairwise
from pathlib import Path

import pytest
from msgspec.structs import replace

from pipeline.archive import bulk
from pipeline.archive.bagit.staging import Archive
from pipeline.archive.holdings import missing_from
from pipeline.archive.ingest import Ingested
from pipeline.archive.order import Bagging, Order, Originals
from pipeline.choices import Format, OnChange, OnLoss
from pipeline.errors import ExistsError, StorageError
from pipeline.jobs import one
from pipeline.jobs.options import Options
from pipeline.jobs.output.destinations import Target
from pipeline.model import Severity, Verdict
from pipeline.receipts.earlier import earlier
from pipeline.receipts.read import find, read
from pipeline.retention.interlocks import Checks
from pipeline.simulator.faults.timing import delayed
from pipeline.stages.discover import discover
from pipeline.storage.local import LocalStorage
from pipeline.storage.locations import open_storage
from pipeline.storage.s3.store import S3Storage
from tests import recordings as r
from tests import ts

SPLIT = {"on_change": OnChange.SPLIT}
LARGE = replace(r.AV_B, size="640x360")
STEREO = replace(r.AV_B, channels=2)
RATE = replace(r.AV_B, rate=44100)
H265 = replace(r.AV_B, codec="libx265")
OTHERS = [
    pytest.param(LARGE, "SPS_CHANGE", (2,), [8, 4, 8], id="size"),
    pytest.param(RATE, "AAC_CHANGE", (0, 3), [4, 8, 4, 4], id="rate"),
    pytest.param(STEREO, "AAC_CHANGE", (4,), [16, 4], id="channels"),
    pytest.param(replace(LARGE, channels=2), "SPS_CHANGE", (1, 2), [4, 8, 8], id="both"),
]


def in_exactly_one(contents, report, ffmpeg):
    """Every unit of the source is in one file, once, and each file has the clock of the source."""
    held = r.units(contents)
    found = [r.recorded(r.samples(Path(piece.output), ffmpeg)) for piece in report.pieces]
    assert Counter((u.kind, u.digest) for u in held) == Counter(
        (s.kind, s.digest) for of_piece in found for s in of_piece
    )
    first = min(unit.pts for unit in held)
    for piece, of_piece in zip(report.pieces, found, strict=True):
        shifts = [ticks for kind in r.offsets(held, of_piece).values() for ticks in kind]
        assert max(shifts) - min(shifts) <= 20, r.said(report)
        assert (-shifts[0] - first) / r.HZ == pytest.approx(piece.begin, abs=0.0001)
    assert sum(map(len, found)) == len(held)


def nothing_lost(report, count):
    assert report.verdict is Verdict.REPAIRED, r.said(report)
    assert report.lost_seconds == {"video": 0, "audio": 0}
    assert report.proof.holds
    assert all(piece.proof.holds for piece in report.pieces)
    names = [Path(piece.output).name for piece in report.pieces]
    stem = Path(report.receipt).name.removesuffix(".receipt.json")
    assert names == [f"{stem}.{n}.mp4" for n in range(1, count + 1)]


@pytest.mark.parametrize(("other", "id", "numbers", "lasts"), OTHERS)
def test_every_unit_is_in_exactly_one_file(library, changed, tmp_path, other, id, numbers, lasts):
    made = changed(other, numbers)
    report = r.convert(made.folder, tmp_path / "out", library.ffmpeg, **SPLIT)
    nothing_lost(report, len(lasts))
    in_exactly_one(made.contents(), report, library.ffmpeg)
    for piece, seconds in zip(report.pieces, lasts, strict=True):
        assert piece.duration == pytest.approx(seconds, abs=0.2)
    borders = [n for n in range(1, 5) if (n in numbers) != (n - 1 in numbers)]
    said = [f.segment for f in report.findings if f.id == id and f.repair]
    assert said == [made.names[n] for n in borders]
    checked = r.check(made.folder, **SPLIT)
    assert checked.verdict is Verdict.REPAIRED, r.said(checked)
    assert [p.begin for p in checked.pieces] == [p.begin for p in report.pieces]
    assert [(f.id, f.segment) for f in checked.findings] == [
        (f.id, f.segment) for f in report.findings
    ]


def test_another_codec(library, changed, tmp_path):
    report = r.convert(changed(H265, (2,)).folder, tmp_path / "out", library.ffmpeg, **SPLIT)
    nothing_lost(report, 3)
    assert [p.tracks[0].codec for p in report.pieces] == ["h264", "hevc", "h264"]
    assert [p.tracks[0].samples for p in report.pieces] == [120, 60, 120]


def test_pictures_that_refer_to_what_is_in_another_file(library, changed, tmp_path):
    """Two pictures are shown before the key picture and need those before it: nobody can."""
    made = changed(replace(H265, open_gop=True), (2,))
    report = r.convert(made.folder, tmp_path / "out", library.ffmpeg, **SPLIT)
    assert report.verdict is Verdict.DEGRADED, r.said(report)
    assert report.lost_seconds["video"] == pytest.approx(2 / 15, abs=0.01)
    assert [f.count for f in report.findings if f.id == "NO_KEY_AT_START"] == [2]
    assert [p.tracks[0].samples for p in report.pieces] == [120, 58, 120]
    assert all(piece.proof.holds for piece in report.pieces)


def test_what_cannot_be_copied_is_rejected(library, changed, tmp_path):
    """It would have to be encoded: that is what ``transcode`` is for."""
    made = changed(replace(r.AV_B, sound="mp2"), (2,))
    report = r.convert(made.folder, tmp_path / "out", library.ffmpeg, **SPLIT)
    assert report.verdict is Verdict.REJECTED
    assert "ES_CODEC" in {f.id for f in report.findings if f.severity is Severity.FATAL}
    assert [p.name for p in (tmp_path / "out").iterdir() if p.is_file()] == []


def test_a_recording_that_does_not_change_is_one_file(library, tmp_path):
    made = library[r.AV_B]
    report = r.convert(made.folder, tmp_path / "out", library.ffmpeg, **SPLIT)
    assert (report.verdict, report.pieces) == (Verdict.OK, ())
    assert Path(report.output).name == f"{report.recording}.mp4"


SHORT = replace(r.AV_B, slice=2)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(replace(SHORT, size="640x360"), id="size"),
        pytest.param(replace(SHORT, channels=2), id="channels"),
        pytest.param(replace(SHORT, size="640x360", rate=44100), id="both"),
    ],
)
def test_a_change_inside_a_slice(library, tmp_path, other):
    datas = [library[other if n in (3, 4) else SHORT].data(n) for n in range(10)]
    both = [r.recounted(a + b) for a, b in zip(datas[::2], datas[1::2], strict=True)]
    made = r.publish([(4.0, data) for data in both], tmp_path / "recording")
    report = r.convert(made.folder, tmp_path / "out", library.ffmpeg, **SPLIT)
    nothing_lost(report, 3)
    in_exactly_one(datas, report, library.ffmpeg)
    assert [p.duration for p in report.pieces] == pytest.approx([6, 4, 10], abs=0.2)


@pytest.mark.parametrize("borders", [(2,), (3,), (2, 3)], ids=["begin", "end", "both"])
def test_a_unit_that_ends_behind_the_border(library, changed, tmp_path, borders):
    """The last sound of a slice ends in the next one, which has pictures of another size."""
    made = changed(LARGE, (2,))
    contents = made.contents()
    whole = r.packets(r.recounted(b"".join(contents)))
    ends = [0]
    for data in contents:
        ends.append(ends[-1] + len(r.packets(data)))
    slices = [whole[a:b] for a, b in pairwise(ends)]
    for border in borders:
        before = slices[border - 1]
        begun = max(n for n, p in enumerate(before) if r.pid_of(p) == 0x101 and r.is_pes(p))
        moved = [n for n, p in enumerate(before) if n > begun and r.pid_of(p) == 0x101]
        assert moved
        slices[border] = [before[n] for n in moved] + slices[border]
        slices[border - 1] = [p for n, p in enumerate(before) if n not in moved]
    for number, packets in enumerate(slices):
        made.write(number, b"".join(packets))
    report = r.convert(made.folder, tmp_path / "out", library.ffmpeg, **SPLIT)
    nothing_lost(report, 3)
    in_exactly_one(contents, report, library.ffmpeg)


def sound(packets, which):
    """Rows, header and frames of one PES of it."""
    first = [n for n, p in enumerate(packets) if r.pid_of(p) == 0x101 and r.is_pes(p)][which]
    rows, es = [], b""
    for n in range(first, len(packets)):
        if r.pid_of(packets[n]) == 0x101:
            if r.is_pes(packets[n]) and n > first:
                break
            rows.append(n)
            es += packets[n][r.payload_at(packets[n]) :]
    size = 9 + es[8]
    return rows, es[:size], es[size:]


def written(packets, rows, header, es):
    """The packets with another PES in place of these rows."""
    unit = header[:4] + (len(header) + len(es) - 6).to_bytes(2, "big") + header[6:] + es
    kept = [p for n, p in enumerate(packets) if n not in rows]
    return [*kept[: rows[0]], *ts.packets(0x101, unit, 0), *kept[rows[0] :]]


@pytest.mark.parametrize("borders", [(2,), (3,), (2, 3)], ids=["begin", "end", "both"])
@pytest.mark.parametrize("left", [3, 100, -1], ids=["half a header", "half of it", "but a byte"])
def test_a_frame_that_ends_in_the_next_pes_behind_the_border(
    library, changed, tmp_path, left, borders
):
    """The last frame of sound begins in a PES of one file and ends in one of the next."""
    made = changed(LARGE, (2,))
    contents = made.contents()
    slices = [r.packets(data) for data in contents]
    for border in borders:
        rows, header, es = sound(slices[border - 1], -1)
        at = es.rindex(b"\xff\xf1")  # its last frame
        cut = at + left if left > 0 else len(es) + left
        slices[border - 1] = written(slices[border - 1], rows, header, es[:cut])
        rows, header, following = sound(slices[border], 0)
        slices[border] = written(slices[border], rows, header, es[cut:] + following)
    counted = r.packets(r.recounted(b"".join(b"".join(packets) for packets in slices)))
    ends = [0, *accumulate(map(len, slices))]
    for number, (a, b) in enumerate(pairwise(ends)):
        made.write(number, b"".join(counted[a:b]))
    report = r.convert(made.folder, tmp_path / "out", library.ffmpeg, **SPLIT)
    nothing_lost(report, 3)
    in_exactly_one(contents, report, library.ffmpeg)
    checked = r.check(made.folder, **SPLIT)
    assert checked.verdict is Verdict.REPAIRED, r.said(checked)
    assert checked.lost_seconds == report.lost_seconds


@pytest.mark.parametrize(
    ("number", "on_loss"), [(1, OnLoss.HOLD), (3, OnLoss.HOLD), (1, OnLoss.CLOSE), (3, OnLoss.FILL)]
)
def test_a_slice_missing_at_the_border(library, changed, tmp_path, number, on_loss):
    made = changed(LARGE, {1, 2, 3} - {number})
    made.path(number).unlink()
    chosen = {**SPLIT, "on_loss": on_loss}
    report = r.convert(made.folder, tmp_path / "out", library.ffmpeg, **chosen)
    assert report.verdict is Verdict.DEGRADED, r.said(report)
    assert report.proof.holds
    for kind in ("video", "audio"):
        assert report.lost_seconds[kind] == pytest.approx(4, abs=0.1), r.said(report)
    checked = r.check(made.folder, **chosen)
    assert checked.lost_seconds == report.lost_seconds


def test_on_loss_fail_makes_no_file_at_all(library, changed, tmp_path):
    made = changed(LARGE, (1, 2))
    made.path(4).unlink()
    chosen = {**SPLIT, "on_loss": OnLoss.FAIL}
    report = r.convert(made.folder, tmp_path / "out", library.ffmpeg, **chosen)
    assert report.verdict is Verdict.REJECTED
    assert [p.name for p in (tmp_path / "out").iterdir() if p.is_file()] == []


def test_sound_alone_is_divided_by_its_own_changes(library, changed, tmp_path):
    chosen = {**SPLIT, "format": Format.M4A}
    made = changed(LARGE, (2,))
    report = r.convert(made.folder, tmp_path / "out", library.ffmpeg, **chosen)
    assert (report.verdict, report.pieces) == (Verdict.OK, ()), r.said(report)
    made.write(3, library[STEREO].data(3))
    report = r.convert(made.folder, tmp_path / "more", library.ffmpeg, **chosen)
    assert [Path(p.output).suffixes[-2:] for p in report.pieces] == [
        [f".{n}", ".m4a"] for n in (1, 2, 3)
    ]
    assert report.verdict is Verdict.REPAIRED, r.said(report)


# --- publishing --------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def once(library, tmp_path_factory):
    """A recording that became three files."""
    home = tmp_path_factory.mktemp("split")
    made = library[r.AV_B].copy(home / "recording")
    made.write(2, library[LARGE].data(2))
    return made, r.convert(made.folder, home / "out", library.ffmpeg, **SPLIT)


@pytest.fixture
def done(once, tmp_path):
    """The same, to be touched: the recording, its report, and where the results are."""
    made, report = once
    out = tmp_path / "out"
    shutil.copytree(Path(report.receipt).parent, out)
    return made, report, out


class Breaking(LocalStorage):
    """Goes down when a file of this name is to be published."""

    def __init__(self, root: Path, name: str) -> None:
        super().__init__(root)
        self._name = name

    def adopt(self, temporary, key, **told):
        if key.endswith(self._name):
            raise StorageError("the disk is gone")
        return super().adopt(temporary, key, **told)


def run(made, store, out, ffmpeg, **chosen):
    source, key = open_storage(made.folder)
    (found,) = discover(source, key)
    options = Options(spool=out / "spool", on_change=OnChange.SPLIT, **chosen)
    return one.process(found, source, Target(store, f"{found.id}.mp4"), ffmpeg, options)


def files(out):
    return sorted(p.name for p in out.iterdir() if p.is_file())


@pytest.mark.parametrize("name", [".2.mp4", ".receipt.json"])
def test_a_crash_in_between_leaves_nothing_that_counts(library, changed, tmp_path, name):
    made, out = changed(LARGE, (2,)), tmp_path / "out"
    out.mkdir()
    with pytest.raises(StorageError):
        run(made, Breaking(out, name), out, library.ffmpeg)
    assert not list(out.glob("*.receipt.json"))
    assert earlier(LocalStorage(out), f"{r.SID}_{r.CNAME}.mp4") is None
    report = run(made, LocalStorage(out), out, library.ffmpeg)
    assert report.verdict is Verdict.REPAIRED
    stem = f"{r.SID}_{r.CNAME}"
    assert files(out) == [*(f"{stem}.{n}.mp4" for n in (1, 2, 3)), f"{stem}.receipt.json"]


def test_once_more_is_a_no_op(library, done):
    made, report, out = done
    before = {p.name: p.stat().st_mtime_ns for p in out.iterdir() if p.is_file()}
    again = r.convert(made.folder, out, library.ffmpeg, **SPLIT)
    assert again.pieces == tuple(
        replace(p, output=str(out / Path(p.output).name)) for p in report.pieces
    )
    assert (again.findings, again.duration) == (report.findings, report.duration)
    assert {p.name: p.stat().st_mtime_ns for p in out.iterdir() if p.is_file()} == before


@pytest.mark.parametrize("number", [1, 3])
def test_a_file_that_is_gone_is_made_again(library, done, number):
    made, report, out = done
    there = files(out)
    (out / Path(report.pieces[number - 1].output).name).unlink()
    again = r.convert(made.folder, out, library.ffmpeg, **SPLIT)
    assert [p.sha256 for p in again.pieces] == [p.sha256 for p in report.pieces]
    assert files(out) == there


@pytest.mark.parametrize("number", [1, 3])
def test_a_file_that_no_receipt_explains_is_not_replaced(library, changed, tmp_path, number):
    made, out = changed(LARGE, (2,)), tmp_path / "out"
    out.mkdir()
    strange = out / f"{r.SID}_{r.CNAME}.{number}.mp4"
    strange.write_bytes(b"somebody's")
    with pytest.raises(ExistsError):
        r.convert(made.folder, out, library.ffmpeg, **SPLIT)
    assert files(out) == [strange.name]
    report = r.convert(made.folder, out, library.ffmpeg, **SPLIT, force=True)
    assert len(report.pieces) == 3
    assert strange.stat().st_size == report.pieces[number - 1].size


def test_one_way_after_the_other(library, changed, tmp_path):
    """The files of the way not chosen any more go when the new receipt stands."""
    made, out = changed(LARGE, (2,)), tmp_path / "out"
    stem = f"{r.SID}_{r.CNAME}"
    whole = [f"{stem}.mp4", f"{stem}.receipt.json"]
    several = [*(f"{stem}.{n}.mp4" for n in (1, 2, 3)), f"{stem}.receipt.json"]
    r.convert(made.folder, out, library.ffmpeg)
    assert files(out) == whole
    r.convert(made.folder, out, library.ffmpeg, **SPLIT)
    assert files(out) == several
    r.convert(made.folder, out, library.ffmpeg)
    assert files(out) == whole


def test_the_receipt_states_every_file(library, done):
    _, report, out = done
    (published,) = find(LocalStorage(out))
    assert [o.key for o in published.outputs] == [Path(p.output).name for p in report.pieces]
    assert [o.sha256 for o in published.outputs] == [p.sha256 for p in report.pieces]
    note = json.loads(published.text)
    assert note["output"]["sha256"] == note["pieces"][0]["sha256"]
    assert [piece["begin"] for piece in note["pieces"]] == [p.begin for p in report.pieces]
    assert len(note["inputs"]) == 6


def test_the_bag_holds_every_file(library, done, tmp_path):
    _, report, out = done
    archive = Archive(LocalStorage(tmp_path / "archive"), LocalStorage(tmp_path / "archive"))
    order = Order(Originals.KEEP, spool=tmp_path / "spool")
    found = list(bulk.published_in([str(out)], open_storage))
    assert len(found) == 1  # no file of it is taken for one without a receipt
    opened = lambda url: open_storage(url)[0]  # noqa: E731
    (bagged,) = bulk.ingest_all(
        found, opened, Bagging(archive, order, library.ffmpeg), now=lambda: 1.8e9
    )
    assert isinstance(bagged, Ingested), bagged
    data = tmp_path / "archive" / f"{r.SID}_{r.CNAME}" / "data"
    names = [Path(piece.output).name for piece in report.pieces]
    assert files(data / "access") == names
    for number in (2, 3):
        assert (data / "metadata" / f"ffprobe.{number}.json").is_file()
    published = read(LocalStorage(out), Path(report.receipt).name)
    store = LocalStorage(tmp_path / "archive")
    assert missing_from(store, published) is None
    (data / "access" / names[1]).unlink()
    assert missing_from(store, published) is not None


@pytest.mark.parametrize("store", ["weed", "rclone"])
def test_a_bucket_gets_every_file_and_the_receipt_last(request, library, once, tmp_path, store):
    """Also one that does not keep a condition: there each run has names of its own."""
    made, report = once
    server = request.getfixturevalue(store)
    to = S3Storage(server.new_bucket(), "", server.client)
    first = run(made, to, tmp_path, library.ffmpeg)
    stem = f"{r.SID}_{r.CNAME}"
    published = read(to, f"{stem}.receipt.json")
    assert [one_file.sha256 for one_file in published.outputs] == [p.sha256 for p in report.pieces]
    assert [one_file.name for one_file in published.outputs] == [
        f"{stem}.{n}.mp4" for n in (1, 2, 3)
    ]
    assert [to.url(one_file.key) for one_file in published.outputs] == [
        p.output for p in first.pieces
    ]
    again = run(made, to, tmp_path, library.ffmpeg)
    assert [p.output for p in again.pieces] == [p.output for p in first.pieces]
    assert len(list(to.list())) == 4
    to.delete(published.outputs[1].key)
    assert earlier(to, f"{stem}.mp4").receipt is None
    run(made, to, tmp_path, library.ffmpeg)
    assert earlier(to, f"{stem}.mp4").receipt is not None


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("verify", ["head", "full"])
def test_nothing_is_cleaned_unless_every_file_is_there(library, done, number, verify):
    made, report, out = done
    results = LocalStorage(out)
    checks = Checks(LocalStorage(made.folder), results, verify=verify)
    published = read(results, (out / Path(report.receipt).name).name)
    asked = (published.receipt_key, made.names)
    assert checks.refusal(*asked, receipt_sha256=published.receipt_sha256) is None
    file = out / Path(report.pieces[number].output).name
    data = bytearray(file.read_bytes())
    file.write_bytes(data[:-1] if verify == "head" else data[:-1] + bytes([data[-1] ^ 1]))
    why = checks.refusal(*asked, receipt_sha256=published.receipt_sha256)
    assert why is not None
    assert file.name in why


@pytest.mark.parametrize("file", ["other.1.mp4", "../x.1.mp4", 7, None])
def test_a_receipt_that_names_another_file_is_none(library, done, file):
    _, report, out = done
    note = json.loads((out / Path(report.receipt).name).read_bytes())
    note["pieces"][1]["file"] = file
    (out / Path(report.receipt).name).write_text(json.dumps(note))
    (found,) = find(LocalStorage(out))
    assert "not a receipt" in str(found.error)


def test_a_long_recording_is_several_files(library, copied, tmp_path):
    """Every unit is in one file, once, and they have one clock."""
    made = copied(r.AV_B)
    report = r.convert(made.folder, tmp_path / "out", library.ffmpeg, max_length=9.0)
    assert report.verdict is Verdict.OK, r.said(report)
    assert report.lost_seconds == {"video": 0, "audio": 0}
    assert [piece.begin for piece in report.pieces] == pytest.approx([0, 8, 16], abs=0.2)
    assert [piece.duration for piece in report.pieces] == pytest.approx([8, 8, 4], abs=0.2)
    assert all(piece.proof.holds for piece in report.pieces)
    in_exactly_one(made.contents(), report, library.ffmpeg)
    times = [datetime.fromisoformat(piece.started) for piece in report.pieces]
    apart = [(time - times[0]).total_seconds() for time in times]
    assert apart == pytest.approx([piece.begin for piece in report.pieces], abs=0.1)
    told = json.loads(Path(report.receipt).read_text())
    assert [one["file"] for one in told["pieces"]] == [
        f"{report.recording}.{n}.mp4" for n in (1, 2, 3)
    ]
    assert [one["started"] for one in told["pieces"]] == [p.started for p in report.pieces]
    assert told["settings"]["max_length"] == "9"
    again = r.convert(made.folder, tmp_path / "out", library.ffmpeg, max_length=9.0)
    assert (again.made, again.pieces) == (False, report.pieces)


def test_pictures_that_pause_for_longer_than_a_sample_may_last(library, copied, tmp_path):
    """An MP4 cannot hold such a sample: the files end and begin there, and lack no more."""
    made = copied(r.AV_B)
    pause = 7 * 3600 * r.HZ
    r.shift(made, pause, since=2)
    playlist = made.playlist.read_text()
    for name in made.names[2:]:
        (made.folder / name).rename(made.folder / delayed(name, pause))
        playlist = playlist.replace(name, delayed(name, pause))
    made.playlist.write_text(playlist)
    report = r.convert(made.folder, tmp_path / "out", library.ffmpeg)
    assert report.verdict is Verdict.DEGRADED, r.said(report)
    assert report.lost_seconds == pytest.approx({"video": 25200, "audio": 25200}, abs=0.1)
    assert [piece.begin for piece in report.pieces] == pytest.approx([0, 25208], abs=0.2)
    assert [piece.duration for piece in report.pieces] == pytest.approx([8, 12], abs=0.2)
    assert all(piece.proof.holds for piece in report.pieces)


def test_what_is_lost_at_a_cut_counts_once(library, copied, tmp_path):
    made = copied(r.AV_B)
    (made.folder / made.names[2]).unlink()
    whole = r.convert(made.folder, tmp_path / "whole", library.ffmpeg)
    report = r.convert(made.folder, tmp_path / "out", library.ffmpeg, max_length=8.5)
    assert len(report.pieces) == 2, r.said(report)
    assert report.verdict is Verdict.DEGRADED
    assert report.lost_seconds == pytest.approx(whole.lost_seconds, abs=0.05)
