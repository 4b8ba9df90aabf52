"""Real children that fail in every way a muxer can."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.errors import DiskFullError, FfmpegMissingError, MuxingError, RefusedError
from pipeline.muxing import run
from pipeline.muxing.run import KEPT, Muxer

SOON = 10.0  # seconds; a busy machine takes many times as long as an idle one


def sh(text):
    """A child that is a shell script."""
    return ["/bin/sh", "-c", text]


def alive(pid):
    """The process runs; a dead one that nobody waited for is none."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def gone(pid):
    """It ends soon."""
    end = time.monotonic() + SOON
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.01)
    return not alive(pid)


@contextmanager
def at_once():
    """What is inside waits for nothing that hangs."""
    begin = time.monotonic()
    yield
    assert time.monotonic() - begin < SOON


OF_VERSION_8 = """[vost#0:0 @ 0x7f85ebf1c080] Unknown encoder 'no'
[vost#0:0 @ 0x7f85ebf1c080] Error selecting an encoder
Error opening output file out.mp4.
Error opening output files: Encoder not found"""


def test_what_is_written_arrives_in_order(tmp_path):
    data = os.urandom(3 << 20)
    with (tmp_path / "copy").open("wb") as copy, Muxer(["cat"], stdout=copy) as muxer:
        muxer.write([data[:1], memoryview(data)[1 : 2 << 20]])
        muxer.write(iter([b"", data[2 << 20 :]]))
        assert muxer.finish() == ""
    assert (tmp_path / "copy").read_bytes() == data


def test_what_it_said_is_returned():
    with Muxer(sh("cat >/dev/null; echo one >&2; echo two >&2")) as muxer:
        muxer.write([b"x"])
        assert muxer.finish() == "one\ntwo"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("echo a >&2; echo the reason >&2; exit 3", "sh ended with 3: the reason$"),
        pytest.param(
            "echo the reason >&2; echo 'Conversion failed!' >&2; exit 1", "with 1: the reason$"
        ),
        pytest.param(f'echo "{OF_VERSION_8}" >&2; exit 8', "with 8: .* Unknown encoder 'no'$"),
        pytest.param("echo 'Conversion failed!' >&2; exit 1", "with 1: Conversion failed!$"),
        pytest.param("exit 7", "sh ended with 7: it said nothing"),
        pytest.param("kill -KILL $$", "sh was killed by SIGKILL; run again"),
        pytest.param("kill -SEGV $$", "sh was killed by SIGSEGV; run again"),
        pytest.param("printf 'bad \\377 byte' >&2; exit 1", "with 1: bad \ufffd byte"),
    ],
    ids=[
        "an error",
        "less helpful words",
        "many of them",
        "nothing else",
        "silent",
        "killed",
        "crashed",
        "no utf-8",
    ],
)
def test_a_child_that_fails(text, why):
    with at_once(), Muxer(sh(text)) as muxer, pytest.raises(MuxingError, match=why):
        muxer.finish()


@pytest.mark.parametrize(
    "said",
    [
        "Decoder (codec av1) not found for input stream #0:0",
        "[vist#0:0/av1 @ 0x1] Decoding requested, but no decoder found for: av1",
        "[vist#0:0/av1 @ 0x1] [dec:av1 @ 0x2] Error submitting packet to decoder: "
        "Function not implemented",
    ],
    ids=["5.1", "8.1", "for hardware alone"],
)
def test_a_decoder_that_is_not_there_is_no_fault_of_the_data(said):
    why = re.escape(said.rpartition("] ")[2])
    text = f"echo '{said}' >&2; echo 'Conversion failed!' >&2; exit 69"
    with at_once(), Muxer(sh(text)) as muxer, pytest.raises(FfmpegMissingError, match=why):
        muxer.finish()


def test_a_full_disk_is_told_apart():
    text = "echo 'av_interleaved_write_frame(): No space left on device' >&2; exit 1"
    with Muxer(sh(text)) as muxer, pytest.raises(DiskFullError, match="free some"):
        muxer.finish()


