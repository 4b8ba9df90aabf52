"""How far a command is, counted from what stages report, and where it is shown."""

import json
import os
import pty
import re
import subprocess
import sys
from contextlib import suppress

import pytest
from msgspec.structs import replace

from pipeline.cli import progress
from pipeline.cli.progress import Meter, of_number, of_recordings
from pipeline.jobs.many import Task
from pipeline.jobs.output.destinations import Target
from pipeline.model import Part, Recording, Report, StoredObject, Verdict
from pipeline.storage.local import LocalStorage
from tests.cli.conftest import ROOT, SAMPLES
from tests.shelf import Shelf

SHOWN = {"format": "mp4", "progress": "auto", "json": False, "quiet": False}


class Clock:
    """Goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def task(id: str, size: int) -> Task:
    objects = {
        name: StoredObject(name, length, None, modified=0.0)
        for name, length in ((f"{id}_1.ts", size), (f"{id}.mp4", 10**9), ("other.ts", 10**9))
    }
    parts = (Part(None, "", objects),)
    return Task(Recording(id, f"/in/{id}.m3u8", parts), LocalStorage(SAMPLES))


def ended(work: Task) -> Report:
    return Report(work.recording.id, work.recording.source, Verdict.OK)


def metered(*sizes: int, every: float = 10.0, passes: int = 2, prompt: bool = False):
    """Some recordings, what counts them, its clock, and what was shown of them."""
    shown, clock = [], Clock()
    works = [task(f"r{n}", size) for n, size in enumerate(sizes)]
    told = dict(progress._sizes(works))
    meter = Meter(
        *(shown.append, every),
        total=len(works),
        sizes=told,
        passes=passes,
        prompt=prompt,
        clock=clock,
    )
    return works, meter, clock, shown


def test_only_media_of_a_recording_itself_counts():
    works = [task("a", 700), task("ab", 50)]
    assert [size for _, size in progress._sizes(works)] == [700, 50]


def test_a_byte_that_is_read_twice_counts_once():
    (work,), meter, clock, shown = metered(1000)
    report = meter.watch(work)
    clock.now += 10
    report("inspect", 1000)
    clock.now += 10
    report("convert", 500)
    assert [(one.done, one.parts[0].stage) for one in shown] == [(500, "inspect"), (750, "convert")]
    assert (shown[1].rate, shown[1].left) == (37.5, pytest.approx(250 / 37.5))


def test_it_is_shown_every_so_often_and_not_with_each_segment():
    (work,), meter, clock, shown = metered(1000)
    report = meter.watch(work)
    for _ in range(100):
        clock.now += 1
        report("inspect", 2)
    assert [one.seconds for one in shown] == [*range(10, 101, 10)]


def test_no_recording_is_ever_more_than_done():
    (work,), meter, _, shown = metered(1000, every=0)
    report = meter.watch(work)
    for _ in range(9):
        report("inspect", 400)
    assert shown[-1].share == 1.0


def test_it_moves_while_it_is_re_encoded():
    (work,), meter, clock, shown = metered(1000)
    report = meter.watch(work)
    report("inspect", 1000)
    for _ in range(4):
        clock.now += 10
        report("reencode", 250)
    report("convert", 1000)
    clock.now += 10
    report("verify", 0)
    assert [(one.parts[0].stage, one.done) for one in shown] == [
        ("reencode", 562.5),
        ("reencode", 625.0),
        ("reencode", 687.5),
        ("reencode", 750.0),
        ("verify", 1000.0),
    ]


def test_what_was_done_before_is_no_speed():
    works, meter, clock, shown = metered(1000, 3000, 1000, prompt=True)
    report = meter.watch(works[0])
    meter.watch(works[1])
    clock.now += 5
    report("inspect", 1000)
    meter.done(ended(works[1]))
    assert (shown[-1].done, shown[-1].rate, shown[-1].finished) == (3500, 100, 1)
    assert shown[-1].left == 15
    meter.done(ended(works[0]))
    assert (shown[-1].done, shown[-1].parts) == (4000, ())


def test_what_is_found_one_after_the_other_has_sizes_of_its_own():
    shown, clock = [], Clock()
    meter = Meter(shown.append, 0.0, noun="bags", total=None, clock=clock)
    meter.begin("a", 1000, 2)
    clock.now += 10
    meter.report("copy", 1000)
    assert (shown[-1].parts[0].share, shown[-1].amount, shown[-1].left) == (0.5, "500 bytes", None)
    meter.report("publish", 600)
    meter.counted()
    meter.begin("b", 4000, 1)
    meter.report("copy", 1000)
    last = shown[-1]
    assert [(one.name, one.share) for one in last.parts] == [("b", 0.25)]
    assert (last.finished, last.done, last.share) == (1, 2000, 0.0)
    assert last.line == "1 bag, 2.0 kB, 180 bytes/s; b copy 25%"


def test_those_who_want_lines_are_not_told_of_each_that_is_done():
    works, meter, _, shown = metered(1, 1, 1, every=30)
    for work in works:
        meter.watch(work)("inspect", 1)
        meter.done(ended(work))
    assert shown == []


@pytest.mark.parametrize(
    ("chosen", "terminals", "term", "way"),
    [
        ({}, "out err", "xterm", "bars"),
        ({}, "err", "xterm", "bars"),
        ({}, "out err", "dumb", "plain"),
        ({}, "out", "xterm", "plain"),
        ({"json": True}, "err", "xterm", "bars"),
        ({"json": True}, "out err", "xterm", "none"),
        ({"quiet": True}, "out err", "xterm", "none"),
        ({"quiet": True, "progress": "json"}, "", "xterm", "json"),
        ({"progress": "plain"}, "out err", "xterm", "plain"),
        ({"progress": "none"}, "out err", "xterm", "none"),
    ],
)
def test_bars_are_for_terminals(monkeypatch, chosen, terminals, term, way):
    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: "out" in terminals)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: "err" in terminals)
    assert progress._way({**SHOWN, **chosen}) == way


def test_lines_of_json_are_for_programs(capsys):
    work = task("a", 1000)
    with of_recordings([work], {**SHOWN, "progress": "json"}) as meter:
        meter.watch(work)("inspect", 1500)
        meter.done(ended(work))
    (line,) = map(json.loads, capsys.readouterr().err.splitlines())
    assert (line["event"], line["finished"], line["total"], line["share"]) == ("progress", 1, 1, 1)
    assert (line["bytes"], line["size"], line["now"]) == (1000, 1000, [])


def test_lines_are_for_people(capsys, monkeypatch):
    monkeypatch.setattr(progress, "PLAIN_EVERY", 0.0)
    work = task("a", 1000)
    with of_recordings([work], {**SHOWN, "progress": "plain"}) as meter:
        meter.watch(work)("inspect", 1500)
    assert re.fullmatch(
        r"recpipe: 50%, 500 bytes of 1\.0 kB, .+/s; a inspect 50%\n",
        capsys.readouterr().err,
    )


def test_what_has_no_size_is_counted(capsys):
    told = {**SHOWN, "progress": "json"}
    assert list(of_number("abc", 3, "bags", told)) == ["a", "b", "c"]
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(one["finished"], one["share"], one["unit"]) for one in lines] == [
        (1, 0.3333, "bags"),
        (2, 0.6667, "bags"),
        (3, 1.0, "bags"),
    ]


def test_what_nobody_has_counted_has_no_end(capsys):
    list(of_number("ab", None, "bags", {**SHOWN, "progress": "json"}))
    last = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert (last["finished"], last["total"], last["seconds_left"]) == (2, None, None)


def test_a_command_says_how_far_it_is_and_results_stay_apart(recpipe):
    done = recpipe("check", SAMPLES, "--json", "--progress", "json")
    told = [json.loads(line) for line in done.err.splitlines()]
    assert {line["event"] for line in told} == {"progress"}
    assert told[-1]["finished"] == told[-1]["total"] == len(done.lines) > 1
    assert told[-1]["bytes"] == told[-1]["size"] > 100_000


def test_it_is_told_how_much_of_a_result_is_sent_to_a_store(recpipe, weed, monkeypatch):
    monkeypatch.setattr(progress, "JSON_EVERY", 0.0)
    source = SAMPLES / "composite"
    to = f"s3://{weed.new_bucket()}/out/"
    args = ("convert", source, "-o", to, "--json", "--progress", "json")
    done = recpipe(*args, env=weed.environment)
    told = [json.loads(line) for line in done.err.splitlines()]
    sending = [now for line in told for now in line["now"] if now["stage"] == "publish"]
    assert sending[-1]["sent"] == done.line["size"] > 100_000
    assert sending[0]["bytes"] > sending[0]["size"] * 3 // 4
    assert told[-1]["share"] == 1


def test_a_result_in_a_folder_costs_no_pass_of_its_own():
    work = task("a", 1000)
    here = replace(work, target=Target(LocalStorage(SAMPLES), "a.mp4"))
    away = replace(work, target=Target(Shelf(), "a.mp4"))
    assert [progress._passes([one], SHOWN) for one in (work, here, away)] == [3, 3, 4]
    assert progress._passes([away], {**SHOWN, "format": "wav"}) == 3


def on_a_terminal(clean, *args: str, **env: str) -> str:
    """All that a command writes to a terminal."""
    ours, theirs = pty.openpty()
    argv = [sys.executable, "-m", "pipeline", *args]
    here = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "80", **env}
    here = {name: value for name, value in here.items() if value}
    process = subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs, env=here)
    os.close(theirs)
    written = b""
    with suppress(OSError):  # the other end is closed
        while more := os.read(ours, 65536):
            written += more
    os.close(ours)
    assert process.wait() == 0
    return written.decode()


COLOURS = re.compile(r"\x1b\[[0-9;]*(3[0-7]|38;5;\d+|9[0-7])m")


@pytest.mark.parametrize(
    ("env", "coloured"), [({"NO_COLOR": ""}, True), ({"NO_COLOR": "1"}, False)]
)
def test_bars_have_colours_unless_nobody_wants_any(clean, env, coloured):
    shown = on_a_terminal(clean, "check", str(SAMPLES), **env)
    assert f"of {len(list(SAMPLES.glob('*/*.m3u8')))} recordings" in shown
    assert "━" in shown
    assert bool(COLOURS.search(shown)) == coloured


def test_without_a_terminal_nothing_is_drawn_and_rich_is_not_imported(clean):
    code = (
        "import sys\nfrom pipeline.cli.app import cli\n"
        f"try: cli.main(['check', {str(SAMPLES / 'audio_only')!r}])\nexcept SystemExit: pass\n"
        "assert 'rich' not in sys.modules"
    )
    argv = [sys.executable, "-c", code]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
