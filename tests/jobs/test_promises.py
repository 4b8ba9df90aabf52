"""The promises of docs/design.md that conversion has to keep, each with tests named after it."""

import hashlib
import json
import os
import random
import signal
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import (
    DiskFullError,
    FfmpegMissingError,
    MuxingError,
    TemporaryError,
    UsageError,
)
from pipeline.media.timeline.plan import OnLoss
from pipeline.model import Verdict
from pipeline.muxing.locate import locate
from pipeline.muxing.run import Muxer
from tests import recordings as r

HOME = Path(__file__).parents[2]
SAMPLES = HOME / "sample_media"
RUN = """
import sys
from pathlib import Path
from pipeline.errors import RecpipeError
from pipeline.muxing.locate import locate
from tests import recordings
try:
    report = recordings.convert(Path(sys.argv[1]), Path(sys.argv[2]), locate())
except RecpipeError as error:
    print(f"{type(error).__name__}: {error}")
    raise SystemExit(error.exit_code)
print(report.verdict, report.sha256, report.timings["convert"] > 0)
"""


def start(source, out, **limits):
    """A conversion in a process of its own."""
    argv = [sys.executable, "-c", RUN, str(source), str(out)]
    return subprocess.Popen(
        argv, cwd=HOME, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **limits
    )


def whole_or_absent(out):
    """What stands under a final name is what its receipt says; returns how many there are."""
    made = list(out.glob("*.mp4")) if out.exists() else []
    for mp4 in made:
        receipt = mp4.with_suffix(".receipt.json")
        if receipt.exists():
            said = json.loads(receipt.read_text(encoding="utf-8"))["output"]
            assert said["size"] == mp4.stat().st_size
            assert said["sha256"] == _sha256(mp4)
    receipts = list(out.glob("*.receipt.json")) if out.exists() else []
    assert len(receipts) <= len(made), "a receipt stands without its MP4"
    return len(receipts)


def _sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def nothing_left(out):
    """No result, no half of one, no temporary file."""
    names = [p.name for p in out.rglob("*") if p.is_file() and "locks" not in p.parts]
    assert not names


def script(tmp_path, text):
    """An ffmpeg of our own."""
    path = tmp_path / "ffmpeg"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


# --- 1. never ok or repaired when a slice is missing, empty, short, foreign or unreadable -------


