"""Network file systems are told from disks."""

from pathlib import Path

import pytest

from pipeline.ledger.database import filesystems
from pipeline.ledger.database.filesystems import existing, kind_of, network_kind

MOUNTS = """\
21 1 254:0 / / rw,relatime - ext4 /dev/vda rw
40 21 0:35 / /mnt/share rw,relatime shared:5 - nfs4 server:/export rw,vers=4.2
41 21 0:36 / /mnt/s3 rw - fuse.rclone remote: rw
42 21 0:37 /sub /mnt/with\\040space rw master:1 - cifs //server/share rw
a line that is none
"""


@pytest.mark.parametrize(
    ("device", "kind"),
    [("254:0", "ext4"), ("0:35", "nfs4"), ("0:36", "fuse.rclone"), ("0:37", "cifs"), ("9:9", None)],
)
def test_the_kind_of_a_file_system(device, kind):
    assert kind_of(MOUNTS, device) == kind


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "fuse.s3fs"])
def test_where_locks_are_not_safe(tmp_path, monkeypatch, kind):
    device = tmp_path.stat().st_dev
    mounts = tmp_path / "mounts"
    mounts.write_text(f"1 0 {device >> 8 & 0xFFF}:{device & 0xFF} / / rw - {kind} x rw\n")
    monkeypatch.setattr(filesystems, "MOUNTS", mounts)
    assert network_kind(tmp_path / "not" / "there" / "yet") == kind


def test_this_disk_will_do(tmp_path):
    assert network_kind(tmp_path / "ledger.db") is None


def test_where_nothing_is_known_nothing_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(filesystems, "MOUNTS", tmp_path / "none")
    assert network_kind(tmp_path) is None


def test_the_nearest_folder_that_is_there(tmp_path):
    assert existing(tmp_path / "a" / "b") == tmp_path
    assert existing(Path("/nothing/here")) == Path("/")
