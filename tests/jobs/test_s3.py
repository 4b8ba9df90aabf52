"""A recording in a bucket becomes the same MP4 as one in a folder, whatever happens on the way."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from msgspec.structs import replace

from pipeline.agora.stores import Credentials
from pipeline.errors import (
    DeniedError,
    DiskFullError,
    ExistsError,
    NotFoundError,
    RecpipeError,
    StorageError,
    UsageError,
)
from pipeline.jobs.one import check, process
from pipeline.jobs.options import Options
from pipeline.jobs.output.destinations import Target
from pipeline.model import Report, StoredObject, Verdict
from pipeline.muxing.locate import Ffmpeg
from pipeline.stages.discover import discover
from pipeline.storage import Storage
from pipeline.storage.local import LocalStorage
from pipeline.storage.probe import creates_once
from pipeline.storage.s3.store import S3Storage, connect
from tests.servers import ACCESS_KEY, NO_AWS, SECRET_KEY, S3Server

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "sample_media"
COMPOSITE = SAMPLES / "composite"
SLICES = sorted(path.name for path in COMPOSITE.glob("*.ts"))
PLAYLIST = next(path.name for path in COMPOSITE.glob("*.m3u8"))

Chunks = Iterator[bytes]


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def convert(ffmpeg: Ffmpeg, spool: Path) -> Callable[..., Report]:
    """Convert the only recording of a storage."""

    def call(source: Storage, to: Storage, key: str = "out.mp4", **options: Any) -> Report:
        (recording,) = discover(source, "")
        return process(recording, source, Target(to, key), ffmpeg, Options(spool=spool, **options))

    return call


def filled(server: S3Server, folder: Path = COMPOSITE, prefix: str = "") -> S3Storage:
    """A new bucket with a recording in it."""
    bucket = server.new_bucket()
    for path in folder.iterdir():
        key = f"{prefix}{path.name}"
        server.client.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())
    return S3Storage(bucket, prefix, server.client)


def empty(server: S3Server, prefix: str = "") -> S3Storage:
    return S3Storage(server.new_bucket(), prefix, server.client)


def content(storage: Storage, key: str) -> bytes:
    return b"".join(storage.open(key))


def keys(storage: Storage) -> list[str]:
    return [found.key for found in storage.list()]


def left_in(spool: Path) -> list[str]:
    """Files of the spool; the locks are empty and stay."""
    files = (path.relative_to(spool) for path in spool.rglob("*") if path.is_file())
    return [file.as_posix() for file in files if file.parts[0] != "locks"]


def ids(report: Report) -> set[str]:
    return {finding.id for finding in report.findings}


@dataclass
class Between:
    """A storage between the job and the real one: it takes notes, and may meddle."""

    storage: Storage
    reading: Callable[[str, Chunks], Chunks] = lambda key, chunks: chunks
    listing: Callable[[StoredObject], StoredObject] = lambda found: found
    before_put: Callable[[str], None] = lambda key: None
    trust_etags: bool = True
    opened: list[str] = field(default_factory=list)
    put_keys: list[str] = field(default_factory=list)

    @property
    def segments(self) -> list[str]:
        """Segments opened."""
        return sorted(key for key in self.opened if key.endswith(".ts"))

    def open(self, key: str, *, etag: str | None = None) -> Chunks:
        self.opened.append(key)
        asked = etag if self.trust_etags else None
        return self.reading(key, self.storage.open(key, etag=asked))

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        return map(self.listing, self.storage.list(prefix))

    def put(self, source: Path, key: str, **given: Any) -> StoredObject:
        self.before_put(key)
        self.put_keys.append(key)
        return self.storage.put(source, key, **given)

    adopt = put

    def create(self, source: Path, key: str, **given: Any) -> StoredObject:
        self.before_put(key)
        self.put_keys.append(key)
        return self.storage.create(source, key, **given)

    @property
    def creates_once(self) -> bool | None:
        return creates_once(self.storage)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.storage, name)


class Killed(Exception):
    """Nobody planned it."""


def killed(keys: list[str]) -> Callable[[str, Chunks], Chunks]:
    """A process that dies in the middle of these."""

    def reading(key: str, chunks: Chunks) -> Chunks:
        if key not in keys:
            yield from chunks
            return
        first = next(chunks)
        yield first[: len(first) // 2]
        raise Killed

    return reading


def flipped(keys: list[str]) -> Callable[[str, Chunks], Chunks]:
    """A network that changes a bit in the middle of a picture or a sound."""

    def reading(key: str, chunks: Chunks) -> Chunks:
        for chunk in chunks:
            if key not in keys:
                yield chunk
                continue
            changed = bytearray(chunk)
            changed[100 * 188 + 100] ^= 1
            yield bytes(changed)

    return reading


# The same file


@pytest.mark.parametrize("server", ["weed", "moto"])
@pytest.mark.parametrize("sample", ["composite", "audio_only", "video_only"])
def test_from_bucket_to_bucket_as_from_folder_to_folder(
    request, convert, tmp_path, spool, server, sample
):
    remote: S3Server = request.getfixturevalue(server)
    here = LocalStorage(tmp_path / "out")
    local = convert(LocalStorage(SAMPLES / sample), here)
    source, to = filled(remote, SAMPLES / sample, "2026/03/"), empty(remote, "done/")
    report = convert(source, to)
    assert local.verdict is report.verdict is Verdict.OK
    assert content(to, "out.mp4") == content(here, "out.mp4")
    assert report.output == f"s3://{to.bucket}/done/out.mp4"
    assert report.receipt == f"s3://{to.bucket}/done/out.receipt.json"
    assert keys(to) == ["out.mp4", "out.receipt.json"]
    receipt = json.loads(content(to, "out.receipt.json"))
    assert receipt["output"]["sha256"] == report.sha256 == local.sha256
    names = sorted(path.name for path in (SAMPLES / sample).iterdir())
    assert sorted(entry["key"] for entry in receipt["inputs"]) == names
    assert left_in(spool) == []


def test_segments_in_folders_below(weed, convert, tmp_path):
    """Each is found by one listing, whatever the playlist is called."""
    lines = (COMPOSITE / PLAYLIST).read_text()
    source = S3Storage(weed.new_bucket(), "calls/", weed.client)
    for number, name in enumerate(SLICES):
        path = f"{number}/a b.ts"
        lines = lines.replace(name, f"./{number}/a%20b.ts?token=x%2F{number}")
        body = (COMPOSITE / name).read_bytes()
        weed.client.put_object(Bucket=source.bucket, Key=f"calls/{path}", Body=body)
    weed.client.put_object(Bucket=source.bucket, Key="calls/index.txt", Body=lines.encode())
    report = convert(source, LocalStorage(tmp_path / "out"))
    assert report.verdict is Verdict.OK
    receipt = json.loads((tmp_path / "out" / "out.receipt.json").read_text())
    wanted = ["index.txt", *(f"{number}/a b.ts" for number in range(len(SLICES)))]
    assert [one["key"] for one in receipt["inputs"]] == wanted


def test_a_second_run_does_nothing(weed, convert):
    to, source = Between(empty(weed)), Between(filled(weed))
    assert convert(source, to).verdict is Verdict.OK
    source.opened.clear()
    again = convert(source, to)
    assert again.verdict is Verdict.OK
    assert source.segments == []
    assert to.put_keys == ["out.mp4", "out.receipt.json"]


# What is lost or changed on the way


def test_a_segment_that_is_not_in_the_bucket(weed, convert, tmp_path):
    shutil.copytree(COMPOSITE, tmp_path / "in")
    (tmp_path / "in" / SLICES[1]).unlink()
    source, here = filled(weed, tmp_path / "in"), LocalStorage(tmp_path / "out")
    report = convert(source, here, "remote.mp4")
    assert report.verdict is Verdict.DEGRADED
    assert {f.segment for f in report.findings if f.id == "SEG_MISSING"} == {SLICES[1]}
    assert report.lost_seconds["video"] == pytest.approx(15.2, abs=0.1)
    assert report.lost_seconds["audio"] == pytest.approx(15.2, abs=0.1)
    convert(LocalStorage(tmp_path / "in"), here, "local.mp4")
    assert content(here, "remote.mp4") == content(here, "local.mp4")


def test_a_segment_that_goes_after_it_was_listed(weed, ffmpeg, spool, tmp_path):
    source = filled(weed)
    (recording,) = discover(source, "")
    source.delete(SLICES[2])
    target = Target(LocalStorage(tmp_path / "out"), "out.mp4")
    report = process(recording, source, target, ffmpeg, Options(spool=spool))
    assert report.verdict is Verdict.DEGRADED
    (missing,) = [f for f in report.findings if f.id == "SEG_MISSING"]
    assert missing.segment == SLICES[2]
    assert "gone" in missing.detail


def test_a_segment_that_is_replaced_after_it_was_listed_is_not_mixed_in(
    weed, ffmpeg, spool, tmp_path
):
    source = filled(weed)
    (recording,) = discover(source, "")
    other = (COMPOSITE / SLICES[0]).read_bytes()
    weed.client.put_object(Bucket=source.bucket, Key=SLICES[2], Body=other)
    out = LocalStorage(tmp_path / "out")
    with pytest.raises(StorageError, match="run again"):
        process(recording, source, Target(out, "out.mp4"), ffmpeg, Options(spool=spool))
    assert list(out.root.rglob("*")) == []


def test_bytes_that_are_not_what_the_store_has(weed, convert, tmp_path):
    source = Between(filled(weed), reading=flipped([SLICES[1]]))
    report = convert(source, LocalStorage(tmp_path / "out"))
    assert report.verdict is Verdict.DEGRADED
    (wrong,) = [f for f in report.findings if f.id == "SEG_ETAG"]
    assert wrong.segment == SLICES[1]
    assert source.storage.head(SLICES[1]).etag in wrong.detail


def test_a_store_whose_etags_are_no_digests(weed, convert, tmp_path):
    def other(found: StoredObject) -> StoredObject:
        return replace(found, etag=f"{hash(found.key) % 2**128:032x}")

    source = Between(filled(weed), listing=other, trust_etags=False)
    report = convert(source, LocalStorage(tmp_path / "out"))
    assert report.verdict is Verdict.OK


def test_an_answer_cut_short_is_asked_for_again(weed, convert, tmp_path):
    once = set(SLICES)

    def reading(key: str, chunks: Chunks) -> Chunks:
        if key not in once:
            yield from chunks
            return
        once.remove(key)
        yield next(chunks)[:1000]
        raise StorageError("the connection broke")

    source = Between(filled(weed), reading=reading)
    assert convert(source, LocalStorage(tmp_path / "out")).verdict is Verdict.OK
    assert source.segments == sorted(SLICES * 2)


# Carrying on


def test_a_crash_half_way_is_cured_by_running_again(weed, convert, tmp_path, spool):
    bucket, out = filled(weed), LocalStorage(tmp_path / "out")
    first = Between(bucket, reading=killed(SLICES[2:]))
    with pytest.raises(Killed):
        convert(first, out)
    assert len(left_in(spool)) == 2
    assert list(out.root.rglob("*")) == []
    second = Between(bucket)
    assert convert(second, out).verdict is Verdict.OK
    assert second.segments == SLICES[2:]
    assert left_in(spool) == []


@pytest.mark.parametrize("how", ["shorter", "changed", "emptied"])
def test_what_the_crash_left_is_not_trusted(weed, convert, tmp_path, spool, how):
    bucket, out = filled(weed), LocalStorage(tmp_path / "out")
    with pytest.raises(Killed):
        convert(Between(bucket, reading=killed(SLICES[1:])), out)
    (left,) = (path for path in spool.rglob("*.segment"))
    data = bytearray(left.read_bytes())
    data[50_000] ^= 1
    left.write_bytes({"shorter": data[:-188], "changed": data, "emptied": b""}[how])
    again = Between(bucket)
    assert convert(again, out).verdict is Verdict.OK
    assert again.segments == SLICES


def test_a_segment_that_is_another_version_meanwhile_is_fetched_again(weed, convert, tmp_path):
    bucket, out = filled(weed), LocalStorage(tmp_path / "out")
    with pytest.raises(Killed):
        convert(Between(bucket, reading=killed(SLICES[2:])), out)
    same = (COMPOSITE / SLICES[0]).read_bytes()
    cut = same[: len(same) // 188 // 2 * 188]
    weed.client.put_object(Bucket=bucket.bucket, Key=SLICES[0], Body=cut)
    again = Between(bucket)
    assert convert(again, out).verdict is Verdict.DEGRADED
    assert again.segments == [SLICES[0], *SLICES[2:]]


@pytest.mark.parametrize("stage", ["out.mp4", "out.receipt.json"])
def test_a_crash_while_publishing_is_cured_by_running_again(weed, convert, spool, stage):
    source, bucket = filled(weed), empty(weed)

    def die(key: str) -> None:
        if key == stage:
            raise Killed

    with pytest.raises(Killed):
        convert(source, Between(bucket, before_put=die))
    assert keys(bucket) == ([] if stage == "out.mp4" else ["out.mp4"])
    report = convert(source, bucket)
    assert report.verdict is Verdict.OK
    assert keys(bucket) == ["out.mp4", "out.receipt.json"]
    assert json.loads(content(bucket, "out.receipt.json"))["output"]["sha256"] == report.sha256
    assert left_in(spool) == []


# Never half, never in the way


def test_nothing_stands_under_the_final_key_until_it_is_whole(weed, convert):
    bucket = empty(weed)
    seen = []
    to = Between(bucket, before_put=lambda key: seen.append((key, keys(bucket))))
    assert convert(filled(weed), to).verdict is Verdict.OK
    assert seen == [("out.mp4", []), ("out.receipt.json", ["out.mp4"])]


def test_what_somebody_else_put_there_stays(weed, convert, tmp_path):
    bucket = empty(weed)
    weed.client.put_object(Bucket=bucket.bucket, Key="out.mp4", Body=b"dear")
    with pytest.raises(ExistsError, match="--force"):
        convert(filled(weed), bucket)
    assert content(bucket, "out.mp4") == b"dear"
    assert convert(filled(weed), bucket, force=True).verdict is Verdict.OK
    assert len(content(bucket, "out.mp4")) > 1000


def test_no_room_is_found_before_a_byte_is_fetched(weed, convert, tmp_path, spool):
    def huge(found: StoredObject) -> StoredObject:
        return replace(found, size=1 << 50) if found.key == SLICES[3] else found

    source = Between(filled(weed), listing=huge)
    with pytest.raises(DiskFullError, match="needed for the segments"):
        convert(source, LocalStorage(tmp_path / "out"))
    assert source.segments == []
    assert left_in(spool) == []
    assert list((tmp_path / "out").rglob("*")) == []


def test_check_makes_nothing(weed, spool):
    source = Between(filled(weed))
    (recording,) = discover(source, "")
    report = check(recording, source, Options(spool=spool))
    assert report.verdict is Verdict.OK
    assert source.put_keys == []
    assert left_in(spool) == []


# Two machines at once publish once


@pytest.mark.parametrize("store", ["weed", "rclone"])
def test_two_machines_at_once_publish_once(request, ffmpeg, tmp_path, store):
    server = request.getfixturevalue(store)
    # with the patience of the command: rclone answers 500 for what is just being overwritten
    keys_of_both = Credentials(server.access_key, server.secret_key)
    bucket, url = server.new_bucket(), server.endpoint_url
    source, to = filled(server), connect(bucket, endpoint_url=url, credentials=keys_of_both)
    (recording,) = discover(source, "")
    together = Barrier(2)

    def machine(number: int) -> Report:
        spool = tmp_path / f"spool{number}"
        mine = Between(to, before_put=lambda key: together.wait(60) if "receipt" in key else None)
        # a folder of its own: no lock is shared
        return process(recording, source, Target(mine, "out.mp4"), ffmpeg, Options(spool=spool))

    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(machine, range(2)))
    assert {report.verdict for report in reports} == {Verdict.OK}
    receipt = json.loads(content(to, "out.receipt.json"))
    file = receipt["output"]["file"]
    assert hashlib.sha256(content(to, file)).hexdigest() == receipt["output"]["sha256"]
    assert to.url(file) in {report.output for report in reports}
    if store == "weed":
        assert keys(to) == ["out.mp4", "out.receipt.json"]
    else:
        assert re.fullmatch(r"out\.[0-9a-f]{16}\.mp4", file)
        assert all(report.output.partition(f"{to.bucket}/")[2] in keys(to) for report in reports)
    to._client.close()


def test_a_store_that_ignores_conditions_is_published_to_all_the_same(rclone, convert):
    source, to = filled(rclone), empty(rclone)
    first = convert(source, to)
    assert first.verdict is Verdict.OK
    file = first.output.rpartition("/")[2]
    assert keys(to) == sorted([file, "out.receipt.json"])
    again = convert(source, to)
    assert (again.output, again.sha256) == (first.output, first.sha256)
    forced = convert(source, to, force=True)
    assert forced.output != first.output
    assert keys(to) == sorted([forced.output.rpartition("/")[2], "out.receipt.json"])


# Credentials


@pytest.fixture
def no_aws(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in NO_AWS.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_no_credentials(weed, no_aws):
    storage = connect(weed.bucket, endpoint_url=weed.endpoint_url)
    with pytest.raises(UsageError, match="AWS_ACCESS_KEY_ID"):
        discover(storage, "")


def test_wrong_credentials(weed, no_aws):
    no_aws.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    no_aws.setenv("AWS_SECRET_ACCESS_KEY", "mistyped-but-still-secret")
    storage = connect(weed.bucket, endpoint_url=weed.endpoint_url)
    with pytest.raises(DeniedError, match="check the secret key") as raised:
        discover(storage, "")
    assert "mistyped" not in str(raised.value)


def test_no_such_bucket(weed):
    with pytest.raises(NotFoundError, match="no such bucket"):
        discover(S3Storage("nobodys-bucket", "", weed.client), "")


def test_a_bucket_with_no_recording_says_what_is_there(weed):
    bucket = empty(weed)
    with pytest.raises(RecpipeError, match="nothing is there"):
        discover(bucket, "")


# The command


def recpipe(server: S3Server, spool: Path, *args: str, **environment: str):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "RECPIPE_"))}
    env = {**clean, **server.environment, "RECPIPE_SPOOL": str(spool), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pipeline", *args]
    return subprocess.run(
        command, env={**env, **environment}, capture_output=True, text=True, check=False
    )


@pytest.mark.usefixtures("ffmpeg")
def test_no_secret_in_what_the_command_says_or_leaves(weed, spool):
    source, to = filled(weed, prefix="in/"), empty(weed)
    source.delete(SLICES[1])
    where = (f"s3://{source.bucket}/in/", "-o", f"s3://{to.bucket}/out/")
    ended = recpipe(weed, spool, "convert", *where, "--json", "--debug")
    assert ended.returncode == 3
    line = json.loads(ended.stdout)
    assert line["output"] == f"s3://{to.bucket}/out/{PLAYLIST.replace('m3u8', 'mp4')}"
    receipt = content(to, f"out/{PLAYLIST.replace('m3u8', 'receipt.json')}").decode()
    for text in (ended.stdout, ended.stderr, receipt):
        assert SECRET_KEY not in text
        assert "Signature" not in text
        assert ACCESS_KEY not in text


@pytest.mark.parametrize(
    ("environment", "advice"),
    [
        pytest.param({"AWS_SECRET_ACCESS_KEY": "mistyped"}, "check the secret key", id="wrong"),
        pytest.param({"AWS_ACCESS_KEY_ID": "who"}, "check the access key", id="unknown"),
    ],
)
def test_the_command_says_what_is_wrong_with_the_credentials(weed, spool, environment, advice):
    where = (f"s3://{weed.bucket}/in/", "-o", str(spool))
    ended = recpipe(weed, spool, "convert", *where, **environment)
    assert ended.returncode == 2
    assert advice in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert not any(value in ended.stderr for value in environment.values())
