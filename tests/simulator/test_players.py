"""Promise: sound and pictures are where they were, in every player and for every next tool.

Each second has a beep of its own pitch and pictures with its own number, so nothing can be in place
by chance.  The players are others' work (:mod:`tests.players`).
"""

import re
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import cache
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from pipeline.choices import Format, OnLoss
from pipeline.simulator.recorder.measure import in_a_row, measure
from tests import parts, players
from tests import recordings as r
from tests.parts import Piece
from tests.simulator.conftest import put

SECONDS, SLICE = 12, 2
NEAR = 0.04  # seconds
PICTURE = 1 / 15 + 0.001  # of a second: one, as the players' clocks are rounded
LATENCY = 1024 / 48000  # of what Chromium hands out: a block of samples
LEAD = 1024 / 48000  # sound begins one frame before the first picture, as the simulator has it
SEEKS = (1.3, 9.2, 4.4, 7.9, 0.2, 10.1, 3.3, 6.1, 2.7, 8.6)
STRETCHES = ((None, SECONDS + 1.0), *((seek, 1.2) for seek in SEEKS))  # that a browser plays
TIMES = 4  # that a file is played again before it is called wrong
AT_ONCE = 5  # files that it plays at the same time

CASES = {
    "clean": ((), {}),
    "a hole kept": (("missing_file:2",), {}),
    "a hole closed": (("missing_file:2",), {"on_loss": OnLoss.CLOSE}),
    "a hole filled": (("missing_file:2",), {"on_loss": OnLoss.FILL}),
    "sound lost": (("audio_missing_one_seg:2",), {}),
    "a pause": (("audio_pauses:2",), {}),
    "late sound": (("late_audio_pmt_ok:2",), {}),
    "late pictures": (("late_video:2",), {}),
    "sound that ends early": (("audio_ends_early:3",), {}),
    "a join": (("bak_gap:1",), {}),
    "WebM": (("webm:vp9",), {}),
    "WebM and a hole": (("webm:vp9", "missing_file:2"), {}),
    "holes all over": (("missing_file:1", "missing_file:3", "audio_missing_one_seg:5"), {}),
    "a restart, then B pictures": ((), {}),
    "a restart after B pictures": ((), {}),
    "a join, then B pictures": ((), {}),
    "a join after B pictures": ((), {}),
}
# seconds that no slice holds: of sound, and of pictures
SILENT = {
    "a hole kept": {4, 5},
    "a hole closed": {4, 5},
    "a hole filled": {4, 5},
    "sound lost": {4, 5},
    "a pause": {4, 5},
    "late sound": {0, 1, 2, 3},
    "sound that ends early": {6, 7, 8, 9, 10, 11},
    "a join": {6},
    "WebM and a hole": {4, 5},
    "holes all over": {2, 3, 6, 7, 10, 11},
}
DARK = {
    "a hole kept": {4, 5},
    "a hole closed": {4, 5},
    "a hole filled": {4, 5},
    "late pictures": {0, 1, 2, 3},
    "a join": {6},
    "WebM and a hole": {4, 5},
    "holes all over": {2, 3, 6, 7},
}
# pictures that wait for one another in either half: the second is by another encoder
TURNS = {"then B pictures": (0, 2), "after B pictures": (1, 0)}


class Case:
    """A recording, what was made of it, and when its seconds have to come."""

    def __init__(self, simulated, ffmpeg, folder: Path, name: str) -> None:
        faults, chosen = CASES[name]
        self.source = put(simulated(*faults, duration=SECONDS, slice=SLICE), folder / "source")
        self.ffmpeg, self.folder, self.chosen = ffmpeg, folder, chosen
        for how, waits in TURNS.items():
            if how in name:
                halves = in_turns(r.Recording(self.source), ffmpeg, folder / "turns", waits)
                self.source = parted(halves, folder) if "a join" in name else restarted(halves)
        self.lead = 0.0 if "webm:vp9" in faults else LEAD
        self.closed = SLICE if chosen.get("on_loss") is OnLoss.CLOSE else 0
        self.runs = count()
        self.once = cache(self.made)

    def made(self, format="mp4", **chosen) -> Path:
        """What conversion makes of it, in a new folder; ``once`` keeps it."""
        report = r.convert(
            self.source,
            self.folder / f"{format}{next(self.runs)}",
            self.ffmpeg,
            format=Format(format),
            **self.chosen,
            **chosen,
        )
        assert report.proof is None or report.proof.holds, r.said(report)
        return Path(report.output)

    def due(self, second: int) -> float:
        """When a second of the recording begins in the result."""
        return self.lead + second - (self.closed if second >= 2 * SLICE else 0)

    def are_in_place(self, marks, near, latency=0.0):
        assert marks
        off = {mark.second: round(mark.at - latency - self.due(mark.second), 4) for mark in marks}
        assert max(map(abs, off.values())) <= near, off


