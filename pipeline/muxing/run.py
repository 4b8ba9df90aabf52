"""Runs ffmpeg: fed through a pipe, never waited for forever, never left running."""

import contextlib
import fcntl
import os
import re
import select
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from shutil import which
from types import TracebackType
from typing import IO

from pipeline.errors import (
    DiskFullError,
    FfmpegMissingError,
    MuxingError,
    RecpipeError,
    RefusedError,
)

PIPE = 1 << 20  # bytes the kernel may hold for ffmpeg
PIECE = 1 << 20  # bytes that it must take within its time
KEPT = 64 << 10  # bytes of its messages that are kept
# Messages about its end that follow the one with the reason.
ECHOES = re.compile(
    r"Conversion failed!|(\[[^]]*\] )?(Error (selecting an encoder|initializing"
    r"|(opening|parsing options for) (in|out)put file|sending frames to consumers)"
    r"|Task finished with error|Terminating thread|Nothing was written into output)"
)
# It cannot decode, whatever the data is: built without a decoder, or with one for hardware alone.
UNABLE = re.compile(r"decoder .*not found|no decoder found|decod.*: Function not implemented", re.I)
LACKING = re.compile(r"No such filter: '(\w+)'")
STALL = 60.0  # seconds without any progress before it is taken for hung
AWAKE = 0.2  # seconds: nothing waits longer at a time, so that an interrupt is seen


_NOT_ITS_INPUT = (  # last messages where the machine, or ffmpeg itself, is to blame
    *("Cannot allocate memory", "Input/output error", "Permission denied", "Too many open files"),
    *("Read-only file system", "File too large", "No such file or directory", "Broken pipe"),
    *("Resource temporarily unavailable", "Device or resource busy", "No such device"),
    *("Unknown encoder", "Unrecognized option", "Option not found", "error while loading shared"),
    *("Unable to find a suitable output format", "Unknown bitstream filter", "Unknown format"),
)


