"""The proof finds every difference between a result and its segments."""

import hashlib

import pytest

from pipeline.choices import Format
from pipeline.media.timeline import plan as timeline
from pipeline.model import Proof, Severity
from pipeline.muxing.locate import Ffmpeg
from pipeline.stages import verify
from pipeline.stages.mux import mux
from pipeline.stages.mux.command import OutputSpec
from pipeline.stages.segments import slots_of
from tests import ts
from tests.segments import local


def nobody(stage, count):
    """Progress that nobody watches."""


class Made:
    """A result, what it was made of, and its check."""

    def __init__(self, folder, ffmpeg: Ffmpeg | None, format: Format, **kind):
        self.ffmpeg, self.format = ffmpeg, format
        self.path = folder / "out"
        counters, segments = {}, []
        for n in range(3):
            data = ts.segment(start=ts.START + n * 90_000, counters=counters, **kind)
            segments.append(local(folder / f"{n}.ts", data))
        self.plan = timeline.plan(slots_of(segments))
        self.read = mux.convert(
            self.plan, segments, ffmpeg, OutputSpec(format), output=self.path, progress=nobody
        )

    def check(self, progress=nobody):
        """What the proof says now."""
        lanes, expected = self.read.lanes, self.read.expected
        if self.format in (Format.MP4, Format.M4A):
            return verify.verify_mp4(self.path, lanes, expected, progress)
        if self.format is Format.TS:
            return verify.verify_stream(self.path, lanes, expected, self.read.lengths)
        if self.format is Format.AAC:
            return verify.verify_adts(self.path, lanes[0], expected[0])
        return verify.verify_encoded(self.path, self.format, lanes[0], expected[0], self.ffmpeg)

    def change(self, edit):
        """Rewrite the result."""
        data = bytearray(self.path.read_bytes())
        self.path.write_bytes(edit(data))


@pytest.fixture
def made(tmp_path, request):
    """Make a result; a transport stream needs no ffmpeg."""

    def make(format, **kind):
        needed = None if format is Format.TS else request.getfixturevalue("ffmpeg")
        return Made(tmp_path, needed, format, **kind)

    return make


def fatal(found):
    return {f.id for f in found.findings if f.severity == Severity.FATAL}


def flip(at):
    """Change one bit."""

    def edit(data):
        data[at] ^= 1
        return data

    return edit


PROVEN = [Format.MP4, Format.M4A, Format.TS, Format.AAC]


@pytest.mark.parametrize("format", PROVEN)
def test_a_faithful_result_is_proven(made, format):
    result = made(format)
    found = result.check()
    assert found.findings == ()
    assert found.proof.holds
    assert found.size == result.path.stat().st_size
    assert found.sha256 == hashlib.sha256(result.path.read_bytes()).hexdigest()
    assert found.duration == pytest.approx(3.0, abs=0.05)
    kinds = ["video", "audio"] if format in (Format.MP4, Format.TS) else ["audio"]
    assert [track.type for track in found.tracks] == kinds
    assert [t.samples for t in found.tracks] == [
        sum(len(s.units.sizes) for s in lane) for lane in result.read.expected
    ]


def test_tracks_are_described(made):
    video, audio = made(Format.MP4).check().tracks
    assert (video.codec, video.width, video.height, video.channels) == ("h264", 16, 16, None)
    assert (audio.codec, audio.sample_rate, audio.channels, audio.width) == ("aac", 48000, 1, None)


def test_progress_is_every_byte(made):
    steps = []
    result = made(Format.MP4)
    result.check(lambda *step: steps.append(step))
    assert {stage for stage, _ in steps} == {"verify"}
    assert sum(count for _, count in steps) == result.path.stat().st_size


@pytest.mark.parametrize("block", [1000, 4096])
def test_a_file_of_many_blocks_is_read_to_its_end(made, monkeypatch, block):
    result = made(Format.MP4)
    monkeypatch.setattr(verify, "BLOCK", block)
    result.change(lambda data: data + bytes(-len(data) % block))  # the last block is full

    checked = result.check()

    assert checked.sha256 == hashlib.sha256(result.path.read_bytes()).hexdigest()
    assert checked.proof.counts
    assert checked.proof.bytes


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75, 0.999])
def test_one_flipped_bit_of_media_is_found_in_an_mp4(made, share):
    result = made(Format.MP4)
    data = result.path.read_bytes()
    begin = data.rindex(b"mdat") + 4
    result.change(flip(begin + int((len(data) - begin) * share)))
    found = result.check()
    assert fatal(found)
    assert not found.proof.bytes


@pytest.mark.parametrize("format", [Format.TS, Format.AAC])
def test_one_flipped_bit_of_media_is_found(made, format):
    result = made(format)
    result.change(flip(result.path.stat().st_size - 3))
    found = result.check()
    assert fatal(found)
    assert not found.proof.holds


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda data: data[:1], id="a byte"),
        pytest.param(lambda data: b"\0" * len(data), id="zeros"),
        pytest.param(lambda data: data[: data.index(b"trak")], id="half an index"),
        pytest.param(lambda data: data.replace(b"moov", b"free"), id="no index"),
        pytest.param(lambda data: data.replace(b"vide", b"soun"), id="another kind"),
    ],
)
def test_what_is_no_mp4(made, edit):
    result = made(Format.MP4)
    result.change(edit)
    found = result.check()
    assert fatal(found) == {"M_PARSE"}
    assert found.proof == Proof()
    assert found.sha256 == hashlib.sha256(result.path.read_bytes()).hexdigest()


