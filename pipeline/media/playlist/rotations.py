"""How the pictures of each segment are turned, by the EXT-X-AGORA-ROTATE of its playlist.

One in front of a segment tells of a time at its beginning or inside it, and holds until the next
one.  The pictures are stored turned anticlockwise by what it says: Agora's own converter turns them
as far clockwise.
"""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from pipeline.model import Listed, Turn

MOST = 15  # turns inside a segment: each of them is an encode of its own
LEAST = 0.001  # seconds: names and tags are rounded to them


def turned(part: Sequence[Listed]) -> Iterator[Listed]:
    """The segments of one playlist in its order, each with its turns.

    What comes before the first that is told is turned as that says.
    """
    now = next((r.degrees for listed in part for r in listed.segment.rotations), 0)
    for listed in part:
        turns = [Turn(0.0, now)]
        for rotation in listed.segment.rotations:
            since = _since(listed, rotation.time)
            now = rotation.degrees
            if since is not None:
                turns = [*(turn for turn in turns if turn.since < since), Turn(since, now)]
        steady = [t for n, t in enumerate(turns) if not n or t.degrees != turns[n - 1].degrees]
        steady = [*steady[:1], *steady[1:][-MOST:]]
        upright = len(steady) == 1 and not steady[0].degrees
        yield listed if upright else replace(listed, turns=tuple(steady))


def _since(listed: Listed, time: float | None) -> float | None:
    """Seconds from the beginning of a segment; None for a time behind it."""
    if time is None or listed.utc is None:
        return 0.0
    since = round(time - listed.utc, 3)
    if listed.segment.duration and since >= listed.segment.duration:
        return None
    return since if since > LEAST else 0.0
