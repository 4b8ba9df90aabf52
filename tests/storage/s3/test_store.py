"""What only S3 has: credentials, regions, multipart uploads, and servers that misbehave."""

import io
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from urllib3.exceptions import SSLError

from pipeline.errors import (
    ChangedError,
    DeniedError,
    DiskFullError,
    NotFoundError,
    RecpipeError,
    StorageError,
    UnsafePathError,
    UsageError,
)
from pipeline.storage.s3.store import PART, S3Storage, connect
from tests.servers import NO_AWS, SECRET_KEY, S3Server, free_ports, impatient_client

MP4 = {"sha256": "ab" * 32, "content_type": "video/mp4"}

Answer = tuple[int, dict[str, str], bytes]


@pytest.fixture
def storage(moto: S3Server) -> S3Storage:
    return S3Storage(moto.new_bucket(), "", moto.client)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"12345")
    return path


@pytest.fixture
def no_aws(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No credentials, profiles or endpoints but those the test sets."""
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "PROFILE", "REGION"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    for name in ("AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    for name, value in NO_AWS.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def text(excinfo: pytest.ExceptionInfo[RecpipeError]) -> str:
    """The message, which is one line and holds no secret."""
    message = str(excinfo.value)
    assert message.isprintable()
    assert SECRET_KEY not in message
    assert "Signature=" not in message
    return message


# Listing


def test_list_more_than_one_page(weed):
    bucket = weed.new_bucket()
    names = [f"many/{n:04d}.ts" for n in range(1005)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: weed.client.put_object(Bucket=bucket, Key=key), names))
    assert [stored.key for stored in S3Storage(bucket, "", weed.client).list("many/")] == names


def test_stores_that_know_the_first_listing_only(moto):
    bucket = moto.new_bucket()
    names = [f"{n} é+.ts" for n in range(5)]
    for name in names:
        moto.client.put_object(Bucket=bucket, Key=name)
    asked = []

    def three_at_once(params: dict, model: object, **_: object) -> None:
        params["MaxKeys"] = 3
        asked.append(model.name)

    with impatient_client(moto.endpoint_url) as client:
        client.meta.events.register("provide-client-params.s3", three_at_once)
        storage = S3Storage(bucket, "", client, list_version=1)
        assert [stored.key for stored in storage.list()] == names
    assert asked == ["ListObjects", "ListObjects"]


def test_vendors_decide_how_a_bucket_is_listed(no_aws):
    tencent = connect("b", endpoint_url="https://cos.ap-guangzhou.myqcloud.com")
    assert (tencent._listing, connect("b")._listing) == ("list_objects", "list_objects_v2")


def test_list_leaves_out_folder_markers(moto, storage):
    for key in ("a/", "a/b/", "a/b/c.ts"):
        moto.client.put_object(Bucket=storage.bucket, Key=key)
    assert [stored.key for stored in storage.list()] == ["a/b/c.ts"]
    assert [stored.key for stored in S3Storage(storage.bucket, "a", moto.client).list()] == [
        "b/c.ts"
    ]


@pytest.mark.parametrize("prefix", ["a", "a/"])
def test_a_root_does_not_see_its_namesakes(moto, storage, source, prefix):
    for key in ("ab/x.ts", "a.ts", "a/x.ts"):
        storage.put(source, key, **MP4)
    below = S3Storage(storage.bucket, prefix, moto.client)
    assert [stored.key for stored in below.list()] == ["x.ts"]
    assert below.url("x.ts") == f"s3://{storage.bucket}/a/x.ts"
    with pytest.raises(NotFoundError):
        below.head(".ts")


def test_a_key_that_is_not_utf8_is_refused(storage, source):
    with pytest.raises(UnsafePathError, match="UTF-8"):
        storage.put(source, "\udcff.ts", **MP4)


def test_no_object_is_a_local_file(storage):
    assert storage.path("a.ts") is None


# Putting


@pytest.mark.parametrize("size", [5, PART + 1], ids=["one request", "several parts"])
def test_put_keeps_digest_and_content_type(weed, source, size):
    with source.open("r+b") as file:
        file.truncate(size)
    storage = S3Storage(weed.bucket, "digest", weed.client)
    storage.put(source, "a.mp4", **MP4)
    answer = weed.client.head_object(Bucket=weed.bucket, Key="digest/a.mp4")
    assert answer["Metadata"] == {"sha256": MP4["sha256"]}
    assert answer["ContentType"] == "video/mp4"
    assert answer["ContentLength"] == size


def test_put_that_fails_half_way_leaves_nothing(weed, source):
    with source.open("r+b") as file:
        file.truncate(12 * PART)  # more parts than are sent at once, so that some still need it
    parts = []

    def lose_the_source(**_: object) -> None:
        parts.append(1)
        source.unlink(missing_ok=True)

    bucket = weed.new_bucket()
    with impatient_client(weed.endpoint_url) as client:
        storage = S3Storage(bucket, "", client)
        client.meta.events.register("before-call.s3.UploadPart", lose_the_source)
        with pytest.raises(NotFoundError, match=r"a\.mp4"):
            storage.put(source, "a.mp4", **MP4)
        assert parts
        assert list(storage.list()) == []
        assert "Uploads" not in client.list_multipart_uploads(Bucket=bucket)


def test_create_that_fails_half_way_leaves_nothing(weed, source):
    with source.open("r+b") as file:
        file.truncate(12 * PART)  # more parts than are sent at once
    bucket = weed.new_bucket()
    with impatient_client(weed.endpoint_url) as client:
        storage = S3Storage(bucket, "", client)
        client.meta.events.register(
            "before-call.s3.UploadPart", lambda **_: source.unlink(missing_ok=True)
        )
        with pytest.raises(NotFoundError, match=r"a\.mp4"):
            storage.create(source, "a.mp4", **MP4)
        assert list(storage.list()) == []
        assert "Uploads" not in client.list_multipart_uploads(Bucket=bucket)


@pytest.mark.parametrize("size", [5, PART + 1], ids=["one request", "several parts"])
def test_create_keeps_digest_and_content_type(weed, source, size):
    with source.open("r+b") as file:
        file.truncate(size)
    storage = S3Storage(weed.new_bucket(), "", weed.client)
    storage.create(source, "a.mp4", **MP4)
    answer = weed.client.head_object(Bucket=storage.bucket, Key="a.mp4")
    assert answer["Metadata"] == {"sha256": MP4["sha256"]}
    assert (answer["ContentType"], answer["ContentLength"]) == ("video/mp4", size)


def test_put_looks_at_the_result(source):
    def loses_bytes(method: str, path: str) -> Answer:
        return (200, {"Content-Length": "3", "ETag": '"e"', **DATED}, b"")

    with misbehaving(loses_bytes) as storage, pytest.raises(StorageError) as excinfo:
        storage.put(source, "a.mp4", **MP4)
    assert text(excinfo) == f"write s3://bucket/a.mp4: 3 bytes stored, {source} had 5"


# Servers that misbehave

DATED = {"Last-Modified": "Sun, 01 Nov 2026 10:00:00 GMT"}


@contextmanager
def misbehaving(answer: Callable[[str, str], Answer]) -> Iterator[S3Storage]:
    """A storage on a server that answers every request (method, path) as it likes."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, headers, body = answer(self.command, self.path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            with impatient_client(f"http://127.0.0.1:{server.server_port}") as client:
                yield S3Storage("bucket", "", client)
        finally:
            server.shutdown()
            thread.join()


def refusal(status: int, code: str) -> Callable[[str, str], Answer]:
    body = (
        f"<Error><Code>{code}</Code><Message>two\nlines, {SECRET_KEY}, "
        f"https://b/k?X-Amz-Signature=5eed</Message></Error>"
    ).encode()
    return lambda method, path: (status, {"Content-Length": str(len(body))}, body)


@pytest.mark.parametrize(
    ("status", "code", "kind", "why"),
    [
        (404, "NoSuchKey", NotFoundError, "no such object"),
        (404, "NoSuchBucket", NotFoundError, "no such bucket"),
        (403, "AccessDenied", DeniedError, "check the credentials"),
        (403, "SignatureDoesNotMatch", DeniedError, "check the secret key"),
        (403, "InvalidAccessKeyId", DeniedError, "check the access key"),
        (403, "RequestTimeTooSkewed", DeniedError, "set the clock"),
        (403, "InvalidObjectState", DeniedError, "restore it first"),
        (400, "ExpiredToken", DeniedError, "new session token"),
        (400, "AuthorizationHeaderMalformed", UsageError, "set the region"),
        (412, "PreconditionFailed", ChangedError, "changed while reading"),
        (503, "SlowDown", StorageError, r"503 \(SlowDown\)"),
        (500, "InternalError", StorageError, "500"),
        (429, "TooManyRequests", StorageError, "429"),
        (507, "XMinioStorageFull", DiskFullError, "make room"),
        (418, "two\nlines", StorageError, "418"),
    ],
)
def test_what_the_store_refuses(status, code, kind, why):
    with (
        misbehaving(refusal(status, code)) as storage,
        pytest.raises(kind, match=f"^read s3://bucket/a b.ts: .*{why}") as excinfo,
    ):
        list(storage.open("a b.ts"))
    assert type(excinfo.value) is kind
    assert text(excinfo)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"<html>\n<h1>Bad gateway</h1>", id="an error page"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_what_a_proxy_refuses(body):
    answer = (502, {"Content-Length": str(len(body))}, body)
    with misbehaving(lambda *_: answer) as storage:
        for ask in (storage.head, storage.delete, lambda key: list(storage.open(key))):
            with pytest.raises(StorageError, match="502") as excinfo:
                ask("a.ts")
            assert text(excinfo)


@pytest.mark.parametrize("sent", [0, 10, 1 << 20], ids=["nothing", "a little", "a chunk"])
def test_a_body_cut_short_is_an_error(sent):
    headers = {"Content-Length": str(2 << 20), "ETag": '"e"', **DATED}
    with misbehaving(lambda *_: (200, headers, bytes(sent))) as storage:
        with pytest.raises(StorageError, match=r"^read s3://bucket/a\.ts: ") as excinfo:
            list(storage.open("a.ts"))
        assert text(excinfo)


class Torn(io.BytesIO):
    """A body whose encryption fails half-way."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(size) or self.fail()

    def fail(self) -> bytes:
        raise SSLError("bad\nrecord")


@pytest.mark.parametrize("body", [io.BytesIO, Torn], ids=["too short", "torn"])
def test_a_body_that_botocore_lets_pass_is_an_error(body):
    class Client:
        def get_object(self, **_: object) -> dict[str, object]:
            return {"Body": body(b"12"), "ContentLength": 3}

    with pytest.raises(StorageError, match=r"1 bytes short of 3|no whole answer") as excinfo:
        list(S3Storage("bucket", "", Client()).open("a.ts"))
    assert text(excinfo)


def test_the_store_is_asked_for_one_version(moto, storage, source):
    asked = []
    stored = storage.put(source, "a.ts", **MP4)
    with impatient_client(moto.endpoint_url) as client:
        client.meta.events.register(
            "before-call.s3.GetObject", lambda params, **_: asked.append(params["headers"])
        )
        list(S3Storage(storage.bucket, "", client).open("a.ts", etag=stored.etag))
    assert [headers["If-Match"] for headers in asked] == [f'"{stored.etag}"']


def test_a_store_that_ignores_conditions_is_found_out():
    headers = {"Content-Length": "1", "ETag": '"later"', **DATED}
    with misbehaving(lambda *_: (200, headers, b"x")) as storage:
        with pytest.raises(StorageError, match="changed while reading"):
            list(storage.open("a.ts", etag="first"))
        assert list(storage.open("a.ts", etag="later")) == [b"x"]


def test_a_listing_that_is_not_xml_is_an_error():
    page = b"<html>welcome to this hotel's wifi"
    answer = (200, {"Content-Length": str(len(page))}, page)
    with misbehaving(lambda *_: answer) as storage, pytest.raises(StorageError):
        list(storage.list())


def test_a_listing_that_turns_in_circles_is_an_error():
    page = (
        b'<?xml version="1.0"?><ListBucketResult><IsTruncated>true</IsTruncated>'
        b"<NextContinuationToken>again</NextContinuationToken></ListBucketResult>"
    )
    answer = (200, {"Content-Length": str(len(page))}, page)
    with misbehaving(lambda *_: answer) as storage, pytest.raises(StorageError):
        list(storage.list())


def test_delete_is_repeatable_where_a_missing_key_is_refused():
    with misbehaving(refusal(404, "NoSuchKey")) as storage:
        storage.delete("a.ts")


def test_nobody_there_is_a_storage_error():
    with impatient_client(f"http://127.0.0.1:{free_ports(1)[0]}") as client:
        with pytest.raises(StorageError, match=r"^list s3://bucket/: no whole answer") as excinfo:
            list(S3Storage("bucket", "", client).list())
        assert text(excinfo)


def test_an_endpoint_with_a_port_that_cannot_be_is_wrong_for_ever(no_aws):
    storage = connect("bucket", endpoint_url="http://127.0.0.1:99999")
    with pytest.raises(
        UsageError, match=r"^list s3://bucket/: not valid .*check bucket, key, region and endpoint"
    ) as caught:
        list(storage.list())
    assert text(caught)
    storage._client.close()


# Access


def test_a_wrong_secret_is_denied(weed, source):
    with impatient_client(weed.endpoint_url, secret_key="wrong") as client:
        storage = S3Storage(weed.bucket, "", client)
        for ask in (
            lambda: list(storage.list()),
            lambda: list(storage.open("a.ts")),
            lambda: storage.head("a.ts"),
            lambda: storage.delete("a.ts"),
            lambda: storage.put(source, "a.ts", **MP4),
        ):
            with pytest.raises(DeniedError, match="access denied") as excinfo:
                ask()
            assert "wrong" not in text(excinfo)


def test_no_such_bucket(weed):
    storage = S3Storage("not-there", "", weed.client)
    with pytest.raises(NotFoundError, match=r"^list s3://not-there/: no such bucket"):
        list(storage.list())
    with pytest.raises(NotFoundError, match=r"^read s3://not-there/a\.ts: no such bucket"):
        list(storage.open("a.ts"))


def test_a_name_no_bucket_may_have(weed):
    with pytest.raises(UsageError, match="check bucket") as excinfo:
        list(S3Storage("no bucket!", "", weed.client).list())
    assert text(excinfo)


def test_no_credentials_says_what_to_set(no_aws, weed):
    storage = connect(weed.bucket, endpoint_url=weed.endpoint_url)
    with pytest.raises(UsageError, match="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
        list(storage.list())


def test_half_of_the_credentials_says_what_to_set(no_aws, weed):
    no_aws.setenv("AWS_ACCESS_KEY_ID", "tester")
    with pytest.raises(UsageError, match="AWS_SECRET_ACCESS_KEY"):
        list(connect(weed.bucket, endpoint_url=weed.endpoint_url).list())


def test_an_unknown_profile_is_named(no_aws):
    with pytest.raises(UsageError, match="connect to s3://bucket: no such profile"):
        connect("bucket", profile="nobody")


@pytest.mark.parametrize(
    "endpoint",
    [
        f"user:{SECRET_KEY}@host",
        f"ftp://user:{SECRET_KEY}@host",
        pytest.param(f"http://user:{SECRET_KEY} @host", id="a space"),
        pytest.param(f"http://user:12/{SECRET_KEY}@host", id="a slash after a port"),
        pytest.param(f"http://user:'{SECRET_KEY}@host", id="a quotation mark"),
    ],
)
def test_an_endpoint_that_is_no_url_is_not_repeated(no_aws, endpoint, monkeypatch):
    """What stands in it may be a password that nothing masks, and requests would be in vain."""
    with pytest.raises(UsageError, match="write https://host") as excinfo:
        connect("bucket", endpoint_url=endpoint)
    assert text(excinfo)
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    with pytest.raises(UsageError, match="write https://host"):
        connect("bucket")


# Connecting


@pytest.mark.parametrize("how", ["argument", "environment"])
def test_connect_works_with_a_real_store(no_aws, weed, source, how):
    for name, value in weed.environment.items():
        no_aws.setenv(name, value)
    if how == "argument":
        no_aws.delenv("AWS_ENDPOINT_URL")
    endpoint_url = weed.endpoint_url if how == "argument" else None
    storage = connect(weed.bucket, how, endpoint_url=endpoint_url)
    storage.put(source, "a.mp4", **MP4)
    assert [stored.key for stored in storage.list()] == ["a.mp4"]
    assert b"".join(storage.open("a.mp4")) == b"12345"
    assert style(storage) == ("path", "when_required", "when_required")
    storage._client.close()


@pytest.mark.parametrize(
    ("endpoint_url", "addressing"),
    [
        ("http://127.0.0.1:9000", "path"),
        ("https://minio.example.com", "path"),
        ("https://storage.googleapis.com", "path"),
        ("https://s3-cn-east-1.qiniucs.com", "path"),
        ("https://s3.bj.bcebos.com", "path"),
        ("https://s3.oss-cn-hangzhou.aliyuncs.com", "virtual"),
        ("https://cos.ap-guangzhou.myqcloud.com", "virtual"),
        ("https://obs.cn-north-4.myhuaweicloud.com", "virtual"),
        ("https://ks3-cn-beijing.ksyuncs.com", "virtual"),
    ],
)
def test_connect_knows_stores_other_than_aws(no_aws, endpoint_url, addressing):
    storage = connect("bucket", endpoint_url=endpoint_url, connections=7)
    config = storage._client.meta.config
    assert style(storage) == (addressing, "when_required", "when_required")
    assert (config.signature_version, config.region_name) == ("s3v4", "us-east-1")
    assert (config.max_pool_connections, config.connect_timeout, config.read_timeout) == (7, 10, 60)
    assert config.retries == {"mode": "standard", "total_max_attempts": 5}


@pytest.mark.parametrize(
    "endpoint_url",
    [None, "https://s3.eu-west-1.amazonaws.com", "https://s3.cn-north-1.amazonaws.com.cn"],
)
def test_connect_leaves_aws_as_boto3_has_it(no_aws, endpoint_url):
    storage = connect("bucket", endpoint_url=endpoint_url, region="eu-west-1")
    assert style(storage) == (None, "when_supported", "when_supported")
    assert storage._client.meta.region_name == "eu-west-1"
    assert storage._client.meta.config.retries["total_max_attempts"] == 5


def style(storage: S3Storage) -> tuple[str | None, str, str]:
    config = storage._client.meta.config
    return (
        (config.s3 or {}).get("addressing_style"),
        config.request_checksum_calculation,
        config.response_checksum_validation,
    )
