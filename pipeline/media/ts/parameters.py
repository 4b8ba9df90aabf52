"""What a stream tells a decoder inside one segment: its configuration, every parameter set, and
where another configuration begins.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipeline.media.clock import Index
from pipeline.media.es.codecs import ADTS_BITS, AVC, HEVC_NAL, Codec, NalSyntax, nal_units
from pipeline.media.es.formats import needs
from pipeline.media.ts.packets import PACKET, Packets, random_access
from pipeline.media.ts.pes import Track, elementary

CODE = b"\0\0\1"  # H.264 Annex B
LOOK = 6  # packets of a PES that are looked into


@dataclass(frozen=True, slots=True)
class Parameters:
    """What is told; ``key`` is whether the first picture is a key picture."""

    config: bytes | None = None  # SPS, or the fixed part of the ADTS header, at its first sight
    key: bool | None = None
    sets: tuple[bytes, ...] = ()  # each different parameter set, in the order of first sight
    turns: tuple[int, ...] = ()  # packets that begin a PES with another configuration


def parameters(packets: Packets, t: Track, codec: Codec | None, units: Index) -> Parameters:
    """Looks where they can stand, not at every byte; ``units`` are the starts of ``t`` at which
    units begin.
    """
    if codec is None or not len(t.starts):
        return Parameters()
    begin, end = int(t.starts[0]), int([*units[units > t.starts[0]], len(t.index)][0])
    opening = elementary(packets, t, begin, min(begin + LOOK, end))
    if codec.nal is not None:
        return _of_pictures(packets, t, codec, codec.nal, opening)
    audio = codec.kind == "audio"
    config = next(_configs(packets, t, codec), None)
    key = None if audio else codec.is_key(opening)
    turns = _turns_of_sound(packets, t) if audio and codec.copied and config else ()
    return Parameters(config, key, turns=turns)


def _configs(packets: Packets, t: Track, codec: Codec) -> Iterator[bytes]:
    """Of the first PES with sound, of pictures that are marked."""
    audio = codec.kind == "audio"
    for ordinal in range(min(LOOK, len(t.starts))) if audio else _marked(packets, t)[:4]:
        config = codec.config(_head(packets, t, ordinal))
        if config is not None:
            yield config


def _of_pictures(
    packets: Packets, t: Track, codec: Codec, syntax: NalSyntax, opening: bytes
) -> Parameters:
    sets: dict[bytes, None] = {}
    turns: list[int] = []
    first = config = None
    found: list[bytes] = []
    opened = b""
    for ordinal in sorted({*_marked(packets, t), *_showing(packets, t, syntax)}):
        head = _first_bytes(packets, t, ordinal)
        if not opened or not head.startswith(opened) or CODE in head[len(opened) - 2 :]:
            found, opened = _sets(packets, t, ordinal, syntax), _before_picture(head, syntax)
        sets |= dict.fromkeys(found)
        now = next((one for one in found if syntax.kind(one) == syntax.sps), config)
        first = first or now
        if config and now and now != config and needs(codec, now) != needs(codec, config):
            turns.append(int(t.index[t.starts[ordinal]]))
        config = now
    return Parameters(first, codec.is_key(opening), tuple(sets), tuple(turns))


def _first_bytes(packets: Packets, t: Track, ordinal: int) -> bytes:
    """What a PES has in its first packet, without its header."""
    row = t.index[t.starts[ordinal]]
    begin = int(packets.start[row]) + 9 + int(t.header[ordinal, 8])
    return packets.rows[row, begin:].tobytes()


def _before_picture(head: bytes, syntax: NalSyntax) -> bytes:
    """Up to the header of the last NAL unit if that is a slice: what begins alike, with no other
    NAL unit behind, tells the same parameter sets.
    """
    last = head.rfind(CODE) + len(CODE)
    whole = last >= len(CODE) and last + 2 <= len(head)
    return head[: last + 2] if whole and syntax.is_picture(head[last:]) else b""


def _marked(packets: Packets, t: Track) -> list[int]:
    """The first PES, and those that say that decoding can begin there."""
    marked = random_access(packets, t.index[t.starts])
    marked[0] = True
    found: list[int] = np.flatnonzero(marked).tolist()
    return found


def _showing(packets: Packets, t: Track, syntax: NalSyntax) -> list[int]:
    """PES with a parameter set in their first packet."""
    rows = packets.rows[t.index[t.starts]]
    code = (rows[:, 4:-3] | rows[:, 5:-2] | rows[:, 6:-1] ^ 1) == 0
    kind = rows[:, 7:] >> syntax.shift & syntax.mask
    found: list[int] = np.flatnonzero((code & _SETS[syntax][kind]).any(axis=1)).tolist()
    return found


_SETS = {
    syntax: np.isin(np.arange(syntax.mask + 1), list(syntax.sets)) for syntax in (AVC, HEVC_NAL)
}


def _sets(packets: Packets, t: Track, ordinal: int, syntax: NalSyntax) -> list[bytes]:
    """The parameter sets at the beginning of a PES that are whole; mostly in its first packet."""
    begin, end, whole = _extent(t, ordinal)
    for stop in (begin + 1, begin + LOOK):
        units = [u for u in nal_units(elementary(packets, t, begin, min(stop, end))) if u]
        if any(syntax.is_picture(u) for u in units):
            break
    if stop < end or not whole:
        units = units[:-1]
    return [u for u in units if syntax.kind(u) in syntax.sets]


def _head(packets: Packets, t: Track, ordinal: int) -> bytes:
    begin, end, _ = _extent(t, ordinal)
    return elementary(packets, t, begin, min(begin + LOOK, end))


def _extent(t: Track, ordinal: int) -> tuple[int, int, bool]:
    """Where a PES begins and ends, in front of the first packet it lost; and whether it lost
    none.
    """
    begin = int(t.starts[ordinal])
    end = int(t.starts[ordinal + 1]) if ordinal + 1 < len(t.starts) else len(t.index)
    torn = t.broken[np.searchsorted(t.broken, begin, side="right") :][:1]
    lost = len(torn) > 0 and int(torn[0]) <= end
    return begin, int(torn[0]) if lost else end, not lost


def _turns_of_sound(packets: Packets, t: Track) -> tuple[int, ...]:
    """By the ADTS headers PES begin with, as far as they do: of two alike in a row."""
    begins = t.index[t.starts]
    at = np.minimum(packets.start[begins] + 9 + t.header[:, 8].astype(np.intp), PACKET - 4)
    head = packets.rows[begins[:, None], at[:, None] + np.arange(4)]
    head &= np.frombuffer(ADTS_BITS, np.uint8)
    aligned = (head[:, 0] == 0xFF) & (head[:, 1] == 0xF0)
    head = head[aligned]
    if len(head) * 2 < len(begins) or (head == head[:1]).all():
        return ()
    differs = (head[1:] != head[:-1]).any(axis=1)
    lasting = np.append(~differs[1:], True)
    return tuple(begins[aligned][1:][differs & lasting].tolist())
