"""From the bytes of a file to the transport stream of a segment: cut out, decrypted, rewritten from
another container.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from msgspec import Struct
from msgspec.structs import replace

from pipeline.media.clock import Bytes
from pipeline.media.containers.aes128 import decrypted
from pipeline.media.es.sniff import sniff
from pipeline.media.ts.packets import framing
from pipeline.model import Finding, Severity

MOVIE = 4096  # bytes: a segment that needs no initialisation section has its moov among the first


@dataclass(frozen=True, slots=True)
class Wrapping:
    """What stands between a file and a segment's transport stream."""

    offset: int  # bytes: where the segment lies in its file
    length: int  # bytes
    size: int  # bytes of the file
    encrypted: bool = False  # as the playlist says
    init: bytes = field(default=b"", repr=False)  # initialisation section of fragmented MP4
    lead: bytes = field(default=b"", repr=False)  # fragments of the segment that stand in that file
    keys: Sequence[bytes] = field(default=(), repr=False)  # that may fit, 16 bytes each
    iv: bytes = b""  # 16 bytes


class Opened(Struct, frozen=True, eq=False):
    """The transport stream of a segment, as far as there is one."""

    data: Bytes  # uint8[bytes]
    findings: tuple[Finding, ...] = ()
    cut: bool = False  # bytes are missing at its end
    file: bytes = b""  # what a decoder of its own container can read
    demuxer: str = ""  # ffmpeg's name of that container
    configs: Mapping[int, bytes] = MappingProxyType({})  # by PID: what the container tells
    gone: Mapping[int, tuple[int, int]] = MappingProxyType({})  # ticks by PID: see Scan
    key: int | None = None  # index of the key that fitted


def opened(name: str, data: Bytes, how: Wrapping) -> Opened:
    """Decrypt ``data``, cut out of its file, and rewrite it as a transport stream.  Pure: the same
    bytes always come out the same.  Never raises for bad data.
    """
    clear = _clear(name, data, how) if how.encrypted else Opened(data)
    kind = sniff(clear.data[:4096].tobytes())
    if kind not in CONTAINERS:
        return clear
    from pipeline.media.containers.to_ts import from_fragments, from_webm

    inside = how.lead + clear.data.tobytes()
    if kind == PACKED:
        from pipeline.media.containers.packed_audio import from_packed

        found = from_packed(name, inside)
    else:
        webm = kind == WEBM
        found = from_webm(name, inside) if webm else from_fragments(name, how.init, inside)
    whole = kind != FRAGMENTS or b"moov" in inside[:MOVIE]
    return replace(
        clear,
        data=found.data,
        findings=(*clear.findings, *found.findings),
        cut=clear.cut or found.cut,
        file=inside if whole else how.init + inside,
        demuxer=_DEMUXERS[kind],
        configs=found.configs,
        gone=found.gone,
    )


def _clear(name: str, data: Bytes, how: Wrapping) -> Opened:
    if _is_media(data):
        detail = "listed as encrypted, but it is not"
        said = Finding("PL_KEY", Severity.WARNING, name, detail=detail, repair="read as it is")
        return Opened(data, (said,))
    for number, key in enumerate(how.keys):
        clear = decrypted(data, key, how.iv)
        if _is_media(clear.data) or (clear.whole and len(framing(clear.data).rows)):
            if clear.whole:
                return Opened(clear.data, key=number)
            detail = f"{len(data)} bytes: the end of what was encrypted is missing"
            said = Finding("SEG_PARTIAL", Severity.ERROR, name, detail=detail)
            return Opened(clear.data, (said,), cut=True, key=number)
    return Opened(data)


def _is_media(data: Bytes) -> bool:
    """Whether bytes look like media: by chance, less than one in a million has such a chain of
    packets.
    """
    return len(framing(data[: 1 << 20]).rows) >= 5 or sniff(data[:4096].tobytes()) in CONTAINERS


FRAGMENTS = "an MP4 file or fragment"
WEBM = "a WebM or Matroska file"
PACKED = "packed audio (ADTS)"
CONTAINERS = (FRAGMENTS, WEBM, PACKED)
_DEMUXERS = {FRAGMENTS: "mov", WEBM: "matroska", PACKED: "aac"}
