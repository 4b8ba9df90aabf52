"""What was freed stays with the process, until it is to be given back."""

import platform
import resource
import subprocess
import sys

import pytest

FREED = """
from pathlib import Path
from pipeline.upkeep import give_back_memory, keep_memory
if {kept}:
    keep_memory()
for _ in range(3):
    blocks = [bytearray(8 << 20) for _ in range(3)]
    del blocks
if {given}:
    give_back_memory()
pages = int(Path("/proc/self/statm").read_text().split()[1])
print(pages)
"""


def resident(*, kept: bool, given: bool = False) -> int:
    """Bytes that a process still has when it has let go of 24 MiB."""
    code = FREED.format(kept=kept, given=given)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    return int(done.stdout) * resource.getpagesize()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_memory_that_was_freed_is_kept_for_the_next_segment():
    assert resident(kept=True) > resident(kept=False) + (16 << 20)


IN_TURN = """
import threading
from pathlib import Path
from pipeline.upkeep import keep_memory
keep_memory()
ended = threading.Event()
def work(done):
    blocks = [bytearray(8 << 20) for _ in range(3)]
    del blocks
    done.set()
    ended.wait()
for _ in range(8):
    done = threading.Event()
    threading.Thread(target=work, args=(done,)).start()
    done.wait()
print(int(Path("/proc/self/statm").read_text().split()[1]))
ended.set()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_what_one_thread_freed_others_can_use():
    done = subprocess.run(
        [sys.executable, "-c", IN_TURN], capture_output=True, check=True, text=True
    )
    assert int(done.stdout) * resource.getpagesize() < 110 << 20  # eight times 24 without that


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="malloc_trim is glibc's")
def test_memory_is_given_back_when_what_comes_is_of_another_kind():
    assert resident(kept=True, given=True) < resident(kept=True) - (16 << 20)


CYCLE = """
import gc
from pipeline.upkeep import end_at_once
gc.disable()
class Noisy:
    def __del__(self):
        print("looked for")
one = Noisy()
one.self = one
del one
{end}
gc.enable()
"""
COMMAND = """
import sys
from pipeline.__main__ import main
sys.argv = ["recpipe", "doctor", "--help"]
try:
    main()
except SystemExit:
    pass
"""


@pytest.mark.parametrize(
    ("end", "looks"), [("pass", True), ("end_at_once()", False), (COMMAND, False)]
)
def test_no_cycles_are_looked_for_at_the_end(end, looks):
    code = CYCLE.format(end=end)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert ("looked for" in done.stdout) == looks
