"""Segments in folders below their playlist: converted, archived, cleaned up, and told apart."""

import json
import shutil
from pathlib import Path

import pytest

from pipeline.archive import bulk
from pipeline.archive.bagit.staging import Archive
from pipeline.archive.ingest import Ingested
from pipeline.archive.order import Bagging, Order
from pipeline.errors import ExistsError
from pipeline.model import Verdict
from pipeline.receipts.inputs import identities
from pipeline.receipts.read import read
from pipeline.retention import document
from pipeline.retention.interlocks import Checks
from pipeline.retention.plan import Rules
from pipeline.retention.survey import Where, survey
from pipeline.storage.local import LocalStorage
from pipeline.storage.locations import open_storage
from tests import recordings as r

PLACES = ["a/0.ts", "b/0.ts", "b/deep er/0.ts", "0.ts", "a/1.ts"]
LISTED = ["a/0.ts", "./b/0.ts", "b/deep%20er/0.ts?token=x%2Fy", "0.ts#t", "a/1.ts"]


@pytest.fixture
def source(library, tmp_path):
    """Five slices of which four have one name; the playlist has none that tells."""
    recording = library[r.AV]
    folder = tmp_path / "source" / "talk"
    for name, place in zip(recording.names, PLACES, strict=True):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(recording.folder / name, folder / place)
    lines = (f"#EXTINF:4.0,\n{name}\n" for name in LISTED)
    (folder / "talk.m3u8.txt").write_text(f"#EXTM3U\n{''.join(lines)}#EXT-X-ENDLIST\n")
    return folder


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.mark.parametrize("named", ["talk.m3u8.txt", ""], ids=["the playlist", "the folder"])
def test_every_sample_is_there(library, source, out, named):
    report = r.convert(source / named, out, library.ffmpeg)
    assert report.verdict is Verdict.OK, r.said(report)
    assert not r.loud(report), r.said(report)
    held = r.units(library[r.AV].contents())
    assert len(r.recorded(r.samples(Path(report.output), library.ffmpeg))) == len(held)
    assert r.check(source / named).findings == report.findings
    receipt = json.loads(Path(report.receipt).read_text())
    inside = [one["key"].removeprefix("talk/") for one in receipt["inputs"]]
    assert inside == ["talk.m3u8.txt", *PLACES]
    again = r.convert(source, out, library.ffmpeg)
    assert again.sha256 == report.sha256


def test_what_is_wrong_with_one_is_not_said_of_its_namesakes(library, source, out):
    path = source / PLACES[1]
    data = path.read_bytes()
    path.write_bytes(data[: 188 * 40] + data[188 * 60 :])
    report = r.convert(source, out, library.ffmpeg)
    assert report.verdict is Verdict.DEGRADED
    assert {f.segment for f in r.loud(report)} <= {PLACES[1], None}
    assert PLACES[1] in {f.segment for f in r.loud(report)}


def test_a_missing_one(library, source, out):
    (source / PLACES[2]).unlink()
    report = r.convert(source / "talk.m3u8.txt", out, library.ffmpeg)
    assert report.verdict is Verdict.DEGRADED
    assert [f.segment for f in report.findings if f.id == "SEG_MISSING"] == [PLACES[2]]


def test_namesakes_that_change_places_are_a_change(library, source, out):
    """Under the one plain name lies the same as before; only where is another matter."""
    r.convert(source, out, library.ffmpeg)
    moved = [source / place for place in PLACES[:2]]
    moved[0].rename(source / "kept")
    moved[1].rename(moved[0])
    (source / "kept").rename(moved[1])
    with pytest.raises(ExistsError, match="have changed"):
        r.convert(source, out, library.ffmpeg)


def test_inputs_are_told_apart_below_the_folder_they_share():
    one = [("x/y/l.m3u8", 1, "e"), ("x/y/a/0.ts", 2, "e"), ("x/y/b/0.ts", 2, "e")]
    other = [("l.m3u8", 1, "e"), ("a/0.ts", 2, "e"), ("b/0.ts", 2, "e")]
    assert identities(one) == identities(other) == set(other)
    assert identities([("x/0.ts", 1, None)]) == {("0.ts", 1, None)}
    assert identities([]) == set()


def test_a_bag_holds_each_in_its_folder(library, source, out, tmp_path):
    r.convert(source, out, library.ffmpeg)
    shutil.rmtree(out / "spool", ignore_errors=True)
    storage = LocalStorage(tmp_path / "archive")
    found = bulk.published_in([str(out)], open_storage)
    to, order = Archive(storage, storage), Order(spool=tmp_path / "spool")

    def root(url):
        return open_storage(url)[0]

    (one,) = bulk.ingest_all(found, root, Bagging(to, order, library.ffmpeg), now=lambda: 1.79e9)
    assert isinstance(one, Ingested), one
    (bag,) = (path.parent for path in (tmp_path / "archive").glob("*/bagit.txt"))
    for place in ["talk.m3u8.txt", *PLACES]:
        assert (bag / "data/original" / place).read_bytes() == (source / place).read_bytes()


def test_cleanup_lists_all_of_it_and_nothing_beside_it(library, source, out, tmp_path):
    r.convert(source, out, library.ffmpeg)
    (source / "b" / "1.ts").write_bytes(b"somebody else's")
    stores = LocalStorage(source.parent), LocalStorage(out)
    rules = Rules(older_than=-1e9, max_fraction=1.0)
    where = Where(*(store.url() for store in stores))
    made = survey(where, Checks(*stores), rules, tmp_path / "plan", now=2e9)
    (one,) = document.read(tmp_path / "plan").recordings
    assert (made.recordings, made.kept) == (1, {})
    assert sorted(o.key for o in one.objects) == sorted(
        f"talk/{place}" for place in ["talk.m3u8.txt", *PLACES]
    )
    assert read(stores[1], next(stores[1].root.glob("*.receipt.json")).name).missing == ()
