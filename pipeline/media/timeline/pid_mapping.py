"""Which PID of each segment carries which stream of the recording.

A recorder that restarts may renumber its streams.  A stream is identified by its codec, its
language and its place among those of its codec; the PID under which it was first seen stands for
it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from operator import attrgetter
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from pipeline.media.es.codecs import Codec, codec_of
from pipeline.media.ts.packets import FIRST_PID, NULL_PID
from pipeline.media.ts.psi import Program
from pipeline.media.ts.scan import Scan
from pipeline.model import Finding, Severity

V = TypeVar("V")


class _Known(Struct, eq=False):
    """One stream of the recording."""

    key: int  # the PID that stands for it
    codec: str  # or its kind, where the codec may change
    language: str
    pid: int  # the one it was last seen under


def program_codecs(program: Program) -> dict[int, Codec | None]:
    """The codec of every stream of a program by PID; None for data."""
    return {
        pid: codec_of(kind, program.formats.get(pid, ""), 0)
        for pid, kind in program.streams.items()
    }


def aligned(
    scans: Sequence[Scan], like: Callable[[Codec], str] = attrgetter("name")
) -> tuple[list[Scan], list[Finding]]:
    """The scans with every stream under the PID that stands for it, and a PMT_CHANGE for each that
    had moved.

    ``Stream.pids`` still says where its packets are.  Codecs that are equal by ``like`` may follow
    each other in one stream.
    """
    scans = _as_sent(scans)
    carried = _carried(scans, like)
    if _constant(scans, carried):
        return scans, []
    known: list[_Known] = []
    findings: list[Finding] = []
    routed = []
    for scan, media in zip(scans, carried, strict=True):
        found = dict(_matched(scan, media, known))
        for pid, stream in found.items():
            inside = scan.streams[pid].pids if pid in scan.streams else (pid,)
            if {*inside} != {stream.pid}:
                findings.append(_moved(scan.name, stream, inside))
            stream.pid = inside[-1]
        routed.append(_renamed(scan, media, {pid: s.key for pid, s in found.items()}))
    return routed, findings


def _as_sent(scans: Sequence[Scan]) -> list[Scan]:
    """Correct the codec of sound also in segments that only announce it, if the tables are wrong
    where it is sent.
    """
    true = {
        pid: (was, s.program.streams[pid]) for s in scans for pid, was in s.program.told.items()
    }
    corrected = []
    for each in scans:
        scan, streams = each, each.program.streams
        silent = true.keys() & streams.keys() - scan.streams.keys()
        here = {pid: true[pid][1] for pid in silent if streams[pid] == true[pid][0]}
        if here:
            scan = replace(scan, program=replace(scan.program, streams=streams | here))
        corrected.append(scan)
    return corrected


def _moved(segment: str, stream: _Known, pids: Sequence[int]) -> Finding:
    where = ", then ".join(f"0x{pid:x}" for pid in pids)
    detail = f"{stream.codec} on PID {where}, was on 0x{stream.pid:x}"
    repair = f"one stream, PID 0x{stream.key:x}"
    return Finding("PMT_CHANGE", Severity.WARNING, segment, stream.key, 1, detail, repair)


def _carried(scans: Sequence[Scan], like: Callable[[Codec], str]) -> list[dict[int, str]]:
    """Codec by PID of the audio and video each segment lists; without tables, of what it sends."""
    listed = [_listed(scan, like) for scan in scans]
    everywhere = {item for media in listed for item in media.items()}
    return [
        media if scan.program.streams else _guessed(scan, everywhere, like)
        for scan, media in zip(scans, listed, strict=True)
    ]


def _listed(scan: Scan, like: Callable[[Codec], str]) -> dict[int, str]:
    later = {pid for stream in scan.streams.values() for pid in stream.pids[1:]}
    codecs = program_codecs(scan.program).items()
    return {pid: like(codec) for pid, codec in codecs if codec and pid not in later}


def _guessed(
    scan: Scan, everywhere: Set[tuple[int, str]], like: Callable[[Codec], str]
) -> dict[int, str]:
    """Streams that other segments list; a codec under none of their PIDs has moved."""
    sent = {p: like(s.codec) for p, s in scan.streams.items() if s.codec and len(s.pts)}
    found = dict(item for item in sent.items() if item in everywhere)
    for pid, codec in sent.items():
        if codec not in found.values() and codec in {name for _, name in everywhere}:
            found[pid] = codec
    return found


def _constant(scans: Sequence[Scan], carried: Sequence[Mapping[int, str]]) -> bool:
    """Whether no PID ever changes its meaning, as usual."""
    first = next((media for s, media in zip(scans, carried, strict=True) if s.program.streams), {})
    return all(
        media.items() <= first.items()
        and all(len(stream.pids) == 1 for stream in scan.streams.values())
        for scan, media in zip(scans, carried, strict=True)
    )


def _matched(
    scan: Scan, media: Mapping[int, str], known: list[_Known]
) -> Iterator[tuple[int, _Known]]:
    """Each PID of a segment with its stream: the same PID first, then the first of its codec."""
    left = dict(media)
    free = list(known)
    for stream in known:
        if left.get(stream.pid) == stream.codec:
            del left[stream.pid]
            free.remove(stream)
            yield stream.pid, stream
    sent = [pid for pid in left if pid in scan.streams and len(scan.streams[pid].pts)]
    for pid in dict.fromkeys((*sent, *left)):
        language = scan.program.languages.get(pid, "")
        like = [
            s
            for s in free
            if s.codec == media[pid] and (not language or s.language in ("", language))
        ]
        if like:
            free.remove(like[0])
            yield pid, like[0]
        elif pid in sent or not any(s.codec == media[pid] for s in known):
            known.append(_Known(_unused(pid, known, scan), media[pid], language, pid))
            yield pid, known[-1]


def _unused(pid: int, known: Iterable[_Known], scan: Scan) -> int:
    """The PID itself, unless it already stands for another stream."""
    taken = {stream.key for stream in known}
    if pid not in taken:
        return pid
    taken |= scan.streams.keys() | scan.program.streams.keys()
    return next(p for p in range(0x100, NULL_PID) if p not in taken and p >= FIRST_PID)


def _renamed(scan: Scan, media: Mapping[int, str], keys: Mapping[int, int]) -> Scan:
    """One scan with its audio and video under their keys; data keeps its PID if that is free."""
    taken = set(keys.values())
    rest = [p for p in {**scan.program.streams, **scan.streams} if p not in media]
    every = {**keys, **{pid: pid for pid in rest if pid not in taken}}
    told = scan.program
    program = Program(
        _under(told.streams, every),
        told.pmt_pid,
        _under(told.formats, every),
        _under(told.languages, every),
        told.tables,
        told.moves,
        _under(told.told, every),
    )
    gone = _under(scan.gone, every)
    return replace(scan, streams=_under(scan.streams, every), program=program, gone=gone)


def _under(values: Mapping[int, V], keys: Mapping[int, int]) -> dict[int, V]:
    return {keys[pid]: value for pid, value in values.items() if pid in keys}
