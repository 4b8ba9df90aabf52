"""Recordings whose format changes on the way: the smaller part is re-encoded, the rest copied.

The truth is computed from the slices as they are; the MP4 is read by ffprobe and decoded by ffmpeg.
"""

import json
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec.structs import replace

from pipeline.choices import OnChange
from pipeline.model import Severity, Verdict
from tests import recordings as r

LARGE = replace(r.AV_B, size="640x360")
STEREO = replace(r.AV_B, channels=2)
H265 = replace(r.AV_B, codec="libx265")
MPEG = replace(r.AV_B, sound="mp2")
OTHERS = [
    pytest.param(LARGE, "video", "SPS_CHANGE", "h264 640x360", "h264 320x180", id="size"),
    pytest.param(
        replace(r.AV_B, rate=44100),
        "audio",
        "AAC_CHANGE",
        "aac 44100 Hz, 1 channels",
        "aac 48000 Hz, 1 channels",
        id="rate",
    ),
    pytest.param(
        STEREO,
        "audio",
        "AAC_CHANGE",
        "aac 48000 Hz, 2 channels",
        "aac 48000 Hz, 1 channels",
        id="channels",
    ),
    pytest.param(H265, "video", "SPS_CHANGE", "hevc 320x180", "h264 320x180", id="picture codec"),
    pytest.param(MPEG, "audio", "ES_CODEC", "mp2", "aac 48000 Hz, 1 channels", id="sound codec"),
]
WHERE = [
    pytest.param((0,), id="first"),
    pytest.param((2,), id="middle"),
    pytest.param((1, 2), id="two"),
    pytest.param((0, 3), id="apart"),
    pytest.param((4,), id="last"),
]


def decoded(report, ffmpeg):
    """Every frame: kind, time, and size of the picture or number of samples; nothing goes wrong."""
    entries = "frame=media_type,pts_time,width,height,nb_samples,channels"
    argv = [str(ffmpeg.ffprobe), "-v", "error", "-show_frames", "-show_entries", entries]
    done = subprocess.run(
        [*argv, "-of", "json", report.output],
        env=ffmpeg.env or None,
        capture_output=True,
        check=True,
    )
    assert done.stderr == b""
    return json.loads(done.stdout)["frames"]


def whole(library, report, numbers, kind):
    """Nothing is lost: all that was copied is where it was, the rest has the same times."""
    assert report.verdict is Verdict.REPAIRED, r.said(report)
    assert report.proof.holds
    assert report.lost_seconds == {"video": 0, "audio": 0}
    held = library.held(r.AV_B)
    copied = [u for u in held if u.kind != kind or not {n for n, _ in u.where} & {*numbers}]
    found = r.recorded(r.samples(Path(report.output), library.ffmpeg))
    shifts = r.offsets(copied, found)
    missing = len(copied) - sum(map(len, shifts.values()))
    assert missing <= 1 if kind == "video" else missing == 0  # the first holds all parameter sets
    every = [shift for of_kind in shifts.values() for shift in of_kind]
    assert max(every) - min(every) <= 20, r.said(report)
    frames = decoded(report, library.ffmpeg)
    pictures = [f for f in frames if f["media_type"] == "video"]
    assert len(pictures) == sum(u.kind == "video" for u in held)
    assert {(f["width"], f["height"]) for f in pictures} == {(320, 180)}
    for of_kind, usual in (("video", 1 / 15), ("audio", 1024 / 48000)):
        times = sorted(float(f["pts_time"]) for f in frames if f["media_type"] == of_kind)
        steps = [b - a for a, b in pairwise(times)]
        assert all(0 < step < 1.9 * usual for step in steps), (min(steps), max(steps))


