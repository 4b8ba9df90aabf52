"""Whatever is done to a bag: we see it, and so do others; and a second copy puts it right."""

import shutil
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.archive.bagit import bag, fixity, places, repair, schedule
from pipeline.archive.bagit.fixity import Checked, check
from pipeline.archive.bagit.places import BagLocation, Form
from pipeline.archive.bagit.staging import Archive
from pipeline.archive.holdings import missing_from
from pipeline.receipts.read import read
from pipeline.storage.local import LocalStorage
from pipeline.storage.locations import open_storage
from pipeline.storage.s3.store import S3Storage
from tests.archive.conftest import Home, files, slices


def checked(home: Home, *, fast: bool = False) -> Checked:
    return check(LocalStorage(home.root / "archive"), BagLocation(home.name), fast=fast)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x20
    path.write_bytes(data)


def test_a_sound_bag_is_sound(bagged):
    for fast in (True, False):
        assert checked(bagged, fast=fast).problems == ()


class Counts(dict):
    """How many bytes were to be read of each path, and how many were."""

    def __call__(self, path, size):
        self[path] = [size, 0]

        def count(more):
            self[path][1] += more

        return count


def test_it_is_told_how_much_is_read_and_how_far_that_is(bagged):
    storage, whole, names = LocalStorage(bagged.root / "archive"), Counts(), Counts()
    check(storage, BagLocation(bagged.name), fast=False, watched=whole)
    size = sum(path.stat().st_size for path in bagged.bag.rglob("*") if path.is_file())
    assert whole == {"": [size, size]}
    check(storage, BagLocation(bagged.name), fast=True, watched=names)
    payload = (bagged.bag / "data").rglob("*")
    size -= sum(path.stat().st_size for path in payload if path.is_file())
    assert names == {"": [size, size]}


def test_how_far_a_tar_is_and_what_stays_elsewhere(home):
    home.ingest(home.archive(Form.TAR), originals="fetch")
    storage, told = LocalStorage(home.root / "archive"), Counts()
    place = BagLocation(home.name, Form.TAR)
    assert check(storage, place, fast=False, opened=open_storage, watched=told).ok
    size, done = told.pop("")
    assert size == (home.root / "archive" / place.key).stat().st_size
    assert 0.5 * size < done < size  # without headers and padding
    sizes = sorted(path.stat().st_size for path in home.source.iterdir())
    assert sorted(told.values()) == [[one, one] for one in sizes]


