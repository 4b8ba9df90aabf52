"""What is in the pictures and the sound, told without a change of the verdict."""

import random
import subprocess
from pathlib import Path

import pytest

from pipeline.choices import Format, StreamTypes
from pipeline.model import Severity, Verdict
from tests import recordings as r

PICTURES = "testsrc2=s=320x180:r=15,noise=alls=24:allf=t"
BLACK = "color=black:s=320x180:r=15"
STILL = "testsrc2=s=320x180:r=15,trim=end_frame=1,loop=-1:1,setpts=N/15/TB"
SOUND = "anoisesrc=color=pink:amplitude=0.4:sample_rate=48000"
SILENCE = "anullsrc=r=48000:cl=mono"


@pytest.fixture(scope="session")
def shown(library, tmp_path_factory):
    """Recordings that show and say one thing for 12 s after the other."""
    made = {}

    def record(pictures, sound):
        if (pictures, sound) not in made:
            folder = tmp_path_factory.mktemp("shown")
            made[pictures, sound] = _record(library.ffmpeg, folder, pictures, sound)
        return made[pictures, sound]

    return record


def _record(ffmpeg, folder, pictures, sound):
    argv = [str(ffmpeg.ffmpeg), "-v", "error", "-y"]
    for source in (*pictures, *sound):
        argv += ["-f", "lavfi", "-t", "12", "-i", source]
    video = "".join(f"[{n}]" for n in range(len(pictures)))
    audio = "".join(f"[{len(pictures) + n}]" for n in range(len(sound)))
    graph = f"{video}concat=n={len(pictures)}:v=1:a=0[v];{audio}concat=n={len(sound)}:v=0:a=1[a]"
    argv += ["-filter_complex", graph, "-map", "[v]", "-map", "[a]", "-pix_fmt", "yuv420p"]
    argv += ["-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-b:v", "400k"]
    argv += ["-g", "60", "-threads:v", "1", "-c:a", "aac", "-ac", "1", "-b:a", "48k"]
    argv += ["-f", "hls", "-hls_time", "4", "-hls_list_size", "0", "index.m3u8"]
    subprocess.run(argv, cwd=folder, env=ffmpeg.env or None, check=True)
    text = (folder / "index.m3u8").read_text().splitlines()
    times = [float(line[8:].rstrip(",")) for line in text if line.startswith("#EXTINF")]
    files = [folder / line for line in text if line.endswith(".ts")]
    slices = [(t, f.read_bytes()) for t, f in zip(times, files, strict=True)]
    return r.publish(slices, folder / "recording")


def said(report):
    assert report.verdict is Verdict.OK, r.said(report)
    found = [f for f in report.findings if f.id in ("BLACK", "FROZEN", "SILENT")]
    assert {f.severity for f in found} <= {Severity.INFO}
    return {f.id: f.detail for f in found}


@pytest.mark.parametrize(
    ("pictures", "sound", "ids"),
    [
        pytest.param([PICTURES], [SOUND], [], id="live"),
        pytest.param([BLACK], [SOUND], ["BLACK"], id="black"),
        pytest.param([STILL], [SOUND], ["FROZEN"], id="frozen"),
        pytest.param([PICTURES], [SILENCE], ["SILENT"], id="silent"),
        pytest.param([BLACK], [SILENCE], ["BLACK", "SILENT"], id="nothing at all"),
    ],
)
def test_all_of_it(shown, library, tmp_path, pictures, sound, ids):
    made = shown(tuple(pictures), tuple(sound))
    report = r.convert(made.folder, tmp_path, library.ffmpeg)
    assert sorted(said(report)) == ids, r.said(report)
    checked = said(r.check(made.folder))
    assert sorted(checked) == sorted({"BLACK": "FROZEN"}.get(id, id) for id in ids)
    assert all("by the size of its units" in detail for detail in checked.values())


