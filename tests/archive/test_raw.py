"""Raw recordings, archived in one step; and the MP4s that Agora made beside them."""

import json
import shutil

import pytest

from pipeline.archive import bulk
from pipeline.archive.bagit.places import Form
from pipeline.archive.ingest import Ingested
from pipeline.archive.order import Bagging, Order, Originals
from pipeline.choices import OnLoss
from pipeline.errors import ExistsError, NotFoundError
from pipeline.jobs.options import Options
from pipeline.jobs.outcomes import Failure
from pipeline.model import Report, Verdict
from pipeline.storage.locations import open_storage
from tests.archive.conftest import NOW, Home, files, root


@pytest.fixture
def take(home):
    """What ``recpipe archive ingest source --to archive`` does."""

    def run(*sources, form=Form.OBJECTS, originals="keep", now=lambda: NOW, **how):
        spool = home.root / "spool"
        order = Order(Originals(originals), spool=spool)
        found = bulk.published_in([str(s) for s in sources or [home.source]], open_storage)
        to = home.archive(form)
        options = Options(spool=spool, **how)
        return list(
            bulk.ingest_all(found, root, Bagging(to, order, home.ffmpeg), now=now, options=options)
        )

    return run


@pytest.fixture
def raw(home) -> Home:
    """Nothing is published of it."""
    shutil.rmtree(home.out)
    return home


def playlist(home):
    (found,) = home.source.rglob("*.m3u8")
    return found


def bag(home):
    return home.root / "archive" / playlist(home).stem


@pytest.fixture
def beside(home):
    """Two MP4s of Agora's, and one of another channel."""
    name = playlist(home).stem
    for index in (0, 1):
        playlist(home).with_name(f"{name}_{index}.mp4").write_bytes(b"agora" * (index + 1))
    playlist(home).with_name(f"{name}_other_0.mp4").write_bytes(b"another")
    return [f"{name}_0.mp4", f"{name}_1.mp4"]


@pytest.mark.parametrize("form", list(Form))
def test_it_is_converted_proven_and_bagged_once(raw, take, form):
    (first,) = take(form=form)
    assert isinstance(first, Ingested), first
    assert (first.state, first.report.verdict) == ("ingested", Verdict.OK)
    assert not list((raw.root / "spool").rglob("*.mp4"))  # it is in the bag, and nowhere else
    (again,) = take(form=form)
    assert (again.state, again.report) == ("present", None)
    assert (again.bag, again.files, again.size) == (first.bag, first.files, first.size)


def test_its_bag_is_that_of_a_published_one(raw, take, made, sums):
    take()
    _, out = made
    assert sums(bag(raw))
    receipt = json.loads(next(bag(raw).rglob("*.receipt.json")).read_text())
    published = json.loads(next(out.glob("*.receipt.json")).read_text())
    assert receipt["output"]["sha256"] == published["output"]["sha256"]
    originals = bag(raw) / "data" / "original"
    assert files(originals) == files(playlist(raw).parent)


def test_a_bag_of_the_published_one_is_recognised(home, take):
    """The slices were archived with their result before: nothing is converted again."""
    (published,) = home.ingest()
    (again,) = take(playlist(home))
    assert (again.state, again.bag) == ("present", published.bag)


def test_what_is_published_beside_its_slices_is_not_made_again(home, take):
    for path in home.out.iterdir():
        shutil.move(path, playlist(home).parent / path.name)
    (one,) = take()
    assert (one.state, one.report) == ("ingested", None)


def test_another_source_or_other_settings_are_another_version(raw, take):
    take()
    (other,) = take(on_loss=OnLoss.CLOSE)
    assert isinstance(other.error, ExistsError)
    (other,) = take(originals="none")
    assert isinstance(other.error, ExistsError)
    next(raw.source.rglob("*.ts")).write_bytes(b"changed")
    (other,) = take()
    assert isinstance(other.error, ExistsError)
    assert "another version" in str(other.error)
    assert not list((raw.root / "spool").rglob("*.mp4"))


def test_what_cannot_be_made_is_not_archived(raw, take):
    text = playlist(raw).read_text()
    playlist(raw).write_text(text.replace("#EXT-X-ENDLIST", ""))
    (report,) = take()
    assert isinstance(report, Report)
    assert report.verdict is Verdict.PENDING
    assert not bag(raw).exists()
    (taken,) = take(accept_unfinished=True)
    assert taken.state == "ingested"


def test_a_run_that_was_killed_goes_on_with_what_it_made(raw, take):
    def killed():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        take(now=killed)
    assert not bag(raw).exists()
    (mp4,) = (raw.root / "spool").rglob("*.mp4")
    made = mp4.stat().st_mtime_ns
    seen = []
    (one,) = take(now=lambda: seen.append(mp4.stat().st_mtime_ns) or NOW)
    assert (one.state, one.report.made, seen) == ("ingested", False, [made])


def test_neither_results_nor_recordings(home, take):
    (home.root / "empty").mkdir()
    (failure,) = take(home.root / "empty")
    assert isinstance(failure, Failure)
    assert isinstance(failure.error, NotFoundError)


@pytest.mark.parametrize("published", [True, False])
def test_agoras_own_mp4s_are_archived_beside_it(home, take, beside, published, sums):
    (one,) = home.ingest() if published else take()
    assert isinstance(one, Ingested), one
    originals = bag(home) / "data" / "original"
    assert sorted(path.name for path in originals.glob("*.mp4")) == beside
    assert (originals / beside[1]).read_bytes() == b"agoraagora"
    told = json.loads((bag(home) / "data" / "metadata" / "recording.json").read_text())
    assert [key.rpartition("/")[2] for key in told["agora_mp4"]] == beside
    premis = (bag(home) / "data" / "metadata" / "premis.xml").read_text()
    assert all(name in premis for name in beside)
    assert sums(bag(home))


def test_they_are_named_where_the_originals_stay(home, take, beside):
    take(originals="fetch")
    fetch = (bag(home) / "fetch.txt").read_text()
    assert all(f"data/original/{name}" in fetch for name in beside)
    assert not (bag(home) / "data" / "original").exists()


def test_and_left_out_with_them(home, take, beside):
    take(originals="none")
    assert not [path for path in bag(home).rglob("*.mp4") if path.name in beside]