def test_an_empty_file_is_no_mp4(made):
    result = made(Format.MP4)
    result.path.write_bytes(b"")
    assert fatal(result.check()) == {"M_PARSE"}


@pytest.mark.parametrize("missing", [1, 1000, 5000])
def test_an_mp4_that_lacks_its_end(made, missing):
    result = made(Format.MP4)
    result.change(lambda data: data[:-missing])
    found = result.check()
    assert fatal(found)
    assert not found.proof.holds


def test_a_lane_too_many_or_too_few(made):
    result = made(Format.MP4)
    lanes, expected = result.read.lanes, result.read.expected
    fewer = verify.verify_mp4(result.path, lanes[:1], expected[:1], nobody)
    assert fatal(fewer) == {"M_TRACKS"}
    (detail,) = (f.detail for f in fewer.findings)
    assert detail.endswith(", expected h264")


@pytest.mark.parametrize(
    ("edit", "counts"),
    [
        pytest.param(lambda data: data[:-1], False, id="a byte short"),
        pytest.param(lambda data: data[: len(data) // 2], False, id="half of it"),
        pytest.param(lambda data: b"", False, id="nothing"),
        pytest.param(lambda data: data + data[:50], False, id="more than the source"),
        pytest.param(lambda data: data + b"x", False, id="a byte more"),
    ],
)
def test_an_adts_file_of_another_length(made, edit, counts):
    result = made(Format.AAC)
    result.change(edit)
    found = result.check()
    assert fatal(found)
    assert found.proof.counts is counts
    assert not found.proof.holds


@pytest.mark.parametrize("cut", [188, 20_000])
def test_a_stream_that_lacks_its_end(made, cut):
    result = made(Format.TS)
    result.change(lambda data: data[:-cut])
    found = result.check()
    assert fatal(found)
    assert not found.proof.holds


def without(at, size=188):
    """Take bytes out."""
    return lambda data: data[:at] + data[at + size :]


def second_segment(result):
    """Where its tables begin."""
    return 2 * 188 + result.read.lengths[0]


def test_a_stream_in_which_a_byte_is_another(made):
    result = made(Format.TS)
    picture = result.path.read_bytes().index(ts.IDR, second_segment(result))
    result.change(flip(picture + 20))
    found = result.check()
    assert [(f.id, f.segment) for f in found.findings] == [("M_HASH", "1.ts")]
    assert (found.proof.counts, found.proof.timestamps, found.proof.bytes) == (True, True, False)


def test_a_stream_in_which_a_stamp_is_another(made):
    result = made(Format.TS)
    header = result.path.read_bytes().index(b"\0\0\1\xe0", second_segment(result))
    result.change(flip(header + 12))
    found = result.check()
    assert [(f.id, f.segment) for f in found.findings] == [("M_TIME", "1.ts")]
    assert (found.proof.counts, found.proof.timestamps, found.proof.bytes) == (True, False, True)


@pytest.mark.parametrize("packet", [0, 1, 4, 5, 20])
def test_a_stream_without_one_of_its_packets_or_tables(made, packet):
    result = made(Format.TS)
    result.change(without(second_segment(result) + packet * 188))
    found = result.check()
    assert [(f.id, f.segment) for f in found.findings] == [("M_PARSE", "1.ts")]
    assert found.proof == Proof()


def test_a_stream_with_more_behind_its_end(made):
    result = made(Format.TS)
    result.change(lambda data: data + b"\xff" * 188)
    assert fatal(result.check()) == {"M_PARSE"}


@pytest.mark.parametrize("edit", [lambda data: b"", lambda data: bytes(len(data))])
def test_what_is_no_stream(made, edit):
    result = made(Format.TS)
    result.change(edit)
    found = result.check()
    assert fatal(found) == {"M_PARSE"}
    assert found.sha256 == hashlib.sha256(result.path.read_bytes()).hexdigest()


@pytest.mark.parametrize("format", [Format.WAV, Format.MP3])
def test_what_was_encoded_is_proven_by_its_length_only(made, format):
    found = made(format).check()
    assert fatal(found) == set()
    assert [f.id for f in found.findings] == ["M_ENCODED"]
    assert found.proof is None
    assert found.duration == pytest.approx(3.0, abs=0.1)


def test_sound_that_is_missing_from_a_wav(made):
    result = made(Format.WAV)
    result.change(lambda data: data[: len(data) * 2 // 3])
    assert fatal(result.check()) == {"M_TIME"}


@pytest.mark.parametrize("size", [0, 999, 1000, 1001, 2500])
def test_a_digest_is_that_of_all_blocks(tmp_path, monkeypatch, size):
    monkeypatch.setattr(verify, "HASHED", 1000)
    path = tmp_path / "a.mp4"
    path.write_bytes(ts.noise(size))
    assert verify._digest(path) == hashlib.sha256(ts.noise(size)).hexdigest()
