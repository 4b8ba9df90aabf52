"""One stream of a segment: its packets, the breaks between them, and the PES they carry (2.4.3)."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from pipeline.media.clock import Bytes, Index, Mask, Ticks, median, signed
from pipeline.media.ts.packets import PACKET, Packets, random_access
from pipeline.media.ts.pes_header import WIDTH, begun, plain, put_right
from pipeline.media.ts.repeats import ROUND, equal, may_be_rounds, rounds_again, sent_again
from pipeline.media.ts.time_fields import stamps

UNSEEN = ROUND * (PACKET - 4)  # bytes of the packets after which a counter restarts


class StreamPackets(Struct, frozen=True, eq=False):
    """Payload packets of one stream in a segment, repeats left out, with the places where bytes are
    missing.
    """

    index: Index  # rows
    broken: Index  # positions in ``index`` in front of which packets are missing
    starts: Index  # positions in ``index`` where a PES begins
    header: Bytes  # (k, 19) first bytes of every PES, put right
    pts: Ticks  # (k,), -1 for none
    dts: Ticks
    unmarked: Mask  # (k,) stamps that are none, as their marker bits are wrong
    entries: Mask  # (k,) whether random_access_indicator is set
    mended: Mask  # headers that were put right
    repeats: Index  # rows that were there before
    lost: int  # packets missing at least
    unannounced: int  # PES that begin in a packet which does not say so
    thirds: int  # repeats of a repeat: "two, and only two" may be equal


def track(packets: Packets, pid: int, *moved: int) -> StreamPackets:
    """Follow one PID: repeats are dropped, every break of the continuity counter kept (2.4.3.3).

    ``moved`` are the PIDs under which the stream goes on, each behind the last packet of the one
    before.
    """
    index = np.flatnonzero((packets.pid == pid) & packets.payload)
    kept, broken, repeats, lost, thirds = _followed(packets, pid, index)
    for further in moved:
        index = np.flatnonzero((packets.pid == further) & packets.payload)
        more, torn, again, missing, most = _followed(packets, further, index)
        torn[:1] |= not packets.unit_start[more[0]]  # it begins inside a PES
        kept, broken = np.append(kept, more), np.append(broken, torn)
        repeats, lost, thirds = np.append(repeats, again), lost + missing, thirds + most
    unannounced = _unannounced(packets, kept)
    at = np.flatnonzero(packets.unit_start[kept])
    if len(unannounced):
        at = np.union1d(at, unannounced)
    header = _gather(packets, kept[at], WIDTH)
    good = begun(header)
    broken[at[~good]] = True
    broken[_stuffing_as_payload(packets, kept, at)] = True
    header, mended = put_right(header[good])
    pts, dts, unmarked = pes_stamps(header)
    return StreamPackets(
        index=kept,
        broken=np.flatnonzero(broken),
        starts=at[good],
        header=header[:, :19],
        pts=pts,
        dts=dts,
        unmarked=unmarked,
        entries=random_access(packets, kept[at[good]]),
        mended=mended,
        repeats=repeats,
        lost=lost,
        unannounced=len(unannounced),
        thirds=thirds,
    )


def track_in_each(
    packets: Packets, pid: int, rows: Sequence[int]
) -> tuple[StreamPackets, list[StreamPackets]] | None:
    """What one PID carries in several segments as one, and in each, of which ``rows`` tells where
    each begins and the last one ends; None unless each begins with a PES and nothing is wrong with
    any.
    """
    index = np.flatnonzero((packets.pid == pid) & packets.payload)
    cuts = np.searchsorted(index, rows)
    begins = cuts[:-1]
    if (cuts[1:] == begins).any() or not packets.unit_start[index[begins]].all():
        return None
    step = packets.counter[index[1:]] - packets.counter[index[:-1]] & 15
    step[begins[1:] - 1] = 1  # what is before a segment is nobody's business here
    if not (step == 1).all() or may_be_rounds(packets, index):
        return None
    at = np.flatnonzero(packets.unit_start[index])
    header = _gather(packets, index[at], WIDTH)
    wrong = len(_unannounced(packets, index)) or len(_stuffing_as_payload(packets, index, at))
    if wrong or not begun(header).all() or not plain(header):
        return None
    firsts = np.searchsorted(at, cuts)
    none, right = index[:0], np.zeros(len(at), np.bool_)
    stamps, entries = pes_stamps(header), random_access(packets, index[at])
    whole = StreamPackets(
        *(index, none, at, header[:, :19], *stamps, entries, right), none, 0, 0, 0
    )
    found = [
        replace(
            whole,
            index=index[a:b] - row,
            starts=at[c:d] - a,
            header=whole.header[c:d],
            pts=whole.pts[c:d],
            dts=whole.dts[c:d],
            unmarked=whole.unmarked[c:d],
            entries=entries[c:d],
            mended=right[c:d],
        )
        for row, (a, b), (c, d) in zip(
            rows[:-1], pairwise(cuts.tolist()), pairwise(firsts.tolist()), strict=True
        )
    ]
    return whole, found


def _followed(packets: Packets, pid: int, index: Index) -> tuple[Index, Mask, Index, int, int]:
    """Packets without repeats, where some are missing in front of one, repeats, the loss, and how
    many repeat a repeat.
    """
    counter = packets.counter[index]
    step = (counter[1:] - counter[:-1]) & 15
    counted = bool((step == 1).all())
    if counted and not len(packets.bad):
        return _counted(packets, index)
    idle = np.append(False, step == 0) & (packets.start[index] == PACKET)
    if idle[1:].any():  # padding that says it has a payload, and is not counted
        return _followed(packets, pid, index[~idle])
    hidden = _hidden(packets, pid, index)
    if counted and not hidden.any():
        return _counted(packets, index)
    repeated = np.zeros(len(index), np.bool_)
    step = np.insert(step, 0, 1)
    wrong = ((step != 1) & ~packets.discontinuity[index]) | (hidden > 0)
    _free_after_marks(packets, pid, index, wrong)
    same = np.flatnonzero(wrong & (step == 0))
    repeated[same] = equal(packets.rows, index[same - 1], index[same])
    thirds = int(np.count_nonzero(repeated[1:] & repeated[:-1]))
    kept, wrong, step = index[~repeated], wrong[~repeated], step[~repeated]
    hidden = hidden[~repeated]
    again = sent_again(packets, kept, wrong)
    lost = int(((step[wrong] - 1) & 15).sum() + hidden[wrong].sum())
    again[np.flatnonzero(~again)[rounds_again(packets, kept[~again])]] = True
    repeats = np.sort(np.append(index[repeated], kept[again]))
    return kept[~again], wrong[~again], repeats, lost, thirds


def _counted(packets: Packets, index: Index) -> tuple[Index, Mask, Index, int, int]:
    """Where every counter goes on."""
    again = rounds_again(packets, index)
    once = index[~again]
    return once, np.zeros(len(once), np.bool_), index[again], 0, 0


def _hidden(packets: Packets, pid: int, index: Index) -> Index:
    """How many packets are missing in front of each without the counter telling: sixteen, or a
    multiple, of those that must not be trusted.
    """
    at = np.searchsorted(index, untrusted(packets, pid))
    hidden: Index = np.bincount(at, minlength=len(index) + 1)[: len(index)] // ROUND * ROUND
    hidden[:1] = 0  # nothing before it tells how it counted
    return hidden


def untrusted(packets: Packets, pid: int) -> Index:
    """Packets that must not be trusted and say that they are of this PID."""
    head = packets.rows[packets.bad, 1:3]
    own: Index = packets.bad[(head[:, 0] & 0x1F).astype(np.intp) << 8 | head[:, 1] == pid]
    return own


def _stuffing_as_payload(packets: Packets, index: Index, at: Index) -> Index:
    """Last packets of a PES whose stuffing lost the bit that says so (adaptation_field_control)."""
    last = np.append(at[1:], len(index))[: len(at)] - 1
    last = last[packets.start[index[last]] == 4]
    head = packets.rows[index[last], 4:14]
    stuffed = (head[:, 0] >= 9) & (head[:, 0] < 184) & (head[:, 1] == 0)
    found: Index = last[stuffed & (head[:, 2:] == 0xFF).all(axis=1)]
    return found


def _unannounced(packets: Packets, index: Index) -> Index:
    """PES headers whose packet lost payload_unit_start_indicator: no payload looks like one."""
    if not len(packets.prefixed):
        return packets.prefixed
    found: Index = np.flatnonzero(np.isin(index, packets.prefixed))
    return found


def _free_after_marks(packets: Packets, pid: int, index: Index, wrong: Mask) -> None:
    """discontinuity_indicator in a packet without payload frees the next counter as well."""
    marks = np.flatnonzero((packets.pid == pid) & ~packets.payload & packets.discontinuity)
    following = np.searchsorted(index, marks)
    wrong[following[following < len(index)]] = False


def _gather(packets: Packets, index: Index, width: int) -> Bytes:
    """``(k, width)`` bytes from where the payload begins; past a packet's end they are 0."""
    begin = packets.start[index].astype(np.intp)
    place = (index * PACKET + begin)[:, None] + np.arange(width)
    flat = packets.rows.reshape(-1)
    taken: Bytes = flat.take(place, mode="clip")
    if (begin > PACKET - width).any():
        taken[begin[:, None] + np.arange(width) >= PACKET] = 0
    return taken