DAMAGE = {
    "a flipped byte": lambda home: flip(next(slices(home))),
    "a flipped byte of the MP4": lambda home: flip(home.bag / "data/access" / home.mp4.name),
    "a flipped byte of a tag file": lambda home: flip(home.bag / "bag-info.txt"),
    "a flipped byte of a manifest": lambda home: flip(home.bag / "manifest-sha256.txt"),
    "a missing slice": lambda home: next(slices(home)).unlink(),
    "a missing manifest": lambda home: (home.bag / "manifest-sha512.txt").unlink(),
    "a missing declaration": lambda home: (home.bag / "bagit.txt").unlink(),
    "an extra file": lambda home: (home.bag / "data" / "extra.ts").write_bytes(b"x"),
    "a renamed file": lambda home: next(slices(home)).rename(home.bag / "data" / "moved.ts"),
    "a longer file": lambda home: next(slices(home)).write_bytes(
        next(slices(home)).read_bytes() + b"x"
    ),
}
UNSEEN_BY_SUMS = {"an extra file", "a missing declaration", "a missing manifest"}
SEEN_AT_ONCE = {name for name in DAMAGE if "slice" in name or "file" in name} - {
    "a flipped byte of a tag file"
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_seen_by_us_and_by_others(bagged, bagit, sums, damage):
    DAMAGE[damage](bagged)
    assert checked(bagged).problems
    assert damage == "a missing manifest" or not bagit(bagged.bag)
    if damage in UNSEEN_BY_SUMS - {"an extra file"}:
        return
    listed = {line.split(maxsplit=1)[1] for line in _lines(bagged.bag)}
    there = set(files(bagged.bag)) - {"tagmanifest-sha256.txt", "tagmanifest-sha512.txt"}
    assert not (sums(bagged.bag) and listed == there)  # sums do not look for what is extra


def _lines(bag: Path) -> list[str]:
    names = ("manifest-sha256.txt", "tagmanifest-sha256.txt")
    return [line for name in names for line in (bag / name).read_text("latin-1").splitlines()]


@pytest.mark.parametrize("damage", sorted(SEEN_AT_ONCE))
def test_what_changes_names_or_sizes_is_seen_without_reading(bagged, damage):
    DAMAGE[damage](bagged)
    assert checked(bagged, fast=True).problems


@pytest.mark.parametrize("damage", ["a missing manifest", "an extra file"])
def test_the_profile_is_broken_by_what_is_not_in_it(bagged, bagit_profile, damage):
    DAMAGE[damage](bagged)
    if damage == "an extra file":
        (bagged.bag / "extra.txt").write_bytes(b"x")
    assert not bagit_profile(bagged.bag)


@given(st.data())
def test_no_byte_of_a_bag_can_change_unseen(bag_contents, data):
    """Of the manifests as well; on what was read, so that no file has to be written."""
    path = data.draw(st.sampled_from(sorted(bag_contents)))
    at = data.draw(st.integers(0, len(bag_contents[path]) - 1))
    changed = bytearray(bag_contents[path])
    changed[at] ^= data.draw(st.integers(1, 255))
    assume(not _of_one_meaning(path, bytes(changed), bag_contents[path]))
    assert list(fixity.judge(contents({**bag_contents, path: bytes(changed)})))


@pytest.fixture(scope="module")
def bag_contents(made, tmp_path_factory, request):
    """Every file of a sound bag, the media shortened to nothing: only digests count here."""
    from pipeline.archive.bagit import bag as bags
    from pipeline.archive.bagit.staging import digest

    payload = {"data/access/a.mp4": b"mp4", "data/original/a b.ts": b"ts\0"}
    held = {p: digest([d]) for p, d in payload.items()}
    told = {
        "bagit.txt": bags.DECLARED,
        "bag-info.txt": bags.info([("Payload-Oxum", bags.oxum(held.values()))]),
        **{bags.manifest_name(a): bags.manifest(held, a) for a in bags.ALGORITHMS},
    }
    tags = {p: digest([d]) for p, d in told.items()}
    last = {bags.manifest_name(a, tags=True): bags.manifest(tags, a) for a in bags.ALGORITHMS}
    whole = {**payload, **told, **last}
    assert list(fixity.judge(contents(whole))) == []
    return whole


def contents(whole: dict[str, bytes]) -> fixity.Contents:
    from pipeline.archive.bagit.staging import digest

    seen = {p: fixity.CheckedFile(len(d), digest([d])) for p, d in whole.items()}
    texts = {p: d for p, d in whole.items() if not p.startswith("data/")}
    return fixity.Contents(seen, texts)


def test_a_tar_is_checked_in_one_pass_and_cut_or_flipped_it_is_refused(home):
    home.ingest(home.archive(Form.TAR))
    storage, place = LocalStorage(home.root / "archive"), BagLocation(home.name, Form.TAR)
    tar = home.root / "archive" / f"{home.name}.tar"
    assert check(storage, place, fast=False).ok
    assert check(storage, place, fast=True).ok
    whole = tar.read_bytes()
    tar.write_bytes(whole[: len(whole) // 2])
    assert not check(storage, place, fast=False).ok
    assert not check(storage, place, fast=True).ok
    tar.write_bytes(whole)
    flip(tar)
    assert not check(storage, place, fast=False).ok


def _of_one_meaning(path: str, one: bytes, other: bytes) -> bool:
    """A digest may be written in either case (RFC 8493 section 2.1.3); no manifest lists these."""
    if not bag.is_tag_manifest(path):
        return False
    with suppress(ValueError):
        return bag.parse_manifest(one) == bag.parse_manifest(other)
    return False


def test_what_fetch_txt_names_is_read_where_it_is(home):
    home.ingest(originals="fetch")
    storage, place = LocalStorage(home.root / "archive"), BagLocation(home.name)
    assert check(storage, place, fast=False, opened=open_storage).ok
    flip(next(home.source.glob("*.ts")))
    (problem,) = check(storage, place, fast=False, opened=open_storage).problems
    assert problem.kind == "changed"
    next(home.source.glob("*.ts")).unlink()
    assert not check(storage, place, fast=False, opened=open_storage).ok


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_second_copy_puts_it_right(bagged, damage):
    shutil.copytree(bagged.root / "archive", bagged.root / "copy")
    before = files(bagged.bag)
    DAMAGE[damage](bagged)
    storage, copy = LocalStorage(bagged.root / "archive"), LocalStorage(bagged.root / "copy")
    fixed = repair.repair(storage, BagLocation(bagged.name), copy, bagged.root / "spool")
    extra = {"data/extra.ts", "data/moved.ts"} & set(files(bagged.bag))
    assert {p: d for p, d in files(bagged.bag).items() if p not in extra} == before
    left = {p.path for p in checked(bagged).problems}
    assert left == extra | ({"data/"} if extra else set())  # never removed, only named
    assert fixed or damage == "an extra file"


def test_a_manifest_that_names_files_elsewhere_is_only_wrong(bagged):
    manifest = bagged.bag / "manifest-sha256.txt"
    manifest.write_bytes(manifest.read_bytes() + b"00  data/../../../etc/passwd\n")
    storage = LocalStorage(bagged.root / "archive")
    kinds = {p.path: p.kind for p in checked(bagged).problems}
    assert kinds["data/../../../etc/passwd"] == "missing"
    fixed = repair.repair(storage, BagLocation(bagged.name), storage, bagged.root / "spool")
    assert fixed == []


def to_a_source(home: Home) -> Path:
    """A slice of the bag is only a link to the one that was archived."""
    path = next(slices(home))
    path.unlink()
    path.symlink_to(home.source / path.name)
    return path


def to_a_folder(home: Home) -> Path:
    """All originals are."""
    path = home.bag / "data" / "original"
    shutil.rmtree(path)
    path.symlink_to(home.source)
    return path


def to_nothing(home: Home) -> Path:
    path = home.bag / "data" / "nothing"
    path.symlink_to("nowhere")
    return path


def to_another_bag(home: Home) -> Path:
    home.bag.rename(home.root / "archive" / "other")
    home.bag.symlink_to("other")
    return home.bag


@pytest.mark.parametrize("root", ["archive", "."])
@pytest.mark.parametrize("link", [to_a_source, to_a_folder, to_nothing, to_another_bag])
def test_a_link_is_no_file_of_a_bag(bagged, link, root):
    """Also where it leads to the right bytes, and stays below the root of the archive."""
    home = bagged.root / root
    path, place = link(bagged), BagLocation(str(bagged.bag.relative_to(home)))
    for fast in (True, False):
        problems = check(LocalStorage(home), place, fast=fast).problems
        assert {p.kind for p in problems} == {"link"}
        assert [p.path for p in problems] == [str(path.relative_to(bagged.bag)).strip(".")]


def test_nothing_is_repaired_through_a_link_nor_from_one(bagged):
    shutil.copytree(bagged.root / "archive", bagged.root / "copy")
    path = to_a_source(bagged)
    path.resolve().write_bytes(b"mine")
    linked, copy = LocalStorage(bagged.root / "archive"), LocalStorage(bagged.root / "copy")
    place, spool = BagLocation(bagged.name), bagged.root / "spool"
    assert repair.repair(linked, place, copy, spool) == []
    assert path.resolve().read_bytes() == b"mine"
    next((bagged.root / "copy").glob("*/data/original/*.ts")).unlink()
    assert repair.repair(copy, place, linked, spool) == []


def test_a_recording_is_not_safe_in_a_bag_of_links(bagged):
    published = read(LocalStorage(bagged.out), bagged.receipt.name)
    storage = LocalStorage(bagged.root / "archive")
    assert missing_from(storage, published) is None
    to_a_source(bagged)
    assert missing_from(storage, published) == "a link is in its bag"


def test_a_second_copy_that_is_damaged_too_is_not_taken(bagged):
    shutil.copytree(bagged.root / "archive", bagged.root / "copy")
    for root in ("archive", "copy"):
        (path,) = (bagged.root / root).glob("*/data/access/*.mp4")
        flip(path)
    storage, copy = LocalStorage(bagged.root / "archive"), LocalStorage(bagged.root / "copy")
    before = files(bagged.bag)
    assert repair.repair(storage, BagLocation(bagged.name), copy, bagged.root / "spool") == []
    assert files(bagged.bag) == before


def test_a_tar_is_replaced_by_the_very_same_one(home):
    home.ingest(home.archive(Form.TAR))
    shutil.copytree(home.root / "archive", home.root / "copy")
    flip(home.root / "archive" / f"{home.name}.tar")
    storage, copy = LocalStorage(home.root / "archive"), LocalStorage(home.root / "copy")
    place = BagLocation(home.name, Form.TAR)
    assert repair.repair(storage, place, copy, home.root / "spool")
    assert check(storage, place, fast=False).ok


def test_a_bag_in_a_bucket_is_checked_and_repaired_from_a_folder(bagged, weed):
    storage = S3Storage(weed.new_bucket(), "vault", weed.client)
    for path, data in files(bagged.bag).items():
        key = f"vault/{bagged.name}/{path}"
        weed.client.put_object(Bucket=storage.bucket, Key=key, Body=data)
    assert check(storage, BagLocation(bagged.name), fast=False).ok
    name = f"{bagged.name}/data/access/{bagged.mp4.name}"
    weed.client.put_object(Bucket=storage.bucket, Key=f"vault/{name}", Body=b"x")
    assert {p.kind for p in check(storage, BagLocation(bagged.name), fast=True).problems} == {
        "changed"
    }
    copy = LocalStorage(bagged.root / "archive")
    fixed = repair.repair(storage, BagLocation(bagged.name), copy, bagged.root / "spool")
    assert fixed == [f"data/access/{bagged.mp4.name}"]
    assert check(storage, BagLocation(bagged.name), fast=False).ok


def test_the_longest_unchecked_come_first_and_a_hundred_days_reach_all(tmp_path):
    found = [BagLocation(f"{n:03}") for n in range(250)]
    (tmp_path / "archive").mkdir()
    memory = schedule.InArchive(LocalStorage(tmp_path / "archive"), tmp_path / "spool")
    reached: set[str] = set()
    for day in range(84):
        today = schedule.due(found, memory.recall(), "full", 0.01)
        assert len(today) == 3
        result = Checked("", "full", (), 0, 0)
        memory.remember(
            {schedule.entry_key(p, "full"): schedule.entry(result, 86400.0 * day) for p in today}
        )
        reached |= {place.name for place in today}
    assert len(reached) == 250
    assert schedule.due(found, memory.recall(), "full", 0.004)[0].name == "002"


def test_a_memory_that_is_damaged_forgets(tmp_path):
    state = tmp_path / ".recpipe" / "fixity.json"
    state.parent.mkdir()
    state.write_text("[nonsense")
    assert schedule.InArchive(LocalStorage(tmp_path), tmp_path).recall() == {}


def test_an_archive_of_many_bags_is_found(home):
    home.ingest(home.archive(Form.TAR))
    (home.root / "archive" / "notes.txt").write_bytes(b"not a bag")
    storage = LocalStorage(home.root / "archive")
    assert places.places(storage) == [BagLocation(home.name, Form.TAR)]
    (home.root / "archive" / f"{home.name}.tar").rename(home.root / "archive" / "moved.tar")
    home.ingest()
    assert places.places(storage) == [BagLocation(home.name), BagLocation("moved", Form.TAR)]
    assert places.places(LocalStorage(home.bag)) == [BagLocation("")]
    assert isinstance(home.archive(), Archive)
