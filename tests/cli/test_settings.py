"""Options from the environment and from the user's file, as the command takes them."""

import pytest

from tests.cli.conftest import edit_playlist, segments
from tests.settings import write as write_settings


def test_flag_then_environment_then_file_then_default(recpipe, composite):
    segments(composite)[2].unlink()
    assert recpipe("check", composite).code == 3  # hold
    write_settings('on-loss = "fail"\n')
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
    write_settings("json = true\njobs = 2\nlog-format = 'json'\n")
    assert recpipe("check", composite).line["verdict"] == "ok"


def test_another_file(recpipe, composite, tmp_path):
    (tmp_path / "other.toml").write_text("json = true\n")
    assert recpipe("check", composite, "--config", tmp_path / "other.toml").line
    assert recpipe("check", composite, env={"RECPIPE_CONFIG": str(tmp_path / "other.toml")}).line


@pytest.mark.parametrize(
    ("text", "env", "why"),
    [
        pytest.param("", {"RECPIPE_JOBS": "few"}, "(set by RECPIPE_JOBS)", id="environment"),
        pytest.param("jobs = 0", {}, "config.toml: jobs)", id="file"),
        pytest.param("joobs = 0", {}, "did you mean jobs?", id="unknown key"),
        pytest.param("", {"RECPIPE_JSON": "si"}, "RECPIPE_JSON: 'si'", id="not a switch"),
    ],
)
def test_errors_say_where_a_value_was_set(recpipe, composite, text, env, why):
    write_settings(text)
    ended = recpipe("check", composite, env=env)
    assert ended.code == 2
    assert why in ended.err
    assert ended.err.count("\n") == 1


def test_the_settings_of_one_run_are_not_those_of_the_next(recpipe, composite):
    assert recpipe("check", composite, env={"RECPIPE_JSON": "1"}).out.startswith("{")
    assert recpipe("check", composite).out.startswith("ok ")


@pytest.mark.parametrize("scheme", ["s3", "az", "gs"])
@pytest.mark.parametrize("form", ["text", "json"])
def test_no_password_of_an_endpoint_in_what_is_said(recpipe, scheme, form, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AZURE_STORAGE_ACCOUNT_NAME"):
        monkeypatch.setenv(name, "a")
    endpoint = "http://joe:hush@127.0.0.1:1"
    for more in ((), ("--debug",), ("--json",)):
        options = ("--endpoint-url", endpoint, "--log-format", form, *more)
        ended = recpipe("check", f"{scheme}://bucket/2026/", *options)
        assert ended.code in (2, 75)
        assert "hush" not in ended.out + ended.err


def test_no_password_in_what_click_or_the_settings_refuse(recpipe):
    assert "hush" not in recpipe("check", "x", "--endpoint=http://joe:hush@host").err
    write_settings('endpoint-url = ["http://joe:hush@host"]')
    ended = recpipe("check", "x")
    assert ("expected text" in ended.err, "hush" in ended.err) == (True, False)


def test_no_password_of_a_playlist_in_a_receipt(recpipe, composite, clean):
    edit_playlist(
        composite, "#EXTINF", '#EXT-X-KEY:METHOD=NONE,URI="https://joe:hush@host/k"\n#EXTINF'
    )
    ended = recpipe("convert", composite, "-o", clean / "out", "--json")
    assert "https://...@host/k" in ended.out
    assert "hush" not in ended.out + ended.err
    assert all("hush" not in path.read_text() for path in (clean / "out").glob("*.json"))
