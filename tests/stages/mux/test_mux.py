"""What ffmpeg is fed, and what happens when segments or ffmpeg do not do what they should."""

import os
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from pipeline.choices import Format
from pipeline.errors import DiskFullError, MuxingError, StorageError
from pipeline.media.timeline import plan as timeline
from pipeline.media.ts.scan import scan
from pipeline.muxing.locate import Ffmpeg
from pipeline.stages.mux import mux
from pipeline.stages.mux.command import OutputSpec
from pipeline.stages.mux.converted import lanes_of
from pipeline.stages.segments import slots_of
from tests import ts
from tests.segments import local


def nobody(stage, count):
    """Progress that nobody watches."""


@pytest.fixture
def planned(tmp_path):
    """Segments of a second on disk, and their plan."""

    def make(count=3, **kind):
        counters, segments = {}, []
        for n in range(count):
            data = ts.segment(start=ts.START + n * 90_000, counters=counters, **kind)
            segments.append(local(tmp_path / f"{n}.ts", data))
        return timeline.plan(slots_of(segments)), segments

    return make


NO_FFMPEG = Ffmpeg(Path("/nowhere/ffmpeg"), Path("/nowhere/ffprobe"), "none", {})


def units(converted):
    """How many units each lane got from each segment."""
    return [[len(s.units.sizes) for s in lane] for lane in converted.expected]


@pytest.mark.parametrize(
    ("kind", "format", "kinds"),
    [
        pytest.param({}, Format.MP4, ["video", "audio"], id="mp4 takes all"),
        pytest.param({}, Format.TS, ["video", "audio"], id="ts takes all"),
        pytest.param({}, Format.M4A, ["audio"], id="m4a takes sound"),
        pytest.param({}, Format.WAV, ["audio"], id="wav takes sound"),
        pytest.param({"audio": None}, Format.MP4, ["video"], id="pictures alone"),
        pytest.param({"audio": None}, Format.MP3, [], id="no sound to take"),
        pytest.param({"video": None}, Format.AAC, ["audio"], id="sound alone"),
    ],
)
def test_lanes_a_format_can_hold(planned, kind, format, kinds):
    plan, _ = planned(**kind)
    assert [lane.codec.kind for lane in lanes_of(plan, format)] == kinds


@pytest.mark.parametrize(
    ("format", "count"), [(Format.MP4, 3), (Format.M4A, 2), (Format.AAC, 1), (Format.WAV, 1)]
)
def test_room_for_a_second_sound(planned, format, count):
    plan, _ = planned()
    more = replace(plan, lanes=(*plan.lanes, replace(plan.lanes[1], pid=0x102)))
    lanes = lanes_of(more, format)
    assert len(lanes) == count
    assert next(x.pid for x in lanes if x.codec.kind == "audio") == ts.AUDIO


def test_measuring_reads_every_unit_and_makes_nothing(planned, tmp_path):
    plan, segments = planned()
    before = sorted(tmp_path.iterdir())
    steps = []
    read = mux.measure(plan, segments, lambda *step: steps.append(step))
    assert sorted(tmp_path.iterdir()) == before
    assert steps == [("convert", s.path.stat().st_size) for s in segments]
    assert units(read)[0] == [15, 15, 15]
    assert sum(units(read)[1]) == 141  # frames of 1024 samples in 3 s, on the grid
    assert (read.command, read.messages, read.findings) == ((), "", ())
    assert [[s.segment for s in lane] for lane in read.expected] == [["0.ts", "1.ts", "2.ts"]] * 2


def test_all_ways_of_reading_expect_the_same(planned, fake, tmp_path):
    plan, segments = planned()
    measured = mux.measure(plan, segments, nobody)
    ffmpeg = fake("exec cat >/dev/null")
    made = [
        mux.convert(
            plan, segments, tool, OutputSpec(format), output=tmp_path / "o", progress=nobody
        )
        for tool, format in ((ffmpeg, Format.MP4), (NO_FFMPEG, Format.TS))
    ]
    for one in made:
        for lane, other in zip(measured.expected, one.expected, strict=True):
            for a, b in zip(lane, other, strict=True):
                assert (a.segment, a.units.digest) == (b.segment, b.units.digest)
                assert np.array_equal(a.units.pts, b.units.pts)


