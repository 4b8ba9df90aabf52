"""Listings in the order of the keys, whatever order they come in, in little memory."""

import random
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import StorageError
from pipeline.model import StoredObject
from pipeline.storage import order
from pipeline.storage.s3.store import connect


def entries(keys) -> list[StoredObject]:
    return [StoredObject(key, n, f"e{n}", n + 0.5) for n, key in enumerate(keys)]


@given(st.lists(st.text(), unique=True), st.integers(1, 5))
def test_sorted_in_runs_is_sorted(keys, run):
    found = entries(keys)
    kept, order.RUN = order.RUN, run
    try:
        assert list(order.in_order(found)) == sorted(found, key=lambda one: one.key)
    finally:
        order.RUN = kept


def test_an_order_that_was_promised_is_checked():
    assert [one.key for one in order.checked(entries("abc"), "list s3://b/")] == ["a", "b", "c"]
    found = order.checked(entries("acb"), "list s3://b/")
    assert (next(found).key, next(found).key) == ("a", "c")
    with pytest.raises(StorageError, match="'b' came after 'c'"):
        next(found)


def test_a_long_listing_is_not_held_in_memory(monkeypatch):
    monkeypatch.setattr(order, "RUN", 2000)
    keys = [f"2026/{n:08}" for n in range(40_000)]
    random.Random(1).shuffle(keys)
    tracemalloc.start()
    before = ""
    for one in order.in_order(StoredObject(key, 1, "e", 1.0) for key in keys):
        assert one.key > before
        before = one.key
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 << 20  # 40,000 of them are 12 MB


@pytest.mark.parametrize(
    ("bucket", "endpoint", "ordered"),
    [
        ("calls", None, True),
        ("calls--use1-az4--x-s3", None, False),
        ("calls", "http://127.0.0.1:9", False),
    ],
)
def test_who_promises_the_order(bucket, endpoint, ordered, monkeypatch):
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    storage = connect(bucket, endpoint_url=endpoint, region="us-east-1")
    assert storage._ordered is ordered
    assert storage.putting(tags={"a": "b"})._ordered is ordered


def test_a_listing_of_s3_is_passed_on_as_it_comes():
    """The first entry comes after one page, and an order that is broken is an error."""
    from pipeline.storage.s3.store import S3Storage

    class Pages:
        def paginate(self, **_):
            from datetime import UTC, datetime

            for keys in ("ab", "dc"):
                when = datetime(2026, 1, 1, tzinfo=UTC)
                yield {
                    "Contents": [
                        {"Key": key, "Size": 1, "ETag": '"e"', "LastModified": when} for key in keys
                    ]
                }

    class Client:
        def get_paginator(self, _):
            return Pages()

    listing = S3Storage("calls", "", Client(), ordered=True).list()
    assert [next(listing).key for _ in range(3)] == ["a", "b", "d"]
    with pytest.raises(StorageError, match="not the order of S3"):
        next(listing)
    assert [one.key for one in S3Storage("calls", "", Client()).list()] == ["a", "b", "c", "d"]
