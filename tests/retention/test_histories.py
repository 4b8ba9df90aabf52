"""Random histories: whatever is recorded, converted, tampered with, held, archived, planned,
applied, crashed, restored and purged, in whatever order: at every moment each recording's media
exists somewhere verified, and nothing unknown is ever deleted.

RECPIPE_TEST_ROUNDS is the number of histories in folders; in a bucket it is a ninth of it.
"""

import copy
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from pipeline.archive import bulk, technical
from pipeline.archive.bagit.staging import Archive
from pipeline.archive.holdings import missing_from
from pipeline.archive.ingest import Ingested
from pipeline.archive.order import Bagging, Order
from pipeline.choices import Format
from pipeline.errors import RecpipeError
from pipeline.ledger import custody, queries
from pipeline.ledger.database.tables import recordings
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.states import State
from pipeline.retention import apply as acts
from pipeline.retention import document, trash
from pipeline.retention.plan import GuardError
from pipeline.storage import Storage
from pipeline.storage.local import LocalStorage
from pipeline.storage.s3.store import S3Storage
from pipeline.watch.rebuild_ledger import rebuild
from tests.retention.conftest import (
    ALL,
    Yard,
    get,
    in_buckets,
    keeping_versions,
    put,
)

ROUNDS = int(os.environ.get("RECPIPE_TEST_ROUNDS", "20"))
RULES = (ALL, ALL, ALL.__class__(older_than=0, keep_last=1, max_delete=99, max_fraction=1.0))


WHAT = st.sampled_from(["mp4", "receipt", "source", "source", "hold", "hold", "ledger"])
WHICH = st.integers(0, 11)  # of what there is; names differ from run to run, so none are drawn
CRASH = st.sampled_from([None, None, *range(1, 13)])  # at which change of the store
FAST = "/dev/shm"  # in memory, where there is such a place: a history waits for the disk only


class Crash(BaseException):
    """Ends a run at this moment, whatever it was about to do."""


def fragile(storage: Storage, changes: int, *, after: bool) -> Storage:
    """A store that lets the process die before or after its n-th change."""
    left = changes

    def dying(real):
        def change(*args, **kept):
            nonlocal left
            left -= 1
            if left == 0 and not after:
                raise Crash
            done = real(*args, **kept)
            if left == 0:
                raise Crash
            return done

        return change

    made = copy.copy(storage)
    for name in ("copy", "delete", "put"):
        setattr(made, name, dying(getattr(storage, name)))
    if isinstance(storage, S3Storage):
        versions = storage.versions()
        versions.remove = dying(versions.remove)
        made.versions = lambda: versions
    return made


