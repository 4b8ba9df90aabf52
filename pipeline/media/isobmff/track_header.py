"""What a track says of itself, whether its samples are listed in tables or in fragments.

Clauses are those of ISO/IEC 14496-12:2015 (ISO base media file format).
"""

from typing import NamedTuple

from msgspec import Struct

from pipeline.media.isobmff.boxes import MAX_BOXES, Node
from pipeline.media.isobmff.sample_entries import description, sample_entries


class Edit(NamedTuple):
    """An entry of ``elst`` (8.6.6)."""

    segment_duration: int  # movie ticks
    media_time: int  # track ticks; -1: show nothing
    rate: float  # speed, 1 is normal


class TrackHeader(Struct, frozen=True, eq=False):
    """One ``trak`` (8.3.1) without its samples; they are described by the first sample entry."""

    track_id: int
    handler: str  # vide, soun, ...
    codec: str  # type of the sample entry: avc1, hvc1, mp4a, Opus, ...
    timescale: int  # track ticks per second
    duration: int  # track ticks, as mdhd says
    width: int  # pixels
    height: int
    channels: int  # as the AudioSpecificConfig says, else the sample entry
    sample_rate: int  # Hz, likewise: of the core coder
    configuration: bytes  # AudioSpecificConfig for AAC, else the payload of avcC, hvcC, ...
    descriptions: int  # sample entries: more than one when parameters change on the way
    edits: tuple[Edit, ...]
    # degrees clockwise by which players turn its pictures, None for any other matrix (6.2.2)
    rotation: int | None


def track_header(trak: Node) -> TrackHeader:
    """Read a trak (8.3.1); Malformed where a box is missing or cannot be one."""
    mdia, tkhd = trak.need("mdia"), trak.need("tkhd")
    handler = mdia.need("hdlr").unpack("4s", 8)[0].decode("latin-1")
    entries = sample_entries(mdia.need("minf", "stbl", "stsd"))
    timescale, duration = running_clock(mdia.need("mdhd"))
    width, height, channels, rate, configuration = description(entries[0], handler)
    return TrackHeader(
        track_id=tkhd.unpack("I", 20 if tkhd.version(1) else 12)[0],
        handler=handler,
        codec=entries[0].box.type,
        timescale=timescale,
        duration=duration,
        width=width,
        height=height,
        channels=channels,
        sample_rate=rate,
        configuration=configuration,
        descriptions=len(entries),
        edits=_edits(trak.find("edts")),
        rotation=_rotation(tkhd),
    )


def matrix_at(tkhd: Node) -> int:
    """Where in the payload of a track header its matrix stands (8.3.2); width and height follow."""
    return 52 if tkhd.version(1) else 40


def _rotation(tkhd: Node) -> int | None:
    """How the matrix turns the track, if it does so about its centre and puts the upper left corner
    of what is shown at 0.  None as well where the header ends before it.
    """
    if len(tkhd.data) < matrix_at(tkhd) + 44:
        return None
    a, b, u, c, d, v, x, y, w, width, height = tkhd.unpack("9iII", matrix_at(tkhd))
    one = 1 << 16
    directions = {(one, 0): 0, (0, one): 90, (-one, 0): 180, (0, -one): 270}
    corners = [
        ((a * right + c * down) // one + x, (b * right + d * down) // one + y)
        for right in (0, width)
        for down in (0, height)
    ]
    plain = (u, v, w) == (0, 0, 1 << 30) and (c, d) == (-b, a)
    at_zero = min(corners)[0] == min(corner[1] for corner in corners) == 0
    return directions.get((a, b)) if plain and at_zero else None


def clock(node: Node) -> tuple[int, int]:
    """Ticks per second, and duration in ticks, of mvhd (8.2.2) or mdhd (8.4.2)."""
    timescale, duration = node.unpack("IQ", 20) if node.version(1) else node.unpack("II", 12)
    return timescale, duration


def running_clock(node: Node) -> tuple[int, int]:
    """The same; Malformed where the timescale is 0."""
    timescale, duration = clock(node)
    if timescale == 0:
        raise node.error("timescale 0")
    return timescale, duration


def _edits(edts: Node | None) -> tuple[Edit, ...]:
    """The edit list (8.6.6), as it is written; its readers judge it."""
    elst = edts and edts.find("elst")
    if not elst:
        return ()
    wide = elst.version(1) == 1
    table = elst.table(">u8,>i8,>i4" if wide else ">u4,>i4,>i4")[:, 0]
    if len(table) > MAX_BOXES:
        raise elst.error(f"edit list of {len(table)} entries, expected <= {MAX_BOXES}")
    return tuple(Edit(length, start, rate / 65536) for length, start, rate in table.tolist())
