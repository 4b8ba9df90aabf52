"""A file that is begun while its segments are still being read."""

import threading
import time
from contextlib import closing

import numpy as np
import pytest
from msgspec.structs import replace

from pipeline.choices import Format
from pipeline.errors import DiskFullError, MuxingError
from pipeline.media.loss.fills import EncodedUnits, Fill
from pipeline.media.stitch.index_size import FIRST
from pipeline.media.timeline import plan as timeline
from pipeline.media.ts.transport_stream import TransportStream
from pipeline.muxing import run
from pipeline.stages.fetch import in_folder
from pipeline.stages.mux import mux
from pipeline.stages.mux.ahead import Ahead
from pipeline.stages.mux.command import OutputSpec
from pipeline.stages.segments import read, slots_of
from pipeline.storage.local import LocalStorage
from tests import ts
from tests.segments import local

WANTED = OutputSpec(Format.MP4)
KEEP = 'cat >"$out"'


def nobody(stage, count):
    """Progress that nobody watches."""


def proven(path, made, progress):
    """What a file is found to be: its size and how many tracks it was made of."""
    return path.stat().st_size, len(made.lanes)


@pytest.fixture
def segments(tmp_path):
    """Segments of a second on disk, as the playlist promises them."""
    counters, made = {}, []
    for n in range(9):
        data = ts.segment(start=ts.START + n * 90_000, counters=counters, size=8000)
        one = local(tmp_path / f"{n}.ts", data)
        made.append(replace(one, slot=replace(one.slot, duration=1.0)))
    return made


class Taken:
    """Segments that were given to it, and what it makes of them."""

    def __init__(self, segments, ffmpeg, output, wanted=WANTED, place=None, seconds=1):
        self.ffmpeg, self.output, self.wanted = ffmpeg, output, wanted
        self.steps = []
        self.ahead = Ahead(
            ffmpeg,
            wanted,
            place=place or (lambda: output),
            promised=[float(seconds)] * len(segments),
            progress=lambda *step: self.steps.append(step),
            prove=proven,
        )
        for segment in segments:
            there = segment.slot.scan is not None
            self.ahead.take([segment], [TransportStream(read(segment)) if there else None])

    def made(self, segments, plan=None, **wanted):
        """What becomes of it; None if it has to be made again."""
        results = []
        finished = self.ahead.finished

        def noted(*given):
            results.append(finished(*given))
            return results[-1]

        self.ahead.finished = noted
        wanted = replace(self.wanted, **wanted)
        plan = plan or timeline.plan(slots_of(segments))
        files = plan, segments, self.ffmpeg, wanted
        self.converted = mux.convert(*files, output=self.output, progress=nobody, ahead=self.ahead)
        self.proof = self.ahead.proof_of(self.converted)
        return results[0] if results else None


def told(converted):
    """Everything that is known of a file."""
    units = [
        (s.segment, s.made, s.units.digest, s.units.taken, s.units.pts.tolist())
        for lane in converted.expected
        for s in lane
    ]
    return converted.lanes, converted.command, converted.messages, converted.findings, units


@pytest.mark.parametrize("format", [Format.MP4, Format.M4A])
@pytest.mark.parametrize("from_memory", [True, False])
def test_ffmpeg_is_given_what_it_is_given_of_the_plan(
    segments, fake, tmp_path, format, from_memory
):
    ffmpeg, wanted = fake(f"{KEEP}; echo a word >&2"), OutputSpec(format)
    plan = timeline.plan(slots_of(segments))
    usual = mux.convert(plan, segments, ffmpeg, wanted, output=tmp_path / "o", progress=nobody)
    fed = (tmp_path / "o").read_bytes()
    taken = Taken([], ffmpeg, tmp_path / "o", wanted)
    taken.ahead = Ahead(
        ffmpeg,
        wanted,
        place=lambda: tmp_path / "o",
        promised=[1.0] * 9,
        progress=nobody,
        prove=proven,
    )
    for segment in segments:
        taken.ahead.take([segment], [TransportStream(read(segment)) if from_memory else None])
    assert told(taken.made(segments)) == told(usual)
    assert (tmp_path / "o").read_bytes() == fed
    assert len(fed) > 1 << 19


