"""Failover parts and every fault: what the package says of them, against the truth."""

import json
import os
import random
import subprocess
from pathlib import Path

import pytest
from msgspec.structs import replace

from pipeline.errors import UsageError
from pipeline.jobs import one
from pipeline.jobs.options import Options
from pipeline.jobs.output.destinations import Target
from pipeline.model import Verdict
from pipeline.simulator.faults.catalogue import FAULTS, PARTS, SLICE, parse
from pipeline.simulator.recorder.material import Look
from pipeline.simulator.recorder.mux import muxed
from pipeline.simulator.recorder.publish import Shelf, publish
from pipeline.simulator.recorder.values import HZ
from pipeline.simulator.recording import RecordingOrder, simulate
from pipeline.simulator.truth import losses
from pipeline.stages.discover import discover
from pipeline.storage.local import LocalStorage
from pipeline.storage.s3.store import S3Storage
from tests import recordings as r

MOMENT = 0.1  # seconds that lost_seconds and the duration may be off
TWO_MOMENTS = 0.15  # behind each break a picture more may be torn
ROUNDS = int(os.environ.get("RECPIPE_TEST_ROUNDS", "24"))
SMALL = Look(160, 96)
KINDS = [("video", "audio"), ("audio",), ("video",)]
LENGTHS = (0.1, 0.3, 0.5, 1, 2, 4, 6.7, 12, 30)

# Clocks that contradict the names of the slices; beside a hole its length is not told right.
LYING = {"overlap_2s", "clock_step", "ts_reset", "av_drift_1pct"}
# Of another kind than the parts beside it: no transport stream, no name, with decoding times.
APART = ("huge_playlist", "webm", "packed_audio", "playlist_renamed")
APART += ("flipped_dts", "dts_repeats", "dts_back_a_frame")
# A stream that comes or goes beside a hole: whether it was in there nobody can tell.
COMING = {f.name for f in FAULTS if f.name.startswith("late_") or f.name.endswith("_early")}
COMING |= {"audio_pauses", "audio_never"}


def stored(made, folder: Path) -> Path:
    folder.mkdir()
    publish(Shelf(LocalStorage(folder)), made.parts)
    return folder


def asked(seed: int) -> tuple[RecordingOrder, list[str]]:
    """A recording of several parts, with up to three faults anywhere; always the same."""
    dice = random.Random(f"parts {seed}")
    bak = dice.choice([1, 1, 2, 2, 3])
    slice = dice.choice([2, 3, 5, 8, 15])
    slices = dice.randint(2 * (bak + 1), 5 * (bak + 1))
    seconds = min(slice * slices, 150) + dice.choice([0, 0, 1, 0.5])
    known = [f for f in FAULTS if f.name not in APART]
    texts = [_text(fault, bak, dice) for fault in dice.sample(known, dice.choice([0, 1, 1, 2, 3]))]
    if dice.random() < 0.3:
        meeting = dice.choice(["bak_gap", "bak_overlap"])
        texts.append(f"{meeting}:{dice.choice(LENGTHS)}@{dice.choice(PARTS[1 : bak + 1])}")
    look = replace(SMALL, fps=dice.choice([10, 15, 24, 25, 30]))
    streams = dice.choice([KINDS[0], *KINDS])
    faults = tuple(map(parse, texts))
    order = RecordingOrder(seconds, look=look, slice=slice, streams=streams, bak=bak, faults=faults)
    return order, texts


def _text(fault, bak: int, dice: random.Random) -> str:
    if fault.name in ("bak_gap", "bak_overlap"):
        return f"{fault.name}:{dice.choice(LENGTHS)}"
    argument = ""
    if fault.argument == SLICE and dice.random() < 0.6:
        argument = f":{dice.randint(-1, 3)}"
    where = dice.choice(PARTS[: bak + 1])
    return f"{fault.name}{argument}@{where}"