def pes_stamps(header: Bytes) -> tuple[Ticks, Ticks, Mask]:
    """PTS and DTS of ``(k, 19)`` PES headers, -1 for none, and where the marker bits are wrong
    (2.4.3.7).
    """
    flags = header[:, 7] >> 6
    pts, pts_good = stamps(header[:, 9:14])
    both = flags == 3
    good = pts_good & (header[:, 8] >= 5) & (header[:, 9] >> 4 == flags)
    dts = pts
    if both.any():
        decoded, dts_good = stamps(header[:, 14:19])
        good &= ~both | (dts_good & (header[:, 8] >= 10) & (header[:, 14] >> 4 == 1))
        dts = np.where(both, decoded, pts)
    stamped = (flags >= 2) & good
    if stamped.all():
        return pts, dts, ~stamped
    wrong = (flags == 1) | ((flags >= 2) & ~good)
    return np.where(stamped, pts, -1), np.where(stamped, dts, -1), wrong


def stuffed(packet: bytes) -> bool:
    """The adaptation field holds more than its flags announce: only the last packet of a PES is
    filled up like that (2.4.3.5).
    """
    if not packet[3] & 0x20:
        return False
    length, flags = packet[4], packet[5]
    if length < 2 or flags & 0x07:  # splice countdown, private data, extension: of any length
        return length == 0 or (length == 1 and flags == 0)
    return length > 1 + 6 * (flags >> 4 & 1) + 6 * (flags >> 3 & 1)


