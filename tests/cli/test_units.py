"""The units in scripts/systemd: systemd takes them, and their commands do what they promise."""

import configparser
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT

UNITS = ROOT / "scripts" / "systemd"


def commands(unit: str, environment: dict[str, object]) -> list[list[str]]:
    """The arguments of each ExecStart, as systemd would put them together."""
    lines = re.findall(r"^ExecStart=/usr/local/bin/recpipe (.*)$", unit, re.MULTILINE)
    expanded = [
        [re.sub(r"\$\{(\w+)\}", lambda m: str(environment.get(m[1], "")), word) for word in words]
        for words in map(shlex.split, lines)
    ]
    assert expanded
    return expanded


def run(recpipe, name: str, environment: dict[str, object]) -> list[tuple[int, str]]:
    text = (UNITS / f"{name}.service").read_text()
    ended = [recpipe(*argv) for argv in commands(text, environment)]
    return [(one.code, one.err) for one in ended]


def test_archive_then_cleanup_every_night(recpipe, composite, clean, monkeypatch):
    """Silent on success; what is not archived does not go."""
    assert recpipe("convert", composite, "-o", clean / "out").code == 0
    for name, value in (("OLDER_THAN", "0s"), ("MAX_FRACTION", "100%")):
        monkeypatch.setenv(f"RECPIPE_{name}", value)
    told = {
        "RECPIPE_TO": clean / "out",
        "RECPIPE_ARCHIVE": clean / "archive",
        "RECPIPE_CLEAN": composite,
        "STATE_DIRECTORY": clean,
    }
    (clean / "archive").mkdir()
    assert run(recpipe, "recpipe-clean", told) == [(0, ""), (0, "")]
    assert len(list(composite.glob("*.ts"))) == 4
    assert run(recpipe, "recpipe-archive", told) == [(0, ""), (0, "")]
    assert run(recpipe, "recpipe-clean", told) == [(0, ""), (0, "")]
    assert list(composite.glob("*.ts")) == []
    assert run(recpipe, "recpipe-archive", told) == [(0, ""), (0, "")]


def test_without_an_archive_nothing_is_required_of_it(recpipe, composite, clean, monkeypatch):
    assert recpipe("convert", composite, "-o", clean / "out").code == 0
    for name, value in (("OLDER_THAN", "0s"), ("MAX_FRACTION", "100%")):
        monkeypatch.setenv(f"RECPIPE_{name}", value)
    told = {"RECPIPE_TO": clean / "out", "RECPIPE_CLEAN": composite, "STATE_DIRECTORY": clean}
    assert run(recpipe, "recpipe-clean", told) == [(0, ""), (0, "")]
    assert list(composite.glob("*.ts")) == []


@pytest.mark.parametrize("unit", sorted(path.name for path in UNITS.iterdir()))
def test_systemd_takes_it(unit, tmp_path):
    """With the program and the user of this machine, which are not those of the unit."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("no systemd-analyze: apt install systemd")
    here = Path(sys.executable).with_name("recpipe")
    for path in UNITS.iterdir():
        text = path.read_text().replace("/usr/local/bin/recpipe", str(here))
        (tmp_path / path.name).write_text(text)
    argv = [program, "verify", "--man=no", "--recursive-errors=no", str(tmp_path / unit)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if unit.partition(".")[0] in line]
    assert (done.returncode, ours) == (0, []), done.stderr


@pytest.mark.parametrize("unit", sorted(path.name for path in UNITS.glob("*.timer")))
def test_a_timer_has_its_service(unit):
    timer = configparser.ConfigParser(strict=False)
    timer.read(UNITS / unit)
    assert timer["Timer"]["Persistent"] == "true"
    assert timer["Install"]["WantedBy"] == "timers.target"
    assert (UNITS / unit).with_suffix(".service").exists()
