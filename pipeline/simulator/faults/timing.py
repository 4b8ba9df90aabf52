"""Faults of time: gaps, overlaps, resets and drifts of the recorder's clock."""

from collections.abc import Callable

from msgspec.structs import replace

from pipeline.agora import names
from pipeline.errors import UsageError
from pipeline.simulator.faults.fault_context import Case, with_units, without
from pipeline.simulator.recorder.recorder import start_tags
from pipeline.simulator.recorder.values import HZ, START, RecordedPart, Segment, Unit

WRAP = 1 << 33  # ticks


def overlap_2s(part: RecordedPart, case: Case) -> RecordedPart:
    """The clock of later slices goes back two seconds; nothing was recorded twice."""
    return _clock(part, _later(part, case), -2 * HZ)


def clock_step(part: RecordedPart, case: Case) -> RecordedPart:
    """The clock of later slices steps ahead; the names go on, so nothing was missed."""
    return _clock(part, _later(part, replace(case, argument=None)), case.seconds(7))


def clock_steps_once(part: RecordedPart, case: Case) -> RecordedPart:
    """The clock of one slice is that of another time."""
    ticks = case.shift(3600)
    n = _later(part, replace(case, argument=None))
    segment = part.segments[n]
    return part.with_segment(n, replace(segment, clock=segment.clock + ticks))


def discontinuity(part: RecordedPart, case: Case) -> RecordedPart:
    """The clock of later slices steps ahead behind DISCONTINUITY; nothing was missed."""
    n = _later(part, replace(case, argument=None))
    return _tagged(_clock(part, n, case.seconds(60)), n, "#EXT-X-DISCONTINUITY")


def names_step(part: RecordedPart, case: Case) -> RecordedPart:
    """The clock of the names steps; that of the media goes on, so nothing was missed."""
    ticks = case.shift(3600)
    n = _later(part, replace(case, argument=None))
    later = {k: replace(s, name=delayed(s.name, ticks)) for k, s in enumerate(part.segments[n:], n)}
    return replace(part.with_segments(later), touched=part.touched)


def gap_7s(part: RecordedPart, case: Case) -> RecordedPart:
    """For seven seconds nothing was recorded."""
    return _pause(part, _later(part, case), 7 * HZ)


def gap_3600s(part: RecordedPart, case: Case) -> RecordedPart:
    """For an hour nothing was recorded."""
    return _pause(part, _later(part, case), 3600 * HZ)


def interruption(part: RecordedPart, case: Case) -> RecordedPart:
    """Nothing came for 15 s or longer: Agora begins a new slice behind DISCONTINUITY and START."""
    n, length = _later(part, replace(case, argument=None)), case.seconds(36.35)
    if length < 15 * HZ:
        raise case.wrong("15 seconds or more")
    part = _pause(part, n, length)
    begin = part.segments[n].begin
    at = names.stamp(part.epoch + begin / HZ)
    tags = start_tags(case.setup.streams, case.look.size, at)
    entries = [
        replace(e, tags=tags) if e.uri == part.segments[n].name else e
        for e in part.playlist.entries
    ]
    return part.with_entries(*entries)


