"""Foreign bytes of every kind: those kept from earlier runs, and new ones for a second."""

import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.fuzz.targets import CORPUS, TARGETS

ROOT = Path(__file__).parents[2]
SECONDS = os.environ.get("RECPIPE_FUZZ_SECONDS", "1")  # for each target


@pytest.mark.parametrize("name", TARGETS)
def test_inputs_that_reached_something_new_do_no_harm(name):
    with zipfile.ZipFile(CORPUS / f"{name}.zip") as archive:
        inputs = [archive.read(entry) for entry in archive.namelist()]
    assert len(inputs) >= len(list(TARGETS[name].seeds()))
    for data in inputs:
        TARGETS[name].run(data)


@pytest.mark.parametrize("name", TARGETS)
def test_new_inputs_do_no_harm(name, tmp_path):
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("platform: atheris is not made for this machine")
    command = [sys.executable, "-m", "tests.fuzz", name, "--seconds", SECONDS, "--seed", "1"]
    done = subprocess.run(
        [*command, "--found", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Done" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_reader_that_fails_is_found(tmp_path, monkeypatch):
    """The harness notices: any other exception than the one meant for bad data is a crash."""
    monkeypatch.setattr(
        "pipeline.media.isobmff.sample_tables.parse_moov", lambda data: data[10_000]
    )
    with pytest.raises(IndexError):
        TARGETS["movie"].run(next(TARGETS["movie"].seeds()))
