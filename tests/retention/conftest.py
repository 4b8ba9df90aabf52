"""Recordings that were published, by the thousand: MP4 and receipt are put there as publish does.

The MP4 is not one here: what conversion makes is tested elsewhere, cleanup compares digests.
"""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.agora import names
from pipeline.choices import Format
from pipeline.ledger.ledger import Ledger
from pipeline.model import Proof, Report, SourceFile, StoredObject, Verdict
from pipeline.receipts.write import CONVERTED, receipt
from pipeline.retention import document
from pipeline.retention.apply import Done, Work, apply, purge, restore
from pipeline.retention.audit import Audit, to_ledger
from pipeline.retention.interlocks import Checks, asked
from pipeline.retention.plan import Rules
from pipeline.retention.survey import Survey, Where, survey
from pipeline.stages import publish
from pipeline.storage import Storage
from pipeline.storage.local import LocalStorage
from pipeline.storage.s3.store import S3Storage

EPOCH = 1_772_442_002.12
OLD = 90 * 86400.0
ALL = Rules(older_than=0.0, max_delete=10**9, max_fraction=1.0)


def put(storage: Storage, key: str, data: bytes, spool: Path) -> StoredObject:
    """Store bytes."""
    spool.mkdir(parents=True, exist_ok=True)
    path = spool / "put"
    path.write_bytes(data)
    sha256 = hashlib.sha256(data).hexdigest()
    stored = storage.put(path, key, sha256=sha256, content_type="application/octet-stream")
    path.unlink()
    return stored


def get(storage: Storage, key: str) -> bytes:
    """All bytes of an object."""
    return b"".join(storage.open(key))


def everything(storage: Storage) -> dict[str, bytes]:
    """What a store holds."""
    return {found.key: get(storage, found.key) for found in storage.list()}


