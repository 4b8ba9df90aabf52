"""Reading with obstore: believed once it was compared, and asked only where it does no harm."""

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import obstore
import pytest
from botocore.session import Session
from obstore.store import MemoryStore

from pipeline.agora.stores import Credentials
from pipeline.errors import ChangedError, DeniedError, NotFoundError, StorageError
from pipeline.storage import CHUNK
from pipeline.storage.s3 import reading
from pipeline.storage.s3.clients import Clients, S3Account
from pipeline.storage.s3.reading import Reader, reader_of
from pipeline.storage.s3.store import S3Storage, connect
from tests.servers import ACCESS_KEY, NO_AWS, SECRET_KEY, S3Server

ROOT = Path(__file__).parents[3]
BODY = bytes(range(256)) * 10_000  # more than two chunks
ETAG = "0123456789abcdef"
DATED = {"Last-Modified": "Sun, 01 Nov 2026 10:00:00 GMT"}


@pytest.fixture(autouse=True)
def no_aws(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The keys of the tests, and nothing else that boto3 would look for."""
    for name in [name for name in os.environ if name.startswith("AWS_") or "proxy" in name.lower()]:
        monkeypatch.delenv(name)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in NO_AWS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    return monkeypatch


class Asked:
    """Who asked for which path: b for boto3, o for obstore."""

    def __init__(self) -> None:
        self.each: list[str] = []
        self.conditions: list[str | None] = []

    def __call__(self, agent: str, path: str) -> None:
        who = "b" if "Boto3" in agent else "o"
        self.each.append(f"{who}{path.removeprefix('/bucket')}")


Answer = tuple[int, dict[str, str], bytes]


def whole(body: bytes = BODY, etag: str = ETAG) -> Answer:
    return 200, {"Content-Length": str(len(body)), "ETag": f'"{etag}"', **DATED}, body


def refused(status: int, code: str) -> Answer:
    body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
    return status, {"Content-Length": str(len(body))}, body


@contextmanager
def serving(answer: Callable[[str, str], Answer]) -> Iterator[tuple[S3Storage, Asked]]:
    """A storage on a server that answers by who asks (b or o) and for which path."""
    asked = Asked()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked(self.headers["User-Agent"], self.path)
            asked.conditions.append(self.headers["If-Match"])
            who, path = asked.each[-1][0], asked.each[-1][1:]
            status, headers, body = answer(who, path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        storage = connect("bucket", endpoint_url=f"http://127.0.0.1:{server.server_port}")
        try:
            yield storage, asked
        finally:
            storage._client.close()
            server.shutdown()
            thread.join()


def read(storage: S3Storage, key: str = "a.ts", etag: str | None = ETAG) -> bytes:
    """As a thread of a download reads."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: b"".join(storage.open(key, etag=etag))).result()


def test_one_object_is_read_by_both_and_the_others_by_obstore():
    with serving(lambda who, path: whole()) as (storage, asked):
        assert [read(storage, key) for key in ("a.ts", "b.ts", "x/c.ts")] == [BODY] * 3
        assert asked.each == ["b/a.ts", "o/a.ts", "o/b.ts", "o/x/c.ts"]
        assert asked.conditions == [f'"{ETAG}"'] * 4


def test_a_real_store_is_read_with_obstore(weed: S3Server, no_aws):
    bucket = weed.new_bucket()
    etags = {}
    for key in ("x/a.ts", "x/b.ts", "x/empty.ts"):
        body = b"" if "empty" in key else key.encode() * 500_000
        etags[key] = weed.client.put_object(Bucket=bucket, Key=key, Body=body)["ETag"].strip('"')
    for name, value in weed.environment.items():
        no_aws.setenv(name, value)
    storage = connect(bucket, "x")
    asked: list[str] = []
    storage._client.meta.events.register(
        "before-call.s3.GetObject", lambda params, **_: asked.append(params["url_path"])
    )
    for key, etag in etags.items():
        found = read(storage, key.removeprefix("x/"), etag)
        assert hashlib.md5(found).hexdigest() == etag
    assert len(asked) == 1
    with pytest.raises(ChangedError, match=r"a\.ts: changed while reading"):
        read(storage, "a.ts", etags["x/b.ts"])
    with pytest.raises(NotFoundError, match=r"c\.ts: no such object"):
        read(storage, "c.ts", etags["x/b.ts"])
    assert len(asked) == 3
    storage._client.close()


def test_chunks_are_of_the_size_of_all_stores():
    with serving(lambda who, path: whole()) as (storage, asked), ThreadPoolExecutor(1) as pool:
        read(storage)
        sizes = pool.submit(lambda: [len(c) for c in storage.open("a.ts", etag=ETAG)]).result()
        assert asked.each[-1] == "o/a.ts"
        assert sum(sizes) == len(BODY)
        assert 0 < max(sizes) <= CHUNK


def test_no_chunk_is_larger_however_large_what_obstore_gives_is():
    store = MemoryStore()
    obstore.put(store, "a", BODY)
    chunks = list(reading._chunks(obstore.get(store, "a")))
    assert [len(chunk) for chunk in chunks] == [CHUNK, CHUNK, len(BODY) - 2 * CHUNK]
    assert b"".join(chunks) == BODY


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(whole(BODY[:-1] + b"x"), id="another byte"),
        pytest.param(whole(BODY + b"x"), id="a byte more"),
        pytest.param(whole(b""), id="nothing"),
        pytest.param(whole(etag="another"), id="another ETag"),
        pytest.param(refused(403, "SignatureDoesNotMatch"), id="refused"),
        pytest.param(refused(501, "NotImplemented"), id="not understood"),
        pytest.param((200, whole()[1], BODY[:1000]), id="broken off"),
        pytest.param(
            (302, {"Location": "/bucket/elsewhere", "Content-Length": "0"}, b""), id="led away"
        ),
    ],
)
def test_where_obstore_gets_something_else_boto3_reads_everything(other):
    def answer(who: str, path: str) -> Answer:
        return whole() if who == "b" else other

    with serving(answer) as (storage, asked):
        assert [read(storage, key) for key in ("a.ts", "b.ts")] == [BODY] * 2
        assert [one for one in asked.each if one[0] == "b"] == ["b/a.ts", "b/b.ts"]
        assert "o/b.ts" not in asked.each


