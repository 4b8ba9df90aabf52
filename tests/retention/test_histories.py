"""Random histories: whatever is recorded, converted, tampered with, held, archived, planned,
applied, crashed, restored and purged, in whatever order: at every moment each recording's media
exists somewhere verified, and nothing unknown is ever deleted.

RECPIPE_TEST_ROUNDS is the number of histories in folders; in a bucket it is a tenth of it.
"""

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
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

from pipeline.archive import bulk
from pipeline.archive.holdings import missing_from
from pipeline.archive.ingest import Ingested, Order
from pipeline.archive.staging import Archive
from pipeline.errors import RecpipeError
from pipeline.retention import apply as acts
from pipeline.retention import document, trash
from pipeline.retention.plan import GuardError
from pipeline.storage import Storage
from pipeline.storage.local import LocalStorage
from tests.retention.conftest import ALL, Yard, everything, get, in_buckets, put

ROUNDS = int(os.environ.get("RECPIPE_TEST_ROUNDS", "20"))
RULES = (ALL, ALL, ALL.__class__(older_than=0, keep_last=1, max_delete=99, max_fraction=1.0))


WHAT = st.sampled_from(["mp4", "receipt", "source", "source", "hold"])
WHICH = st.integers(0, 11)  # of what there is; names differ from run to run, so none are drawn
CRASH = st.sampled_from([None, None, *range(1, 13)])  # at which change of the store


class Crash(BaseException):
    """Ends a run at this moment, whatever it was about to do."""


class Fragile:
    """A store that lets the process die before or after its n-th change."""

    def __init__(self, storage: Storage, changes: int, *, after: bool) -> None:
        self._storage, self._left, self._after = storage, changes, after

    def __getattr__(self, name):
        real = getattr(self._storage, name)
        if name not in ("copy", "delete", "put"):
            return real

        def change(*args, **kept):
            self._left -= 1
            if self._left == 0 and not self._after:
                raise Crash
            done = real(*args, **kept)
            if self._left == 0:
                raise Crash
            return done

        return change


