"""Time stamps that are wrong while all media is there."""

from collections.abc import Callable

from msgspec.structs import replace

from pipeline.errors import UsageError
from pipeline.simulator.faults.fault_context import Case, with_units
from pipeline.simulator.faults.headers import head, in_header
from pipeline.simulator.recorder.mux import stamped
from pipeline.simulator.recorder.values import HZ, STREAMS, RecordedPart, Segment, Unit

PTS, DTS = 9, 14  # their offsets in a PES packet (ISO/IEC 13818-1 clause 2.4.3.7)
TOO_FAR = 1 << 25  # ticks by which a flipped bit moves a decoding time


def sound_shifted(part: RecordedPart, case: Case) -> RecordedPart:
    """The stamps of the sound of one slice are wrong by so many seconds."""
    return _shifted(part, case, "audio")


def pictures_shifted(part: RecordedPart, case: Case) -> RecordedPart:
    """The stamps of the pictures of one slice are wrong by so many seconds."""
    return _shifted(part, case, "video")


def two_pictures_one_stamp(part: RecordedPart, case: Case) -> RecordedPart:
    """A picture has the stamp of the one before it."""

    def repeat(pictures: list[Unit]) -> None:
        k = len(pictures) // 2
        pictures[k] = replace(pictures[k], off=pictures[k - 1].time - pictures[k].time)

    return _pictures(part, case, repeat)


def dts_repeats(part: RecordedPart, case: Case) -> RecordedPart:
    """Pictures have a DTS, and three of one slice that of the picture before."""
    return _decoded(part, case, 1)


def dts_back_a_frame(part: RecordedPart, case: Case) -> RecordedPart:
    """Pictures have a DTS, and three of one slice run back by a picture."""
    return _decoded(part, case, 2)


def flipped_dts(part: RecordedPart, case: Case) -> RecordedPart:
    """Pictures have a DTS, and one bit of one is flipped."""

    def flip(pictures: list[Unit]) -> None:
        k = len(pictures) // 2
        pictures[k] = replace(pictures[k], lead=(pictures[k].lead or 0) - TOO_FAR)

    return _pictures(_with_dts(part, case), case, flip)


def flipped_pts(part: RecordedPart, case: Case) -> RecordedPart:
    """One bit of a PTS is flipped: of a picture, or of a PES of sound."""
    stream = case.word("video", "audio")

    def flip(segment: Segment) -> Segment:
        k = head(segment, case, stream)
        at, bits = case.dice.choice(((0, (1, 2, 3)), (1, range(8)), (2, range(1, 8))))
        bit = 1 << case.dice.choice(tuple(bits))
        return in_header(segment, k, lambda pes: pes.__setitem__(PTS + at, pes[PTS + at] ^ bit))

    n = replace(case, argument=None).pick(part)
    return part.with_segment(n, flip(part.segments[n]))


def first_stamps_zero(part: RecordedPart, case: Case) -> RecordedPart:
    """The first PES of each stream of a slice has stamps of zero."""
    n = case.pick(part, inner=True)
    segment = part.segments[n]
    for stream in STREAMS:
        pid = segment.layout.pids[stream]
        k = next((k for k, p in enumerate(segment.packets) if p.starts and p.pid == pid), None)
        if k is not None:
            segment = in_header(segment, k, _zero)
    return part.with_segment(n, segment)


def _zero(pes: bytearray) -> None:
    dated = pes[7] & 0x40 > 0
    pes[PTS : PTS + 5] = stamped(0, 3 if dated else 2)
    if dated:
        pes[DTS : DTS + 5] = stamped(0, 1)


def _shifted(part: RecordedPart, case: Case, stream: str) -> RecordedPart:
    ticks = case.shift(3)
    n = replace(case, argument=None).pick(part, inner=True)
    segment = part.segments[n]
    if {u.stream for u in segment.units} != set(STREAMS):
        raise UsageError(f"{case.fault}: needs sound and pictures")
    units = tuple(replace(u, off=ticks) for u in segment.units if u.stream == stream)
    return part.with_segment(n, with_units(segment, stream, units))


def _pictures(part: RecordedPart, case: Case, change: Callable[[list[Unit]], None]) -> RecordedPart:
    """One slice with pictures of which some are changed, in place."""
    n = case.pick(part)
    pictures = [u for u in part.segments[n].units if u.stream == "video"]
    if len(pictures) < 8:
        raise UsageError(f"{case.fault}: there are no pictures")
    change(pictures)
    return part.with_segment(n, with_units(part.segments[n], "video", tuple(pictures)))


def _decoded(part: RecordedPart, case: Case, frames: int) -> RecordedPart:
    """Three decoding times that are early by so many pictures."""
    frame = HZ // case.look.fps

    def early(pictures: list[Unit]) -> None:
        for k in case.dice.sample(range(1, len(pictures) - 1), 3):
            pictures[k] = replace(pictures[k], lead=(pictures[k].lead or 0) + frames * frame)

    return _pictures(_with_dts(part, case), case, early)


def _with_dts(part: RecordedPart, case: Case) -> RecordedPart:
    """Pictures are decoded one picture before they are shown, as where the encoder may reorder."""
    frame = HZ // case.look.fps

    def dated(segment: Segment) -> Segment:
        pictures = tuple(
            u if u.lead is not None else replace(u, lead=frame)
            for u in segment.units
            if u.stream == "video"
        )
        return with_units(segment, "video", pictures)

    made = part.with_segments({n: dated(s) for n, s in enumerate(part.segments)})
    return replace(made, touched=part.touched)
