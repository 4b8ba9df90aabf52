"""What a fault gets besides the recording: its argument, chance, and material to splice in."""

import random

from msgspec import Struct
from msgspec.structs import replace

from pipeline.errors import UsageError
from pipeline.muxing.locate import Ffmpeg
from pipeline.simulator.recorder.material import Look, Material, encode
from pipeline.simulator.recorder.recorder import Setup
from pipeline.simulator.recorder.values import HZ, RecordedPart, Segment, Unit


class Case(Struct, frozen=True):
    """One fault as it was asked for.  Raises ``UsageError`` for an argument that does not fit."""

    fault: str
    argument: str | None
    dice: random.Random
    setup: Setup
    material: Material
    ffmpeg: Ffmpeg

    @property
    def look(self) -> Look:
        """The look of the recording."""
        return self.material.look

    def other(self, **changed: object) -> Material:
        """The same scene with some fields of its look changed, encoded."""
        look = replace(self.look, **changed)
        made = encode(look, self.material.seconds, self.ffmpeg)
        return replace(made, phase=self.material.phase)

    def pick(self, part: RecordedPart, *, inner: bool = False) -> int:
        """The number of the segment that the argument names; else the untouched one nearest the
        middle.  With ``inner`` it is not the first.
        """
        count, first = len(part.segments), 1 if inner else 0
        if self.argument is not None:
            number = self.whole(self.argument)
            number += count if number < 0 else 0
            if not first <= number < count:
                raise self.wrong(f"a segment from {first} to {count - 1}")
            return number
        free = [n for n in range(first, count) if n not in part.touched]
        if not free:
            raise UsageError(f"{self.fault}: no segment is left for it; record more of them")
        return min(free, key=lambda n: abs(n - count // 2))

    def seconds(self, otherwise: float) -> int:
        """The argument (seconds) as a length in ticks, above 0; ``otherwise`` is its default."""
        try:
            length = float(self.argument) if self.argument is not None else otherwise
        except ValueError:
            raise self.wrong("a number of seconds") from None
        if not 0 < length < 1e6:
            raise self.wrong("a number of seconds above 0")
        return round(length * HZ)

    def shift(self, otherwise: float) -> int:
        """The argument (seconds) as ticks, which may be negative; ``otherwise`` is its default."""
        text = self.argument
        if text is None or not text.startswith("-"):
            return self.seconds(otherwise)
        return -replace(self, argument=text[1:]).seconds(otherwise)

    def word(self, *known: str) -> str:
        """The argument as one of some words; the first is the default."""
        if self.argument is not None and self.argument not in known:
            raise self.wrong(" or ".join(known))
        return self.argument or known[0]

    def whole(self, text: str) -> int:
        """The text as a whole number."""
        try:
            return int(text)
        except ValueError:
            raise self.wrong("a whole number") from None

    def wrong(self, expected: str) -> UsageError:
        """The error for an argument that does not fit."""
        return UsageError(f"{self.fault}:{self.argument}: expected {expected}")


def without(segment: Segment, stream: str) -> Segment:
    """The segment without the units of a stream."""
    return replace(segment, units=tuple(u for u in segment.units if u.stream != stream))


def with_units(segment: Segment, stream: str, units: tuple[Unit, ...]) -> Segment:
    """The segment with other units of one stream."""
    kept = tuple(u for u in segment.units if u.stream != stream)
    return replace(segment, units=(*units, *kept) if stream == "video" else (*kept, *units))