def inside(parts) -> bool:
    """One part lies wholly inside older ones: what it could mend in them stays as it is."""
    ends = [0]
    for part in parts:
        last = part.segments[-1]
        if last.begin + last.length <= max(ends):
            return True
        ends.append(last.begin + last.length)
    return False


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_faults_in_any_part(ffmpeg, tmp_path, seed):
    order, texts = asked(seed)
    try:
        made = simulate(order, ffmpeg)
    except UsageError:  # these exclude each other, or leave a part nothing
        return
    report = r.check(stored(made, tmp_path / "recording"))
    said = f"{texts} {order}\ntruth {made.as_json()}\n{r.said(report)}"
    lost = any(made.truth.lost_seconds.values())
    names = {wanted.fault.name for wanted in order.faults}
    if lost and not made.unseen:
        assert report.verdict not in (Verdict.OK, Verdict.REPAIRED), said
    if made.unseen or (lost and names & (LYING | COMING)):
        return
    if inside(made.parts) and len(names) > 1:
        return
    assert report.verdict in made.verdicts, said
    if report.verdict in (Verdict.PENDING, Verdict.REJECTED):
        return
    moment = TWO_MOMENTS if lost else MOMENT
    for stream, seconds in made.truth.lost_seconds.items():
        assert report.lost_seconds[stream] == pytest.approx(seconds, abs=moment), said
    begins = min(s.begin for part in made.parts for s in part.segments)
    if not any(loss.start * HZ <= begins + HZ for loss in made.truth.losses):
        assert report.duration == pytest.approx(made.truth.duration, abs=moment), said


# How parts meet: frame by frame

MEETINGS = [
    *(pytest.param(f"bak_overlap:{n}", 2, 30, id=f"overlap of {n} s") for n in (0.1, 0.5, 3, 7)),
    *(pytest.param(f"bak_gap:{n}", 2, 40, id=f"gap of {n} s") for n in (0.1, 1, 6.3)),
    pytest.param("bak_gap:30", 1, 80, id="gap of 30 s"),
    pytest.param("bak_overlap:30", 1, 62, id="overlap of 30 s"),
    pytest.param("bak_overlap:9@bak0 bak_gap:1.5@bak1", 3, 40, id="overlap, gap and neither"),
    pytest.param("bak_overlap:12 bak_killed", 2, 30, id="three parts at once"),
    pytest.param("bak_overlap:20@bak0", 3, 20, id="a part inside another"),
    pytest.param("bak_overlap:1", 3, 12, id="parts of one slice"),
]


def units_of(parts) -> dict[str, dict[int, bytes]]:
    """Every unit that anybody recorded, by stream and time."""
    found: dict[str, dict[int, bytes]] = {}
    for part in parts:
        for unit in losses.survivors(part):
            found.setdefault(unit.stream, {})[unit.time] = unit.data
    return found


def played(report, ffmpeg, kind: str) -> list[tuple[float, str]]:
    samples = r.recorded(r.samples(Path(report.output), ffmpeg))
    return sorted((s.pts, s.digest) for s in samples if s.kind == kind)


def chapters(report, ffmpeg) -> list[tuple[float, str]]:
    argv = [str(ffmpeg.ffprobe), "-v", "error", "-of", "json", "-show_chapters", report.output]
    done = subprocess.run(argv, env=ffmpeg.env or None, capture_output=True, check=True)
    found = json.loads(done.stdout)["chapters"]
    return [(float(c["start_time"]), c["tags"]["title"]) for c in found]


@pytest.mark.parametrize(
    "streams", KINDS if "RECPIPE_TEST_ROUNDS" in os.environ else KINDS[:1], ids=" and ".join
)
@pytest.mark.parametrize(("texts", "bak", "seconds"), MEETINGS)
def test_parts_that_meet(ffmpeg, tmp_path, texts, bak, seconds, streams):
    """One MP4, as long as the truth to one unit, no unit twice and none at a wrong time."""
    faults = tuple(map(parse, texts.split()))
    order = RecordingOrder(seconds, look=SMALL, slice=5, streams=streams, bak=bak, faults=faults)
    made = simulate(order, ffmpeg)
    folder = stored(made, tmp_path / "recording")
    report = r.convert(folder, tmp_path / "out", ffmpeg)
    said = f"truth {made.as_json()}\n{r.said(report)}"
    assert report.verdict in made.verdicts, said
    assert report.proof.holds, said
    unit = HZ / SMALL.fps if "video" in streams else 1024 / 48000 * HZ
    assert report.duration == pytest.approx(made.truth.duration, abs=unit / HZ), said
    for stream, lost in made.truth.lost_seconds.items():  # a part ends with a whole unit
        assert report.lost_seconds[stream] == pytest.approx(lost, abs=bak * unit / HZ), said
    held = units_of(made.parts)
    first = min(min(times) for times in held.values())
    # sound alone is cut at any time: its names tell where a part belongs to one frame
    most = 0 if "video" in streams else bak
    for stream in streams:
        found, whole = played(report, ffmpeg, stream), _digests(made, stream)
        wanted = [(time - first, whole[time]) for time in sorted(whole)]
        once = _without_twins(found)
        assert len(found) - len(once) <= most, said
        assert [digest for _, digest in once] == [digest for _, digest in wanted], said
        times = [time for time, _ in wanted]
        assert [pts for pts, _ in once] == pytest.approx(times, abs=unit), said
    _has_chapters(report, made, ffmpeg, unit)


