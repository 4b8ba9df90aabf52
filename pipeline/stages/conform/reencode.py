"""Re-encode what has another format than its track.  Long: survey, encoding and checks are one.

Nothing else is touched.  Times are ticks of 90 kHz.
"""

import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np
from msgspec import Struct, field
from msgspec.structs import replace
from numpy.typing import NDArray

from pipeline.media.clock import HZ, MODULO, Mask, Ticks, median, signed
from pipeline.media.es import adts
from pipeline.media.es.codecs import ENCODED
from pipeline.media.es.formats import StreamFormat
from pipeline.media.es.sps import NUMBERS
from pipeline.media.finding_ids import CHANGES
from pipeline.media.slots.format_changes import Change, Survey, TargetFormat
from pipeline.media.slots.thinned import kept
from pipeline.media.ts.scan import Stream
from pipeline.media.ts.writing.replace_streams import samples
from pipeline.model import Finding, Reencoded, Severity
from pipeline.stages.conform.encoding import (
    RATE,
    Source,
    encoded,
    pictures_as,
    private,
    sound_as,
)
from pipeline.stages.conform.spooled import Units, joined
from pipeline.stages.conform.upright import views

GAP = 0.05  # seconds without sound: more than two frames
SHORT = 0.1  # seconds of sound that may be missing without a finding
MOST_KEYS = 5000  # times of key pictures in one command: an argument has at most 128 KiB
CODE = b"\0\0\0\1"
SLICE = b"\x88\x80"
BASELINE = bytes.fromhex("6742c00aa6117b011000000300100000030140f1226118")  # any valid SPS
SILENT = adts.AdtsHeader(2, RATE, 1).fixed_part


class Encoded(Struct, frozen=True, eq=False):
    """What became of the changes."""

    units: Mapping[tuple[int, str], Units] = field(default_factory=dict)  # by slot and kind
    findings: tuple[Finding, ...] = ()
    reencoded: tuple[Reencoded, ...] = ()


def reencode(source: Source) -> Encoded:
    """Re-encode every run of changes, each picture or stretch of sound compared with what it was.
    Where ffmpeg fails, findings say what is missing.  FfmpegMissingError if it lacks a decoder,
    StorageError if a segment's file changed.
    """
    made: dict[tuple[int, str], Units] = {}
    numbers = _numbers(source.survey)
    findings: list[Finding] = []
    reencoded: list[Reencoded] = []
    runs = [*source.survey.runs(source.slots)]
    for place, run in enumerate(runs):
        wanted = source.survey.wanted[run[0].kind]
        video = wanted.kind == "video"
        if video:
            seen, keys = views(source.slots, run[0], wanted), _keys(source, run)
            codecs = [pictures_as(wanted, numbers[run[0].was], view, keys) for view in seen]
        else:
            codecs = [sound_as(wanted)]
        part = source.part(place, len(runs))
        nothing = joined((), source.spool), ""
        new, complaint = encoded(part, run, codecs) if source.ffmpeg else nothing
        if complaint:
            name = source.slots[run[0].number].name
            detail = f"its decoder says: {complaint}"
            findings.append(Finding("DECODE", Severity.ERROR, name, run[0].pid, detail=detail))
        shares = (_pictures if video else _sound)(source, run, wanted, new)
        if source.ffmpeg and not video:
            findings += _lacking(source, run, shares)
        due = _due(source, run, wanted, new) if video else [np.empty(0, np.int64)] * len(run)
        for change, mine, stamps in zip(run, shares, due, strict=True):
            made[change.number, change.kind] = mine
            one = _record(source, change, wanted, mine)
            reencoded.append(one)
            findings += [] if wanted.asked else [_changed(source, change, one)]
            findings += _undecoded(change, one, mine, stamps)
    findings += _asked(source.survey, reencoded)
    return Encoded(made, tuple(findings), tuple(reencoded))


def _numbers(survey: Survey) -> dict[StreamFormat, int]:
    """The id of the new parameter sets of each format: colours and other fields of the source stay
    in them, so each format gets one of its own.
    """
    taken = survey.wanted["video"].numbers if "video" in survey.wanted else ()
    free = [n for n in range(NUMBERS - 1, -1, -1) if n not in taken] or [NUMBERS - 1]
    formats = dict.fromkeys(change.was for change in survey.changes if change.kind == "video")
    return {was: free[min(n, len(free) - 1)] for n, was in enumerate(formats)}


