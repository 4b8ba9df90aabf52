"""Sound and pictures keep their distance from slot to slot, in what came out."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pytest

from pipeline.media.clock import BASE
from pipeline.media.es.access_units import NO_UNITS, Units
from pipeline.media.es.codecs import CODECS
from pipeline.media.loss.distance import asunder
from pipeline.media.loss.holes import Stretch
from pipeline.media.slots.segments import Placed, Slot
from pipeline.media.track import Lane
from pipeline.model import AccountEntry, Severity
from tests import ts

SECONDS = 4.0
LANES = [Lane(ts.VIDEO, CODECS["h264"], b"", 6000.0), Lane(ts.AUDIO, CODECS["aac"], b"", 1920.0)]


def units(start: int | None, lasts: float, unstamped: int) -> Units:
    """Forty of them, of which the first have no stamp."""
    if start is None:
        return NO_UNITS
    stamps = start + np.arange(40) * round(lasts)
    stamps[:unstamped] = -1
    return Units(np.full(40, 5, np.uint32), stamps, stamps, 0, np.empty(0, np.intp))


def found(
    apart: Sequence[float | None],
    *,
    lacks: Sequence[float] = (),
    restarts: Sequence[int] = (),
    unstamped: Mapping[int, int] = MappingProxyType({}),
    promised: Mapping[int, float | None] = MappingProxyType({}),
    held: Mapping[int, int] = MappingProxyType({}),
) -> list[str]:
    """Segments of which something is said, where sound begins so many seconds behind the pictures
    of each (None: it has no sound), lacks so much of it, or a clock restarts; by number, how many
    frames have no stamp, what EXTINF promises, how many units the account has.
    """
    placed, entries = [], []
    stretches: dict[Lane, list[Stretch]] = {lane: [] for lane in LANES}
    for n, seconds in enumerate(apart):
        name, begin = f"{n}.ts", BASE + round((n + 9) * SECONDS * 90_000)
        starts = {ts.VIDEO: begin}
        if seconds is not None:
            starts[ts.AUDIO] = begin + round(seconds * 90_000)
        slot = Slot(name, None, SECONDS, discontinuity=n in restarts)
        placed.append(Placed(slot, n, {}, n))
        for lane in LANES:
            bare = unstamped.get(n, 0) if lane.pid == ts.AUDIO else 0
            made = units(starts.get(lane.pid), lane.unit, bare)
            stretches[lane].append(Stretch(name, made))
        lacking = lacks[n] if n < len(lacks) else 0.0
        entries += [
            AccountEntry(name, "video", ts.VIDEO, SECONDS, delivered=SECONDS, units=9),
            AccountEntry(
                name,
                "audio",
                ts.AUDIO,
                promised.get(n, SECONDS),
                delivered=SECONDS - lacking,
                units=held.get(n, 9),
            ),
        ]
    said = list(asunder(placed, stretches, entries))
    assert {(f.id, f.severity, f.pid) for f in said} <= {("AV_SHIFT", Severity.ERROR, ts.AUDIO)}
    return [f.segment for f in said]


@pytest.mark.parametrize("off", [-12.962, -0.45, 0.45, 0.9, 20.0])
@pytest.mark.parametrize("at", [0, 1, 3, 5])
def test_one_slot_whose_tracks_lie_apart(off, at):
    assert found([0.02 + off * (n == at) for n in range(6)]) == [f"{at}.ts"]


@pytest.mark.parametrize("off", [-0.39, 0.39])
def test_what_two_slots_may_differ_by(off):
    assert found([0.02 + off * (n == 2) for n in range(6)]) == []


def test_two_slots_in_a_row():
    assert found([0.0, 0.0, 0.0, 3.0, 3.0, 0.0, 0.0, 0.0]) == ["3.ts", "4.ts"]


def test_a_recorder_that_goes_on_with_another_distance():
    assert found([0.0] * 4 + [0.8] * 4) == []


def test_a_distance_that_drifts():
    assert found([n / 20 for n in range(100)]) == []


def test_what_a_pause_at_an_end_explains():
    assert found([0.0, 0.0, 1.5, 0.0, 0.0], lacks=[0.0, 0.0, 1.2]) == []
    assert found([0.0, 0.0, 1.7, 0.0, 0.0], lacks=[0.0, 0.0, 1.2]) == ["2.ts"]


def test_where_pauses_are_usual():
    assert found([0.0, 1.3, 0.0, 0.0, 0.0], lacks=[1.0] * 5) == []
    assert found([0.0, 2.5, 0.0, 0.0, 0.0], lacks=[1.0] * 5) == ["1.ts"]


def test_a_slot_without_sound_tells_nothing():
    assert found([0.0, None, 5.0, None, 0.0]) == ["2.ts"]


def test_of_two_slots_nobody_knows_which():
    assert found([0.0, 5.0]) == []
    assert found([0.0]) == []
    assert found([None, None]) == []


def test_a_clock_that_restarts_at_the_first_or_last_slot_as_the_playlist_says():
    apart = [0.0, 0.0, 0.0, 2.0]
    assert found(apart) == ["3.ts"]
    assert found(apart, restarts=[3]) == []
    assert found(apart[::-1], restarts=[1]) == []
    assert found(apart[::-1], restarts=[0]) == ["0.ts"]  # a recording begins there


@pytest.mark.parametrize("usual", [-1.0, 0.0, 1.0])
@pytest.mark.parametrize("at", [0, 2, 4])
def test_whatever_is_usual(usual, at):
    apart = [usual] * 5
    assert found(apart) == []
    apart[at] += 3.0
    assert found(apart) == [f"{at}.ts"]


def test_two_slots_beside_the_last_one_tell_and_one_does_not():
    assert found([1.0, 1.0, 4.0]) == ["2.ts"]
    assert found([1.0, 4.0]) == []


def test_a_distance_that_changes_for_good_where_it_is_not_nothing():
    assert found([1.0] * 5 + [1.5] * 5) == []


def test_units_without_a_stamp_stand_in_front_of_the_first_that_has_one():
    """As frames do that begin in a PES of the segment before."""
    assert found([0.0] * 5, unstamped={2: 30}) == []


def test_what_has_no_promise_or_no_units_tells_nothing():
    assert found([0.0, 0.0, 3.0, 0.0, 0.0], promised={2: None}) == []
    assert found([0.0, 0.0, 3.0, 0.0, 0.0], promised={1: None}) == ["2.ts"]
    assert found([0.0, 0.0, 3.0, 0.0, 0.0], held={2: 0}) == []