@pytest.mark.parametrize(
    ("answer", "kind", "why"),
    [
        (refused(403, "AccessDenied"), DeniedError, "check the credentials"),
        (refused(404, "NoSuchKey"), NotFoundError, "no such object"),
        (refused(412, "PreconditionFailed"), ChangedError, "changed while reading"),
        (whole(etag="another"), ChangedError, "changed while reading"),
    ],
)
def test_of_an_error_boto3_says_what_it_means(answer, kind, why):
    with serving(lambda who, path: answer if path == "/b.ts" else whole()) as (storage, asked):
        read(storage)
        with pytest.raises(kind, match=rf"^read s3://bucket/b\.ts: .*{why}"):
            read(storage, "b.ts")
        assert asked.each[2:] == ["o/b.ts", "b/b.ts"]
        read(storage, "c.ts")
        assert asked.each[4:] == ["o/c.ts"]


def test_a_body_cut_short_is_an_error_and_boto3_reads_from_then_on():
    def answer(who: str, path: str) -> Answer:
        return (200, whole()[1], BODY[:CHUNK]) if (who, path) == ("o", "/b.ts") else whole()

    with serving(answer) as (storage, asked):
        read(storage)
        with pytest.raises(StorageError, match=r"^read s3://bucket/b\.ts: no whole answer \(Gen"):
            read(storage, "b.ts")
        assert read(storage, "b.ts") == BODY
        assert asked.each[2:] == ["o/b.ts", "b/b.ts"]


