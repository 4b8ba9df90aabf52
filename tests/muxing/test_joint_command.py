"""One command in place of several."""

from pathlib import Path

import pytest

from pipeline.choices import Format
from pipeline.muxing import commands
from pipeline.muxing.joint_command import joint

FFMPEG = Path("/usr/bin/ffmpeg")


def mux(name, *pids, **more):
    return commands.mux(FFMPEG, Path(f"/out/{name}"), pids, base=10.0, moov_size=100, **more)


def test_each_has_an_input_and_a_file_of_its_own():
    first, second = mux("a.mp4", 256, 257), mux("b.m4a", 300, format=Format.M4A)
    made = joint([first, second], [7, 9])
    assert made[:5] == first[:5] == second[:5]
    taken = ["-f", "mpegts", "-copyts", "-protocol_whitelist", "pipe"]
    in_turn = ["-thread_queue_size", "0", "-i"]
    inputs = [*taken, *in_turn, "pipe:7", *taken, *in_turn, "pipe:9"]
    assert made[5 : 5 + len(inputs)] == inputs
    behind = first.index("pipe:0") + 1
    outputs = [*first[behind:-1], *second[second.index("pipe:0") + 1 :]]
    assert made[5 + len(inputs) :] == [{"0:i:300": "1:i:300"}.get(word, word) for word in outputs]
    assert made.count("-y") == 1


def test_one_alone_reads_its_file():
    argv = mux("a.mp4", 256)
    assert joint([argv], [3]) == ["pipe:3" if word == "pipe:0" else word for word in argv]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(lambda: mux("b.mp4", 256, metadata="data:,;FFMETADATA1"), id="reads a title"),
        pytest.param(
            lambda: mux("b.mp4", 256, texts=[(Path("/c.mp4"), "eng")]), id="reads captions"
        ),
        pytest.param(lambda: ["/other", *mux("b.mp4", 256)[1:]], id="another ffmpeg"),
    ],
)
def test_what_cannot_be_joined(other):
    assert joint([mux("a.mp4", 256), other()], [3, 4]) is None
    assert joint([other(), mux("a.mp4", 256)], [3, 4]) is None
