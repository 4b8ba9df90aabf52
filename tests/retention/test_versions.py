"""What a bucket keeps of deleted objects, as a trash."""

from dataclasses import replace

import pytest

from pipeline.retention import document
from pipeline.retention.plan import GuardError
from pipeline.storage.s3.versions import S3Versions
from tests.retention.conftest import everything, get, in_buckets, keeping_versions, put


@pytest.fixture(params=["weed", "moto"])
def kept(request, tmp_path, clock):
    """Two recordings in a bucket that keeps versions."""
    yard = keeping_versions(in_buckets(request.getfixturevalue(request.param), tmp_path, clock))
    for number in range(2):
        yard.published(number)
    return yard


def all_versions(yard) -> list[str]:
    """Keys of every version and marker in the source's bucket."""
    client, bucket = yard.source.versions()._client, yard.source.bucket
    told = client.list_object_versions(Bucket=bucket)
    return [one["Key"] for kind in ("Versions", "DeleteMarkers") for one in told.get(kind, ())]


def problems(done) -> list[str]:
    return [one.problem for one in done if one.problem]


def test_nothing_is_copied_and_nothing_is_left(kept):
    kept.survey()
    count = len(all_versions(kept))
    assert problems(kept.apply()) == []
    assert kept.slices() == []
    assert [k for k in everything(kept.source) if "/objects/" in k] == []
    # a marker for each of eight objects; the probe and the plan are versions as well
    assert len([k for k in all_versions(kept) if ".trash/" not in k]) == count + 8
    assert problems(kept.purge()) == []
    assert all_versions(kept) == []


def test_an_older_version_does_not_come_to_light(kept):
    key = kept.slices()[0]
    now = get(kept.source, key)
    put(kept.source, key, b"of long ago", kept.spool)
    put(kept.source, key, now, kept.spool)
    for id in list(kept.made):
        kept.publish(id)
    kept.survey()
    kept.apply()
    assert problems(kept.purge()) == []
    assert kept.slices() == []
    assert {v.etag for v in kept.source.versions().of(key)} >= {None}  # its marker stays


def test_what_came_later_is_neither_replaced_nor_purged(kept):
    kept.survey()
    key = kept.slices()[0]
    kept.apply()
    put(kept.source, key, b"another recording", kept.spool)
    (problem,) = problems(kept.restore())
    assert "another object is there" in problem
    assert get(kept.source, key) == b"another recording"
    kept.purge()
    assert get(kept.source, key) == b"another recording"
    versions = kept.source.versions().of(key)
    assert [v.latest for v in versions if not v.marker] == [True]


def test_what_was_deleted_once_more_comes_back(kept):
    before = everything(kept.source)
    kept.survey()
    kept.apply()
    kept.source.delete(next(iter(before)))
    assert problems(kept.restore()) == []
    assert everything(kept.source) == before


def test_what_somebody_brought_back_himself_is_not_purged(kept):
    kept.survey()
    key = kept.slices()[0]
    kept.apply()
    versions = kept.source.versions()
    (marker,) = (version for version in versions.of(key) if version.marker)
    versions.remove(key, marker.id)
    before = get(kept.source, key)
    kept.purge()
    assert get(kept.source, key) == before
    assert kept.slices() == [key]


def test_a_bucket_that_keeps_versions_no_more_is_left_alone(kept):
    before = everything(kept.source)
    kept.survey()
    kept.source.versions()._client.put_bucket_versioning(
        Bucket=kept.source.bucket, VersioningConfiguration={"Status": "Suspended"}
    )
    with pytest.raises(GuardError, match="keeps no versions"):
        kept.apply()
    assert everything(kept.source) == before


def test_what_went_before_that_still_comes_back(tmp_path, clock, weed):
    """Not with moto, which cannot delete a version while versioning is suspended."""
    kept = keeping_versions(in_buckets(weed, tmp_path, clock))
    kept.published(1)
    before = everything(kept.source)
    kept.survey()
    kept.apply()
    kept.source.versions()._client.put_bucket_versioning(
        Bucket=kept.source.bucket, VersioningConfiguration={"Status": "Suspended"}
    )
    assert problems(kept.restore()) == []
    assert everything(kept.source) == before


def test_a_version_that_is_no_longer_the_one_is_not_brought_back(kept, monkeypatch):
    kept.survey()
    kept.apply()
    monkeypatch.setattr(S3Versions, "sha256", lambda *_: "0" * 64)
    assert len(problems(kept.restore())) == 2
    assert kept.slices() == []


@pytest.mark.parametrize("where", ["folder", "bucket"])
def test_only_a_bucket_with_versioning_has_this_trash(where, yard, request, tmp_path, clock):
    if where == "bucket":
        yard = in_buckets(request.getfixturevalue("weed"), tmp_path, clock)
    yard = replace(yard, trash=document.VERSIONS)
    yard.published(1)
    with pytest.raises(GuardError, match="--trash copy"):
        yard.survey()
    assert not yard.plan.exists()


def test_versions_of_what_begins_so(kept):
    """Below the prefix of the store, and without a look at what else the bucket holds."""
    first, *_, last = kept.slices()
    kept.source.delete(first)
    versions = kept.source.versions()
    assert [(key, one.marker) for key, one in versions.all(first)] == [
        (first, False),
        (first, True),
    ]
    assert {key for key, _ in versions.all("2026/")} == {first, *kept.slices()}
    assert [key for key, _ in versions.all(last)] == [last]
    assert list(versions.all("calls/")) == []