def test_it_is_said_once_how_much_was_converted(segments, fake, tmp_path):
    taken = Taken(segments, fake(KEEP), tmp_path / "o")
    assert taken.steps == []
    assert taken.made(segments)
    assert taken.steps == [("convert", sum(s.path.stat().st_size for s in segments))]


def test_nothing_is_begun_before_the_first_segments_are_known(segments, fake, tmp_path):
    taken = Taken(segments[: FIRST - 1], fake(KEEP), tmp_path / "o")
    assert taken.ahead.output is None
    taken.ahead.close()


def test_of_few_segments_nothing_is_begun(segments, fake, tmp_path):
    taken = Taken(segments[:FIRST], fake(KEEP), tmp_path / "o")
    assert taken.ahead.output is None
    assert taken.made(segments[:FIRST]) is None


def failed(segments):
    return [*segments[:6], replace(segments[6], slot=replace(segments[6].slot, scan=None))]


def moved(segments):
    """One that is rewritten elsewhere."""
    path = segments[6].path.with_name("anew.ts")
    path.write_bytes(segments[6].path.read_bytes())
    return [*segments[:6], replace(segments[6], path=path), *segments[7:]]


def test_what_is_planned_of_other_files_is_made_again(segments, fake, tmp_path):
    taken = Taken(segments, fake(KEEP), tmp_path / "o")
    assert taken.made(moved(segments)) is None
    assert len(taken.converted.expected[0]) == len(segments)


def test_what_is_planned_otherwise_is_made_again(segments, fake, tmp_path):
    taken = Taken(segments, fake(KEEP), tmp_path / "o")
    plan = timeline.plan(slots_of(segments))
    stamps = plan.placed[7].stamps
    later = replace(plan.placed[7], stamps={**stamps, ts.AUDIO: stamps[ts.AUDIO].later(1)})
    plan = replace(plan, placed=(*plan.placed[:7], later, plan.placed[8]))
    assert taken.made(segments, plan) is None


def test_another_command_is_another_file(segments, fake, tmp_path):
    taken = Taken(segments, fake(KEEP), tmp_path / "o")
    assert taken.made(segments, in_one_pass=False) is None


@pytest.mark.parametrize("number", [0, 5])
def test_a_segment_with_a_finding_of_its_own_ends_it(segments, fake, tmp_path, number):
    (found,) = local(tmp_path / "x.ts", b"").slot.scan.findings
    segments[number] = replace(segments[number], findings=(found,))
    taken = Taken(segments, fake(KEEP), tmp_path / "o")
    assert not run._running
    assert taken.made(segments) is None


def test_a_segment_that_is_not_there_ends_it(segments, fake, tmp_path):
    ffmpeg = fake(KEEP)
    taken = Taken(failed(segments), ffmpeg, tmp_path / "o")
    assert taken.made(segments) is None


@pytest.mark.parametrize(
    "text", ["exit 9", "head -c 999 >/dev/null; kill -9 $$", "cat >/dev/null; exit 9"]
)
def test_an_ffmpeg_that_fails_is_asked_once_more(segments, fake, tmp_path, text):
    output = tmp_path / "o"
    marker = tmp_path / "begun"
    script = f'if [ ! -e {marker} ]; then touch {marker}; {text}; exit 9; fi; cat >"$out"'
    taken = Taken(segments, fake(script), output)
    assert taken.made(segments) is None
    assert len(taken.converted.expected[0]) == len(segments)


def test_no_room_for_the_file_is_told_when_it_is_made(segments, fake, tmp_path):
    def place():
        raise DiskFullError("no room")

    taken = Taken(segments, fake(KEEP), tmp_path / "o", place=place)
    assert taken.ahead.output is None
    assert taken.made(segments) is None


def test_nothing_of_it_is_left_running(segments, fake, tmp_path):
    with closing(Taken(segments, fake("exec sleep 60"), tmp_path / "o").ahead):
        assert run._running
    assert not run._running


SECONDS = 4  # of a segment