def test_what_boto3_cannot_read_proves_nothing():
    broken = [(200, whole()[1], BODY[:1000])]

    def answer(who: str, path: str) -> Answer:
        return broken.pop() if broken else whole()

    with serving(answer) as (storage, asked):
        with pytest.raises(StorageError):
            read(storage)
        assert [read(storage), read(storage)] == [BODY] * 2
        assert asked.each == ["b/a.ts", "b/a.ts", "o/a.ts", "o/a.ts"]


def test_while_one_is_compared_boto3_reads_the_others():
    compared, others = threading.Event(), threading.Event()

    def answer(who: str, path: str) -> Answer:
        if who == "o":
            compared.set()
            assert others.wait(20)
        return whole()

    with serving(answer) as (storage, asked), ThreadPoolExecutor(1) as pool:
        first = pool.submit(lambda: b"".join(storage.open("a.ts", etag=ETAG)))
        assert compared.wait(20)
        assert read(storage, "b.ts") == BODY
        others.set()
        assert first.result() == BODY
        assert asked.each == ["b/a.ts", "o/a.ts", "b/b.ts"]


@pytest.mark.parametrize(
    "key", ["a b.ts", "é.ts", "a+b.ts", "a%20b.ts", "a//b.ts", ".a/b.ts", "a/"]
)
def test_names_that_libraries_may_write_otherwise_are_left_to_boto3(key):
    with serving(lambda who, path: whole()) as (storage, asked):
        read(storage)
        assert read(storage, key) == BODY
        assert [one[0] for one in asked.each] == ["b", "o", "b"]


@pytest.mark.parametrize("etag", [None, 'W/"a', "a b", "a\nb", "é"])
def test_what_has_no_plain_etag_is_left_to_boto3(etag):
    with serving(lambda who, path: whole()) as (storage, asked):
        read(storage)
        if etag is None:
            assert read(storage, "b.ts", etag) == BODY
        else:
            with pytest.raises((ChangedError, StorageError), match=r"^read s3://bucket/b\.ts: "):
                read(storage, "b.ts", etag)
        assert set(asked.each[2:]) <= {"b/b.ts"}


def test_where_obstore_gets_no_answer_boto3_is_asked(monkeypatch):
    monkeypatch.setitem(reading._LIMITS, "read_timeout", timedelta(seconds=0.5))
    silent = threading.Event()

    def answer(who: str, path: str) -> Answer:
        if (who, path) == ("o", "/b.ts"):
            silent.wait(20)
        return whole()

    with serving(answer) as (storage, asked):
        read(storage)
        assert read(storage, "b.ts") == BODY
        silent.set()
        assert asked.each[2:] == ["o/b.ts", "b/b.ts"]


def test_the_main_thread_can_be_interrupted_and_so_asks_boto3():
    with serving(lambda who, path: whole()) as (storage, asked):
        read(storage)
        assert b"".join(storage.open("b.ts", etag=ETAG)) == BODY
        assert asked.each[2:] == ["b/b.ts"]


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT"])
def test_nobody_else_is_asked(no_aws, name):
    with serving(lambda who, path: whole(b"elsewhere")) as (storage, elsewhere):
        no_aws.setenv(name, storage._client.meta.endpoint_url)
        with serving(lambda who, path: whole()) as (other, asked):
            assert [read(other, key) for key in ("a.ts", "b.ts")] == [BODY] * 2
            assert asked.each == ["b/a.ts", "o/a.ts", "o/b.ts"]
        assert elsewhere.each == []


def account(endpoint: str | None = "http://127.0.0.1:1") -> S3Account:
    return S3Account(endpoint, "us-east-1")


