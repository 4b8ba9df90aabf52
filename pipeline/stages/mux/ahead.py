"""A file that is made while its segments are still being read.

Most recordings have no fault, and the plan of those is known from their first segments.  So ffmpeg
is given every segment as soon as it was looked at, and when all of it is planned, and the plan is
the one that was foreseen, the file is nearly there.  If not, it is made anew with the plan: what
comes out is the same, only later.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from pipeline.choices import OnLoss
from pipeline.errors import RecpipeError
from pipeline.media.slots.bounds import believed
from pipeline.media.slots.segments import Placed
from pipeline.media.stitch.index_size import FIRST, foreseen_size
from pipeline.media.stitch.silence import quiets
from pipeline.media.stitch.stitcher import Changed, Stitched, Stitcher
from pipeline.media.timeline import foreseen
from pipeline.media.timeline import plan as timeline
from pipeline.media.timeline.foreseen import Foreseen
from pipeline.media.timeline.plan import Plan
from pipeline.media.ts.transport_stream import TransportStream
from pipeline.muxing.locate import Ffmpeg
from pipeline.muxing.run import Muxer
from pipeline.stages.mux.command import Wanted, command, feed_of, opening
from pipeline.stages.mux.converted import Converted, Tally, lanes_of
from pipeline.stages.segments import LocalSegment, read, slots_of

Progress = Callable[[str, int], None]


class Ahead:
    """Takes segments in the order of the playlist; whoever begins one closes it."""

    def __init__(
        self,
        ffmpeg: Ffmpeg,
        wanted: Wanted,
        *,
        place: Callable[[], Path],
        promised: Sequence[float],
        progress: Progress,
    ) -> None:
        """``place`` is asked for the file when it is begun; ``promised`` are the seconds of each
        segment by its EXTINF.
        """
        self.output: Path | None = None
        self._ffmpeg, self._place, self._wanted = ffmpeg, place, wanted
        self._promised, self._progress = promised, progress
        self._first: list[LocalSegment] = []
        self._pass: _Pass | None = None
        self._closed = len(promised) <= FIRST

    def take(self, segment: LocalSegment, stream: TransportStream | None) -> None:
        """The next segment, and its packets if they are in memory: they are edited, and go to
        ffmpeg while others are taken.
        """
        if self._closed:
            return
        try:
            if self._pass is None:
                self._first.append(segment)
                if len(self._first) == FIRST:
                    self._begin()
            elif not self._pass.add(segment, stream):
                self.close()
        except (RecpipeError, OSError, Changed):  # with the plan it will be seen what that is
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
        self._pass = _Pass(plan, argv, self._ffmpeg, self._wanted, count=len(self._promised))
        self._pass.open(plan, self._first)
        if not all(map(self._pass.add, self._first)):
            self.close()

    def finished(
        self, plan: Plan, segments: Sequence[LocalSegment], argv: Sequence[str]
    ) -> Converted | None:
        """The file, if it is the one that is to be made of all segments by their plan; else None,
        and nothing is left of it.
        """
        try:
            if self._pass is not None and self._pass.is_of(plan, segments, argv):
                made = self._pass.finish(plan.end)
                self._progress("convert", self._pass.size)
                return made
        except RecpipeError:  # as it would end with the plan, which tells it
            pass
        finally:
            self.close()
        return None

    def close(self) -> None:
        """End what was begun and is not finished; no more is taken."""
        self._closed = True
        if self._pass is not None:
            self._pass.close()
            self._pass = None


class _Pass:
    """ffmpeg at work on a plan that is foreseen."""

    def __init__(
        self, first: Plan, argv: Sequence[str], ffmpeg: Ffmpeg, wanted: Wanted, *, count: int
    ) -> None:
        self._lanes = lanes_of(first, wanted.format)
        self._argv = tuple(argv)
        self._foreseen = Foreseen(first, count)
        self._taken: list[LocalSegment] = []
        self.size = 0  # bytes of all segments
        self._tally = Tally(self._lanes)
        self._stitcher = Stitcher(self._lanes, {} if wanted.sparse_sound else quiets(self._lanes))
        self._last: tuple[Placed, Stitched] | None = None  # what pauses behind it is not known yet
        self._open = ExitStack()
        self._muxer = self._open.enter_context(Muxer(argv, env=ffmpeg.env))
        self._writer = self._open.enter_context(ThreadPoolExecutor(1))
        self._open.callback(self._muxer.kill)
        self._pending: Future[None] = Future()
        self._pending.set_result(None)

    def open(self, first: Plan, segments: Sequence[LocalSegment]) -> None:
        """Tell ffmpeg of the streams."""
        self._pending = self._writer.submit(
            self._muxer.write, opening(first, self._lanes, None, segments)
        )

    def add(self, segment: LocalSegment, stream: TransportStream | None = None) -> bool:
        """One segment more; False if no such segment was foreseen."""
        placed = None if segment.findings else self._foreseen.place(segment.slot)
        if placed is None:
            return False
        stream = stream or TransportStream(read(segment))
        self._write_last({pid: placed.first(pid) for pid in placed.stamps})
        stitched = self._stitcher.stitch(
            placed.slot.name, stream, placed.stamps, placed.edges, pids=placed.pids
        )
        self._last = placed, stitched
        self._taken.append(segment)
        self.size += len(stream.data)
        return True

    def _write_last(self, following: dict[int, int], end: float | None = None) -> None:
        """Give ffmpeg the last segment, and silence up to where each lane goes on behind it."""
        if self._last is None:
            return
        placed, stitched = self._last
        at = max(placed.last(pid) for pid in placed.stamps)
        limits = {pid: float(min(at, following.get(pid, at))) for pid in placed.stamps}
        stitched = stitched.before(self._stitcher.hush(limits))
        if end is not None:
            stitched = stitched.before(self._stitcher.rest(end))
        self._pending.result()
        self._pending = self._writer.submit(self._muxer.write, stitched.chunks)
        self._tally.add(placed, stitched)
        self._last = None

    def is_of(self, plan: Plan, segments: Sequence[LocalSegment], argv: Sequence[str]) -> bool:
        """All that ffmpeg was told and given is what the plan asks for."""
        return (
            tuple(argv) == self._argv
            and self._foreseen.is_what_came(plan)
            and [(segment.path, segment.wrapping) for segment in segments]
            == [(segment.path, None) for segment in self._taken]
        )

    def finish(self, end: float) -> Converted:
        """The file, with silence up to the end of the recording, a tick."""
        self._write_last({}, end)
        self._pending.result()
        messages = self._muxer.finish()
        return replace(self._tally.converted(), command=self._argv, messages=messages)

    def close(self) -> None:
        """End ffmpeg."""
        self._open.close()