class _Times(Struct, frozen=True, eq=False):
    """When the units of a run are shown, unwrapped around its first stamp."""

    base: int  # the first stamp
    old: tuple[Ticks, ...]  # PTS by segment
    limit: float  # where the run ends; infinite where that is not known

    def near(self, raw: Ticks) -> Ticks:
        """33-bit stamps, unwrapped."""
        return self.base + signed(raw - self.base)

    def shared(self, new: Units) -> list[Units]:
        """For each segment the units that are shown from its beginning to that of the next."""
        starts = [int(pts.min()) for pts in self.old]
        places = np.searchsorted(starts, new.pts, side="right").clip(min=1) - 1
        in_order = np.argsort(places, kind="stable")
        bounds = np.searchsorted(places[in_order], np.arange(len(starts) + 1))
        return [new.of(in_order[a:b]) for a, b in pairwise(bounds.tolist())]


def _times(source: Source, run: Sequence[Change]) -> _Times:
    raws = [_stream(source, change).pts for change in run]
    raws = [raw[raw >= 0] for raw in raws]
    base = int(raws[0][0])
    old = tuple(base + signed(raw - base) for raw in raws)
    last = _stream(source, run[-1])
    exact = last.codec.unit_ticks(last.config) if last.codec else None
    if exact is not None:
        behind = last.tail * exact
    elif private(run[-1]):  # one packet of sound in each PES
        behind = median(np.diff(old[-1])) if len(old[-1]) > 1 else HZ / 50
    else:  # how much its last PES holds is not known: all that comes out, if nothing follows
        behind = math.inf
    end = int(old[-1].max())
    following = _first_behind(source, run[-1])
    if following is not None:
        step = float(signed(following - end)[0])
        nearer = min(behind, HZ / 2 if behind == math.inf else behind + HZ / 2)
        behind = step if 0 < step < nearer else behind
    over = end + behind - float(old[0].min()) - _pictures_last(source, run[-1])
    if private(run[-1]) and len(run) == 1 and 0 < over < 2 * behind:
        behind -= over  # what fills the last packets up would push the next segment away
    return _Times(base, old, end + behind)


def _pictures_last(source: Source, change: Change) -> float:
    """Ticks that the pictures beside the sound of a segment last; infinite without any."""
    scan = source.slots[change.number].scan
    streams = scan.streams.values() if scan and change.kind == "audio" else ()
    for stream in streams:
        if stream.codec is not None and stream.codec.kind == "video":
            shown = stream.pts[stream.pts >= 0]
            shown = np.sort(signed(shown - shown[:1]))
            if len(shown) > 1:
                return float(shown[-1] - shown[0]) * len(shown) / (len(shown) - 1)
    return math.inf


def _first_behind(source: Source, change: Change) -> Ticks | None:
    """The first PTS of the same kind of stream in the next segment, one value; None without."""
    slots = source.slots[change.number + 1 : change.number + 2]
    for scan in (slot.scan for slot in slots if slot.scan):
        for stream in scan.streams.values():
            if stream.codec is not None and stream.codec.kind == change.kind:
                found: Ticks = stream.pts[stream.pts >= 0][:1]
                return found if len(found) else None
    return None


def _stream(source: Source, change: Change) -> Stream:
    scan = source.slots[change.number].scan
    assert scan is not None
    return scan.streams[change.pid]


def _pictures(
    source: Source, run: Sequence[Change], wanted: TargetFormat, new: Units
) -> list[Units]:
    """The new pictures by segment, with the delay from DTS to PTS of those that stay."""
    times = _times(source, run)
    if source.ffmpeg is None:
        shown = _stay(np.unique(np.concatenate(times.old)), wanted)
        unlike = run[0].number.to_bytes(4, "big")  # or they would be taken for copies
        new = _stand_ins(source, shown, [_stand_in(wanted, key) + unlike for key in (True, False)])
    return times.shared(replace(new, pts=times.near(new.pts), delay=wanted.delay))


