"""When one look at a recording says that it has ended."""

import pytest

from pipeline.ledger.discovery import PartSeen
from pipeline.model import Recording
from pipeline.watch.discovery.observation import Observation


def observation(*parts: tuple[int | None, bool]) -> Observation:
    """Of parts by their failover number, and whether each has ended."""
    seen = tuple(PartSeen(f"{n}.m3u8", bak, ended, 1, ()) for n, (bak, ended) in enumerate(parts))
    return Observation(Recording("a_room", "s3://b/", ()), "", 0.0, seen, copies=False)


@pytest.mark.parametrize(
    ("parts", "ended"),
    [
        pytest.param([], False, id="its playlists could not be read"),
        pytest.param([(None, False)], False, id="one that runs"),
        pytest.param([(None, True)], True, id="one that has ended"),
        pytest.param([(None, False), (0, True)], True, id="a later part ends those before"),
        pytest.param([(None, True), (0, False)], False, id="a later part runs"),
        pytest.param([(None, True), (None, False)], False, id="one stream of two runs"),
        pytest.param([(None, True), (None, True)], True, id="both streams have ended"),
        pytest.param(
            [(None, False), (0, True), (None, False)], False, id="the parts of one, and one runs"
        ),
    ],
)
def test_it_has_ended_when_the_last_part_of_each_stream_has(parts, ended):
    assert observation(*parts).ended is ended