def pes_sizes(packets: Packets, t: StreamPackets) -> tuple[Index, Index]:
    """PES_packet_length of every PES, and what it should be (2.4.3.7)."""
    declared = t.header[:, 4].astype(np.intp) << 8 | t.header[:, 5]
    payload = np.append(0, np.cumsum(PACKET - packets.start[t.index], dtype=np.intp))
    return declared, np.diff(np.append(payload[t.starts], payload[-1])) - 6


def misdeclared(packets: Packets, t: StreamPackets, dts: Ticks) -> tuple[Index, Index, int, int]:
    """PES whose declared length is not what is there; those of them by which packets may have been
    lost, or come in, in rounds of 16 that the counter does not show; what the last one lacks
    (2.4.3.7), and how many packets all lack in rounds.
    """
    none = np.empty(0, np.intp)
    if not t.header[:, 4:6].any():  # as usual for video
        return none, none, 0, 0
    declared, real = pes_sizes(packets, t)
    wrong = (declared > 0) & (real != declared)
    if not wrong.any():
        return none, none, 0, 0
    short = int(declared[-1] - real[-1]) if wrong[-1] and real[-1] < declared[-1] else 0
    if 2 * np.count_nonzero(wrong) > len(wrong) > 1 or stuffed(packets.rows[t.index[-1]].tobytes()):
        short = 0  # so they are written, or it is whole
    wrong[-1] &= short == 0  # the rest may stand in the next segment
    apart = np.abs(real - declared)
    unseen = wrong & (-apart % UNSEEN < PACKET)  # but for stuffing and what fields hold
    if 2 * np.count_nonzero(wrong) <= len(wrong):  # else so they are written
        unseen |= wrong & _cannot_be_the_field(t, declared, real, dts)
    rounds = -((real - declared)[unseen & (real < declared)] // UNSEEN)
    return np.flatnonzero(wrong), np.flatnonzero(unseen), short, ROUND * int(rounds.sum())


def _cannot_be_the_field(t: StreamPackets, declared: Index, real: Index, dts: Ticks) -> Mask:
    """PES of pictures, of which nothing else tells how long they are, whose length is wrong by more
    than one bit of the field, and not by what does not fit into it: by a packet at least where the
    next one comes later than most do, or by anything where none comes as late.
    """
    bits, apart = declared ^ real, np.abs(real - declared)
    steps = np.append(signed(np.diff(dts)), 0)
    known = np.append((dts[1:] >= 0) & (dts[:-1] >= 0), False)
    usual = median(steps[known]) if known.any() else 0.0
    late = ~known | (steps > 1.5 * usual)
    latest = known & (steps >= max(2.5 * usual, steps[known].max(initial=0)))
    wrong: Mask = (bits & (bits - 1) != 0) & (apart % (1 << 16) != 0)
    wrong &= (t.header[:, 3] & 0xF0 == 0xE0) & ((late & (apart >= PACKET)) | latest)
    return wrong