@pytest.mark.parametrize("program", ["/nowhere/ffmpeg", os.devnull])
def test_no_program(program):
    with pytest.raises(MuxingError):
        run.run([program])


@pytest.mark.parametrize(
    ("code", "why"), [(4, "ended with 4: enough"), (0, "ended with 0: enough")]
)
def test_a_child_that_reads_no_further(code, why):
    text = f"head -c 1000 >/dev/null; exec 0<&-; echo enough >&2; exit {code}"
    with at_once(), Muxer(sh(text)) as muxer, pytest.raises(MuxingError, match=why):
        muxer.write([bytes(1 << 20)] * 8)


def test_a_child_that_ends_before_it_is_fed():
    with at_once(), Muxer(sh("echo early >&2; exit 5")) as muxer:
        assert gone(muxer._process.pid)
        with pytest.raises(MuxingError, match="ended with 5: early"):
            muxer.write([b"x"])


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("Could not write header: Invalid argument", RefusedError),
        ("pipe:0: Invalid data found when processing input", RefusedError),
        ("Could not write header: Cannot allocate memory", MuxingError),
        ("av_interleaved_write_frame(): Input/output error", MuxingError),
        ("Unrecognized option 'copyinkf'.", MuxingError),
        ("", MuxingError),
    ],
)
def test_what_ffmpeg_will_not_take_and_what_the_machine_cannot_do(said, kind):
    with at_once(), pytest.raises(MuxingError) as caught:
        run.run(sh(f'printf "%s" "{said}" >&2; exit 234'))
    assert type(caught.value) is kind


def test_the_telling_line_is_told():
    text = "echo 'Could not write header: why' >&2; echo 'Error initializing 0:1' >&2; exit 1"
    with at_once(), pytest.raises(MuxingError, match="ended with 1: Could not write header: why"):
        run.run(sh(text))


def test_a_child_that_takes_nothing():
    with at_once(), Muxer(["sleep", "60"], stall=0.3) as muxer:
        with pytest.raises(MuxingError, match=r"sleep made no progress for 0\.3 s"):
            muxer.write([bytes(1 << 20)] * 4)
        assert not alive(muxer._process.pid)


def test_a_child_that_takes_nothing_and_says_no_more():
    with at_once(), Muxer(sh("exec 2>&-; exec sleep 60"), stall=0.3) as muxer:
        with pytest.raises(MuxingError, match=r"sh made no progress for 0\.3 s"):
            muxer.write([bytes(1 << 20)] * 4)
        assert not alive(muxer._process.pid)


def test_a_child_that_waits_for_the_next_bytes_is_not_hung():
    with Muxer(sh("cat >/dev/null"), stall=0.3) as muxer:
        for _ in range(3):
            muxer.write([bytes(1 << 20)])
            time.sleep(0.5)
        muxer.finish()


