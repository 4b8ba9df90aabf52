"""Packed audio: ADTS frames without a container, behind an ID3 tag with the time stamp of the first
(RFC 8216 section 3.4).
"""

from collections.abc import Iterator, Sequence

from pipeline.media.clock import MODULO
from pipeline.media.containers.to_ts import SHARED, Contained
from pipeline.media.es import adts
from pipeline.media.es.codecs import AAC
from pipeline.media.ts.writing import mux as transport
from pipeline.media.ts.writing.mux import FIRST_PID, MuxStream, Sample
from pipeline.model import Finding, Severity

OWNER = b"com.apple.streaming.transportStreamTimestamp\0"
TAG = 10  # bytes of the header of an ID3v2 tag


def from_packed(name: str, data: bytes) -> Contained:
    """A segment of packed audio (RFC 8216 section 3.4) as a transport stream, on the clock of its
    ID3 tag, or from 0.  Never raises for bad data.
    """
    begin, time = _tag(data)
    es = data[begin:]
    config = adts.first_fixed_part(es)
    held = adts.chain(es, config) if config else []
    stray = len(es) - sum(length for _, length in held)
    findings: list[Finding] = []
    if stray:
        detail = f"{stray} of {len(data)} bytes that are no AAC frame"
        findings.append(Finding("ADTS_SYNC", Severity.ERROR, name, detail=detail))
    if not held:
        return Contained(transport.write([]), tuple(findings))
    cut = sum(held[-1]) < len(es)
    stream = MuxStream(FIRST_PID["audio"], AAC, list(_samples(es, held, time)))
    return Contained(transport.write([stream]), tuple(findings), cut)


def _tag(data: bytes) -> tuple[int, int]:
    """Offset where the frames begin, and the time of the first in ticks of 90 kHz, 33 bits."""
    at, time = 0, 0
    while data[at : at + 3] == b"ID3" and len(data) >= at + TAG:
        size = 0
        for byte in data[at + 6 : at + TAG]:  # ID3v2.4.0 clause 6.2: seven bits in each
            size = size << 7 | byte & 0x7F
        tag = data[at : at + TAG + size]
        told = tag.find(OWNER)
        if told >= 0:
            stamp = tag[told + len(OWNER) : told + len(OWNER) + 8]
            time = int.from_bytes(stamp, "big") % MODULO
        at += TAG + size
    return min(at, len(data)), time


def _samples(es: bytes, held: Sequence[tuple[int, int]], time: int) -> Iterator[Sample]:
    """Up to ``SHARED`` frames in each PES, one behind the other, stamped by counting samples."""
    unit = adts.read(es[held[0][0] :]).ticks
    for n in range(0, len(held), SHARED):
        stamp = round(time + n * unit) % MODULO
        yield Sample(
            stamp, stamp, b"".join(es[at : at + size] for at, size in held[n : n + SHARED])
        )
