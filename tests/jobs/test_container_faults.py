"""Damage to recordings of WebM and fragmented MP4: never passed over, never made up, counted right.

``RECPIPE_TEST_ROUNDS`` random cuts of each recording.
"""

import os
import random
import re
import shutil
import struct
import subprocess

import pytest

from pipeline.media.isobmff.fragments import read
from pipeline.model import Verdict
from tests import recordings as r
from tests.jobs.test_containers import Made

ROUNDS = int(os.environ.get("RECPIPE_TEST_ROUNDS", "2"))
SECONDS = 8
RATE = 15
VP9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8")
OPUS = ("-c:a", "libopus", "-b:a", "64k")
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-pix_fmt", "yuv420p")
AAC = ("-c:a", "aac", "-b:a", "64k")
LENGTH = {"opus": 0.02, "aac": 1024 / 48000, "vp9": 1 / RATE, "h264": 1 / RATE}
WEBM = ("-f", "segment", "-segment_time", "2", "-segment_list", "index.m3u8")
FMP4 = ("-f", "hls", "-hls_time", "2", "-hls_list_size", "0", "-hls_segment_type", "fmp4")
KINDS = {
    "WebM": (*VP9, *OPUS, *WEBM, "-segment_format", "webm", "s%d.webm"),
    # with B-frames this muxer's EXTINF of the first slice is too long by their delay
    "Matroska": (*H264, "-bf", "0", *AAC, *WEBM, "-segment_format", "matroska", "s%d.mkv"),
    "fMP4": (*H264, *AAC, *FMP4, "index.m3u8"),
    "fMP4 of VP9": (*VP9, *OPUS, *FMP4, "-strict", "-2", "index.m3u8"),
}


@pytest.fixture(scope="session")
def originals(library, tmp_path_factory):
    """One recording of each kind, made when it is first asked for, and what is in its MP4."""
    made = {}

    def get(kind):
        if kind not in made:
            folder = tmp_path_factory.mktemp("original")
            encode(library.ffmpeg, folder, KINDS[kind])
            report = convert(library, folder, tmp_path_factory.mktemp("clean"))
            assert report.verdict is Verdict.OK, r.said(report)
            assert not any(report.lost_seconds.values())
            made[kind] = folder, {t.type: t.samples for t in report.tracks}
        return made[kind]

    return get


def encode(ffmpeg, folder, how):
    argv = [str(ffmpeg.ffmpeg), "-v", "error", "-nostdin", "-y"]
    argv += ["-f", "lavfi", "-i", f"testsrc2=size=160x90:rate={RATE}"]
    argv += ["-f", "lavfi", "-i", "anoisesrc=color=pink:seed=7:amplitude=0.4:sample_rate=48000"]
    argv += ["-t", str(SECONDS), "-b:v", "150k", "-g", "30", "-keyint_min", "30", "-ac", "1", *how]
    try:
        subprocess.run(argv, cwd=folder, env=ffmpeg.env or None, check=True)
    except subprocess.CalledProcessError:
        pytest.skip("this ffmpeg cannot encode that")


def convert(library, folder, out):
    return r.convert(folder / "index.m3u8", out, library.ffmpeg)


@pytest.fixture(params=KINDS)
def damaged(request, originals, library, tmp_path):
    """A copy to damage, and what it held."""
    folder, held = originals(request.param)
    return Copy(library, folder, held, tmp_path)


class Copy:
    """A copy of a recording that is damaged and judged, again and again."""

    def __init__(self, library, folder, held, tmp_path):
        self.held, self.library = held, library
        self._original, self._work = folder, tmp_path
        self.again()

    def again(self):
        shutil.rmtree(self._work / "recording", ignore_errors=True)
        shutil.copytree(self._original, self._work / "recording")
        made = Made(self._work / "recording")
        self.folder, self.paths, self.edit = made.folder, made.paths, made.edit
        return self.paths

    def judged(self, *, allowed=0.12):
        """Its verdict fits what is missing, and so do the seconds."""
        shutil.rmtree(self._work / "out", ignore_errors=True)
        report = convert(self.library, self.folder, self._work / "out")
        if report.verdict is Verdict.REJECTED:
            return report
        assert report.proof.holds
        own = r.own(report)
        there = {t.type: (own[t.type], LENGTH[t.codec]) for t in report.tracks}
        gone = {}
        for kind, count in self.held.items():
            samples, length = there.get(kind, (0, 0.02 if kind == "audio" else 1 / RATE))
            gone[kind] = (count - samples) * length
            if kind in there:
                lost = report.lost_seconds[kind]
                assert lost == pytest.approx(gone[kind], abs=allowed), r.said(report)
        lossless = (Verdict.OK, Verdict.REPAIRED)
        assert (report.verdict in lossless) == (max(gone.values()) < 0.01), r.said(report)
        return report


