"""Folders: nothing outside the root, nothing half-written, every error with a name."""

import errno
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.errors import (
    DeniedError,
    DiskFullError,
    ExistsError,
    NotFoundError,
    StorageError,
    UnsafePathError,
    UsageError,
)
from pipeline.storage.local import LocalStorage

MEDIA = {"sha256": "", "content_type": "video/mp4"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.fixture
def storage(root: Path) -> LocalStorage:
    return LocalStorage(root)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.mp4"
    path.write_bytes(b"new")
    return path


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """What no link may lead to."""
    path = tmp_path / "outside" / "secret.ts"
    path.parent.mkdir()
    path.write_bytes(b"secret")
    return path


def write(path: Path, content: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def keys(storage: LocalStorage, prefix: str = "") -> list[str]:
    return [stored.key for stored in storage.list(prefix)]


def everything(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


# Links


@pytest.mark.parametrize(
    ("link", "target", "key"),
    [
        pytest.param("a.ts", "../outside/secret.ts", "a.ts", id="a file, relative"),
        pytest.param("a.ts", "{outside}/secret.ts", "a.ts", id="a file, absolute"),
        pytest.param("a", "../outside", "a/secret.ts", id="a folder"),
        pytest.param("a.ts", "../outside/not-yet.ts", "a.ts", id="to nothing yet"),
        pytest.param("a", "b/../../outside", "a/secret.ts", id="a folder, with detours"),
        pytest.param("a", "../root-two", "a/x.ts", id="a folder with the root's name in its own"),
        pytest.param("a", "/proc/self/root", "a/etc/passwd", id="through proc"),
    ],
)
def test_no_link_leads_out(storage, root, source, outside, link, target, key):
    (root / link).symlink_to(target.format(outside=outside.parent))
    write(root.parent / "root-two" / "x.ts")
    before = everything(outside.parent)
    for ask in (
        storage.head,
        storage.path,
        storage.delete,
        storage.temporary,
        lambda key: list(storage.open(key)),
        lambda key: storage.put(source, key, **MEDIA),
    ):
        with pytest.raises(UnsafePathError, match=re.escape(storage.url(key))):
            ask(key)
    assert keys(storage) == []
    assert everything(outside.parent) == before
    assert outside.read_bytes() == b"secret"


def test_a_chain_of_links_leads_out(storage, root, outside):
    (root / "a").symlink_to("b")
    (root / "b").symlink_to(outside.parent)
    with pytest.raises(UnsafePathError):
        storage.head("a/secret.ts")
    with pytest.raises(UnsafePathError):
        list(storage.list("a/"))


def test_links_inside_the_root_are_followed(storage, root):
    write(root / "real" / "a.ts", b"abc")
    (root / "folder").symlink_to("real")
    (root / "file.ts").symlink_to("real/a.ts")
    assert keys(storage) == ["file.ts", "folder/a.ts", "real/a.ts"]
    assert [b"".join(storage.open(key)) for key in keys(storage)] == [b"abc"] * 3
    assert storage.path("folder/a.ts") == root / "real" / "a.ts"


def test_a_root_that_is_a_link_is_a_root(tmp_path, root):
    write(root / "a.ts")
    (tmp_path / "link").symlink_to(root)
    storage = LocalStorage(tmp_path / "link")
    assert keys(storage) == ["a.ts"]
    assert storage.path("a.ts") == root / "a.ts"


@pytest.mark.parametrize(
    ("link", "target"),
    [
        pytest.param("self", "self", id="to itself"),
        pytest.param("up", ".", id="to its folder"),
        pytest.param("d/up", "..", id="to the folder above"),
        pytest.param("nothing", "gone", id="to nothing"),
    ],
)
def test_list_ends_with_links_that_do_not(storage, root, link, target):
    write(root / "d" / "a.ts")
    (root / link).symlink_to(target)
    assert keys(storage) == ["d/a.ts"]


def test_links_in_a_circle_are_named(storage, root):
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    with pytest.raises(NotFoundError, match=f"{root}/a: "):
        storage.head("a")


def test_delete_takes_the_link_not_the_target(storage, root):
    write(root / "real.ts")
    (root / "link.ts").symlink_to("real.ts")
    storage.delete("link.ts")
    assert everything(root) == ["real.ts"]


# Listing


def test_list_leaves_out_our_temporary_files_and_no_others(storage, root):
    write(storage.temporary("a.mp4"))
    write(root / ".hidden.ts")
    write(root / "b.part")
    assert keys(storage) == [".hidden.ts", "b.part"]


def test_list_leaves_out_pipes_and_empty_folders(storage, root):
    os.mkfifo(root / "pipe.ts")
    (root / "empty").mkdir()
    assert keys(storage) == []


def test_list_goes_on_when_files_vanish_meanwhile(storage, root):
    for name in ("a/1.ts", "b/2.ts", "c/3.ts"):
        write(root / name)
    found = storage.list()
    assert next(found).key == "a/1.ts"
    shutil.rmtree(root / "b")
    assert [stored.key for stored in found] == ["c/3.ts"]


def test_list_of_no_folder_at_all_is_an_error(tmp_path):
    # nothing found because a disk is not mounted must not look like nothing to do
    with pytest.raises(NotFoundError, match="no such folder"):
        keys(LocalStorage(tmp_path / "typo"))


def test_names_that_are_not_utf8_are_listed_and_read(storage, root):
    Path(os.fsdecode(os.fsencode(root) + b"/\xff\n.ts")).write_bytes(b"x")
    (key,) = keys(storage)
    assert b"".join(storage.open(key)) == b"x"
    assert storage.url(key) == f"{root}/\\udcff\\n.ts"


# Reading


@pytest.mark.parametrize(
    "size",
    [
        pytest.param(1 << 20, id="shorter"),
        pytest.param(4 << 20, id="longer"),
        pytest.param(3 << 20, id="of the same size"),
    ],
)
def test_a_file_that_changes_while_read_is_an_error(storage, root, size):
    path = write(root / "a.ts", bytes(3 << 20))
    chunks = storage.open("a.ts")
    next(chunks)
    path.write_bytes(bytes(size))
    os.utime(path, (1, 1))
    with pytest.raises(StorageError, match="changed while being read"):
        list(chunks)


def test_a_pipe_is_not_waited_for(storage, root):
    os.mkfifo(root / "a.ts")
    for etag in (None, "0-0"):
        with pytest.raises(NotFoundError, match="not a regular file"):
            list(storage.open("a.ts", etag=etag))


def test_a_folder_is_no_object(storage, root):
    (root / "a").mkdir()
    for key in ("a", "a/", ""):
        with pytest.raises(NotFoundError, match="not a regular file"):
            storage.head(key)


def test_folders_have_a_path_too(storage, root):
    assert storage.path("") == root
    assert storage.path("a/") == root / "a"


# Writing


def test_put_follows_the_umask(storage, root, source):
    before = os.umask(0o027)
    try:
        storage.put(source, "new/a.mp4", **MEDIA)
    finally:
        os.umask(before)
    assert (root / "new/a.mp4").stat().st_mode & 0o777 == 0o640
    assert (root / "new").stat().st_mode & 0o777 == 0o750


def test_put_makes_the_root_too(tmp_path, source):
    LocalStorage(tmp_path / "x" / "y").put(source, "z/a.mp4", **MEDIA)
    assert (tmp_path / "x/y/z/a.mp4").read_bytes() == b"new"


def test_put_on_a_full_disk_leaves_what_was_there(storage, root, source):
    write(root / "a.mp4", b"before")
    source.write_bytes(bytes(3 << 20))
    with at_most(1 << 20), pytest.raises(DiskFullError, match=f"write {root}/a.mp4: .*make room"):
        storage.put(source, "a.mp4", **MEDIA)
    assert everything(root) == ["a.mp4"]
    assert (root / "a.mp4").read_bytes() == b"before"


def test_put_killed_half_way_shows_nothing(storage, root, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    script = (
        "import sys; from pathlib import Path; from pipeline.storage.local import LocalStorage;"
        "storage = LocalStorage(Path(sys.argv[1]));"
        "storage.put(Path(sys.argv[2]), 'a.mp4', sha256='', content_type='')"
    )
    child = subprocess.Popen([sys.executable, "-c", script, root, pipe])
    with child, pipe.open("wb") as feed:
        feed.write(bytes(2 << 20))
        feed.flush()
        until(lambda: any(path.stat().st_size for path in root.iterdir()))
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert keys(storage) == []
    (left,) = everything(root)
    assert re.fullmatch(rf"\.recpipe-{child.pid}-[0-9a-f]+\.part", left)


def test_put_is_on_the_disk_when_it_returns(storage, root, source, monkeypatch):
    synced = []
    fsync = os.fsync

    def record(handle: int) -> None:
        fsync(handle)
        path = Path(f"/proc/self/fd/{handle}").readlink()
        synced.append((path, path.is_dir() and sorted(each.name for each in path.iterdir())))

    monkeypatch.setattr(os, "fsync", record)
    storage.put(source, "new/a.mp4", **MEDIA)
    (made, content, name) = synced
    assert made == (root, ["new"])
    assert content[0].name.startswith(".recpipe-")
    assert name == (root / "new", ["a.mp4"])


@pytest.mark.parametrize("key", ["", "a/", "taken/", "."])
def test_put_wants_a_file_name(storage, source, key):
    with pytest.raises(UnsafePathError):
        storage.put(source, key, **MEDIA)


def test_put_does_not_replace_a_folder(storage, root, source):
    write(root / "taken" / "b.ts")
    with pytest.raises(ExistsError, match="taken"):
        storage.put(source, "taken", **MEDIA)
    assert everything(root) == ["taken", "taken/b.ts"]


def test_a_name_too_long_is_a_usage_error(storage, source):
    with pytest.raises(UsageError, match="shorter name"):
        storage.put(source, "n" * 256, **MEDIA)


def test_the_longest_name_can_be_put(storage, source):
    assert storage.put(source, "n" * 255, **MEDIA).size == 3


def test_adopt_moves_without_copying(storage, root):
    temporary = write(storage.temporary("b/a.mp4"), b"12345")
    inode = temporary.stat().st_ino
    stored = storage.adopt(temporary, "b/a.mp4")
    assert stored == storage.head("b/a.mp4")
    assert stored.size == 5
    assert (root / "b/a.mp4").stat().st_ino == inode
    assert everything(root) == ["b", "b/a.mp4"]


def test_adopt_replaces(storage, root):
    write(root / "a.mp4", b"before")
    storage.adopt(write(storage.temporary("a.mp4"), b"after"), "a.mp4")
    assert (root / "a.mp4").read_bytes() == b"after"


@pytest.mark.parametrize("where", ["outside.part", "root/elsewhere/a.part"])
def test_adopt_takes_only_from_the_same_folder(storage, tmp_path, where):
    stranger = write(tmp_path / where)
    with pytest.raises(UnsafePathError, match="not in the folder"):
        storage.adopt(stranger, "a.mp4")
    assert stranger.exists()


def test_adopt_of_nothing_is_an_error(storage):
    with pytest.raises(NotFoundError, match=r"a\.mp4"):
        storage.adopt(storage.temporary("a.mp4"), "a.mp4")


def test_two_temporary_names_differ(storage):
    assert storage.temporary("a.mp4") != storage.temporary("a.mp4")


# Permissions


def test_what_is_denied_is_named(storage_of_an_ordinary_user):
    storage = storage_of_an_ordinary_user
    source = write(storage.root / "source.mp4")
    path = write(storage.root / "locked" / "a.ts")
    path.chmod(0)
    with pytest.raises(DeniedError, match=f"read {path}: permission denied; check its owner"):
        list(storage.open("locked/a.ts"))
    path.parent.chmod(0)
    with pytest.raises(DeniedError, match=f"list {path.parent}: permission denied"):
        keys(storage)
    with pytest.raises(DeniedError, match=f"list {path.parent}/root: permission denied"):
        keys(LocalStorage(path.parent / "root"))
    path.parent.chmod(0o500)
    with pytest.raises(DeniedError, match=f"delete {path}: permission denied"):
        storage.delete("locked/a.ts")
    with pytest.raises(DeniedError, match=f"write {path.parent}/b.ts: permission denied"):
        storage.put(source, "locked/b.ts", **MEDIA)
    with pytest.raises(DeniedError, match=f"make {path.parent}/new: permission denied"):
        storage.put(source, "locked/new/b.ts", **MEDIA)


@pytest.fixture
def storage_of_an_ordinary_user() -> Iterator[LocalStorage]:
    """The superuser may do everything, so be nobody for a while."""
    root = Path(tempfile.mkdtemp())  # tmp_path lies in folders that nobody may enter
    was_root = os.geteuid() == 0
    if was_root:
        os.chown(root, 65534, 65534)
        os.seteuid(65534)
    try:
        yield LocalStorage(root)
    finally:
        if was_root:
            os.seteuid(0)
        for folder in root.iterdir():
            folder.chmod(0o700)
        shutil.rmtree(root)


@contextmanager
def at_most(size: int) -> Iterator[None]:
    """No file grows beyond this: the nearest thing to a full disk without mounting one."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def until(holds, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def test_without_links_a_copy_keeps_the_etag(tmp_path, monkeypatch):
    """Some file systems know no hard links."""

    def link(*args, **kept):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    (tmp_path / "a.ts").write_bytes(b"bytes")
    storage = LocalStorage(tmp_path)
    before = storage.head("a.ts")
    copied = storage.copy("a.ts", ".trash/a.ts", etag=before.etag)
    assert copied.etag == before.etag
    assert (tmp_path / ".trash" / "a.ts").stat().st_ino != (tmp_path / "a.ts").stat().st_ino


def test_a_copy_replaces_nothing(tmp_path):
    (tmp_path / "a.ts").write_bytes(b"bytes")
    (tmp_path / "b.ts").write_bytes(b"other")
    with pytest.raises(ExistsError):
        LocalStorage(tmp_path).copy("a.ts", "b.ts")
    assert (tmp_path / "b.ts").read_bytes() == b"other"


def test_a_folder_goes_with_the_empty_ones_below_it(storage, root):
    (root / "a" / "b" / "c").mkdir(parents=True)
    (root / "a" / "d").mkdir()
    assert storage.prune("a")
    assert everything(root) == []


def test_where_something_is_left_its_folder_stays(storage, root):
    (root / "a" / "b").mkdir(parents=True)
    write(root / "a" / ".recpipe-1-ff.part")
    assert not storage.prune("a")
    assert everything(root) == ["a", "a/.recpipe-1-ff.part"]


def test_neither_the_root_nor_a_file_is_a_folder_to_prune(storage, root):
    write(root / "a.ts")
    assert not storage.prune("a.ts")
    storage.delete("a.ts")
    assert not storage.prune("")
    assert root.is_dir()


def test_a_folder_that_is_a_link_out_of_the_root_is_not_pruned(storage, root, tmp_path):
    (tmp_path / "outside").mkdir()
    (root / "a").symlink_to(tmp_path / "outside")
    with pytest.raises(UnsafePathError):
        storage.prune("a")
    (root / "b" / "c").mkdir(parents=True)
    (root / "b" / "c" / "d").symlink_to(tmp_path / "outside")
    assert not storage.prune("b")
    assert (tmp_path / "outside").is_dir()


def test_a_link_has_the_address_of_what_it_leads_to(storage, root):
    write(root / "a.ts")
    (root / "b.ts").symlink_to("a.ts")
    assert storage.uri("b.ts") == storage.uri("a.ts") == (root / "a.ts").as_uri()