def test_who_feeds_is_interrupted_at_once():
    def interrupt(number, frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        with at_once(), pytest.raises(KeyboardInterrupt), Muxer(["sleep", "60"]) as muxer:
            muxer.write([bytes(4 << 20)])
    finally:
        signal.signal(signal.SIGALRM, before)


def test_a_child_that_does_not_end():
    with at_once(), pytest.raises(MuxingError, match=r"sleep made no progress for 0\.3 s"):
        run.run(["sleep", "60"], timeout=0.3)


def test_a_slow_child_that_goes_on_is_not_hung():
    text = "for i in 1 2 3 4 5 6 7; do head -c 1048576 >/dev/null; sleep 0.3; done; cat >/dev/null"
    with Muxer(sh(text), stall=1.0) as muxer:
        muxer.write([bytes(7 << 20)])
        muxer.finish()


def test_a_flood_of_messages_is_bounded():
    text = "head -c 1048576 /dev/zero | tr '\\0' m >&2; echo >&2; cat >/dev/null; echo last >&2"
    with at_once(), Muxer(sh(text)) as muxer:
        muxer.write([bytes(1 << 20)] * 4)  # the child reads nothing before it has said it all
        said = muxer.finish()
    assert said.endswith("m\nlast")
    assert KEPT - 10 < len(said) <= KEPT


def test_leaving_early_kills_it():
    with Muxer(["sleep", "60"]) as muxer:
        child = muxer._process.pid
        assert alive(child)
    assert not alive(child)


def test_an_error_of_ours_kills_it_too():
    with pytest.raises(ZeroDivisionError), Muxer(["sleep", "60"]) as muxer:  # noqa: PT012
        child = muxer._process.pid
        raise ZeroDivisionError
    assert not alive(child)


def test_nobody_waits_for_what_was_killed():
    with at_once(), Muxer(["sleep", "60"]) as muxer:
        threading.Timer(0.2, run.kill_all).start()
        with pytest.raises(MuxingError, match="sleep was killed by SIGKILL"):
            muxer.finish()


def test_nobody_feeds_what_was_killed():
    with at_once(), Muxer(["sleep", "60"]) as muxer:
        threading.Timer(0.2, run.kill_all).start()
        with pytest.raises(MuxingError, match="sleep was killed by SIGKILL"):
            muxer.write([bytes(1 << 20)] * 4)


def test_the_environment_is_ours_with_additions(monkeypatch):
    monkeypatch.setenv("OURS", "kept")
    text = 'echo "$OURS $ADDED $AV_LOG_FORCE_NOCOLOR" >&2'
    assert run.run(sh(text), env={"ADDED": "new"}) == "kept new 1"


def test_nothing_is_inherited_but_the_three_streams(tmp_path):
    with (tmp_path / "secret").open("w") as held:
        os.set_inheritable(held.fileno(), True)
        said = run.run(sh("ls -l /proc/self/fd >&2"))
    assert "secret" not in said


def test_standard_output_may_be_a_file(tmp_path):
    with (tmp_path / "out").open("wb") as out:
        run.run(["echo", "packet"], stdout=out)
    assert (tmp_path / "out").read_text() == "packet\n"


PARENT = """
import sys
from pipeline.muxing.run import Muxer
with Muxer(["sleep", "60"]) as muxer:
    print(muxer._process.pid, flush=True)
    sys.stdin.read()
"""


def test_it_dies_with_its_parent():
    if shutil.which("setpriv") is None:
        pytest.skip("platform: no setpriv")
    argv = [sys.executable, "-c", PARENT]
    root = Path(__file__).parents[2]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert _becomes(child, "sleep")
        parent.kill()
    assert gone(child)


def _becomes(pid, name):
    """setpriv has turned into what it was told to run."""
    end = time.monotonic() + SOON
    while time.monotonic() < end:
        if Path(f"/proc/{pid}/comm").read_text().strip() == name:
            return True
        time.sleep(0.01)
    return False


def test_what_it_writes_comes_as_it_is_written():
    with at_once():
        found = list(run.read_output(sh("echo a; sleep 0.2; head -c 3000000 /dev/zero; echo b")))
    assert found[0] == b"a\n"
    assert b"".join(found) == b"a\n" + bytes(3_000_000) + b"b\n"
    assert list(run.read_output(["true"])) == []


def test_what_fails_while_it_writes_says_why():
    with at_once(), pytest.raises(RefusedError, match="ended with 1: no such stream"):
        list(run.read_output(sh("echo a; echo no such stream >&2; exit 1")))


def test_what_writes_nothing_is_stopped():
    with at_once(), pytest.raises(MuxingError, match=r"sh made no progress for 0\.3 s"):
        list(run.read_output(sh("echo a; exec sleep 60"), stall=0.3))


def test_who_reads_no_further_leaves_nothing_behind(tmp_path):
    out = run.read_output(sh(f"echo $$ > {tmp_path}/pid; yes"))
    next(out)
    out.close()
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_filter_it_was_built_without_is_named():
    said = "[AVFilterGraph @ 0x1] No such filter: 'drawtext'"
    with at_once(), pytest.raises(FfmpegMissingError, match="without the filter drawtext"):
        list(run.read_output(sh(f'echo "{said}" >&2; exit 1')))