def test_cut_anywhere(damaged):
    """The seed tells of a failure where to look."""
    for seed in range(ROUNDS):
        chance = random.Random(seed)
        path = chance.choice(damaged.again())
        data = path.read_bytes()
        length = chance.randrange(1, len(data))
        path.write_bytes(data[:length])
        print(f"seed {seed}: {path.name} cut to {length} of {len(data)} bytes")
        assert damaged.judged().verdict is not Verdict.REJECTED


@pytest.mark.parametrize(
    ("number", "content"),
    [
        pytest.param(0, None, id="the first is missing"),
        pytest.param(3, None, id="the last is missing"),
        pytest.param(1, b"", id="empty"),
        pytest.param(0, random.Random(1).randbytes(50_000), id="garbage"),
        pytest.param(3, r.HTML, id="an error page"),
    ],
)
def test_a_segment_that_is_none(damaged, number, content):
    path = damaged.paths[number]
    path.unlink() if content is None else path.write_bytes(content)
    assert damaged.judged().verdict is Verdict.DEGRADED


def test_in_the_wrong_order(damaged):
    a, b = damaged.paths[1].name, damaged.paths[2].name
    damaged.edit(lambda text: text.replace(a, "@").replace(b, a).replace("@", b))
    assert damaged.judged().verdict is Verdict.REPAIRED


def test_listed_twice(damaged):
    name = damaged.paths[1].name
    line = f"#EXTINF:2.000000,\n{name}\n"
    damaged.edit(lambda text: text.replace(f"\n{name}\n", f"\n{name}\n{line}"))
    assert damaged.judged().verdict is Verdict.REPAIRED


def test_bytes_overwritten(damaged):
    """Never passed as whole where a frame is missing; bytes inside a frame nobody can tell."""
    for seed in range(ROUNDS):
        chance = random.Random(seed)
        path = chance.choice(damaged.again())
        data = bytearray(path.read_bytes())
        at = chance.randrange(len(data) - 8)
        data[at : at + 8] = chance.randbytes(8)
        path.write_bytes(data)
        print(f"seed {seed}: {path.name} at {at}")
        report = damaged.judged(allowed=2.2)
        if report.verdict is Verdict.REJECTED:
            assert any(f.severity.value == "fatal" for f in report.findings)


FRAGMENTS = pytest.mark.parametrize("damaged", ["fMP4", "fMP4 of VP9"], indirect=True)


@FRAGMENTS
def test_another_initialisation_section_on_the_way(damaged):
    """After a discontinuity; the same tracks under the same numbers."""
    shutil.copy(damaged.folder / "init.mp4", damaged.folder / "again.mp4")
    name = damaged.paths[2].name
    said = '#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI="again.mp4"\n'
    before = (damaged.folder / "index.m3u8").read_text().splitlines()
    at = before.index(name) - 1
    text = "\n".join([*before[:at], said.rstrip(), *before[at:]]) + "\n"
    damaged.edit(lambda _: text)
    assert damaged.judged().verdict in (Verdict.OK, Verdict.REPAIRED)


@FRAGMENTS
@pytest.mark.parametrize("seconds", [-3, -1])
def test_a_clock_that_goes_back(damaged, seconds):
    """Nothing is missing: joined without a gap."""
    set_back(damaged, seconds)
    assert damaged.judged().verdict is Verdict.REPAIRED


@FRAGMENTS
@pytest.mark.parametrize("seconds", [3, 600])
def test_a_clock_that_leaps(damaged, seconds):
    """It looks as if something were missing, and nobody can tell that it is not."""
    set_back(damaged, seconds)
    report = convert(damaged.library, damaged.folder, damaged.folder.parent / "leapt")
    assert report.verdict is Verdict.DEGRADED
    assert report.proof.holds
    assert r.own(report) == damaged.held
    assert report.lost_seconds == pytest.approx({"video": seconds, "audio": seconds}, abs=0.1)


def set_back(damaged, seconds):
    """The clocks of all tracks in the last two segments (tfdt, ISO/IEC 14496-12 clause 8.8.12)."""
    init = (damaged.folder / "init.mp4").read_bytes()
    for path in damaged.paths[2:]:
        data = bytearray(path.read_bytes())
        clocks = {s.track.track_id: s.track.timescale for s in read(init, bytes(data)).samples}
        for found in re.finditer(b"tfhd", data):
            (track,) = struct.unpack_from(">I", data, found.end() + 4)
            at = data.index(b"tfdt", found.end()) + 8
            assert data[at - 4] == 1  # version
            (time,) = struct.unpack_from(">Q", data, at)
            struct.pack_into(">Q", data, at, time + seconds * clocks[track])
        path.write_bytes(data)
