"""What Azure and Google alone have: accounts, containers, and what their errors mean."""

import base64
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import DeniedError, NotFoundError, StorageError, UnsafePathError, UsageError
from pipeline.storage.object_store.connect import connect_azure
from pipeline.storage.object_store.store import PART
from tests.servers import free_ports

ROOT = Path(__file__).parents[3]
MP4 = {"sha256": "ab" * 32, "content_type": "video/mp4"}
WRONG = base64.b64encode(b"mistyped but still secret").decode()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"12345")
    return path


def asks(storage, source):
    return (
        lambda: list(storage.list()),
        lambda: list(storage.open("a.ts")),
        lambda: storage.head("a.ts"),
        lambda: storage.delete("a.ts"),
        lambda: storage.put(source, "a.ts", **MP4),
        lambda: storage.create(source, "a.ts", **MP4),
    )


def test_a_wrong_key_is_denied(azurite, source):
    for ask in asks(azurite.storage(account_key=WRONG), source):
        with pytest.raises(DeniedError, match=r"access denied \(.*\); check the cred") as caught:
            ask()
        assert WRONG not in str(caught.value)
        assert str(caught.value).isprintable()


def test_no_such_container(azurite):
    storage = azurite.storage(bucket="nobodys-container")
    for ask in (lambda: list(storage.list()), lambda: list(storage.open("a"))):
        with pytest.raises(NotFoundError, match=r"://nobodys-container/.*: no such"):
            ask()


def test_nobody_there_is_a_storage_error(azurite, source):
    nowhere = f"http://127.0.0.1:{free_ports(1)[0]}/testaccount"
    for ask in asks(azurite.storage(endpoint=nowhere), source):
        with pytest.raises(StorageError, match="no whole answer"):
            ask()


@pytest.mark.parametrize("key", ["a//b.ts", "a/", "a\nb.ts", "\udcff.ts"])
def test_keys_that_obstore_would_write_otherwise_are_refused(azurite, source, key):
    storage = azurite.storage("odd")
    with pytest.raises(UnsafePathError):
        storage.put(source, key, **MP4)
    assert list(storage.list()) == []


@pytest.mark.parametrize("server", ["azurite", "gcs"])
@pytest.mark.parametrize("etag", ["a\nb", "\0", "é"])
def test_an_etag_that_none_can_be_is_an_error(request, server, source, etag):
    storage = request.getfixturevalue(server).storage("etags")
    storage.put(source, "a.ts", **MP4)
    with pytest.raises(StorageError, match=r"read .*a\.ts: its ETag holds characters") as caught:
        list(storage.open("a.ts", etag=etag))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("size", [5, PART + 1], ids=["one request", "several parts"])
def test_put_keeps_digest_and_content_type(azurite, source, size):
    with source.open("r+b") as file:
        file.truncate(size)
    storage = azurite.storage("digest")
    for how in (storage.put, storage.create):
        storage.delete("a.mp4")
        how(source, "a.mp4", **MP4)
        kept = storage.store.get("digest/a.mp4").attributes
        assert (kept["sha256"], kept["Content-Type"]) == (MP4["sha256"], "video/mp4")


@pytest.mark.parametrize("prefix", ["a", "a/"])
def test_a_root_does_not_see_its_namesakes(azurite, source, prefix):
    above = azurite.storage("names")
    for key in ("ab/x.ts", "a.ts", "a/x.ts"):
        above.put(source, key, **MP4)
    below = azurite.storage(f"names/{prefix}")
    assert [stored.key for stored in below.list()] == ["x.ts"]
    assert below.url("x.ts") == "az://shared/names/a/x.ts"


def test_an_account_that_is_not_named(monkeypatch):
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(UsageError, match="set AZURE_STORAGE_ACCOUNT_NAME and AZURE_"):
        connect_azure("container")


def test_a_key_that_is_none_is_not_repeated(monkeypatch):
    with pytest.raises(UsageError, match="no usable account") as caught:
        connect_azure("container", account="a", key="not base64!")
    assert "base64" not in str(caught.value)


def test_without_obstore_it_says_what_to_install(tmp_path):
    (tmp_path / "obstore.py").write_text("raise ImportError('no')")
    script = "from pipeline.storage.locations import open_storage; open_storage('az://b/')"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    ended = subprocess.run(
        [sys.executable, "-c", script], env=env, capture_output=True, text=True, check=False
    )
    assert re.search(r"UsageError: .*pip install 'recpipe\[azure\]'", ended.stderr)


@pytest.mark.usefixtures("ffmpeg")
@pytest.mark.parametrize("server", ["azurite", "gcs"])
def test_a_recording_goes_there_and_back(request, server, tmp_path):
    store = request.getfixturevalue(server)
    storage = store.storage("in")
    sample = ROOT / "sample_media" / "composite"
    for path in sample.iterdir():
        storage.put(path, path.name, **MP4)
    env = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "RECPIPE_"))}
    env |= {**store.environment, "RECPIPE_SPOOL": str(tmp_path), "PYTHONPATH": str(ROOT)}
    here = f"{store.scheme}://shared"
    command = [sys.executable, "-m", "pipeline", "convert", f"{here}/in/", "-o", f"{here}/out/"]
    command += ["--endpoint-url", store.endpoint_url, "--json", "--debug"]
    for _ in range(2):
        ended = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        assert '"verdict": "ok"' in ended.stdout
        assert len(list(store.storage("out").list())) == 2
        for secret in store.environment.values():
            assert secret in store.endpoint_url or secret not in ended.stdout + ended.stderr
