"""``recpipe archive``: what it says, and what it ends with."""

import json
import shutil

import pytest

from pipeline.cli import progress
from tests.cli.conftest import edit_playlist, segments


@pytest.fixture
def out(recpipe, composite, clean):
    """Results of one recording."""
    assert recpipe("convert", composite, "-o", clean / "out").code == 0
    return clean / "out"


@pytest.fixture
def store(recpipe, out, clean):
    """An archive of one bag."""
    assert recpipe("archive", "ingest", out, "--to", clean / "store").code == 0
    return clean / "store"


def test_ingest_says_what_was_made_then_what_is_there(recpipe, out, clean):
    first = recpipe("archive", "ingest", out, "--to", clean / "store", "--json")
    assert (first.code, first.err) == (0, "")
    assert first.line["state"] == "ingested"
    assert first.line["bag"] == str(clean / "store" / first.line["recording"])
    again = recpipe("archive", "ingest", out, "--to", clean / "store", "--json")
    assert (again.code, again.line["state"]) == (0, "present")


def test_cron_hears_nothing_when_all_is_well(recpipe, out, store):
    for args in (["ingest", out, "--to", store], ["verify", store], ["verify", store, "--fast"]):
        ended = recpipe("archive", *args, "--quiet")
        assert (ended.code, ended.out, ended.err) == (0, "", "")


def test_damage_is_one_line_and_exit_code_4(recpipe, store):
    (mp4,) = store.glob("*/data/access/*.mp4")
    mp4.write_bytes(mp4.read_bytes()[:-1] + b"?")
    ended = recpipe("archive", "verify", store, "--quiet")
    assert ended.code == 4
    assert ended.err.count("\n") == 1
    assert "changed" in ended.err
    assert mp4.name in ended.err
    told = recpipe("archive", "verify", store, "--json").line
    assert told["result"] == "fail"
    assert told["problems"][0]["path"].endswith(mp4.name)


def test_a_second_copy_repairs(recpipe, store, clean):
    shutil.copytree(store, clean / "copy")
    (mp4,) = store.glob("*/data/access/*.mp4")
    mp4.unlink()
    ended = recpipe("archive", "verify", store, "--repair-from", clean / "copy", "--json")
    assert (ended.code, len(ended.line["repaired"])) == (0, 1)
    assert mp4.exists()


def test_what_was_checked_when_is_remembered_in_the_archive(recpipe, store):
    recpipe("archive", "verify", store, "--sample", "1%")
    (entry,) = json.loads((store / ".recpipe" / "fixity.json").read_text()).values()
    assert entry["result"] == "pass"
    (bag,) = (path for path in store.iterdir() if not path.name.startswith("."))
    before = sorted(bag.rglob("*"))
    assert recpipe("archive", "verify", bag).code == 0  # a bag that is named itself
    assert sorted(bag.rglob("*")) == before


def test_how_much_of_a_bag_was_read_is_shown(recpipe, store):
    """Each of its bytes once; of a bag that is repaired too."""
    ended = recpipe("archive", "verify", store, "--progress", "json")
    last = json.loads(ended.err.splitlines()[-1])
    (bag,) = (path for path in store.iterdir() if not path.name.startswith("."))
    size = sum(path.stat().st_size for path in bag.rglob("*") if path.is_file())
    told = {name: last[name] for name in ("unit", "finished", "total", "share", "bytes", "size")}
    counts = {"finished": 1, "total": 1, "share": 1.0, "bytes": size, "size": size}
    assert told == {"unit": "bags", **counts}


def test_export_needs_one_kind(recpipe, store, clean):
    assert recpipe("archive", "export", store).code == 2
    ended = recpipe("archive", "export", store, "--ocfl", clean / "ocfl", "--json")
    assert ended.code == 0
    assert ended.line["export"].startswith(str(clean / "ocfl"))


@pytest.mark.parametrize(
    ("more", "why"),
    [
        pytest.param(["--storage-class", "STANDARD_IA"], "a folder has none", id="class"),
        pytest.param(["--object-lock", "governance"], "a folder has none", id="lock"),
        pytest.param(["--tag", "a=b"], "a folder has none", id="tag"),
        pytest.param(["--metadata", "nowhere.csv"], "nowhere.csv", id="no such CSV"),
        pytest.param(["--originals", "some"], "some", id="originals"),
    ],
)
def test_wrong_usage_is_exit_code_2(recpipe, out, clean, more, why):
    ended = recpipe("archive", "ingest", out, "--to", clean / "store", *more)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert why in ended.err


def test_extra_metadata_that_nobody_wants_is_named(recpipe, out, clean):
    (clean / "more.csv").write_text("recording,Contact-Name\nnobody,Zoë\n")
    args = ["archive", "ingest", out, "--to", clean / "store", "--metadata", clean / "more.csv"]
    ended = recpipe(*args, "--quiet")
    assert (ended.code, "nobody" in ended.err) == (0, True)


def test_a_folder_without_results_is_said(recpipe, clean):
    (clean / "empty").mkdir()
    ended = recpipe("archive", "ingest", clean / "empty", "--to", clean / "store")
    assert ended.code == 2
    assert ended.err.startswith("error ")
    assert "nothing published here" in ended.err
    told = recpipe("archive", "ingest", clean / "empty", "--to", clean / "store", "--json").line
    assert (told["recording"], told["state"]) == (None, "error")


