"""Nothing of a user or a recording is left anywhere, and everything of the others is."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from pipeline.agora import names
from pipeline.archive.bagit import places as archives
from pipeline.errors import UsageError
from pipeline.jobs.agora.sessions import KeptSession, Sessions
from pipeline.ledger import discovery, queries
from pipeline.ledger.database.tables import recordings
from pipeline.ledger.ledger import Ledger
from pipeline.retention.apply import Done
from pipeline.retention.audit import Audit
from pipeline.retention.erasure import ages, traces, unfinished
from pipeline.retention.erasure import document as erasure
from pipeline.retention.erasure.apply import Places, entries, erase, held
from pipeline.retention.erasure.document import ErasureRequest
from pipeline.retention.erasure.mentions import find
from pipeline.retention.erasure.subject import Subject
from pipeline.retention.plan import GuardError
from pipeline.storage.local import LocalStorage
from pipeline.storage.s3.store import S3Storage
from pipeline.watch.rebuild_ledger import rebuild
from tests.retention.conftest import EPOCH, Yard, get, put

UID, OTHERS = "424242", "77"
TOKEN = f"__uid_s_{UID}".encode()


@dataclass
class House:
    """All places of one user of this tool, with recordings of two users in them."""

    yard: Yard
    archive: Any
    ledger: Ledger
    mine: list[str]  # ids of what is to be erased
    others: list[str]

    @property
    def stores(self) -> dict[str, Any]:
        return {
            "source 1": self.yard.source,
            "archive 1": self.archive,
            "results": self.yard.results,
        }

    @property
    def places(self) -> Places:
        return Places(self.stores, self.yard.spool, self.yard.home / "state", self.ledger)

    @property
    def path(self) -> Path:
        return self.yard.home / "erase.json"

    def plan(self, subject: Subject) -> traces.Traces:
        """What ``recpipe clean erase`` does."""
        found = find(self.stores, subject)
        found.held |= held(self.places, subject, found)
        asked = ErasureRequest(
            "--uid", {name: one.url() for name, one in self.stores.items()}, True
        )
        erasure.write(self.path, asked, subject, found, now=self.yard.clock())
        return found

    def apply(self) -> list[Done]:
        """What ``recpipe clean apply`` does with such a plan."""
        audit = Audit(self.yard.home / "state", self.yard.clock)
        return list(erase(erasure.read(self.path), self.places, audit, self.yard.clock))

    def everything(self) -> dict[str, bytes]:
        """Every byte in every place: objects with all versions, the spool, ledger and state."""
        found = {}
        for name, storage in self.stores.items():
            found |= {f"{name} {key}": data for key, data in contents(storage).items()}
        for folder in (self.yard.spool, self.yard.home / "state"):
            for path in folder.rglob("*"):
                found[str(path)] = path.read_bytes() if path.is_file() else b""
        for path in self.yard.home.glob("ledger.db*"):
            found[str(path)] = path.read_bytes()
        return found

    def grep(self, token: bytes) -> list[str]:
        """Where a text is, in names or in bytes."""
        return having(self.everything(), token)


def having(found: Mapping[str, bytes], token: bytes) -> list[str]:
    """Those in whose names or bytes a text is."""
    return [name for name, data in found.items() if token in name.encode() or token in data]


def contents(storage: Any) -> dict[str, bytes]:
    if isinstance(storage, LocalStorage):
        paths = storage.root.rglob("*")
        return {str(path): path.read_bytes() if path.is_file() else b"" for path in paths}
    client, bucket = storage.versions()._client, storage.bucket
    told = client.list_object_versions(Bucket=bucket)
    found = {f"{one['Key']} {one['VersionId']}": b"" for one in told.get("DeleteMarkers", ())}
    for one in told.get("Versions", ()):
        place = {"Bucket": bucket, "Key": one["Key"], "VersionId": one["VersionId"]}
        found[f"{one['Key']} {one['VersionId']}"] = client.get_object(**place)["Body"].read()
    return found


def of_user(uid: str, kind: str = "video") -> str:
    return names.stream_cname("room", uid, kind)


@pytest.fixture
def house(yard):
    """In folders."""
    with settled(yard) as house:
        yield house


@pytest.fixture
def any_house(anywhere):
    """On every kind of store, and with every kind of trash."""
    with settled(anywhere) as house:
        yield house


@contextmanager
def settled(yard: Yard) -> Iterator[House]:
    """Results, some of them cleaned up, archived, known to the ledger, and in the spool."""
    mine, others = [], []
    for number in range(2):  # of one sid each: two users, and a third recording with both mixed in
        for uid, ids in ((UID, mine), (OTHERS, others)):
            for kind in ("audio", "video"):
                ids.append(yard.published(number, cname=of_user(uid, kind)))
    archive = LocalStorage(yard.home / "vault")
    if isinstance(yard.source, S3Storage):
        archive = S3Storage(yard.source.bucket, "vault", yard.source.versions()._client)
    yard.survey()
    assert all(one.problem is None for one in yard.apply())  # now all slices are in the trash
    for number, (uid, ids) in enumerate([(UID, mine), (OTHERS, others)], 5):
        ids.append(yard.published(number, cname=of_user(uid)))
    for id in (*mine, *others):
        put(archive, f"{id}/bagit.txt", b"BagIt", yard.spool)
        put(archive, f"{id}/data/original/{id}_20260302090002120.ts", b"slice", yard.spool)
        archives.remember_tar(archive, id, {"size": 1}, yard.spool)
        put(yard.results, f"{id}.html", b"report", yard.spool)
        _spool(yard, id)
    checked = {f"{id}/ full": {"checked": "now"} for id in (*mine, *others)}
    archives.write_state(archive, "fixity.json", checked, yard.spool)
    known = KeptSession("app", "room", "1", "individual", "r", 1.0, sid=yard.sid(0))
    files = tuple(f"{id}.m3u8" for id in (*mine, *others))
    Sessions(yard.home / "state").write(replace(known, files=files))
    with Ledger(f"sqlite:///{yard.home}/ledger.db") as ledger:
        ledger.engine.dispose()
        sa.event.listen(ledger.engine, "connect", _careless)
        rebuild(ledger, yard.results)
        yield House(yard, archive, ledger, mine, others)


def _careless(connection: Any, record: Any) -> None:
    """Some builds of SQLite write over what they delete; not all do."""
    connection.execute("PRAGMA secure_delete = OFF")


def _spool(yard: Yard, id: str) -> None:
    """As conversion, and ingesting, leave it when they are killed."""
    url = yard.source.url(f"2026/{id}.m3u8")
    folder = yard.spool / hashlib.sha256(url.encode()).hexdigest()[:32]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "a.segment").write_bytes(b"media")
    if "audio" in id:  # else nothing in it has a name: the folder is called after an address
        (folder / "a.scan").write_text(json.dumps({"scan": f"{id}_20260302090002120.ts"}))
    journal = yard.spool / "ingest" / f"{hashlib.sha256(id.encode()).hexdigest()[:32]}.jsonl"
    journal.parent.mkdir(parents=True, exist_ok=True)
    journal.write_text(json.dumps({"path": f"data/original/{id}.m3u8"}) + "\n")


def ids_left(house: House) -> set[str]:
    with house.ledger.reading() as connection:
        return set(connection.execute(sa.select(recordings.c.name)).scalars())


REWRITTEN = ("plan.json", "fixity.json", "audit.jsonl", "ledger.db", "erased.", "recordings/")


def untouched(found: Mapping[str, bytes]) -> dict[str, bytes]:
    """All that is of others alone."""
    return {
        name: data
        for name, data in found.items()
        if TOKEN not in name.encode()
        and TOKEN not in data
        and not any(word in name for word in REWRITTEN)
        and "/locks" not in name
        and data
    }


def test_nothing_of_a_user_is_left_and_all_of_the_others_is(any_house):
    house = any_house
    there = house.everything()
    before = untouched(there)
    assert len(having(there, TOKEN)) > 30
    found = house.plan(Subject(uid=UID))
    assert (found.held, found.mixed, found.named) == ({}, set(), set())
    assert untouched(house.everything()) == before  # nothing was done yet
    assert [one.problem for one in house.apply() if one.problem] == []
    mine = {Path(name).name: data for name, data in before.items() if "/spool/" in name}
    left = house.everything()
    assert having(left, TOKEN) == []
    after = untouched(left)
    gone = {name for name in before if name not in after}
    # a folder of the spool is called after an address: its segments have no names
    assert all(name.endswith("a.segment") for name in gone)
    assert len(gone) == len(house.mine)
    assert mine
    assert {name: after[name] for name in before if name not in gone} == {
        name: data for name, data in before.items() if name not in gone
    }
    assert ids_left(house) == set(house.others)
    assert house.apply() is not None  # once more is no harm
    assert house.grep(TOKEN) == []


def test_what_was_in_the_trash_of_others_can_still_be_restored(house):
    house.plan(Subject(uid=UID))
    house.apply()
    house.yard.ledger = None
    done = house.yard.restore()
    assert {one.recording for one in done} == {
        id for id in house.others if house.yard.sid(6) not in id
    }
    assert all(one.problem is None and one.objects == 4 for one in done)


def test_a_record_of_the_deletion_names_nobody(any_house):
    house = any_house
    house.plan(Subject(uid=UID))
    house.apply()
    run = erasure.read(house.path).run
    text = get(house.yard.results, f"erased.{run}.premis.xml").decode()
    assert "deletion" in text
    assert "recpipe" in text
    assert UID not in text
    assert "room" not in text
    assert text.count("<premis:size>") == sum(
        not one.marker for one in erasure.read(house.path).objects
    )
    told = [one for one in house.yard.audit() if one["run"] == run]
    assert [one["event"] for one in told] == ["erase", "erased"]
    assert UID not in json.dumps(told)


def test_one_recording_with_everybody_in_it(any_house):
    house = any_house
    yard = house.yard
    sid = yard.sid(0)
    found = house.plan(Subject(frozenset([sid])))
    assert found.sids == [sid]
    assert [one.problem for one in house.apply() if one.problem] == []
    left = {name for name in house.grep(sid.encode()) if "erased." not in name}
    assert {Path(name).name.split(" ")[0] for name in left} <= {"audit.jsonl"}  # says what went
    assert {name for name in ids_left(house) if name.startswith(sid)} == set()
    assert len(ids_left(house)) == len(house.mine) + len(house.others) - 4


def test_one_user_in_one_recording(house):
    subject = Subject(frozenset([house.yard.sid(0)]), UID)
    house.plan(subject)
    house.apply()
    assert ids_left(house) == {*house.mine[2:], *house.others}


HOLDS = {
    "beside a result": lambda h, id: put(h.yard.results, f"{id}.hold", b"", h.yard.spool),
    "of the session": lambda h, id: put(
        h.yard.results, f"{id.partition('__')[0]}.hold", b"", h.yard.spool
    ),
    "in the ledger": lambda h, id: queries.hold(h.ledger, id, held=True),
}


def test_a_hold_of_everybody_together_holds_each_of_them(house):
    """In the ledger, on a recording of the same sid."""
    together = house.yard.record(5)
    house.yard.publish(together)
    rebuild(house.ledger, house.yard.results)
    queries.hold(house.ledger, together, held=True)
    assert house.plan(Subject(uid=UID)).held == {house.yard.sid(5): "held"}


@pytest.mark.parametrize("how", HOLDS)
@pytest.mark.parametrize("when", ["before it is planned", "before it is applied"])
def test_a_hold_wins(house, how, when):
    sid = house.yard.sid(5)
    kept = next(id for id in house.mine if id.startswith(sid))
    if when == "before it is planned":
        HOLDS[how](house, kept)
        assert house.plan(Subject(uid=UID)).held == {sid: "held"}
        assert sid not in erasure.read(house.path).sids
    else:
        house.plan(Subject(uid=UID))
        HOLDS[how](house, kept)
    before = {n: d for n, d in house.everything().items() if sid in n and ".hold" not in n}
    problems = [(one.recording, one.problem) for one in house.apply() if one.problem]
    assert problems == ([] if when == "before it is planned" else [(sid, "held")])
    after = house.everything()
    assert {n: after[n] for n in before} == before
    assert ids_left(house) == {kept, *house.others}
    assert all(sid in name or sid.encode() in after[name] for name in having(after, TOKEN))


def test_a_locked_object_is_held(moto, tmp_path, clock):
    from datetime import UTC, datetime, timedelta

    from tests.retention.conftest import in_buckets

    yard = in_buckets(moto, tmp_path, clock)
    yard.source.bucket = "locked-erase"
    moto.client.create_bucket(Bucket="locked-erase", ObjectLockEnabledForBucket=True)
    id = yard.published(1, cname=of_user(UID))
    key = next(found.key for found in yard.source.list(f"2026/{id}"))
    until = {"Mode": "GOVERNANCE", "RetainUntilDate": datetime.now(UTC) + timedelta(1)}
    moto.client.put_object_retention(Bucket="locked-erase", Key=f"calls/{key}", Retention=until)
    stores = {"source 1": yard.source, "results": yard.results}
    found = find(stores, Subject(uid=UID))
    places = Places(stores, yard.spool, yard.home / "state")
    (why,) = held(places, Subject(uid=UID), found).values()
    assert "object lock until" in why


def test_recordings_of_everybody_that_the_user_is_in_are_named(yard):
    """Of the same channel at the same time, by slices that are there or that a receipt names."""
    user = yard.published(1, cname=of_user(UID))
    together = yard.published(1, cname="room")
    cleaned = yard.published(1, cname="room-")  # another channel
    later = yard.published(9, cname="room")
    stores = {"source 1": yard.source, "results": yard.results}
    assert find(stores, Subject(uid=UID)).mixed == {together}
    for found in list(yard.source.list()):
        yard.source.delete(found.key)
    found = find(stores, Subject(uid=UID))
    assert found.mixed == {together}
    assert {cleaned, later, user}.isdisjoint(found.mixed)


def test_a_result_made_of_many_users_is_named_and_stays(yard):
    yard.published(1, cname=of_user(UID))
    id = yard.record(2, cname="room")
    yard.publish(id)
    told = json.loads(get(yard.results, f"{id}.receipt.json"))
    told["inputs"].append({"key": f"2026/{yard.sid(1)}_{of_user(UID)}.m3u8"})
    put(yard.results, f"{id}.receipt.json", json.dumps(told).encode(), yard.spool)
    stores = {"source 1": yard.source, "results": yard.results}
    assert id in find(stores, Subject(uid=UID)).mixed


def test_a_receipt_cannot_claim_a_result_that_is_called_after_another_recording(yard):
    mine, other = (yard.published(number, cname="room") for number in (1, 2))
    told = json.loads(get(yard.results, f"{other}.receipt.json"))
    text = json.dumps({**told, "recording": mine}).encode()
    put(yard.results, f"{other}.receipt.json", text, yard.spool)
    stores = {"source 1": yard.source, "results": yard.results}
    found = find(stores, Subject(frozenset([mine[:32]])))
    assert {one.sid for one in found.objects} == {mine[:32]}
    assert not [one.key for one in found.objects if other in one.key]
    assert found.mixed == {other}


def test_a_playlist_that_names_its_slices_is_named(yard):
    id = yard.published(1, cname=of_user(UID))
    put(yard.source, "2026/highlights.m3u8", f"{id}_20260302090002120.ts\n".encode(), yard.spool)
    stores = {"source 1": yard.source, "results": yard.results}
    found = find(stores, Subject(uid=UID))
    assert found.named == {yard.source.url("2026/highlights.m3u8")}


def test_the_users_of_a_session_are_written_anew_without_one(house):
    yard = house.yard
    key = f"{yard.sid(0)}_room.session.json"
    users = [{"uid": UID, "file": f"{house.mine[0]}.mp4"}, {"uid": OTHERS, "file": "b.mp4"}]
    put(yard.results, key, json.dumps({"users": users}).encode(), yard.spool)
    house.plan(Subject(uid=UID))
    house.apply()
    assert json.loads(get(yard.results, key)) == {"users": users[1:]}
    assert house.grep(UID.encode()) == []


def test_a_bag_with_others_in_it_stays_whole(house):
    """It would be damaged without a file: it is named instead."""
    key = f"{house.yard.sid(0)}_room/data/original/{house.mine[0]}.m3u8"
    put(house.archive, key, b"x", house.yard.spool)
    put(
        house.archive,
        f"{house.yard.sid(0)}_room/manifest-sha256.txt",
        key.encode(),
        house.yard.spool,
    )
    found = house.plan(Subject(uid=UID))
    assert f"{house.yard.sid(0)}_room" in found.mixed
    house.apply()
    assert get(house.archive, key) == b"x"


def test_all_that_is_old_enough(yard):
    old, new = yard.published(0), yard.published(500)
    stores = {"source 1": yard.source, "results": yard.results}
    begin = EPOCH + 500 * 3600
    assert ages.older_than(stores, begin - 1).sids == {old[:32]}
    assert ages.older_than(stores, begin + 60).sids == {old[:32], new[:32]}
    for found in list(yard.source.list()):  # then what was made of them tells
        yard.source.delete(found.key)
    assert ages.older_than(stores, begin + 60).sids == set()
    assert ages.older_than(stores, yard.clock() + 60).sids == {old[:32], new[:32]}


def test_what_came_since_it_was_planned_is_said(any_house):
    house = any_house
    house.plan(Subject(uid=UID))
    house.yard.record(7, cname=of_user(UID))
    (left,) = [one for one in house.apply() if one.problem]
    assert left.recording == house.yard.sid(7)
    assert left.problem == "4 objects came since it was planned; plan again"
    house.plan(Subject(uid=UID))
    assert not [one for one in house.apply() if one.problem]
    assert house.grep(TOKEN) == []


def test_parts_of_an_upload_that_nobody_completed(weed, tmp_path, clock):
    from tests.retention.conftest import in_buckets

    yard = in_buckets(weed, tmp_path, clock)
    for uid in (UID, OTHERS):
        key = f"mp4/{yard.sid(1)}_{of_user(uid)}.mp4"
        weed.client.create_multipart_upload(Bucket=yard.results.bucket, Key=key)
    stores = {"results": yard.results}
    places = Places(stores, yard.spool, yard.home / "state")
    found = find(stores, Subject(uid=UID))
    assert len(found.uploads) == 1
    path = yard.home / "erase.json"
    erasure.write(
        path, ErasureRequest("--uid", {}, False), Subject(uid=UID), found, now=yard.clock()
    )
    audit = Audit(yard.home / "state", yard.clock)
    list(erase(erasure.read(path), places, audit, yard.clock))
    assert [key for key, _, _ in yard.results.uploads()] == [f"{yard.sid(1)}_{of_user(OTHERS)}.mp4"]


def test_a_plan_that_is_touched_old_or_without_its_ledger_is_refused(house):
    house.plan(Subject(uid=UID))
    house.yard.clock, now = lambda: now() + 8 * 86400, house.yard.clock
    with pytest.raises(GuardError, match="plan again"):
        house.apply()
    house.yard.clock = now
    audit = Audit(house.yard.home / "state", now)
    alone = Places(house.stores, house.yard.spool, house.yard.home / "state")
    with pytest.raises(GuardError, match="ledger that is not there"):
        list(erase(erasure.read(house.path), alone, audit, now))
    house.path.write_bytes(house.path.read_bytes().replace(UID.encode(), OTHERS.encode()))
    with pytest.raises(UsageError, match="not a whole plan"):
        house.apply()


def test_the_ledger_forgets_the_bags_where_it_stopped_and_what_it_could_not_read(house):
    from pipeline.ledger import custody
    from pipeline.ledger.database.tables import stores

    bags = {(f"{id}/", "full"): {"checked": "now", "result": "pass"} for id in house.mine}
    custody.remember(house.ledger, "vault", {**bags, ("other/", "full"): bags[next(iter(bags))]})
    custody.note(house.ledger, "seen", {"key": f"{house.mine[0]}.m3u8"})
    with house.ledger.writing() as connection:
        floor = {"store": "s", "destination": "d", "floor": f"{house.mine[0]}.m3u8", "swept": 1.0}
        connection.execute(sa.insert(stores).values(**floor))
    discovery.blind(house.ledger, "s", "d", f"{house.mine[0]}.m3u8: denied")
    discovery.blind(house.ledger, "t", "d", f"{house.others[0]}.m3u8: denied")
    house.plan(Subject(uid=UID))
    house.apply()
    assert set(custody.checked(house.ledger, "vault")) == {("other/", "full")}
    assert house.grep(TOKEN) == []
    assert not entries(house.ledger, Subject(uid=UID))
    with house.ledger.reading() as connection:
        told = connection.execute(sa.select(stores.c.store, stores.c.error, stores.c.floor))
        assert {(*row,) for row in told} == {
            ("s", "erased", ""),
            ("t", f"{house.others[0]}.m3u8: denied", ""),
        }


def test_what_a_killed_run_left_goes_whosever_it_is(house):
    """In a folder and in the spool; what somebody may still be writing stays, and is told."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    folders = (house.yard.results.root / "2026", house.yard.spool)
    left = [folder / f".recpipe-{gone.pid}-{n:016x}.part" for n, folder in enumerate(folders)]
    running = house.yard.spool / f".recpipe-{os.getpid()}-{9:016x}.part"
    other = house.yard.spool / ".mine.part"
    for path in (*left, running, other):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"media")
    assert unfinished.find(house.stores, house.yard.spool) == sorted(left)
    house.plan(Subject(uid=UID))
    said = "unfinished, and may hold media of it; end what writes it, or run again in an hour"
    assert [one.problem for one in house.apply() if one.problem] == [
        f"{path}: {said}" for path in sorted(left)
    ]
    for path in (*left, running, other):
        os.utime(path, (0, 0))
    assert [one.problem for one in house.apply() if one.problem] == []
    assert [path.exists() for path in (*left, running, other)] == [False, False, True, True]


