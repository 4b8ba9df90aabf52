"""Rules about a recording as a whole, and the verdict."""

import numpy as np
import pytest

from pipeline.media.loss.account import verdict
from pipeline.media.loss.rules import examine
from pipeline.media.slots.segments import Slot
from pipeline.media.timeline.plan import plan
from pipeline.media.ts.scan import scan
from pipeline.model import Finding, Severity, Verdict
from tests import ts

S = 96_000
SECONDS = S / 90_000
INFO, WARNING, ERROR, FATAL = (Finding("X", severity) for severity in Severity)
MENDED = Finding("X", Severity.WARNING, repair="dropped")
MENDED_LOSS = Finding("X", Severity.ERROR, repair="dropped")


@pytest.mark.parametrize(
    ("findings", "verdict_"),
    [
        pytest.param([], Verdict.OK, id="nothing"),
        pytest.param([INFO], Verdict.OK, id="a fact"),
        pytest.param([WARNING, INFO], Verdict.OK, id="a warning"),
        pytest.param([WARNING, MENDED], Verdict.REPAIRED, id="a repair"),
        pytest.param(
            [Finding("X", Severity.INFO, repair="dropped")], Verdict.REPAIRED, id="a small repair"
        ),
        pytest.param([ERROR, INFO], Verdict.DEGRADED, id="a loss"),
        pytest.param([MENDED, ERROR], Verdict.DEGRADED, id="a loss beside a repair"),
        pytest.param([MENDED_LOSS], Verdict.DEGRADED, id="a loss that was repaired"),
        pytest.param([MENDED, ERROR, FATAL], Verdict.REJECTED, id="all at once"),
        pytest.param([FATAL], Verdict.REJECTED, id="fatal"),
    ],
)
def test_verdict(findings, verdict_):
    assert verdict(findings) == verdict(reversed(findings)) == verdict(iter(findings)) == verdict_


def said(*slots: tuple[bytes, float | None]) -> list[tuple[object, ...]]:
    made = plan(
        [
            Slot(f"{n}.ts", scan(f"{n}.ts", np.frombuffer(data, np.uint8)), duration)
            for n, (data, duration) in enumerate(slots)
        ]
    )
    assert made.placed
    return [(f.id, f.severity, f.segment, f.pid, f.count, f.detail) for f in examine(made)]


def media(n: int, **options: object) -> bytes:
    return ts.segment(start=S * (n + 1), **{"pictures": 16, **options})


def test_nothing_to_say():
    assert said(*((media(n), SECONDS) for n in range(4))) == []


def test_segments_that_do_not_begin_with_a_key_picture():
    whole = ts.segment(start=S, pictures=32, gop=24)
    pictures = [at for at in range(0, len(whole), 188) if whole[at + 1 : at + 3] == b"\x41\x00"]
    parts = [
        whole[: pictures[8]],
        whole[:376] + whole[pictures[8] : pictures[16]],
        whole[:376] + whole[pictures[16] : pictures[24]],
        whole[:376] + whole[pictures[24] :],
    ]
    detail = "segments that do not begin with a key picture"
    found = said(*((part, 8 / 15) for part in parts))
    assert found == [("NO_KEY_AT_START", Severity.WARNING, "1.ts", ts.VIDEO, 2, detail)]


@pytest.mark.parametrize(
    ("durations", "found"),
    [
        pytest.param([SECONDS] * 6, None, id="right"),
        pytest.param([SECONDS + 0.4, *[SECONDS] * 5], None, id="0.4 s"),
        pytest.param([SECONDS] * 5 + [9.0], None, id="of the last one its neighbour cannot tell"),
        pytest.param(
            [SECONDS, SECONDS + 0.6, *[SECONDS] * 4],
            ("1.ts", 1, "media lasts -0.600 s against EXTINF 1.66667 s"),
            id="one too long",
        ),
        pytest.param(
            [SECONDS, SECONDS - 0.6, SECONDS + 0.6, *[SECONDS] * 3],
            ("1.ts", 2, "media lasts +0.600 s against EXTINF 0.466667 s"),
            id="one too short, one too long",
        ),
        pytest.param([None] * 6, None, id="no EXTINF"),
    ],
)
def test_extinf(durations, found):
    slots = [(media(n), duration) for n, duration in enumerate(durations)]
    wanted = []
    if found:
        segment, count, detail = found
        wanted = [("PL_EXTINF", Severity.WARNING, segment, None, count, detail)]
    assert said(*slots) == wanted


def offset(ahead: int) -> bytes:
    """Pictures, and sound that begins and ends ``ahead`` ticks later."""
    picture = ts.segment(start=10 * S, pictures=16, audio=None)
    sound = ts.segment(start=10 * S + ahead, pictures=16, video=None)
    tables = ts.segment(start=0, pictures=1)[:376]
    return tables + picture[376:] + sound[376:]


@pytest.mark.parametrize(
    ("ahead", "seconds"),
    [
        pytest.param(0, None, id="together"),
        pytest.param(22 * 1920, None, id="0.469 s"),
        pytest.param(24 * 1920, "+0.512", id="sound later"),
        pytest.param(-24 * 1920, "-0.512", id="sound earlier"),
    ],
)
def test_sound_and_picture_apart(ahead, seconds):
    wanted = [
        (id, Severity.INFO, None, None, 1, f"audio {verb} {seconds} s from video")
        for id, verb in (("AV_START", "begins"), ("AV_END", "ends"))
    ]
    assert said((offset(ahead), None)) == (wanted if seconds else [])


def test_one_track_is_never_apart():
    assert said((media(0, video=None), SECONDS), (media(1, video=None), SECONDS)) == []
