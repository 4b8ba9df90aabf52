"""What real stores can do, found out by trying; nothing of it stays."""

import os
import secrets
import subprocess
from dataclasses import dataclass, field

import pytest
from msgspec.structs import replace

from pipeline.errors import DeniedError, RecpipeError, StorageError
from pipeline.storage.local import LocalStorage
from pipeline.storage.probe import NAME, Capabilities, _machine, creates_once, probe, tidy
from pipeline.storage.s3.store import S3Storage
from tests.servers import S3Server

CAPABLE = Capabilities(
    conditional_put=True,
    conditional_large=True,
    copy=True,
    checksum=True,
    range=True,
    batch_delete=True,
    flat_keys=True,
    creates_buckets=False,
)


@pytest.mark.parametrize(
    ("store", "expected"),
    [
        ("weed", replace(CAPABLE, creates_buckets=True)),
        ("moto", replace(CAPABLE, checksum=False)),
        (
            "rclone",
            replace(
                CAPABLE,
                conditional_put=False,
                conditional_large=False,
                range=False,
                flat_keys=False,
            ),
        ),
        ("azurite", replace(CAPABLE, checksum=None, creates_buckets=None)),
        ("gcs", replace(CAPABLE, conditional_large=False, checksum=None, creates_buckets=None)),
    ],
)
def test_what_stores_can_do(request, store, expected):
    server = request.getfixturevalue(store)
    prefix = secrets.token_hex(6)
    if isinstance(server, S3Server):
        storage = S3Storage(server.bucket, prefix, server.client)
        before = {bucket["Name"] for bucket in server.client.list_buckets()["Buckets"]}
    else:
        storage = server.storage(prefix)
    assert probe(storage) == expected
    once = expected.conditional_put and expected.conditional_large is not False
    assert creates_once(storage) is once
    assert list(storage.list()) == []
    if isinstance(server, S3Server):
        after = {bucket["Name"] for bucket in server.client.list_buckets()["Buckets"]}
        assert after == before


def test_a_folder_needs_no_trials(tmp_path):
    (tmp_path / "mine").touch()
    found = probe(LocalStorage(tmp_path))
    assert found.conditional_put
    assert found.creates_buckets is None
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@dataclass
class Odd:
    """A folder that answers to conditions as some stores do."""

    inner: LocalStorage
    refuses: type[RecpipeError] | None = None
    breaks_what_stands: bool = False
    down: bool = False
    creates_once: bool | None = None
    deleted: list[str] = field(default_factory=list)

    def create(self, source, key, **more):
        if self.breaks_what_stands and self.inner.path(key).exists():
            self.inner.path(key).write_bytes(b"later")
        if self.refuses:
            raise self.refuses("no")
        return self.inner.create(source, key, **more)

    def put(self, source, key, **more):
        if self.down:
            raise StorageError("down")
        return self.inner.put(source, key, **more)

    def delete(self, key):
        self.deleted.append(key)
        self.inner.delete(key)

    def __getattr__(self, name):
        return getattr(self.inner, name)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        pytest.param({}, True, id="as promised"),
        pytest.param({"refuses": StorageError}, False, id="knows no conditions"),
        pytest.param({"breaks_what_stands": True}, False, id="refuses, and writes all the same"),
    ],
)
def test_what_publishing_relies_on_is_tried_once(tmp_path, how, expected):
    odd = Odd(LocalStorage(tmp_path), **how)
    assert creates_once(odd) is expected
    assert list(tmp_path.iterdir()) == []
    tried = len(odd.deleted)
    assert creates_once(odd) is expected
    assert len(odd.deleted) == tried > 0


@pytest.mark.parametrize(
    "how",
    [
        pytest.param({"refuses": StorageError, "down": True}, id="a store that is down"),
        pytest.param({"refuses": DeniedError}, id="no permission"),
    ],
)
def test_what_cannot_be_tried_is_an_error_and_not_an_answer(tmp_path, how):
    odd = Odd(LocalStorage(tmp_path), **how)
    with pytest.raises(how["refuses"]):
        creates_once(odd)
    assert odd.creates_once is None
    assert list(tmp_path.iterdir()) == []


def test_what_killed_probes_left_is_removed_and_what_others_write_is_not(tmp_path):
    storage = LocalStorage(tmp_path)
    dead = subprocess.Popen(["true"])
    dead.wait()
    here, there = _machine(), "0" * 8
    gone = [f"{here}-{dead.pid}-{0:08x}", f"{there}-1-{0:08x}", f"{0:016x}"]
    stays = [f"{here}-{os.getpid()}-{0:08x}", f"{there}-{dead.pid}-{1:08x}", f"{1:016x}"]
    for name in (*gone, *stays):
        (tmp_path / f"{NAME}{name}").touch()
    (tmp_path / "mine.mp4").touch()
    for name in gone[1:]:
        os.utime(tmp_path / f"{NAME}{name}", (1, 1))
    tidy(storage)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {*(f"{NAME}{name}" for name in stays), "mine.mp4"}
