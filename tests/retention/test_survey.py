"""What may be deleted is planned exactly; whatever speaks against it is a reason."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from pipeline.errors import NotFoundError, RecpipeError, UsageError
from pipeline.retention import document
from pipeline.retention.plan import GuardError, Rules
from pipeline.retention.survey import Kept, Later
from pipeline.storage.local import LocalStorage
from tests.retention.conftest import ALL, OLD, everything, get, put

YEAR = 365 * 86400.0


def reasons(yard, rules: Rules = ALL, **chosen) -> dict[str, str]:
    """Why each recording stays; those that go are left out."""
    kept = {}

    def tell(one):
        if isinstance(one, Kept):
            kept[one.recording] = one.reason

    yard.survey(rules, tell=tell, **chosen)
    return kept


def test_a_plan_names_exactly_what_the_receipts_name(anywhere):
    yard = anywhere
    ids = [yard.published(n) for n in range(3)]
    put(yard.source, "2026/notes.txt", b"mine", yard.spool)
    before = everything(yard.source), everything(yard.results)
    made = yard.survey()
    assert (made.recordings, made.objects) == (3, 12)
    told = yard.told()
    assert sorted(one["recording"] for one in told["recordings"]) == sorted(ids)
    for one in told["recordings"]:
        for planned in one["objects"]:
            found = yard.source.head(planned["key"])
            assert (planned["size"], planned["etag"]) == (found.size, found.etag)
    assert told["totals"]["unknown"] == {"objects": 1}
    assert (everything(yard.source), everything(yard.results)) == before  # nothing was done


def _flip_mp4(yard, id):
    data = bytearray(get(yard.results, f"{id}.mp4"))
    data[-1] ^= 1
    put(yard.results, f"{id}.mp4", bytes(data), yard.spool)


def _first(yard, id, suffix):
    return next(f.key for f in yard.source.list(f"2026/{id}") if f.key.endswith(suffix))


def _receipt(yard, id, **changes):
    told = json.loads(get(yard.results, f"{id}.receipt.json"))
    put(yard.results, f"{id}.receipt.json", json.dumps({**told, **changes}).encode(), yard.spool)


SPEAKS_AGAINST = {
    "another MP4": (_flip_mp4, "SHA-256 differs"),
    "a shorter MP4": (lambda y, i: put(y.results, f"{i}.mp4", b"x", y.spool), "bytes"),
    "no MP4": (lambda y, i: y.results.delete(f"{i}.mp4"), "no such"),
    "a changed slice": (
        lambda y, i: put(y.source, _first(y, i, ".ts"), b"other", y.spool),
        "changed since",
    ),
    "a changed playlist": (
        lambda y, i: put(y.source, _first(y, i, ".m3u8"), b"#EXTM3U\n", y.spool),
        "changed since",
    ),
    "a slice gone": (lambda y, i: y.source.delete(_first(y, i, ".ts")), "gone"),
    "a slice more": (
        lambda y, i: put(y.source, f"2026/{i}_20260302090059720.ts", b"late", y.spool),
        "does not know",
    ),
    "a failover part": (
        lambda y, i: put(y.source, f"2026/bak0_{i}.m3u8", b"#EXTM3U\n", y.spool),
        "does not know",
    ),
    "a hold": (lambda y, i: put(y.results, f"{i}.hold", b"case 7", y.spool), "held"),
    "degraded": (lambda y, i: _receipt(y, i, verdict="degraded"), "verdict degraded"),
    "rejected": (lambda y, i: _receipt(y, i, verdict="rejected"), "verdict rejected"),
    "no proof": (lambda y, i: _receipt(y, i, proof=None), "not proven"),
    "half a proof": (
        lambda y, i: _receipt(y, i, proof={"counts": True, "timestamps": True, "bytes": False}),
        "not proven",
    ),
    "a receipt of something": (lambda y, i: _receipt(y, i, inputs="none"), "not a receipt"),
    "sound alone": (
        lambda y, i: _receipt(y, i, settings={"format": "m4a", "on_loss": "hold"}),
        "not a receipt",  # it does not lie beside an m4a
    ),
}


@pytest.mark.parametrize("what", SPEAKS_AGAINST)
def test_one_thing_that_speaks_against_it_suffices(yard, what):
    keep, go = yard.published(1), yard.published(2)
    change, why = SPEAKS_AGAINST[what]
    change(yard, keep)
    (reason,) = reasons(yard).values()
    assert why in reason
    assert [one["recording"] for one in yard.told()["recordings"]] == [go]


def test_a_result_that_holds_sound_alone_frees_no_pictures(yard):
    id = yard.record(1)
    yard.publish(id, format="m4a")
    yard.published(2)
    assert reasons(yard) == {id: "m4a does not hold everything"}


def test_degraded_goes_only_when_asked_for(yard):
    yard.published(1, verdict="degraded")
    assert yard.survey(replace(ALL, include_degraded=True)).recordings == 1
    assert yard.survey().recordings == 0


def test_head_is_enough_by_choice(yard):
    id = yard.published(1)
    _flip_mp4(yard, id)
    assert yard.survey().recordings == 0
    assert yard.survey(verify="head").recordings == 1


def test_what_is_young_stays(yard):
    yard.published(1, age=100.0)
    yard.published(2, age=10_000.0)
    assert list(reasons(yard, replace(ALL, older_than=5000.0)).values()) == ["too young"]


def test_what_is_held_is_said_to_be_whatever_else_keeps_it(yard):
    id = yard.published(1, age=100.0)
    put(yard.results, f"{id}.hold", b"", yard.spool)
    assert reasons(yard, Rules()) == {id: "held"}


def test_what_was_converted_a_moment_ago_stays(yard):
    id = yard.record(1, age=10_000.0)
    yard.publish(id, age=100.0)
    assert reasons(yard, replace(ALL, older_than=5000.0)) == {id: "too young"}
    yard.publish(id, age=6000.0)
    assert reasons(yard, replace(ALL, older_than=5000.0)) == {}
    _receipt(yard, id, converted=None)  # of an earlier version: when it was written
    assert reasons(yard, replace(ALL, older_than=5000.0)) == {id: "too young"}


@pytest.mark.parametrize("when", ["yesterday", "2026-13-01T00:00:00Z", 5, ""])
def test_a_time_that_is_none_makes_a_receipt_useless(yard, when):
    id, _ = yard.published(1), yard.published(2)
    _receipt(yard, id, converted=when)
    (reason,) = reasons(yard).values()
    assert "not a receipt" in reason


def test_the_newest_of_each_channel_stay(yard):
    for number in range(4):
        yard.published(number, cname="a")
    yard.published(9, cname="b")
    kept = reasons(yard, replace(ALL, keep_last=2))
    assert sorted(id.rpartition("_")[2] for id in kept) == ["a", "a", "b"]
    assert yard.sid(3) + "_a" in kept
    assert yard.sid(2) + "_a" in kept


def test_what_has_a_tag_stays(yard):
    id = yard.published(1)
    yard.published(2)
    put(yard.results, f"{id}.tags", b"legal training\n", yard.spool)
    assert reasons(yard, replace(ALL, keep_tags=("legal",))) == {id: "tagged legal"}
    assert reasons(yard, replace(ALL, keep_tags=("other",))) == {}


def test_what_two_receipts_name_stays(yard):
    id = yard.published(1)
    for suffix in (".mp4", ".receipt.json"):
        put(yard.results, f"again/{id}{suffix}", get(yard.results, id + suffix), yard.spool)
    assert "another receipt" in reasons(yard)[id]
    assert yard.told()["recordings"] == []


def test_a_result_that_is_its_own_source_stays(yard):
    id = yard.published(1)
    same = replace_results(yard, id)
    assert "one of its sources" in reasons(same)[id]


def replace_results(yard, id):
    """Publish into the source, and claim that the MP4 was among the inputs."""
    yard.results = LocalStorage(yard.source.root)
    yard.publish(id)
    found = yard.source.head(f"{id}.mp4")
    import hashlib

    sha256 = hashlib.sha256(get(yard.source, found.key)).hexdigest()
    told = json.loads(get(yard.results, f"{id}.receipt.json"))
    own = {"key": found.key, "size": found.size, "etag": found.etag, "sha256": sha256}
    _receipt(yard, id, inputs=[*told["inputs"], own])
    return yard


def test_what_is_not_archived_stays_when_that_is_asked_for(yard):
    a, b = yard.published(1), yard.published(2)
    yard.archived = lambda published: None if published.id == b else "not archived"
    assert reasons(yard) == {a: "not archived"}


def test_a_locked_object_stays(moto, tmp_path, clock):
    from datetime import UTC, datetime, timedelta

    from tests.retention.conftest import in_buckets

    yard = in_buckets(moto, tmp_path, clock)
    yard.source.bucket = "locked-slices"
    moto.client.create_bucket(Bucket="locked-slices", ObjectLockEnabledForBucket=True)
    a, b = yard.published(1), yard.published(2)
    moto.client.put_object_retention(
        Bucket="locked-slices",
        Key=f"calls/{_first(yard, a, '.ts')}",
        Retention={"Mode": "GOVERNANCE", "RetainUntilDate": datetime.now(UTC) + timedelta(1)},
    )
    assert "object lock until" in reasons(yard)[a]
    moto.client.put_object_legal_hold(
        Bucket="locked-slices", Key=f"calls/{_first(yard, b, '.ts')}", LegalHold={"Status": "ON"}
    )
    assert "legal hold" in reasons(yard)[b]


# What looks wrong about the whole.


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        pytest.param(replace(ALL, max_delete=11), "--max-delete 11 is reached", id="objects"),
        pytest.param(replace(ALL, max_bytes=6000.0), "--max-bytes 6000 is reached", id="bytes"),
        pytest.param(replace(ALL, max_fraction=0.5), "--max-fraction 50% is reached", id="share"),
    ],
)
def test_a_plan_takes_the_oldest_and_leaves_the_rest_for_the_next(yard, rules, why):
    """Whatever the limit; and night by night all of it goes."""
    ages = {n: OLD + (n * 7) % 5 * 86400 for n in range(5)}
    ids = {n: yard.published(n, age=age) for n, age in ages.items()}
    oldest_first = [ids[n] for n in sorted(ids, key=lambda n: -ages[n])]
    later = []
    made = yard.survey(rules, tell=lambda one: later.append(one))
    planned = [one["recording"] for one in yard.told()["recordings"]]
    assert planned == oldest_first[: len(planned)]
    assert 0 < len(planned) < 5
    left = [one for one in later if isinstance(one, Later)]
    assert [one.recording for one in left] == oldest_first[len(planned) :]
    assert {one.reason for one in left} == {why}
    assert made.later == left
    objects, size = (sum(getattr(one, name) for one in left) for name in ("objects", "size"))
    told = {"recordings": len(left), "objects": objects, "bytes": size}
    assert yard.told()["totals"]["later"] == told
    nights = 0
    while yard.slices():
        nights += 1
        yard.apply()
        yard.survey(rules)
        assert nights < 6
    assert nights > 1


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        pytest.param(replace(ALL, max_delete=4), "--max-delete 4", id="objects"),
        pytest.param(replace(ALL, max_bytes=4000.0), "--max-bytes 4000", id="bytes"),
    ],
)
def test_a_recording_that_never_fits_is_named_and_stops_no_other(yard, rules, why):
    large, small = yard.published(1, count=9, age=2 * OLD), yard.published(2)
    ((id, reason),) = reasons(yard, rules).items()
    assert id == large
    assert reason.endswith(f"more than {why} in one recording")
    assert [one["recording"] for one in yard.told()["recordings"]] == [small]


def test_what_is_kept_takes_no_room(yard):
    held, free = yard.published(1, age=2 * OLD), yard.published(2)
    put(yard.results, f"{held}.hold", b"", yard.spool)
    yard.survey(replace(ALL, max_delete=4))
    assert [one["recording"] for one in yard.told()["recordings"]] == [free]


def test_the_only_recording_goes_whatever_part_of_the_source_it_is(yard):
    """Else a store of a few would never be cleaned."""
    yard.published(1)
    assert yard.survey(Rules()).recordings == 1


def test_what_was_cleaned_up_is_neither_kept_nor_planned(yard):
    yard.published(1)
    yard.survey()
    yard.apply()
    told = []
    made = yard.survey(tell=told.append)
    assert (made.gone, dict(made.kept), told) == (1, {}, [])


def test_a_source_that_lists_nothing_is_refused(yard):
    for key in [found.key for found in yard.source.list()]:
        yard.source.delete(key)
    yard.published(1)
    for key in yard.slices():
        yard.source.delete(key)
    with pytest.raises(GuardError, match="lists nothing at all"):
        yard.survey()


def test_a_wrong_prefix_is_refused(yard):
    yard.published(1)
    other = yard.home / "other"
    other.mkdir()
    (other / "a.ts").write_bytes(b"x")
    yard.source = LocalStorage(other)
    with pytest.raises(GuardError, match="check the prefix"):
        yard.survey()


def test_a_destination_without_receipts_is_refused(yard):
    yard.record(1)
    with pytest.raises(GuardError, match="no receipt"):
        yard.survey()


def test_a_destination_that_is_gone_is_refused(yard):
    yard.record(1)
    yard.results = LocalStorage(yard.home / "nowhere")
    with pytest.raises(NotFoundError):
        yard.survey()


def test_a_clock_set_back_a_year_is_refused(anywhere):
    anywhere.published(1, age=60.0)
    with pytest.raises(GuardError, match="set it"):
        anywhere.survey(now=anywhere.clock() - YEAR)


@pytest.mark.parametrize("location", ["/", "/tmp/.trash/x"])
def test_a_whole_store_and_the_trash_are_refused(yard, location):
    yard.source = LocalStorage(Path(location))
    with pytest.raises(GuardError):
        yard.survey()


def test_a_bucket_without_a_prefix_is_refused(yard, weed):
    from pipeline.storage.s3.store import S3Storage

    yard.source = S3Storage(weed.bucket, "", weed.client)
    with pytest.raises(GuardError, match="name the prefix"):
        yard.survey()


def test_a_listing_that_breaks_off_is_refused(yard):
    from pipeline.errors import StorageError

    for number in range(3):
        yard.published(number)
    real = yard.source.list

    def half(prefix=""):
        for count, found in enumerate(real(prefix)):
            if count == 5:
                raise StorageError("no whole answer")
            yield found

    yard.source.list = half
    with pytest.raises(StorageError, match="no whole answer"):
        yard.survey()
    assert not yard.plan.exists()


def test_a_listing_out_of_order_is_refused(yard):
    yard.published(1)
    real = yard.source.list
    yard.source.list = lambda prefix="": iter(sorted(real(prefix), key=lambda f: f.key)[::-1])
    with pytest.raises(RecpipeError, match="not in order"):
        yard.survey()


def test_a_plan_that_was_touched_is_refused(yard):
    yard.published(1)
    yard.survey()
    text = yard.plan.read_text()
    for changed in (text.replace("_room", "_rxxm", 1), text[:-20], "", "{}", text + text):
        yard.plan.write_text(changed)
        with pytest.raises(UsageError, match="plan again"):
            document.read(yard.plan)


def test_keep_reasons_are_counted_without_names(yard):
    for number in range(3):
        id = yard.published(number)
        put(yard.source, _first(yard, id, ".ts"), b"other", yard.spool)
    assert yard.survey().kept == {"changed since it was converted": 3}


def test_unknown_objects_can_be_listed(yard):
    yard.published(1)
    keys = [f"2026/{n}.bin" for n in range(30)]
    for key in keys:
        put(yard.source, key, b"x", yard.spool)
    found = []
    made = yard.survey(unknown=lambda one: found.append(one.key))
    assert found == sorted(keys)
    assert made.seen.unknown == 30
