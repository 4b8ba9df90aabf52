"""Each look at the stores forbids by itself, also where the rules of the plan let something go."""

import hashlib
import json

import pytest
from msgspec.structs import replace

from pipeline.retention.interlocks import Checks, protected
from pipeline.stages.publish import piece_key
from pipeline.storage.local import LocalStorage
from pipeline.storage.s3.store import S3Storage
from tests.retention.conftest import get, in_buckets, put


@pytest.fixture
def one(yard):
    """A recording that may go: its receipt's key and digest, and its objects."""
    id = yard.published(1)
    return Planned(yard, id)


class Planned:
    def __init__(self, yard, id):
        self.yard, self.id, self.receipt = yard, id, f"{id}.receipt.json"
        self.sha256 = hashlib.sha256(get(yard.results, self.receipt)).hexdigest()
        self.keys = yard.slices()

    def why(self, checks: Checks | None = None, **chosen) -> str | None:
        checks = checks or self.yard.checks()
        told = {"receipt_sha256": self.sha256, **chosen}
        return checks.refusal(self.receipt, self.keys, **told)

    def told(self, **changes) -> str:
        """Another receipt in its place; returns its digest."""
        made = {**json.loads(get(self.yard.results, self.receipt)), **changes}
        put(self.yard.results, self.receipt, json.dumps(made).encode(), self.yard.spool)
        return Planned(self.yard, self.id).sha256


def test_what_nothing_speaks_against_may_go(one):
    assert one.why() is None


def test_another_receipt_than_that_of_the_plan(one):
    assert one.why(receipt_sha256="0" * 64) == "its receipt is not the one that was planned with"


def test_no_receipt_any_more(one):
    one.yard.results.delete(one.receipt)
    assert "no such" in one.why()


def test_a_hold_beside_it(one):
    put(one.yard.results, f"{one.id}.hold", b"", one.yard.spool)
    assert one.why() == "held"


def test_a_verdict_that_was_planned_with_but_is_not_good_enough(one):
    now = one.told(verdict="degraded")
    assert one.why(receipt_sha256=now) == "verdict degraded"
    loose = one.yard.checks(include_degraded=True)
    assert one.why(loose, receipt_sha256=now) is None
    now = one.told(proof={"counts": True, "timestamps": True, "bytes": False})
    assert one.why(loose, receipt_sha256=now) == "not proven"


def test_the_ledger_and_the_archive_are_asked(one):
    checks = one.yard.checks()
    assert one.why(replace(checks, ledger=lambda published: "held there")) == "held there"
    assert one.why(replace(checks, archived=lambda published: "not archived")) == "not archived"
    assert one.why(replace(checks, ledger=lambda _: None, archived=lambda _: None)) is None


@pytest.mark.parametrize("suffix", [".mp4", ".receipt.json"])
def test_neither_result_nor_receipt_may_be_among_what_goes(one, suffix):
    """By the file itself, whatever stores and keys lead to it."""
    checks = replace(one.yard.checks(), source=LocalStorage(one.yard.home))
    one.keys = [f"results/{one.id}{suffix}"]
    assert one.why(checks) == "its result is one of its sources"


def test_a_link_that_leads_to_the_result_is_the_result(one):
    (one.yard.home / "linked").symlink_to(one.yard.results.root)
    one.keys = [f"linked/{one.id}.mp4"]
    around = replace(one.yard.checks(), source=LocalStorage(one.yard.home))
    assert one.why(around) == "its result is one of its sources"


def test_in_buckets_the_address_tells_the_result(moto, tmp_path, clock):
    yard = in_buckets(moto, tmp_path, clock)
    one = Planned(yard, yard.published(1))
    assert one.why() is None
    one.keys = [f"mp4/{one.id}.mp4"]
    around = replace(yard.checks(), source=S3Storage(yard.results.bucket, "", moto.client))
    assert one.why(around) == "its result is one of its sources"


def test_a_result_in_the_trash_proves_nothing(one):
    yard = one.yard
    home = yard.results.root / ".trash"
    home.mkdir()
    for suffix in (".mp4", ".receipt.json"):
        (yard.results.root / f"{one.id}{suffix}").rename(home / f"{one.id}{suffix}")
    one.receipt = f".trash/{one.id}.receipt.json"
    assert one.why() == "its result lies in the trash"
    inside = replace(yard.checks(), results=LocalStorage(home))
    one.receipt = f"{one.id}.receipt.json"
    assert one.why(inside) == "its result lies in the trash"


def test_a_result_with_another_size_or_another_byte(one):
    data = get(one.yard.results, f"{one.id}.mp4")
    put(one.yard.results, f"{one.id}.mp4", data[:-1] + b"?", one.yard.spool)
    assert "SHA-256 differs" in one.why()
    assert one.why(one.yard.checks(verify="head")) is None
    put(one.yard.results, f"{one.id}.mp4", data + b"?", one.yard.spool)
    assert f"has {len(data) + 1} bytes, the receipt says {len(data)}" in one.why()
    assert "bytes" in one.why(one.yard.checks(verify="head"))


def test_every_file_of_a_result_is_read_again(one):
    """Where a format changed it became several; the second is as good a reason as the first."""
    yard, pieces = one.yard, []
    for number, data in ((1, b"first"), (2, b"second")):
        key = piece_key(f"{one.id}.mp4", number)
        put(yard.results, key, data, yard.spool)
        pieces.append({"file": key, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()})
    output = json.loads(get(yard.results, one.receipt))["output"]
    now = one.told(pieces=pieces, output={**output, **pieces[0]})
    assert one.why(receipt_sha256=now) is None
    around = replace(yard.checks(), source=LocalStorage(yard.home))
    one.keys = [f"results/{key}"]
    assert one.why(around, receipt_sha256=now) == "its result is one of its sources"
    put(yard.results, key, b"sECOND", yard.spool)
    one.keys = []
    assert one.why(receipt_sha256=now) == (
        f"its result {key} is not the one of the receipt: SHA-256 differs"
    )


def test_a_store_that_forbids_is_asked_of_every_object(yard):
    class Locked(LocalStorage):
        def protection(self, key):
            return "legal hold" if key == "2026/b" else None

    source = Locked(yard.source.root)
    assert protected(source, ["2026/a", "2026/b"]) == "b: legal hold"
    assert protected(source, ["2026/a"]) is None
