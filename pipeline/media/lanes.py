"""Which elementary streams become tracks, and whether they stay the same throughout."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from pipeline.media import psi
from pipeline.media.codecs import AAC, PRIVATE, Codec, adts_rate
from pipeline.media.formats import IDS, collide, needs
from pipeline.media.lane import HZ, Lane
from pipeline.media.mpegts import Scan, Stream
from pipeline.media.packets import signed
from pipeline.media.routes import program_codecs
from pipeline.media.units import FRAME
from pipeline.model import Finding, Severity

NOT_YET = "not supported yet"


def choose(
    scans: Sequence[Scan], *, one_format: bool = True
) -> tuple[tuple[Lane, ...], list[Finding]]:
    """The lanes of a recording, video first.  FATAL findings say why it cannot be one MP4 without
    loss.  Without ``one_format`` each lane has the first one it is seen in.
    """
    listed = [scan for scan in scans if scan.program.streams]
    if not listed:
        detail = "no PAT and PMT in any segment: no program to convert"
        return (), [Finding("PSI_MISSING", Severity.FATAL, detail=detail)]
    findings = [*_program_rules(scans, listed)]
    lanes: list[Lane] = []
    for pid in sorted({pid for scan in listed for pid in scan.program.streams}):
        lane, said = _lane(pid, scans)
        findings += said
        if lane and one_format:
            findings += [*_constancy(lane, scans), *_inside(lane)]
        lanes += [lane] if lane else []
    inside = any(lane.inside for lane in lanes)  # one kind of sample entry for all tracks
    lanes = [replace(x, inside=inside and x.codec.kind == "video") for x in lanes]
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
    sets = tuple(dict.fromkeys(one for _, stream in streams for one in stream.sets))
    lane = Lane(pid, codec, config, unit, sets, collide(codec, sets))
    return lane, [*_presence(lane, scans)]


def _inside(lane: Lane) -> Iterator[Finding]:
    if lane.inside:
        detail = "parameter sets change on the way, the pictures' form does not: they stay in band"
        yield Finding(IDS["video"], Severity.INFO, pid=lane.pid, detail=detail)


def _unit(codec: Codec, config: bytes, streams: Sequence[Stream]) -> float:
    """Ticks of 90 kHz an access unit lasts: exact for AAC, else the median step."""
    if codec is AAC:
        return FRAME * HZ / adts_rate(config)
    steps = np.concatenate([signed(np.diff(s.dts[s.dts >= 0])) for s in streams])
    steps = steps[steps > 0]
    return float(np.median(steps)) if len(steps) else HZ / 25


def _constancy(lane: Lane, scans: Sequence[Scan]) -> Iterator[Finding]:
    for scan in scans:
        stream = scan.streams.get(lane.pid)
        if stream is None or not len(stream.pts):
            continue
        now = stream.config and needs(lane.codec, stream.config)
        if stream.config and now != needs(lane.codec, lane.config):
            id = IDS[lane.codec.kind]
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
