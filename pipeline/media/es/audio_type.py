"""Which codec of sound a stream holds, by how its PES begin: the PMT is not always right."""

from collections.abc import Sequence

from pipeline.media.es.codecs import AAC, AC3, EAC3, LATM, MP2, Codec

# stream_type by codec, of those that can be told apart
TYPES = {AAC: 0x0F, MP2: 0x03, LATM: 0x11, AC3: 0x81, EAC3: 0x87}
HEAD = 7  # bytes of a PES payload that are enough


def heard(codec: Codec, heads: Sequence[bytes]) -> Codec:
    """The codec the PMT names, unless at least half of the PES begin like another one, and none
    like it.  ``heads`` are the first ``HEAD`` bytes of each PES payload.
    """
    found = [one for head in heads if (one := _sound(head))]
    if codec not in TYPES or len(found) * 2 < len(heads) or codec in found:
        return codec
    return found[0] if len({*found}) == 1 else codec


def _sound(es: bytes) -> Codec | None:
    """By its sync word: ADTS, MPEG audio (ISO/IEC 11172-3 clause 2.4.2.3), LOAS (ISO/IEC 14496-3
    clause 1.7.2), AC-3 or E-AC-3 (ETSI TS 102 366 clauses 4.4.1 and E.1.3.1.6).
    """
    if len(es) < HEAD:
        return None
    if AAC.config(es):
        return AAC
    if es[0] == 0xFF and es[1] & 0xE0 == 0xE0 and es[1] & 6:
        formed = es[1] & 0x18 != 8 and es[2] & 0xF0 != 0xF0 and es[2] & 0x0C != 0x0C
        return MP2 if formed else None
    if es[0] == 0x56 and es[1] & 0xE0 == 0xE0:
        return LATM
    if es.startswith(b"\x0b\x77"):
        return AC3 if es[5] >> 3 <= 10 else EAC3
    return None