def which(there: list[str], data) -> str:
    """One of them."""
    return there[data.draw(WHICH) % len(there)]


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def md5(data: bytes) -> str:
    """What the ETag of a small object in a bucket is."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def files(folder: Path) -> dict[str, Path]:
    """Every file below a folder by key, but our temporary ones."""
    found = (Path(top) / name for top, _, names in os.walk(folder) for name in names)
    return {str(p.relative_to(folder)): p for p in found if not p.name.startswith(".recpipe-")}


def stamps(folder: Path) -> dict[str, tuple[int, ...]]:
    """What tells whether a file was written to."""
    status = {key: path.stat() for key, path in files(folder).items()}
    return {key: (s.st_ino, s.st_size, s.st_mtime_ns) for key, s in status.items()}


class Where(IntEnum):
    """Where what the outside put into the source is now."""

    NOWHERE = 0  # but in an MP4
    TRASH = 1
    PLACE = 2


class Histories(RuleBasedStateMachine):
    """``truth`` is what the outside world put into the source and has not taken away: MD5 by key,
    which a bucket tells without being read.
    """

    make_yard: "staticmethod"
    mp4: bytes
    ffmpeg: object
    blank: Path  # a ledger that knows nothing: to make one takes long
    done: Counter[str]  # over all histories: a campaign that does nothing shows nothing

    def __init__(self):
        super().__init__()
        fast = FAST if os.access(FAST, os.W_OK) else None
        self.home = Path(tempfile.mkdtemp(prefix="histories", dir=fast))
        self.yard: Yard = self.make_yard(self.home)
        shutil.copy(self.blank, self.file)
        self.open_ledger()
        self.truth: dict[str, str] = {}
        self.gone: dict[str, str] = {}
        self.sha256: dict[str, str] = {}  # by MD5
        self.receipts: list[dict[str, str]] = []  # of every receipt ever: SHA-256 by key
        self.holds: dict[tuple[str, str], dict[str, Where]] = {}  # by id and kind
        self.bags: dict[str, tuple[int, ...]] = {}
        self.plans: list[document.CleanupPlan] = []
        self.ids: list[str] = []
        self.serial = 0

    def teardown(self):
        self.close_ledger()
        shutil.rmtree(self.home, ignore_errors=True)

    @property
    def file(self) -> Path:
        return self.home / "ledger.db"

    def open_ledger(self):
        self.yard.ledger = Ledger(f"sqlite:///{self.file}")

    def close_ledger(self):
        if self.yard.ledger:
            self.yard.ledger.engine.dispose()
        self.yard.ledger = None

    # --- the outside world ---

    @initialize()
    def first(self):
        for cname in ("room", "hall"):
            self.new(2, cname)
            self.convert(self.ids[-1], "ok")
        self.enter()

    @precondition(lambda self: len(self.ids) < 4)
    @rule(
        count=st.integers(1, 3),
        cname=st.sampled_from(["room", "hall"]),
        verdict=st.sampled_from(["ok", "ok", "repaired", "degraded"]),
    )
    def record(self, count, cname, verdict):
        self.new(count, cname)
        self.convert(self.ids[-1], verdict)
        self.enter()

    def new(self, count, cname):
        id = self.yard.record(len(self.ids), count=count, cname=cname, age=3600.0)
        self.ids.append(id)
        self.done["recorded"] += 1
        for found in self.yard.source.list(f"2026/{id}"):
            self.learn(found.key, get(self.yard.source, found.key))

    def learn(self, key, data):
        self.truth[key] = md5(data)
        self.sha256[md5(data)] = sha(data)

    @rule(verdict=st.sampled_from(["ok", "ok", "ok", "degraded"]))
    def convert_all(self, verdict):
        for id in self.ids:
            self.convert(id, verdict)
        self.enter()

    def convert(self, id, verdict):
        """What is in the source now, if that is a whole recording; a held one is not touched."""
        keys = [k for k in self.truth if id in k]
        whole = any(k.endswith(".m3u8") for k in keys) and any(k.endswith(".ts") for k in keys)
        if not whole or not all(self.in_place(k) for k in keys):
            return
        made = self.mp4 + (len(id) + 8).to_bytes(4, "big") + b"free" + id.encode()
        self.yard.publish(id, verdict=verdict, data=made)
        self.done["converted"] += 1
        self.remember(id)

    def enter(self):
        """The ledger learns what was published, as from a watcher.

        One that was emptied looks like any other then: what was held only there is forgotten.
        """
        try:
            if self.yard.ledger is None:
                return
            blank = custody.is_empty(self.yard.ledger)
            if rebuild(self.yard.ledger, self.yard.results).added and blank:
                self.forget_holds()
        except RecpipeError:  # somebody damaged it
            pass

    def remember(self, id):
        told = json.loads(get(self.yard.results, f"{id}.receipt.json"))
        prefix = told["source"].removesuffix(told["inputs"][0]["key"])
        assert prefix
        self.receipts.append({one["key"]: one["sha256"] for one in told["inputs"]})

    @rule(data=st.data(), what=WHAT)
    def tamper(self, data, what):
        self.done[f"tampered with {what}"] += 1
        getattr(self, f"tamper_with_{what}")(data)

    def tamper_with_mp4(self, data):
        how = data.draw(st.sampled_from(["flip", "cut", "gone"]))
        id = which(self.ids, data)
        if self.recoverable(id) and self.there(self.yard.results, f"{id}.mp4"):
            was = get(self.yard.results, f"{id}.mp4")
            if how == "gone":
                self.yard.results.delete(f"{id}.mp4")
            else:
                now = was[:-1] + bytes([was[-1] ^ 1]) if how == "flip" else was[:-1]
                put(self.yard.results, f"{id}.mp4", now, self.yard.spool)

    def tamper_with_receipt(self, data):
        how = data.draw(st.sampled_from(["garbage", "gone", "size", "input", "verdict", "time"]))
        id = which(self.ids, data)
        key = f"{id}.receipt.json"
        if not self.recoverable(id) or not self.there(self.yard.results, key):
            return
        if how == "gone":
            self.yard.results.delete(key)
            return
        text = get(self.yard.results, key)
        try:
            told = json.loads(text)
        except ValueError:
            return
        if how == "size":
            told["output"]["size"] += 1
        elif how == "input":
            told["inputs"][-1]["size"] += 1
        elif how == "verdict":
            told["verdict"] = "rejected"
        elif how == "time":
            told["converted"] = "yesterday"
        now = b"{" if how == "garbage" else json.dumps(told).encode()
        put(self.yard.results, key, now, self.yard.spool)

    def tamper_with_source(self, data):
        how = data.draw(st.sampled_from(["change", "gone", "late", "unknown", "failover"]))
        self.serial += 1
        there = [k for k in sorted(self.truth) if self.in_place(k)] or [""]
        id, key = which(self.ids, data), which(there, data)
        if how in ("change", "gone"):
            if not key:
                return
            if how == "gone":
                self.yard.source.delete(key)
                self.forget(key)
                return
        else:
            name = {
                "late": f"{id}_203001010000{self.serial:05}.ts",
                "unknown": f"other-{self.serial}.bin",
                "failover": f"bak0_{id}.m3u8",
            }[how]
            key = f"2026/{name}"
        self.change(key)

    def change(self, key):
        """The outside puts something else there, or something new."""
        self.serial += 1
        content = f"of the outside {self.serial}".encode()
        put(self.yard.source, key, content, self.yard.spool)
        self.learn(key, content)
        for keys in self.holds.values():
            keys.pop(key, None)

    def forget(self, key):
        """The outside took it away itself."""
        self.gone[key] = self.truth.pop(key)
        for keys in self.holds.values():
            keys.pop(key, None)

    def tamper_with_hold(self, data):
        """A file beside the receipt, or in the ledger; or the ledger finds the source changed."""
        id, kind = which(self.ids, data), data.draw(st.sampled_from(["file", "ledger", "state"]))
        release = (id, kind) in self.holds
        if kind == "file":
            if release:
                self.yard.results.delete(f"{id}.hold")
            else:
                put(self.yard.results, f"{id}.hold", b"", self.yard.spool)
        elif not self.tell_ledger(id, kind, release=release):
            return
        self.done["released" if release else "held"] += 1
        if release:
            del self.holds[id, kind]
        else:
            self.lay(id, kind)

    def tell_ledger(self, id, kind, *, release) -> bool:
        if self.yard.ledger is None:
            return False
        try:
            if kind == "ledger":
                queries.hold(self.yard.ledger, id, held=not release)
                return True
            with self.yard.ledger.writing() as connection:
                state = State.PUBLISHED if release else State.CHANGED
                change = sa.update(recordings).where(recordings.c.name == id).values(state=state)
                return connection.execute(change).rowcount > 0
        except RecpipeError:  # it is damaged, or does not know it
            return False

    def tamper_with_ledger(self, data):
        """Lost, emptied or damaged; or made again, which forgets what was held."""
        how = data.draw(st.sampled_from(["lost", "emptied", "damaged", "back", "anew"]))
        aside = self.home / "ledger.aside"
        if how in ("lost", "emptied", "damaged"):
            if self.yard.ledger is None or aside.exists():
                return
            self.close_ledger()
            shutil.move(self.file, aside)
            if how == "lost":  # whoever runs without one from now on has no holds of it
                self.forget_holds()
                return
            shutil.copy(self.blank, self.file)
            self.open_ledger()
            if how == "damaged":
                self.yard.ledger.engine.dispose()
                self.file.write_bytes(b"SQLite format 3\0" + b"garbage" * 999)
        elif aside.exists():
            self.close_ledger()
            for file in self.home.glob("ledger.db*"):
                file.unlink()
            aside.rename(self.file) if how == "back" else shutil.copy(self.blank, self.file)
            aside.unlink(missing_ok=True)
            self.open_ledger()
            if how == "anew":
                self.enter()
                self.forget_holds()
            else:
                self.remember_holds()

    def forget_holds(self):
        self.holds = {k: keys for k, keys in self.holds.items() if k[1] == "file"}

    def remember_holds(self):
        """What the ledger that came back says."""
        self.forget_holds()
        with self.yard.ledger.reading() as connection:
            found = sa.select(recordings.c.name, recordings.c.held, recordings.c.state)
            for row in connection.execute(found).all():
                if row.held:
                    self.lay(row.name, "ledger")
                if row.state is State.CHANGED:
                    self.lay(row.name, "state")

    @precondition(lambda self: not self.bags)
    @rule()
    def archive(self):
        storage = LocalStorage(self.home / "archive")
        order = Order(spool=self.yard.spool)
        found = bulk.published_in(["results"], lambda _: (self.yard.results, ""))
        root = LocalStorage(self.home / "source") if self.local else self.yard.source
        done = bulk.ingest_all(
            found,
            lambda _: root,
            Bagging(Archive(storage, storage), order, self.ffmpeg),
            now=time.time,
        )
        try:
            made = [one for one in done if isinstance(one, Ingested)]
        except RecpipeError:
            made = []
        if made:
            self.done["archived"] += len(made)
            found = stamps(self.home / "archive").items()
            self.bags = {k: v for k, v in found if not k.startswith(".")}

    # --- ours ---

    @rule(crash=CRASH, after=st.booleans())
    def clean(self, crash, after):
        """Plan and apply, as cron does."""
        before = len(self.plans)
        self.plan(ALL, archived=False, degraded=True)
        if len(self.plans) > before:
            plan = self.plans[-1]
            self.run(partial(acts.apply, plan), plan, crash, after=after)

    @rule(data=st.data(), crash=CRASH, after=st.booleans())
    def race(self, data, crash, after):
        """Something happens between a plan and its application, and before it is finished."""
        self.convert_all("ok")
        before = len(self.plans)
        self.plan(ALL, archived=False, degraded=False)
        planned = {
            o.key for plan in self.plans[before:] for r in plan.recordings for o in r.objects
        }
        key = which(sorted(planned) or [""], data)
        if data.draw(st.booleans()) and key:
            self.change(key)
        for again in (crash, None):
            self.tamper(data, data.draw(WHAT))
            if len(self.plans) > before:
                plan = self.plans[-1]
                self.run(partial(acts.apply, plan), plan, again, after=after)

    @rule(rules=st.sampled_from(RULES), archived=st.booleans(), degraded=st.booleans())
    def make_a_plan(self, rules, archived, degraded):
        self.plan(rules, archived=archived, degraded=degraded)

    def plan(self, rules, *, archived, degraded):
        from msgspec.structs import replace

        storage = LocalStorage(self.home / "archive")
        self.yard.archived = partial(missing_from, storage) if archived else None
        try:
            self.yard.survey(replace(rules, include_degraded=degraded))
        except (GuardError, RecpipeError):
            self.done["plans refused"] += 1
            return
        self.done["planned"] += 1
        self.plans.append(document.read(self.yard.plan))

    @rule(data=st.data(), crash=CRASH, after=st.booleans())
    def apply(self, data, crash, after):
        number = data.draw(WHICH)
        if self.plans:
            plan = self.plans[-1 - number % len(self.plans)]
            self.run(partial(acts.apply, plan), plan, crash, after=after)

    @rule(data=st.data(), crash=CRASH, after=st.booleans())
    def restore(self, data, crash, after):
        self.run_of(data, acts.restore, crash, after=after, asks=False)

    @rule(data=st.data(), crash=CRASH, after=st.booleans())
    def purge(self, data, crash, after):
        self.run_of(data, lambda run, work: acts.purge(run, 0, work), crash, after=after)

    def run_of(self, data, act, crash, *, after, asks=True):
        runs = [run for run, _ in trash.runs(self.yard.source)]
        number = data.draw(WHICH)
        if runs:
            run = sorted(runs)[number % len(runs)]
            plan = trash.read_plan(self.yard.source, run)
            self.run(partial(act, run), plan, crash, after=after, asks=asks)

    def run(self, act, plan, crash, *, after, asks=True):
        """As the command does it: what is checked is what was planned with."""
        from msgspec.structs import replace

        lost = asks and plan.ledger and self.yard.ledger is None
        counts: Counter[str] = Counter()
        try:
            work = self.yard.work(asks=asks)
            source = fragile(work.source, crash or 0, after=after)
            checks = replace(work.checks, source=source, include_degraded=plan.include_degraded)
            for done in act(replace(work, checks=checks)):
                counts[done.action if done.problem is None else "left alone"] += 1
        except Crash:
            counts["crashed"] += 1
        except RecpipeError:
            counts["refused"] += 1
        assert not lost or not plan.recordings or counts == {"refused": 1}
        self.done.update(counts)

    # --- what always holds ---

    @invariant()
    def nothing_is_ever_lost(self):
        there, waiting = self.look()
        covered = self.covered()
        ever = {(k, d) for one in self.receipts for k, d in one.items()}
        for key, data in self.truth.items():
            if there.get(key) == data:
                continue
            assert (key, self.sha256[data]) in ever, f"{key}: never in a receipt, nor in its place"
            safe = data in waiting.get(key, []) or (key, self.sha256[data]) in covered
            assert safe, f"{key}: neither there nor in the trash, and no verified MP4 has it"
        for key in {k for k in there if not k.startswith(".trash/")} - self.truth.keys():
            # taken away while its copy was in the trash already, and then restored
            assert self.gone.get(key) == there[key], key
            self.truth[key] = self.gone.pop(key)
        self.what_is_held_stays(there, waiting)

    def what_is_held_stays(self, there, waiting):
        """In its place; or in the trash, if it was there when it was held."""
        for keys in self.holds.values():
            for key, was in list(keys.items()):
                now = self.where(key, there, waiting)
                assert now >= was, f"{key}: held, and no longer in its {was.name}"
                keys[key] = now

    def where(self, key, there, waiting) -> Where:
        data = self.truth[key]
        if there.get(key) == data:
            return Where.PLACE
        return Where.TRASH if data in waiting.get(key, []) else Where.NOWHERE

    def lay(self, id, kind):
        """From now on it is held."""
        there, waiting = self.look()
        keys = [k for k in self.truth if id in k]
        self.holds[id, kind] = {k: self.where(k, there, waiting) for k in keys}

    def look(self) -> tuple[dict[str, str], dict[str, list[str]]]:
        """MD5 of everything in the source by key; and of what waits in the trash."""
        waiting: dict[str, list[str]] = {}
        if self.local:
            there = {k: md5(v.read_bytes()) for k, v in files(self.home / "source").items()}
        else:
            there = {found.key: found.etag for found in self.yard.source.list()}
        for key, data in there.items():
            parts = key.split("/", 3)
            if parts[0] == ".trash" and len(parts) == 4 and parts[2] == "objects":
                waiting.setdefault(parts[3], []).append(data)
        if self.yard.trash == document.VERSIONS:
            for key in self.truth:
                versions = self.yard.source.versions().of(key)
                mine = [v for v in versions if not v.latest and not v.marker]
                waiting.setdefault(key, []).extend(v.etag for v in mine)
        return there, waiting

    def covered(self) -> set[tuple[str, str]]:
        """What a result that is verified now was made of."""
        found = set()
        for id in self.ids:
            try:
                told = json.loads(self.read(f"{id}.receipt.json"))
                good = sha(self.read(f"{id}.mp4")) == told["output"]["sha256"]
            except (RecpipeError, OSError, ValueError):
                continue
            if good:
                found |= {(one["key"], one["sha256"]) for one in told["inputs"]}
        return found

    def read(self, key) -> bytes:
        """Of the results; past the storage, which is slow for so many small reads."""
        if self.local:
            return (self.home / "results" / key).read_bytes()
        return get(self.yard.results, key)

    @invariant()
    def bags_stay_as_they_are(self):
        if self.bags:
            assert self.bags.items() <= stamps(self.home / "archive").items()

    def in_place(self, key) -> bool:
        try:
            if self.local:
                return md5((self.home / "source" / key).read_bytes()) == self.truth[key]
            return self.yard.source.head(key).etag == self.truth[key]
        except (RecpipeError, OSError):
            return False

    def recoverable(self, id) -> bool:
        """Every object of it is in its place or in a trash: nothing depends on the result yet."""
        there, waiting = self.look()
        keys = [k for k in self.truth if id in k]
        return all(
            there.get(k) == self.truth[k] or self.truth[k] in waiting.get(k, []) for k in keys
        )

    def there(self, storage: Storage, key: str) -> bool:
        try:
            storage.head(key)
        except RecpipeError:
            return False
        return True

    @property
    def local(self) -> bool:
        return isinstance(self.yard.source, LocalStorage)


def in_folders(home: Path) -> Yard:
    for name in ("source", "results", "archive"):
        (home / name).mkdir()
    return Yard(LocalStorage(home / "source"), LocalStorage(home / "results"), home, time.time)


def play(make_yard, given: "Given", rounds: int) -> Counter[str]:
    class Played(Histories):
        pass

    Played.make_yard, Played.done = staticmethod(make_yard), Counter()
    Played.mp4, Played.ffmpeg, Played.blank = given.mp4, given.ffmpeg, given.blank
    begin = time.perf_counter()
    run_state_machine_as_test(
        Played,
        settings=settings(
            max_examples=max(rounds, 1),
            stateful_step_count=20,
            phases=[Phase.generate],  # a history has its own names and times: none comes twice
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
    seconds = time.perf_counter() - begin
    print(f"{rounds} histories in {seconds:.0f} s: {dict(sorted(Played.done.items()))}")
    return Played.done


@dataclass(frozen=True)
class Given:
    """What is made once for all histories."""

    mp4: bytes
    ffmpeg: object
    blank: Path


@pytest.fixture(scope="module")
def given(library, tmp_path_factory) -> Given:
    """A real MP4, tiny, for the archive looks into it; and a ledger that knows nothing."""
    from tests import recordings
    from tests.archive.conftest import TINY

    home = tmp_path_factory.mktemp("tiny")
    recordings.convert(library[TINY].folder, home, library.ffmpeg)
    with Ledger(f"sqlite:///{home}/blank.db"):
        pass
    return Given(next(home.glob("*.mp4")).read_bytes(), library.ffmpeg, home / "blank.db")


@pytest.fixture
def looked_into_once(given, monkeypatch, tmp_path):
    """All MP4s are the same but for a box at their end: programs look at the first one only."""
    path = tmp_path / "tiny.mp4"
    path.write_bytes(given.mp4)
    probe = technical.ffprobe(given.ffmpeg, path, Format.MP4, "tiny.mp4")
    info = technical.mediainfo(path)
    monkeypatch.setattr(technical, "ffprobe", lambda *_: probe)
    monkeypatch.setattr(technical, "mediainfo", lambda _: info)


def test_histories_in_folders(given, looked_into_once):
    done = play(in_folders, given, ROUNDS)
    assert done["trashed"]
    assert done["crashed"]


@pytest.mark.parametrize("kept", [document.COPY, document.VERSIONS])
def test_histories_in_a_bucket(given, looked_into_once, weed, kept):
    """Half of them with versions as trash."""

    def make(home: Path) -> Yard:
        (home / "archive").mkdir()
        yard = in_buckets(weed, home, time.time)
        return keeping_versions(yard) if kept == document.VERSIONS else yard

    play(make, given, ROUNDS // 18)