@pytest.mark.parametrize(
    ("odd", "id"), [(BLACK, "BLACK"), (STILL, "FROZEN")], ids=["black", "frozen"]
)
def test_a_part_of_it(shown, library, tmp_path, odd, id):
    made = shown((PICTURES, odd, PICTURES), (SOUND, SOUND, SILENCE))
    details = said(r.convert(made.folder, tmp_path, library.ffmpeg))
    assert sorted(details) == [id, "SILENT"]
    for name, (begin, end) in ((id, (12, 24)), ("SILENT", (24, 36))):
        told = [float(word) for word in details[name].split(": ")[1].split(" to ")]
        assert told == pytest.approx([begin, end], abs=0.7)


def test_a_format_that_is_not_decoded(shown, library, tmp_path):
    made = shown((BLACK,), (SILENCE,))
    report = r.convert(made.folder, tmp_path, library.ffmpeg, format=Format.TS)
    assert sorted(said(report)) == ["FROZEN", "SILENT"]


# --- what was to be recorded -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "expected", "id"),
    [
        (r.AV, StreamTypes.BOTH, None),
        (r.AV, StreamTypes.AUDIO, None),
        (r.AUDIO, StreamTypes.BOTH, "EXPECT_VIDEO"),
        (r.AUDIO, StreamTypes.VIDEO, "EXPECT_VIDEO"),
        (r.AUDIO, StreamTypes.AUDIO, None),
        (r.VIDEO, StreamTypes.BOTH, "EXPECT_AUDIO"),
        (r.VIDEO, StreamTypes.VIDEO, None),
        (r.VIDEO, None, None),
    ],
)
def test_what_was_to_be_recorded(library, tmp_path, kind, expected, id):
    made = library[kind]
    for report in (
        r.check(made.folder, stream_types=expected),
        r.convert(made.folder, tmp_path, library.ffmpeg, stream_types=expected),
    ):
        assert report.verdict is (Verdict.DEGRADED if id else Verdict.OK), r.said(report)
        assert [f.id for f in r.loud(report)] == ([id] if id else [])


def test_another_expectation_is_another_question(library, tmp_path):
    made = library[r.AUDIO]
    assert r.convert(made.folder, tmp_path, library.ffmpeg).verdict is Verdict.OK
    report = r.convert(made.folder, tmp_path, library.ffmpeg, stream_types=StreamTypes.BOTH)
    assert report.verdict is Verdict.DEGRADED


# --- deep --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [r.AV_B, r.AUDIO, r.VFR])
def test_deep_has_nothing_to_say_of_what_is_sound(library, tmp_path, kind):
    report = r.convert(library[kind].folder, tmp_path, library.ffmpeg, deep=True)
    assert report.verdict is Verdict.OK, r.said(report)


def test_deep_sees_flipped_bits(library, tmp_path):
    """Which no rule about packets can see."""
    made = library[r.AV].copy(tmp_path / "recording")
    data, dice = bytearray(made.data(2)), random.Random(1)
    pid = r.stream_pids(bytes(data))["video"]
    inside = [
        at
        for at in range(0, len(data), r.PACKET)
        if r.pid_of(data[at : at + r.PACKET]) == pid
        and data[at + 3] & 0x30 == 0x10
        and not data[at + 1] & 0x40
    ]
    for at in dice.sample(inside, 20):
        data[at + 4 + dice.randrange(180)] ^= 0x55
    made.write(2, bytes(data))
    plain = r.convert(made.folder, tmp_path / "plain", library.ffmpeg)
    deep = r.convert(made.folder, tmp_path / "deep", library.ffmpeg, deep=True)
    assert plain.verdict in (Verdict.OK, Verdict.DEGRADED)
    assert deep.verdict is Verdict.DEGRADED
    (found,) = [f for f in deep.findings if f.id == "DECODE" and "complains" in f.detail]
    assert found.severity is Severity.ERROR
    assert Path(deep.output).exists()
