"""Captions come back from the MP4 at the times at which they were said."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.choices import Format, OnChange, OnLoss
from pipeline.errors import NotFoundError, UsageError
from pipeline.jobs.options import options
from pipeline.model import Report, Severity, Verdict
from pipeline.muxing.locate import Ffmpeg
from tests import recordings as r

TASK = "0123456789abcdef0123456789abcdef"
SAID = ((1.0, 2.5, "one & <two>"), (5.25, 7.0, "three"), (18.0, 30.0, "ümlaut"))
CUE = re.compile(r"(?:(\d+):)?(\d\d):(\d\d\.\d{3}) --> (?:(\d+):)?(\d\d):(\d\d\.\d{3})\n(.*)")


def vtt(*cues: tuple[float, float, str], zero: float = r.EPOCH, head: str = "") -> str:
    lines = [f"WEBVTT{head}\n"]
    for begin, end, text in cues:
        shown = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        lines.append(f"{clock(zero + begin)} --> {clock(zero + end)}\n{shown}\n")
    return "\n".join(lines)


def clock(seconds: float) -> str:
    whole = round(seconds * 1000)
    return f"{whole // 3_600_000:02}:{whole // 60_000 % 60:02}:{whole % 60_000 / 1000:06.3f}"


def shown(path: str | None, ffmpeg: Ffmpeg) -> list[tuple[float, float, str]]:
    """What ffmpeg says is shown."""
    argv = [str(ffmpeg.ffmpeg), "-v", "error", "-i", str(path), "-map", "0:s", "-f", "webvtt", "-"]
    told = subprocess.run(argv, capture_output=True, check=True, env=ffmpeg.env).stdout.decode()
    return [(seconds(*cue[:3]), seconds(*cue[3:6]), cue[6]) for cue in CUE.findall(told)]


def seconds(hours: str, minutes: str, rest: str) -> float:
    return int(hours or 0) * 3600 + int(minutes) * 60 + float(rest)


def near(found: list[tuple[float, float, str]], wanted: list[tuple[float, float, str]]) -> bool:
    """To 40 ms."""
    return len(found) == len(wanted) and all(
        abs(a[0] - b[0]) <= 0.04 and abs(a[1] - b[1]) <= 0.04 and a[2] == b[2]
        for a, b in zip(found, wanted, strict=True)
    )


@pytest.fixture
def recorded(library: r.Library, tmp_path: Path) -> r.Recording:
    """A recording of 20 s in slices of 4 s."""
    return library[r.AV_B].copy(tmp_path / "recording")


@pytest.fixture
def beside(recorded: r.Recording) -> Callable[..., None]:
    """Lay captions beside it."""

    def lay(text: str, name: str = f"{TASK}_{r.CNAME}.vtt") -> None:
        (recorded.folder / name).write_text(text, encoding="utf-8")

    return lay


def findings(report: Report) -> list[tuple[str, str]]:
    return [(f.id, f.detail) for f in report.findings if "CAPTIONS" in f.id]


def test_captions_are_shown_when_they_were_said(recorded, beside, out, ffmpeg):
    plain = r.convert(recorded.folder, out / "plain", ffmpeg)
    beside(vtt(*SAID, head="\nLanguage: de-DE"))
    report = r.convert(recorded.folder, out, ffmpeg)
    assert (report.verdict, report.tracks, report.proof) == (
        Verdict.OK,
        plain.tracks,
        plain.proof,
    )
    assert near(shown(report.output, ffmpeg), [*SAID[:2], (18.0, report.duration, "ümlaut")])
    told = "3 cues, placed by the times of day in their cues"
    assert findings(report) == [("CAPTIONS", f"{TASK}_{r.CNAME} (de-DE): {told}")]
    receipt = json.loads((out / f"{report.recording}.receipt.json").read_text())
    (track,) = receipt["captions"]
    assert (track["language"], track["cues"]) == ("de-DE", 3)
    assert [file["key"] for file in track["files"]] == [f"{TASK}_{r.CNAME}.vtt"]
    assert len(track["files"][0]["sha256"]) == 64
    assert not any(one["key"].endswith(".vtt") for one in receipt["inputs"])
    assert "CAPTIONS" in receipt["muxer"]["command"]
    assert [*out.rglob("*.part")] == []
    again = r.convert(recorded.folder, out, ffmpeg)
    assert (again.made, again.captions, again.sha256) == (False, report.captions, report.sha256)


def test_captions_may_be_on_the_clock_of_the_slices(recorded, beside, out, ffmpeg):
    """As RFC 8216 section 3.5 has it; the first stamp is that by ffprobe."""
    first = min(recorded.folder.glob("*.ts"))
    entries = ("-show_entries", "packet=pts", "-of", "csv=p=0")
    argv = [str(ffmpeg.ffprobe), "-v", "error", *entries, str(first)]
    told = subprocess.run(argv, capture_output=True, check=True, text=True, env=ffmpeg.env)
    stamp = min(int(line.split(",")[0]) for line in told.stdout.split())
    beside(vtt(*SAID, zero=60.0, head=f"\nX-TIMESTAMP-MAP=LOCAL:00:01:00.000,MPEGTS:{stamp}"))
    report = r.convert(recorded.folder, out, ffmpeg)
    assert "placed by the stamps in X-TIMESTAMP-MAP" in findings(report)[0][1]
    assert near(shown(report.output, ffmpeg), [*SAID[:2], (18.0, report.duration, "ümlaut")])


def test_the_track_says_its_language(recorded, beside, out, ffmpeg):
    beside(vtt(*SAID), f"{TASK}_{r.CNAME}_fr-FR.vtt")
    report = r.convert(recorded.folder, out, ffmpeg)
    entries = ("-show_entries", "stream=codec_name:stream_tags=language", "-of", "csv=p=0")
    argv = [str(ffmpeg.ffprobe), "-v", "error", *entries, str(report.output)]
    told = subprocess.run(argv, capture_output=True, check=True, text=True, env=ffmpeg.env)
    assert told.stdout.split()[-1] == "mov_text,fra"


@pytest.mark.parametrize(
    ("on_loss", "wanted"),
    [
        pytest.param(OnLoss.HOLD, [(1, 2.5), (5.25, 7), (18, 20.03)], id="held"),
        pytest.param(OnLoss.FILL, [(1, 2.5), (5.25, 7), (18, 20.03)], id="filled"),
        pytest.param(OnLoss.CLOSE, [(1, 2.5), (14, 16.03)], id="closed"),
    ],
)
@pytest.mark.parametrize("zero", [r.EPOCH, 0.0], ids=["times of day", "from the beginning"])
def test_a_hole_moves_captions_as_it_moves_media(
    recorded, beside, out, ffmpeg, on_loss, wanted, zero
):
    recorded.path(1).unlink()
    beside(vtt(*SAID, zero=zero))
    report = r.convert(recorded.folder, out, ffmpeg, on_loss=on_loss)
    assert report.verdict is Verdict.DEGRADED
    found = [(a, b) for a, b, _ in shown(report.output, ffmpeg)]
    assert found == [pytest.approx(pair, abs=0.04) for pair in wanted]


def test_each_file_of_a_long_recording_has_its_own(recorded, beside, out, ffmpeg):
    beside(vtt(*SAID))
    report = r.convert(recorded.folder, out, ffmpeg, max_length=9.0)
    first, *_, last = report.pieces
    assert near(shown(first.output, ffmpeg), list(SAID[:2]))
    begin = SAID[2][0] - last.begin
    assert near(shown(last.output, ffmpeg), [(begin, last.duration, "ümlaut")])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param(
            "<html>404</html>",
            f"{TASK}_{r.CNAME}.vtt: its first line is not WEBVTT",
            id="no captions",
        ),
        pytest.param(vtt(*SAID, zero=r.EPOCH - 5e6), "no cue is of the time", id="another day"),
        pytest.param("WEBVTT\n\n00:02.000 --> 00:01.000\nx\n", "1 cue without", id="a cue"),
    ],
)
def test_bad_captions_change_nothing(recorded, beside, out, ffmpeg, text, why):
    before = r.convert(recorded.folder, out / "before", ffmpeg)
    beside(text)
    report = r.convert(recorded.folder, out, ffmpeg)
    assert (report.verdict, report.sha256) == (Verdict.OK, before.sha256)
    (said, *_) = [f for f in report.findings if f.id == "CAPTIONS_UNUSED"]
    assert said.severity is Severity.WARNING
    assert why in said.detail
    assert said.detail.count(TASK) == 1
    assert r.convert(recorded.folder, out, ffmpeg).made is False


def test_captions_that_come_later_are_put_in(recorded, beside, out, ffmpeg):
    assert r.convert(recorded.folder, out, ffmpeg).captions == ()
    beside(vtt(*SAID))
    report = r.convert(recorded.folder, out, ffmpeg)
    assert (report.made, report.captions[0].cues) == (True, 3)


def test_captions_can_be_left_out_or_named(recorded, beside, out, ffmpeg, tmp_path):
    beside(vtt(*SAID))
    off = r.convert(recorded.folder, out / "off", ffmpeg, captions="off")
    assert (off.captions, findings(off)) == ((), [])
    other = tmp_path / "else" / "other.vtt"
    other.parent.mkdir()
    other.write_text(vtt((2.0, 3.0, "named"), zero=0.0))
    named = r.convert(recorded.folder, out / "named", ffmpeg, captions=str(other))
    assert near(shown(named.output, ffmpeg), [(2.0, 3.0, "named")])
    with pytest.raises(NotFoundError):
        r.convert(recorded.folder, out, ffmpeg, captions=str(tmp_path / "none.vtt"))


def test_other_formats_have_none(recorded, beside, out, ffmpeg):
    beside(vtt(*SAID))
    report = r.convert(recorded.folder, out, ffmpeg, format=Format.M4A)
    assert (report.verdict, report.captions) == (Verdict.OK, ())
    with pytest.raises(UsageError, match="m4a has no subtitle track"):
        options(captions="a.vtt", format="m4a")


def test_check_says_the_same(recorded, beside, out, ffmpeg):
    beside(vtt(*SAID))
    made = r.convert(recorded.folder, out, ffmpeg, on_change=OnChange.SPLIT)
    checked = r.check(recorded.folder)
    assert findings(checked) == findings(made)
    assert checked.captions == made.captions != ()


def test_the_ntp_stamp_is_believed_more_than_names(recorded, beside, out, ffmpeg):
    """The recorder's clock is 3 s slow, that of TRACK-EVENT and of the captions is right."""
    recorded.edit(
        lambda text: re.sub(r"TIME=\d+", lambda told: f"TIME={round((r.EPOCH + 3) * 1000)}", text)
    )
    assert "TRACK-EVENT" in recorded.text
    beside(vtt(*SAID[:2], zero=r.EPOCH + 3))
    report = r.convert(recorded.folder, out, ffmpeg)
    assert near(shown(report.output, ffmpeg), list(SAID[:2]))


def test_many_captions_at_once_are_bounded(recorded, beside, out, ffmpeg):
    beside(vtt(*((n / 100, 15.0, f"{n} " + "x" * 3000) for n in range(1000))))
    report = r.convert(recorded.folder, out, ffmpeg)
    assert report.verdict is Verdict.OK
    assert report.size is not None
    assert report.size < 8 << 20
