"""A plan becomes a media file: segments go through the stitcher into ffmpeg."""

from bisect import bisect_left
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from pipeline.choices import Format
from pipeline.errors import StorageError
from pipeline.media.captions.text_track import TextTrack, as_mp4
from pipeline.media.loss.fills import blocks
from pipeline.media.slots.segments import Placed
from pipeline.media.stitch.index_size import index_size
from pipeline.media.stitch.silence import quiets
from pipeline.media.stitch.stitcher import Changed, Stitched, Stitcher
from pipeline.media.timeline.plan import Plan
from pipeline.media.ts.transport_stream import TransportStream, row_of
from pipeline.muxing import run
from pipeline.muxing.joint_command import joint
from pipeline.muxing.languages import tell_languages
from pipeline.muxing.locate import Ffmpeg
from pipeline.muxing.rotation import tell_rotation
from pipeline.muxing.run import Muxer
from pipeline.muxing.together import Guest, in_memory
from pipeline.stages.mux.ahead import Ahead, Proof
from pipeline.stages.mux.command import OutputSpec, command, feed_of, opening
from pipeline.stages.mux.converted import Converted, Tally, lanes_of
from pipeline.stages.mux.kept import Kept
from pipeline.stages.segments import TOGETHER, Buffer, LocalSegment, read_row
from pipeline.storage.temporaries import temporary

Progress = Callable[[str, int], None]
NOTHING_MORE = Stitched((), {}, ())


def measure(
    plan: Plan,
    segments: Sequence[LocalSegment],
    progress: Progress,
    format: Format = Format.MP4,
    *,
    sparse_sound: bool = False,
) -> Converted:
    """Read every unit without making anything: what ``check`` does."""
    tally = Tally(lanes_of(plan, format))
    for placed, stitched in _stitch(
        plan, segments, OutputSpec(format, sparse_sound=sparse_sound), progress
    ):
        tally.add(placed, stitched)
    return tally.converted()


def convert(
    plan: Plan,
    segments: Sequence[LocalSegment],
    ffmpeg: Ffmpeg,
    wanted: OutputSpec,
    *,
    output: Path,
    progress: Progress,
    ahead: Ahead[Proof] | None = None,
    guest: Guest | None = None,
) -> Converted:
    """Make the file, or finish one that was begun ``ahead``.  ``segments`` are those that were
    planned.  As a ``guest`` it is muxed together with others.
    """
    if wanted.format is Format.TS:
        return _write_stream(plan, segments, wanted, output=output, progress=progress)
    lanes = lanes_of(plan, wanted.format)
    room = index_size(plan, lanes, wanted.fills) if wanted.in_one_pass else None
    if wanted.texts:
        with _written(wanted.texts, output) as texts:
            argv = command(plan, ffmpeg, output, wanted, room=room, texts=texts)
            return _muxed(
                plan, segments, ffmpeg, wanted, argv=argv, output=output, progress=progress
            )
    argv = command(plan, ffmpeg, output, wanted, room=room)
    if ahead and not wanted.fills and (made := ahead.finished(plan, segments, argv)):
        return made
    return _muxed(
        plan,
        segments,
        ffmpeg,
        wanted,
        argv=argv,
        output=output,
        progress=progress,
        guest=guest,
        kept=ahead.kept if ahead else None,
    )


@contextmanager
def _written(texts: Sequence[TextTrack], output: Path) -> Iterator[list[Path]]:
    """A file of each track of captions, beside the result while that is made."""
    paths = [temporary(output.parent) for _ in texts]
    try:
        for path, text in zip(paths, texts, strict=True):
            path.write_bytes(as_mp4(text))
        yield paths
    finally:
        for path in paths:
            path.unlink(missing_ok=True)


def _muxed(
    plan: Plan,
    segments: Sequence[LocalSegment],
    ffmpeg: Ffmpeg,
    wanted: OutputSpec,
    *,
    argv: Sequence[str],
    output: Path,
    progress: Progress,
    guest: Guest | None = None,
    kept: Kept | None = None,
) -> Converted:
    lanes = lanes_of(plan, wanted.format)
    tally = Tally(lanes)
    fed = _fed(plan, segments, wanted, tally=tally, progress=progress, kept=kept)
    if guest and argv.count("-i") == 1:
        waiting = partial(progress, "wait", 0)
        said = _with_others(argv, fed, ffmpeg, guest=guest, waiting=waiting)
    else:
        said = _piped(argv, fed, ffmpeg)
    tell_rotation(output, lanes)
    if wanted.marks.chapters:
        tell_languages(output)
    done = replace(tally.converted(), command=tuple(argv), messages=said)
    return replace(done, marks=wanted.marks, fills=tuple(wanted.fills), texts=tuple(wanted.texts))


def _fed(
    plan: Plan,
    segments: Sequence[LocalSegment],
    wanted: OutputSpec,
    *,
    tally: Tally,
    progress: Progress,
    kept: Kept | None,
) -> Iterator[Sequence[memoryview | bytes]]:
    """What ffmpeg is fed with, piece by piece; a piece stays as it is until two more are asked
    for.
    """
    lanes = lanes_of(plan, wanted.format)
    feed = feed_of(lanes)
    yield opening(plan, lanes, feed, segments)
    for placed, stitched in _stitch(plan, segments, wanted, progress, kept=kept):
        tally.add(placed, stitched)
        yield feed.add(stitched.units) if feed else stitched.chunks


