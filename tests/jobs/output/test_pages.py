"""The page beside a result, in a folder and in a bucket."""

from pathlib import Path

import pytest

from pipeline.jobs.one import process
from pipeline.jobs.options import Options
from pipeline.jobs.output.destinations import Target
from pipeline.stages.discover import discover
from pipeline.storage.local import LocalStorage
from tests.jobs.test_s3 import COMPOSITE, content, empty, filled, keys, left_in


@pytest.fixture
def convert(ffmpeg, tmp_path):
    """Convert the only recording of a storage, with its page."""

    def call(source, to, **options):
        (recording,) = discover(source, "")
        how = Options(spool=tmp_path / "spool", report=True, **options)
        return process(recording, source, Target(to, "out.mp4"), ffmpeg, how)

    return call


def test_in_a_folder(convert, tmp_path):
    to = LocalStorage(tmp_path / "out")
    report = convert(LocalStorage(COMPOSITE), to)
    assert report.page == str(tmp_path / "out" / "out.html")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "out.html",
        "out.mp4",
        "out.receipt.json",
    ]


def test_in_a_bucket_it_leads_to_the_result_and_leaves_nothing_behind(convert, weed, tmp_path):
    to = empty(weed)
    report = convert(filled(weed), to)
    assert report.page == to.url("out.html")
    result = report.output.rpartition("/")[2]
    assert {"out.html", "out.receipt.json", result} <= set(keys(to))
    text = content(to, "out.html").decode()
    assert f'src="./{result}"' in text
    assert "data:image/jpeg;base64," in text
    assert left_in(tmp_path / "spool") == []
    head = weed.client.head_object(Bucket=to.uri().split("/")[2], Key="out.html")
    assert head["ContentType"] == "text/html; charset=utf-8"


def test_a_recording_that_is_not_finished_has_none(convert, tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    for path in COMPOSITE.iterdir():
        text = path.read_bytes()
        (source / path.name).write_bytes(text.replace(b"#EXT-X-ENDLIST", b""))
    report = convert(LocalStorage(source), LocalStorage(tmp_path / "out"))
    assert (report.verdict.value, report.page) == ("pending", None)
    assert not Path(tmp_path / "out").exists()
