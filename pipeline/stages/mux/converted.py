"""What was fed to ffmpeg, and so what the file must hold."""

from msgspec import Struct
from msgspec.structs import replace

from pipeline.choices import Format
from pipeline.media.captions.text_track import TextTrack
from pipeline.media.es.access_units import NO_UNITS
from pipeline.media.loss.chapters import Marks
from pipeline.media.loss.fills import Fill
from pipeline.media.loss.holes import Stretch
from pipeline.media.slots.segments import Placed
from pipeline.media.stitch.stitcher import Stitched
from pipeline.media.timeline.plan import Plan
from pipeline.media.track import Lane
from pipeline.model import Finding

NO_MARKS = Marks()


class Converted(Struct, frozen=True, eq=False):
    """What was fed to ffmpeg, unit by unit and lane by lane, and what it said."""

    lanes: tuple[Lane, ...]
    expected: tuple[tuple[Stretch, ...], ...]  # by lane, one for each segment or filled hole
    findings: tuple[Finding, ...] = ()
    command: tuple[str, ...] = ()  # argv
    messages: str = ""  # of ffmpeg
    lengths: tuple[int, ...] = ()  # bytes of each segment in a stream, without the tables
    marks: Marks = NO_MARKS  # chapters and comment that the file got
    fills: tuple[Fill, ...] = ()  # where units were put in
    texts: tuple[TextTrack, ...] = ()  # captions that the file got

    @property
    def held(self) -> tuple[tuple[Stretch, ...], ...]:
        """The units that the segments held, by lane, without those that were put in."""
        return tuple(tuple(s.own for s in stretches if not s.made) for stretches in self.expected)

    def filled(self, lane: Lane) -> dict[str, int]:
        """How many units were put in, by the name of the segment they are in or in front of."""
        found: dict[str, int] = {}
        for stretch in self.expected[self.lanes.index(lane)]:
            if stretch.filled:
                found[stretch.segment] = found.get(stretch.segment, 0) + stretch.filled
        return found


class Tally:
    """The units of every lane, segment by segment, as they go to the muxer."""

    def __init__(self, lanes: tuple[Lane, ...]) -> None:
        self._lanes = lanes
        self._expected: list[list[Stretch]] = [[] for _ in lanes]
        self._findings: list[Finding] = []

    def add(self, placed: Placed, stitched: Stitched) -> None:
        """Add one segment, or what fills the hole in front of it."""
        self._findings += stitched.findings
        for lane, stretches in zip(self._lanes, self._expected, strict=True):
            if not stitched.made or lane.pid in stitched.units:
                units = stitched.units.get(lane.pid, NO_UNITS)
                held = replace(units, data=b"", ends=NO_UNITS.ends)  # a view would keep all of them
                stretches.append(Stretch(placed.slot.name, held, stitched.made))

    def converted(self) -> Converted:
        """What was added so far."""
        return Converted(self._lanes, tuple(map(tuple, self._expected)), tuple(self._findings))


def lanes_of(plan: Plan, format: Format) -> tuple[Lane, ...]:
    """The lanes of a plan that a format can hold: all (MP4, TS), all of sound (M4A), else the first
    of sound.
    """
    audio = tuple(lane for lane in plan.lanes if lane.codec.kind == "audio")
    if format in (Format.MP4, Format.TS):
        return plan.lanes
    return audio if format is Format.M4A else audio[:1]
