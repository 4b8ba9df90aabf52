"""Prove that a pair of binaries remuxes a transport stream; ``-version`` proves nothing.

A binary that hangs, crashes or floods is an outcome, not an exception.
"""

import json
import os
import re
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

from msgspec import Struct

from pipeline.muxing.proofs import FfmpegTrial
from pipeline.muxing.run import reason
from pipeline.muxing.sample_ts import PACKETS, SAMPLE

OUTPUT_LIMIT = 256 * 1024  # bytes: the right answers are below 4 KiB

CRASHES = (
    signal.SIGILL,
    signal.SIGABRT,
    signal.SIGBUS,
    signal.SIGFPE,
    signal.SIGKILL,
    signal.SIGSEGV,
)

# Static glibc builds load the host's gconv modules to decode the service name, and die in them.
NO_GCONV = {"GCONV_PATH": "/nonexistent"}

# The bitstream filter is named because ffmpeg 5.1 does not add it for a fragmented MP4.
REMUX = (
    *("-nostdin", "-nostats", "-f", "mpegts", "-i", "pipe:0", "-map", "0", "-c", "copy"),
    *("-bsf:a", "aac_adtstoasc", "-f", "mp4", "-movflags", "frag_keyframe+empty_moov", "pipe:1"),
)
PROBE = (
    *("-v", "error", "-f", "mpegts", "-count_packets"),
    *("-show_entries", "stream=codec_name,nb_read_packets", "-of", "json", "pipe:0"),
)


class Exit(Struct, frozen=True):
    """How a child process ended, with at most ``OUTPUT_LIMIT`` bytes of each output."""

    code: int | None = None  # None: it was not started, or we killed it
    stdout: bytes = b""
    stderr: bytes = b""
    problem: str = ""  # why there is no code

    @property
    def signal(self) -> int:
        """The signal that ended it, also if a shell in between reports it as 128 + n; 0 if none."""
        code = self.code or 0
        if code < 0:
            return -code
        return code - 128 if code - 128 in CRASHES else 0  # ffmpeg itself ends with 183, 234, 255


def prove(
    ffmpeg: Path, ffprobe: Path, *, environ: Mapping[str, str], timeout: float = 10.0
) -> FfmpegTrial:
    """Remux and probe the sample, within ``timeout`` seconds each; after a segmentation fault again
    without gconv.
    """
    proof, crashed = _attempt(ffmpeg, ffprobe, environ, {}, timeout=timeout)
    if not crashed:
        return proof
    second, _ = _attempt(ffmpeg, ffprobe, environ, NO_GCONV, timeout=timeout)
    if second.usable:
        return FfmpegTrial(
            True, f"{second.outcome}; without it {proof.outcome}", proof.version, NO_GCONV
        )
    return FfmpegTrial(False, f"{proof.outcome}, also with {_shown(NO_GCONV)}", proof.version, {})


def _attempt(
    ffmpeg: Path,
    ffprobe: Path,
    environ: Mapping[str, str],
    extra: Mapping[str, str],
    *,
    timeout: float,
) -> tuple[FfmpegTrial, bool]:
    """The proof, and whether a segmentation fault ended it."""
    env = {**environ, **extra}
    remux = _run([str(ffmpeg), *REMUX], env, timeout)
    version = _version(remux.stderr)
    problem = _failure(remux, "remuxing") or _remux_problem(remux.stdout)
    last = remux
    if not problem:
        last = _run([str(ffprobe), *PROBE], env, timeout)
        problem = _failure(last, "reading") or _probe_problem(last.stdout)
        problem = problem and f"its ffprobe ({ffprobe}) {problem}"
    if problem:
        lasting = last.code is not None
        return FfmpegTrial(False, problem, version, {}, lasting), last.signal == signal.SIGSEGV
    with_env = f" with {_shown(extra)}" if extra else ""
    return FfmpegTrial(True, f"remuxes a transport stream{with_env}", version, extra), False


def _failure(ended: Exit, doing: str) -> str:
    """What went wrong with the child process itself; empty if nothing."""
    what = f"{doing} a transport stream"
    if ended.code is None:
        return f"{ended.problem} {what}"
    if ended.signal:
        return f"crashed (signal {ended.signal}) {what}"
    if ended.code:
        return f"exit code {ended.code} {what}{_last_words(ended.stderr)}"
    return ""


def _remux_problem(mp4: bytes) -> str:
    if not mp4:
        return "wrote nothing remuxing a transport stream"
    boxes = (b"ftyp", b"moov", b"avc1", b"mp4a", b"moof", b"mdat")
    missing = [box.decode() for box in boxes if box not in mp4]
    return f"made an MP4 without {', '.join(missing)}" if missing else ""


def _probe_problem(text: bytes) -> str:
    try:
        streams = json.loads(text)["streams"]
        found = {s["codec_name"]: int(s["nb_read_packets"]) for s in streams}
    except (ValueError, KeyError, TypeError):
        return "gave no answer reading a transport stream"
    return "" if found == PACKETS else f"found {found} in a transport stream, expected {PACKETS}"


def _version(banner: bytes) -> str:
    match = re.search(rb"ffmpeg version (\S+)", banner)
    return match[1].decode(errors="replace") if match else "unknown"


def _last_words(stderr: bytes) -> str:
    words = reason(stderr.decode(errors="replace"))
    return f": {words[:200]}" if words else ""


def _shown(env: Mapping[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in env.items())


def _run(argv: list[str], env: Mapping[str, str], timeout: float) -> Exit:
    """Feed the sample to a child in its own process group, which is killed afterwards."""
    pipe = subprocess.PIPE
    try:
        child = subprocess.Popen(
            argv, stdin=pipe, stdout=pipe, stderr=pipe, env=env, start_new_session=True
        )
    except OSError as error:
        return Exit(problem=f"cannot be started ({error.strerror})")
    with child:
        try:
            return _talk(child, timeout)
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)


def _talk(child: subprocess.Popen[bytes], timeout: float) -> Exit:
    assert child.stdin
    assert child.stdout
    assert child.stderr
    deadline = time.monotonic() + timeout
    with suppress(BrokenPipeError), child.stdin:
        child.stdin.write(SAMPLE)  # fits into the pipe, so that this never waits
    taken: dict[IO[bytes], bytearray] = {child.stdout: bytearray(), child.stderr: bytearray()}
    with selectors.DefaultSelector() as selector:
        for stream in taken:
            selector.register(stream, selectors.EVENT_READ, taken[stream])
        while selector.get_map():
            for key, _ in selector.select(max(deadline - time.monotonic(), 0)):
                data = os.read(key.fd, 65536)
                key.data.extend(data)
                if not data:
                    selector.unregister(key.fileobj)
            if any(len(output) > OUTPUT_LIMIT for output in taken.values()):
                return Exit(problem=f"wrote more than {OUTPUT_LIMIT // 1024} KiB")
            if time.monotonic() >= deadline:
                return Exit(problem=f"did not end within {timeout:g} s")
    try:
        code = child.wait(max(deadline - time.monotonic(), 0))
    except subprocess.TimeoutExpired:
        return Exit(problem=f"did not end within {timeout:g} s")
    return Exit(code, bytes(taken[child.stdout]), bytes(taken[child.stderr]))
