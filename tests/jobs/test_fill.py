"""Holes: what the file says of them, and what goes into them with ``--on-loss fill``.

The truth is computed from the intact slices; the MP4 is read and decoded by ffmpeg.
"""

import json
import re
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec.structs import replace

from pipeline.choices import Format, OnLoss
from pipeline.media.isobmff import sample_tables as mp4
from pipeline.media.loss.chapters import Marks, marks
from pipeline.media.proof import compare as proof
from pipeline.media.timeline.wall_clock import WallClock
from pipeline.model import Severity, Verdict
from tests import recordings as r

CUT = 100_001  # bytes of a slice that are left


@pytest.fixture
def converted(library, tmp_path):
    def convert(made, on_loss=OnLoss.FILL, **chosen):
        out = tmp_path / "out"
        return r.convert(made.folder, out, library.ffmpeg, on_loss=on_loss, **chosen)

    return convert


def probed(report, ffmpeg, *entries):
    argv = [str(ffmpeg.ffprobe), "-v", "error", "-of", "json", *entries, report.output]
    done = subprocess.run(argv, env=ffmpeg.env or None, capture_output=True, check=True)
    return json.loads(done.stdout)


def told(report, ffmpeg):
    """The chapters as (start, end, title), and the comment."""
    found = probed(report, ffmpeg, "-show_chapters", "-show_entries", "format_tags=comment")
    chapters = [
        (float(c["start_time"]), float(c["end_time"]), c["tags"]["title"])
        for c in found["chapters"]
    ]
    return chapters, found["format"].get("tags", {}).get("comment")


