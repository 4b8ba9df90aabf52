"""The sweep over a listing, and the rules; everything as values."""

import gc
import os
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.agora import names
from pipeline.errors import NotFoundError, StorageError
from pipeline.model import SourceFile, StoredObject, Verdict
from pipeline.receipts.read import Published
from pipeline.retention import plan
from pipeline.retention.interlocks import Checks
from pipeline.retention.plan import (
    Claim,
    GuardError,
    Match,
    Room,
    Rules,
    SweepCounts,
    kept_because,
    sweep,
)
from pipeline.retention.survey import Where, survey
from pipeline.storage.local import LocalStorage
from tests.retention.conftest import ALL, Yard

NOW = 1_790_000_000.0
DAY = 86400.0


def published(id: str, inputs: tuple[SourceFile, ...] = ()) -> Published:
    receipt = {
        "settings": {"format": "mp4"},
        "proof": {"counts": True, "timestamps": True, "bytes": True},
    }
    return Published(
        id=id,
        key=f"{id}.mp4",
        receipt_key=f"{id}.receipt.json",
        receipt_sha256="",
        text=b"",
        receipt=receipt,
        converted=0.0,
        size=1,
        sha256="",
        verdict=Verdict.OK,
        root="",
        inputs=inputs,
        missing=(),
    )


@given(
    st.dictionaries(
        st.integers(0, 60).map("{:03}".format), st.sets(st.sampled_from("abcd")), max_size=40
    )
)
def test_a_sweep_finds_what_looking_up_each_key_would(owners):
    """Whatever recordings lie between each other in the order of the keys."""
    listing = [StoredObject(key, 1, "e", NOW) for key in sorted(owners)]
    inputs = {
        owner: {k: SourceFile(k, 1, "e", "s") for k in owners if owner in owners[k]} | {"x": None}
        for owner in "abcd"
    }
    for owner in inputs:
        inputs[owner].pop("x")
    claims = [Claim(o, min(keys), max(keys), "c", 0.0) for o, keys in inputs.items() if keys]
    seen = SweepCounts()
    matches = list(
        sweep(listing, claims, lambda c: (published(c.receipt_key), inputs[c.receipt_key]), seen)
    )
    assert sorted(m.claim.receipt_key for m in matches) == sorted(c.receipt_key for c in claims)
    for match in matches:
        assert match.found.keys() == match.inputs.keys()
        assert match.shared == {k for k in match.inputs if len(owners[k]) > 1}
    assert seen.objects == len(listing)
    assert seen.unknown == sum(not who for who in owners.values())


def test_a_recording_that_is_not_listed_at_all_is_matched_with_nothing():
    claim = Claim("z", "z1", "z2", "c", 0.0)
    load = {"z1": SourceFile("z1", 1, "e", "s")}
    (match,) = sweep([], [claim], lambda c: (published("z"), load), SweepCounts())
    assert match.found == {}
    assert plan.unlike(match.inputs, match.found) == "z1: gone"


def test_a_listing_that_goes_back_is_refused():
    listing = [StoredObject(key, 1, "e", NOW) for key in ("a", "c", "b")]
    with pytest.raises(StorageError, match="not in order"):
        list(sweep(listing, [], lambda c: (published("z"), {}), SweepCounts()))


def test_an_object_without_an_etag_proves_nothing():
    source = {"a": SourceFile("a", 1, None, "s")}
    assert plan.unlike(source, {"a": StoredObject("a", 1, None, NOW)})


def test_an_input_that_was_not_there_must_not_be_there_now():
    source = {"a": SourceFile("a", 0, None, None)}
    assert plan.unlike(source, {}) is None
    assert "came after" in (plan.unlike(source, {"a": StoredObject("a", 1, "e", NOW)}) or "")


def test_by_default_a_month_is_kept_and_half_of_the_source_may_go():
    rules = Rules()
    assert (rules.older_than, rules.max_delete, rules.max_fraction) == (30 * 86400, 100_000, 0.5)


# One rule after the other, each alone.

INPUT = SourceFile("a", 1, "e", "s")
OBJECT = StoredObject("a", 1, "e", NOW - 100 * DAY)


def match(**changes) -> Match:
    """A recording that nothing speaks against."""
    claim = Claim("r", "a", "a", "c", 0.0, **{k: changes.pop(k) for k in CLAIM & changes.keys()})
    found = changes.pop("found", {"a": OBJECT})
    shared = changes.pop("shared", set())
    receipt = changes.pop("receipt", {})
    made = published("id")
    made = replace(made, receipt={**made.receipt, **receipt}, **changes)
    return Match(claim, made, {"a": INPUT}, found, shared)


