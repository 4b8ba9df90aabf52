"""Small files on their way to a store."""

import hashlib

import pytest

from pipeline.errors import DeniedError
from pipeline.storage.local import LocalStorage
from pipeline.storage.s3.store import S3Storage
from pipeline.storage.spool import put_bytes
from tests.servers import S3Server

TEXT = b'{"a": 1}\n'


def test_bytes_arrive_whole_and_the_spool_is_left_empty(moto: S3Server, tmp_path):
    storage = S3Storage(moto.new_bucket(), "home/", moto.client)
    spool = tmp_path / "not" / "yet"
    for data in (b"older", TEXT):
        stored = put_bytes(storage, "a.json", data, spool, content_type="application/json")
        assert stored == storage.head("a.json")
        assert stored.size == len(data)
    assert b"".join(storage.open("a.json")) == TEXT
    found = moto.client.head_object(Bucket=storage.bucket, Key="home/a.json")
    assert found["ContentType"] == "application/json"
    assert found["Metadata"] == {"sha256": hashlib.sha256(TEXT).hexdigest()}
    assert list(spool.iterdir()) == []


def test_what_does_not_arrive_leaves_nothing(tmp_path):
    class Closed(LocalStorage):
        def put(self, *_, **__):
            raise DeniedError("closed")

    with pytest.raises(DeniedError, match="closed"):
        put_bytes(Closed(tmp_path), "a.json", TEXT, tmp_path / "spool", content_type="text/plain")
    assert [path.name for path in tmp_path.rglob("*")] == ["spool"]
