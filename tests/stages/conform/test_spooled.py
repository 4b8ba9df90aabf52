"""What was encoded waits on the disk: the same units as if they were held, in little memory."""

import resource
import tracemalloc
from contextlib import closing

import numpy as np
import pytest

from pipeline.errors import DiskFullError
from pipeline.media.clock import MODULO
from pipeline.media.es.codecs import ENCODED
from pipeline.media.ts.packets import PACKET
from pipeline.media.ts.writing.mux import MuxStream, Sample, write
from pipeline.media.ts.writing.replace_streams import samples
from pipeline.stages.conform.spooled import BLOCK, Spool, Units, joined, taken

PID = 0x100


def picture(number, size=1000):
    return Sample(9000 + 6000 * number, 9000 + 6000 * number, bytes([number % 256]) * size)


def stream(pictures):
    return write([MuxStream(PID, ENCODED["video"], pictures)])


@pytest.fixture
def spool(tmp_path):
    with closing(Spool(tmp_path / "spool")) as made:
        yield made


@pytest.fixture
def output(tmp_path):
    """What an encoder wrote."""
    with (tmp_path / "run.ts").open("w+b") as file:
        yield file


@pytest.mark.parametrize("block", [PACKET, 7 * PACKET, BLOCK], ids=["one", "seven", "all"])
def test_the_same_units_however_much_is_read_at_a_time(spool, output, block):
    sizes = [10, 180, 184, 5000, 1, 20_000, 777]
    data = stream([picture(n, size) for n, size in enumerate(sizes)])
    data.tofile(output)
    assert [*taken(output, PID, spool, block)] == samples(data, PID)


def test_what_another_stream_holds_is_left_out(spool, output):
    stream([picture(1)]).tofile(output)
    assert len(taken(output, PID + 1, spool)) == 0


def test_an_encoder_that_wrote_nothing(spool, output):
    assert [*taken(output, PID, spool)] == []


def test_units_of_two_runs_stand_one_behind_the_other(spool):
    one = Units(spool, np.array([5, 2]), *spool.add([b"five", b"two"]))
    other = Units(spool, np.array([7]), *spool.add([b"seven"]))
    both = joined([one, other], spool)
    assert [s.data for s in both] == [b"five", b"two", b"seven"]
    assert [s.data for s in both.of(np.array([2, 0]))] == [b"seven", b"five"]


def test_stamps_have_33_bits(spool):
    (unit,) = Units(spool, np.array([MODULO + 3]), *spool.add([b"x"]), delay=10)
    assert (unit.pts, unit.dts) == (3, MODULO - 7)


def test_memory_holds_no_unit(spool, output):
    """Sixty times what is read at a time."""
    block = stream([picture(n, 10_000) for n in range(100)])
    for _ in range(60):
        block.tofile(output)
    tracemalloc.start()
    try:
        units = taken(output, PID, spool, len(block))
        kept, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(units) == 6000
    assert kept < 0.5 * len(block)
    assert most < 12 * len(block) < 0.25 * 60 * len(block)


def test_no_file_is_left_by_whoever_is_killed(spool):
    spool.add([b"unit"])
    assert list(spool.folder.iterdir()) == []


def test_a_full_disk_is_told_with_its_folder(spool):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(DiskFullError, match=f"write to {spool.folder}"):
            spool.add([b"unit" * 100])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
