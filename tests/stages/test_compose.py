"""Scenes become one MP4, and what is not as the schedule has it is found."""

import numpy as np
import pytest
from msgspec.structs import replace

from pipeline.errors import RefusedError
from pipeline.media.compose.heard import FINE
from pipeline.media.compose.layout import Canvas, Tile
from pipeline.media.compose.scenes import Scene
from pipeline.media.speech import coarser
from pipeline.model import Severity
from pipeline.muxing.run import run
from pipeline.stages.compose import Film, Member, join, loudness, mix
from pipeline.stages.verify import Composed, verify_composed

CANVAS = Canvas(64, 36)
WANTED = Composed(2.0, sounds=False, pictures=50, size=(64, 36), begins=(0, 30))


def film(*counts):
    begins = [sum(counts[:n]) for n in range(len(counts))]
    return Film(CANVAS, tuple(Scene(*one) for one in zip(begins, counts, strict=True)))


@pytest.fixture
def made(tmp_path, ffmpeg):
    """A film of nobody, in scenes of so many pictures."""

    def make(*counts, members=(), of=None, sound=None):
        path = tmp_path / "all.mp4"
        more = {"sound": sound, "created": "2026-03-02T09:00:02Z", "progress": lambda *_: None}
        join(members, of or film(*counts), ffmpeg, path, **more)
        return path

    return make


@pytest.fixture
def beep(tmp_path, ffmpeg):
    """An MP4 with a second of sound, after so many seconds of silence."""

    def make(wait):
        path = tmp_path / f"{wait}.mp4"
        tone = ("-f", "lavfi", "-i", "sine=440:d=1:r=48000", "-af", f"adelay={wait * 1000}:all=1")
        run(
            [str(ffmpeg.ffmpeg), "-v", "error", "-y", *tone, "-c:a", "aac", str(path)],
            env=ffmpeg.env,
        )
        return path

    return make


def ids(verified):
    return [one.id for one in verified.findings if one.severity is Severity.FATAL]


def test_every_picture_at_its_time(made):
    verified = verify_composed(made(30, 20), WANTED)
    assert (ids(verified), verified.duration, verified.proof) == ([], 2.0, None)
    (track,) = verified.tracks
    assert (track.codec, track.samples, track.width, track.height) == ("h264", 50, 64, 36)


@pytest.mark.parametrize(
    ("counts", "wanted", "expected"),
    [
        pytest.param((30, 19), WANTED, ["M_COUNT"], id="a picture too few"),
        pytest.param((29, 21), WANTED, ["M_TIME"], id="a scene that begins too early"),
        pytest.param((30, 20), replace(WANTED, size=(64, 38)), ["M_COUNT"], id="another size"),
        pytest.param((30, 20), replace(WANTED, rate=24), ["M_TIME"], id="another rate"),
        pytest.param((30, 20), replace(WANTED, sounds=True), ["M_TRACKS"], id="no sound"),
    ],
)
def test_what_is_not_as_it_was_to_be(made, counts, wanted, expected):
    assert ids(verify_composed(made(*counts), wanted)) == expected


def test_a_file_cut_short(made):
    path = made(30, 20)
    path.write_bytes(path.read_bytes()[:300])
    assert ids(verify_composed(path, WANTED)) == ["M_PARSE"]


def test_sound_is_as_long_as_the_session_and_everybody_in_their_place(tmp_path, beep, ffmpeg):
    """One second of each; that of the second user is heard when the first one has ended."""
    one = Member("1", beep(0), 0.0, 1.0, ("audio",))
    two = Member("2", beep(1), 0.5, 2.0, ("audio",))
    sound = tmp_path / "sound.m4a"
    mix([one, two, Member("3", tmp_path / "none", 0, 9, ("video",))], ffmpeg, sound, seconds=4.0)
    assert ids(verify_composed(sound, Composed(4.0))) == []
    assert ids(verify_composed(sound, Composed(4.5))) == ["M_TIME"]
    loud = coarser(loudness(sound, ffmpeg), FINE)
    assert np.flatnonzero(loud > -40).tolist() == [*range(10), *range(15, 25)]


def test_everybody_together_is_never_too_loud(tmp_path, beep, ffmpeg):
    loud = tmp_path / "loud.mp4"
    volume = ("-i", str(beep(0)), "-af", "volume=18dB", "-c:a", "aac", str(loud))
    run([str(ffmpeg.ffmpeg), "-v", "error", "-y", *volume], env=ffmpeg.env)
    four = [Member(str(n), loud, 0.0, 1.0, ("audio",)) for n in range(4)]
    mix(four, ffmpeg, tmp_path / "sound.m4a", seconds=1.0)
    loud = coarser(loudness(tmp_path / "sound.m4a", ffmpeg), FINE)
    assert -6 < loud[2:9].min() <= loud.max() < -2.5  # a full sine has -3 dB


def test_a_user_who_cannot_be_read(made, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no MP4 at all" * 100)
    member = Member("1", broken, 0.0, 1.0, ("video",))
    scene = Scene(0, 25, (("1", Tile(0, 0, 64, 36)),))
    with pytest.raises(RefusedError):
        made(members=[member], of=Film(CANVAS, (scene,)))
