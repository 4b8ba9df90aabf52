"""``recpipe clean``: the dry run is the default, and what it says and ends with."""

import json
import os
import re
import shutil
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from pipeline.jobs.limits.locks import locked
from tests.cli.conftest import COMPOSITE, snapshot

LOOSE = ("--older-than", "0s", "--max-fraction", "100%")


@pytest.fixture
def converted(recpipe, composite, clean, monkeypatch):
    """A folder of slices, their MP4, and a state folder of the test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(clean / "state"))
    assert recpipe("convert", composite, "-o", clean / "out").code == 0
    return composite, clean / "out"


@pytest.fixture
def plan(recpipe, converted):
    """Plan everything; returns how the command ended."""
    source, out = converted

    def call(*more):
        return recpipe("clean", "plan", source, "--to", out, *LOOSE, *more)

    return call


def test_plan_deletes_nothing_and_says_so(plan, converted, clean):
    before = snapshot(converted[0])
    ended = plan()
    assert ended.code == 0
    assert "1 recordings, 5 objects" in ended.err
    assert "nothing was deleted" in ended.err
    assert snapshot(converted[0]) == before
    assert json.loads((clean / "plan.json").read_text())["recordings"]


def test_the_whole_way(recpipe, plan, converted, clean):
    source, _ = converted
    before = snapshot(source)
    assert plan("--quiet").err == ""
    done = recpipe("clean", "apply", "plan.json", "--json")
    assert (done.code, done.line["objects"]) == (0, 5)
    run = done.line["run"]
    assert not list(source.glob("*.ts"))
    back = recpipe("clean", "restore", source, run)
    assert back.code == 0
    assert snapshot(source) == before  # times too
    assert recpipe("clean", "apply", "plan.json", "--quiet").err == ""
    early = recpipe("clean", "purge", source, run)
    assert (early.code, "not yet 7 days" in early.err) == (2, True)
    assert recpipe("clean", "purge", source, "--trash-days", "0", "--dry-run").out
    assert recpipe("clean", "purge", source, "--trash-days", "0", "--quiet").code == 0
    assert snapshot(source) == {}


def told(ended) -> list[tuple[int, int | None]]:
    """How many recordings of how many were done, as ``--progress json`` says it."""
    lines = [json.loads(line) for line in ended.err.splitlines() if line.startswith("{")]
    assert {line["unit"] for line in lines} == {"recordings"}
    return [(line["finished"], line["total"]) for line in lines]


def test_each_command_says_how_far_it_is(recpipe, plan, converted):
    source, _ = converted
    said = ("--progress", "json")
    assert told(plan(*said)) == [(1, None)]  # nobody has counted them yet
    assert told(recpipe("clean", "apply", "plan.json", *said)) == [(1, 1)]
    (run,) = (path.name for path in (source / ".trash").iterdir())
    assert told(recpipe("clean", "restore", source, run, *said)) == [(1, 1)]
    assert recpipe("clean", "apply", "plan.json").code == 0
    assert told(recpipe("clean", "purge", source, "--trash-days", "0", *said)) == [(1, 1)]


def test_by_default_young_recordings_stay(recpipe, converted):
    source, out = converted
    ended = recpipe("clean", "plan", source, "--to", out, "--json")
    assert ended.code == 0
    assert (ended.line["action"], ended.line["reason"]) == ("keep", "too young")


def test_the_first_run_needs_no_limits(planning):
    ended = planning()
    assert ended.code == 0
    assert ended.out.startswith(f"delete  {COMPOSITE}  1.0 MB  ok, 5 objects as they were")
    assert "1 recordings, 5 objects, 1.0 MB may go" in ended.err


@pytest.fixture
def planning(recpipe, converted):
    """Everything is old enough; all else is as it comes."""
    source, out = converted
    return lambda *more: recpipe("clean", "plan", source, "--to", out, "--older-than", "0s", *more)


def test_what_is_left_for_the_next_run_is_said(recpipe, converted, samples):
    _, out = converted
    assert recpipe("convert", samples, "-o", out).code in (0, 5)
    plan = ("clean", "plan", samples, "--to", out, "--older-than", "0s", "--include-degraded")
    ended = recpipe(*plan, "--max-delete", "5")
    assert ended.code == 0
    assert "left for the next run: 1 recordings" in ended.err
    assert "(--max-delete 5 is reached)" in ended.err
    actions = [line["action"] for line in recpipe(*plan, "--max-delete", "5", "--json").lines]
    assert sorted(set(actions)) == ["delete", "later"]


def test_an_empty_plan_offers_nothing(recpipe, converted):
    source, out = converted
    ended = recpipe("clean", "plan", source, "--to", out)
    assert (ended.code, ended.out) == (0, "")
    assert "0 recordings" in ended.err
    assert "clean apply" not in ended.err


def test_a_guard_is_exit_code_2_and_leaves_no_plan(recpipe, converted, clean):
    _, out = converted
    (clean / "empty").mkdir()
    ended = recpipe("clean", "plan", "empty", "--to", out)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "lists nothing at all" in ended.err
    assert not (clean / "plan.json").exists()


def test_what_is_in_the_trash_is_listed(recpipe, plan, converted):
    source, _ = converted
    assert recpipe("clean", "runs", source).out == ""
    plan()
    run = recpipe("clean", "apply", "plan.json", "--json").line["run"]
    told = recpipe("clean", "runs", source, "--json").line
    assert (told["run"], told["recordings"], told["objects"]) == (run, [COMPOSITE], 5)
    assert told["since"] < told["purge_from"]
    text = recpipe("clean", "runs", source, "--trash-days", "0").out
    assert text.startswith(f"{run}  1 recordings, 5 objects, 1.0 MB, since ")
    assert COMPOSITE in text
    listed = recpipe("clean", "restore", source)
    assert (listed.code, run in listed.out) == (0, True)
    assert not list(source.glob("*.ts"))  # nothing was restored
    (source / ".trash" / run / "plan.json").write_bytes(b"{}")
    assert recpipe("clean", "runs", source, "--json").line["recordings"] == []


@pytest.mark.parametrize(
    "command",
    [
        ("check",),
        ("convert", "-o", "out2"),
        ("watch", "--to", "out3", "--once"),
        ("archive", "verify"),
        ("archive", "export", "--tar", "tars"),
        ("archive", "ingest", "--to", "vault"),
        ("ledger", "rebuild", "--to"),
        ("clean", "plan", "--to", "out"),
        ("clean", "purge"),
        ("doctor", "--store"),
    ],
    ids=" ".join,
)
def test_what_is_in_the_trash_is_in_nobody_else_s_way(recpipe, plan, converted, command):
    """Neither named nor counted, by those who find nothing else there."""
    source, _ = converted
    plan()
    assert recpipe("clean", "apply", "plan.json").code == 0
    ended = recpipe(*command, source, "--log-format", "text")
    assert ".trash" not in ended.out + ended.err
    assert not re.search(r"[1-9][0-9]* (media )?files", ended.out + ended.err)


def test_what_was_left_alone_is_exit_code_5(recpipe, plan, converted):
    plan()
    (mp4,) = converted[1].glob("*.mp4")
    mp4.write_bytes(mp4.read_bytes()[:-1] + b"?")
    ended = recpipe("clean", "apply", "plan.json", "--quiet")
    assert (ended.code, ended.err.count("\n")) == (5, 1)
    assert "SHA-256 differs" in ended.err
    assert len(list(converted[0].glob("*.ts"))) == 4


def test_only_what_is_archived_goes_when_that_is_asked_for(recpipe, plan, converted, clean):
    store = clean / "store"
    assert plan("--require-archive", store, "--json").line["reason"] == "not archived"
    for originals, reason in (("fetch", "not complete"), ("none", "not its originals")):
        recpipe("archive", "ingest", converted[1], "--to", store, "--originals", originals)
        assert reason in plan("--require-archive", store, "--json").line["reason"]
        shutil.rmtree(store)
    recpipe("archive", "ingest", converted[1], "--to", store)
    assert plan("--require-archive", store, "--json").line["action"] == "delete"
    (slice_,) = list(store.glob("*/data/original/*.ts"))[:1]
    slice_.unlink()
    assert recpipe("clean", "apply", "plan.json").code == 5


@pytest.mark.parametrize("form", ["objects", "tar"])
def test_a_bag_is_whole_after_its_sources_are_gone(recpipe, plan, converted, clean, form):
    store = clean / "store"
    assert recpipe("archive", "ingest", converted[1], "--to", store, "--as", form).code == 0
    plan("--require-archive", store)
    assert recpipe("clean", "apply", "plan.json").code == 0
    assert recpipe("clean", "purge", converted[0], "--trash-days", "0").code == 0
    assert recpipe("archive", "verify", store).code == 0


def test_a_second_run_is_busy(recpipe, plan, converted, clean):
    plan()
    with locked(clean / "state" / "recpipe", str(converted[0].resolve())):
        ended = recpipe("clean", "apply", "plan.json")
    assert (ended.code, "another process" in ended.err) == (75, True)
    assert recpipe("clean", "apply", "plan.json").code == 0


def test_applying_from_another_folder_is_the_same(recpipe, converted, clean, monkeypatch):
    source, out = converted
    monkeypatch.chdir(source.parent)
    args = ["clean", "plan", source.name, "--to", os.path.relpath(out), *LOOSE]
    assert recpipe(*args, "-o", clean / "plan.json").code == 0
    monkeypatch.chdir(clean)
    assert recpipe("clean", "apply", "plan.json").code == 0
    assert not list(source.glob("*.ts"))


def test_our_leftovers_go_with_the_plan(recpipe, plan, converted, cache, clean):
    old = clean / "out" / ".recpipe-4194305-abcdef.part"  # no process has such a number
    old.write_bytes(b"x")
    os.utime(old, (time.time() - 200_000,) * 2)
    assert "1 leftovers" in plan().err
    assert old.exists()
    assert recpipe("clean", "apply", "plan.json").code == 0
    assert not old.exists()


def test_unknown_objects_are_listed_and_stay(recpipe, plan, converted, clean):
    (converted[0] / "mine.txt").write_bytes(b"x")
    plan("--unknown", "unknown.txt")
    assert (clean / "unknown.txt").read_text() == "mine.txt\n"
    recpipe("clean", "apply", "plan.json")
    assert (converted[0] / "mine.txt").exists()


@pytest.mark.parametrize("run", ["../out", "nothing", ".", "a/b"])
def test_a_run_that_is_none_is_refused(recpipe, converted, run):
    assert recpipe("clean", "restore", converted[0], run).code == 2


def test_a_dead_man_s_switch_hears_start_and_exit_code(recpipe, plan):
    heard = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            heard.append(self.path)
            self.send_response(500)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/hc"
    try:
        assert plan("--ping", url).code == 0
        assert recpipe("clean", "apply", "nothing.json", "--ping", url).code == 2
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert heard == ["/hc/start", "/hc/0", "/hc/start", "/hc/2"]
    assert plan("--ping", url).code == 0  # nobody hears it
    assert plan("--ping", "file:///etc/passwd").code == 2


def test_from_bucket_to_bucket(recpipe, composite, clean, weed, monkeypatch):
    """Convert, archive as a tar, clean up, purge; then the archive alone has every byte."""
    monkeypatch.setenv("XDG_STATE_HOME", str(clean / "state"))
    for name, value in weed.environment.items():
        monkeypatch.setenv(name, value)
    bucket = weed.new_bucket()
    for path in composite.iterdir():
        weed.client.put_object(Bucket=bucket, Key=f"calls/{path.name}", Body=path.read_bytes())
    source, out, store = (f"s3://{bucket}/{name}/" for name in ("calls", "mp4", "vault"))
    assert recpipe("convert", source, "-o", out).code == 0
    assert recpipe("archive", "ingest", out, "--to", store, "--as", "tar").code == 0
    planned = recpipe("clean", "plan", source, "--to", out, *LOOSE, "--require-archive", store)
    assert planned.code == 0, planned.err
    done = recpipe("clean", "apply", "plan.json", "--json")
    assert (done.code, done.line["objects"]) == (0, 5)
    assert recpipe("check", source).code == 2  # no recording there any more
    assert recpipe("clean", "purge", source, "--trash-days", "0").code == 0
    keys = [o["Key"] for o in weed.client.list_objects_v2(Bucket=bucket)["Contents"]]
    assert not [key for key in keys if key.startswith("calls/")]
    assert recpipe("archive", "verify", store).code == 0
    exported = recpipe("archive", "export", store, "--ocfl", clean / "ocfl", "--json").line
    originals = sorted((clean / exported["export"]).glob("v1/content/data/original/*"))
    assert [path.read_bytes() for path in originals] == [
        path.read_bytes() for path in sorted(composite.iterdir())
    ]
    said = (clean / "state" / "recpipe" / "audit.jsonl").read_text()
    assert weed.secret_key not in said


@pytest.fixture
def known(recpipe, converted, clean):
    """A ledger that was made from the receipts; how it is named."""
    url = f"sqlite:///{clean}/ledger.db"
    assert recpipe("ledger", "rebuild", "--to", converted[1], "--ledger", url).code == 0
    return "--ledger", url


def test_what_the_ledger_holds_stays(recpipe, plan, known):
    assert recpipe("hold", "0a93a5e0", *known).code == 0
    ended = plan(*known, "--json")
    assert (ended.code, ended.line["action"], ended.line["reason"]) == (0, "keep", "held")
    recpipe("hold", "0a93a5e0", "--release", *known)
    assert plan(*known, "--json").line["action"] == "delete"
    recpipe("hold", "0a93a5e0", *known)
    done = recpipe("clean", "apply", "plan.json", *known)
    assert (done.code, "held" in done.err) == (5, True)


def test_a_plan_made_with_a_ledger_needs_it(recpipe, plan, known, converted, clean):
    before = snapshot(converted[0])
    assert plan(*known).code == 0
    ended = recpipe("clean", "apply", "plan.json")
    assert (ended.code, "ledger that is not there any more" in ended.err) == (2, True)
    (clean / "ledger.db").unlink()
    ended = recpipe("clean", "apply", "plan.json", *known)
    assert (ended.code, "is not there" in ended.err) == (2, True)
    assert snapshot(converted[0]) == before


def test_a_ledger_of_this_user_that_knows_nothing_is_none(recpipe, plan):
    assert recpipe("status").code == 0  # which makes one
    assert plan("--json").line["action"] == "delete"


def test_the_audit_trail_is_in_the_ledger_too(recpipe, plan, known):
    plan(*known)
    assert recpipe("clean", "apply", "plan.json", *known).code == 0
    kinds = [e["kind"] for e in recpipe("explain", "0a93a5e0", "--json", *known).line["events"]]
    assert kinds[-2:] == ["trash", "trashed"]


def test_versions_as_trash_need_a_bucket_that_keeps_them(plan, clean):
    ended = plan("--trash", "versions")
    assert (ended.code, "keeps no versions" in ended.err) == (2, True)
    assert not (clean / "plan.json").exists()