class Muxer:
    """A running ffmpeg.  Leaving the context kills it unless :meth:`finish` returned.

    MuxingError where it cannot be started, fails, or makes no progress for ``stall`` seconds, as
    where it takes no whole ``PIECE`` of what it is fed with;
    RefusedError where it fails for its input; DiskFullError; FfmpegMissingError where it lacks a
    decoder.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stall: float = STALL,
        stdout: IO[bytes] | int = subprocess.DEVNULL,
        inputs: Sequence[IO[bytes]] = (),
    ) -> None:
        """``inputs`` are files that it may read from as ``pipe:N``, N being their number."""
        self._name = Path(argv[0]).name
        self._stall = stall
        self._messages = bytearray()
        self._since: float | None = None  # when it was given what it has not taken yet
        self._stopped = False  # for taking nothing
        try:
            self._process = subprocess.Popen(
                [*_mortal(), *argv],
                stdin=subprocess.PIPE,
                stdout=stdout,
                stderr=subprocess.PIPE,
                pass_fds=[file.fileno() for file in inputs],
                env={**os.environ, **(env or {}), "AV_LOG_FORCE_NOCOLOR": "1"},
            )
        except OSError as error:
            raise MuxingError(f"{argv[0]}: {error.strerror}") from error
        assert self._process.stdin is not None
        self._pipe = self._process.stdin.fileno()
        with contextlib.suppress(OSError):  # a smaller pipe works as well
            fcntl.fcntl(self._pipe, fcntl.F_SETPIPE_SZ, PIPE)
        self._reader = threading.Thread(target=self._attend, daemon=True)
        self._reader.start()

    def __enter__(self) -> "Muxer":
        _running.add(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        _running.discard(self)
        if self._process.stdin is not None:  # whatever it started reads no more
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        self._reader.join(timeout=5)
        for stream in (self._process.stdin, self._process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def write(self, chunks: Iterable[memoryview | bytes]) -> None:
        """Feed bytes; waits while ffmpeg takes none.  The errors of the class if it ends too soon
        or stalls.
        """
        for chunk in chunks:
            rest = memoryview(chunk)
            while rest:
                self._since = time.monotonic()
                try:  # the kernel waits, not Python: other threads are not asked for its lock
                    rest = rest[os.write(self._pipe, rest[:PIECE]) :]
                except BrokenPipeError:
                    raise self._failure() from None
                finally:
                    self._since = None

    def wait_for(self, room: select.poll) -> None:
        """Until there is something to do; MuxingError when that takes too long."""
        end = time.monotonic() + self._stall
        # not in one go: a signal that arrives just before the call is seen when it returns
        while not room.poll(AWAKE * 1000):
            if time.monotonic() > end:
                raise MuxingError(self._hung())

    def finish(self) -> str:
        """Close its input and wait for its end; returns its messages.  The errors of the class if
        it fails.
        """
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        end = time.monotonic() + self._stall
        self._reader.join(self._stall)  # its last word is seen at once, its end only by looking
        try:
            code = self._process.wait(max(AWAKE, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise MuxingError(self._hung()) from None
        self._reader.join(timeout=5)
        if code:
            raise self._failure()
        return self.messages

    @property
    def messages(self) -> str:
        """The last ``KEPT`` bytes of its messages, one message per line."""
        return self._messages.decode("utf-8", "replace").strip()

    def _attend(self) -> None:
        """Keep its messages, and stop it when it takes nothing of what it is given."""
        assert self._process.stderr is not None
        poll = select.poll()
        poll.register(self._process.stderr, select.POLLIN)
        with contextlib.suppress(OSError, ValueError):
            while not poll.poll(AWAKE * 1000) or self._listen(self._process.stderr):
                self._look()
            while self._runs():  # though it says no more
                self._look()

    def _listen(self, said: IO[bytes]) -> bool:
        part = os.read(said.fileno(), 4096)
        self._messages += part
        del self._messages[:-KEPT]
        return bool(part)

    def _runs(self) -> bool:
        try:
            self._process.wait(AWAKE)
        except subprocess.TimeoutExpired:
            return True
        return False

    def _look(self) -> None:
        since = self._since
        if since is not None and time.monotonic() - since > self._stall:
            self._stopped = True
            self.kill()

    def _hung(self) -> str:
        self.kill()
        return f"{self._name} made no progress for {self._stall:g} s and was stopped; run again"

    def _failure(self) -> RecpipeError:
        if self._stopped:
            return MuxingError(self._hung())
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        if self._process.poll() is None:
            self.kill()
            return MuxingError(f"{self._name} stopped reading and was stopped; run again")
        self._reader.join(timeout=5)
        said = self.messages
        if "No space left on device" in said:
            return DiskFullError("no space left while ffmpeg was writing: free some and run again")
        if unable := [line for line in said.splitlines() if UNABLE.search(line)]:
            why = unable[0].rpartition("] ")[2]
            return FfmpegMissingError(
                f"{self._name} cannot decode what has to be decoded ({why}): name another one"
            )
        if lacking := LACKING.search(said):
            what = f"was built without the filter {lacking[1]}, which is needed here"
            return FfmpegMissingError(f"{self._name} {what}: name another one (--ffmpeg)")
        code = self._process.returncode
        if code is not None and code < 0:
            known = -code in {known.value for known in signal.Signals}
            name = signal.Signals(-code).name if known else f"signal {-code}"
            return MuxingError(f"{self._name} was killed by {name}; run again")
        why = reason(said)
        to_blame = any(cause in said for cause in _NOT_ITS_INPUT) or not why
        kind = MuxingError if to_blame else RefusedError
        return kind(f"{self._name} ended with {code}: {why or 'it said nothing'}")

    def kill(self) -> None:
        """Kill it at once; calls that feed it or wait for it raise MuxingError.  Safe to repeat."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def reason(said: str) -> str:
    """The last of ffmpeg's messages that says why it ended; empty if there are none."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if not ECHOES.match(line)]
    return (telling or lines or [""])[-1]


_running: set[Muxer] = set()


def kill_all() -> None:
    """Kill every ffmpeg of this process: threads that wait for one cannot be interrupted."""
    for muxer in tuple(_running):
        muxer.kill()


def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    timeout: float = STALL,
    stdout: IO[bytes] | int = subprocess.DEVNULL,
    inputs: Sequence[IO[bytes]] = (),
) -> str:
    """Run ffmpeg or ffprobe with empty standard input for at most ``timeout`` seconds; returns its
    messages.  Raises as :class:`Muxer` does.
    """
    with Muxer(argv, env=env, stall=timeout, stdout=stdout, inputs=inputs) as process:
        return process.finish()


def read_output(
    argv: Sequence[str], *, env: Mapping[str, str] | None = None, stall: float = STALL
) -> Iterator[bytes]:
    """Run ffmpeg on files and hand on what it writes to standard output, as it comes.

    MuxingError where it fails, or writes nothing for ``stall`` seconds.
    """
    begin, end = os.pipe()
    with open(begin, "rb", buffering=0) as output:  # noqa: PTH123  # a number, no path
        try:
            process = Muxer(argv, env=env, stall=stall, stdout=end)
        finally:
            os.close(end)
        with process:
            poll = select.poll()
            poll.register(output, select.POLLIN)
            process.wait_for(poll)
            while data := output.read(PIPE):
                yield data
                process.wait_for(poll)
            process.finish()


def _mortal() -> list[str]:
    """A prefix that makes the kernel kill ffmpeg when we die; without setpriv it ends with its
    pipe.
    """
    setpriv = which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []
