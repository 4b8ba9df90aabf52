"""What real stores can do, found out by trying; nothing of it stays."""

import secrets
from dataclasses import replace

import pytest

from pipeline.storage.local import LocalStorage
from pipeline.storage.probe import Capabilities, creates_once, probe
from pipeline.storage.s3 import S3Storage
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