def test_raw_recordings_are_archived_in_one_step(recpipe, composite, clean):
    args = ("archive", "ingest", composite, "--to", clean / "store", "--json")
    first = recpipe(*args)
    assert (first.code, first.err) == (0, "")
    assert (first.line["state"], first.line["verdict"]) == ("ingested", "ok")
    again = recpipe(*args)
    assert (again.code, again.line["state"]) == (0, "present")
    assert recpipe("archive", "verify", clean / "store").code == 0


def test_a_loss_is_told_when_the_bag_is_made_and_not_again(recpipe, composite, clean):
    segments(composite)[1].unlink()
    args = ("archive", "ingest", composite, "--to", clean / "store", "--quiet")
    first = recpipe(*args)
    assert (first.code, first.err.count("\n")) == (3, 1)
    assert "degraded" in first.err
    again = recpipe(*args)
    assert (again.code, again.err) == (0, "")


def test_what_still_runs_is_told_and_left(recpipe, composite, clean):
    edit_playlist(composite, "#EXT-X-ENDLIST", "")
    ended = recpipe("archive", "ingest", composite, "--to", clean / "store", "--json")
    assert (ended.code, ended.line["state"], ended.line["bag"]) == (75, "pending", None)
    taken = recpipe(
        "archive", "ingest", composite, "--to", clean / "store", "--json", "--accept-unfinished"
    )
    assert taken.line["state"] == "ingested"


@pytest.mark.parametrize("form", ["objects", "tar"])
def test_it_is_told_how_much_of_a_bag_is_sent_to_a_store(recpipe, out, weed, monkeypatch, form):
    monkeypatch.setattr(progress, "JSON_EVERY", 0.0)
    to = f"s3://{weed.new_bucket()}/bags/"
    args = ("archive", "ingest", out, "--to", to, "--as", form, "--json", "--progress", "json")
    done = recpipe(*args, env=weed.environment)
    assert done.code == 0, done.err
    told = [json.loads(line) for line in done.err.splitlines()]
    (copied, sent) = (
        [now for line in told for now in line["now"] if now["stage"] == stage]
        for stage in ("copy", "publish")
    )
    assert {now["recording"] for now in (*copied, *sent)} == {done.line["recording"]}
    assert sent[-1]["sent"] > done.line["size"]  # and the manifests, and the tar's headers
    assert sent[-1]["share"] == 1.0
    assert (told[-1]["finished"], told[-1]["total"], told[-1]["now"]) == (1, None, [])


def test_a_cold_class_needs_a_tar(recpipe, out, weed):
    args = ["archive", "ingest", out, "--to", f"s3://{weed.bucket}/cold/"]
    ended = recpipe(*args, "--storage-class", "DEEP_ARCHIVE", env=weed.environment)
    assert ended.code == 2
    assert "--as tar" in ended.err


@pytest.fixture
def known(recpipe, out, clean):
    """A ledger that was made from the receipts; how it is named."""
    url = f"sqlite:///{clean}/ledger.db"
    assert recpipe("ledger", "rebuild", "--to", out, "--ledger", url).code == 0
    return "--ledger", url


def events(recpipe, known, id) -> list[dict]:
    return recpipe("explain", id, "--json", *known).line["events"]


def test_a_recording_is_archived_by_its_id_and_the_ledger_knows(recpipe, known, clean):
    ended = recpipe("archive", "ingest", "0a93a5e0", "--to", clean / "store", "--json", *known)
    assert (ended.code, ended.line["state"]) == (0, "ingested")
    (event,) = (e for e in events(recpipe, known, "0a93a5e0") if e["kind"] == "archived")
    assert event["detail"]["bag"] == ended.line["bag"]
    again = recpipe("archive", "ingest", "0a93a5e0", "--to", clean / "store", "--json", *known)
    assert again.line["state"] == "present"
    assert sum(e["kind"] == "archived" for e in events(recpipe, known, "0a93a5e0")) == 1


def test_an_id_that_nobody_knows_is_an_error(recpipe, known, clean):
    ended = recpipe("archive", "ingest", "ffff", "--to", clean / "store", *known)
    assert (ended.code, "no such recording in the ledger" in ended.err) == (2, True)
    ended = recpipe("archive", "ingest", "ffff", "--to", clean / "store")
    assert (ended.code, "no ledger that might know" in ended.err) == (2, True)


def test_a_folder_of_that_name_comes_before_an_id(recpipe, known, out, clean):
    out.rename(clean / "0a93a5e0")
    ended = recpipe("archive", "ingest", "0a93a5e0", "--to", clean / "store", "--json", *known)
    assert ended.line["state"] == "ingested"


def test_the_ledger_remembers_what_was_checked_when(recpipe, store, known):
    name = next(path.name for path in store.iterdir() if not path.name.startswith("."))
    assert recpipe("archive", "verify", store, *known).code == 0
    assert not (store / ".recpipe" / "fixity.json").exists()
    (event,) = (e for e in events(recpipe, known, name) if e["kind"] == "fixity check")
    assert event["detail"] == {"bag": str(store / name), "how": "full", "result": "pass"}


def test_a_ledger_that_was_named_has_to_be_there(recpipe, out, clean):
    args = ["archive", "ingest", out, "--to", clean / "store"]
    ended = recpipe(*args, "--ledger", f"sqlite:///{clean}/none.db")
    assert (ended.code, "is not there" in ended.err) == (2, True)
    assert not (clean / "none.db").exists()