@pytest.mark.parametrize("streams", KINDS[1:], ids=" and ".join)
def test_parts_of_one_stream_that_meet(ffmpeg, tmp_path, streams):
    test_parts_that_meet(ffmpeg, tmp_path, "bak_overlap:3@bak0 bak_gap:1@bak1", 2, 30, streams)


def _without_twins(found: list[tuple[float, str]]) -> list[tuple[float, str]]:
    """Without a unit that follows itself."""
    return [one for n, one in enumerate(found) if not n or one[1] != found[n - 1][1]]


def _digests(made, stream: str) -> dict[int, str]:
    """What an independent reader finds in the slices, by time; the same in every part."""
    found: dict[int, str] = {}
    for part in made.parts:
        files = [segment.data for segment in muxed(part).segments]
        units = [u for u in r.units(files) if u.kind == stream]
        times = [u.time for s in part.segments for u in s.units if u.stream == stream]
        for time, unit in zip(times, units, strict=True):
            assert found.setdefault(time, unit.digest) == unit.digest
    return found


def _has_chapters(report, made, ffmpeg, unit: float) -> None:
    """One where each part goes on that was not left out, and one for each hole."""
    told = chapters(report, ffmpeg)
    used = [f for f in report.findings if f.id == "PL_PARTS" and f.repair != "left out"]
    joins = [(at, title) for at, title in told if title.startswith("recording, bak")]
    assert len(joins) == len(used), told
    begins = {
        f"recording, {name}": min(u.time for s in part.segments for u in s.units) / HZ
        for name, part in zip(PARTS, made.parts, strict=False)
    }
    for at, title in joins:
        part = title.rpartition(", ")[0]  # and when
        assert at == pytest.approx(begins[part], abs=unit / HZ + 0.05), told
    holes = [title for _, title in told if title.startswith("lost")]
    assert bool(holes) is any(made.truth.lost_seconds.values()), told


@pytest.mark.parametrize(
    ("meeting", "seconds", "gap", "verdict"),
    [
        pytest.param("bak_overlap:1", 14, 0, Verdict.REPAIRED, id="overlap inside a slice"),
        pytest.param("bak_overlap:4", 14, 0, Verdict.REPAIRED, id="overlap of more than a slice"),
        pytest.param("", 12, 0, Verdict.REPAIRED, id="neither"),
        pytest.param("bak_overlap:12", 36, 0, Verdict.REPAIRED, id="overlap of many slices"),
        pytest.param("bak_gap:4", 16, 4, Verdict.DEGRADED, id="gap"),
    ],
)
def test_parts_of_webm_that_meet(ffmpeg, tmp_path, meeting, seconds, gap, verdict):
    """VP9 and Opus as they were recorded: of the older part all that lies before the newer one."""
    faults = tuple(map(parse, ["webm:vp9", "webm:vp9@bak0", *meeting.split()]))
    made = simulate(RecordingOrder(seconds, look=SMALL, slice=3, bak=1, faults=faults), ffmpeg)
    folder = stored(made, tmp_path / "recording")
    report = r.convert(folder, tmp_path / "out", ffmpeg)
    said = f"truth {made.as_json()}\n{r.said(report)}"
    assert report.verdict is verdict, said
    assert report.proof.holds, said
    assert [t.codec for t in report.tracks] == ["vp9", "opus"]
    begin = made.parts[1].segments[0].begin / HZ
    older, newer = (_stored_units(part, folder, ffmpeg) for part in made.parts)
    padding = {*older["last"], *newer["last"]}  # left out, but for one before a hole or the end
    kept = {"video": round((begin - gap) * SMALL.fps), "audio": None}
    for kind, count in kept.items():
        found = [one for _, one in played(report, ffmpeg, kind) if one not in padding]
        for part in (older, newer):
            part[kind] = [one for one in part[kind] if one not in padding]
        count = len(found) - len(newer[kind]) if count is None else count
        assert found == older[kind][:count] + newer[kind], said
        assert report.lost_seconds[kind] == pytest.approx(gap, abs=0.06), said
    joins = [at for at, title in chapters(report, ffmpeg) if title.startswith("recording, bak0")]
    assert joins == [pytest.approx(begin, abs=0.1)], said


