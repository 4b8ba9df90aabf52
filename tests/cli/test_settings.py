"""Options from the environment and from recpipe.toml, as the command takes them."""

from pathlib import Path

import pytest

from tests.cli.conftest import segments


def test_flag_then_environment_then_file_then_default(recpipe, composite):
    segments(composite)[2].unlink()
    assert recpipe("check", composite).code == 3  # hold
    Path("recpipe.toml").write_text('on-loss = "fail"\n')
    assert recpipe("check", composite).code == 4
    close = {"RECPIPE_ON_LOSS": "close"}
    ended = recpipe("check", composite, "--json", env=close)
    assert ended.line["findings"][0]["repair"] == "hole closed"
    assert recpipe("check", composite, "--on-loss", "fail", env=close).code == 4


def test_a_required_option_may_come_from_the_environment(recpipe, composite, tmp_path):
    env = {"RECPIPE_OUTPUT": str(tmp_path / "out"), "RECPIPE_DRY_RUN": "1"}
    ended = recpipe("convert", composite, env=env)
    assert ended.code == 0
    assert str(tmp_path / "out") in ended.out


def test_switches_and_numbers_from_the_file(recpipe, composite):
    Path("recpipe.toml").write_text("json = true\njobs = 2\nlog-format = 'json'\n")
    assert recpipe("check", composite).line["verdict"] == "ok"


def test_another_file(recpipe, composite, tmp_path):
    (tmp_path / "other.toml").write_text("json = true\n")
    assert recpipe("check", composite, "--config", tmp_path / "other.toml").line
    assert recpipe("check", composite, env={"RECPIPE_CONFIG": str(tmp_path / "other.toml")}).line


@pytest.mark.parametrize(
    ("text", "env", "why"),
    [
        pytest.param("", {"RECPIPE_JOBS": "few"}, "(set by RECPIPE_JOBS)", id="environment"),
        pytest.param("jobs = 0", {}, "(set by recpipe.toml: jobs)", id="file"),
        pytest.param("joobs = 0", {}, "did you mean jobs?", id="unknown key"),
        pytest.param("", {"RECPIPE_JSON": "si"}, "RECPIPE_JSON: 'si'", id="not a switch"),
    ],
)
def test_errors_say_where_a_value_was_set(recpipe, composite, text, env, why):
    Path("recpipe.toml").write_text(text)
    ended = recpipe("check", composite, env=env)
    assert ended.code == 2
    assert why in ended.err
    assert ended.err.count("\n") == 1


def test_the_settings_of_one_run_are_not_those_of_the_next(recpipe, composite):
    assert recpipe("check", composite, env={"RECPIPE_JSON": "1"}).out
    assert not recpipe("check", composite).out
