"""What every storage promises, whatever is behind it."""

import hashlib
import re
import secrets
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from msgspec.structs import replace

from pipeline.errors import (
    ChangedError,
    DeniedError,
    ExistsError,
    NotFoundError,
    StorageError,
    UnsafePathError,
    UsageError,
)
from pipeline.storage import Storage
from pipeline.storage.local import LocalStorage
from pipeline.storage.locations import of_uri
from pipeline.storage.probe import probe
from pipeline.storage.s3.store import S3Storage
from tests.servers import S3Server

ODD_NAMES = [
    pytest.param("a b/c d.ts", id="spaces"),
    pytest.param("录制/é-\U0001f600.ts", id="utf-8"),
    pytest.param("a+b.ts", id="plus"),
    pytest.param("100%25.ts", id="percent"),
    pytest.param("a&b=c;d.ts", id="ampersand"),
    pytest.param("a?b#c.ts", id="question mark and hash"),
    pytest.param("a'b\"c<d>.ts", id="quotes and brackets"),
    pytest.param("a..b/...ts", id="dots that are no way up"),
    pytest.param("~$(id)`.ts", id="what a shell would run"),
]


@pytest.fixture(params=["local", "moto", "weed", "rclone", "azurite", "gcs"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "local":
        root = tmp_path / "root"
        root.mkdir()
        return LocalStorage(root)
    server = request.getfixturevalue(request.param)
    prefix = f"{secrets.token_hex(6)}/é +%"
    if isinstance(server, S3Server):
        return S3Storage(server.bucket, prefix, server.client)
    return server.storage(prefix)


@pytest.fixture
def put(storage: Storage, tmp_path: Path):
    """Store these bytes under this key."""

    def put(key: str, content: bytes = b"x"):
        source = tmp_path / "source"
        source.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        return storage.put(source, key, sha256=digest, content_type="video/mp2t")

    return put


@pytest.fixture
def needs(storage: Storage):
    """Skip what this store cannot do, as the probe has just found out."""

    def needs(capability: str) -> None:
        if getattr(probe(storage), capability) is False:
            pytest.skip(f"store: {storage.url()} has no {capability}, as the probe shows")

    return needs


def keys(storage: Storage, prefix: str = "") -> list[str]:
    return [stored.key for stored in storage.list(prefix)]


def content(storage: Storage, key: str) -> bytes:
    return b"".join(storage.open(key))


def test_list_is_empty_at_first(storage):
    assert keys(storage) == []


def test_list_in_the_order_of_the_keys(storage, put):
    names = [
        "Z.ts",
        "a b.ts",
        "a-b.ts",
        "a.ts",
        "a/b.ts",
        "a/b/c.ts",
        "ab.ts",
        "é.ts",
        "～.ts",
        "😀.ts",
    ]
    for name in reversed(names):
        put(name)
    assert keys(storage) == names


@pytest.mark.parametrize(
    ("prefix", "found"),
    [
        pytest.param("a", ["a.ts", "a/b.ts", "a/c/d.ts", "ab/e.ts"], id="part of a name"),
        pytest.param("a/", ["a/b.ts", "a/c/d.ts"], id="a folder"),
        pytest.param("a/c/d", ["a/c/d.ts"], id="part of a name in a folder"),
        pytest.param("a/b.ts", ["a/b.ts"], id="a whole key"),
        pytest.param("b", [], id="nothing"),
        pytest.param("nowhere/", [], id="no such folder"),
        pytest.param("a.ts/", [], id="a file as if it were a folder"),
    ],
)
def test_list_by_prefix(storage, put, prefix, found):
    for name in ("a.ts", "a/b.ts", "a/c/d.ts", "ab/e.ts"):
        put(name)
    assert keys(storage, prefix) == found


@pytest.mark.parametrize(
    ("prefix", "after", "found"),
    [
        pytest.param(
            "", "a.ts", ["a/b.ts", "a/c/d.ts", "ab.ts", "é.ts", "😀.ts"], id="itself left out"
        ),
        pytest.param("", "a/bb", ["a/c/d.ts", "ab.ts", "é.ts", "😀.ts"], id="of a name nobody has"),
        pytest.param("", "a/c/", ["a/c/d.ts", "ab.ts", "é.ts", "😀.ts"], id="a folder"),
        pytest.param(
            "", "Z", ["a.ts", "a/b.ts", "a/c/d.ts", "ab.ts", "é.ts", "😀.ts"], id="before all"
        ),
        pytest.param("", "～", ["😀.ts"], id="in the order of UTF-8, not of UTF-16"),
        pytest.param("", "😀.ts", [], id="behind all"),
        pytest.param("a/", "a/b.ts", ["a/c/d.ts"], id="in a folder"),
        pytest.param("a/", "a", ["a/b.ts", "a/c/d.ts"], id="before the folder"),
        pytest.param("a/", "b", [], id="behind the folder"),
    ],
)
def test_list_what_comes_after(storage, put, prefix, after, found):
    for name in ("a.ts", "a/b.ts", "a/c/d.ts", "ab.ts", "é.ts", "😀.ts"):
        put(name)
    assert [stored.key for stored in storage.list(prefix, after=after)] == found


@pytest.mark.parametrize("key", ODD_NAMES)
def test_odd_names_come_back_as_they_went(storage, put, key):
    put(key, key.encode())
    assert keys(storage) == [key]
    assert storage.head(key).key == key
    assert content(storage, key) == key.encode()
    storage.delete(key)
    assert keys(storage) == []


def test_head_agrees_with_list_and_put(storage, put):
    stored = put("a/b.ts", b"12345")
    assert stored == storage.head("a/b.ts")
    (listed,) = storage.list()
    assert listed == replace(stored, modified=listed.modified)
    assert listed.modified == pytest.approx(
        stored.modified, abs=1
    )  # rclone: two clocks, in seconds
    assert (stored.key, stored.name, stored.size) == ("a/b.ts", "b.ts", 5)
    assert stored.etag


@pytest.mark.parametrize("key", ["nothing.ts", "no/folder.ts", "a.ts/b.ts", "a"])
def test_what_is_missing_is_named(storage, put, key):
    put("a.ts")
    put("a/b.ts")
    for ask in (storage.head, content_of(storage)):
        with pytest.raises(NotFoundError, match=re.escape(storage.url(key))):
            ask(key)


@pytest.mark.parametrize("size", [0, 1, 5 << 20], ids=["empty", "one byte", "five MiB"])
def test_open_gives_every_byte_in_small_chunks(storage, put, size):
    data = secrets.token_bytes(size)
    stored = put("a.ts", data)
    chunks = list(storage.open("a.ts", etag=stored.etag))
    assert b"".join(chunks) == data
    assert all(len(chunk) <= 1 << 20 for chunk in chunks)


def test_open_may_be_left_early(storage, put):
    put("a.ts", bytes(3 << 20))
    chunks = storage.open("a.ts")
    next(chunks)
    chunks.close()
    assert len(content(storage, "a.ts")) == 3 << 20


def test_open_gives_no_byte_of_another_etag(storage, put):
    listed = put("a.ts", b"first")
    put("a.ts", b"later")
    with pytest.raises(StorageError, match="changed"):
        next(storage.open("a.ts", etag=listed.etag))


@pytest.mark.parametrize("size", [0, 1000, 17 << 20], ids=["empty", "small", "several parts"])
def test_put_replaces(storage, put, size):
    data = secrets.token_bytes(size)
    put("a/b.mp4", b"what was there before")
    assert put("a/b.mp4", data).size == size
    assert content(storage, "a/b.mp4") == data
    assert keys(storage) == ["a/b.mp4"]


def test_put_of_a_source_that_vanished_leaves_what_was_there(storage, put, tmp_path):
    put("a.mp4", b"before")
    for key in ("a.mp4", "b.mp4"):
        with pytest.raises(NotFoundError, match="gone"):
            storage.put(tmp_path / "gone", key, sha256="", content_type="video/mp4")
    assert keys(storage) == ["a.mp4"]
    assert content(storage, "a.mp4") == b"before"


def test_delete_twice(storage, put):
    put("a.ts")
    put("b.ts")
    storage.delete("a.ts")
    storage.delete("a.ts")
    storage.delete("never/was/there.ts")
    assert keys(storage) == ["b.ts"]


def test_delete_takes_no_folder_with_it(storage, put, needs):
    if storage.path("") is None:  # a folder is promised to tell them apart
        needs("flat_keys")
    put("a/b.ts")
    storage.delete("a")
    assert keys(storage) == ["a/b.ts"]


@pytest.mark.parametrize("size", [0, 1000, 17 << 20], ids=["empty", "small", "several parts"])
def test_only_one_create_wins(storage, tmp_path, needs, size, request):
    needs("conditional_put")
    if size > 1 << 20:
        needs("conditional_large")
        if request.node.callspec.params["storage"] in ("moto", "weed"):
            pytest.skip("store: it looks for the object before it joins the parts, not after")
    sources = [tmp_path / f"{n}.mp4" for n in range(4)]
    for n, source in enumerate(sources):
        source.write_bytes(bytes([n]) * size)

    def create(source: Path) -> bool:
        digest = hashlib.sha256(source.read_bytes()).hexdigest()
        try:
            storage.create(source, "a/b.mp4", sha256=digest, content_type="video/mp4")
        except ExistsError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        won = list(pool.map(create, sources))
    assert won.count(True) == 1
    assert content(storage, "a/b.mp4") == sources[won.index(True)].read_bytes()
    assert keys(storage) == ["a/b.mp4"]


@pytest.mark.parametrize("size", [0, 1000, 40 << 20], ids=["empty", "small", "several parts"])
@pytest.mark.parametrize("verb", ["put", "create", "adopt"])
def test_what_is_sent_adds_up_to_the_file(storage, written, verb, size):
    file, told = written("a/b.mp4", bytes(size)), []
    named = {"sha256": hashlib.sha256(bytes(size)).hexdigest(), "content_type": "video/mp4"}
    getattr(storage, verb)(file, "a/b.mp4", **named, sent=told.append)
    assert sum(told) == size
    assert all(count > 0 for count in told) or not size
    moved = isinstance(storage, LocalStorage) and verb == "adopt"
    assert moved or size < 1 << 20 or len(told) > 2


def test_an_interrupt_from_who_is_told_leaves_the_object_whole_or_not_there(storage, written):
    content = secrets.token_bytes(17 << 20)
    file = written("a.mp4", content)

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with suppress(KeyboardInterrupt):
        named = {"sha256": hashlib.sha256(content).hexdigest(), "content_type": "video/mp4"}
        storage.put(file, "a.mp4", **named, sent=stop)
    assert keys(storage) in ([], ["a.mp4"])
    assert [one.size for one in storage.list()] in ([], [len(content)])


def test_create_goes_where_nothing_stands(storage, tmp_path):
    source = tmp_path / "a.mp4"
    source.write_bytes(b"12345")
    stored = storage.create(source, "a/b.mp4", sha256="ab" * 32, content_type="video/mp4")
    assert stored == storage.head("a/b.mp4")
    assert content(storage, "a/b.mp4") == b"12345"


@pytest.mark.parametrize("size", [5, 17 << 20], ids=["small", "several parts"])
def test_without_leave_nothing_is_created(storage, tmp_path, size):
    source = tmp_path / "a.mp4"
    source.write_bytes(bytes(size))

    def refuse() -> None:
        assert keys(storage) == []
        raise DeniedError("no")

    with pytest.raises(DeniedError, match="no"):
        storage.create(source, "a.mp4", sha256="ab" * 32, content_type="video/mp4", guard=refuse)
    assert keys(storage) == []


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("../x.ts", id="up"),
        pytest.param("a/../../x.ts", id="down and up"),
        pytest.param("a/..", id="up at the end"),
        pytest.param("./x.ts", id="here"),
        pytest.param("/etc/passwd", id="absolute"),
        pytest.param("..\\x.ts", id="up with a backslash"),
        pytest.param("a\\..\\..\\x.ts", id="down and up with backslashes"),
        pytest.param("\\\\server\\share", id="a share"),
        pytest.param("C:\\x.ts", id="a drive"),
        pytest.param("a\0.ts", id="nul"),
        pytest.param("\ud800.ts", id="half a character"),
    ],
)
def test_no_key_leads_out(storage, tmp_path, key):
    source = tmp_path / "x.ts"
    source.write_bytes(b"x")
    for ask in (
        storage.head,
        storage.delete,
        storage.path,
        storage.uri,
        storage.prune,
        lambda key: storage.temporary(key, tmp_path / "spool"),
        lambda key: list(storage.links(key)),
        content_of(storage),
        lambda key: list(storage.list(key)),
        lambda key: storage.put(source, key, sha256="", content_type=""),
        lambda key: storage.create(source, key, sha256="", content_type=""),
    ):
        with pytest.raises(UnsafePathError):
            ask(key)
    assert source.read_bytes() == b"x"