@dataclass
class Yard:
    """A source, a destination, and everything cleanup needs."""

    source: Storage
    results: Storage
    home: Path
    clock: Callable[[], float]
    archived: Callable[[Any], str | None] | None = None
    ledger: Ledger | None = None
    trash: str = document.COPY
    made: list[str] = field(default_factory=list)

    @property
    def spool(self) -> Path:
        return self.home / "spool"

    @property
    def plan(self) -> Path:
        return self.home / "plan.json"

    def sid(self, number: int) -> str:
        return hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest()

    def record(self, number: int, *, count: int = 3, cname: str = "room", age: float = OLD) -> str:
        """Slices and playlist of a recording; returns its id."""
        sid = self.sid(number)
        begin = EPOCH + number * 3600
        keys = [names.slice_name(sid, cname, begin + 4 * n) for n in range(count)]
        for key in [*keys, names.playlist_name(sid, cname)]:
            put(self.source, f"2026/{key}", f"{key} {number}".encode() * 9, self.spool)
            self.age(self.source, f"2026/{key}", age)
        return names.stem(sid, cname)

    def publish(
        self,
        id: str,
        *,
        verdict: str = "ok",
        format: str = "mp4",
        data: bytes | None = None,
        age: float = OLD,
        **told: Any,
    ) -> str:
        """MP4 and receipt of what is in the source now; returns the receipt's key."""
        inputs = []
        for found in self.source.list(f"2026/{id}"):
            sha256 = hashlib.sha256(get(self.source, found.key)).hexdigest()
            inputs.append(SourceFile(found.key, found.size, found.etag, sha256))
        inputs.sort(key=lambda one: (not one.key.endswith(".m3u8"), one.key))
        if data is None:
            slices = b"".join(get(self.source, one.key) for one in inputs[1:])
            data = f"the MP4 of {id}".encode() + slices
        key = f"{id}.{format}"
        url = self.source.url(f"2026/{id}.m3u8")
        sha256 = hashlib.sha256(data).hexdigest()
        report = Report(
            id, url, Verdict(verdict), size=len(data), sha256=sha256, proof=Proof(True, True, True)
        )
        note = receipt(
            report,
            inputs,
            settings={"format": format, "on_loss": "hold"},
            muxer={"version": "1", "command": [], "messages": []},
        )
        converted = datetime.fromtimestamp(self.clock() - age, UTC)
        note |= {"converted": converted.strftime(CONVERTED), **told}
        path = self.results.temporary(key, self.spool)
        path.write_bytes(data)
        publish.publish(path, self.results, key, note, format=Format(format), sha256=sha256)
        path.unlink(missing_ok=True)
        self.made.append(id)
        return publish.receipt_key(key)

    def published(self, number: int, **chosen: Any) -> str:
        """A recording with its result; returns its id."""
        shape = {k: chosen.pop(k) for k in ("count", "cname", "age") if k in chosen}
        chosen |= {"age": shape["age"]} if "age" in shape else {}
        id = self.record(number, **shape)
        self.publish(id, **chosen)
        return id

    def age(self, storage: Storage, key: str, seconds: float) -> None:
        """Let an object have been stored so long ago, where that can be done."""
        path = storage.path(key)
        if path is not None:
            at = round((self.clock() - seconds) * 10) * 10**8  # the same however often
            os.utime(path, ns=(at, at))

    def checks(self, **chosen: Any) -> Checks:
        ledger = asked(self.ledger) if self.ledger else None
        return Checks(self.source, self.results, archived=self.archived, ledger=ledger, **chosen)

    def survey(self, rules: Rules = ALL, *, now: float | None = None, **chosen: Any) -> Survey:
        """What ``recpipe clean plan`` does."""
        where = Where(self.source.url(), self.results.url(), trash=self.trash)
        verify = {k: chosen.pop(k) for k in ("verify",) if k in chosen}
        checks = self.checks(include_degraded=rules.include_degraded, **verify)
        now = self.clock() if now is None else now
        return survey(where, checks, rules, self.plan, now=now, **chosen)

    def work(
        self, now: Callable[[], float] | None = None, *, asks: bool = True, **chosen: Any
    ) -> Work:
        clock = now or self.clock
        told = [to_ledger(self.ledger, self.results)] if self.ledger else []
        audit = Audit(self.home / "state", clock, *told)
        checks = self.checks() if asks else replace(self, ledger=None).checks()
        return Work(checks, audit, self.spool, clock, **chosen)

    def apply(self, now: Callable[[], float] | None = None, **chosen: Any) -> list[Done]:
        """What ``recpipe clean apply`` does."""
        return list(apply(document.read(self.plan), self.work(now, **chosen)))

    @property
    def run(self) -> str:
        return document.read(self.plan).run

    def restore(self) -> list[Done]:
        return list(restore(self.run, self.work(asks=False)))

    def purge(self, days: float = 0, now: Callable[[], float] | None = None) -> list[Done]:
        return list(purge(self.run, days, self.work(now)))

    def told(self) -> dict[str, Any]:
        return json.loads(self.plan.read_text())

    def audit(self) -> list[dict[str, Any]]:
        lines = (self.home / "state" / "audit.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def slices(self) -> list[str]:
        """What is in the source besides its trash."""
        return [found.key for found in self.source.list() if not found.key.startswith(".trash/")]


@pytest.fixture
def clock() -> Callable[[], float]:
    import time

    return time.time


@pytest.fixture
def yard(tmp_path, clock) -> Yard:
    """In folders."""
    for name in ("source", "results"):
        (tmp_path / name).mkdir()
    return Yard(
        LocalStorage(tmp_path / "source"), LocalStorage(tmp_path / "results"), tmp_path, clock
    )


def in_buckets(server: Any, home: Path, clock: Callable[[], float]) -> Yard:
    """In new buckets of a server."""
    source = S3Storage(server.new_bucket(), "calls", server.client)
    return Yard(source, S3Storage(server.new_bucket(), "mp4", server.client), home, clock)


def keeping_versions(yard: Yard) -> Yard:
    """The source keeps versions, and they are its trash."""
    client = yard.source.trials()._client
    client.put_bucket_versioning(
        Bucket=yard.source.bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    yard.trash = document.VERSIONS
    return yard


@pytest.fixture(params=["local", "weed", "moto", "weed, versions", "moto, versions"])
def anywhere(request, tmp_path, clock, yard) -> Yard:
    """On every kind of store, and with every kind of trash."""
    kind, _, versions = request.param.partition(", ")
    if kind == "local":
        return yard
    made = in_buckets(request.getfixturevalue(kind), tmp_path, clock)
    return keeping_versions(made) if versions else made
