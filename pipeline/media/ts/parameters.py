"""What a stream tells a decoder inside one segment: its configuration, every parameter set, and
where another configuration begins.
"""

from collections.abc import Iterator

import numpy as np
from msgspec import Struct

from pipeline.media.clock import Bytes, Index, Mask
from pipeline.media.es import adts
from pipeline.media.es.codecs import Codec
from pipeline.media.es.formats import needs
from pipeline.media.es.nal import NalSyntax, among, nal_units
from pipeline.media.ts.elementary import elementary
from pipeline.media.ts.packets import PACKET, Packets
from pipeline.media.ts.pes import StreamPackets

CODE = b"\0\0\1"  # H.264 Annex B
LOOK = 6  # packets of a PES that are looked into
MANY = 256  # PES that are held against one that was read


class Parameters(Struct, frozen=True):
    """What is told; ``key`` is whether the first picture is a key picture."""

    config: bytes | None = None  # SPS, or the fixed part of the ADTS header, at its first sight
    key: bool | None = None
    sets: tuple[bytes, ...] = ()  # each different parameter set, in the order of first sight
    turns: tuple[int, ...] = ()  # packets that begin a PES with another configuration


def parameters(packets: Packets, t: StreamPackets, codec: Codec | None, units: Index) -> Parameters:
    """Looks where they can stand, not at every byte; ``units`` are the starts of ``t`` at which
    units begin.
    """
    if codec is None or not len(t.starts):
        return Parameters()
    if codec.kind == "audio":
        config = next(_configs(packets, t, codec), None)
        return Parameters(config, turns=_turns_of_sound(packets, t, codec) if config else ())
    begin, end = int(t.starts[0]), int([*units[units > t.starts[0]], len(t.index)][0])
    opening = elementary(packets, t, begin, min(begin + LOOK, end))
    if codec.nal is not None:
        return _of_pictures(packets, t, codec, opening)
    return Parameters(next(_configs(packets, t, codec), None), codec.is_key(opening))


def _configs(packets: Packets, t: StreamPackets, codec: Codec) -> Iterator[bytes]:
    """Of the first PES with sound, of pictures that are marked."""
    audio = codec.kind == "audio"
    for ordinal in (
        range(min(LOOK, len(t.starts))) if audio else np.flatnonzero(_marked(t))[:4].tolist()
    ):
        config = codec.config(_head(packets, t, ordinal))
        if config is not None:
            yield config


def _of_pictures(packets: Packets, t: StreamPackets, codec: Codec, opening: bytes) -> Parameters:
    syntax = codec.nal
    assert syntax is not None
    sets: dict[bytes, None] = {}
    turns: list[int] = []
    first = config = None
    heads = _heads(packets, t)
    asked = _marked(t)
    asked[heads.showing(syntax)] = True
    left = np.flatnonzero(asked)
    while len(left):
        ordinal = int(left[0])
        found = _sets(packets, t, ordinal, syntax)
        sets |= dict.fromkeys(found)
        now = next((one for one in found if syntax.kind(one) == syntax.sps), config)
        first = first or now
        if config and now and now != config and needs(codec, now) != needs(codec, config):
            turns.append(int(t.index[t.starts[ordinal]]))
        config = now
        left = left[1 + heads.alike(left[1:MANY], _before_picture(heads.of(ordinal), syntax)) :]
    return Parameters(first, codec.is_key(opening), tuple(sets), tuple(turns))