def which(there: list[str], data) -> str:
    """One of them."""
    return there[data.draw(WHICH) % len(there)]


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Histories(RuleBasedStateMachine):
    """``truth`` is what the outside world put into the source and has not taken away."""

    make_yard: "staticmethod"
    mp4: bytes
    ffmpeg: object
    done: Counter[str]  # over all histories: a campaign that does nothing shows nothing

    def __init__(self):
        super().__init__()
        self.home = Path(tempfile.mkdtemp(prefix="histories"))
        self.yard: Yard = self.make_yard(self.home)
        self.truth: dict[str, bytes] = {}
        self.gone: dict[str, bytes] = {}
        self.receipts: list[dict[str, str]] = []  # of every receipt ever: SHA-256 by key
        self.held: dict[str, set[str]] = {}  # keys in their place when the hold was laid
        self.bags: dict[str, bytes] = {}
        self.plans: list[document.Plan] = []
        self.ids: list[str] = []
        self.serial = 0

    def teardown(self):
        shutil.rmtree(self.home, ignore_errors=True)

    # --- the outside world ---

    @initialize()
    def first(self):
        for cname in ("room", "hall"):
            self.new(2, cname)
            self.convert(self.ids[-1], "ok")

    @precondition(lambda self: len(self.ids) < 4)
    @rule(
        count=st.integers(1, 3),
        cname=st.sampled_from(["room", "hall"]),
        verdict=st.sampled_from(["ok", "ok", "repaired", "degraded"]),
    )
    def record(self, count, cname, verdict):
        self.new(count, cname)
        self.convert(self.ids[-1], verdict)

    def new(self, count, cname):
        id = self.yard.record(len(self.ids), count=count, cname=cname, age=3600.0)
        self.ids.append(id)
        for found in self.yard.source.list(f"2026/{id}"):
            self.truth[found.key] = get(self.yard.source, found.key)

    @rule(verdict=st.sampled_from(["ok", "ok", "ok", "degraded"]))
    def convert_all(self, verdict):
        for id in self.ids:
            self.convert(id, verdict)

    def convert(self, id, verdict):
        """What is in the source now, if that is a whole recording; a held one is not touched."""
        keys = [k for k in self.truth if id in k]
        whole = any(k.endswith(".m3u8") for k in keys) and any(k.endswith(".ts") for k in keys)
        if not whole or not all(self.in_place(k) for k in keys):
            return
        made = self.mp4 + (len(id) + 8).to_bytes(4, "big") + b"free" + id.encode()
        self.yard.publish(id, verdict=verdict, data=made)
        self.remember(id)

    def remember(self, id):
        told = json.loads(get(self.yard.results, f"{id}.receipt.json"))
        prefix = told["source"].removesuffix(told["inputs"][0]["key"])
        assert prefix
        self.receipts.append({one["key"]: one["sha256"] for one in told["inputs"]})

    @rule(data=st.data(), what=WHAT)
    def tamper(self, data, what):
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
        how = data.draw(st.sampled_from(["garbage", "gone", "size", "input", "verdict"]))
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
        self.truth[key] = content
        for keys in self.held.values():
            keys.discard(key)

    def forget(self, key):
        """The outside took it away itself."""
        self.gone[key] = self.truth.pop(key)
        for keys in self.held.values():
            keys.discard(key)

    def tamper_with_hold(self, data):
        id = which(self.ids, data)
        if id in self.held:
            self.yard.results.delete(f"{id}.hold")
            del self.held[id]
            return
        put(self.yard.results, f"{id}.hold", b"", self.yard.spool)
        self.held[id] = {k for k in self.truth if id in k and self.in_place(k)}

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
            Archive(storage, storage),
            self.ffmpeg,
            order,
            now=time.time,
        )
        try:
            made = [one for one in done if isinstance(one, Ingested)]
        except RecpipeError:
            made = []
        if made:
            self.bags = {k: v for k, v in everything(storage).items() if not k.startswith(".")}

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
        from dataclasses import replace

        storage = LocalStorage(self.home / "archive")
        self.yard.archived = partial(missing_from, storage) if archived else None
        try:
            self.yard.survey(replace(rules, include_degraded=degraded))
        except (GuardError, RecpipeError):
            return
        self.plans.append(document.read(self.yard.plan))

    @rule(data=st.data(), crash=CRASH, after=st.booleans())
    def apply(self, data, crash, after):
        number = data.draw(WHICH)
        if self.plans:
            plan = self.plans[-1 - number % len(self.plans)]
            self.run(partial(acts.apply, plan), plan, crash, after=after)

    @rule(data=st.data(), crash=CRASH, after=st.booleans())
    def restore(self, data, crash, after):
        self.run_of(data, acts.restore, crash, after=after)

    @rule(data=st.data(), crash=CRASH, after=st.booleans())
    def purge(self, data, crash, after):
        self.run_of(data, lambda run, work: acts.purge(run, 0, work), crash, after=after)

    def run_of(self, data, act, crash, *, after):
        runs = [run for run, _ in trash.runs(self.yard.source)]
        number = data.draw(WHICH)
        if runs:
            run = sorted(runs)[number % len(runs)]
            self.run(partial(act, run), trash.read_plan(self.yard.source, run), crash, after=after)

    def run(self, act, plan, crash, *, after):
        """As the command does it: what is checked is what was planned with."""
        from dataclasses import replace

        work = self.yard.work()
        source = Fragile(work.source, crash or 0, after=after)
        checks = replace(work.checks, source=source, include_degraded=plan.include_degraded)
        try:
            for done in act(replace(work, checks=checks)):
                self.done[done.action if done.problem is None else "left alone"] += 1
        except Crash:
            self.done["crashed"] += 1
        except RecpipeError:
            self.done["refused"] += 1

    # --- what always holds ---

    @invariant()
    def nothing_is_ever_lost(self):
        there = everything(self.yard.source)
        waiting: dict[str, list[bytes]] = {}
        for key, data in there.items():
            parts = key.split("/", 3)
            if parts[0] == ".trash" and len(parts) == 4 and parts[2] == "objects":
                waiting.setdefault(parts[3], []).append(data)
        covered = self.covered()
        ever = {(k, d) for one in self.receipts for k, d in one.items()}
        for key, data in self.truth.items():
            if there.get(key) == data:
                continue
            assert (key, sha(data)) in ever, f"{key}: never in a receipt, and not in its place"
            safe = data in waiting.get(key, []) or (key, sha(data)) in covered
            assert safe, f"{key}: neither there nor in the trash, and no verified MP4 has it"
        for key in {k for k in there if not k.startswith(".trash/")} - self.truth.keys():
            # taken away while its copy was in the trash already, and then restored
            assert self.gone.get(key) == there[key], key
            self.truth[key] = self.gone.pop(key)

    def covered(self) -> set[tuple[str, str]]:
        """What a result that is verified now was made of."""
        found = set()
        for id in self.ids:
            try:
                told = json.loads(get(self.yard.results, f"{id}.receipt.json"))
                good = sha(get(self.yard.results, f"{id}.mp4")) == told["output"]["sha256"]
            except (RecpipeError, ValueError):
                continue
            if good:
                found |= {(one["key"], one["sha256"]) for one in told["inputs"]}
        return found

    @invariant()
    def what_is_held_stays_where_it_is(self):
        for keys in self.held.values():
            for key in keys:
                assert self.in_place(key), key

    @invariant()
    def bags_stay_as_they_are(self):
        if self.bags:
            now = everything(LocalStorage(self.home / "archive"))
            assert self.bags.items() <= now.items()

    def in_place(self, key) -> bool:
        return self.there(self.yard.source, key) and get(self.yard.source, key) == self.truth[key]

    def recoverable(self, id) -> bool:
        """Every object of it is in its place or in a trash: nothing depends on the result yet."""
        keys = [k for k in self.truth if id in k]
        runs = [run for run, _ in trash.runs(self.yard.source)]
        return all(
            self.in_place(k)
            or any(self.there(self.yard.source, trash.objects_of(run) + k) for run in runs)
            for k in keys
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


def play(make_yard, mp4: bytes, ffmpeg, rounds: int) -> Counter[str]:
    class Played(Histories):
        pass

    Played.make_yard, Played.mp4, Played.ffmpeg = staticmethod(make_yard), mp4, ffmpeg
    Played.done = Counter()
    run_state_machine_as_test(
        Played,
        settings=settings(
            max_examples=max(rounds, 1),
            stateful_step_count=20,
            deadline=None,
            phases=[Phase.generate],  # a history has its own names and times: none comes twice
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
    print(f"{rounds} histories: {dict(Played.done)}")
    return Played.done


@pytest.fixture(scope="module")
def mp4(tmp_path_factory) -> bytes:
    """A real one, tiny: the archive looks into it."""
    from tests import recordings
    from tests.archive.conftest import TINY

    library = recordings.library(tmp_path_factory)
    home = tmp_path_factory.mktemp("tiny")
    recordings.convert(library[TINY].folder, home, library.ffmpeg)
    return next(home.glob("*.mp4")).read_bytes()


def test_histories_in_folders(mp4, ffmpeg):
    done = play(in_folders, mp4, ffmpeg, ROUNDS)
    assert done["trashed"]
    assert done["crashed"]


def test_histories_in_a_bucket(mp4, ffmpeg, weed):
    def make(home: Path) -> Yard:
        (home / "archive").mkdir()
        return in_buckets(weed, home, time.time)

    play(make, mp4, ffmpeg, ROUNDS // 10)