def test_ffmpeg_is_fed_whole_packets_of_all_lanes(planned, fake, tmp_path):
    plan, segments = planned()
    ffmpeg = fake('cat >"$out"; echo a word >&2')
    output = tmp_path / "fed"
    made = mux.convert(
        plan, segments, ffmpeg, OutputSpec(Format.MP4), output=output, progress=nobody
    )
    fed = output.read_bytes()
    rows = [fed[at : at + ts.PACKET] for at in range(0, len(fed), ts.PACKET)]
    assert {row[0] for row in rows} == {0x47}
    assert len(rows[-1]) == ts.PACKET
    pids = [(row[1] & 0x1F) << 8 | row[2] for row in rows]
    assert pids[0] == 0
    assert {ts.VIDEO, ts.AUDIO} <= set(pids)
    assert made.messages == "a word"
    assert made.command[0] == str(ffmpeg.ffmpeg)
    assert [made.command[k + 1] for k, w in enumerate(made.command) if w == "-map"] == [
        f"0:i:{ts.VIDEO}",
        f"0:i:{ts.AUDIO}",
    ]


@pytest.mark.parametrize(
    ("in_one_pass", "word"), [(True, "-moov_size"), (False, "+faststart")], ids=["one", "two"]
)
def test_passes(planned, fake, tmp_path, in_one_pass, word):
    made = mux.convert(
        *planned(),
        fake("exec cat >/dev/null"),
        OutputSpec(Format.MP4, in_one_pass=in_one_pass),
        output=tmp_path / "o",
        progress=nobody,
    )
    assert word in made.command
    assert len({"-moov_size", "+faststart"} & set(made.command)) == 1


def test_room_for_the_index_is_enough(planned, ffmpeg, tmp_path):
    output = tmp_path / "out.mp4"
    made = mux.convert(*planned(), ffmpeg, OutputSpec(Format.MP4), output=output, progress=nobody)
    assert made.messages == ""
    assert output.stat().st_size > 0


def test_a_transport_stream_needs_no_ffmpeg(planned, tmp_path):
    plan, segments = planned()
    output = tmp_path / "out"
    made = mux.convert(
        plan, segments, NO_FFMPEG, OutputSpec(Format.TS), output=output, progress=nobody
    )
    assert len(made.lengths) == 3
    tables = output.stat().st_size - sum(made.lengths)
    assert tables > 0
    assert tables % (3 * ts.PACKET) == 0
    found = scan("out", np.frombuffer(output.read_bytes(), np.uint8))
    assert set(found.streams) == {ts.VIDEO, ts.AUDIO}
    assert found.findings == ()


@pytest.mark.parametrize("format", [Format.MP4, Format.TS])
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda path: os.truncate(path, path.stat().st_size - 188), id="shorter"),
        pytest.param(lambda path: os.truncate(path, 0), id="emptied"),
        pytest.param(lambda path: os.truncate(path, path.stat().st_size + 1), id="longer"),
        pytest.param(
            lambda path: path.write_bytes(bytes(path.stat().st_size)), id="zeros of the same size"
        ),
    ],
)
def test_a_segment_that_changes_after_the_plan(planned, fake, tmp_path, format, change):
    plan, segments = planned()
    change(segments[1].path)
    ffmpeg = fake("exec cat >/dev/null")
    with pytest.raises(StorageError, match=r"1\.ts: changed while it was converted; run again"):
        mux.convert(
            plan, segments, ffmpeg, OutputSpec(format), output=tmp_path / "o", progress=nobody
        )


