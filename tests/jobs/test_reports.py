"""What pages are about, and where they go."""

import json

import pytest

from pipeline.errors import ExistsError, UsageError
from pipeline.jobs import reports
from pipeline.jobs.reports import INDEX, Place, Subject, Unread, Writer
from pipeline.model import Report, Verdict
from pipeline.storage.local import LocalStorage
from pipeline.storage.locations import open_storage
from tests.receipts.notes import made


@pytest.fixture
def folder(tmp_path):
    """Two results with receipts, one of them in a folder below, and a receipt that is none."""
    out = tmp_path / "out"
    (out / "x").mkdir(parents=True)
    note = json.dumps(made() | {"source": "/in/a.m3u8"})
    for name in ("a", "x/b"):
        (out / f"{name}.mp4").write_bytes(b"mp4")
        (out / f"{name}.receipt.json").write_text(note)
    (out / "c.receipt.json").write_text("{}")
    return out


def writer(folder, **more):
    return Writer(Place(LocalStorage(folder)), folder / "spool", **more)


def test_all_below_a_folder(folder):
    found = list(reports.published(str(folder), open_storage))
    assert [one.stem for one in found if isinstance(one, Subject)] == ["a", "x/b"]
    (bad,) = (one for one in found if isinstance(one, Unread))
    assert bad.name.endswith("c.receipt.json")


@pytest.mark.parametrize("name", ["a.mp4", "a.receipt.json"])
def test_one_by_its_result_or_its_receipt(folder, name):
    (found,) = reports.published(str(folder / name), open_storage)
    assert found.stem == "a"


def test_what_has_no_receipt_is_none(folder):
    (folder / "d.mp4").write_bytes(b"mp4")
    assert list(reports.published(str(folder / "d.mp4"), open_storage)) == []


@pytest.mark.parametrize(
    ("location", "key"), [("x.html", "x.html"), ("X.HTM", "X.HTM"), ("pages/", ""), ("pages", "")]
)
def test_a_page_goes_into_a_file_or_a_folder(tmp_path, location, key):
    assert reports.place(str(tmp_path / location), open_storage).key == key


def test_no_page_goes_into_another_file(tmp_path):
    with pytest.raises(UsageError, match=r"expected a folder, or a name that ends in \.html"):
        reports.place(str(tmp_path / "x.mp4"), open_storage)


def test_pages_and_their_list(folder, tmp_path):
    to = tmp_path / "pages"
    made = writer(to)
    subjects = [s for s in reports.published(str(folder), open_storage) if isinstance(s, Subject)]
    keys = reports.keys(subjects, made.to)
    written = list(made.write_all(subjects, keys, jobs=2))
    assert made.index(written) == str(to / INDEX)
    assert 'src="../out/a.mp4"' in (to / "a.html").read_text()
    assert 'src="../../out/x/b.mp4"' in (to / "x" / "b.html").read_text()
    index = (to / INDEX).read_text()
    assert 'href="./a.html"' in index
    assert 'href="./x/b.html"' in index


def test_one_that_cannot_be_written_stops_no_other(folder, tmp_path):
    made = writer(tmp_path / "pages")
    subjects = [s for s in reports.published(str(folder), open_storage) if isinstance(s, Subject)]
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "a.html").write_text("mine")
    failed, done = sorted(
        made.write_all(subjects, ["a.html", "x/b.html"], jobs=1), key=lambda x: type(x).__name__
    )
    assert isinstance(failed, Unread)
    assert done.key == "x/b.html"
    assert "is no page of this tool" in str(failed.error)


def test_a_page_that_is_newer_than_its_result_stays(folder):
    (subject,) = reports.published(str(folder / "a.mp4"), open_storage)
    made = writer(folder)
    made.write(subject, "a.html")
    page = folder / "a.html"
    page.write_text(page.read_text().replace("Media lost", "Mine"))
    made.write(subject, "a.html")
    assert "Mine" in page.read_text()
    writer(folder, force=True).write(subject, "a.html")
    assert "Mine" not in page.read_text()


def test_what_is_only_checked_has_no_result(tmp_path):
    report = Report("talk", "/in/talk.m3u8", Verdict.PENDING)
    found = writer(tmp_path).write(Subject("talk", report=report), "talk.html")
    assert found.facts.making is None
    assert "Not finished yet" in (tmp_path / "talk.html").read_text()


def test_two_pages_are_never_one_file(tmp_path):
    report = Report("talk", "/in/talk.m3u8", Verdict.PENDING)
    subject = Subject("talk", report=report)
    to = Place(LocalStorage(tmp_path))
    with pytest.raises(ExistsError, match="would be two pages"):
        reports.keys([subject, subject], to)
    with pytest.raises(ExistsError, match="would be two pages"):
        reports.keys([Subject("index", report=report)], to)
    with pytest.raises(UsageError, match="names one file for 2 recordings"):
        reports.keys([subject, subject], Place(to.storage, "x.html"))
