"""What one segment breaks of ISO/IEC 13818-1 and TR 101 290, as findings without its name."""

from collections.abc import Iterator

import numpy as np

from pipeline.media.clock import Index, signed
from pipeline.media.finding_ids import IDS
from pipeline.media.ts import psi
from pipeline.media.ts.packets import FIRST_PID, NULL_PID, PACKET, Framing, Packets, causes
from pipeline.media.ts.pes import StreamPackets
from pipeline.media.ts.time_fields import pcr_bases
from pipeline.model import Finding, Severity


def of_framing(frame: Framing, size: int) -> Iterator[Finding]:
    """Bytes that belong to no packet (2.4.3.2; TR 101 290, 1.1 and 1.2), in ``size`` bytes."""
    if frame.leading >= PACKET and not put_in_front(frame):
        detail = f"the first {frame.leading} bytes hold no packet"
        yield Finding("SYNC_BYTE", Severity.ERROR, detail=detail)
    elif frame.leading:
        detail = f"{frame.leading} bytes before the first packet"
        yield Finding("SEG_PARTIAL", Severity.WARNING, detail=detail, repair="dropped")
    if frame.trailing:
        detail = f"{size} bytes: cut {frame.trailing} bytes into a packet of {PACKET}"
        yield Finding("SEG_PARTIAL", Severity.ERROR, detail=detail)
    if frame.behind:
        detail = f"{frame.behind} bytes behind the last packet that begin none"
        severity = Severity.ERROR if frame.behind >= PACKET else Severity.WARNING
        yield Finding("SYNC_BYTE", severity, detail=detail, repair="dropped")
    if frame.lost:
        detail = f"synchronisation lost over {frame.lost} bytes"
        yield Finding("SYNC_BYTE", Severity.ERROR, detail=detail)


def put_in_front(frame: Framing) -> bool:
    """What stands in front was added, not overwritten: no whole packets, and then the tables."""
    pid = int(frame.rows[0, 1] & 0x1F) << 8 | int(frame.rows[0, 2])
    return frame.leading % PACKET != 0 and pid < FIRST_PID


def of_packets(packets: Packets) -> Iterator[Finding]:
    """Packets that must not be trusted, by the reason (TR 101 290, 1.2 and 2.1)."""
    for id, rows in causes(packets).items() if len(packets.bad) else ():
        if len(rows):
            detail = f"{IDS[id].meaning}, first at byte {int(rows[0]) * PACKET}"
            yield Finding(id, Severity.ERROR, count=len(rows), detail=detail)


def of_clocks(packets: Packets) -> Iterator[Finding]:
    """A clock reference that runs backwards without discontinuity_indicator (TR 101 290, 2.3.b)."""
    fields = packets.fields
    has = np.flatnonzero((fields[:, 0] >= 7) & (fields[:, 1] & 0x10 != 0))
    pids = packets.pid[packets.adapted[has]]
    bases = pcr_bases(fields[has, 2:7])
    if (pids[1:] == pids[:-1]).all() and (bases[1:] >= bases[:-1]).all():  # as nearly always
        return
    for pid in sorted(set(pids.tolist()) - {NULL_PID}):
        own = pids == pid
        at, clock = packets.adapted[has[own]], bases[own]
        back = (signed(np.diff(clock)) < 0) & ~packets.discontinuity[at[1:]]
        if count := int(np.count_nonzero(back)):
            yield Finding(
                "PCR_JUMP", Severity.WARNING, pid=pid, count=count, detail="clock runs back"
            )


def of_tables(packets: Packets, program: psi.Program) -> Iterator[Finding]:
    """Packets of PAT and PMT that are missing: the tables repeat, so no media is lost by it."""
    for pid in (psi.PAT_PID, *program.tables):
        counter = packets.counter[np.flatnonzero(packets.pid == pid)]
        step = counter[1:] - counter[:-1] & 15
        if (step == 1).all():
            continue
        if lost := int(((step[step > 0] - 1) & 15).sum()):
            detail = f"at least {lost} packets of a table lost"
            yield Finding("CC", Severity.WARNING, pid=pid, detail=detail)


def of_stream(
    t: StreamPackets, pid: int, *, sizes: tuple[Index, Index], packets: int
) -> Iterator[Finding]:
    """What is wrong with one stream: its counters (TR 101 290, 1.4), its PES and their stamps
    (2.4.3.7); ``sizes`` are the PES of another length than they declare, and those of them by which
    packets were lost; ``packets`` how many the segment has.
    """
    if t.lost:
        detail = f"at least {t.lost} packets lost, first before packet {_first(t)} of {packets}"
        yield Finding("CC", Severity.ERROR, pid=pid, count=len(t.broken), detail=detail)
    elif len(t.broken):
        detail = "a PES is announced where none begins"
        yield Finding("PES_START", Severity.ERROR, pid=pid, count=len(t.broken), detail=detail)
    if t.unannounced:
        detail = "PES in packets that do not announce one (payload_unit_start_indicator)"
        repair = "taken as the start of a PES"
        yield Finding("PES_START", Severity.ERROR, None, pid, t.unannounced, detail, repair)
    if count := int(np.count_nonzero(t.mended)):
        detail = (
            "PES headers without a start code, of another stream_id, or longer than what they hold"
        )
        yield Finding("PES_HEADER", Severity.WARNING, None, pid, count, detail, "put right")
    if len(t.repeats):
        detail = "packets sent twice"
        yield Finding("CC_DUP", Severity.INFO, pid=pid, count=len(t.repeats), detail=detail)
    if t.thirds:
        detail = "packets sent more than twice"
        yield Finding("CC", Severity.WARNING, None, pid, t.thirds, detail, "repeats dropped")
    if not len(t.starts):
        detail = f"{len(t.index)} packets without one PES header"
        yield Finding("PES_NONE", Severity.ERROR, pid=pid, detail=detail)
    if count := int(np.count_nonzero(t.unmarked)):
        detail = "PES whose time stamp is not one"
        yield Finding("PTS_MARKER", Severity.ERROR, pid=pid, count=count, detail=detail)
    wrong, lacking = sizes
    if len(t.broken):  # why these are too short is said already
        wrong, lacking = (np.setdiff1d(s, np.searchsorted(t.starts, t.broken) - 1) for s in sizes)
    detail = "PES that are not as long as they declare"
    if len(lacking):
        told = f"{detail}, by what 16 packets hold"
        yield Finding("PES_SIZE", Severity.ERROR, pid=pid, count=len(lacking), detail=told)
    elif len(wrong):
        repair = "taken as long as they are"
        yield Finding("PES_SIZE", Severity.WARNING, None, pid, len(wrong), detail, repair)


def _first(t: StreamPackets) -> int:
    return int(t.index[t.broken[0]])
