"""Which file systems a SQLite ledger must not lie on: their locks cannot be trusted."""

import os
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
NETWORK = frozenset(
    {
        *("9p", "afs", "ceph", "cifs", "coda", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs"),
        *("nfs", "nfs4", "ocfs2", "orangefs", "pvfs2", "smb2", "smb3", "smbfs", "virtiofs"),
    }
)


def network_kind(path: Path) -> str | None:
    """The type of a network or user-space file system; None for a disk of this machine, and where
    it cannot be told.
    """
    try:
        mounts = MOUNTS.read_text(encoding="utf-8", errors="replace")
        device = existing(path).stat().st_dev
    except OSError:  # no /proc: not Linux
        return None
    kind = kind_of(mounts, f"{os.major(device)}:{os.minor(device)}")
    network = kind in NETWORK or (kind or "").startswith("fuse.")
    return kind if network else None


def existing(path: Path) -> Path:
    """The path itself, or the nearest folder above it that exists."""
    return next((p for p in (path, *path.parents) if p.exists()), Path("/"))


def kind_of(mounts: str, device: str) -> str | None:
    """Type of the file system on a device (``major:minor``), from proc(5) mountinfo."""
    for line in mounts.splitlines():
        before, separator, behind = line.partition(" - ")
        if separator and before.split()[2:3] == [device]:
            return behind.split()[0]
    return None
