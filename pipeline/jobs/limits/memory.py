"""Memory that is left on this machine, or for the container this process is in (Linux)."""

from contextlib import suppress
from pathlib import Path

EACH = 160 << 20  # bytes of one recording that is worked on, up to 24 h long (docs/performance.md)
_MACHINE = Path("/proc/meminfo")  # proc(5)
_GROUP = Path("/sys/fs/cgroup")  # of control groups, version 2


def free_bytes(machine: Path = _MACHINE, group: Path = _GROUP) -> float:
    """What may still be used without swapping; without end where nobody says."""
    return min(_of_machine(machine), _of_group(group))


def _of_machine(file: Path) -> float:
    with suppress(OSError, ValueError, IndexError):
        for line in file.read_text("ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return float("inf")


def _of_group(folder: Path) -> float:
    with suppress(OSError, ValueError):  # ValueError: "max", no limit
        most = int((folder / "memory.max").read_text("ascii"))
        return most - int((folder / "memory.current").read_text("ascii"))
    return float("inf")