def test_url_names_root_and_key(storage):
    assert storage.url("a/b.ts").startswith(storage.url().rstrip("/") + "/")
    assert storage.url("a/b.ts").endswith("/a/b.ts")
    assert "\n" not in storage.url("a\nb")


def content_of(storage: Storage):
    return lambda key: content(storage, key)


def test_delete_only_what_was_looked_at(storage, put, request):
    if request.node.callspec.params["storage"] == "rclone":
        pytest.skip("store: rclone deletes whatever the condition says; cleanup finds that out")
    stored = put("a.ts", b"first")
    changed = put("a.ts", b"second one")
    with pytest.raises(ChangedError):
        storage.delete("a.ts", etag=stored.etag)
    assert content(storage, "a.ts") == b"second one"
    storage.delete("a.ts", etag=changed.etag)
    assert keys(storage) == []
    storage.delete("a.ts", etag=changed.etag)


def test_a_copy_has_the_bytes_of_its_source(storage, put, request):
    stored = put("a b/é.ts", b"bytes")
    copied = storage.copy("a b/é.ts", ".trash/run/é+.ts", etag=stored.etag)
    assert copied.size == 5
    if request.node.callspec.params["storage"] not in ("azurite", "gcs"):  # these count versions
        assert copied.etag == stored.etag
    assert content(storage, ".trash/run/é+.ts") == b"bytes"
    assert storage.copy("a b/é.ts", ".trash/run/é+.ts").size == 5
    storage.delete("a b/é.ts")
    assert content(storage, ".trash/run/é+.ts") == b"bytes"