def pts_wrap(part: RecordedPart, case: Case) -> RecordedPart:
    """The clock passes 2^33 in the middle of the recording."""
    middle = part.segments[len(part.segments) // 2]
    ticks = WRAP - HZ - middle.begin - START
    return _clock(part, 0, ticks)


def ts_reset(part: RecordedPart, case: Case) -> RecordedPart:
    """The clock of later slices restarts, with or without DISCONTINUITY."""
    tagged = case.word("plain", "tag") == "tag"
    n = _later(part, replace(case, argument=None))
    part = _clock(part, n, START - part.segments[n].clock - part.segments[n].begin)
    if not tagged:
        return part
    return _tagged(part, n, "#EXT-X-DISCONTINUITY")


def av_drift_1pct(part: RecordedPart, case: Case) -> RecordedPart:
    """The stamps of the sound run away by one percent."""
    origin = part.segments[0].begin

    def stretched(unit: Unit) -> Unit:
        if unit.stream != "audio":
            return unit
        paused = sum(length for begin, length in part.pauses if begin < unit.time)
        return replace(unit, time=unit.time + round((unit.time - paused - origin) * 0.01))

    return _every(part, lambda s: replace(s, units=tuple(map(stretched, s.units))))


def dts_swapped(part: RecordedPart, case: Case) -> RecordedPart:
    """Two pictures in a row carry each other's time stamp."""
    n = case.pick(part)
    units = list(part.segments[n].units)
    inner = [k for k, u in enumerate(units) if u.stream == "video" and not u.key]
    if len(inner) < 4:
        raise UsageError(f"{case.fault}: there are no pictures")
    k = inner[len(inner) // 2 - 1]
    step = units[k + 1].time - units[k].time
    units[k], units[k + 1] = replace(units[k], off=step), replace(units[k + 1], off=-step)
    return part.with_segment(n, replace(part.segments[n], units=tuple(units)))


def late_audio_pmt_ok(part: RecordedPart, case: Case) -> RecordedPart:
    """Sound comes after the first slices; the PMT lists it from the beginning."""
    return _late(part, case, "audio", announced=True)


def late_audio_pmt_absent(part: RecordedPart, case: Case) -> RecordedPart:
    """Sound comes after the first slices, and only then enters the PMT."""
    return _late(part, case, "audio", announced=False)


def late_video(part: RecordedPart, case: Case) -> RecordedPart:
    """Pictures come after the first slices; the PMT lists them from the beginning."""
    return _late(part, case, "video", announced=True)


def audio_ends_early(part: RecordedPart, case: Case) -> RecordedPart:
    """Sound ends before the pictures do: nobody speaks any more."""
    return _ends(part, case, "audio")


def video_ends_early(part: RecordedPart, case: Case) -> RecordedPart:
    """Pictures end before the sound does."""
    return _ends(part, case, "video")


def audio_pauses(part: RecordedPart, case: Case) -> RecordedPart:
    """No sound was sent during one slice; no packet is missing."""
    n = _later(part, case)
    _refuse_alone(part, case, "audio")
    made = part.with_segment(n, without(part.segments[n], "audio"))
    return _refuse_nothing(made, case)


def audio_interrupted(part: RecordedPart, case: Case) -> RecordedPart:
    """No sound was sent during one slice; a START in front of the next tells when it came back."""
    part = audio_pauses(part, case)
    n = 1 + _later(part, replace(case, argument=case.argument or str(max(part.touched))))
    first = next(
        (u for s in part.segments[n : n + 1] for u in s.units if u.stream == "audio"), None
    )
    if first is None:
        raise UsageError(f"{case.fault}: sound has to come back in the next slice")
    at = names.stamp(part.epoch + first.time / HZ)
    return _tagged(part, n, start_tags(("audio",), case.look.size, at)[-1])


def still_screen(part: RecordedPart, case: Case) -> RecordedPart:
    """One picture, and none behind it in a slice: nothing moved, and nothing was sent."""
    n = _later(part, case)
    _refuse_alone(part, case, "video")
    segment = part.segments[n]
    first = next((u for u in segment.units if u.stream == "video"), None)
    if first is None:
        raise UsageError(f"{case.fault}: there are no pictures")
    still = replace(first, length=segment.begin + segment.length - first.time)
    return part.with_segment(n, with_units(segment, "video", (still,)))


def audio_never(part: RecordedPart, case: Case) -> RecordedPart:
    """The PMT lists sound, but there is none."""
    _refuse_alone(part, case, "audio")
    _refuse_later(part, case)
    made = _every(part, lambda segment: without(segment, "audio"))
    return _refuse_nothing(replace(made, over=part.over | {"audio"}), case)


def _later(part: RecordedPart, case: Case) -> int:
    return case.pick(part, inner=True)


def _every(part: RecordedPart, change: Callable[[Segment], Segment]) -> RecordedPart:
    return part.with_segments({n: change(s) for n, s in enumerate(part.segments)})


def _clock(part: RecordedPart, since: int, ticks: int) -> RecordedPart:
    return replace(
        part,
        segments=tuple(
            replace(s, clock=s.clock + ticks) if n >= since else s
            for n, s in enumerate(part.segments)
        ),
    )


def _tagged(part: RecordedPart, n: int, tag: str) -> RecordedPart:
    """A tag in front of those that a slice has."""
    name = part.segments[n].name
    entries = part.playlist.entries
    return part.with_entries(
        *(replace(e, tags=(tag, *e.tags)) if e.uri == name else e for e in entries)
    )


def _pause(part: RecordedPart, since: int, length: int) -> RecordedPart:
    """Time without a recording, told by the clock and by the names."""
    changed = {}
    for n, segment in enumerate(part.segments[since:], since):
        name = delayed(segment.name, length)
        units = tuple(replace(u, time=u.time + length) for u in segment.units)
        changed[n] = replace(segment, name=name, begin=segment.begin + length, units=units)
    pause = (part.segments[since].begin, length)
    made = part.with_segments(changed)
    pauses, delay = (*part.pauses, pause), part.delay + length
    return replace(made, pauses=pauses, touched=part.touched, delay=delay)


def delayed(name: str, ticks: int) -> str:
    """The name of a slice that began so many ticks later."""
    parsed = names.parse_slice_name(name)
    assert parsed is not None
    where = (parsed.sid, parsed.cname, parsed.utc + ticks / HZ)
    return names.slice_name(*where, bak=parsed.bak, extension=parsed.extension)


def _late(part: RecordedPart, case: Case, stream: str, *, announced: bool) -> RecordedPart:
    _refuse_later(part, case)
    n = _later(part, case)
    _refuse_alone(part, case, stream)
    first = next((u for u in part.segments[n].units if u.stream == stream), None)
    if stream == "video" and first is not None and not first.key:
        raise UsageError(f"{case.fault}: nobody begins to send with anything but a key picture")
    changed = {}
    for k in range(n):
        segment = without(part.segments[k], stream)
        if not announced:
            streams = tuple(s for s in segment.layout.streams if s != stream)
            segment = replace(segment, layout=replace(segment.layout, streams=streams))
        changed[k] = segment
    made = part.with_segments(changed)
    return _refuse_nothing(replace(made, touched=part.touched), case)


def _ends(part: RecordedPart, case: Case, stream: str) -> RecordedPart:
    n = _later(part, case)
    _refuse_alone(part, case, stream)
    changed = {k: without(part.segments[k], stream) for k in range(n, len(part.segments))}
    made = part.with_segments(changed)
    made = replace(made, touched=part.touched, over=part.over | {stream})
    return _refuse_nothing(made, case)


def _refuse_later(part: RecordedPart, case: Case) -> None:
    """What an older part has would be lost in a later one, and not come late."""
    first = names.parse_slice_name(part.segments[0].name)
    if first is not None and first.bak is not None:
        raise UsageError(f"{case.fault}: only of the main part")


def _refuse_nothing(part: RecordedPart, case: Case) -> RecordedPart:
    """A recorder that gets nothing at all begins no slice."""
    if not all(segment.units for segment in part.segments):
        raise UsageError(f"{case.fault}: a slice would be left with neither sound nor pictures")
    return part


def _refuse_alone(part: RecordedPart, case: Case, stream: str) -> None:
    streams = {u.stream for s in part.segments for u in s.units}
    if stream not in streams or len(streams) == 1:
        raise UsageError(f"{case.fault}: needs sound and pictures")