def decoded(report, ffmpeg, *filters):
    """What ffmpeg says when it decodes everything; any fault is fatal."""
    argv = [str(ffmpeg.ffmpeg), "-hide_banner", "-nostdin", "-v", "info", "-xerror"]
    argv += ["-err_detect", "explode", "-i", report.output, *filters, "-f", "null", "-"]
    done = subprocess.run(argv, env=ffmpeg.env or None, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stderr


def times(report, ffmpeg):
    """Sorted presentation times of every sample, by kind."""
    found = {"video": [], "audio": []}
    for sample in r.samples(Path(report.output), ffmpeg):
        if sample.kind in found:
            found[sample.kind].append(sample.pts)
    return {kind: sorted(of_kind) for kind, of_kind in found.items()}


def without(made, how, number):
    if how == "slice":
        return r.missing(made, number)
    if how == "cut":
        return r.cut(made, number, CUT)
    return r.without_pid(made, number, r.stream_pids(made.data(number))[how])


# --- what the file says -------------------------------------------------------------------------


def test_a_hole_is_a_chapter(copied, converted, library):
    made = copied()
    r.missing(made, 2)
    report = converted(made, OnLoss.HOLD)
    assert report.verdict is Verdict.DEGRADED
    chapters, comment = told(report, library.ffmpeg)
    assert [title for _, _, title in chapters] == [
        "recording, 2026-03-02 09:00:02 UTC",
        "lost 4.0 s: segment missing, 2026-03-02 09:00:10 UTC",
        "recording, 2026-03-02 09:00:14 UTC",
    ]
    (_, begin, _), (start, end, _), (again, _, _) = chapters
    assert begin == start == pytest.approx(8, abs=0.15)
    assert end == again == pytest.approx(12, abs=0.15)
    assert comment == (
        "recpipe: the source lost 4.000 s of video, 4.011 s of audio; "
        f"at {start:.3f} s lost 4.0 s: segment missing, 2026-03-02 09:00:10 UTC"
    )
    assert report.started.startswith("2026-03-02T09:00:02.")
    assert {h.utc[:19] for h in report.holes} == {"2026-03-02T09:00:10"}
    assert {(h.reason, h.became) for h in report.holes} == {("segment missing", "kept")}


@pytest.mark.parametrize(
    ("how", "title"),
    [
        ("cut", "lost 3.0 s: segment cut off"),
        ("audio", "lost 4.0 s of audio: stream missing"),
        ("video", "lost 4.0 s of video: stream missing"),
    ],
)
def test_the_title_says_why(copied, converted, library, how, title):
    made = copied()
    without(made, how, 2)
    chapters, _ = told(converted(made, OnLoss.HOLD), library.ffmpeg)
    (found,) = [one for _, _, one in chapters if not one.startswith("recording")]
    found, _, when = found.rpartition(", ")
    assert when.startswith("2026-03-02 09:00:1")
    seconds = re.compile(r"[0-9.]+ s")
    assert seconds.sub("", found) == seconds.sub("", title)


def test_a_closed_hole_is_a_chapter_as_well(copied, converted, library):
    made = copied()
    r.missing(made, 2)
    report = converted(made, OnLoss.CLOSE)
    chapters, _ = told(report, library.ffmpeg)
    assert [t for _, _, t in chapters] == [
        "recording, 2026-03-02 09:00:02 UTC",
        "lost 4.0 s: segment missing, closed, 2026-03-02 09:00:10 UTC",
    ]
    assert chapters[1][0] == pytest.approx(8, abs=0.15)
    assert {h.became for h in report.holes} == {"closed"}
    assert report.lost_seconds["video"] == pytest.approx(4, abs=0.1)


def test_what_is_missing_at_the_ends_is_in_the_comment(copied, converted, library):
    made = copied()
    r.missing(made, 0)
    report = converted(made, OnLoss.HOLD)
    chapters, comment = told(report, library.ffmpeg)
    assert chapters == []
    assert comment.startswith("recpipe: the source lost 4.")


def test_a_hole_that_only_the_units_show(copied, converted, library):
    """Sixteen packets of sound: no counter tells, the clock does."""
    made = copied()
    data = r.packets(made.data(2))
    pid = r.stream_pids(made.data(2))["audio"]
    mine = [k for k, p in enumerate(data) if r.pid_of(p) == pid]
    begin = next(n for n, k in enumerate(mine) if n > 10 and r.is_pes(data[k]))
    ends = [n for n, k in enumerate(mine) if r.is_pes(data[k])]
    run = next(((a, b) for a in ends for b in ends if a >= begin and b - a == 16), None)
    if run is None:
        pytest.skip("no PES end 16 packets apart in what this encoder made")
    r.dropped(made, 2, mine[run[0] : run[1]])
    report = converted(made, OnLoss.HOLD)
    assert report.verdict is Verdict.DEGRADED, r.said(report)
    chapters, _ = told(report, library.ffmpeg)
    assert len(chapters) == 3


def test_without_a_hole_nothing_is_said(copied, converted, library):
    report = converted(copied(), OnLoss.HOLD)
    assert told(report, library.ffmpeg) == ([], None)
    assert report.proof.filled == 0


def test_fill_makes_nothing_of_a_whole_recording(copied, converted, library, tmp_path):
    made = copied()
    held = converted(made, OnLoss.HOLD)
    again = r.convert(made.folder, tmp_path / "again", library.ffmpeg, on_loss=OnLoss.FILL)
    assert (again.verdict, again.sha256) == (Verdict.OK, held.sha256)


# --- what goes into them ------------------------------------------------------------------------

CASES = [
    *((kind, "slice") for kind in (r.AV_B, r.AUDIO, r.VIDEO, r.AV_44)),
    *((r.AV_B, how) for how in ("cut", "audio", "video")),
]


@pytest.mark.parametrize(("kind", "how"), CASES)
def test_a_hole_is_filled(copied, converted, library, kind, how):
    made = copied(kind)
    held = library.held(kind)
    gone = without(made, how, 2)
    left, lost = r.survivors(held, gone)
    report = converted(made)
    assert report.verdict is Verdict.DEGRADED, r.said(report)
    assert report.proof.holds, r.said(report)
    truth = r.seconds(lost, held)
    for of_kind, seconds in truth.items():
        assert report.lost_seconds[of_kind] == pytest.approx(seconds, abs=0.1), r.said(report)
    assert {h.became for h in report.holes} == {"filled"}
    # what the source held stands where it stood
    shifts = r.offsets(left, r.samples(Path(report.output), library.ffmpeg))
    every = [s for of_kind in shifts.values() for s in of_kind]
    assert max(every) - min(every) <= (2.5 if kind.rate == 48000 else 20)
    # and in between there is something all the time
    for of_kind, shown in times(report, library.ffmpeg).items():
        unit = 6000 if of_kind == "video" else 1024 * r.HZ / kind.rate
        gaps = [b - a for a, b in pairwise(shown)]
        assert max(gaps, default=0) < 2 * unit + 1, (of_kind, max(gaps))
    counted = sum(map(len, times(report, library.ffmpeg).values()))
    assert report.proof.filled == counted - len(every)
    if how != "cut":
        decoded(report, library.ffmpeg)


def test_it_is_black_and_silent(copied, converted, library):
    made = copied()
    r.missing(made, 2)
    report = converted(made)
    said = decoded(report, library.ffmpeg, "-vf", "blackdetect=d=1:pix_th=0.05")
    (black,) = re.findall(r"black_start:([0-9.]+) black_end:([0-9.]+)", said)
    assert [float(t) for t in black] == pytest.approx([8, 12], abs=0.15)
    said = decoded(report, library.ffmpeg, "-af", "silencedetect=n=-60dB:d=1")
    silent = re.findall(r"silence_(?:start|end): ([0-9.]+)", said)
    assert [float(t) for t in silent] == pytest.approx([8, 12], abs=0.15)


def test_filled_pictures_share_the_parameters_of_their_track(library, tmp_path):
    """Players that do not know avc3 play it."""
    tags = []
    for number, how in enumerate(("video", "audio")):
        made = library[r.AV].copy(tmp_path / f"{number}")
        without(made, how, 2)
        out = tmp_path / f"out{number}"
        report = r.convert(made.folder, out, library.ffmpeg, on_loss=OnLoss.FILL)
        found = probed(report, library.ffmpeg, "-show_entries", "stream=codec_tag_string")
        tags.append(found["streams"][0]["codec_tag_string"])
    assert tags == ["avc1", "avc1"]


def test_what_is_missing_inside_a_slice_is_silent_and_shows_the_last_picture(converted, copied):
    made = copied()
    r.dropped(made, 2, range(700, 900))
    report = converted(made)
    assert report.verdict is Verdict.DEGRADED
    became = {h.kind: h.became for h in report.holes}
    assert became == {"video": "kept", "audio": "filled"}
    silent = sum(h.length for h in report.holes if h.kind == "audio") * 48000 / 1024
    assert report.proof.filled == pytest.approx(silent, abs=1)


def test_a_long_hole(copied, converted, library):
    """Ten minutes of black and silence, made one at a time."""
    made = copied(r.AV)
    r.shift(made, 600 * r.HZ, since=2)
    later = {name: r.names.parse_slice_name(name).utc + 600 for name in made.names[2:]}
    renames = {n: r.names.slice_name(r.SID, r.CNAME, utc) for n, utc in later.items()}
    r.renamed(made, lambda name: renames.get(name, name))
    report = converted(made)
    assert report.proof.holds
    assert report.proof.filled == pytest.approx(600 * 15 + 600 * 48000 / 1024, abs=2)
    assert report.duration == pytest.approx(620, abs=0.2)
    assert {h.became for h in report.holes} == {"filled"}


@pytest.mark.parametrize("format", [Format.M4A, Format.TS, Format.AAC])
def test_other_formats(copied, converted, library, format):
    made = copied(r.AV)
    r.missing(made, 2)
    report = converted(made, format=format)
    assert report.verdict is Verdict.DEGRADED, r.said(report)
    assert report.proof.holds
    became = {Format.M4A: "filled"}.get(format, "kept")
    assert {h.became for h in report.holes} == {became}
    assert report.proof.filled == pytest.approx(4 * 48000 / 1024, abs=2)  # they are silent all


def test_chapters_are_compared(copied, converted, library):
    """Other titles, other times, one too few, none at all."""
    made = copied()
    r.missing(made, 2)
    report = converted(made, OnLoss.HOLD)
    data = Path(report.output).read_bytes()

    def read(offset, length):
        return data[offset : offset + length]

    moov = mp4.moov_span(read, len(data)).moov
    movie = mp4.parse_moov(read(moov.offset, moov.size))
    begins = [r.names.parse_slice_name(name).utc for name in made.names]
    clock = WallClock((0.0, 4.0, 12.0, 16.0), tuple(begins[:2] + begins[3:]))
    right = marks(report.holes, 20.032, report.lost_seconds, (), clock)
    one, two, three = right.chapters
    assert proof.chapters(movie, read, right) == []
    for wrong in (
        (),
        (one, two),
        (one, replace(two, title="lost 4.1 s"), three),
        (one, replace(two, start=two.start + 900), three),
    ):
        (finding,) = proof.chapters(movie, read, Marks(wrong))
        assert (finding.id, finding.severity) == ("M_CHAPTERS", Severity.FATAL)
