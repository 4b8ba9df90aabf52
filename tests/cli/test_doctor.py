"""``recpipe doctor``: each thing proved, each problem with its fix."""

import os
import secrets
import sys
import time
from pathlib import Path

import pytest

from pipeline.cli import doctor
from pipeline.muxing import pace
from tests.cli.conftest import snapshot
from tests.settings import write as write_settings

NAMES = {"python", "ffmpeg", "spool", "clock", "boto3"}


@pytest.mark.usefixtures("ffmpeg")
def test_a_machine_that_is_well(recpipe):
    ended = recpipe("doctor", "--json")
    assert (ended.code, ended.err, ended.line["ok"]) == (0, "", True)
    assert {check["name"] for check in ended.line["checks"]} == NAMES
    assert all(check["fix"] is None for check in ended.line["checks"])


@pytest.mark.usefixtures("ffmpeg")
def test_people_read_a_line_for_each(recpipe):
    ended = recpipe("doctor")
    assert (ended.code, ended.err) == (0, "")
    assert all(line.startswith("ok") for line in ended.out.splitlines())
    assert sys.executable in ended.out


@pytest.mark.usefixtures("ffmpeg")
def test_a_slow_ffmpeg_is_no_problem_but_told(recpipe, monkeypatch):
    monkeypatch.setattr(pace, "pace", lambda found: 12.0)
    ended = recpipe("doctor")
    assert ended.code == 0
    (line,) = (line for line in ended.out.splitlines() if line.startswith("warning"))
    assert "12 MB a second" in line
    assert "fix: slow" in ended.out


@pytest.mark.parametrize(
    ("there", "said"), [(True, "; downloads with obstore "), (False, "pip install 'recpipe[fast]'")]
)
def test_it_says_with_what_it_downloads(monkeypatch, there, said):
    if not there:
        monkeypatch.delitem(sys.modules, "pipeline.storage.s3.reading", raising=False)
        monkeypatch.setitem(sys.modules, "obstore", None)
    found = doctor.boto3()
    assert found.ok
    assert said in found.detail


def test_an_ffmpeg_that_crashes_is_named_with_the_way_out(recpipe, tmp_path):
    broken = tmp_path / "ffmpeg"
    broken.write_text('#!/bin/sh\ncase "$*" in *-version*) exit 0 ;; esac\nkill -SEGV $$\n')
    broken.chmod(0o755)
    (tmp_path / "ffprobe").symlink_to(broken)
    ended = recpipe("doctor", "--ffmpeg", broken)
    assert ended.code == 2
    assert str(broken) in ended.out
    assert "crashed" in ended.out
    assert "fix: run `pip install" in ended.out


def test_a_spool_that_cannot_be_written_to(recpipe, tmp_path):
    (tmp_path / "file").touch()
    ended = recpipe("doctor", "--spool", tmp_path / "file", "--json")
    assert ended.code == 2
    (problem,) = (c for c in ended.line["checks"] if not c["ok"] and c["name"] == "spool")
    assert str(tmp_path / "file") in problem["detail"]
    assert "--spool" in problem["fix"]


def test_a_store_is_tried_and_left_as_it_was(recpipe, tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "mine").touch()
    before = snapshot(tmp_path / "store")
    ended = recpipe("doctor", "--store", tmp_path / "store", "--json")
    (check,) = (c for c in ended.line["checks"] if c["name"] == "store")
    assert check["ok"], check
    assert "listed, wrote, read and deleted" in check["detail"]
    assert snapshot(tmp_path / "store") == before


@pytest.mark.parametrize("server", ["weed", "azurite", "gcs"])
def test_what_a_store_can_do(recpipe, request, server):
    store = request.getfixturevalue(server)
    url = f"{getattr(store, 'scheme', 's3')}://{store.bucket}/{secrets.token_hex(6)}"
    where = ("doctor", "--store", url, "--endpoint-url", store.endpoint_url)
    ended = recpipe(*where, "--json", env=store.environment)
    (check,) = (c for c in ended.line["checks"] if c["name"] == "store")
    assert check["ok"], check
    assert check["capabilities"]["conditional_put"] is True
    assert set(check["capabilities"]) == set(doctor.MEANINGS)
    ended = recpipe(*where, env=store.environment)
    assert "yes       refuses to create what exists" in ended.out
    assert "not tried" in ended.out or server == "weed"
    for secret in store.environment.values():
        assert secret not in ended.out + ended.err or secret in url or secret in store.endpoint_url


def test_a_named_store_is_tried(recpipe, weed, monkeypatch):
    write_settings(
        f'[storage.calls]\nvendor = 11\nbucket = "shared"\nendpoint = "{weed.endpoint_url}"\n'
        f'access-key-env = "K"\nsecret-key-env = "S"\nprefix = "{secrets.token_hex(6)}"\n'
    )
    env = {"K": weed.access_key, "S": weed.secret_key}
    ended = recpipe("doctor", "--store", "@calls", env=env)
    assert "@calls: listed, wrote, read and deleted" in ended.out
    assert "makes a missing bucket without being asked" in ended.out
    assert weed.secret_key not in ended.out + ended.err
    ended = recpipe("doctor", "--store", "@calls")
    assert (ended.code, "the variable K is not set" in ended.out) == (2, True)


def test_a_store_that_is_not_there(recpipe, tmp_path):
    ended = recpipe("doctor", "--store", tmp_path / "nowhere")
    assert ended.code == 2
    assert str(tmp_path / "nowhere") in ended.out
    assert not (tmp_path / "nowhere").exists()


def test_the_store_of_the_environment(recpipe, tmp_path):
    ended = recpipe("doctor", env={"RECPIPE_STORE": "s3://Bad!Bucket:secret@x"})
    assert ended.code == 2
    assert "secret" not in ended.out + ended.err


def test_a_clock_that_was_never_set():
    assert doctor.clock(time.time()).ok
    never = doctor.clock(0.0)
    assert (never.ok, never.detail) == (False, "1970-01-01 00:00:00 UTC")
    assert never.fix


def test_a_full_disk_is_a_problem(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "ROOM", 1 << 62)
    check = doctor.spool(str(tmp_path))
    assert not check.ok
    assert "expected" in check.detail


@pytest.mark.skipif(os.geteuid() == 0, reason="platform: root may write everywhere")
def test_a_spool_of_somebody_else(tmp_path):
    Path(tmp_path).chmod(0o500)
    assert "permission denied" in doctor.spool(str(tmp_path / "spool")).detail
