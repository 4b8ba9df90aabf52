"""The process that a command runs in."""

import platform
import resource
import subprocess
import sys

import pytest

FREED = """
from pathlib import Path
from pipeline import __main__ as command
if {kept}:
    command._keep_memory()
for _ in range(3):
    blocks = [bytearray(8 << 20) for _ in range(3)]
    del blocks
pages = int(Path("/proc/self/statm").read_text().split()[1])
print(pages)
"""


def resident(*, kept: bool) -> int:
    """Bytes that a process still has when it has let go of 24 MiB."""
    code = FREED.format(kept=kept)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    return int(done.stdout) * resource.getpagesize()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_memory_that_was_freed_is_kept_for_the_next_segment():
    assert resident(kept=True) > resident(kept=False) + (16 << 20)


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
