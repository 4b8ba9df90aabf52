"""What the recorder makes, as frozen values: units, packets, segments, a playlist, a part.

Times are ticks of 90 kHz on the wall clock, counted from the beginning of the recording.  Nothing
here or in :mod:`pipeline.simulator.recorder.mux` shares code with the readers in ``media``: a
mistake there must not be made here as well.
"""

from collections.abc import Iterator, Mapping

from msgspec import Struct, field
from msgspec.structs import replace

HZ = 90_000
START = 126_000  # stamp of the first picture, as ffmpeg has it
STREAMS = ("video", "audio")


class Unit(Struct, frozen=True):
    """One picture or one AAC frame as the encoder made it."""

    stream: str  # "video" or "audio"
    time: int  # ticks, when it is presented
    length: int  # ticks
    data: bytes
    key: bool = False
    off: int = 0  # ticks by which its stamp is wrong
    lead: int | None = None  # ticks by which its DTS lies before its PTS; None: it has none
    mark: int | None = None  # ticks into it at which a flash or a beep begins


class Packet(Struct, frozen=True):
    """A transport packet (188 bytes), and the units, by index in the segment, that it carries."""

    data: bytes
    units: tuple[int, ...] = ()
    serial: int = 0  # a repeated packet keeps it
    intact: bool = True

    @property
    def pid(self) -> int:
        """The packet identifier: 13 bits of the header."""
        return (self.data[1] & 0x1F) << 8 | self.data[2]

    @property
    def starts(self) -> bool:
        """Whether a PES or a table begins in it (payload_unit_start_indicator)."""
        return bool(self.data[1] & 0x40)


class Layout(Struct, frozen=True):
    """How a segment is multiplexed (ISO/IEC 13818-1 clause 2.4.4)."""

    streams: tuple[str, ...] = STREAMS  # what the PMT announces
    pids: Mapping[str, int] = field(default_factory=lambda: {"video": 0x100, "audio": 0x101})
    types: Mapping[str, int] = field(default_factory=lambda: {"video": 0x1B, "audio": 0x0F})
    pmt: int = 0x1000
    sections: Mapping[int, int] = field(default_factory=dict)  # stream_type by PID
    frames: int = 4  # AAC frames in one PES
    divided: bool = False  # each NAL unit of a picture is a PES of its own
    restarts: bool = False  # continuity counters restart


class Segment(Struct, frozen=True):
    """One slice: its units, then its packets, or what its file became."""

    name: str
    begin: int  # ticks
    length: int  # ticks; EXTINF
    units: tuple[Unit, ...]
    layout: Layout = Layout()
    clock: int = START  # ticks that are added to times to make time stamps of them
    packets: tuple[Packet, ...] = ()
    needs: tuple[int, ...] = ()  # how many packets each unit has
    prefix: bytes = b""
    suffix: bytes = b""
    content: bytes | None = None  # the file, where it is not a transport stream
    readable: bool = True  # such a file still holds all units
    stored: bool = True  # there is a file

    @property
    def data(self) -> bytes:
        """The bytes of its file."""
        if self.content is not None:
            return self.content
        return self.prefix + b"".join(packet.data for packet in self.packets) + self.suffix


class ListedSegment(Struct, frozen=True):
    """A segment as the playlist lists it; ``tags`` stand in front of EXTINF."""

    uri: str
    extinf: float  # seconds
    tags: tuple[str, ...] = ()


class Playlist(Struct, frozen=True):
    """A playlist as Agora writes it (RFC 8216, with the AGORA tags)."""

    name: str
    header: tuple[str, ...]
    entries: tuple[ListedSegment, ...] = ()
    ended: bool = True
    after: tuple[ListedSegment, ...] = ()  # what stands behind ENDLIST
    bom: bool = False
    newline: str = "\n"
    cut: int = 0  # characters missing at the end

    @property
    def data(self) -> bytes:
        """The bytes of its file."""
        lines = [*self.header, *self._lines(self.entries)]
        lines += ["#EXT-X-ENDLIST"] if self.ended else []
        lines += self._lines(self.after)
        text = self.newline.join([*lines, ""])
        text = text[: len(text) - self.cut]
        return (b"\xef\xbb\xbf" if self.bom else b"") + text.encode()

    @staticmethod
    def _lines(entries: tuple[ListedSegment, ...]) -> Iterator[str]:
        for entry in entries:
            yield from entry.tags
            yield f"#EXTINF:{entry.extinf:.6f}"  # without the comma, as Agora writes it
            yield entry.uri


class RecordedPart(Struct, frozen=True):
    """One playlist with its segments: what faults are applied to."""

    stem: str
    epoch: float  # seconds since 1970 at time 0
    playlist: Playlist
    segments: tuple[Segment, ...]
    files: Mapping[str, bytes] = field(default_factory=dict)  # whatever else lies beside them
    pauses: tuple[tuple[int, int], ...] = ()  # begin and length, in ticks, not recorded
    encoded: frozenset[str] = frozenset()  # streams an MP4 can only hold re-encoded
    touched: frozenset[int] = frozenset()  # segments that a fault was applied to
    # How its faults affect the parts behind it:
    delay: int = 0  # ticks of pauses, which made it longer
    over: frozenset[str] = frozenset()  # streams that have ended for good

    def with_segment(self, number: int, segment: Segment) -> "RecordedPart":
        """The part with one segment replaced, by its number."""
        return self.with_segments({number: segment})

    def with_segments(self, changed: Mapping[int, Segment]) -> "RecordedPart":
        """The part with some segments replaced, by number; the playlist follows their names."""
        made = tuple(changed.get(n, old) for n, old in enumerate(self.segments))
        names = {
            old.name: new.name
            for old, new in zip(self.segments, made, strict=True)
            if old.name != new.name
        }
        entries = tuple(replace(e, uri=names.get(e.uri, e.uri)) for e in self.playlist.entries)
        playlist = replace(self.playlist, entries=entries) if names else self.playlist
        touched = self.touched | (changed.keys() if len(changed) == 1 else set())
        return replace(self, segments=made, playlist=playlist, touched=touched)

    def with_entries(self, *entries: ListedSegment) -> "RecordedPart":
        """The part with other entries in its playlist."""
        return replace(self, playlist=replace(self.playlist, entries=entries))