CLAIM = {"held", "tags"}
PROOF = {"counts": True, "timestamps": True, "bytes": True}
RULES = Rules(keep_tags=("legal",))

KEPT = {
    "held": ({"held": True}, "held"),
    "a tag": ({"tags": frozenset({"legal", "x"})}, "tagged legal"),
    "a verdict": ({"verdict": Verdict.DEGRADED}, "verdict degraded"),
    "no proof": ({"receipt": {"proof": None}}, "not proven"),
    **{
        f"{part} not proven": ({"receipt": {"proof": {**PROOF, part: False}}}, "not proven")
        for part in PROOF
    },
    "sound alone": (
        {"receipt": {"settings": {"format": "m4a"}}},
        "m4a does not hold everything",
    ),
    "gone": ({"found": {}}, "a: gone"),
    "another size": ({"found": {"a": replace(OBJECT, size=2)}}, "a: changed since"),
    "another ETag": ({"found": {"a": replace(OBJECT, etag="f")}}, "a: changed since"),
    "another receipt": ({"shared": {"a"}}, "a: another receipt names it as well"),
    "stored a day ago": ({"found": {"a": replace(OBJECT, modified=NOW - DAY)}}, "too young"),
    "converted a day ago": ({"converted": NOW - DAY}, "too young"),
}


def test_what_nothing_speaks_against_may_go():
    assert kept_because(match(), RULES, set(), NOW) is None
    assert kept_because(match(tags=frozenset({"x"})), RULES, set(), NOW) is None


@pytest.mark.parametrize("why", KEPT)
def test_each_reason_alone_keeps_a_recording(why):
    changes, reason = KEPT[why]
    assert (kept_because(match(**changes), RULES, set(), NOW) or "").startswith(reason)


def test_one_of_the_newest_is_kept():
    assert kept_because(match(), RULES, {"r"}, NOW) == "one of the newest of its channel"


def test_degraded_may_go_if_that_was_said_but_nothing_else():
    loose = replace(RULES, include_degraded=True)
    assert kept_because(match(verdict=Verdict.DEGRADED), loose, set(), NOW) is None
    for verdict in (Verdict.REJECTED, Verdict.PENDING):
        assert kept_because(match(verdict=verdict), loose, set(), NOW) == f"verdict {verdict.value}"


def test_young_ends_at_the_very_second():
    for left, kept in ((0.0, None), (1.0, "too young")):
        found = {"a": replace(OBJECT, modified=NOW - RULES.older_than + left)}
        assert kept_because(match(found=found), RULES, set(), NOW) == kept


def test_a_key_that_is_listed_twice_is_refused():
    listing = [StoredObject("a", 1, "e", NOW)] * 2
    with pytest.raises(StorageError, match="not in order"):
        list(sweep(listing, [], lambda c: (published("z"), {}), SweepCounts()))


@pytest.mark.parametrize(
    ("seen", "receipts", "mine", "why"),
    [
        pytest.param(SweepCounts(), 1, 1, "lists nothing at all", id="nothing is listed"),
        pytest.param(
            SweepCounts(objects=1), 0, 0, "no receipt in the destination", id="no receipt"
        ),
        pytest.param(
            SweepCounts(objects=1), 1, 0, "below this source", id="receipts of another source"
        ),
        pytest.param(
            SweepCounts(objects=1, newest=NOW + 601), 1, 1, "from the future", id="a clock"
        ),
    ],
)
def test_the_whole_is_refused(seen, receipts, mine, why):
    with pytest.raises(GuardError, match=why):
        plan.refuse_the_whole(seen, receipts, mine, NOW)


def test_an_emptied_source_and_a_clock_that_is_nearly_right_are_none():
    plan.refuse_the_whole(SweepCounts(trash=1), 1, 1, NOW)
    plan.refuse_the_whole(SweepCounts(objects=1, newest=NOW + 600), 1, 1, NOW)