def spoken(n, counters, silent):
    """A segment in which nobody speaks between two of its PES of sound."""
    counter = counters.get(ts.AUDIO, 0)
    start = ts.START + n * SECONDS * 90_000
    data = ts.segment(start=start, counters=counters, pictures=15 * SECONDS)
    rows = [bytearray(data[at : at + ts.PACKET]) for at in range(0, len(data), ts.PACKET)]
    sound = [row for row in rows if (row[1] & 0x1F) << 8 | row[2] == ts.AUDIO]
    begins = [*(k for k, row in enumerate(sound) if row[1] & 0x40), len(sound)]
    gone = sound[begins[silent[0]] : begins[silent[1]]]
    for row in (row for row in sound if row not in gone):
        row[3] = row[3] & 0xF0 | counter
        counter = (counter + 1) & 15
    counters[ts.AUDIO] = counter
    return b"".join(row for row in rows if row not in gone)


@pytest.mark.parametrize(
    ("number", "silent", "least"),
    [
        pytest.param(6, (2, -3), 100, id="inside a segment"),
        pytest.param(6, (2, -1), 150, id="up to the next segment"),
        pytest.param(8, (2, -1), 150, id="up to the end"),
    ],
)
def test_sound_that_pauses_is_filled_as_it_is_of_the_plan(tmp_path, fake, number, silent, least):
    counters, segments = {}, []
    for n in range(9):
        data = spoken(n, counters, silent if n == number else (0, 0))
        one = local(tmp_path / f"{n}.ts", data)
        segments.append(replace(one, slot=replace(one.slot, duration=float(SECONDS))))
    plan = timeline.plan(slots_of(segments))
    # nobody spoke: nothing is lost where sound goes on
    unhurt = [replace(p, torn=frozenset(), whole=frozenset()) for p in plan.placed[:-1]]
    plan = replace(plan, placed=(*unhurt, plan.placed[-1]))
    ffmpeg = fake(KEEP)
    usual = mux.convert(plan, segments, ffmpeg, WANTED, output=tmp_path / "o", progress=nobody)
    fed = (tmp_path / "o").read_bytes()
    made = Taken(segments, ffmpeg, tmp_path / "o", seconds=SECONDS).made(segments, plan)
    assert made is not None
    assert told(made) == told(usual)
    assert (tmp_path / "o").read_bytes() == fed
    assert sum(s.filled for s in made.expected[1]) > least


def test_first_segments_of_which_no_plan_can_be_foreseen_begin_nothing(segments, fake, tmp_path):
    order = [segments[n] for n in (1, 0, 2, 3, 4, 5)]
    taken = Taken(order, fake(KEEP), tmp_path / "o")
    assert taken.ahead.output is None
    assert taken.made(order) is None


def test_first_segments_with_a_stamp_that_is_not_believed_begin_nothing(segments, fake, tmp_path):
    slot = segments[1].slot
    video = slot.scan.streams[ts.VIDEO]
    pts = np.where(np.arange(len(video.pts)) == 7, video.pts + (1 << 22), video.pts)
    streams = {**slot.scan.streams, ts.VIDEO: replace(video, pts=pts)}
    segments[1] = replace(segments[1], slot=replace(slot, scan=replace(slot.scan, streams=streams)))
    taken = Taken(segments, fake(KEEP), tmp_path / "o")
    assert taken.ahead.output is None


def test_what_gets_pictures_put_in_is_made_again(segments, fake, tmp_path):
    taken = Taken(segments, fake(KEEP), tmp_path / "o")
    plan = timeline.plan(slots_of(segments))
    own = np.array([plan.placed[0].first(ts.VIDEO) - 6000])
    unit = b"\0\0\0\1\x65\x88\x84"
    made, fills = {ts.VIDEO: EncodedUnits((unit,))}, (Fill(ts.VIDEO, 0, own, own),)
    with closing(taken.ahead):
        assert taken.made(segments, plan, fills=fills, made=made) is None
    assert len(taken.converted.expected[0]) == len(segments) + 1


def test_the_file_is_proven_as_soon_as_it_is_there(segments, fake, tmp_path):
    taken = Taken(segments, fake(KEEP), tmp_path / "o")
    taken.ahead._pass._proof.result(timeout=10)
    assert taken.made(segments)
    assert taken.proof == ((tmp_path / "o").stat().st_size, 2)