@pytest.mark.parametrize(
    ("text", "kind", "why"),
    [
        pytest.param("exit 9", MuxingError, "ended with 9", id="at once"),
        pytest.param("cat >/dev/null; exit 9", MuxingError, "ended with 9", id="at the end"),
        pytest.param("head -c 999 >/dev/null; kill -9 $$", MuxingError, "SIGKILL", id="killed"),
        pytest.param(
            "echo 'x: No space left on device' >&2; exit 1", DiskFullError, "no space", id="full"
        ),
    ],
)
def test_an_ffmpeg_that_fails(planned, fake, tmp_path, text, kind, why):
    ffmpeg = fake(text)
    with pytest.raises(kind, match=why):
        mux.convert(
            *planned(), ffmpeg, OutputSpec(Format.MP4), output=tmp_path / "o", progress=nobody
        )


def test_no_ffmpeg_at_all(planned, tmp_path):
    with pytest.raises(MuxingError):
        mux.convert(
            *planned(), NO_FFMPEG, OutputSpec(Format.MP4), output=tmp_path / "o", progress=nobody
        )


def test_more_segments_than_buffers_do_not_mix(planned, fake, tmp_path):
    """Buffers are used again while what was in them may still be on its way to ffmpeg."""
    plan, segments = planned(12, size=8000)
    outputs = []
    for text in ('exec cat >"$out"', 'sleep 0.3; exec cat >"$out"'):
        output = tmp_path / f"fed{len(outputs)}"
        mux.convert(
            plan, segments, fake(text), OutputSpec(Format.MP4), output=output, progress=nobody
        )
        outputs.append(output.read_bytes())
    assert outputs[0] == outputs[1]
    assert len(outputs[0]) > 1 << 20  # more than the pipe holds


@pytest.mark.parametrize("together", [1, 30_000, 4 << 20])
def test_rows_of_any_length_make_the_same(planned, tmp_path, monkeypatch, together):
    """Whether segments are stitched one by one or in rows."""
    plan, segments = planned(count=6)
    monkeypatch.setattr(mux, "TOGETHER", 1)
    alone, rows = tmp_path / "alone.ts", tmp_path / "rows.ts"
    one_by_one = mux.convert(
        plan, segments, NO_FFMPEG, OutputSpec(Format.TS), output=alone, progress=nobody
    )
    monkeypatch.setattr(mux, "TOGETHER", together)
    in_rows = mux.convert(
        plan, segments, NO_FFMPEG, OutputSpec(Format.TS), output=rows, progress=nobody
    )
    assert rows.read_bytes() == alone.read_bytes()
    assert in_rows.lengths == one_by_one.lengths
    assert units(in_rows) == units(one_by_one)


def test_a_segment_that_changed_within_a_row_is_told(planned, tmp_path):
    plan, segments = planned(count=4)
    other = ts.segment(start=ts.START, video=13)
    path = segments[2].path
    path.write_bytes((other * 2)[: path.stat().st_size])
    with pytest.raises(StorageError, match=r"2\.ts: changed while it was converted; run again"):
        mux.measure(plan, segments, nobody)


def test_a_unit_that_is_gone_from_a_row_is_told(planned):
    """As many bytes and packets as there were, and no other fault."""
    plan, segments = planned(count=4)
    path = segments[2].path
    data = bytearray(path.read_bytes())
    begins = [
        at
        for at in range(0, len(data), 188)
        if data[at + 1] == 0x40 | ts.VIDEO >> 8 and data[at + 2] == ts.VIDEO & 255
    ]
    for at in range(len(data)):
        if data[at : at + 4] == b"\0\0\1\xe0" and begins[3] < at < begins[3] + 188:
            data[at : at + 4] = b"\x55" * 4
    data[begins[3] + 1] &= ~0x40
    path.write_bytes(data)
    with pytest.raises(StorageError, match=r"2\.ts: changed while it was converted; run again"):
        mux.measure(plan, segments, nobody)
