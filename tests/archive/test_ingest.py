"""A bag appears whole, holds everything bit by bit, and is made once."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from pipeline.archive import catalogue
from pipeline.archive.bagit import bag, places, staging
from pipeline.archive.bagit.places import Form
from pipeline.archive.bagit.staging import Archive
from pipeline.archive.ingest import Ingested
from pipeline.errors import ExistsError, StorageError, UsageError
from pipeline.jobs.outcomes import Failure
from pipeline.storage.s3.store import S3Storage
from tests.archive.conftest import Home, files, root, slices, untar
from tests.archive.test_premis import P, validate


def test_a_bag_holds_everything_bit_by_bit_under_its_own_name(bagged):
    held = files(bagged.bag)
    for path in bagged.source.iterdir():
        assert held[f"data/original/{path.name}"] == path.read_bytes()
    assert held[f"data/access/{bagged.mp4.name}"] == bagged.mp4.read_bytes()
    assert held[f"data/metadata/{bagged.receipt.name}"] == bagged.receipt.read_bytes()
    assert set(held) - {p for p in held if p.startswith(("data/original", "data/access"))} == {
        *("bagit.txt", "bag-info.txt", "bagit-profile.json"),
        *("manifest-sha256.txt", "manifest-sha512.txt"),
        *("tagmanifest-sha256.txt", "tagmanifest-sha512.txt"),
        *("data/metadata/recording.json", "data/metadata/premis.xml", "data/metadata/ffmpeg.log"),
        *("data/metadata/ffprobe.json", "data/metadata/mediainfo.xml"),
        f"data/metadata/{bagged.receipt.name}",
    }


def test_other_people_s_validators_accept_it(bagged, bagit, bagit_profile, mediaconch, sums):
    assert bagit(bagged.bag)
    assert bagit_profile(bagged.bag)
    assert sums(bagged.bag)
    assert mediaconch(bagged.bag / "data" / "access" / bagged.mp4.name)
    assert not mediaconch(next(slices(bagged)))


def test_bag_info_says_what_it_is(home):
    extra = {home.name: (("Contact-Name", "Zoë"), ("External-Description", "a\nb"))}
    home.ingest(organization="An archive", extra=extra)
    told = bag.parse_info((home.bag / "bag-info.txt").read_bytes())
    payload = [p for p in files(home.bag) if p.startswith("data/")]
    size = sum((home.bag / p).stat().st_size for p in payload)
    sid = home.name.partition("_")[0]
    assert told == {
        "Source-Organization": "An archive",
        "External-Identifier": f"agora:{sid}",
        "Recording": home.name,
        "Recording-Verdict": "ok",
        "Originals": "keep",
        "Contact-Name": "Zoë",
        "External-Description": "a b",
        "Bagging-Date": "2026-09-21",
        "Bag-Software-Agent": told["Bag-Software-Agent"],
        "Payload-Oxum": f"{size}.{len(payload)}",
        "BagIt-Profile-Identifier": bag.PROFILE,
    }


def test_its_events_are_premis_and_tell_who_did_what(bagged):
    premis = validate((bagged.bag / "data" / "metadata" / "premis.xml").read_bytes())
    assert [e.text for e in premis.iter(f"{P}eventType")] == [
        *("capture", "validation", "normalization", "metadata extraction"),
        *("message digest calculation", "fixity check", "ingestion"),
    ]
    agents = {e.text for e in premis.iter(f"{P}agentName")}
    assert agents == {"Agora Cloud Recording", "recpipe", "ffmpeg", "ffprobe", "MediaInfoLib"}
    digests = {e.text for e in premis.iter(f"{P}messageDigest")}
    for path in [bagged.mp4, *bagged.source.iterdir()]:
        assert hashlib.sha256(path.read_bytes()).hexdigest() in digests
        assert hashlib.sha512(path.read_bytes()).hexdigest() in digests


def test_metadata_does_not_tell_paths_of_this_machine(bagged):
    for name in ("ffprobe.json", "mediainfo.xml", "premis.xml", "ffmpeg.log"):
        text = (bagged.bag / "data" / "metadata" / name).read_text()
        assert str(bagged.root) not in text, name
        assert ".part" not in text, name


def test_ingest_twice_is_a_no_op(bagged):
    before = {p: p.stat().st_mtime_ns for p in bagged.bag.rglob("*")}
    (again,) = bagged.ingest()
    assert isinstance(again, Ingested)
    assert again.state == "present"
    assert {p: p.stat().st_mtime_ns for p in bagged.bag.rglob("*")} == before


def test_every_byte_is_read_and_hashed_once(home, monkeypatch):
    read: list[int] = []
    real = staging.digest

    def counted(chunks, write=None):
        return real((read.append(len(c)) or c for c in chunks), write)

    monkeypatch.setattr(staging, "digest", counted)
    home.ingest()
    made = sum(p.stat().st_size for p in home.bag.rglob("*") if p.is_file())
    tag_manifests = sum(p.stat().st_size for p in home.bag.glob("bagit.txt"))
    assert made <= sum(read) <= made + tag_manifests


def test_another_version_of_a_recording_is_refused(bagged):
    told = json.loads(bagged.receipt.read_text())
    bagged.receipt.write_text(json.dumps({**told, "software": "recpipe 9"}))
    before = files(bagged.bag)
    (refused,) = bagged.ingest()
    assert isinstance(refused, Failure)
    assert isinstance(refused.error, ExistsError)
    (refused,) = bagged.ingest(originals="none")
    assert isinstance(refused.error, ExistsError)
    assert files(bagged.bag) == before


@pytest.mark.parametrize("what", ["slice", "mp4"])
def test_what_is_not_what_the_receipt_says_is_not_archived(home, what):
    path = home.mp4 if what == "mp4" else next(home.source.glob("*.ts"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    (refused,) = home.ingest()
    assert isinstance(refused, Failure)
    assert isinstance(refused.error, StorageError)
    assert not home.bag.exists()


def test_originals_that_stay_are_in_fetch_txt_and_in_the_manifests(home, bagit):
    home.ingest(originals="fetch")
    stay = bag.parse_fetch((home.bag / "fetch.txt").read_bytes())
    listed = bag.parse_manifest((home.bag / "manifest-sha512.txt").read_bytes())
    assert not (home.bag / "data" / "original").exists()
    for path in home.source.iterdir():
        where = f"data/original/{path.name}"
        assert stay[where].url == path.as_uri()
        assert stay[where].size == path.stat().st_size
        assert listed[where] == hashlib.sha512(path.read_bytes()).hexdigest()
    shutil.copytree(home.source, home.bag / "data" / "original")  # what a reader does with it
    assert bagit(home.bag)


def test_originals_may_be_left_out(home, bagit):
    home.ingest(originals="none")
    assert not (home.bag / "data" / "original").exists()
    assert not (home.bag / "fetch.txt").exists()
    assert bagit(home.bag)


def test_a_tar_holds_the_same_bag(home, bagit, tmp_path):
    home.ingest(home.archive(Form.TAR))
    (tar,) = (home.root / "archive").glob("*.tar")
    untar(tar, tmp_path / "untarred")
    assert bagit(tmp_path / "untarred" / home.name)
    before = tar.stat().st_mtime_ns
    (again,) = home.ingest(home.archive(Form.TAR))
    assert again.state == "present"
    shutil.rmtree(home.root / "archive" / ".recpipe")  # what was remembered is gone
    (again,) = home.ingest(home.archive(Form.TAR))
    assert (again.state, tar.stat().st_mtime_ns) == ("present", before)


def test_a_bucket_gets_its_declaration_last(home, weed, monkeypatch):
    storage = S3Storage(weed.new_bucket(), "vault", weed.client)
    order: list[str] = []
    real = S3Storage.put

    def put(self, source, key, **kept):
        order.append(key)
        return real(self, source, key, **kept)

    monkeypatch.setattr(S3Storage, "put", put)
    (one,) = home.ingest(Archive(storage, storage))
    assert isinstance(one, Ingested), one
    assert order[-1] == f"{home.name}/bagit.txt"
    assert places.named(storage, home.name) is not None
    assert home.ingest(Archive(storage, storage))[0].state == "present"


def test_class_lock_and_tags_are_given_to_every_object(home, moto):
    name = "locked-bucket"
    moto.client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    storage = S3Storage(name, "", moto.client)
    until = time.time() + 86400
    bags = storage.putting(
        storage_class="STANDARD_IA", tags={"case": "a b"}, lock="governance", locked_until=until
    )
    (one,) = home.ingest(Archive(storage, bags))
    assert isinstance(one, Ingested), one
    keys = [found.key for found in storage.list(f"{home.name}/")]
    for key in keys:
        head = moto.client.head_object(Bucket=name, Key=key)
        assert head["StorageClass"] == "STANDARD_IA"
        assert head["ObjectLockMode"] == "GOVERNANCE"
        tags = moto.client.get_object_tagging(Bucket=name, Key=key)["TagSet"]
        assert tags == [{"Key": "case", "Value": "a b"}]


def test_an_ingest_that_was_stopped_goes_on(home, monkeypatch):
    """Nothing is visible before the end; what was copied is not copied again."""
    real, seen = staging.Staging.copy, []

    def stop(self, source, key, path, **kept):
        if len(seen) == 2:
            raise StorageError("gone")
        seen.append(path)
        return real(self, source, key, path, **kept)

    monkeypatch.setattr(staging.Staging, "copy", stop)
    monkeypatch.setattr("pipeline.archive.ingest.COPIERS", 1)
    (failed,) = home.ingest()
    assert isinstance(failed, Failure)
    assert not home.bag.exists()
    assert places.places(home.archive().storage) == []
    copied = []

    def go_on(self, source, key, path, **kept):
        before = dict(self._known)
        real(self, source, key, path, **kept)
        copied.extend([path] if path not in before else [])

    monkeypatch.setattr(staging.Staging, "copy", go_on)
    (one,) = home.ingest()
    assert one.state == "ingested"
    assert not set(copied) & set(seen)
    assert {p.name for p in (home.root / "archive").iterdir()} == {home.name, ".recpipe-ingest"}
    assert not any((home.root / "archive" / ".recpipe-ingest").iterdir())


KILLED = """
import sys, time
from pathlib import Path
from tests.archive.conftest import Home
from pipeline.muxing.locate import locate
from pipeline.archive.bagit.places import Form
home = Home(Path(sys.argv[1]), locate())
print("go", flush=True)
print(home.ingest(home.archive(Form(sys.argv[2]))))
"""


@pytest.mark.parametrize("form", list(Form))
def test_a_bag_is_whole_or_not_there_whenever_it_is_killed(home, bagit, form, tmp_path):
    for number in range(int(os.environ.get("RECPIPE_TEST_ROUNDS", "4"))):
        argv = [sys.executable, "-c", KILLED, str(home.root), form.value]
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
        process.stdout.readline()
        time.sleep(0.02 + 0.01 * (number * 7 % 20))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        _whole_or_not_there(home, form, bagit, tmp_path)
        shutil.rmtree(home.root / "archive", ignore_errors=True) if number % 3 == 2 else None
    (one,) = home.ingest(home.archive(form))
    assert isinstance(one, Ingested), one
    assert _whole_or_not_there(home, form, bagit, tmp_path)


def _whole_or_not_there(home: Home, form: Form, bagit, tmp_path: Path) -> bool:
    folder = home.bag
    if form is Form.TAR:
        tar = folder.with_name(f"{home.name}.tar")
        folder = tmp_path / "untarred" / home.name
        if tar.exists():
            untar(tar, tmp_path / "untarred")
    if folder.exists():
        assert bagit(folder)
        return True
    return False


def test_a_folder_is_ingested_and_what_cannot_be_is_named(home):
    shutil.copy(home.mp4, home.out / "no receipt.mp4")
    (home.out / "broken.receipt.json").write_text('{"schema": 1}')
    outcomes = home.ingest()
    failed = {o.source: o.message for o in outcomes if isinstance(o, Failure)}
    assert [o.state for o in outcomes if isinstance(o, Ingested)] == ["ingested"]
    assert len(failed) == 2
    assert any("no receipt beside it" in said for said in failed.values())
    assert any("not a receipt of this tool" in said for said in failed.values())


def test_two_of_one_name_are_not_put_into_one_bag(home):
    shutil.copytree(home.out, home.out / "again")
    first, second = home.ingest()
    assert first.state == "ingested"
    assert "would be called like" in second.message


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("name,Contact-Name\na,b\n", "no column 'recording'", id="no key"),
        pytest.param("recording,Payload-Oxum\na,1.1\n", "set by this tool", id="ours"),
        pytest.param("recording,A\na,1\na,2\n", "second time", id="twice"),
        pytest.param("recording,A\na\n", "1 values, expected 2", id="short"),
        pytest.param('recording,A\na,"x\n', "not CSV", id="open quote"),
    ],
)
def test_a_catalogue_that_is_wrong_is_refused(tmp_path, text, why):
    (tmp_path / "more.csv").write_text(text)
    with pytest.raises(UsageError, match=why):
        catalogue.read(tmp_path / "more.csv")


def test_a_catalogue_is_read_by_recording(tmp_path):
    (tmp_path / "more.csv").write_bytes('﻿Contact-Name,recording\n"Zoë, X",a\n,b\n'.encode())
    found = catalogue.read(tmp_path / "more.csv")
    assert found == {"a": (("Contact-Name", "Zoë, X"),), "b": ()}


def test_an_unknown_object_of_a_bucket_belongs_in_no_bag(home, weed):
    storage = S3Storage(weed.new_bucket(), "", weed.client)
    weed.client.put_object(Bucket=storage.bucket, Key=f"{home.name}/data/other", Body=b"x")
    (failed,) = home.ingest(Archive(storage, storage))
    assert "not of this bag" in failed.message
    assert places.named(storage, home.name) is None


def test_originals_are_found_where_they_were_moved(home):
    moved = home.root / "elsewhere"
    home.source.rename(moved)
    (failed,) = home.ingest()
    assert isinstance(failed, Failure)
    from pipeline.archive import bulk
    from pipeline.archive.order import Bagging, Order
    from pipeline.storage.locations import open_storage

    found = bulk.published_in([str(home.receipt)], open_storage)
    order = Order(source=str(moved), spool=home.root / "spool")
    (one,) = bulk.ingest_all(
        found, root, Bagging(home.archive(), order, home.ffmpeg), now=time.time
    )
    assert one.state == "ingested"


def test_a_receipt_in_a_bucket_cannot_name_files_of_this_machine(home, weed):
    from pipeline.archive import bulk
    from pipeline.archive.order import Bagging, Order

    results = S3Storage(weed.new_bucket(), "mp4", weed.client)
    for path in home.out.iterdir():
        weed.client.put_object(
            Bucket=results.bucket, Key=f"mp4/{path.name}", Body=path.read_bytes()
        )
    order = Order(spool=home.root / "spool")
    found = bulk.published_in(["s3://"], lambda _: (results, ""))
    (one,) = bulk.ingest_all(
        found, root, Bagging(home.archive(), order, home.ffmpeg), now=time.time
    )
    assert isinstance(one, Failure)
    assert "--source" in one.message
    found = bulk.published_in(["s3://"], lambda _: (results, ""))
    order = replace(order, source=str(home.source))
    (one,) = bulk.ingest_all(
        found, root, Bagging(home.archive(), order, home.ffmpeg), now=time.time
    )
    assert one.state == "ingested"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"inputs": [{"key": "../../etc/passwd", "size": 1, "etag": None}]}, id="out"),
        pytest.param({"inputs": 7}, id="a number"),
        pytest.param({"output": None}, id="no output"),
        pytest.param({"verdict": "fine"}, id="no verdict"),
        pytest.param({"settings": {"format": "exe"}}, id="no format"),
        pytest.param({"muxer": {"command": "rm", "messages": []}}, id="a string for a list"),
        pytest.param({"findings": [1]}, id="no findings"),
        pytest.param({"source": "elsewhere"}, id="a source that is no input"),
        pytest.param({"schema": 99}, id="of the future"),
    ],
)
def test_a_hostile_receipt_is_refused_in_one_line(home, change):
    home.receipt.write_text(json.dumps({**json.loads(home.receipt.read_text()), **change}))
    (one,) = home.ingest()
    assert isinstance(one, Failure)
    assert isinstance(one.error, UsageError)
    assert "\n" not in one.message
    assert not (home.root / "archive").exists()