def test_the_file_is_there_before_it_is_proven(segments, fake, tmp_path, monkeypatch):
    looked = threading.Event()

    def slow(path, made, progress):
        assert looked.wait(10)
        return proof(path, made, progress)

    proof = proven
    monkeypatch.setattr("tests.stages.mux.test_ahead.proven", slow)
    taken = Taken(segments, fake(KEEP), tmp_path / "o")
    plan = timeline.plan(slots_of(segments))
    made = mux.convert(
        *(plan, segments, taken.ffmpeg, WANTED),
        output=tmp_path / "o",
        progress=nobody,
        ahead=taken.ahead,
    )
    assert taken.ahead.proof_of(replace(made)) is None
    looked.set()
    assert taken.ahead.proof_of(made) == ((tmp_path / "o").stat().st_size, 2)
    assert not run._running


def test_what_could_not_be_proven_has_no_proof(segments, fake, tmp_path, monkeypatch):
    def gone(path, made, progress):
        raise FileNotFoundError(path)

    monkeypatch.setattr("tests.stages.mux.test_ahead.proven", gone)
    taken = Taken(segments, fake(KEEP), tmp_path / "o")
    assert taken.made(segments)
    assert taken.proof is None
    assert not run._running


def test_nobody_reads_to_its_end_what_nobody_wants(segments, fake, tmp_path, monkeypatch):
    begun, ended = threading.Event(), []

    def slow(path, made, progress):
        begun.set()
        try:
            while True:
                progress("verify", 1)
                time.sleep(0.01)
        except MuxingError:
            ended.append(path)
            raise

    monkeypatch.setattr("tests.stages.mux.test_ahead.proven", slow)
    taken = Taken(segments, fake(KEEP), tmp_path / "o")
    assert begun.wait(10)
    taken.ahead.close()
    assert ended == [tmp_path / "o"]


def test_another_end_is_another_file(segments, fake, tmp_path):
    """Silence would reach to another place."""
    taken = Taken(segments, fake(KEEP), tmp_path / "o")
    plan = timeline.plan(slots_of(segments))
    longer = replace(plan.placed[-1].slot.scan.streams[ts.AUDIO], tail=99)
    scan = plan.placed[-1].slot.scan
    scan = replace(scan, streams={**scan.streams, ts.AUDIO: longer})
    last = replace(plan.placed[-1], slot=replace(plan.placed[-1].slot, scan=scan))
    assert taken.made(segments, replace(plan, placed=(*plan.placed[:-1], last))) is None


@pytest.mark.parametrize("together", [1, 700_000, 4 << 20])
def test_nothing_is_read_over_what_ffmpeg_has_not_taken(tmp_path, fake, monkeypatch, together):
    """It is slow at first, and so much waits for it; whatever is read in one row."""
    monkeypatch.setattr(in_folder, "TOGETHER", together)
    source, counters = tmp_path / "source", {}
    source.mkdir()
    made = []
    for n in range(40):
        data = ts.segment(start=ts.START + n * 90_000, counters=counters, size=20_000)
        one = local(source / f"{n:02}.ts", data)
        made.append(replace(one, slot=replace(one.slot, duration=1.0)))
    plan = timeline.plan(slots_of(made))
    files = plan, made, fake(KEEP), WANTED
    mux.convert(*files, output=tmp_path / "usual", progress=nobody)
    taken = Taken([], fake(f"sleep 1; {KEEP}"), tmp_path / "o")
    taken.ahead = Ahead(
        taken.ffmpeg,
        WANTED,
        place=lambda: tmp_path / "o",
        promised=[1.0] * len(made),
        progress=nobody,
        prove=proven,
    )

    def look(first, founds, streams):
        taken.ahead.take(made[first : first + len(founds)], streams)

    storage = LocalStorage(source)
    in_folder.scan_in_place(list(storage.list()), storage, nobody, look=look)
    assert taken.made(made).expected
    assert (tmp_path / "o").read_bytes() == (tmp_path / "usual").read_bytes()