@pytest.mark.parametrize(
    ("endpoint", "bucket", "url", "virtual"),
    [
        ("http://127.0.0.1:9000", "b", "http://127.0.0.1:9000", False),
        ("https://minio.example.com/s3", "b", "https://minio.example.com/s3", False),
        (None, "b", "https://s3.eu-west-1.amazonaws.com", False),
        (
            *("https://s3.oss-cn-hangzhou.aliyuncs.com", "b"),
            *("https://b.s3.oss-cn-hangzhou.aliyuncs.com", True),
        ),
    ],
)
def test_a_bucket_is_asked_for_where_boto3_asks(endpoint, bucket, url, virtual):
    reader = Clients().reader(S3Account(endpoint, "eu-west-1"), bucket)
    config = reader._store.config
    assert (config["endpoint_url_s3"], config["region"]) == (url, "eu-west-1")
    assert str(config["virtual_hosted_style_request"]).lower() == str(virtual).lower()
    assert "secret_access_key" not in config
    plain = url.startswith("http://")
    assert str(reader._store.client_options["allow_http"]).lower() == str(plain).lower()


def test_readers_of_a_bucket_are_one():
    clients = Clients()
    assert isinstance(clients.reader(account(), "a"), Reader)
    assert clients.reader(account(), "a") is clients.reader(account(), "a")
    assert clients.reader(account(), "a") is not clients.reader(account(), "b")


@pytest.mark.parametrize(
    ("endpoint", "variable", "there"),
    [
        ("https://minio.example.com", None, True),
        ("https://minio.example.com", "AWS_CA_BUNDLE", False),
        ("https://minio.example.com", "REQUESTS_CA_BUNDLE", False),
        ("http://minio.example.com", "AWS_CA_BUNDLE", True),
        ("https://minio.example.com", "HTTPS_PROXY", False),
        ("http://minio.example.com", "HTTP_PROXY", False),
        ("https://user:secret@minio.example.com", None, False),
    ],
)
def test_where_boto3_is_told_of_more_it_reads_alone(no_aws, endpoint, variable, there):
    if variable:
        no_aws.setenv(variable, "http://127.0.0.1:3128" if "PROXY" in variable else "/etc/hosts")
    assert (Clients().reader(account(endpoint), "b") is not None) is there


def test_directory_buckets_are_left_to_boto3():
    assert Clients().reader(account(None), "b--use1-az4--x-s3") is None


def test_without_keys_boto3_says_so(no_aws):
    no_aws.delenv("AWS_ACCESS_KEY_ID")
    no_aws.delenv("AWS_SECRET_ACCESS_KEY")
    clients = Clients()
    assert clients.reader(account(), "b") is None
    assert reader_of("b", clients.get(account()), Session()) is None


def test_keys_are_those_of_the_account():
    keys = Credentials("its-own", "its-secret", "its-token")
    store = Clients().reader(S3Account("http://127.0.0.1:1", None, None, keys), "b")._store
    given = store.credential_provider()
    assert (given["access_key_id"], given["secret_access_key"]) == ("its-own", "its-secret")
    assert given["token"] == "its-token"


def test_without_obstore_boto3_reads(weed: S3Server, tmp_path):
    (tmp_path / "obstore.py").write_text("raise ImportError('no')")
    weed.client.put_object(Bucket=weed.bucket, Key="without/a.ts", Body=b"12345")
    script = (
        "from concurrent.futures import ThreadPoolExecutor as Pool\n"
        "from pipeline.storage.locations import open_storage\n"
        f"storage, _ = open_storage('s3://{weed.bucket}/without/')\n"
        "read = lambda: b''.join(storage.open('a.ts', etag=storage.head('a.ts').etag))\n"
        "print(storage._reader, Pool(1).submit(read).result())\n"
    )
    env = {**os.environ, **weed.environment}
    env["PYTHONPATH"] = os.pathsep.join([str(tmp_path), str(ROOT)])
    ended = subprocess.run(
        [sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True
    )
    assert ended.stdout == "None b'12345'\n"


def test_a_place_with_tags_is_read_in_the_same_way():
    storage = connect("bucket", endpoint_url="http://127.0.0.1:1")
    assert storage.putting(tags={"kept": "yes"})._reader is storage._reader is not None
    storage._client.close()