def _piped(argv: Sequence[str], fed: Iterable[Sequence[memoryview | bytes]], ffmpeg: Ffmpeg) -> str:
    """Feed ffmpeg while the next piece is made; returns its messages."""
    with Muxer(argv, env=ffmpeg.env) as muxer, ThreadPoolExecutor(1) as writer:
        pending: Future[None] | None = None
        for chunks in fed:
            if pending:
                pending.result()
            pending = writer.submit(muxer.write, chunks)
        if pending:
            pending.result()
        return muxer.finish()


def _with_others(
    argv: Sequence[str],
    fed: Iterable[Sequence[memoryview | bytes]],
    ffmpeg: Ffmpeg,
    *,
    guest: Guest,
    waiting: Callable[[], None],
) -> str:
    """Feed one ffmpeg with others, or one alone where that cannot be; returns its messages."""
    with in_memory() as stream:
        for chunks in fed:
            stream.writelines(chunks)
        if guest.mux(ffmpeg, argv, stream, waiting=waiting):
            return ""
        stream.seek(0)
        alone = joint([argv], [stream.fileno()])
        assert alone is not None
        return run.run(alone, env=ffmpeg.env, inputs=[stream])


def _write_stream(
    plan: Plan,
    segments: Sequence[LocalSegment],
    wanted: OutputSpec,
    *,
    output: Path,
    progress: Progress,
) -> Converted:
    """The stitched stream itself, with its tables in front of every segment."""
    lanes = lanes_of(plan, wanted.format)
    lengths: list[int] = []
    stitcher, tally = Stitcher(lanes), Tally(lanes)
    wanted = OutputSpec(wanted.format, sparse_sound=wanted.sparse_sound)
    with output.open("wb") as file:
        for turn, (placed, stitched) in enumerate(_stitch(plan, segments, wanted, progress)):
            file.write(stitcher.tables(turn))
            lengths.append(sum(file.write(chunk) for chunk in stitched.chunks))
            tally.add(placed, stitched)
    return replace(tally.converted(), lengths=tuple(lengths))


def _stitch(
    plan: Plan,
    segments: Sequence[LocalSegment],
    wanted: OutputSpec,
    progress: Progress,
    *,
    kept: Kept | None = None,
) -> Iterator[tuple[Placed, Stitched]]:
    """Segments in their order, each behind what fills the hole in front of it.

    What one yields stays as it is until two more were asked for.
    """
    lanes = lanes_of(plan, wanted.format)
    stitcher = Stitcher(lanes, {} if wanted.sparse_sound else quiets(lanes))
    following = _following(plan)
    buffers = [Buffer() for _ in range(3)]  # one being written, one waiting, one being filled
    turn = 0
    for number, row in enumerate(_in_rows(plan.placed, {fill.before for fill in wanted.fills})):
        due = [fill for fill in wanted.fills if fill.before == turn]
        for block in blocks(due, wanted.made):
            at = max(int(one.dts[-1]) for one in block.values()) if block else 0
            yield row[0], stitcher.fill(block).before(stitcher.hush(following(turn, at)))
        here = [segments[placed.number] for placed in row]
        streams = (kept.row(here) if kept else None) or read_row(here, buffers[number % 3])
        for stream, (placed, stitched) in zip(
            streams, _row_stitched(stitcher, row, streams), strict=True
        ):
            turn += 1
            at = max(placed.last(pid) for pid in placed.stamps)
            quiet = stitcher.hush(following(turn, at))
            last = stitcher.rest(plan.end) if turn == len(plan.placed) else NOTHING_MORE
            yield placed, stitched.before(quiet).before(last)
            progress("convert", len(stream.data))


def _in_rows(placed: Sequence[Placed], apart: Container[int]) -> Iterator[list[Placed]]:
    """As many in a row as are read at once; where something comes in between, a row ends."""
    row: list[Placed] = []
    size = 0
    for turn, one in enumerate(placed):
        assert one.slot.scan is not None
        if row and (turn in apart or size + one.slot.scan.size > TOGETHER):
            yield row
            row, size = [], 0
        row.append(one)
        size += one.slot.scan.size
    if row:
        yield row


def _row_stitched(
    stitcher: Stitcher, row: Sequence[Placed], streams: Sequence[TransportStream]
) -> Iterator[tuple[Placed, Stitched]]:
    """All at once if they are clean, else one by one.  StorageError if the bytes have changed."""
    together = row_of(streams)
    clean = stitcher.stitch_row(together, row) if together else None
    if clean is not None:
        yield from zip(row, clean, strict=True)
        return
    for placed, stream in zip(row, streams, strict=True):
        name = placed.slot.name
        try:
            stitched = stitcher.stitch(name, stream, placed.times, placed.edges, pids=placed.pids)
        except Changed as error:
            raise StorageError(f"{name}: changed while it was converted; run again") from error
        yield placed, stitched


def _following(plan: Plan) -> Callable[[int, int], dict[int, float]]:
    """When each lane goes on from a segment on, or a tick if it does not before."""
    turns = {
        lane.pid: [n for n, placed in enumerate(plan.placed) if lane.pid in placed.stamps]
        for lane in plan.lanes
    }

    def following(turn: int, tick: int) -> dict[int, float]:
        found = {}
        for pid, own in turns.items():
            later = own[bisect_left(own, turn) :][:1]
            found[pid] = float(min([tick, *(plan.placed[n].first(pid) for n in later)]))
        return found

    return following