def _stand_ins(source: Source, pts: Ticks, units: Sequence[bytes]) -> Units:
    """A unit for each of these times: the first, and the last of ``units`` for all others."""
    begin, size = source.spool.add(units)
    which = np.minimum(np.arange(len(pts)), len(units) - 1)
    return Units(source.spool, pts, begin[which], size[which])


def _stay(pts: Ticks, wanted: TargetFormat) -> Ticks:
    """The stamps, in rising order, of the pictures that are encoded."""
    rate = wanted.asked.rate if wanted.asked else None
    return kept(pts, rate) if rate and len(pts) else pts


def _due(source: Source, run: Sequence[Change], wanted: TargetFormat, new: Units) -> list[Ticks]:
    """The stamps of the pictures that have to come out of each segment.  Which of them stay is
    counted from the first that can be decoded.
    """
    times = _times(source, run)
    first = (int(times.near(new.pts).min()) if len(new) else times.base) - 1
    every = np.unique(np.concatenate(times.old))
    halves = every[every < first], every[every >= first]
    stay = np.concatenate([_stay(half, wanted) for half in halves])
    return [np.unique(old[np.isin(old, stay)] % MODULO) for old in times.old]


def _keys(source: Source, run: Sequence[Change]) -> list[float]:
    """When the segments of a run begin, in seconds: files can be cut there."""
    stamps = (_stream(source, change).pts for change in run[1 : MOST_KEYS + 1])
    return [float(pts[pts >= 0].min()) / HZ for pts in stamps]


def _sound(source: Source, run: Sequence[Change], wanted: TargetFormat, new: Units) -> list[Units]:
    """The new frames by segment, without what the encoder put in front and behind."""
    times = _times(source, run)
    header = wanted.like.config if wanted.like else None
    header = header or next((c for s in new if (c := adts.fixed_part(s.data))), SILENT)
    beat = adts.read(header).ticks
    begin = float(times.old[0].min())
    frames = _frames(new, header)
    frames = replace(frames, pts=times.near(frames.pts))
    if source.ffmpeg is None:
        end = times.limit if times.limit < math.inf else float(times.old[-1].max()) + beat
        beats = np.arange(max(1, round((end - begin) / beat)))
        silent = adts.framed(header, run[0].number.to_bytes(5, "big"))
        frames = _stand_ins(source, np.rint(begin + beats * beat).astype(np.int64), [silent])
    else:
        known = (begin - beat / 2 <= frames.pts) & (frames.pts < times.limit - beat / 2)
        frames = frames.of(np.flatnonzero(known))
    holes = [hole for change in run for hole in _holes(source, change, times)]
    return times.shared(frames.of(np.flatnonzero(~_inside(frames.pts + beat / 2, holes))))


def _frames(sound: Units, header: bytes) -> Units:
    """The single frames of sound in PES, each shown behind the one before."""
    beat = adts.read(header).ticks
    columns = array("q"), array("q"), array("q")
    for sample, begin in zip(sound, sound.begin, strict=True):
        found = adts.frames(np.frombuffer(sample.data, np.uint8), header)
        pts = sample.pts + np.rint(np.arange(len(found.begin)) * beat)
        for column, values in zip(columns, (pts, begin + found.begin, found.length), strict=True):
            column.frombytes(values.astype(np.int64).tobytes())
    pts, begins, sizes = (np.array(column, np.int64) for column in columns)
    return Units(sound.spool, pts, begins, sizes)


def _inside(moments: NDArray[np.floating], spans: Sequence[tuple[float, float]]) -> Mask:
    """Which moments lie in one of these spans, which are in order."""
    begins = np.array([begin for begin, _ in spans])
    ends = np.array([-math.inf, *(end for _, end in spans)])
    found: Mask = moments < ends[np.searchsorted(begins, moments, side="right")]
    return found


def _holes(source: Source, change: Change, times: _Times) -> Iterator[tuple[float, float]]:
    """Spans inside a segment that hold no sound: the encoder fills them with silence."""
    sent = samples(source.read(change.number).data, change.pid)
    begins = times.near(np.array([sample.pts for sample in sent], np.int64)).tolist()
    lasting = 1.5 * median(np.diff(begins)) if len(begins) > 1 else 0.0
    exact = change.was.codec.unit_ticks(change.was.config)
    for sample, (begin, following) in zip(sent, pairwise(begins), strict=False):
        if exact is not None:
            lasting = exact * (change.was.codec.count(sample.data) or math.inf)  # begins inside one
        if following - begin - lasting > HZ * GAP:
            yield begin + lasting, following