def _short(made):
    r.cut(made, 2, len(made.data(2)) * 9 // 10)


SPOILT = {
    "missing": lambda made: r.missing(made, 2),
    "empty": lambda made: r.replaced(made, 2, b""),
    "short": _short,
    "foreign": lambda made: r.replaced(made, 2, r.HTML),
    "unreadable": lambda made: r.replaced(made, 2, random.Random(3).randbytes(200_000)),
}


@pytest.mark.parametrize("kind", [r.AV, r.AUDIO, r.VIDEO], ids=["both", "sound", "pictures"])
@pytest.mark.parametrize("how", SPOILT)
@pytest.mark.parametrize("on_loss", list(OnLoss))
def test_promise_1_never_ok_when_a_slice_is(library, tmp_path, how, kind, on_loss):
    made = library[kind].copy(tmp_path / "recording")
    SPOILT[how](made)
    report = r.check(made.folder, on_loss=on_loss)
    assert report.verdict not in (Verdict.OK, Verdict.REPAIRED), r.said(report)


def test_promise_1_a_slice_that_may_not_be_read(library, out, tmp_path):
    made = library[r.AV].copy(tmp_path / "recording")
    made.path(2).unlink()
    made.path(2).mkdir()
    report = r.convert(made.folder, out, library.ffmpeg)
    assert report.verdict in (Verdict.DEGRADED, Verdict.REJECTED)


@pytest.mark.skipif(os.geteuid() == 0, reason="platform: root may read everything")
def test_promise_1_no_permission(library, out, tmp_path):
    made = library[r.AV].copy(tmp_path / "recording")
    made.path(2).chmod(0)
    with pytest.raises(UsageError, match=made.names[2]):
        r.convert(made.folder, out, library.ffmpeg)
    nothing_left(out)


def test_promise_1_a_slice_that_changes_meanwhile(library, out, tmp_path):
    made = library[r.AV].copy(tmp_path / "recording")
    data = made.data(4)

    def change(stage, done):
        if stage == "convert":
            made.write(4, data[: len(data) // 2])

    with pytest.raises(TemporaryError, match=made.names[4]):
        r.convert(made.folder, out, library.ffmpeg, progress=change)
    nothing_left(out)


def test_promise_1_a_slice_of_the_same_size_that_changes_meanwhile(library, out, tmp_path):
    made = library[r.AV].copy(tmp_path / "recording")
    data, other = made.data(4), made.data(3)

    def change(stage, done):
        if stage == "convert":
            made.write(4, other[: len(data)].ljust(len(data), b"\0"))

    try:
        report = r.convert(made.folder, out, library.ffmpeg, progress=change)
    except TemporaryError:
        nothing_left(out)
        return
    assert report.verdict not in (Verdict.OK, Verdict.REPAIRED), r.said(report)


# --- 2. never a half-written file under its final name ------------------------------------------


@pytest.mark.parametrize("moment", range(12))
def test_promise_2_killed_at_any_moment(library, out, moment):
    """Nothing half stands there, and running again completes it."""
    source = library[r.AV].folder
    child = start(source, out)
    time.sleep(0.15 + random.Random(moment).random() * 0.6)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    whole_or_absent(out)
    report = r.convert(source, out, library.ffmpeg)
    assert report.verdict is Verdict.OK
    assert whole_or_absent(out) == 1


def test_promise_2_ffmpeg_dies(library, out, tmp_path):
    dying = replace(
        library.ffmpeg, ffmpeg=script(tmp_path, "head -c 100000 >/dev/null; kill -9 $$")
    )
    with pytest.raises(MuxingError, match="killed by SIGKILL"):
        r.convert(library[r.AV].folder, out, dying)
    nothing_left(out)


def test_promise_2_ffmpeg_fails(library, out, tmp_path):
    text = "head -c 100000 >/dev/null; echo 'Cannot do that' >&2; exit 187"
    failing = replace(library.ffmpeg, ffmpeg=script(tmp_path, text))
    report = r.convert(library[r.AV].folder, out, failing)
    assert report.verdict is Verdict.REJECTED
    assert [f.detail for f in report.findings if f.id == "M_REFUSED"], r.said(report)
    assert "187: Cannot do that" in r.said(report)
    nothing_left(out)


def test_promise_2_ffmpeg_ends_early_but_well(library, out, tmp_path):
    """Exit code 0 says nothing."""
    early = replace(library.ffmpeg, ffmpeg=script(tmp_path, "head -c 100000 >/dev/null; exit 0"))
    with pytest.raises(MuxingError):
        r.convert(library[r.AV].folder, out, early)
    nothing_left(out)


@pytest.mark.parametrize("share", [2, 20])
def test_promise_2_ffmpeg_writes_half_and_ends_well(library, out, tmp_path, share):
    """As 5.1 does when the disk is full while it writes the index."""
    real = library.ffmpeg.ffmpeg
    text = f"""{real} "$@" || exit $?
for file; do case $file in *.part) break;; esac; done
size=$(stat -c %s "$file")
truncate -s $((size - size / {share})) "$file"
exit 0"""
    halving = replace(library.ffmpeg, ffmpeg=script(tmp_path, text))
    try:
        report = r.convert(library[r.AV].folder, out, halving)
    except TemporaryError:
        nothing_left(out)
        return
    assert report.verdict is Verdict.REJECTED, r.said(report)
    nothing_left(out)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("exec sleep 60", id="takes nothing"),
        pytest.param("cat >/dev/null; exec sleep 60", id="does not end"),
    ],
)
def test_promise_2_ffmpeg_hangs(tmp_path, text):
    begin = time.monotonic()
    muxer = Muxer([str(script(tmp_path, text))], stall=0.5)
    with muxer, pytest.raises(MuxingError, match=r"no progress for 0\.5 s"):
        _feed(muxer)
    assert time.monotonic() - begin < 10


def _feed(muxer):
    muxer.write([bytes(1 << 20)] * 8)
    muxer.finish()


def test_promise_2_the_disk_is_full(library, out, tmp_path):
    text = "head -c 100000 >/dev/null; echo 'av_interleaved_write_frame(): No space left on device'"
    full = replace(library.ffmpeg, ffmpeg=script(tmp_path, f"{text} >&2; exit 228"))
    with pytest.raises(DiskFullError):
        r.convert(library[r.AV].folder, out, full)
    nothing_left(out)


@pytest.mark.parametrize("megabytes", [17, 18])
def test_promise_2_a_disk_that_really_is_full(library, tmp_path, megabytes):
    """A small file system: too small, or filled up while the file is written."""
    out = tmp_path / "small"
    out.mkdir()
    options = f"size={megabytes}m"
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(out)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("may not mount")
    try:
        for share in range(1, 19, 2):
            ballast = out / "ballast"
            ballast.write_bytes(b"")
            free = os.statvfs(out).f_bavail * os.statvfs(out).f_frsize

            def fill(stage, done, ballast=ballast, free=free, share=share):
                if stage == "convert" and not ballast.stat().st_size:
                    ballast.write_bytes(bytes(free - share * 80_000))

            spool = tmp_path / "spool"
            try:
                report = r.convert(
                    library[r.AV].folder, out, library.ffmpeg, progress=fill, spool=spool
                )
            except DiskFullError:
                assert [p.name for p in out.iterdir()] == ["ballast"]
            else:
                assert report.verdict in (Verdict.OK, Verdict.REPAIRED), r.said(report)
                assert whole_or_absent(out) == 1
                for path in out.iterdir():
                    path.unlink()
    finally:
        subprocess.run(["umount", str(out)], check=True)


def test_promise_2_no_ffmpeg(tmp_path):
    with pytest.raises(FfmpegMissingError, match="install"):
        locate(environ={"PATH": str(tmp_path)}, package=lambda: ())


def test_promise_2_an_ffmpeg_that_went_away(library, out):
    gone = replace(library.ffmpeg, ffmpeg=Path("/nonexistent/ffmpeg"))
    with pytest.raises((MuxingError, UsageError), match="/nonexistent/ffmpeg"):
        r.convert(library[r.AV].folder, out, gone)
    nothing_left(out)


def test_promise_2_a_destination_that_is_no_folder(library, tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(UsageError):
        r.convert(library[r.AV].folder, tmp_path / "out", library.ffmpeg, spool=tmp_path / "s")


# --- 4. running again is a no-op or carries on; two at once publish once ------------------------


def test_promise_4_running_again_is_a_no_op(library, out):
    source = library[r.AV].folder
    first = r.convert(source, out, library.ffmpeg)
    before = Path(first.output).stat()
    again = r.convert(source, out, library.ffmpeg)
    after = Path(again.output).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert again.timings["convert"] == 0


def test_promise_4_two_at_once_publish_once(library, out):
    source = library[r.AV].folder
    children = [start(source, out) for _ in range(3)]
    said = [child.communicate()[0].split() for child in children]
    assert [child.returncode for child in children] == [0, 0, 0]
    assert len({(verdict, sha256) for verdict, sha256, _ in said}) == 1
    assert sorted(converted for *_, converted in said) == ["False", "False", "True"]
    assert whole_or_absent(out) == 1


def test_promise_4_two_at_once_in_spools_of_their_own(library, out, tmp_path):
    """Without a lock in common: whatever is published is whole."""
    source = library[r.AV].folder
    run = RUN.replace("locate())", "locate(), spool=Path(sys.argv[3]))")
    children = [
        subprocess.Popen(
            [sys.executable, "-c", run, str(source), str(out), str(tmp_path / f"spool{n}")],
            cwd=HOME,
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in range(3)
    ]
    for child in children:
        child.communicate()
    assert {child.returncode for child in children} <= {0, 2, 75}
    assert 0 in {child.returncode for child in children}
    assert whole_or_absent(out) == 1
    assert len(list(out.glob("*"))) == 2


# --- 5. no playlist or file name can make it leave its folders, call out or run a command -------

HOSTILE = [
    "../secret.ts",
    "..%2Fsecret.ts",
    "%2e%2e/secret.ts",
    "..\\secret.ts",
    "/etc/passwd",
    "//evil.example/x.ts",
    "http://127.0.0.1:9/x.ts",
    "https://127.0.0.1:9/x.ts",
    "file:///etc/passwd",
    "concat:a.ts|b.ts",
    "subfile,,start,0,end,64,,:/etc/passwd",
    "data:video/mp2t;base64,R0A=",
    "crypto:x.ts",
    "pipe:0",
    "|touch owned",
    "a\x00b.ts",
    "nul%00.ts",
    ".",
    "..",
]


@pytest.mark.parametrize("uri", HOSTILE)
def test_promise_5_a_hostile_playlist(library, out, tmp_path, uri):
    made = library[r.AV].copy(tmp_path / "recording")
    for name in ("secret.ts", "x.ts"):
        (tmp_path / name).write_bytes(made.data(2))
    name = made.names[2]
    made.edit(lambda text: text.replace(name, uri))
    report = r.convert(made.folder, out, library.ffmpeg)
    assert report.verdict is Verdict.REJECTED, r.said(report)
    assert "PL_UNSAFE_URI" in {f.id for f in report.findings}, r.said(report)
    assert not out.exists() or not list(out.glob("*.mp4"))


def test_promise_5_a_link_to_a_slice_outside(library, out, tmp_path):
    made = library[r.AV].copy(tmp_path / "recording")
    made.path(2).rename(tmp_path / "outside.ts")
    made.path(2).symlink_to(tmp_path / "outside.ts")
    report = r.convert(made.folder, out, library.ffmpeg)
    assert report.verdict is Verdict.REJECTED, r.said(report)


def test_promise_5_a_playlist_that_is_a_link_outside(library, out, tmp_path):
    made = library[r.AV].copy(tmp_path / "recording")
    playlist = made.playlist
    playlist.rename(tmp_path / "outside.m3u8")
    playlist.symlink_to(tmp_path / "outside.m3u8")
    with pytest.raises(UsageError):
        r.convert(made.folder, out, library.ffmpeg)


@pytest.mark.parametrize(
    "cname", ["-i x", "$(touch owned)", "`touch owned`", "a;touch owned", "%d"]
)
def test_promise_5_hostile_names(library, out, tmp_path, monkeypatch, cname):
    monkeypatch.chdir(tmp_path)
    made = library[r.AUDIO].copy(tmp_path / "recording")
    r.renamed(made, lambda name: name.replace(r.CNAME, cname))
    report = r.convert(made.folder, out, library.ffmpeg)
    assert report.verdict is Verdict.OK, r.said(report)
    assert not (tmp_path / "owned").exists()
    assert Path(report.output).name == f"{r.SID}_{cname}.mp4"


def test_promise_5_a_pipe_under_the_name_of_a_slice(library, out, tmp_path):
    """Opening one would wait for ever."""
    made = library[r.AV].copy(tmp_path / "recording")
    made.path(2).unlink()
    os.mkfifo(made.path(2))
    report = r.convert(made.folder, out, library.ffmpeg)
    assert report.verdict in (Verdict.DEGRADED, Verdict.REJECTED), r.said(report)


# --- 6. no secret anywhere ----------------------------------------------------------------------


def test_promise_6_nothing_of_the_environment_in_a_receipt(library, out, monkeypatch):
    secrets = {
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMIbPxRfiCYEXAMPLEKEY",
        "RECPIPE_AGORA_CUSTOMER_SECRET": "f00dfeedf00dfeedf00dfeed",
        "RECPIPE_WEBHOOK_SECRET": "cafebabecafebabe",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    report = r.convert(SAMPLES / "audio_only", out, library.ffmpeg)
    written = Path(report.receipt).read_text(encoding="utf-8") + Path(report.output).read_bytes()[
        :100_000
    ].decode("latin-1")
    for value in secrets.values():
        assert value not in written
        assert value not in repr(report)
