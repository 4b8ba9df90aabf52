"""What comes of bringing segments into one format."""

from collections.abc import Callable

from msgspec import Struct

from pipeline.model import Finding, Reencoded
from pipeline.stages.segments import LocalSegment

Progress = Callable[[str, int], None]  # stage, thousandths since the last call


class Conformed(Struct, frozen=True, eq=False):
    """The segments in one format, and what was done to those that had another."""

    segments: tuple[LocalSegment, ...]
    findings: tuple[Finding, ...] = ()
    reencoded: tuple[Reencoded, ...] = ()