KILLED = """
import os, signal, sys
from pathlib import Path
from pipeline.ledger.ledger import Ledger
from pipeline.retention.erasure import apply as acts
from pipeline.retention.erasure import document as erasure
from pipeline.retention.erasure import rewriting
from pipeline.retention.audit import Audit
from pipeline.storage.local import LocalStorage
import time

home, left = Path(sys.argv[1]), int(sys.argv[2])
plan = erasure.read(home / "erase.json")
stores = {name: LocalStorage(Path(url)) for name, url in plan.stores.items()}

def die(real):
    def act(*args, **kwargs):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)
    return act

LocalStorage.delete = die(LocalStorage.delete)
acts.shutil.rmtree = die(acts.shutil.rmtree)
rewriting.put_bytes = die(rewriting.put_bytes)
acts.erasing.erase = die(acts.erasing.erase)
acts.record.erased = die(acts.record.erased)
with Ledger(f"sqlite:///{home}/ledger.db") as ledger:
    places = acts.Places(stores, home / "spool", home / "state", ledger)
    list(acts.erase(plan, places, Audit(home / "state", time.time), time.time))
"""


def test_killed_at_any_moment_it_is_finished_by_running_again(house):
    before = untouched(house.everything())
    house.plan(Subject(uid=UID))
    killed = 0
    for left in (0, 1, 2, 3, 9, 27, 54, 1, 0, 4, 2, 1, 0):
        argv = [sys.executable, "-c", KILLED, str(house.yard.home), str(left)]
        root = Path(__file__).parents[3]
        done = subprocess.run(argv, env={**os.environ, "PYTHONPATH": str(root)}, check=False)
        assert done.returncode in (0, -signal.SIGKILL)
        killed += done.returncode != 0
    assert killed > 3
    assert [one.problem for one in house.apply() if one.problem] == []
    left = house.everything()
    assert having(left, TOKEN) == []
    after = untouched(left)
    assert all(after[name] == before[name] for name in before if name in after)
    assert {name for name in before if name not in after} == {
        name for name in before if name.endswith("a.segment") and name not in after
    }
    assert ids_left(house) == set(house.others)