def test_a_plan_is_full_behind_its_limits_not_at_them():
    rules = Rules(max_delete=10, max_bytes=100.0, max_fraction=0.5)
    for objects, size, limit in ((10, 100, None), (11, 1, "--max-delete 10"), (1, 101, "--max-b")):
        room = Room(rules, SweepCounts(objects=100, size=1000))
        assert (room.never(objects, size) or "").startswith(limit or "")
        assert (room.never(objects, size) is None) is (limit is None)
        assert room.never(objects, size) == room.full(objects, size)
        room.take(objects // 2, size // 2)
        assert (room.full(objects - objects // 2, size - size // 2) is None) is (limit is None)


@pytest.mark.parametrize(
    ("objects", "size", "full"),
    [
        pytest.param(5, 50, False, id="half of both"),
        pytest.param(6, 1, True, id="more objects"),
        pytest.param(1, 51, True, id="more bytes"),
    ],
)
def test_a_share_is_that_of_objects_and_of_bytes(objects, size, full):
    room = Room(Rules(max_fraction=0.5), SweepCounts(objects=10, size=100))
    assert room.full(objects, size) is None  # the first goes in any case
    room.take(0, 0)
    assert (room.full(objects, size) == "--max-fraction 50%") is full


# A million objects.


@dataclass
class Simulated:
    """A store that lists very much, and holds nothing."""

    recordings: int
    slices: int
    unknown: int = 0
    ids: list[str] = field(default_factory=list)

    def __post_init__(self):
        sids = sorted(f"{n * 2654435761 % 2**32:08x}" * 4 for n in range(self.recordings))
        self.ids = [f"{sid}_room" for sid in sids]

    def keys(self, id: str) -> Iterator[str]:
        sid = id.partition("_")[0]
        yield f"2026/{id}.m3u8"
        for n in range(self.slices):
            yield f"2026/{names.slice_name(sid, 'room', 1.7e9 + 4 * n)}"

    def list(self, prefix=""):
        for id in self.ids if not prefix else ():
            for key in self.keys(id):
                yield StoredObject(key, 1000, "e", NOW - 90 * 86400)
            for n in range(self.unknown):
                yield StoredObject(f"2026/{id}~{n:06}.bin", 1000, "e", NOW - 90 * 86400)

    def url(self, key=""):
        return f"s3://bucket/calls/{key}"

    uri = url

    def path(self, key):
        return None

    def head(self, key):
        raise NotFoundError(key)

    def open(self, key):
        id = key.removeprefix("2026/").removesuffix(".m3u8")
        yield "".join(f"{one.rpartition('/')[2]}\n" for one in self.keys(id)).encode()

    def protection(self, key):
        return None


def simulated(yard: Yard, recordings: int, slices: int) -> tuple[float, int]:
    """Seconds and highest memory of a plan over so many objects; half of them are unknown."""
    import hashlib

    source = Simulated(recordings, slices, unknown=slices + 1)
    data = b"mp4"
    sha256 = hashlib.sha256(data).hexdigest()
    for id in source.ids:
        inputs = [
            f'{{"key": "{key}", "size": 1000, "etag": "e", "sha256": "{sha256}"}}'
            for key in source.keys(id)
        ]
        (yard.results.root / f"{id}.mp4").write_bytes(data)
        (yard.results.root / f"{id}.receipt.json").write_text(
            f'{{"schema": 1, "converted": "2026-01-01T00:00:00Z", "recording": "{id}",'
            f'"source": "{source.url(f"2026/{id}.m3u8")}",'
            '"settings": {"format": "mp4", "on_loss": "hold"}, "verdict": "ok", "findings": [],'
            '"proof": {"counts": true, "timestamps": true, "bytes": true},'
            f'"inputs": [{",".join(inputs)}], "output": {{"size": 3, "sha256": "{sha256}"}},'
            '"muxer": {"command": [], "messages": []}}'
        )
    gc.collect()
    tracemalloc.start()
    begin = time.perf_counter()
    where = Where(source.url(), yard.results.url())
    made = survey(where, Checks(source, yard.results), ALL, yard.plan, now=NOW)
    seconds = time.perf_counter() - begin
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    half = recordings * (slices + 1)
    assert (made.recordings, made.objects) == (recordings, half)
    assert (made.seen.objects, made.seen.unknown) == (2 * half, half)
    return seconds, peak


def test_memory_does_not_grow_with_the_listing(tmp_path):
    """RECPIPE_TEST_OBJECTS=1000000 is the big one."""
    objects = int(os.environ.get("RECPIPE_TEST_OBJECTS", "4000"))
    peaks = []
    for number, count in enumerate((objects // 10, objects)):
        home = tmp_path / str(number)
        (home / "results").mkdir(parents=True)
        results = LocalStorage(home / "results")
        yard = Yard(results, results, home, time.time)
        seconds, peak = simulated(yard, max(count // 1000, 1), 499)
        peaks.append(peak)
        print(f"{count} objects: {seconds:.1f} s, {peak / 1e6:.1f} MB")
    # a receipt's name, first and last key are remembered for each recording
    assert peaks[1] < peaks[0] + 2000 * (objects // 1000) + (1 << 20)