def test_what_has_changed_is_not_copied(storage, put):
    stored = put("a.ts", b"first")
    put("a.ts", b"second one")
    with pytest.raises(ChangedError):
        storage.copy("a.ts", "b.ts", etag=stored.etag)
    assert keys(storage) == ["a.ts"]
    with pytest.raises(NotFoundError):
        storage.copy("nothing.ts", "b.ts")


def test_nothing_is_protected_by_itself(storage, put):
    put("a.ts")
    assert storage.protection("a.ts") is None


# What is written first and stored then


@pytest.fixture
def written(storage, tmp_path):
    """A file written where this store wants it, to become this object."""

    def written(key: str, content: bytes = b"x") -> Path:
        file = storage.temporary(key, tmp_path / "deep" / "spool")
        file.write_bytes(content)
        return file

    return written


def adopt(storage: Storage, file: Path, key: str):
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return storage.adopt(file, key, sha256=digest, content_type="video/mp4")


@pytest.mark.parametrize("size", [0, 1000, 17 << 20], ids=["empty", "small", "several parts"])
def test_adopt_replaces(storage, put, written, size):
    data = secrets.token_bytes(size)
    put("a/b.mp4", b"what was there before")
    file = written("a/b.mp4", data)
    storage.flush(file)
    assert content(storage, "a/b.mp4") == b"what was there before"
    assert adopt(storage, file, "a/b.mp4") == storage.head("a/b.mp4")
    assert content(storage, "a/b.mp4") == data
    assert keys(storage) == ["a/b.mp4"]


