"""Which elementary streams become tracks, and whether they stay the same throughout."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain, pairwise

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from pipeline.media.clock import HZ, median, signed
from pipeline.media.distribution import Distribution
from pipeline.media.es.codecs import Codec, is_data
from pipeline.media.es.formats import collide, needs
from pipeline.media.finding_ids import CHANGES
from pipeline.media.slots.segments import Placed
from pipeline.media.timeline.pid_mapping import program_codecs
from pipeline.media.track import Lane
from pipeline.media.ts import psi
from pipeline.media.ts.continuity import continues
from pipeline.media.ts.scan import Scan, Stream
from pipeline.model import Finding, Severity

NOT_YET = "not supported yet"
LATE = 1.5  # usual steps: units further apart have a gap between them
REGULAR = 3  # steps between time stamps at least in a stream of sound or pictures


def choose(
    scans: Sequence[Scan], *, one_format: bool = True
) -> tuple[tuple[Lane, ...], list[Finding]]:
    """The lanes of a recording, video first.  FATAL findings say why it cannot be one MP4 without
    loss.  Without ``one_format`` formats may change, and each lane has its first one.
    """
    listed = [scan for scan in scans if scan.program.streams]
    if not listed:
        detail = "no PAT and PMT in any segment: no program to convert"
        return (), [Finding("PSI_MISSING", Severity.FATAL, detail=detail)]
    findings = [*_program_rules(scans, listed), *_unlisted(scans)]
    lanes: list[Lane] = []
    for pid in sorted({pid for scan in listed for pid in scan.program.streams}):
        lane, said = _lane(pid, scans)
        findings += [*said, *_mistold(pid, scans)]
        if lane and one_format:
            findings += [*_constancy(lane, scans), *_inside(lane)]
        lanes += [lane] if lane else []
    inside = any(lane.inside for lane in lanes)  # one kind of sample entry for all tracks
    lanes = [replace(x, inside=inside and x.codec.kind == "video") for x in lanes]
    if not lanes:  # nothing else is worth an MP4
        findings = [
            replace(f, severity=Severity.FATAL) if f.id == "ES_CODEC" else f for f in findings
        ]
    if not lanes and not any(f.severity == Severity.FATAL for f in findings):
        detail = "no audio or video in any segment"
        findings.append(Finding("ES_ABSENT", Severity.FATAL, detail=detail))
    return tuple(sorted(lanes, key=lambda lane: lane.codec.kind != "video")), findings


def with_rotation(
    lanes: Sequence[Lane], placed: Sequence[Placed], *, one_format: bool = True
) -> tuple[tuple[Lane, ...], list[Finding]]:
    """The lanes with the rotation of their pictures, the most frequent one where they differ, which
    is a finding unless the plan is to be divided.
    """
    made: list[Lane] = []
    findings: list[Finding] = []
    for lane in lanes:
        held = [segment.slot for segment in placed if lane.pid in segment.stamps]
        found = Counter(slot.turned for slot in held if lane.codec.kind == "video")
        if found.keys() - {0}:
            degrees = found.most_common(1)[0][0] or 0
            findings += _rotation(lane, degrees, steady=len(found) == 1, one_format=one_format)
            lane = replace(lane, turned=degrees)
        made.append(lane)
    return tuple(made), findings


def _rotation(lane: Lane, degrees: int, *, steady: bool, one_format: bool) -> Iterator[Finding]:
    if steady:
        detail = f"pictures are stored turned {degrees}° anticlockwise: players turn them back"
        yield Finding("ROTATION", Severity.INFO, pid=lane.pid, detail=detail)
    elif one_format:
        detail = f"pictures are turned on the way, the MP4 tells {degrees}° of all of them"
        yield Finding("ROTATION", Severity.WARNING, pid=lane.pid, detail=detail)


def _program_rules(scans: Sequence[Scan], listed: Sequence[Scan]) -> Iterator[Finding]:
    for number, scan in enumerate(scans):
        if not _sends(scan) and not scan.findings:
            yield _empty(scan, scans[:number], scans[number + 1 :])
        if not scan.program.streams and scan.streams:
            detail = "no PAT and PMT in this segment"
            repair = "those of the other segments used"
            yield Finding("PSI_MISSING", Severity.WARNING, scan.name, detail=detail, repair=repair)
        if any(f.id == "PMT_CHANGE" and f.severity == Severity.ERROR for f in scan.findings):
            detail = f"a stream becomes another on its PID inside a segment: that is {NOT_YET}"
            yield Finding("PMT_CHANGE", Severity.FATAL, scan.name, detail=detail)
    for before, scan in pairwise(listed):
        same = scan.program == before.program
        if not same and _media(scan.program) != _media(before.program):
            detail = f"{psi.describe(scan.program)}, was {psi.describe(before.program)}"
            yield Finding("PMT_CHANGE", Severity.INFO, scan.name, detail=detail)
        if scan.program.pmt_pid != before.program.pmt_pid:
            detail = f"PMT on PID {scan.program.pmt_pid}, was on {before.program.pmt_pid}"
            yield Finding(
                "PMT_PID_CHANGE", Severity.WARNING, scan.name, detail=detail, repair=psi.ONE
            )
    if any(f.id == "PAT_PROGRAMS" for scan in listed for f in scan.findings):
        detail = f"more than one program: choosing one is {NOT_YET}"
        yield Finding("PAT_PROGRAMS", Severity.FATAL, detail=detail)


def _sends(scan: Scan) -> bool:
    return any(len(stream.pts) for stream in scan.streams.values())


def _empty(scan: Scan, before: Sequence[Scan], behind: Sequence[Scan]) -> Finding:
    """A segment of tables alone: nothing is lost if all goes on behind it."""
    last = next((one for one in reversed(before) if _sends(one)), None)
    first = next((one for one in behind if _sends(one)), None)
    detail = "neither sound nor picture in this segment"
    if last is None or first is None or not _goes_on(last, first):
        return Finding("ES_ABSENT", Severity.ERROR, scan.name, detail=detail)
    detail += ", and nothing is missing around it"
    return Finding("ES_ABSENT", Severity.WARNING, scan.name, detail=detail)


def _goes_on(before: Scan, behind: Scan) -> bool:
    """Whether every stream that both hold goes on, without a gap or with a counter that goes on."""
    steps = []
    for pid in before.streams.keys() & behind.streams.keys():
        one, other = before.streams[pid], behind.streams[pid]
        a, b = one.dts[one.dts >= 0], other.dts[other.dts >= 0]
        if one.codec and len(a) > 1 and len(b):
            step = int(signed(b[:1] - a[-1:])[0])
            near = step <= LATE * median(signed(np.diff(a)))
            steps.append(step > 0 and (near or continues(one, other)))
    return bool(steps) and all(steps)


def _media(program: psi.Program) -> dict[int, int]:
    """The program without its data streams."""
    kinds = program_codecs(program)
    return {pid: kind for pid, kind in program.streams.items() if kinds[pid] is not None}


def _lane(pid: int, scans: Sequence[Scan]) -> tuple[Lane | None, list[Finding]]:
    program = next(scan.program for scan in scans if pid in scan.program.streams)
    codec = program_codecs(program)[pid]
    streams = [
        (scan, scan.streams[pid])
        for scan in scans
        if pid in scan.streams and len(scan.streams[pid].pts)
    ]
    kind = program.streams[pid]
    if codec is None:
        return None, [_left_out(pid, program, [stream for _, stream in streams])]
    if not streams:
        detail = f"{codec.kind} ({codec.name}) is announced but never sent"
        return None, [Finding("ES_ABSENT", Severity.WARNING, pid=pid, detail=detail)]
    if not codec.copied:
        detail = f"{codec.kind} codec {codec.name} (stream type 0x{kind:02x}) is {NOT_YET}"
        return None, [Finding("ES_CODEC", Severity.FATAL, pid=pid, detail=detail)]
    config = next((stream.config for _, stream in streams if stream.config), None)
    if config is None:
        count = sum(len(stream.pts) for _, stream in streams)
        detail = f"no {codec.config_name} in {count} PES: the {codec.kind} ({codec.name})"
        detail += " cannot be decoded and is left out"
        return None, [Finding("ES_CODEC", Severity.ERROR, pid=pid, detail=detail)]
    unit = _unit(codec, config, [stream for _, stream in streams])
    sets = tuple(dict.fromkeys(one for _, stream in streams for one in stream.sets))
    language = _language(pid, scans)
    lane = Lane(pid, codec, config, unit, sets, collide(codec, sets), language)
    return lane, [*_presence(lane, scans)]


def _language(pid: int, scans: Sequence[Scan]) -> str:
    """The first language the PMT names (ISO 639-2), empty where it names none."""
    told = (scan.program.languages.get(pid, "").lower() for scan in scans)
    return next((one for one in told if re.fullmatch("[a-z]{3}", one) and one != "und"), "")


def _left_out(pid: int, program: psi.Program, streams: Sequence[Stream]) -> Finding:
    """A stream of data; or of a type that is not known, which may be sound or picture."""
    kind = program.streams[pid]
    if is_data(kind, program.formats.get(pid, "")) or not _is_regular(streams):
        detail = f"stream type 0x{kind:02x} is neither audio nor video: left out"
        return Finding("ES_DATA", Severity.INFO, pid=pid, detail=detail)
    count = sum(len(stream.pts) for stream in streams)
    detail = f"stream type 0x{kind:02x} is not known: {count} PES with time stamps are left out"
    return Finding("ES_CODEC", Severity.ERROR, pid=pid, detail=detail)


def _is_regular(streams: Sequence[Stream]) -> bool:
    """Whether PES with time stamps follow each other as regularly as sound and pictures do."""
    steps = (signed(np.diff(s.dts[s.dts >= 0])) for s in streams)
    every = Distribution.of(chain(steps, [np.empty(0, np.int64)]))
    return len(every) >= REGULAR and 0 < every.median <= HZ


def _unlisted(scans: Sequence[Scan]) -> Iterator[Finding]:
    """Streams that no table lists: what they hold is nowhere in the result."""
    listed = {pid for scan in scans for pid in scan.program.streams}
    found: dict[int, list[Stream]] = defaultdict(list)
    for scan in scans:
        for pid, stream in scan.streams.items():
            if pid not in listed and len(stream.pts):
                found[pid].append(stream)
    for pid, streams in found.items():
        regular = _is_regular(streams)
        if regular or any(stream.codec for stream in streams):
            detail = f"{sum(s.packets for s in streams)} packets of a stream that no table lists"
            severity = Severity.ERROR if regular else Severity.WARNING
            yield Finding("ES_UNREFERENCED", severity, None, pid, len(streams), detail, None)


def _mistold(pid: int, scans: Sequence[Scan]) -> Iterator[Finding]:
    """Where the tables name another codec of sound than the one that is there."""
    told = [scan for scan in scans if pid in scan.program.told]
    if told:
        program = told[0].program
        codec = program_codecs(program)[pid]
        detail = f"stream type 0x{program.told[pid]:02x}, but the sound is {codec and codec.name}"
        repair = f"taken as stream type 0x{program.streams[pid]:02x}"
        name = told[0].name
        yield Finding("PMT_TYPE", Severity.WARNING, name, pid, len(told), detail, repair)


def _inside(lane: Lane) -> Iterator[Finding]:
    if lane.inside:
        detail = "parameter sets change on the way, the pictures' form does not: they stay in band"
        yield Finding("SPS_CHANGE", Severity.INFO, pid=lane.pid, detail=detail)


def _unit(codec: Codec, config: bytes, streams: Sequence[Stream]) -> float:
    """Ticks of 90 kHz an access unit lasts: by its codec, else the median step."""
    exact = codec.unit_ticks(config)
    if exact is not None:
        return exact
    steps = Distribution.of(map(_steps, streams)).above(0)
    return steps.median if len(steps) else HZ / 25


def _steps(stream: Stream) -> NDArray[np.float64]:
    """Ticks from each stamp to the next, by the access units that stand between."""
    known = np.flatnonzero(stream.dts >= 0)
    steps = signed(np.diff(stream.dts[known]))
    if stream.held is None or not len(known):
        return steps.astype(np.float64)
    return steps / np.maximum(1, np.add.reduceat(stream.held, known)[:-1])


def _constancy(lane: Lane, scans: Sequence[Scan]) -> Iterator[Finding]:
    for scan in scans:
        stream = scan.streams.get(lane.pid)
        if stream is None or not len(stream.pts):
            continue
        now = stream.config and needs(lane.codec, stream.config)
        if stream.config and now != needs(lane.codec, lane.config):
            id = CHANGES[lane.codec.kind]
            detail = f"{stream.config.hex()}, the first was {lane.config.hex()}"
            detail += f": a change of {lane.codec.kind} format is {NOT_YET}"
            yield Finding(id, Severity.FATAL, scan.name, lane.pid, detail=detail)
            return


def _presence(lane: Lane, scans: Sequence[Scan]) -> Iterator[Finding]:
    """A stream may come late and end early; pauses in between are judged in
    :mod:`pipeline.media.timeline.edges.stream_gaps`.
    """
    having = [n for n, s in enumerate(scans) if _sent(s, lane.pid)]
    first, last = having[0], having[-1]
    for absent, where in ((scans[:first], "before"), (scans[last + 1 :], "behind")):
        if absent:
            announced = any(lane.pid in scan.program.streams for scan in absent)
            severity = Severity.WARNING if announced else Severity.INFO
            detail = f"no {lane.codec.kind} in {len(absent)} segments {where} this one"
            detail += ", though they announce it" if announced else ""
            name = scans[first if where == "before" else last].name
            yield Finding("ES_ABSENT", severity, name, lane.pid, len(absent), detail)


def _sent(scan: Scan, pid: int) -> bool:
    return pid in scan.streams and len(scan.streams[pid].pts) > 0
