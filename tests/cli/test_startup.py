"""``recpipe --help`` answers at once: nothing heavy is imported before it is needed."""

import subprocess
import sys

import pytest

from tests.cli.conftest import ROOT

HEAVY = {
    *("asyncio", "boto3", "botocore", "ffmpeg", "httpx", "logging", "m3u8", "numpy", "pydantic"),
    *("rich", "starlette", "tenacity", "uvicorn", "sqlalchemy", "alembic"),
    *("pipeline.jobs", "pipeline.ledger", "pipeline.media", "pipeline.receipts"),
    *("pipeline.stages", "pipeline.storage.s3.store", "pipeline.watch"),
}
MORE = 48  # modules besides those of click, most of them commands


def imported(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "args",
    [
        ["--help"],
        ["convert", "--help"],
        ["doctor", "--help"],
        ["status", "--help"],
        ["record", "start", "--help"],
        ["simulate", "service", "--help"],
    ],
)
def test_help_imports_nothing_heavy(args):
    code = f"from pipeline.cli.app import cli\ntry: cli.main({args})\nexcept SystemExit: pass"
    assert not HEAVY & imported(code)


def test_a_command_imports_no_other():
    run = "try: cli.main(['check', '--help'])\nexcept SystemExit: pass"
    code = f"from pipeline.cli.app import cli\n{run}"
    found = imported(code)
    assert "pipeline.cli.batch" in found
    assert not {f"pipeline.cli.{name}" for name in ("archive", "clean", "record", "watch")} & found


def test_importing_the_package_imports_nothing_heavy():
    assert not (HEAVY | {"click", "pipeline.model"}) & imported("import pipeline")


def test_a_conversion_imports_no_http_client():
    """m3u8 has one, which nothing here uses."""
    http = {"email.parser", "http.client", "ssl", "urllib.request"}
    found = imported("import pipeline.jobs.many\nimport pipeline.jobs.one")
    assert "m3u8" in found
    assert not http & found


def test_without_a_file_of_settings_none_is_parsed(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    code = "from pipeline import config\nconfig.load()\nconfig.misspelt({'RECPIPE_JOBS': '2'})"
    assert not {"difflib", "tomllib"} & imported(code)


def test_help_is_little_more_than_its_library():
    """How long it takes is a matter for the bench; this is what it takes it for."""
    code = "from pipeline.cli.app import cli\ntry: cli.main(['--help'])\nexcept SystemExit: pass"
    assert len(imported(code) - imported("import click, importlib, gettext")) < MORE


def test_the_version_is_one_line():
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "--version"], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("recpipe ")
