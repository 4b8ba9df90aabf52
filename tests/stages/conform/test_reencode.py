"""Encoding anew: what did not come out of it is told, to the frame.

What is encoded is not what was surveyed: some of it is taken away before the encoder sees it.
"""

from contextlib import closing
from itertools import pairwise

import numpy as np
import pytest
from msgspec.structs import replace

from pipeline.media.containers.unwrap import Opened
from pipeline.media.es.nal import nal_units
from pipeline.media.slots.format_changes import survey
from pipeline.media.slots.segments import Slot
from pipeline.media.ts.scan import scan
from pipeline.model import Severity
from pipeline.stages.conform.encoding import Source
from pipeline.stages.conform.reencode import SHORT, reencode
from pipeline.stages.conform.spooled import Spool
from tests import recordings as r

STEREO = replace(r.AV_B, channels=2)
LARGE = replace(r.AV_B, size="640x360")
FRAME = 1024 / 48000
CHANGED = 2


def without(data: bytes, pid: int, keep) -> bytes:
    """Without some PES of a stream, as if they had never been sent."""
    out, number, kept = [], -1, True
    for packet in r.packets(data):
        if r.pid_of(packet) == pid:
            if r.is_pes(packet):
                number += 1
                kept = keep(number)
            if not kept:
                continue
        out.append(packet)
    return r.recounted(b"".join(out))


@pytest.fixture
def source(library, tmp_path):
    """Five slices, the third of another format; ``hurt`` is what the encoder gets of it."""

    def make(other, hurt=lambda data: data, ffmpeg=True):
        datas = [library[other if n == CHANGED else r.AV_B].data(n) for n in range(5)]
        slots = [
            Slot(f"{n}.ts", scan(f"{n}.ts", np.frombuffer(data, np.uint8)), 4.0)
            for n, data in enumerate(datas)
        ]

        def read(number):
            return Opened(np.frombuffer(hurt(datas[number]), np.uint8))

        used = library.ffmpeg if ffmpeg else None
        return Source(slots, survey(slots), read, spool, used)

    with closing(Spool(tmp_path / "spool")) as spool:
        yield make


def frames_of(data: bytes) -> list[int]:
    """Frames of sound in each PES."""
    pes = [unit.first for unit in r.units([data]) if unit.kind == "audio"]
    starts = [n for n, first in enumerate(pes) if first] + [len(pes)]
    return [b - a for a, b in pairwise(starts)]


def test_how_far_it_is_is_told_up_to_its_end(source):
    shares = []
    reencode(replace(source(LARGE), told=shares.append))
    assert len(shares) > 2
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_sound_comes_out_as_long_as_it_went_in(source):
    made = reencode(source(STEREO))
    assert [f.id for f in made.findings] == ["AAC_CHANGE"]
    assert [(one.kind, one.segment) for one in made.reencoded] == [("audio", "2.ts")]
    assert made.reencoded[0].seconds == pytest.approx(4, abs=0.1)


@pytest.mark.parametrize("lost", [0, 1, 3, 8])
def test_sound_that_falls_short_is_told(library, source, lost):
    """The last PES are gone: how much of it is an error is ``SHORT``, and the figure is right."""
    data = library[STEREO].data(CHANGED)
    counts = frames_of(data)
    there = len(counts) - lost
    made = reencode(source(STEREO, lambda whole: without(whole, 0x101, lambda n: n < there)))
    gone = sum(counts[there:]) * FRAME
    said = [f for f in made.findings if f.id == "DECODE"]
    if gone <= SHORT - 2 * FRAME:
        assert said == []
        return
    (finding,) = said
    assert (finding.severity, finding.segment, finding.pid) == (Severity.ERROR, "2.ts", 0x101)
    short, whole = (float(word) for word in finding.detail.split() if word[:1].isdigit())
    assert short == pytest.approx(gone, abs=2 * FRAME)  # what an encoder puts in front and behind
    assert whole == pytest.approx(4, abs=0.1)


def test_pictures_that_do_not_come_out_are_counted(source):
    hurt = source(LARGE, lambda whole: without(whole, 0x100, lambda n: n < 50))
    made = reencode(hurt)
    (finding,) = [f for f in made.findings if f.id == "DECODE"]
    assert finding.severity is Severity.ERROR
    assert finding.detail == "10 of 60 pictures could not be decoded"
    assert finding.count == 10


def test_nothing_that_can_be_decoded(source):
    """Neither a traceback nor a good word."""
    made = reencode(source(STEREO, lambda whole: without(whole, 0x101, lambda n: False)))
    severe = [f for f in made.findings if f.severity is Severity.ERROR]
    assert severe
    assert {f.id for f in severe} == {"DECODE"}
    assert [len(found) for found in made.units.values()] == [0]


@pytest.mark.parametrize("other", [LARGE, STEREO], ids=["pictures", "sound"])
def test_without_an_encoder_the_times_are_those_it_would_give(source, other):
    real, planned = reencode(source(other)), reencode(source(other, ffmpeg=False))
    assert real.units.keys() == planned.units.keys()
    for key, units in real.units.items():
        samples, told = [*units], [(s.pts, s.dts) for s in planned.units[key]]
        if other is LARGE:
            assert [p for p, _ in told] == sorted(s.pts for s in samples)
        else:
            assert abs(told[0][0] - samples[0].pts) <= 1
    assert [f.id for f in real.findings] == [f.id for f in planned.findings]


def test_one_size_and_one_number_for_all_that_is_encoded(source):
    made = reencode(source(LARGE))
    first = [next(iter(mine)).data for mine in made.units.values()]
    sets = {unit for es in first for unit in nal_units(es) if unit[0] & 31 in (7, 8)}
    assert sorted(unit[0] & 31 for unit in sets) == [7, 8]
