"""``recpipe report``, and ``--report`` of convert and watch."""

import json
import re
import shutil

import pytest

import pipeline
from pipeline.report.facts import facts
from pipeline.report.lanes import Cause
from tests.cli.conftest import COMPOSITE, names, segments

pytestmark = pytest.mark.usefixtures("ffmpeg")
PAGE = f"{COMPOSITE}.html"


def read(path) -> str:
    return path.read_text(encoding="utf-8")


def test_a_page_beside_each_result(recpipe, composite, out):
    segments(composite)[2].unlink()
    ended = recpipe("convert", composite, "-o", out, "--report", "--json")
    assert (ended.code, ended.line["page"]) == (3, str(out / PAGE))
    assert names(out) == [PAGE, f"{COMPOSITE}.mp4", f"{COMPOSITE}.receipt.json"]
    text = read(out / PAGE)
    assert "Of 1 min, " in text
    assert f'src="./{COMPOSITE}.mp4"' in text
    assert "data:image/jpeg;base64," in text
    assert 'class="wave"' in text


def test_nobody_gets_a_page_who_did_not_ask(recpipe, composite, out):
    assert recpipe("convert", composite, "-o", out, "--json").line["page"] is None
    assert PAGE not in names(out)


def test_running_again_makes_the_page_that_is_not_there_and_no_other(recpipe, composite, out):
    recpipe("convert", composite, "-o", out)
    assert "page" in recpipe("convert", composite, "-o", out, "--report").out
    before = (out / PAGE).stat().st_mtime_ns
    assert recpipe("convert", composite, "-o", out, "--report", "--json").line["page"]
    assert (out / PAGE).stat().st_mtime_ns == before
    recpipe("convert", composite, "-o", out, "--report", "--force")
    assert (out / PAGE).stat().st_mtime_ns > before


def test_what_is_rejected_has_a_page_that_says_why(recpipe, composite, out):
    for segment in segments(composite):
        segment.write_bytes(b"<html>not here</html>")
    ended = recpipe("convert", composite, "-o", out, "--report", "--json")
    assert (ended.code, ended.line["output"], ended.line["page"]) == (4, None, str(out / PAGE))
    assert names(out) == [PAGE]
    assert "Nothing was made" in read(out / PAGE)


def test_a_page_of_an_older_result_stays_when_its_source_is_rejected(recpipe, composite, out):
    recpipe("convert", composite, "-o", out, "--report")
    before = read(out / PAGE)
    for segment in segments(composite):
        segment.write_bytes(b"<html>not here</html>")
    assert recpipe("convert", composite, "-o", out, "--report", "--force").code == 4
    assert read(out / PAGE) == before


def test_watch_writes_pages_too(recpipe, composite, out, tmp_path):
    ledger = f"sqlite:///{tmp_path}/ledger.db"
    given = ("--to", out, "--once", "--settle", "0s", "--ledger", ledger, "--report")
    assert recpipe("watch", composite, *given).code == 0
    assert PAGE in names(out)
    ended = recpipe("report", COMPOSITE[:8], "-o", "x.html", "--ledger", ledger, "--no-media")
    assert ended.code == 0
    assert "Complete" in read(tmp_path / "here" / "x.html")


def test_one_page_of_a_result(recpipe, composite, out, tmp_path):
    recpipe("convert", composite, "-o", out)
    ended = recpipe("report", out / f"{COMPOSITE}.mp4", "-o", tmp_path / "x.html")
    assert (ended.code, ended.out) == (0, f"{tmp_path}/x.html\n")
    assert f'src="./out/{COMPOSITE}.mp4"' in read(tmp_path / "x.html")


def test_pages_of_many_and_a_list_of_them(recpipe, samples, out):
    recpipe("convert", samples, "-o", out)
    ended = recpipe("report", out, "-o", out, "--no-media")
    assert (ended.code, ended.out) == (0, f"{out}/index.html\n")
    results = [name for name in names(out) if name.endswith(".mp4")]
    pages = [name for name in names(out) if name.endswith(".html")]
    assert len(pages) == len(results) + 1 == 4
    assert read(out / "index.html").count("data-verdict=") == len(results)


def test_a_recording_that_nobody_converted_is_checked(recpipe, composite, tmp_path):
    segments(composite)[1].unlink()
    ended = recpipe("report", composite, "-o", tmp_path / "x.html", "--json")
    assert (ended.code, ended.line["verdict"]) == (0, "degraded")
    assert "None: nothing was made." in read(tmp_path / "x.html")