class _Heads(Struct, frozen=True, eq=False):
    """The first packets of all PES, and the start codes in them."""

    rows: Bytes  # (k, 188)
    begin: Index  # where in each the elementary stream begins
    owner: Index  # of every start code
    code: Index  # where in that packet it stands

    def of(self, ordinal: int) -> bytes:
        """What a PES has in its first packet, without its header."""
        return self.rows[ordinal, self.begin[ordinal] :].tobytes()

    def showing(self, syntax: NalSyntax) -> Index:
        """PES with a parameter set in their first packet."""
        followed = self.code + len(CODE) < PACKET
        owner, at = self.owner[followed], self.code[followed] + len(CODE)
        kind = syntax.kinds(self.rows[owner, at])
        showing: Index = owner[among(syntax, syntax.sets)[kind]]
        return showing

    def alike(self, ordinals: Index, opened: bytes) -> int:
        """How many of these in a row begin with the same bytes and have no NAL unit behind them."""
        if not opened or not len(ordinals):
            return 0
        begin = self.begin[ordinals]
        place = np.minimum(begin[:, None] + np.arange(len(opened)), PACKET - 1)
        same = (self.rows[ordinals[:, None], place] == np.frombuffer(opened, np.uint8)).all(axis=1)
        last = np.full(len(self.rows), -1)
        last[self.owner] = self.code  # the last one of each stays
        end = begin + len(opened)
        same &= (end <= PACKET) & (last[ordinals] < end - 2)
        return len(same) if same.all() else int(same.argmin())


def _heads(packets: Packets, t: StreamPackets) -> _Heads:
    index = t.index[t.starts]
    rows = packets.rows[index]
    flat = rows.reshape(-1)
    ones = np.flatnonzero(flat == 1)
    ones = ones[ones % PACKET >= 6]  # behind the packet header
    codes = ones[(flat[ones - 1] | flat[ones - 2]) == 0] - 2
    begin = packets.start[index].astype(np.intp) + 9 + t.header[:, 8]
    return _Heads(rows, begin, codes // PACKET, codes % PACKET)


def _before_picture(head: bytes, syntax: NalSyntax) -> bytes:
    """Up to the header of the last NAL unit if that is a slice: what begins alike, with no other
    NAL unit behind, tells the same parameter sets.
    """
    last = head.rfind(CODE) + len(CODE)
    whole = last >= len(CODE) and last + 2 <= len(head)
    return head[: last + 2] if whole and syntax.is_picture(head[last:]) else b""


def _marked(t: StreamPackets) -> Mask:
    """The first PES, and those that say that decoding can begin there."""
    marked = t.entries.copy()
    marked[0] = True
    return marked


def _sets(packets: Packets, t: StreamPackets, ordinal: int, syntax: NalSyntax) -> list[bytes]:
    """The parameter sets at the beginning of a PES that are whole; mostly in its first packet."""
    begin, end, whole = _extent(t, ordinal)
    for stop in (begin + 1, begin + LOOK):
        units = [u for u in nal_units(elementary(packets, t, begin, min(stop, end))) if u]
        if any(syntax.is_picture(u) for u in units):
            break
    if stop < end or not whole:
        units = units[:-1]
    return [u for u in units if syntax.kind(u) in syntax.sets]


def _head(packets: Packets, t: StreamPackets, ordinal: int) -> bytes:
    begin, end, _ = _extent(t, ordinal)
    return elementary(packets, t, begin, min(begin + LOOK, end))


def _extent(t: StreamPackets, ordinal: int) -> tuple[int, int, bool]:
    """Where a PES begins and ends, in front of the first packet it lost; and whether it lost
    none.
    """
    begin = int(t.starts[ordinal])
    end = int(t.starts[ordinal + 1]) if ordinal + 1 < len(t.starts) else len(t.index)
    torn = t.broken[np.searchsorted(t.broken, begin, side="right") :][:1]
    lost = len(torn) > 0 and int(torn[0]) <= end
    return begin, int(torn[0]) if lost else end, not lost


def _turns_of_sound(packets: Packets, t: StreamPackets, codec: Codec) -> tuple[int, ...]:
    """By the ADTS headers PES begin with, as far as they do: of two alike in a row."""
    if not codec.copied:
        return ()
    begins = t.index[t.starts]
    at = np.minimum(packets.start[begins] + 9 + t.header[:, 8].astype(np.intp), PACKET - 4)
    head = packets.rows[begins[:, None], at[:, None] + np.arange(4)]
    aligned = adts.synced(head)
    head = adts.needed(head[aligned])
    if len(head) * 2 < len(begins) or (head == head[:1]).all():
        return ()
    differs = (head[1:] != head[:-1]).any(axis=1)
    lasting = np.append(~differs[1:], True)
    return tuple(begins[aligned][1:][differs & lasting].tolist())
