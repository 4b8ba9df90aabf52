"""Pictures of another size, rate or bit rate because it is asked for: an encode that says so."""

import json
import math
import subprocess
from itertools import pairwise

import pytest

from pipeline.choices import OnChange
from pipeline.errors import UsageError
from pipeline.jobs.options import options
from pipeline.model import Severity, Verdict
from tests import recordings as r


@pytest.fixture
def convert(copied, tmp_path, ffmpeg):
    """The same recording, converted as it is chosen, each time into another folder."""
    made, count = copied(r.AV_B), iter(range(9))

    def work(*, without=None, **chosen):
        if without is not None:
            made.path(without).unlink(missing_ok=True)
        return r.convert(made.folder, tmp_path / f"out{next(count)}", ffmpeg, **chosen)

    return work


@pytest.fixture
def pictures(ffmpeg):
    """Time (seconds) and size of every picture, and of every packet of sound, by ffprobe."""

    def probe(path):
        entries = "frame=media_type,pts_time,width,height"
        argv = [str(ffmpeg.ffprobe), "-v", "error", "-show_frames", "-show_entries", entries]
        done = subprocess.run([*argv, "-of", "json", path], capture_output=True, check=True)
        assert done.stderr == b""
        found = json.loads(done.stdout)["frames"]
        seen = [f for f in found if f["media_type"] == "video"]
        return (
            [round(float(f["pts_time"]) * 90_000) for f in seen],
            {(f["width"], f["height"]) for f in seen},
            [float(f["pts_time"]) for f in found if f["media_type"] == "audio"],
        )

    return probe


def by_request(report):
    (finding,) = (f for f in report.findings if f.id == "ENCODED")
    return finding.severity, finding.count, finding.detail


def test_another_size_keeps_every_picture_in_its_time(convert, pictures):
    plain = convert()
    asked = convert(picture_width=160, picture_height=120)
    times, sizes, sound = pictures(asked.output)
    before, was, heard = pictures(plain.output)
    assert (was, sizes) == ({(320, 180)}, {(160, 120)})
    assert len(times) == len(before)
    assert max(abs(a - b) for a, b in zip(times, before, strict=True)) <= 1
    assert sound == heard
    assert asked.verdict is Verdict.OK, r.said(asked)
    assert asked.proof.holds
    said = f"{len(times)} pictures re-encoded as h264 160x120, as was asked for"
    assert by_request(asked) == (Severity.INFO, len(times), said)
    assert {one.now for one in asked.reencoded} == {"h264 160x120"}
    assert sum(one.units for one in asked.reencoded) == len(times)
    assert asked.lost_seconds == {"video": 0.0, "audio": 0.0}


def test_fewer_pictures_each_where_one_was(convert, pictures):
    plain = convert()
    asked = convert(video_framerate=5)
    times, _, _ = pictures(asked.output)
    before, _, _ = pictures(plain.output)
    assert {min(abs(a - b) for b in before) <= 1 for a in times} == {True}
    assert len(times) == pytest.approx(plain.duration * 5, abs=2)
    steps = [b - a for a, b in pairwise(times)]
    assert min(steps) > 90_000 / 5 * 0.69
    assert asked.duration == pytest.approx(plain.duration, abs=0.2)
    assert (asked.verdict, asked.lost_seconds["video"]) == (Verdict.OK, 0.0), r.said(asked)


def test_a_bit_rate(convert):
    low = convert(video_bitrate=50)
    high = convert(video_bitrate=2000)
    assert low.proof.holds
    assert low.size < high.size
    assert "50 kbit/s" in by_request(low)[2]


def test_a_loss_stays_the_same_loss(convert):
    plain = convert(without=2)
    asked = convert(video_framerate=5, picture_width=160, picture_height=90)
    assert (plain.verdict, asked.verdict) == (Verdict.DEGRADED, Verdict.DEGRADED)
    for kind, lost in plain.lost_seconds.items():
        assert asked.lost_seconds[kind] == pytest.approx(lost, abs=0.2), r.said(asked)


def test_each_slice_begins_with_a_key_picture(convert):
    """So that it can be cut there."""
    report = convert(video_bitrate=100, max_length=9.0)
    assert len(report.pieces) > 1
    assert report.proof.holds


@pytest.mark.parametrize(
    ("chosen", "times"),
    [({}, 0), ({"picture_width": 160, "picture_height": 90}, 2), ({"video_bitrate": 50_000}, 2)],
)
def test_room_for_what_is_encoded_is_asked_for(copied, tmp_path, ffmpeg, chosen, times):
    """Beside the result: as it is encoded, and in its segments; at that bit rate, if one is."""

    class Asked(Exception):
        pass

    def admitted(needs, waiting):
        raise Asked(dict(needs))

    made, spool = copied(r.AV_B), tmp_path / "spool"
    with pytest.raises(Asked) as told:
        r.convert(made.folder, tmp_path / "out", ffmpeg, admitted=admitted, spool=spool, **chosen)
    size = sum(made.path(n).stat().st_size for n in range(len(made.names)))
    seconds = sum(length for _, length in made.entries)
    size = max(size, math.ceil(seconds * chosen.get("video_bitrate", 0) * 125))
    (needs,) = told.value.args
    assert needs == {tmp_path / "out": size} | ({spool: times * size} if times else {})


def test_a_failure_leaves_nothing_in_the_spool(copied, tmp_path, ffmpeg):
    made, spool = copied(r.AV_B), tmp_path / "spool"
    there = []

    def failing(stage, count):
        if stage == "convert":
            there.extend(path.name for path in spool.rglob("*.reencoded"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        r.convert(
            made.folder, tmp_path / "out", ffmpeg, progress=failing, spool=spool, video_bitrate=50
        )
    assert len(there) == len(made.names)
    assert [path for path in spool.rglob("*") if path.parent.name != "locks"] == [spool / "locks"]


@pytest.mark.parametrize(
    ("chosen", "why"),
    [
        ({"picture_width": 640}, "--width: give --width and --height together"),
        ({"picture_height": 640}, "--height: give --width and --height"),
        ({"picture_width": 641, "picture_height": 360}, "expected even numbers"),
        ({"picture_width": 4096, "picture_height": 4096}, "at most 9437184 pixels"),
        ({"video_framerate": 15, "format": "m4a"}, "--video-framerate: m4a holds no pictures"),
        ({"video_bitrate": 500, "on_change": "split"}, "--on-change split nothing is encoded"),
        ({"video_bitrate": 500, "on_change": "fail"}, "--on-change fail nothing is encoded"),
    ],
)
def test_what_cannot_be_asked(chosen, why, tmp_path):
    with pytest.raises(UsageError, match=why):
        options(tmp_path, **chosen)


@pytest.mark.parametrize(
    "chosen", [{"video_framerate": 0}, {"video_bitrate": 1.5}, {"picture_width": 8}]
)
def test_numbers_out_of_bounds(chosen, tmp_path):
    with pytest.raises(ValueError, match="expected a whole number from"):
        options(tmp_path, **chosen)


def test_receipts_remember_it(tmp_path):
    chosen = options(tmp_path, picture_width=640, picture_height=360, video_framerate=15)
    assert chosen.settings["picture_width"] == "640"
    assert chosen.settings["video_framerate"] == "15"
    assert "video_framerate" not in options(tmp_path, on_change=OnChange.SPLIT).settings
