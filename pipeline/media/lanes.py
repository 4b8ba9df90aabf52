"""Which elementary streams become tracks, and whether they stay the same throughout."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pipeline.media import psi
from pipeline.media.codecs import AAC, H264, PRIVATE, Codec, adts_rate, alike
from pipeline.media.lane import HZ, Lane
from pipeline.media.mpegts import Scan, Stream
from pipeline.media.packets import signed
from pipeline.media.routes import program_codecs
from pipeline.media.units import FRAME
from pipeline.model import Finding, Severity

NOT_YET = "not supported yet"


def choose(
    scans: Sequence[Scan], sets: tuple[bytes, ...] = (), *, one_format: bool = True
) -> tuple[tuple[Lane, ...], list[Finding]]:
    """The lanes of a recording, video first.  FATAL findings say why it cannot be one MP4 without
    loss.  ``sets`` are parameter sets that H.264 may have besides its own.  Without ``one_format``
    each lane has the first one it is seen in.
    """
    listed = [scan for scan in scans if scan.program.streams]
    if not listed:
        detail = "no PAT and PMT in any segment: no program to convert"
        return (), [Finding("PSI_MISSING", Severity.FATAL, detail=detail)]
    findings = [*_program_rules(scans, listed)]
    lanes: list[Lane] = []
    for pid in sorted({pid for scan in listed for pid in scan.program.streams}):
        lane, said = _lane(pid, scans, sets)
        findings += said
        if lane and one_format:
            findings += _constancy(lane, scans)
        lanes += [lane] if lane else []
    if not lanes and not any(f.severity == Severity.FATAL for f in findings):
        detail = "no audio or video in any segment"
        findings.append(Finding("ES_ABSENT", Severity.FATAL, detail=detail))
    return tuple(sorted(lanes, key=lambda lane: lane.codec.kind != "video")), findings


def _program_rules(scans: Sequence[Scan], listed: Sequence[Scan]) -> Iterator[Finding]:
    for scan in scans:
        if not any(len(stream.pts) for stream in scan.streams.values()) and not scan.findings:
            detail = "neither sound nor picture in this segment"
            yield Finding("ES_ABSENT", Severity.ERROR, scan.name, detail=detail)
        if not scan.program.streams and scan.streams:
            detail = "no PAT and PMT in this segment"
            repair = "those of the other segments used"
            yield Finding("PSI_MISSING", Severity.WARNING, scan.name, detail=detail, repair=repair)
        if any(f.id == "PMT_CHANGE" and f.severity == Severity.ERROR for f in scan.findings):
            detail = f"a stream becomes another on its PID inside a segment: that is {NOT_YET}"
            yield Finding("PMT_CHANGE", Severity.FATAL, scan.name, detail=detail)
    for before, scan in pairwise(listed):
        if _media(scan.program) != _media(before.program):
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


def _media(program: psi.Program) -> dict[int, int]:
    """The program without its data streams."""
    kinds = program_codecs(program)
    return {pid: kind for pid, kind in program.streams.items() if kinds[pid] is not None}


def _lane(
    pid: int, scans: Sequence[Scan], sets: tuple[bytes, ...]
) -> tuple[Lane | None, list[Finding]]:
    program = next(scan.program for scan in scans if pid in scan.program.streams)
    codec = program_codecs(program)[pid]
    streams = [
        (scan, scan.streams[pid])
        for scan in scans
        if pid in scan.streams and len(scan.streams[pid].pts)
    ]
    kind = program.streams[pid]
    if codec is None:
        detail = f"stream type 0x{kind:02x} is neither audio nor video: left out"
        return None, [Finding("ES_DATA", Severity.INFO, pid=pid, detail=detail)]
    if not streams:
        detail = f"{codec.kind} ({codec.name}) is announced but never sent"
        return None, [Finding("ES_ABSENT", Severity.WARNING, pid=pid, detail=detail)]
    if not codec.copied:
        detail = f"{codec.kind} codec {codec.name} (stream type 0x{kind:02x}) is {NOT_YET}"
        return None, [Finding("ES_CODEC", Severity.FATAL, pid=pid, detail=detail)]
    config = next((stream.config for _, stream in streams if stream.config), None)
    if config is None:
        what = "decoder configuration"
        if codec.stream_type < PRIVATE:
            what = "SPS" if codec.kind == "video" else "ADTS header"
        detail = f"no {what} found: the {codec.name} stream cannot be decoded"
        return None, [Finding("ES_CODEC", Severity.FATAL, pid=pid, detail=detail)]
    unit = _unit(codec, config, [stream for _, stream in streams])
    lane = Lane(pid, codec, config, unit, sets if codec is H264 else ())
    return lane, [*_presence(lane, scans)]


def _unit(codec: Codec, config: bytes, streams: Sequence[Stream]) -> float:
    """Ticks of 90 kHz an access unit lasts: exact for AAC, else the median step."""
    if codec is AAC:
        return FRAME * HZ / adts_rate(config)
    steps = np.concatenate([_steps(stream) for stream in streams])
    steps = steps[steps > 0]
    return float(np.median(steps)) if len(steps) else HZ / 25


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
        one = stream.config and alike(lane.codec, stream.config)
        if stream.config and one not in (alike(lane.codec, lane.config), *lane.sets):
            id = "SPS_CHANGE" if lane.codec.kind == "video" else "AAC_CHANGE"
            detail = f"{stream.config.hex()}, the first was {lane.config.hex()}"
            detail += f": a change of {lane.codec.kind} format is {NOT_YET}"
            yield Finding(id, Severity.FATAL, scan.name, lane.pid, detail=detail)
            return


def _presence(lane: Lane, scans: Sequence[Scan]) -> Iterator[Finding]:
    """A stream may come late and end early; where it pauses in between, :mod:`absence` judges."""
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
