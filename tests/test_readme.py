"""What people read is true: commands, options and links."""

import ast
import functools
import os
import re
import shlex
import subprocess
import sys
from itertools import takewhile
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
GROUPS = {
    "archive",
    "clean",
    "cluster",
    "ledger",
    "record",
    "simulate",
}  # commands that have commands of their own
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDE = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("sample_media/*.md")])

SIMULATOR = (ROOT / "docs" / "simulator.md").read_text(encoding="utf-8")
SERVE = (ROOT / "docs" / "serve.md").read_text(encoding="utf-8")


# The commands.


@pytest.mark.parametrize("command", ["./scripts/demo", "./scripts/test", "scripts/compare_peers"])
def test_the_readme_names_commands_that_can_be_run(command):
    assert command in README.splitlines()
    assert os.access(ROOT / command, os.X_OK)


def examples() -> list[list[str]]:
    """Every line of any page that is a call of recpipe, cut at a pipe."""
    pages = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    lines = re.findall(r"^(?: {4})?(?:[*\d]+ ){0,5} *(recpipe .+)", pages, re.M)
    words = [shlex.split(line, comments=True)[1:] for line in lines]
    return [[*takewhile(lambda word: word not in ("|", ">"), call)] for call in words]


def command(call: list[str]) -> str:
    """The words that name the command: two of them where the first is a group."""
    return " ".join(call[:2] if call[0] in GROUPS else call[:1])


def test_there_are_examples_of_every_command():
    known = {"convert", "check", "doctor", "simulate recording", "simulate service"}
    known |= {"record start", "record stop", "archive ingest", "report", "serve"}
    known |= {"watch", "status", "explain", "retry", "hold", "ledger rebuild", "ledger forget"}
    known |= {"archive verify", "clean plan", "clean apply", "clean runs", "clean restore"}
    known |= {"clean purge", "clean erase", "record list", "record status", "record update"}
    known |= {"record layout", "help", "cluster local"}
    assert {command(call) for call in examples()} == known


@functools.cache
def shown_help(command: str) -> str:
    """What ``recpipe COMMAND --help`` prints."""
    if not (ROOT / "pipeline" / "__main__.py").exists():
        pytest.skip("there is no command line")
    argv = [sys.executable, "-m", "pipeline", *command.split(), "--help"]
    ended = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.parametrize("call", examples(), ids=" ".join)
def test_examples_use_commands_and_options_that_exist(call):
    for word in call:
        if word.startswith("-") and len(word) > 1:
            assert re.search(rf"(^|[\s,]){word}\b", shown_help(command(call))), f"no option {word}"
    assert shown_help(command(call))


@pytest.mark.parametrize("call", [c for c in examples() if c[0] == "help"], ids=" ".join)
def test_what_a_page_asks_help_for_is_explained(call):
    argv = [sys.executable, "-m", "pipeline", *call]
    ended = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_the_guide_explains_every_option_of_convert():
    options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", shown_help("convert")))
    assert options - {"--help"} <= set(re.findall(r"--[a-z][a-z-]+", GUIDE))


def test_every_option_of_simulate_is_explained():
    shown = shown_help("simulate recording") + shown_help("simulate service")
    options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", shown))
    assert options - {"--help"} <= set(re.findall(r"--[a-z][a-z-]+", SIMULATOR))


def test_every_option_of_serve_is_explained():
    options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", shown_help("serve")))
    elsewhere = {"--help", "--config", "--debug", "--log-format"}
    elsewhere |= {"--endpoint-url", "--region", "--profile"}  # of every command with stores
    assert options - elsewhere <= set(re.findall(r"--[a-z][a-z-]+", SERVE))


def test_recpipe_in_running_text_is_a_command():
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    for command in set(re.findall(r"`recpipe ([a-z]+)", text)):
        assert shown_help(command)


# Links.


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    targets = re.findall(r"\]\((?!https?://)([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def blocks() -> list[str]:
    """Every piece of Python on the pages."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    return re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)


@pytest.mark.parametrize("block", blocks())
def test_python_on_the_pages_names_what_there_is(block):
    """Every import works, and every name that is asked of a module is in it."""
    tree = ast.parse(block)
    known: dict[str, object] = {}
    imports = [n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)]
    exec(compile(ast.Module(imports, []), "page", "exec"), known)
    modules = {name: one for name, one in known.items() if isinstance(one, ModuleType)}
    asked = [n for n in ast.walk(tree) if isinstance(n, ast.Attribute)]
    named = [(n.value.id, n.attr) for n in asked if isinstance(n.value, ast.Name)]
    assert imports
    for name, attribute in named:
        assert name not in modules or hasattr(modules[name], attribute), f"{name}.{attribute}"