def test_what_is_not_adopted_is_no_object(storage, written):
    one, two = written("a/b.mp4"), written("a/b.mp4")
    assert one != two
    assert keys(storage) == []


def test_a_file_is_written_beside_its_object_or_to_the_spool(storage, written, tmp_path):
    spool, final = tmp_path / "deep" / "spool", storage.path("a/b.mp4")
    file = written("a/b.mp4")
    assert file.parent == (final.parent if final is not None else spool)
    assert spool.exists() == (final is None)


def test_a_file_that_vanished_is_not_adopted(storage, put, tmp_path):
    put("a.mp4", b"before")
    file = storage.temporary("a.mp4", tmp_path / "spool")
    with pytest.raises(NotFoundError):
        storage.adopt(file, "a.mp4", sha256="", content_type="video/mp4")
    assert content(storage, "a.mp4") == b"before"


def test_what_is_adopted_lies_on_this_machine_or_others_share_it(storage, written):
    adopt(storage, written("a.mp4", b"12345"), "a.mp4")
    path = storage.path("a.mp4")
    assert storage.shared if path is None else path.read_bytes() == b"12345"


# What is left where objects were


def test_where_no_object_is_there_is_no_folder(storage, put):
    put("a/b/c.ts")
    put("a/d.ts")
    storage.delete("a/b/c.ts")
    assert storage.prune("a/b")
    assert storage.prune("a/b/")
    assert storage.prune("never/was/there")
    assert keys(storage) == ["a/d.ts"]
    storage.delete("a/d.ts")
    assert storage.prune("a")
    assert storage.path("") is None or not storage.path("a").exists()


