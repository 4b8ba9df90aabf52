"""What was freed stays with the process, until it is to be given back; what few need is imported
when it is used.
"""

import platform
import resource
import subprocess
import sys

import pytest

from pipeline.upkeep import imported_later

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


@pytest.fixture
def importer(tmp_path, monkeypatch):
    """A library that imports two modules at once, and needs them in one function."""
    (tmp_path / "eager.py").write_text(
        "import rare\nimport pack.deep\ndef used():\n    return rare.WHO, pack.deep.WHO\n"
    )
    (tmp_path / "rare.py").write_text("WHO = 'rare'\n")
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").touch()
    (tmp_path / "pack" / "deep.py").write_text("WHO = 'deep'\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in ("eager", "rare", "pack", "pack.deep"):
        sys.modules.pop(name, None)


def _loaded():
    return {"rare", "pack.deep"} & sys.modules.keys()


def test_a_module_that_a_library_hardly_needs_is_imported_when_it_is_used(importer):
    with imported_later("rare", "pack.deep"):
        import eager
    assert not _loaded()
    assert eager.used() == ("rare", "deep")
    assert _loaded() == {"rare", "pack.deep"}


def test_others_import_such_a_module_as_ever(importer):
    with imported_later("rare", "pack.deep"):
        import eager
    import pack.deep
    import rare

    assert (rare.__spec__.name, pack.deep.__spec__.name) == ("rare", "pack.deep")
    assert eager.used() == ("rare", "deep")


def test_a_module_that_is_there_stays(importer):
    import rare

    with imported_later("rare"):
        import eager
    assert eager.rare is rare


def test_an_import_that_fails_leaves_nothing_behind(importer):
    with pytest.raises(ModuleNotFoundError), imported_later("rare", "pack.deep"):
        import nowhere  # noqa: F401
    assert not _loaded()
    import pack.deep

    assert pack.deep.WHO == "deep"


def test_what_is_not_in_such_a_module_is_an_attribute_error(importer):
    with imported_later("rare"):
        import rare as later
    with pytest.raises(AttributeError, match="WHERE"):
        _ = later.WHERE


@pytest.mark.parametrize("module", ["rare", "pack.deep"])
def test_what_is_used_at_once_after_all_is_imported_at_once(importer, module):
    with imported_later("rare", "pack.deep"):
        later = __import__(module, fromlist=["WHO"])
        assert later.WHO in module
    assert _loaded() == {module}
    assert sys.modules[module].WHO == later.WHO
