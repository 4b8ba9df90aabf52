"""The size of the pictures along the axis."""

from msgspec.structs import replace

from pipeline.model import Piece, Reencoded
from pipeline.report.axis import axis
from pipeline.report.lanes import places
from pipeline.report.sizes import Size, sizes
from tests.report.reports import AUDIO, GOOD, VIDEO, name


def of(report):
    on = axis(report)
    return sizes(report, on, places(report, on))


def test_one_size():
    assert of(GOOD) == (Size(0.0, 100.0, "640 × 360"),)


def test_sound_has_none():
    assert of(replace(GOOD, tracks=(AUDIO,))) == ()
    once = Reencoded("video", name(4), 10.0, 150, "h264 1280x720", "h264 640x360")
    assert of(replace(GOOD, tracks=(AUDIO,), reencoded=(once,))) == ()


def test_what_was_re_encoded_had_its_own():
    one = Reencoded("video", name(4), 10.0, 150, "h264 1280x720", "h264 640x360")
    other = replace(one, segment=name(5))
    sound = replace(one, kind="audio", was="aac 44100 Hz")
    assert of(replace(GOOD, reencoded=(one, other, sound))) == (
        Size(0.0, 40.0, "640 × 360"),
        Size(40.0, 60.0, "1280 × 720"),
        Size(60.0, 100.0, "640 × 360"),
    )


def test_each_of_several_files_has_its_own():
    large = replace(VIDEO, width=1280, height=720)
    pieces = (Piece(0.0, 30.0, tracks=(VIDEO,)), Piece(30.0, 70.0, tracks=(AUDIO, large)))
    assert of(replace(GOOD, pieces=pieces)) == (
        Size(0.0, 30.0, "640 × 360"),
        Size(30.0, 100.0, "1280 × 720"),
    )
