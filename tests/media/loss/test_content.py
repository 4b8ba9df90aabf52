"""Black, frozen and silent: by the sizes of units, and on decoded samples."""

import numpy as np
import pytest

from pipeline.media.clock import BASE
from pipeline.media.es.access_units import Units
from pipeline.media.es.codecs import AAC, H264
from pipeline.media.loss import content
from pipeline.media.loss.holes import Stretch
from pipeline.media.track import Lane
from pipeline.model import Severity
from tests import ts

PICTURE = 6000
VIDEO = Lane(256, H264, b"", PICTURE)


def audio(channels=1):
    return Lane(257, AAC, ts.adts_frame(b"", channels=channels)[:4], 1920)


def stretches(lane, sizes, *, each=75, stamped=1):
    """Units of these sizes, so many in each segment; only every ``stamped`` has a time."""
    made = []
    for n, at in enumerate(range(0, len(sizes), each)):
        part = np.array(sizes[at : at + each], np.uint32)
        places = np.arange(at, at + len(part))
        times = np.where(places % stamped == 0, BASE + (places * lane.unit).astype(np.int64), -1)
        made.append(Stretch(f"{n}.ts", Units(part, times, times, 0, np.empty(0, np.intp))))
    return made


def spans(lane, sizes, **options):
    found = content.suspects(lane, stretches(lane, sizes, **options))
    return [(round(s.begin, 1), round(s.end, 1), s.segment) for s in found]


LIVE, STILL, KEY = [3000], [50], [900]


@pytest.mark.parametrize(
    ("sizes", "found"),
    [
        pytest.param(LIVE * 300, [], id="live"),
        pytest.param(STILL * 300, [(0, 20, "0.ts")], id="still"),
        pytest.param((KEY + STILL * 29) * 10, [(0.1, 20, "0.ts")], id="still, with key pictures"),
        pytest.param(LIVE * 90 + STILL * 90 + LIVE * 90, [(6, 12, "1.ts")], id="in the middle"),
        pytest.param(LIVE * 90 + STILL * 70 + LIVE * 90, [], id="too short to tell"),
        pytest.param((LIVE + STILL) * 150, [], id="every other one"),
        pytest.param((LIVE + STILL * 2) * 100, [], id="pictures between pictures"),
        pytest.param([250] * 300, [(0, 20, "0.ts")], id="just small enough"),
        pytest.param([251] * 300, [], id="just too large"),
        pytest.param([], [], id="nothing"),
        pytest.param(STILL, [], id="one"),
        pytest.param((STILL * 90 + LIVE * 2) * 2, [(0, 6, "0.ts"), (6.1, 12.1, "1.ts")], id="two"),
    ],
)
def test_pictures(sizes, found):
    assert spans(VIDEO, sizes) == found


@pytest.mark.parametrize(
    ("channels", "size", "silent"),
    [(1, 11, True), (1, 40, True), (1, 41, False), (2, 60, True), (2, 61, False), (1, 136, False)],
)
def test_sound(channels, size, silent):
    lane = audio(channels)
    assert spans(lane, [size] * 600, stamped=7) == ([(0, 12.7, "0.ts")] if silent else [])
    assert spans(lane, [size] * 400) == []  # 8.5 s


def test_samples():
    black, noise = np.full((3, 8), 16, np.uint8), np.arange(24, dtype=np.uint8).reshape(3, 8) * 9
    still = np.tile(noise[:1], (3, 1))
    assert content.is_black(black)
    assert not content.is_black(noise)
    assert not content.is_black(black[:0])
    assert content.is_frozen(still)
    assert not content.is_frozen(noise)
    assert not content.is_frozen(still[:1])
    assert content.is_silent(np.array([0, 33, -33], np.int16))
    assert not content.is_silent(np.array([0, 34], np.int16))
    assert not content.is_silent(np.array([-32768], np.int16))
    assert not content.is_silent(np.empty(0, np.int16))


def test_many_spans_are_one_finding():
    found = [content.Span("video", n * 10.0, n * 10.0 + 6, f"{n}.ts") for n in range(7)]
    said = content.told("FROZEN", found, VIDEO, decoded=False)
    assert (said.id, said.severity, said.count, said.segment) == (
        "FROZEN",
        Severity.INFO,
        7,
        "0.ts",
    )
    assert said.detail.startswith("42.0 s of pictures that do not change, by the size of its units")
    assert said.detail.endswith("40.0 to 46.0 and 2 more")
    assert said.repair is None