def in_turns(made, ffmpeg, folder: Path, waits) -> r.Recording:
    """The pictures of a recording re-encoded, each half by itself and on a clock of its own."""
    slices = []
    contents, half = made.contents(), len(made.names) // 2
    for number, data in enumerate((contents[:half], contents[half:])):
        out = folder / str(number)
        out.mkdir(parents=True)
        argv = [str(ffmpeg.ffmpeg), "-v", "error", "-f", "mpegts", "-i", "-", "-c:a", "copy"]
        argv += ["-c:v", "libx264", "-bf", str(waits[number]), "-b_strategy", "0", "-crf", "18"]
        argv += ["-g", "999", "-sc_threshold", "0", "-fps_mode", "passthrough"]
        argv += ["-enc_time_base", "1:90000"]
        argv += ["-force_key_frames", f"expr:gte(t,n_forced*{SLICE})", "-f", "hls", "-hls_time"]
        argv += [str(SLICE), "-hls_list_size", "0", "-hls_segment_filename", "%d.ts", "all.m3u8"]
        given = b"".join(data)
        subprocess.run(argv, cwd=out, env=ffmpeg.env, input=given, check=True)
        listed = re.findall(r"#EXTINF:([0-9.]+),\n(\S+)", (out / "all.m3u8").read_text())
        slices += [(float(lasts), (out / name).read_bytes()) for lasts, name in listed]
    return r.publish(slices, folder / "recording")