def test_a_folder_with_an_object_is_not_taken_away(storage, put):
    put("a/b/c.ts")
    put("a/b/d/e.ts")
    storage.delete("a/b/d/e.ts")
    storage.prune("a")
    assert keys(storage) == ["a/b/c.ts"]


def test_nothing_is_a_link_by_itself(storage, put):
    put("a/b.ts")
    assert list(storage.links("a/")) == []
    assert list(storage.links("a/b.ts")) == []
    assert list(storage.links("nowhere/")) == []


def test_no_upload_is_open_by_itself(storage, put, request):
    if request.node.callspec.params["storage"] == "rclone":
        pytest.skip("store: rclone does not list uploads")
    put("a.ts", bytes(17 << 20))
    assert list(storage.uploads()) == []


def test_versions_are_of_what_is_there(storage, put):
    put("a.ts", b"12345")
    versions = storage.versions()
    if versions is None or not versions.any():
        return
    (one,) = versions.of("a.ts")
    assert (one.size, one.latest, one.marker) == (5, True, False)


# Names of objects


@pytest.mark.parametrize("key", ODD_NAMES)
def test_an_address_leads_back_to_its_object(storage, put, key):
    put(key)
    address = storage.uri(key)
    assert re.fullmatch(r"[a-z0-9]+://[!-~]+", address)
    assert of_uri(address) == of_uri(storage.uri()).rstrip("/") + "/" + key
    if storage.path("") is not None:
        assert of_uri(address) == str(storage.path(key))
    assert len({storage.uri(other) for other in (key, f"{key}%", f"{key} ", f"a{key}")}) == 4


def test_what_is_put_has_a_class_or_it_is_said_that_there_is_none(storage, tmp_path):
    source = tmp_path / "a.tar"
    source.write_bytes(b"12345")
    placed = with_a_class(storage)
    if isinstance(placed, UsageError):
        assert str(placed).startswith(storage.url())
        assert "it needs an S3 store" in str(placed)
    else:
        placed.put(source, "a.tar", sha256="", content_type="application/x-tar")
        assert content(storage, "a.tar") == b"12345"


def with_a_class(storage: Storage) -> Storage | UsageError:
    try:
        return storage.putting(storage_class="STANDARD", tags={})
    except UsageError as refused:
        return refused
