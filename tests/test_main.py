"""The process that a command runs in."""

import resource
import subprocess
import sys

import pytest

FREED = """
import resource, sys
from pipeline import __main__ as command
if {kept}:
    command._keep_memory()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    blocks = [bytearray(8 << 20) for _ in range(3)]
    del blocks
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(*, kept: bool) -> int:
    code = FREED.format(kept=kept)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mallopt is glibc's")
def test_memory_that_was_freed_is_used_again():
    pages = (24 << 20) // resource.getpagesize()
    if faults(kept=False) < 10 * pages:
        pytest.skip("this C library keeps it by itself")

    assert faults(kept=True) < 3 * pages


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="threads are counted in /proc")
def test_numpy_starts_no_threads_of_its_own():
    code = (
        "import sys; sys.argv = ['recpipe', '--version']\n"
        "from pipeline.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "import numpy, os; print(len(os.listdir('/proc/self/task')))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.splitlines()[-1] == "1"
