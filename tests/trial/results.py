"""What an MP4 holds, as libavformat reads it."""

from dataclasses import dataclass
from pathlib import Path

import av


@dataclass(frozen=True)
class Sample:
    """One sample of the result."""

    track: str
    digest: int
    time: float  # seconds, edit lists applied
    size: int


def samples(path: Path) -> list[Sample]:
    """Every sample that a player would be given."""
    found = []
    with av.open(str(path)) as container:
        for packet in container.demux():
            if packet.size and not packet.is_discard and packet.pts is not None:
                time = float(packet.pts * (packet.time_base or 1))
                found.append(_sample(bytes(packet), packet.stream.type, time))
    return found


def _sample(content: bytes, track: str, time: float) -> Sample:
    kept = picture(content) if track == "video" else content
    return Sample(track, hash(kept), time, len(content))


def picture(sample: bytes) -> bytes:
    """The slices of a picture, in the form of :func:`tests.trial.transport.picture`."""
    units = []
    at = 0
    while at + 4 <= len(sample):
        size = int.from_bytes(sample[at : at + 4], "big")
        unit = sample[at + 4 : at + 4 + size]
        if unit and 1 <= unit[0] & 31 <= 5:
            units.append(unit.rstrip(b"\0"))
        at += 4 + size
    return b"|".join(units)
