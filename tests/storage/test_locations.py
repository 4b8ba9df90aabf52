"""What people write, and the storage and key it means."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import UsageError
from pipeline.storage.locations import absolute, folder, is_local, of_uri, open_storage
from tests.servers import NO_AWS


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, value in NO_AWS.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "folder.with.dots").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "link.m3u8").symlink_to("folder.with.dots/a.m3u8")
    (tmp_path / "folder.with.dots" / "a.m3u8").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("location", "root", "key"),
    [
        pytest.param(".", ".", "", id="this folder"),
        pytest.param("folder.with.dots", "folder.with.dots", "", id="a folder"),
        pytest.param("folder.with.dots/", "folder.with.dots", "", id="a folder with its slash"),
        pytest.param("folder.with.dots/..", ".", "", id="the folder above"),
        pytest.param("file", ".", "file", id="a file"),
        pytest.param("folder.with.dots/a.m3u8", "folder.with.dots", "a.m3u8", id="one deeper"),
        pytest.param("link.m3u8", "folder.with.dots", "a.m3u8", id="a link: beside its target"),
        pytest.param("new", "new", "", id="a folder to be made"),
        pytest.param("new/a.mp4", "new", "a.mp4", id="a file to be made"),
        pytest.param("a.mp4", ".", "a.mp4", id="a file to be made here"),
        pytest.param("new.d/", "new.d", "", id="a folder to be made, with its slash"),
    ],
)
def test_local_paths(here, location, root, key):
    for written in (location, Path(location)) if not location.endswith("d/") else (location,):
        storage, found = open_storage(written)
        assert (storage.path(""), found) == ((here / root).resolve(), key)


@pytest.mark.parametrize(
    ("location", "root", "key"),
    [
        ("s3://bucket", "s3://bucket/", ""),
        ("s3://bucket/", "s3://bucket/", ""),
        ("S3://bucket/a", "s3://bucket/a/", ""),
        ("s3://bucket/a/b/", "s3://bucket/a/b/", ""),
        ("s3://bucket/a.m3u8", "s3://bucket/", "a.m3u8"),
        ("s3://bucket/a/b.m3u8", "s3://bucket/a/", "b.m3u8"),
        ("s3://bucket/2026.11/", "s3://bucket/2026.11/", ""),
        ("s3://bucket/a%20b+c?d#e&f.ts", "s3://bucket/", "a%20b+c?d#e&f.ts"),
    ],
)
def test_s3_urls(here, location, root, key):
    storage, found = open_storage(location, region="eu-west-1")
    assert (storage.url(), found) == (root, key)


@pytest.mark.parametrize(
    ("location", "why"),
    [
        pytest.param("", "an empty path", id="nothing"),
        pytest.param("a\0b", "not a path", id="nul"),
        pytest.param("s3://", "no valid bucket", id="no bucket"),
        pytest.param("s3:///a", "no valid bucket", id="an empty bucket"),
        pytest.param("s3://key:secret@bucket/a", "no valid bucket", id="credentials in it"),
        pytest.param("https://bucket.example.com/a", "https://: not supported", id="https"),
        pytest.param("ftp://bucket/a", "ftp://: not supported", id="another scheme"),
        pytest.param("az://key:secret@x/a", "az:// URL names no valid", id="azure with a secret"),
        pytest.param("n" * 300, "shorter name", id="a name too long"),
    ],
)
def test_what_is_no_location(here, location, why):
    with pytest.raises(UsageError, match=why) as excinfo:
        open_storage(location)
    assert "secret" not in str(excinfo.value)


@pytest.mark.parametrize(
    ("location", "root", "key"),
    [
        ("az://container", "az://container/", ""),
        ("az://container/a/b.m3u8", "az://container/a/", "b.m3u8"),
        ("GS://bucket/a", "gs://bucket/a/", ""),
        ("gs://bucket/a.m3u8", "gs://bucket/", "a.m3u8"),
    ],
)
def test_object_store_urls(here, monkeypatch, location, root, key):
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "c2VjcmV0")
    storage, found = open_storage(location)
    assert (storage.url(), found) == (root, key)


def test_an_azure_account_has_to_be_named(here, monkeypatch):
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(UsageError, match="set AZURE_STORAGE_ACCOUNT_NAME and"):
        open_storage("az://container/a")


@pytest.mark.parametrize("scheme", ["az", "gs"])
@pytest.mark.parametrize(
    "endpoint", ["user:secret@host", "http://secret:99999", "http://[secret", "http://secret é"]
)
def test_an_endpoint_that_is_no_url_is_not_repeated(here, scheme, endpoint, monkeypatch):
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    with pytest.raises(UsageError, match="write https://host") as excinfo:
        open_storage(f"{scheme}://bucket/a", endpoint_url=endpoint)
    assert "secret" not in str(excinfo.value)


def test_endpoint_and_connections_reach_the_client(here):
    storage, _ = open_storage("s3://b/", endpoint_url="http://127.0.0.1:1", connections=3)
    client = storage._client
    assert client.meta.endpoint_url == "http://127.0.0.1:1"
    assert client.meta.config.max_pool_connections == 3


def test_boto3_is_not_imported_for_local_paths():
    script = (
        "import sys; from pipeline.storage.locations import open_storage; open_storage('.');"
        "sys.exit('boto3' in sys.modules or 'botocore' in sys.modules)"
    )
    here = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(here)}
    assert subprocess.run([sys.executable, "-c", script], env=environment).returncode == 0


@pytest.mark.parametrize(
    ("location", "local"),
    [
        ("a", True),
        ("/a/b", True),
        ("a/s3://b", True),
        ("s3://bucket/a", False),
        ("GS://bucket", False),
        ("@name/a", False),
    ],
)
def test_a_path_of_this_machine_is_told_from_a_store(here, location, local):
    assert is_local(location) is local
    assert absolute(location) == (str(here / location) if local else location)


def test_a_folder_need_not_exist(here):
    (here / "link").symlink_to("file.d")
    assert folder(here / "link").root == (here / "file.d").resolve()


@pytest.mark.parametrize(
    ("uri", "location"),
    [
        ("file:///a%20b/%C3%A9.ts", "/a b/é.ts"),
        ("file:///a/%FF.ts", "/a/\udcff.ts"),
        ("s3://bucket/a%2Bb%25.ts", "s3://bucket/a+b%.ts"),
    ],
)
def test_a_uri_leads_to_its_location(uri, location):
    assert of_uri(uri) == location
