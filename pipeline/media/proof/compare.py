"""The proof that an MP4 holds what the segments held: every count, time stamp and byte.

The source side comes from our packet reader, the MP4 side from our box reader; nothing the muxer
says is used.  Bytes are compared by one CRC-32 per segment and track over all access units as MP4
stores them, sizes unit by unit.  Times are ticks of 90 kHz.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, pairwise
from operator import itemgetter

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from pipeline.media.captions.text_track import TextTrack
from pipeline.media.clock import BASE, HZ, Ticks
from pipeline.media.isobmff import sample_tables as mp4
from pipeline.media.loss.chapters import Marks
from pipeline.media.loss.holes import Stretch
from pipeline.media.track import Lane
from pipeline.model import Finding, Proof, Severity

HANDLERS = {"video": "vide", "audio": "soun"}
CHAPTERS = "text"  # the handler of a track of titles
CAPTIONS = "sbtl"  # and of one of captions


class Pair(Struct, frozen=True, eq=False):
    """A lane, the track that was made of it, and what its segments held."""

    lane: Lane
    track: mp4.Track
    stretches: Sequence[Stretch]


def paired(
    movie: mp4.Movie, lanes: Sequence[Lane], expected: Sequence[Sequence[Stretch]]
) -> list[Pair] | None:
    """Each lane with its track, in order; None when the tracks are not those that were asked for.
    ``expected`` are the units of each lane, one stretch for each segment.

    Tracks of chapter titles and captions are none of a lane: see :func:`chapters`,
    :func:`captions`.
    """
    tracks = [track for track in movie.tracks if track.handler not in (CHAPTERS, CAPTIONS)]
    if len(tracks) != len(lanes):
        return None
    pairs = [Pair(*one) for one in zip(lanes, tracks, expected, strict=True)]
    return pairs if all(_of_one_kind(pair.lane, pair.track) for pair in pairs) else None


def _of_one_kind(lane: Lane, track: mp4.Track) -> bool:
    same = track.handler == HANDLERS[lane.codec.kind]
    return same and track.codec in lane.codec.mp4_entries


def prove(
    movie: mp4.Movie, layout: mp4.Layout, pairs: Sequence[Pair], digests: Sequence[int]
) -> tuple[Proof, list[Finding]]:
    """Compare the two sides.  A difference is a fatal finding that names its first segment;
    ``digests`` are CRC-32 of the file, one for each segment of the first pair, the second, ...
    Malformed for an edit list that ffmpeg does not write.
    """
    findings: list[Finding] = []
    counts = times = data = True
    worst = 0.0
    base = 0
    for pair in pairs:
        mine = digests[base : base + len(pair.stretches)]
        base += len(pair.stretches)
        counted = list(_count(pair))
        differing = list(_bytes(pair, mine)) if not counted else []
        error, late = _times(pair, movie.timescale) if not counted else (0.0, [])
        worst = max(worst, error)
        findings += [*counted, *differing, *late, *_config(pair), *_rotation(pair)]
        counts &= not counted
        times &= not counted and not late
        data &= not counted and not differing
    findings += _structure(layout, movie.timescale, pairs)
    made = sum(stretch.filled for pair in pairs for stretch in pair.stretches)
    return Proof(counts, times, data, round(worst, 3), made), findings


def chapters(movie: mp4.Movie, read: Callable[[int, int], bytes], marks: Marks) -> list[Finding]:
    """An M_CHAPTERS unless the titles in the file are those of ``marks``, each at its time to a
    millisecond; ``read(offset, size)`` reads the file.
    """
    tracks = [track for track in movie.tracks if track.handler == CHAPTERS]
    found = [one for track in tracks for one in _titles(track, movie.timescale, read)]
    wanted = [(chapter.start, chapter.title) for chapter in marks.chapters]
    close = len(found) == len(wanted) and all(
        a[1] == b[1] and abs(a[0] - b[0]) <= HZ // 1000 for a, b in zip(found, wanted, strict=True)
    )
    if close and len(tracks) <= 1:
        return []
    detail = f"{len(found)} chapters that are not the {len(wanted)} it was to have"
    return [Finding("M_CHAPTERS", Severity.FATAL, detail=detail)]


def captions(
    movie: mp4.Movie, read: Callable[[int, int], bytes], wanted: Sequence[TextTrack]
) -> list[Finding]:
    """An M_CAPTIONS unless the subtitle tracks are those ``wanted``, each text at its time to a
    millisecond; ``read(offset, size)`` reads the file.
    """
    tracks = [track for track in movie.tracks if track.handler == CAPTIONS]
    found = [_changes(_titles(track, movie.timescale, read)) for track in tracks]
    due = [_changes((round(s.at * HZ / 1000), s.text) for s in one.samples) for one in wanted]
    if len(found) == len(due) and all(map(_alike, found, due)):
        return []
    have, want = ([sum(map(len, some)), len(some)] for some in (found, due))
    detail = "{} changes of text in {} subtitle tracks, expected {} in {}".format(*have, *want)
    return [Finding("M_CAPTIONS", Severity.WARNING, detail=detail)]


def _changes(told: Iterable[tuple[int, str]]) -> list[tuple[int, str]]:
    """Where another text begins; of several at one tick the last counts."""
    texts = groupby(dict(told).items(), key=itemgetter(1))
    changes = [next(some) for _, some in texts]
    return changes if not changes or changes[0][1] else changes[1:]


def _alike(found: Sequence[tuple[int, str]], due: Sequence[tuple[int, str]]) -> bool:
    """The last text may end with its track instead of with an empty one."""
    if len(found) + 1 == len(due) and not due[-1][1]:
        due = due[:-1]
    return len(found) == len(due) and all(
        a[1] == b[1] and abs(a[0] - b[0]) <= HZ // 1000 for a, b in zip(found, due, strict=True)
    )


def _titles(
    track: mp4.Track, timescale: int, read: Callable[[int, int], bytes]
) -> Iterator[tuple[int, str]]:
    """Tick and text of each sample (QuickTime File Format, text sample data)."""
    offsets, _, first = mp4.runs(track)
    shown = mp4.presentation(track, timescale).tolist()
    sizes = track.sizes.tolist()
    bounds = [*first.tolist(), len(sizes)]
    for offset, (begin, end) in zip(offsets.tolist(), pairwise(bounds), strict=True):
        for sample in range(begin, end):
            data = read(offset, min(sizes[sample], 1 << 16))
            offset += sizes[sample]
            length = int.from_bytes(data[:2], "big")
            yield shown[sample], data[2 : 2 + length].decode("utf-8", "replace")


def compare(
    lanes: Sequence[Lane],
    expected: Sequence[Sequence[Stretch]],
    found: Sequence[Sequence[Stretch]],
) -> tuple[Proof, list[Finding]]:
    """The same for a result that was read back as units: one stretch for each segment of each lane
    on both sides; all must be equal.
    """
    counts = times = data = True
    findings: list[Finding] = []
    for lane, wanted, real in zip(lanes, expected, found, strict=True):
        for a, b in zip(wanted, real, strict=True):
            same_count = len(a.units.sizes) == len(b.units.sizes)
            same_times = same_count and np.array_equal(a.units.pts, b.units.pts)
            same_times = same_times and np.array_equal(a.units.dts, b.units.dts)
            same_bytes = same_count and np.array_equal(a.units.sizes, b.units.sizes)
            same_bytes = same_bytes and a.units.digest == b.units.digest
            counts, times, data = counts & same_count, times & same_times, data & same_bytes
            for id, same in (
                ("M_COUNT", same_count),
                ("M_TIME", same_times),
                ("M_HASH", same_bytes),
            ):
                if not same:
                    detail = f"{lane.codec.kind} is not what the segment holds"
                    findings.append(Finding(id, Severity.FATAL, a.segment, lane.pid, detail=detail))
    made = sum(s.filled for stretches in expected for s in stretches)
    return Proof(counts, times, data, filled=made), findings


def _unheard(pair: Pair) -> int:
    """How many units begin in what is decoded and not heard at the beginning of a lane."""
    if not pair.lane.lead:
        return 0
    stamps = (stretch.units.pts for stretch in pair.stretches)
    return int(sum(np.count_nonzero((pts >= 0) & (pts < BASE)) for pts in stamps))


def _structure(layout: mp4.Layout, timescale: int, pairs: Sequence[Pair]) -> Iterator[Finding]:
    outside = sum(mp4.outside(pair.track, layout) for pair in pairs)
    if outside:
        detail = f"{outside} chunks lie outside the media data"
        yield Finding("M_BOUNDS", Severity.FATAL, detail=detail)
    if not layout.faststart:
        yield Finding(
            "M_FASTSTART", Severity.FATAL, detail="the index stands behind the media data"
        )
    hidden = [mp4.hidden(pair.track, timescale) for pair in pairs]
    unheard = [_unheard(pair) for pair in pairs]
    if hidden != unheard:
        detail = f"{sum(hidden)} samples lie outside the edit list, expected {sum(unheard)}"
        yield Finding("M_TIME", Severity.FATAL, detail=detail)


def _count(pair: Pair) -> Iterator[Finding]:
    wanted, found = sum(len(s.units.sizes) for s in pair.stretches), len(pair.track.sizes)
    if wanted != found:
        kind = pair.lane.codec.kind
        detail = f"{found} {kind} samples in the MP4, {wanted} in the segments"
        yield Finding("M_COUNT", Severity.FATAL, pid=pair.lane.pid, detail=detail)


def _bytes(pair: Pair, digests: Sequence[int]) -> Iterator[Finding]:
    at = 0
    wrong: list[str] = []
    for stretch, digest in zip(pair.stretches, digests, strict=True):
        sizes = pair.track.sizes[at : at + len(stretch.units.sizes)]
        at += len(sizes)
        if digest != stretch.units.digest or not np.array_equal(sizes, stretch.units.sizes):
            wrong.append(stretch.segment)
    if wrong:
        kind = pair.lane.codec.kind
        detail = f"{kind} of {len(wrong)} segments is not what the segments hold"
        yield Finding("M_HASH", Severity.FATAL, wrong[0], pair.lane.pid, len(wrong), detail)


def _times(pair: Pair, timescale: int) -> tuple[float, list[Finding]]:
    """Largest error in ticks, and a finding if it is beyond a tick plus half a tick of the track.

    Segment by segment, so that memory does not grow with the recording.
    """
    lane, track = pair.lane, pair.track
    allowed = 1 + (0 if track.timescale % HZ == 0 else HZ / track.timescale / 2)
    between = _Between(lane.unit)
    worst, late, first = 0.0, 0, ""
    at = 0
    for stretch in pair.stretches:
        pts, dts = stretch.units.pts, stretch.units.dts
        here = slice(at, at + len(pts))
        at += len(pts)
        shown = mp4.presentation(track, timescale, here)
        video = lane.codec.kind == "video"
        decoded = mp4.decode_times(track, timescale, here) if video else shown
        errors = np.maximum(_errors(shown, pts), _errors(decoded, dts))
        errors = errors if video else np.maximum(errors, between.errors(shown, pts))
        worst = max(worst, float(errors.max(initial=0.0)))
        beyond = int(np.count_nonzero(errors > allowed))
        first = first or (stretch.segment if beyond else "")
        late += beyond
    if not late:
        return worst, []
    detail = f"{late} {lane.codec.kind} samples off by up to {worst / HZ:.6f} s"
    return worst, [Finding("M_TIME", Severity.FATAL, first, lane.pid, late, detail)]


def _errors(found: Ticks, wanted: Ticks) -> NDArray[np.float64]:
    """Distance in ticks to the stamps the source carries; 0 where it carries none."""
    return np.where(wanted >= 0, np.abs(found + BASE - wanted), 0).astype(np.float64)


class _Between:
    """Frames without a stamp follow a stamped one by whole frames, rounded down to ticks or not."""

    def __init__(self, unit: float) -> None:
        self._unit = unit
        self._stamp = -1  # the last one, and how many frames ago it was
        self._ago = 0

    def errors(self, found: Ticks, stamps: Ticks) -> NDArray[np.float64]:
        """Distance in ticks to where each frame may be; 0 in front of the first stamp of all."""
        count = np.arange(len(stamps))
        last = np.maximum.accumulate(np.where(stamps >= 0, count, -1))
        stamp = np.where(last >= 0, stamps[last], self._stamp)
        nth = np.where(last >= 0, count - last, count + self._ago)
        if len(stamps):
            self._stamp, self._ago = int(stamp[-1]), int(nth[-1]) + 1
        low, high = stamp + nth * np.floor(self._unit), stamp + nth * self._unit
        real = found + BASE
        beyond = np.maximum(0.0, np.maximum(low - real, real - high))
        return np.where(stamp >= 0, beyond, 0.0)


def _config(pair: Pair) -> Iterator[Finding]:
    """The decoder configuration in the MP4 is the one the stream carries."""
    lane, track = pair.lane, pair.track
    apart = lane.codec.nal is not None and lane.codec.nal.apart  # sets stand in the entry alone
    sets = frozenset[bytes]().union(*(stretch.units.sets for stretch in pair.stretches))
    sets |= frozenset() if apart or lane.inside else frozenset(lane.sets)
    right = lane.codec.same_config(track.configuration, lane.config, sets)
    right &= not apart or track.codec == lane.codec.mp4_entries[lane.inside]
    if not right or track.descriptions != 1:
        detail = f"the {lane.codec.kind} configuration of the MP4 is not that of the stream"
        yield Finding("M_CONFIG", Severity.FATAL, pid=lane.pid, detail=detail)


def _rotation(pair: Pair) -> Iterator[Finding]:
    """Players turn the pictures clockwise by as much as they are stored turned anticlockwise."""
    lane, found = pair.lane, pair.track.rotation
    if lane.codec.kind == "video" and found != lane.turned:
        said = "cannot be read" if found is None else f"turns pictures {found}° clockwise"
        detail = f"its display matrix {said}, expected {lane.turned}°"
        yield Finding("M_ROTATION", Severity.FATAL, pid=lane.pid, detail=detail)
