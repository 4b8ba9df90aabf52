"""Short recordings in processes: the same files and verdicts, whatever dies."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from pipeline.choices import Format
from pipeline.jobs.executors import processes
from pipeline.jobs.executors.processes import Handful, carry_out, convert_all
from pipeline.jobs.limits.budget import Budget
from pipeline.jobs.many import aim, find
from pipeline.jobs.many import convert_all as in_threads
from pipeline.jobs.options import Options
from pipeline.jobs.output.destinations import destination
from pipeline.jobs.output.naming import Listings
from pipeline.model import Report, Verdict
from pipeline.storage.locations import open_storage
from tests.jobs import short

ROOT = Path(__file__).parents[3]
ENDS = 20  # seconds in which everything is over


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    return short.made(tmp_path_factory.mktemp("short"))


@pytest.fixture
def worth_it(monkeypatch):
    """However few there are, on a machine with two processors."""
    monkeypatch.setattr(processes, "LEAST", 2)
    monkeypatch.setattr(processes.os, "cpu_count", lambda: 2)


@pytest.fixture
def pools(monkeypatch):
    """How many processes each time."""
    seen = []
    real = processes._pool
    monkeypatch.setattr(processes, "_pool", lambda count: seen.append(count) or real(count))
    return seen


def works(sources, out):
    found, _ = find([str(sources)], open_storage)
    aimed, refused = aim(found, destination(f"{out}/", Format.MP4, open_storage))
    assert not refused
    return aimed


def options(out, **chosen):
    return Options(spool=out.parent / "spool", **chosen)


def test_the_same_as_in_threads(sources, tmp_path, ffmpeg, worth_it, pools):
    told = {}
    for name, convert in (("threads", in_threads), ("processes", convert_all)):
        out = tmp_path / name
        made = convert(works(sources, out), ffmpeg, options(out), jobs=2)
        told[name] = {x.recording: short.comparable(x) for x in made}
    assert pools == [2]
    assert len(told["threads"]) == short.COUNT
    assert told["processes"] == told["threads"]
    files = [sorted(x.name for x in (tmp_path / n).iterdir()) for n in told]
    assert files[0] == files[1]


def test_a_second_run_hands_over_what_is_not_finished(
    sources, tmp_path, ffmpeg, worth_it, monkeypatch
):
    out, handed = tmp_path / "out", []
    first = list(convert_all(works(sources, out), ffmpeg, options(out), jobs=2))
    made = {x.recording: x.sha256 for x in first if isinstance(x, Report) and x.made}
    real = processes.in_flight

    def noted(handfuls, *given):
        handed.extend(task.recording.id for handful in handfuls for task in handful.tasks)
        return real(handfuls, *given)

    monkeypatch.setattr(processes, "in_flight", noted)
    again = list(convert_all(works(sources, out), ffmpeg, options(out), jobs=2))
    assert made
    assert sorted(handed) == sorted({x.recording for x in first} - {*made})
    assert {x.recording: x.sha256 for x in again if x.recording in made} == made
    assert not any(isinstance(x, Report) and x.made for x in again)


@pytest.mark.parametrize(
    "how",
    [
        pytest.param({"jobs": 1}, id="one at a time"),
        pytest.param({"jobs": 2, "budget": Budget(3)}, id="a limited number"),
        pytest.param({"jobs": 2, "encodes": 1}, id="a limit of its own for encoding"),
    ],
)
def test_what_a_process_could_not_keep_to(sources, tmp_path, ffmpeg, worth_it, pools, how):
    out = tmp_path / "out"
    made = list(convert_all(works(sources, out), ffmpeg, options(out), **how))
    assert len(made) >= 3
    assert pools == []


def test_few_are_not_worth_it(sources, tmp_path, ffmpeg, monkeypatch, pools):
    monkeypatch.setattr(processes.os, "cpu_count", lambda: 2)
    out = tmp_path / "out"
    assert len(list(convert_all(works(sources, out), ffmpeg, options(out), jobs=2))) == short.COUNT
    assert pools == []


def test_long_ones_stay_here(sources, tmp_path, ffmpeg, worth_it, monkeypatch):
    out, seen = tmp_path / "out", []
    monkeypatch.setattr(processes, "SHORT", 100_000)
    real = processes.in_threads

    def noted(tasks, *given, **how):
        seen.extend(task.recording.id for task in tasks)
        return real(tasks, *given, **how)

    monkeypatch.setattr(processes, "in_threads", noted)
    given = works(sources, out)
    sizes = {
        task.recording.id: sum(o.size for o in task.recording.parts[0].objects.values())
        for task in given
    }
    assert len(list(convert_all(given, ffmpeg, options(out), jobs=2))) == short.COUNT
    assert sorted(seen) == sorted(id for id, size in sizes.items() if size > 100_000)
    assert 0 < len(seen) < short.COUNT


def test_recordings_of_users_stay_here(sources, tmp_path):
    """Their segments lie in the recordings of their streams."""
    (first, *others) = works(sources, tmp_path / "out")
    user = replace(first, recording=replace(first.recording, streams=(first.recording,)))
    handed = dict(processes._short([user, *others], Listings()))
    assert sorted(handed) == [*range(1, short.COUNT)]


def test_what_a_recording_is_handed_over_with(tmp_path):
    """What is named after it, and what its playlist names otherwise, of a folder of thousands."""
    folder = tmp_path / "all"
    for number, kind in enumerate(short.KINDS):
        short.copied(kind, tmp_path / "one" / str(number), number + 1)
    folder.mkdir()
    for path in (tmp_path / "one").rglob("*.*"):
        path.rename(folder / path.name)
    listed = next(folder.glob(f"{1:032x}*.m3u8"))
    named = sorted(folder.glob(f"{1:032x}*.ts"))[0]
    named.rename(folder / "other.ts")
    listed.write_text(listed.read_text().replace(named.name, "other.ts"))
    out = tmp_path / "out"
    for task in works(folder, out):
        own = processes._alone(task, Listings()).parts[0]
        stem = f"{task.recording.sid}_"
        assert {*own.objects} == {p.name for p in folder.iterdir() if p.name.startswith(stem)}
        assert own.objects["other.ts"].size == (folder / "other.ts").stat().st_size


def test_an_error_comes_back_as_what_it_is(sources, tmp_path, ffmpeg):
    out = tmp_path / "out"
    given = works(sources, out)[:2]
    gone = [replace(task, source=open_storage(str(tmp_path))[0]) for task in given]
    chosen = {"spool": tmp_path / "spool"}
    answers = carry_out(Handful(tuple(gone), ffmpeg, chosen))
    assert len(answers) == 2
    assert [answer.outcome.recording for answer in answers] == [t.recording.id for t in gone]
    assert not any(isinstance(answer.outcome, Report) for answer in answers)


def nothing_else(out):
    """Results, and at most what killed processes could not remove, which later runs do."""
    others = [p.name for p in out.iterdir() if p.suffix not in (".mp4", ".json")]
    return not any(is_alive(int(name.split("-")[1])) for name in others)


def children(pid):
    """Processes that this one began, by number."""
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        found += [int(word) for word in path.read_text().split()]
    return found


def test_a_process_that_dies_loses_nothing(sources, tmp_path, ffmpeg, worth_it, monkeypatch):
    """Killed by whoever runs out of memory: what it had in hand is done in this process."""
    out, killed = tmp_path / "out", []
    real = processes.in_flight

    def killing(handfuls, begin, end, most):
        for ended in real(handfuls, begin, end, most):
            yield ended
            for pid in children(os.getpid()) if not killed else ():
                command = Path(f"/proc/{pid}/cmdline").read_bytes()
                if b"spawn_main" in command:
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)

    monkeypatch.setattr(processes, "in_flight", killing)
    monkeypatch.setattr(processes, "MOST", 2)
    made = list(convert_all(works(sources, out), ffmpeg, options(out), jobs=2))
    assert killed
    assert sorted({x.recording for x in made}) == sorted(x.recording for x in made)
    assert len(made) == short.COUNT
    assert sum(isinstance(x, Report) and x.verdict is Verdict.OK for x in made) >= 3
    assert nothing_else(out)


def test_leaving_ends_them(sources, tmp_path, ffmpeg, worth_it, monkeypatch):
    monkeypatch.setattr(processes, "MOST", 2)
    out = tmp_path / "out"
    ended = convert_all(works(sources, out), ffmpeg, options(out), jobs=2)
    next(ended)
    begin = time.monotonic()
    ended.close()
    assert time.monotonic() - begin < 5
    commands = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children(os.getpid())]
    assert not [c for c in commands if b"spawn_main" in c]
    assert nothing_else(out)


def at_work(begun):
    """In a process: work that goes on until it is told to stop; whether it was."""
    Path(begun).touch()
    end = time.monotonic() + ENDS
    while time.monotonic() < end:
        try:
            processes._until_stopped("convert", 1)
        except KeyboardInterrupt:
            return True
        time.sleep(0.01)
    return False


def test_work_in_hand_is_told_that_it_is_no_longer_wanted(tmp_path):
    with processes._pool(1) as pool:
        working = pool.submit(at_work, str(tmp_path / "begun"))
        while not (tmp_path / "begun").exists():
            time.sleep(0.01)
    assert working.result() is True


def interrupted():
    """In a process: whether it goes on when a terminal interrupts it."""
    os.kill(os.getpid(), signal.SIGINT)
    return signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()


def test_an_interrupt_from_a_terminal_is_for_the_command_alone():
    """What a process starts can be interrupted again: nothing is blocked."""
    with processes._pool(1) as pool, processes._uninterrupted():
        assert pool.submit(interrupted).result(ENDS) is True


@pytest.fixture
def crowd(tmp_path):
    """As many as are worth processes."""
    for number in range(processes.LEAST + 8):
        short.copied(short.KINDS[0], tmp_path / "crowd" / str(number), number + 1)
    return tmp_path / "crowd"


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="platform: one processor")
@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT])
def test_the_command_takes_them_with_it(crowd, tmp_path, stop):
    """Whatever ends it; and the next run does what is left."""
    out = tmp_path / "out"
    argv = [sys.executable, "-m", "pipeline", "convert", str(crowd), "-o", f"{out}/", "--jobs", "2"]
    given = {"cwd": ROOT, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    spool = ["--spool", str(tmp_path / "spool")]
    run = subprocess.Popen([*argv, *spool], **given, start_new_session=True)
    until = time.monotonic() + ENDS
    while not list(out.glob("*.mp4")) and time.monotonic() < until:
        time.sleep(0.01)
    workers = [p for p in children(run.pid) if is_alive(p)]
    assert workers
    if stop is signal.SIGINT:  # as a terminal sends it: to all of them
        os.killpg(run.pid, stop)
    else:
        run.send_signal(stop)
    _, said = run.communicate(timeout=ENDS)
    assert run.returncode == (-9 if stop is signal.SIGKILL else 130)
    assert b"Traceback" not in said
    until = time.monotonic() + 5
    while any(map(is_alive, workers)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(map(is_alive, workers))
    again = subprocess.run([*argv, "--json"], **given, check=False, timeout=120)
    told = [json.loads(line) for line in again.stdout.splitlines()]
    assert again.returncode == 0, again.stderr
    assert len(told) == processes.LEAST + 8
    assert {one["verdict"] for one in told} == {"ok"}
    assert nothing_else(out)


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_recordings_of_one_id_are_told_apart(tmp_path, ffmpeg):
    """They lie in different folders, and a template gives each a name of its own."""
    tasks = []
    for number, fault in enumerate((None, short.lacking)):
        short.copied(short.KINDS[0], tmp_path / str(number), 1, fault)
        tasks += works(tmp_path / str(number), tmp_path / f"out{number}")
    assert len({task.recording.id for task in tasks}) == 1
    answers = carry_out(Handful(tuple(tasks), ffmpeg, {"spool": tmp_path / "spool"}))
    assert [answer.outcome.verdict for answer in answers] == [Verdict.OK, Verdict.DEGRADED]
