"""What docs/recording.md says of the command is true."""

import re
import shlex

import pytest

from pipeline.cli.record import record
from tests.cli.conftest import ROOT

PAGE = (ROOT / "docs" / "recording.md").read_text(encoding="utf-8")
EXAMPLES = [
    shlex.split(line, comments=True)[2:]
    for line in PAGE.splitlines()
    if line.startswith("recpipe record ")
]


def options(command: str) -> set[str]:
    """All an option may be called."""
    return {name for param in record.commands[command].params for name in param.opts}


def test_there_is_an_example_of_every_command():
    assert {command for command, *_ in EXAMPLES} == set(record.commands)


@pytest.mark.parametrize("example", EXAMPLES, ids=" ".join)
def test_examples_use_options_that_exist(example):
    command, *words = example
    assert {word for word in words if word.startswith("--")} <= options(command)


def test_every_option_is_explained():
    known = set().union(*(options(command) for command in record.commands))
    general = {"--config", "--debug", "--log-format"}  # in the guide
    assert known - general <= set(re.findall(r"--[a-z][a-z-]+", PAGE))


def test_python_examples_run():
    for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(code, "docs/recording.md", "exec"), {})
