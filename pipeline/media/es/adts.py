"""Frames of sound that carry their own header (ISO/IEC 14496-3 clause 1.A.2)."""

from pipeline.media.es.codecs import adts_begins


def chain(es: bytes, config: bytes) -> list[tuple[int, int]]:
    """Offsets and lengths of frames; each is followed by another or by the end of the stream."""
    found: list[tuple[int, int]] = []
    at = 0
    while at + 7 <= len(es):
        length = (es[at + 3] & 3) << 11 | es[at + 4] << 3 | es[at + 5] >> 5
        after = es[at + length : at + length + 4]
        whole = _is_header(es, at, config) and length > 7 and at + length <= len(es)
        if whole and adts_begins(after, config):
            found.append((at, length))
            at += length
            continue
        at = _next_header(es, at + 1, config)
    return found


def _is_header(es: bytes, at: int, config: bytes) -> bool:
    return adts_begins(es[at : at + 4], config)


def _next_header(es: bytes, at: int, config: bytes) -> int:
    """Where the next one may begin; the end if none does."""
    at = es.find(0xFF, at)
    while at >= 0 and not _is_header(es, at, config):
        at = es.find(0xFF, at + 1)
    return at if at >= 0 else len(es)
