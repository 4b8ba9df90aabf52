"""A file that is made while its segments are still being read.

Most recordings have no fault, and their plan is known from the first segments.  So ffmpeg gets
every segment as soon as it is scanned, and the file is proven while everything is planned.  If the
plan is the one that was foreseen, the file counts.  If not, the file is made again with the plan:
the result is the same, only later.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Generic, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from pipeline.choices import OnLoss
from pipeline.errors import MuxingError, RecpipeError
from pipeline.media.slots.bounds import believed
from pipeline.media.slots.segments import Placed
from pipeline.media.stitch.index_size import FIRST, foreseen_size
from pipeline.media.stitch.silence import quiets
from pipeline.media.stitch.stitcher import Changed, Stitched, Stitcher
from pipeline.media.timeline import foreseen
from pipeline.media.timeline import plan as timeline
from pipeline.media.timeline.foreseen import Foreseen
from pipeline.media.timeline.plan import Plan
from pipeline.media.ts.transport_stream import TransportStream, row_of
from pipeline.muxing.locate import Ffmpeg
from pipeline.muxing.rotation import tell_rotation
from pipeline.muxing.run import Muxer
from pipeline.stages.mux.command import OutputSpec, command, feed_of, opening
from pipeline.stages.mux.converted import Converted, Tally, lanes_of
from pipeline.stages.mux.kept import Kept
from pipeline.stages.segments import LocalSegment, read, slots_of

WAITING = 16 << 20  # bytes that may wait for ffmpeg, besides what is written to it
Progress = Callable[[str, int], None]
Proof = TypeVar("Proof")  # what a file is found to be: opaque to this stage
Prove = Callable[[Path, Converted, Progress], Proof]


class Ahead(Generic[Proof]):
    """Takes segments in the order of the playlist, and must be closed.  Its methods raise nothing
    that goes wrong with the file: it is then made again by the plan, which shows it.
    """

    def __init__(
        self,
        ffmpeg: Ffmpeg,
        wanted: OutputSpec,
        *,
        place: Callable[[], Path],
        promised: Sequence[float],
        progress: Progress,
        prove: Prove[Proof],
        keeps: bool = False,
    ) -> None:
        """``place`` gives the path of the file when it is begun; ``promised`` are the seconds of
        each segment by its EXTINF; ``prove`` reads the file once it is there.  A recording that is
        short enough ``keeps`` its segments, if nothing is begun.
        """
        self.kept = Kept() if keeps else None
        self.output: Path | None = None
        self._prove = prove
        self._made: Converted | None = None
        self._ffmpeg, self._place, self._wanted = ffmpeg, place, wanted
        self._promised, self._progress = promised, progress
        self._first: list[LocalSegment] = []
        self._pass: _Pass[Proof] | None = None
        self._closed = len(promised) <= FIRST

    def take(
        self, segments: Sequence[LocalSegment], streams: Sequence[TransportStream | None]
    ) -> None:
        """Take the next segments, and their packets if they are in memory: they are edited in
        place, and go to ffmpeg while other segments are taken.
        """
        if self._closed:
            if self.kept is not None:
                self.kept.take(segments, streams)
            return
        try:
            if self._pass is None:
                more = FIRST - len(self._first)
                self._first += segments[:more]
                if len(self._first) < FIRST:
                    return
                self._begin()
                segments, streams = segments[more:], streams[more:]
            if self._pass and segments and not self._pass.add(segments, streams):
                self.close()
        except (RecpipeError, OSError, Changed):  # it shows again when the plan is carried out
            self.close()

    def _begin(self) -> None:
        """Start ffmpeg with the first segments, if a plan can be foreseen from them."""
        slots, wrong = believed(slots_of(self._first))
        plan = timeline.plan(slots, OnLoss.HOLD)
        lanes = lanes_of(plan, self._wanted.format)
        if wrong or not lanes or feed_of(lanes) or not foreseen.holds(plan, slots):
            self.close()
            return
        room = foreseen_size(plan, lanes, sum(self._promised))
        self.output = self._place()
        argv = command(plan, self._ffmpeg, self.output, self._wanted, room=room)
        asked = _Asked(argv, self.output, self._wanted, len(self._promised), self._prove)
        self._pass = _Pass(plan, asked, self._ffmpeg)
        self._pass.open(plan, self._first)
        if not self._pass.add(self._first, [None] * FIRST):
            self.close()

    def finished(
        self, plan: Plan, segments: Sequence[LocalSegment], argv: Sequence[str]
    ) -> Converted | None:
        """The file, if it is the one to be made of all segments by their plan and the command
        ``argv``; else None, and ffmpeg is stopped.  It may not be proven yet.
        """
        try:
            if self._pass is not None and self._pass.is_of(plan, segments, argv):
                self._made = self._pass.made()
                self._progress("convert", self._pass.size)
                return self._made
        except (RecpipeError, OSError):  # it shows again when the plan is carried out
            pass
        self.close()
        return None

    def proof_of(self, made: Converted) -> Proof | None:
        """What ``prove`` returned, if the file is the one that was finished here; else None."""
        if self._pass is None or made is not self._made:
            return None
        try:
            return self._pass.proof()
        except (RecpipeError, OSError):  # it shows again when the file is proven once more
            return None
        finally:
            self.close()

    def close(self) -> None:
        """Stop what was begun and is not finished; later segments are ignored.  Safe to repeat."""
        self._closed = True
        if self._pass is not None:
            self._pass.close()
            self._pass = None


class _Asked(Struct, Generic[Proof], frozen=True):
    """How ffmpeg was called, where it writes, the file that is wanted, of how many segments, and
    how it is proven.
    """

    argv: Sequence[str]
    output: Path
    wanted: OutputSpec
    count: int
    prove: Prove[Proof]


class _Pass(Generic[Proof]):
    """ffmpeg at work on a plan that is foreseen."""

    def __init__(self, first: Plan, asked: _Asked[Proof], ffmpeg: Ffmpeg) -> None:
        wanted = asked.wanted
        self._asked = asked
        self._lanes = lanes_of(first, wanted.format)
        self._foreseen = Foreseen(first, asked.count)
        self._taken: list[LocalSegment] = []
        self.size = 0  # bytes of all segments
        self._tally = Tally(self._lanes)
        self._stitcher = Stitcher(self._lanes, {} if wanted.sparse_sound else quiets(self._lanes))
        self._last: tuple[Placed, Stitched] | None = None  # pauses behind it are not known yet
        self._open = ExitStack()
        self._muxer = self._open.enter_context(Muxer(asked.argv, env=ffmpeg.env))
        self._writer = self._open.enter_context(ThreadPoolExecutor(1))
        self._stopped = threading.Event()
        self._open.callback(self._muxer.kill)
        self._open.callback(self._stopped.set)
        self._chunks: list[memoryview | bytes] = []  # to be written next
        # being written, or waiting for that; the bytes of each
        self._pending: deque[tuple[Future[None], int]] = deque()
        self._made: Future[Converted] | None = None
        self._proof: Future[Proof] | None = None

    def open(self, first: Plan, segments: Sequence[LocalSegment]) -> None:
        """Write tables and introductions of the streams to ffmpeg."""
        self._chunks += opening(first, self._lanes, None, segments)
        self._write()

    def add(
        self, segments: Sequence[LocalSegment], streams: Sequence[TransportStream | None]
    ) -> bool:
        """Add the next segments; False if one is not as foreseen."""
        placed = []
        for segment in segments:
            here = None if segment.findings else self._foreseen.place(segment.slot)
            if here is None:
                return False
            placed.append(here)
        there = [x or TransportStream(read(s)) for s, x in zip(segments, streams, strict=True)]
        self._end_last(placed[0])
        self._write()
        row = row_of(there)
        together = self._stitcher.stitch_row(row, placed) if row else None
        for n, here in enumerate(placed):
            self._end_last(here)
            stitched = together[n] if together else self._stitched(here, there[n])
            self._last = here, stitched
        self._taken += segments
        self.size += sum(len(stream.data) for stream in there)
        self._write()
        if len(self._taken) == self._asked.count:
            self._end_last(None)
            self._write()
            written = [future for future, _ in self._pending]
            self._made = self._writer.submit(self._finish, written)
            self._proof = self._writer.submit(self._prove, self._made)
        return True

    def _stitched(self, placed: Placed, stream: TransportStream) -> Stitched:
        return self._stitcher.stitch(
            placed.slot.name, stream, placed.times, placed.edges, pids=placed.pids
        )

    def _end_last(self, following: Placed | None) -> None:
        """Put silence behind the last segment, up to where each lane goes on in the following one,
        or to the end of the recording.
        """
        if self._last is None:
            return
        placed, stitched = self._last
        at = max(placed.last(pid) for pid in placed.stamps)
        begins = {pid: following.first(pid) for pid in following.stamps} if following else {}
        limits = {pid: float(min(at, begins.get(pid, at))) for pid in placed.stamps}
        stitched = stitched.before(self._stitcher.hush(limits))
        if following is None:
            stitched = stitched.before(self._stitcher.rest(self._foreseen.end))
        self._chunks += stitched.chunks
        self._tally.add(placed, stitched)
        self._last = None

    def _write(self) -> None:
        """Give ffmpeg what has its end, once it has taken enough of what it was given before."""
        if self._chunks:
            while sum(size for _, size in self._pending) > WAITING:
                self._pending.popleft()[0].result()
            size = sum(map(len, self._chunks))
            self._pending.append((self._writer.submit(self._muxer.write, self._chunks), size))
            self._chunks = []

    def is_of(self, plan: Plan, segments: Sequence[LocalSegment], argv: Sequence[str]) -> bool:
        """Whether the command and all that ffmpeg got is what the plan asks for."""
        return (
            tuple(argv) == tuple(self._asked.argv)
            and self._foreseen.is_what_came(plan)
            and plan.end == self._foreseen.end
            and [(segment.path, segment.wrapping) for segment in segments]
            == [(segment.path, None) for segment in self._taken]
        )

    def _finish(self, written: Sequence[Future[None]]) -> Converted:
        """What was made, once all is written."""
        for one in written:
            one.result()
        messages = self._muxer.finish()
        tell_rotation(self._asked.output, self._lanes)
        made = self._tally.converted()
        return replace(made, command=tuple(self._asked.argv), messages=messages)

    def _prove(self, made: Future[Converted]) -> Proof:
        """What the file is found to be."""
        return self._asked.prove(self._asked.output, made.result(), self._go_on)

    def _go_on(self, stage: str, count: int) -> None:
        """A progress callback: MuxingError once the file is no longer wanted."""
        if self._stopped.is_set():
            raise MuxingError("stopped")

    def made(self) -> Converted:
        """Wait for the file; only once all segments were added."""
        assert self._made is not None
        return self._made.result()

    def proof(self) -> Proof:
        """Wait for its proof; only once all segments were added."""
        assert self._proof is not None
        return self._proof.result()

    def close(self) -> None:
        """Stop ffmpeg."""
        self._open.close()