@pytest.mark.parametrize(("other", "kind", "id", "was", "now"), OTHERS)
@pytest.mark.parametrize("numbers", [(2,), (0, 3)], ids=["middle", "first and another"])
def test_only_what_differs_is_encoded_again(
    library, changed, tmp_path, other, kind, id, was, now, numbers
):
    made = changed(other, numbers)
    report = r.convert(made.folder, tmp_path / "out", library.ffmpeg)
    whole(library, report, numbers, kind)
    assert [(one.kind, one.segment, one.was, one.now) for one in report.reencoded] == [
        (kind, made.names[n], was, now) for n in numbers
    ]
    assert [f.segment for f in report.findings if f.id == id] == [made.names[n] for n in numbers]
    said = json.loads(Path(report.receipt).read_text())["reencoded"]
    assert [one["segment"] for one in said] == [made.names[n] for n in numbers]
    checked = r.check(made.folder)
    assert checked.verdict is Verdict.REPAIRED, r.said(checked)
    assert checked.duration == pytest.approx(report.duration, abs=0.03)
    assert not list((tmp_path / "out" / "spool").rglob("*.reencoded"))


@pytest.mark.parametrize("numbers", WHERE)
def test_a_change_anywhere(library, changed, tmp_path, numbers):
    report = r.convert(changed(LARGE, numbers).folder, tmp_path / "out", library.ffmpeg)
    whole(library, report, numbers, "video")


def test_pictures_that_refer_to_another_format(library, changed, tmp_path):
    """Two pictures cannot be decoded, and the sound of the slice is shifted against the others: all
    that is whole comes out.
    """
    made = changed(replace(H265, open_gop=True), (2,))
    report = r.convert(made.folder, tmp_path / "out", library.ffmpeg)
    assert report.verdict is Verdict.DEGRADED, r.said(report)
    assert report.proof.holds
    assert [f.count for f in report.findings if f.id == "DECODE"] == [2]
    assert report.tracks[0].samples == 298
    assert 0.1 < max(report.lost_seconds.values()) < 0.3


def test_both_change(library, changed, tmp_path):
    both = replace(LARGE, rate=44100, channels=2)
    report = r.convert(changed(both, (1, 2)).folder, tmp_path / "out", library.ffmpeg)
    assert report.verdict is Verdict.REPAIRED, r.said(report)
    assert len(report.reencoded) == 4
    assert len(decoded(report, library.ffmpeg)) >= 300 + 936


def test_the_longer_part_stays(library, changed, tmp_path):
    report = r.convert(changed(LARGE, (0, 1, 2)).folder, tmp_path / "out", library.ffmpeg)
    assert report.verdict is Verdict.REPAIRED, r.said(report)
    assert [t.width for t in report.tracks] == [640, None]
    assert len(report.reencoded) == 2


def test_nothing_can_stay(library, changed, tmp_path):
    """Sound that MP4 has no place for is re-encoded from beginning to end."""
    report = r.convert(changed(MPEG, range(5)).folder, tmp_path / "out", library.ffmpeg)
    assert report.verdict is Verdict.REPAIRED, r.said(report)
    assert report.proof.holds
    assert [t.codec for t in report.tracks] == ["h264", "aac"]
    assert report.duration == pytest.approx(20, abs=0.1)
    assert len(report.reencoded) == 5
    times = sorted(
        float(f["pts_time"]) for f in decoded(report, library.ffmpeg) if f["media_type"] == "audio"
    )
    assert max(b - a for a, b in pairwise(times)) < 0.05


SHORT = replace(r.AV_B, slice=2)
WITHIN = [
    pytest.param(replace(SHORT, size="640x360"), "video", id="size"),
    pytest.param(replace(SHORT, rate=44100), "audio", id="rate"),
    pytest.param(replace(SHORT, channels=2), "audio", id="channels"),
]


@pytest.fixture
def within(library, tmp_path):
    """Slices of four seconds; inside the second one another format begins, for two seconds."""

    def merge(other, numbers=(3,)):
        datas = [library[other if n in numbers else SHORT].data(n) for n in range(10)]
        both = [r.recounted(a + b) for a, b in zip(datas[::2], datas[1::2], strict=True)]
        return r.publish([(4.0, data) for data in both], tmp_path / "recording")

    return merge


@pytest.mark.parametrize(("other", "kind"), WITHIN)
@pytest.mark.parametrize("numbers", [(3,), (2,), (3, 4)], ids=["end", "begin", "both sides"])
def test_a_change_inside_a_slice(library, within, tmp_path, other, kind, numbers):
    made = within(other, numbers)
    report = r.convert(made.folder, tmp_path / "out", library.ffmpeg)
    assert report.verdict is Verdict.REPAIRED, r.said(report)
    assert report.proof.holds
    assert report.lost_seconds == {"video": 0, "audio": 0}
    assert {one.kind for one in report.reencoded} == {kind}
    assert sum(one.seconds for one in report.reencoded) == pytest.approx(
        2 * len(numbers), abs=0.1 * len(numbers)
    )
    names = [made.names[n // 2] for n in numbers]
    assert [one.segment.partition("@")[0] for one in report.reencoded] == names
    frames = decoded(report, library.ffmpeg)
    pictures = [f for f in frames if f["media_type"] == "video"]
    assert len(pictures) == 300
    assert {(f["width"], f["height"]) for f in pictures} == {(320, 180)}
    for of_kind, usual in (("video", 1 / 15), ("audio", 1024 / 48000)):
        times = sorted(float(f["pts_time"]) for f in frames if f["media_type"] == of_kind)
        assert all(0 < b - a < 1.9 * usual for a, b in pairwise(times))
    checked = r.check(made.folder)
    assert checked.verdict is Verdict.REPAIRED, r.said(checked)
    assert [f.id for f in checked.findings] == [f.id for f in report.findings]


def test_fail_makes_nothing(library, changed, tmp_path):
    made = changed(LARGE, (2,))
    chosen = {"on_change": OnChange.FAIL}
    report = r.convert(made.folder, tmp_path / "out", library.ffmpeg, **chosen)
    assert report.verdict is Verdict.REJECTED
    assert [f.id for f in report.findings if f.severity is Severity.FATAL] == ["SPS_CHANGE"]
    assert r.check(made.folder, **chosen).verdict is Verdict.REJECTED


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_slice_missing_beside_a_change(library, changed, tmp_path, number):
    """What is lost is told as ever."""
    made = changed(LARGE, {1, 2, 3} - {number})
    made.path(number).unlink()
    report = r.convert(made.folder, tmp_path / "out", library.ffmpeg)
    assert report.verdict is Verdict.DEGRADED, r.said(report)
    assert report.proof.holds
    for kind in ("video", "audio"):
        assert report.lost_seconds[kind] == pytest.approx(4, abs=0.1), r.said(report)


@pytest.mark.parametrize("other", [LARGE, STEREO], ids=["pictures", "sound"])
@pytest.mark.parametrize("first", [40, 300])
def test_damage_inside_what_is_encoded_again(library, changed, tmp_path, other, first):
    made = changed(other, (2,))
    packets = r.packets(made.data(2))
    made.write(2, b"".join(packets[:first] + packets[first + 60 :]))
    report = r.convert(made.folder, tmp_path / "out", library.ffmpeg)
    assert report.verdict is Verdict.DEGRADED, r.said(report)
    assert report.proof.holds
    assert "CC" in {f.id for f in report.findings}


def test_pictures_that_cannot_be_decoded_are_lost(library, changed, tmp_path):
    """Every NAL unit of the changed slice is noise."""
    made = changed(LARGE, (2,))
    out = []
    for packet in r.packets(made.data(2)):
        at = r.payload_at(packet)
        if r.pid_of(packet) == 0x100 and not r.is_pes(packet) and at < 100:
            packet = packet[:100] + bytes(b ^ 0x5A for b in packet[100:])
        out.append(packet)
    made.write(2, b"".join(out))
    report = r.convert(made.folder, tmp_path / "out", library.ffmpeg)
    assert report.verdict in (Verdict.DEGRADED, Verdict.REPAIRED, Verdict.REJECTED)
    if report.verdict is Verdict.REPAIRED:  # decoders show what they can
        assert sum(one.units for one in report.reencoded) == 60
