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

from pipeline.agora import names
from pipeline.errors import NotFoundError, StorageError
from pipeline.jobs.published import Published
from pipeline.model import SourceFile, StoredObject, Verdict
from pipeline.retention import plan
from pipeline.retention.interlocks import Checks
from pipeline.retention.plan import Claim, Rules, Seen, sweep
from pipeline.retention.survey import Where, survey
from pipeline.storage.local import LocalStorage
from tests.retention.conftest import ALL, Yard

NOW = 1_790_000_000.0


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
    seen = Seen()
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
    (match,) = sweep([], [claim], lambda c: (published("z"), load), Seen())
    assert match.found == {}
    assert plan.unlike(match.inputs, match.found) == "z1: gone"


def test_a_listing_that_goes_back_is_refused():
    listing = [StoredObject(key, 1, "e", NOW) for key in ("a", "c", "b")]
    with pytest.raises(StorageError, match="not in order"):
        list(sweep(listing, [], lambda c: (published("z"), {}), Seen()))


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