def _lacking(source: Source, run: Sequence[Change], shares: Sequence[Units]) -> Iterator[Finding]:
    """A DECODE for sound that did not come out of a run, beyond ``SHORT``."""
    times = _times(source, run)
    end = times.limit if times.limit < math.inf else float(times.old[-1].max())
    gone = sum(b - a for change in run for a, b in _holes(source, change, times))
    wanted = (end - float(times.old[0].min()) - gone) / HZ
    new = (sample for share in shares for sample in share)
    header = next((c for s in new if (c := adts.fixed_part(s.data))), SILENT)
    count = sum(map(len, shares))
    short = wanted - count * adts.read(header).ticks / HZ
    if count and short > SHORT:
        detail = f"{short:.3f} s of {wanted:.3f} s of sound could not be decoded"
        name = source.slots[run[0].number].name
        yield Finding("DECODE", Severity.ERROR, name, run[0].pid, 1, detail)


def _stand_in(wanted: TargetFormat, key: bool) -> bytes:
    """A picture that cannot be shown, for where only its time counts."""
    sps = wanted.like.config if wanted.like and wanted.like.config else BASELINE
    return CODE + sps + CODE + b"\x65" + SLICE if key else CODE + b"\x41" + SLICE


def _record(source: Source, change: Change, wanted: TargetFormat, mine: Units) -> Reencoded:
    stream, name = _stream(source, change), source.slots[change.number].name
    known = stream.pts[stream.pts >= 0]
    span = signed(known - known[0])
    step = (int(span.max()) - int(span.min())) / max(1, len(span) - 1)
    now = str(wanted.like or _becomes(wanted))
    seconds = round((int(span.max()) - int(span.min()) + step) / HZ, 3)
    return Reencoded(change.kind, name, seconds, len(mine), str(change.was), now)


def _becomes(wanted: TargetFormat) -> str:
    """What all of it is encoded as, for people."""
    said, asked = ENCODED[wanted.kind].name, wanted.asked
    if asked and asked.size:
        said += f" {asked.size[0]}x{asked.size[1]}"
    if asked and asked.bitrate:
        said += f", {asked.bitrate} kbit/s"
    if asked and asked.rate:
        said += f", at most {asked.rate} pictures a second"
    return said


def _changed(source: Source, change: Change, one: Reencoded) -> Finding:
    """What was done because the format differs."""
    own = not private(change) and change.was.codec.copied
    rotated = change.kind == "video" and source.survey.wanted["video"].rotated
    id = "ROTATION" if rotated else CHANGES[change.was.codec.kind]
    id = id if own else "ES_CODEC"
    detail = f"{one.was}, {one.units} units of {one.seconds:g} s"
    done = f"re-encoded as {one.now}"
    return Finding(id, Severity.WARNING, one.segment, change.pid, 1, detail, done)


def _asked(survey: Survey, made: Sequence[Reencoded]) -> Iterator[Finding]:
    """What was done because it was asked for."""
    wanted = survey.wanted.get("video")
    if wanted is not None and wanted.asked is not None:
        count = sum(one.units for one in made if one.kind == "video")
        detail = f"{count} pictures re-encoded as {_becomes(wanted)}, as was asked for"
        yield Finding("ENCODED", Severity.INFO, None, wanted.pid, count, detail)


def _undecoded(change: Change, one: Reencoded, mine: Units, due: Ticks) -> Iterator[Finding]:
    """What did not come out; ``due`` are the stamps of the pictures that have to."""
    if change.kind == "video":
        shown = np.concatenate([mine.pts % MODULO + off for off in (-1, 0, 1)])
        if lost := int(np.count_nonzero(~np.isin(due, shown))):
            detail = f"{lost} of {len(due)} pictures could not be decoded"
            yield Finding("DECODE", Severity.ERROR, one.segment, change.pid, lost, detail)
    elif not one.units:
        detail = "not one frame of its sound could be decoded"
        yield Finding("DECODE", Severity.ERROR, one.segment, change.pid, 1, detail)
