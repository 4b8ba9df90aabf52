"""A segment with other streams in it: what stays keeps its packets, what is new has its stamps."""

import numpy as np
import pytest

from pipeline.media.es.codecs import AAC, H264
from pipeline.media.ts.scan import scan
from pipeline.media.ts.writing.mux import MuxStream, Sample
from pipeline.media.ts.writing.replace_streams import samples, spliced
from tests import ts

VIDEO, AUDIO = ts.VIDEO, ts.AUDIO
WHOLE = np.frombuffer(ts.segment(pictures=15, delay=ts.PICTURE), np.uint8)


def test_samples_are_what_the_pes_hold():
    found = samples(WHOLE, VIDEO)
    assert [s.dts for s in found] == [ts.START + n * ts.PICTURE for n in range(15)]
    assert [s.pts - s.dts for s in found] == [ts.PICTURE] * 15
    assert found[0].data == ts.access_unit(0, size=300, seed=ts.START)
    assert samples(WHOLE, 0x333) == []


def test_a_pes_without_a_stamp_is_left_out():
    pes = [ts.pes(0xE0, ts.access_unit(n), ts.START if n else None) for n in range(2)]
    made = b"".join(p for n, one in enumerate(pes) for p in ts.packets(VIDEO, one, 8 * n))
    assert [s.pts for s in samples(np.frombuffer(made, np.uint8), VIDEO)] == [ts.START]


@pytest.mark.parametrize("pid", [AUDIO, 0x345])
def test_what_stays_is_what_it_was(pid):
    """Byte for byte, under the PID it gets."""
    new = [Sample(ts.START + n, ts.START + n, ts.access_unit(n % 5)) for n in range(0, 30000, 6000)]
    made = spliced(WHOLE, {AUDIO: (pid, 0x0F)}, [MuxStream(VIDEO, H264, new)])
    found = scan("new", made)
    assert found.findings == ()
    assert found.program.streams == {pid: 0x0F, VIDEO: 0x1B}
    assert samples(made, pid) == samples(WHOLE, AUDIO)
    assert samples(made, VIDEO) == new
    clocks = [one.dts for one in samples(made, VIDEO)]
    assert clocks == sorted(clocks)


def test_a_break_of_the_counter_stays_a_break():
    """What was lost is not made good by being rewritten."""
    rows = WHOLE.reshape(-1, 188)
    pid = (rows[:, 1] & 0x1F).astype(int) << 8 | rows[:, 2]
    hurt = np.delete(rows, np.flatnonzero(pid == VIDEO)[7], axis=0).reshape(-1)
    before = scan("old", hurt).findings
    assert [f.id for f in before] == ["CC"]
    made = spliced(hurt, {VIDEO: (VIDEO, 0x1B)}, [MuxStream(AUDIO, AAC, ())])
    assert [(f.id, f.count) for f in scan("old", made).findings] == [("CC", before[0].count)]


def test_what_must_not_be_trusted_stays_what_it_was():
    """Sixteen packets of which no break of the counter tells."""
    rows = WHOLE.reshape(-1, 188).copy()
    pid = (rows[:, 1] & 0x1F).astype(int) << 8 | rows[:, 2]
    rows[np.flatnonzero(pid == VIDEO)[7:23], 3] |= 0x80
    made = spliced(rows.reshape(-1), {VIDEO: (0x345, 0x1B)}, [MuxStream(AUDIO, AAC, ())])
    said = [(f.id, f.pid, f.count) for f in scan("new", made).findings]
    assert said == [("SCRAMBLED", None, 16), ("CC", 0x345, 1)]