def test_a_receipt_that_is_none_stops_no_other(recpipe, composite, out, tmp_path):
    recpipe("convert", composite, "-o", out)
    (out / "x.receipt.json").write_text("{}")
    note = json.loads(read(out / f"{COMPOSITE}.receipt.json"))
    note["holes"] = [{"kind": "video", "start": "<script>", "length": 1, "segment": "x"}]
    shutil.copy(out / f"{COMPOSITE}.mp4", out / "y.mp4")
    note["output"]["file"] = "y.mp4"
    (out / "y.receipt.json").write_text(json.dumps(note))
    ended = recpipe("report", out, "-o", tmp_path / "pages", "--no-media")
    assert ended.code == 2
    assert ended.err.count("not a receipt of this tool") == 1
    assert ended.err.count("not as this tool writes it") == 1
    assert names(tmp_path / "pages") == [PAGE, "index.html"]


@pytest.mark.parametrize(
    ("source", "to", "why"),
    [
        ("nobody", "x.html", "nobody: no such file, and there is no ledger that could know it"),
        ("/nowhere/x.mp4", "x.html", "/nowhere"),
        ("nobody", "x.mp4", "expected a folder, or a name that ends in .html"),
    ],
)
def test_what_cannot_be_said(recpipe, source, to, why):
    ended = recpipe("report", source, "-o", to)
    assert ended.code == 2
    assert why in ended.err


def spans(page: str) -> list[tuple[str, str, float, float]]:
    """Lane, cause, begin and width (percent) of all that is hatched on the bar of a page."""
    bar = page[page.index('<div class="plot bar">') : page.index('<ul class="legend"')]
    found = []
    for kind, drawing in re.findall(r'<svg class="lane (\w+)".*?>(.*?)</svg>', bar):
        for tag in re.findall(r"<rect[^>]*data-cause[^>]*>", drawing):
            given = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
            assert given["fill"] == f"url(#hatch-{given['data-cause']})"
            place = (float(given["x"].rstrip("%")), float(given["width"].rstrip("%")))
            found.append((kind, given["data-cause"], *place))
    return sorted(found)


def test_three_faults_are_where_they_are_in_the_right_hatch(recpipe, out, tmp_path):
    """Of 100 s in slices of 5: one is gone, in one nobody spoke, one has larger pictures."""
    faults = ("missing_file:4", "audio_pauses:10", "resolution_change:16")
    given = [word for fault in faults for word in ("--fault", fault)]
    made = ("--duration", "100s", "--segments", "5s", "--size", "320x180", *given)
    assert recpipe("simulate", "recording", "-o", tmp_path / "rec", *made, "--quiet").code == 0
    recpipe("convert", tmp_path / "rec", "-o", out, "--report")
    (page,) = out.glob("*.html")
    found, expected = (
        spans(read(page)),
        [
            ("audio", "absent", 50.0, 5.0),
            ("audio", "kept", 20.0, 5.0),
            ("video", "kept", 20.0, 5.0),
            ("video", "reencoded", 80.0, 5.0),
        ],
    )
    assert [one[:2] for one in found] == [one[:2] for one in expected]
    for one, where in zip(found, expected, strict=True):
        assert one[2:] == pytest.approx(where[2:], abs=1.0)


def test_a_file_of_somebody_else_is_not_replaced(recpipe, composite, out):
    out.mkdir()
    (out / PAGE).write_text("<h1>mine</h1>")
    ended = recpipe("convert", composite, "-o", out, "--report")
    assert ended.code == 2
    assert "is no page of this tool" in ended.err
    assert read(out / PAGE) == "<h1>mine</h1>"
    assert recpipe("convert", composite, "-o", out).code == 0


@pytest.mark.parametrize(
    "fault",
    [
        *("missing_file:0", "missing_file:2", "missing_file:5", "trunc_at_pes:2", "head_cut:2"),
        *("gap_7s:2", "lost_5_packets:2", "sound_garbage:2", "audio_missing_one_seg:2"),
        *("audio_pauses:2", "late_audio_pmt_ok:2", "video_ends_early:2", "ts_reset:plain", "vfr"),
    ],
)
def test_the_bar_shows_as_many_seconds_as_were_lost(recpipe, tmp_path, fault):
    made = ("--duration", "36s", "--segments", "6s", "--size", "160x90", "--fault", fault)
    assert recpipe("simulate", "recording", "-o", tmp_path / "rec", *made, "--quiet").code == 0
    (report,) = pipeline.check(tmp_path / "rec")
    for lane in facts(report).lanes:
        lost = [s for s in lane.spans if s.cause in (Cause.KEPT, Cause.FILLED, Cause.LOST)]
        seconds = sum(span.end - span.begin for span in lost)
        assert seconds == pytest.approx(report.lost_seconds[lane.kind], abs=0.15)
        assert bool(lost) == bool(report.lost_seconds[lane.kind])