def _stored_units(part, folder: Path, ffmpeg) -> dict[str, list[str]]:
    """Digests of what stands in the slices of one part, by an independent reader."""
    found: dict[str, list[str]] = {"video": [], "audio": [], "last": []}
    for segment in part.segments:
        for sample in r.samples(folder / segment.name, ffmpeg):
            found[sample.kind].append(sample.digest)
        found["last"].append(found["audio"][-1])
    return found


@pytest.mark.parametrize("store", ["weed"])
def test_parts_in_a_bucket(request, ffmpeg, tmp_path, store):
    """From s3:// the same MP4 as from a folder."""
    server = request.getfixturevalue(store)
    order = RecordingOrder(24, look=SMALL, slice=3, bak=2, faults=(parse("bak_overlap:4"),))
    made = simulate(order, ffmpeg)
    here = r.convert(stored(made, tmp_path / "recording"), tmp_path / "out", ffmpeg)
    bucket = server.new_bucket()
    source = S3Storage(bucket, "2026/", server.client)
    publish(Shelf(source), made.parts)
    (recording,) = discover(source, "")
    assert recording.source == f"s3://{bucket}/2026/{made.name}.m3u8"
    target = Target(S3Storage(bucket, "done/", server.client), f"{made.name}.mp4")
    options = Options(spool=tmp_path / "spool")
    report = one.process(recording, source, target, ffmpeg, options)
    assert report.verdict is here.verdict is Verdict.REPAIRED, r.said(report)
    assert report.proof.holds
    assert report.sha256 == here.sha256
    assert report.duration == pytest.approx(made.truth.duration, abs=1 / SMALL.fps)
    filled = {total.track: total.filled for total in report.account.tracks}
    assert {t.type: t.samples - filled[t.type] for t in report.tracks} == made.truth.samples


@pytest.mark.parametrize(
    ("faults", "seconds", "slice", "fps", "bak"),
    [
        pytest.param("seg_without_key", 16, 4, 10, 1, id="no key picture in front of the join"),
        pytest.param("seg_without_key", 60, 15, 10, 1, id="nor in one of two long slices"),
        pytest.param("seg_without_key@bak0", 16, 4, 10, 1, id="nor behind the join"),
        pytest.param("starts_without_key", 16, 8, 10, 1, id="none in the only slices"),
        pytest.param("starts_without_key", 9.5, 3, 25, 2, id="none in the only slice"),
        pytest.param("starts_without_key@bak0", 9.5, 3, 25, 2, id="nor in the only one between"),
        pytest.param(
            "starts_without_key bak_overlap:1", 8, 3, 25, 2, id="nor where its end is cut off"
        ),
        pytest.param("samplerate_change bak_overlap", 61, 15, 30, 1, id="another grid of sound"),
    ],
)
def test_what_stands_at_a_join_does_not_move_it(ffmpeg, tmp_path, faults, seconds, slice, fps, bak):
    """Nothing but the fault itself is lost, and nothing is added: less than any unit lasts."""
    wanted = tuple(map(parse, faults.split()))
    order = RecordingOrder(
        seconds, look=replace(SMALL, fps=fps), slice=slice, bak=bak, faults=wanted
    )
    made = simulate(order, ffmpeg)
    report = r.check(stored(made, tmp_path / "recording"))
    assert report.verdict in made.verdicts, r.said(report)
    assert report.lost_seconds == pytest.approx(made.truth.lost_seconds, abs=0.002), r.said(report)
    assert report.duration == pytest.approx(made.truth.duration, abs=0.002), r.said(report)


def test_a_key_picture_that_another_part_holds_is_not_lost(ffmpeg, tmp_path):
    """Without sound nothing but the other names tells when that slice began."""
    faults = (parse("seg_without_key"), parse("bak_overlap:2"))
    look = replace(SMALL, fps=30)
    order = RecordingOrder(24.5, look=look, slice=8, streams=("video",), bak=2, faults=faults)
    made = simulate(order, ffmpeg)
    report = r.check(stored(made, tmp_path / "recording"))
    assert report.verdict is Verdict.REPAIRED, r.said(report)
    assert report.lost_seconds == made.truth.lost_seconds == {"video": 0, "audio": 0}
    assert report.duration == pytest.approx(made.truth.duration, abs=0.002), r.said(report)