def restarted(made) -> Path:
    """Where the clock restarts, the playlist says so."""
    r.tagged(made, len(made.names) // 2, "#EXT-X-DISCONTINUITY")
    return made.folder


def parted(made, folder: Path) -> Path:
    """Another server goes on."""
    half, count = len(made.names) // 2, len(made.names)
    pieces = Piece(None, range(half), ended=False), Piece(0, range(half, count))
    return parts.deal(made, folder / "parts", *pieces)


@pytest.fixture(scope="module")
def case(simulated, ffmpeg, tmp_path_factory) -> Callable[[str], Case]:
    """A case by its name; the tests share it, and what was made of it once."""
    return cache(lambda name: Case(simulated, ffmpeg, tmp_path_factory.mktemp("case"), name))


@pytest.fixture(scope="module")
def played(case) -> Callable[[str], list[players.Played]]:
    """What a browser played of a case, which it did beside some others."""
    names = list(CASES)

    @cache
    def beside(begin: int) -> list[list[players.Played]]:
        paths = [case(name).once() for name in names[begin : begin + AT_ONCE]]
        return players.chromium_together(paths, STRETCHES)

    def of(name: str) -> list[players.Played]:
        group, place = divmod(names.index(name), AT_ONCE)
        return beside(group * AT_ONCE)[place]

    return of


def heard_in(case, samples):
    marks = in_a_row(samples)
    case.are_in_place(marks, NEAR)
    return marks


@pytest.mark.parametrize("name", CASES)
def test_every_decoder_has_the_sound_in_its_place(case, name):
    this = case(name)
    path = this.once()
    every = [players.by_ffmpeg(path, this.ffmpeg), players.by_pyav(path)]
    seconds = [[mark.second for mark in heard_in(this, samples)] for samples in every]
    every_second = set(range(SECONDS)) - SILENT.get(name, set())
    assert seconds == [sorted(every_second)] * 2


@pytest.mark.parametrize("name", CASES)
def test_every_decoder_has_the_pictures_in_their_place(case, name):
    this = case(name)
    path = this.once()
    pictures, flashes = players.seen_by_pyav(path)
    every_second = set(range(1, SECONDS)) - DARK.get(name, set())  # the first one is no change
    for seen in (flashes, measure(path, this.ffmpeg, ("video",)).shown):
        this.are_in_place(seen, PICTURE)
        assert {mark.second for mark in seen} - {0} == every_second
    assert _off(this, pictures) <= PICTURE
    assert len({mark.at for mark in pictures}) == len(pictures)


@pytest.mark.parametrize("name", CASES)
def test_gstreamer_has_the_sound_in_its_place(case, name):
    this = case(name)
    heard_in(this, players.by_gstreamer(this.once()))


@pytest.mark.parametrize("name", ["a hole kept", "late sound"])
def test_vlc_has_the_sound_in_its_place(case, name):
    this = case(name)
    heard_in(this, players.by_vlc(this.once()))


@pytest.mark.plays
@pytest.mark.parametrize("name", CASES)
def test_chromium_shows_and_plays_everything_in_its_place(case, played, name):
    this = case(name)

    def are_right(stretches):
        this.are_in_place(stretches[0].heard, NEAR, LATENCY)
        this.are_in_place(stretches[0].flashes, PICTURE)
        assert _off(this, stretches[0].pictures) <= PICTURE

    at_least_once(this, are_right, played(name)[:1], STRETCHES[:1])


@pytest.mark.plays
@pytest.mark.parametrize("name", CASES)
def test_chromium_finds_everything_in_its_place_after_seeking(case, played, name):
    this = case(name)

    def are_right(stretches):
        looked = 0
        for stretch in stretches:
            if stretch.heard:
                this.are_in_place(stretch.heard, NEAR, LATENCY)
            assert _off(this, stretch.pictures) <= PICTURE
            looked += len(stretch.pictures)
        assert looked > len(SEEKS)

    at_least_once(this, are_right, played(name)[1:], STRETCHES[1:])


def at_least_once(case, are_right, together, stretches):
    """A browser on a busy machine stalls now and then, each time elsewhere; what is wrong with a
    file is wrong every time, also when it is played alone.  So every moment counts as it came best.
    """
    plays = [together]
    for _ in range(TIMES):
        with suppress(AssertionError):
            return are_right(best(case, plays))
        plays.append(players.chromium(case.once(), stretches))
    return are_right(best(case, plays))


def best(case, plays):
    """Of each stretch what came nearest to its place in any of some plays."""
    return [
        replace(
            same[0],
            heard=_nearest(case, [one.heard for one in same], LATENCY),
            flashes=_nearest(case, [one.flashes for one in same]),
            pictures=min(
                (one.pictures for one in same), key=lambda seen: (not seen, _off(case, seen))
            ),
        )
        for same in zip(*plays, strict=True)
    ]


def _nearest(case, plays, latency=0.0):
    """Of each second that most plays have the nearest mark."""
    found = {}
    for mark in (mark for marks in plays for mark in marks):
        found.setdefault(mark.second, []).append(mark)
    return tuple(
        min(marks, key=lambda mark: abs(mark.at - latency - case.due(mark.second)))
        for _, marks in sorted(found.items())
        if 2 * len(marks) > len(plays)
    )


class AsDue:
    """Every second is due when its number says."""

    due = staticmethod(float)


def test_a_moment_counts_as_it_came_best_and_what_is_always_wrong_stays_wrong():
    def play(*heard, pictures=()):
        marks = tuple(players.Mark(at + LATENCY, second) for at, second in heard)
        return [players.Played(marks, (), tuple(players.Mark(*one) for one in pictures), 4.0)]

    plays = [
        play((1.1, 1), (2.2, 2), (3.0, 3), pictures=[(2.5, 1)]),
        play((1.0, 1), (2.3, 2), pictures=[(1.5, 1)]),
        play((1.2, 1), (2.2, 2)),
    ]
    (one,) = best(AsDue, plays)
    assert one.heard == (players.Mark(1.0 + LATENCY, 1), players.Mark(2.2 + LATENCY, 2))
    assert one.pictures == (players.Mark(1.5, 1),)


def _off(case, pictures):
    """By how much the farthest picture is outside the second whose number it has."""
    shown = [mark for mark in pictures if mark.second or mark.at < 1.1]
    off = [max(case.due(n) - at, at - case.due(n) - 1, 0.0) for at, n in shown]
    return max(off, default=0.0)


@pytest.mark.parametrize(
    "name",
    [
        "a hole kept",
        "a pause",
        "late sound",
        "sound that ends early",
        "a restart, then B pictures",
        "a join after B pictures",
    ],
)
def test_all_formats_are_equally_long_and_in_place(case, name):
    this = case(name)
    lengths = []
    for format in ("mp4", "m4a", "aac", "mp3", "wav", "ts"):
        samples = players.by_ffmpeg(this.once(format), this.ffmpeg)
        heard_in(this, samples)
        lengths.append(len(samples) / 48000)
    assert np.ptp(lengths) <= NEAR, lengths


def test_a_sparse_track_is_not_in_place_for_who_plays_frame_behind_frame(case):
    """What the silence is for; and that this would be noticed."""
    this = case("a pause")
    path = this.once(sparse_sound=True)
    off = [mark.at - this.due(mark.second) for mark in in_a_row(players.by_pyav(path))]
    assert min(off) == pytest.approx(-SLICE, abs=NEAR)


@pytest.mark.parametrize("name", [name for name in CASES if name != "clean"])
def test_two_runs_give_the_same_bytes(case, name):
    this = case(name)
    first = this.once().read_bytes()
    assert this.made().read_bytes() == first


def test_a_recording_that_never_pauses_is_as_it_was(case):
    this = case("clean")
    whole = this.once().read_bytes()
    assert this.made(sparse_sound=True).read_bytes() == whole
