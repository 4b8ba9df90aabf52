"""Settings: flag, then environment, then file, then default."""

import os
import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import click
import pytest

from pipeline import config
from pipeline.choices import CHOICES, DEFAULTS, ConversionChoices, StreamTypes
from pipeline.choices import settings as settings_of_choices
from pipeline.cli.app import cli
from pipeline.errors import NotFoundError, UsageError
from pipeline.jobs.options import options
from tests import settings

# arguments, and what may be given more than once
NOT_SETTINGS = {
    "topic",
    *("sources", "config", "help", "version", "faults", "list_faults", "id", "every", "release"),
    *("bags", "tags", "keep_tag", "place", "origin", "plan", "run", "shell", "states", "verdicts"),
    "archives",
    # who does what in a session that is made up
    *("acts", "random_acts", "web", "standard", "truth"),
    # whom to erase is said on the command line: elsewhere the same words mean other things
    *("of_sid", "of_uid", "of_age", "everywhere", "event_within"),
}


def values(file: Path | None = None, **environ: str) -> dict[str, object]:
    told = config.load(str(file) if file else None, environ=own() | environ)
    return {key: setting.value for key, setting in told.items()}


def own() -> dict[str, str]:
    return {"XDG_CONFIG_HOME": os.environ["XDG_CONFIG_HOME"]}


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def commands(group: click.Group) -> Iterator[click.Command]:
    """Every command that does something, also those of groups."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command)
        else:
            yield command


write = settings.write


def test_every_option_is_a_setting_and_every_setting_an_option():
    options = {p.name for command in commands(cli) for p in command.params}
    assert options - NOT_SETTINGS == set(config.KINDS)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("RECPIPE_SETLE", "RECPIPE_SETTLE"),
        ("RECPIPE_ONLOSS", "RECPIPE_ON_LOSS"),
        ("RECPIPE_ENDPOINT", "RECPIPE_ENDPOINT_URL"),
        ("RECPIPE_WEBHOOK_SECRETS", "RECPIPE_WEBHOOK_SECRET"),
    ],
)
def test_a_misspelt_variable_is_told_with_the_nearest_one(name, meant):
    (said,) = config.misspelt({name: "x", "PATH": "/bin"})
    assert said == f"{name}: no such setting; did you mean {meant}?"


def test_variables_that_are_read_or_somebody_elses_are_no_slips():
    units = (Path(__file__).parents[1] / "scripts" / "systemd").glob("*.service")
    named = {name for unit in units for name in re.findall(r"RECPIPE_[A-Z_]+", unit.read_text())}
    assert "RECPIPE_STORES" in named
    ours = {*named, "RECPIPE_CONFIG", "RECPIPE_JOBS", "RECPIPE_NOTIFY_SECRET"}
    assert config.misspelt(dict.fromkeys({*ours, "RECPIPE_VERSION", "RECPIPE_HOME"}, "1")) == []


def test_the_ledger_lies_where_state_belongs():
    assert config.default_ledger({"XDG_STATE_HOME": "/s"}) == "sqlite:////s/recpipe/ledger.db"
    home = config.default_ledger({"XDG_STATE_HOME": "relative"})
    assert home == f"sqlite:///{Path.home()}/.local/state/recpipe/ledger.db"


COMMANDS = [("convert", set()), ("watch", {"force"})]  # what watch makes replaces nothing


@pytest.mark.parametrize(("command", "less"), COMMANDS)
def test_a_choice_of_a_conversion_is_the_same_everywhere(command, less):
    """On the command line, in the environment, in the file and in Python."""
    told = {p.name: p for p in cli.get_command(click.Context(cli), command).params}
    for name, choice in CHOICES.items():
        assert config.KINDS[name] == settings_of_choices()[name]
        assert name in ConversionChoices.__annotations__
        if name in less:
            continue
        option = told[name]
        assert option.help == choice.help
        assert option.is_flag is (choice.kind is bool)
        if issubclass(choice.kind, StrEnum) and not choice.numbered:
            assert [*option.type.choices] == [word.value for word in choice.kind]
            assert option.default == DEFAULTS[name].value


def test_every_choice_is_an_option_of_jobs_with_the_same_default():
    usual = options(spool="here")
    read = {"key": "keys", "names": "people", "request": "regions"}
    of_all = ("layout", "screen", "request")
    unsaid = {"key": (), "names": (), "request": (), "captions": "auto"}  # what None becomes
    for name in CHOICES:
        value = getattr(usual.arrangement if name in of_all else usual, read.get(name, name))
        assert value == unsaid.get(name, DEFAULTS[name])


@pytest.mark.parametrize("told", ["1", "video"])
def test_what_was_to_be_recorded_is_a_number_or_a_word_wherever_it_is_said(told):
    write(f"stream-types = {told if told == '1' else repr(told)}\n")
    for read in (values(), values(RECPIPE_STREAM_TYPES=told)):
        assert options(spool="here", **read).stream_types is StreamTypes.VIDEO
    write("stream-types = true\n")
    with pytest.raises(UsageError, match="expected a whole number, or text in quotes"):
        values()


@pytest.mark.parametrize(
    ("chosen", "why"),
    [
        ({"stream_types": "vidoe"}, "stream_types: 'vidoe', expected audio, video, both"),
        ({"stream_types": 3}, "stream_types: 3, expected audio"),
        ({"stream_types": True}, "stream_types: True, expected audio"),
        ({"on_loss": "fil"}, "on_loss: 'fil', expected hold, close, fill, fail"),
    ],
)
def test_a_word_that_is_none_of_a_choice_is_refused_with_those_that_are(chosen, why):
    with pytest.raises(ValueError, match=why):
        options(spool="here", **chosen)


def test_nothing_is_set_by_itself():
    assert values() == {}


def test_the_environment_wins_over_the_file():
    write('on-loss = "close"\nregion = "eu-1"\nquiet = true\njobs = 3\n')
    assert values(RECPIPE_REGION="us-2", RECPIPE_QUIET="0", RECPIPE_OUTPUT="") == {
        "on_loss": "close",
        "region": "us-2",
        "quiet": False,
        "jobs": 3,
    }


def test_a_named_file_is_read_instead_of_the_one_that_lies_here(tmp_path):
    write('region = "here"')
    other = Path("other.toml")
    other.write_text('region = "there"')
    assert values(other) == {"region": "there"}
    assert values(RECPIPE_CONFIG=str(other)) == {"region": "there"}


def test_a_file_of_the_working_directory_is_named_and_not_read(tmp_path):
    Path(config.STRAY).write_text('after = "./run-me"\n[storage.calls]\nvendor = 1\n')
    assert values() == {}
    assert config.load_stores(environ=own())[0] == {}
    said = config.stray(environ=own())
    assert said == (
        f"recpipe.toml in this folder is not read; settings are in {settings.place()}, or name it"
        " with --config"
    )
    other = str(tmp_path / "other.toml")
    assert config.stray(other) is None
    assert config.stray(environ={"RECPIPE_CONFIG": other}) is None
    Path(config.STRAY).unlink()
    assert config.stray(environ=own()) is None


@pytest.mark.parametrize("home", [".", "", "here"])
def test_a_home_that_is_none_is_not_looked_for_in_the_working_directory(home, monkeypatch):
    for folder in (
        Path("~/.config/recpipe"),
        Path(".config/recpipe"),
        Path("here/.config/recpipe"),
    ):
        folder.mkdir(parents=True)
        (folder / config.FILE).write_text('after = "./run-me"\n')
    monkeypatch.setenv("HOME", home)
    assert config.load(environ={"XDG_CONFIG_HOME": "."}) == {}
    assert config.load_stores(environ={})[0] == {}


@pytest.mark.skipif(os.geteuid() == 0, reason="platform: root may read everywhere")
def test_a_home_that_may_not_be_looked_into_holds_no_settings():
    write("quiet = true\n").parent.chmod(0)
    try:
        assert values() == {}
    finally:
        settings.place().parent.chmod(0o700)
    settings.place().chmod(0)
    with pytest.raises(UsageError, match="permission denied"):
        values()


def test_a_file_in_the_place_of_a_folder_is_no_settings():
    settings.place().parent.parent.mkdir()
    settings.place().parent.write_bytes(b"")
    assert values() == {}


def test_a_named_file_has_to_be_there():
    with pytest.raises(NotFoundError, match=r"missing\.toml.*check --config"):
        values(Path("missing.toml"))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("ouput = 'x'", "unknown key 'ouput'; did you mean output", id="a slip"),
        pytest.param("zzz = 1", "unknown key 'zzz'; known are absent", id="nothing near"),
        pytest.param("[convert]\njobs = 1", "unknown key 'convert'", id="a table"),
        pytest.param("jobs = '4'", "jobs = '4', expected a whole number", id="text for a number"),
        pytest.param("jobs = true", "expected a whole number", id="truth for a number"),
        pytest.param("quiet = 1", "expected true or false", id="number for truth"),
        pytest.param("region = 1", "expected text", id="number for text"),
        pytest.param("api-url = 'x'", "expected a list of texts", id="text for a list"),
        pytest.param("api-url = [1]", "expected a list of texts", id="a list of numbers"),
        pytest.param(
            "agora-customer-secret = 'x'",
            "a secret does not belong here; set RECPIPE_AGORA_CUSTOMER_SECRET",
            id="a secret",
        ),
        pytest.param("region = ", "not valid TOML", id="cut off"),
    ],
)
def test_a_file_that_says_something_else(text, why):
    write(text)
    with pytest.raises(UsageError, match=why) as caught:
        values()
    assert str(caught.value).startswith(f"{settings.place()}: ")


def test_tables_of_stores_are_no_options():
    write('region = "eu"\n[storage.calls]\nvendor = 1\n[storage.archive]\nvendor = 2\n')
    assert values() == {"region": "eu"}
    tables, path = config.load_stores(environ=own())
    assert (dict(tables), path) == (
        {"calls": {"vendor": 1}, "archive": {"vendor": 2}},
        settings.place(),
    )


@pytest.mark.parametrize("text", ["storage = 'x'", "[storage]\nvendor = 1"])
def test_what_is_no_table_of_stores(text):
    write(text)
    with pytest.raises(UsageError, match=r"expected tables \[storage.NAME\]"):
        config.load_stores(environ=own())


def test_a_file_that_is_not_text():
    write("").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="not valid TOML"):
        values()


def test_lists():
    write('api-url = ["https://a", "https://b"]')
    assert values() == {"api_url": ["https://a", "https://b"]}
    assert values(RECPIPE_API_URL="https://c  https://d") == {"api_url": ["https://c", "https://d"]}


def test_what_was_started_is_remembered_in_the_state_of_the_user():
    assert config.default_state({"XDG_STATE_HOME": "/s"}) == Path("/s/recpipe")
    home = Path("~/.local/state/recpipe").expanduser()
    assert config.default_state({"XDG_STATE_HOME": "relative"}) == home


def test_the_customer_secret_is_no_setting():
    assert values(RECPIPE_AGORA_CUSTOMER_SECRET="s") == {}
    assert config.customer_secret({"RECPIPE_AGORA_CUSTOMER_SECRET": "s"}) == "s"
    assert config.customer_secret({}) is None


@pytest.mark.parametrize("text", ["1", "true", "YES", "on"])
def test_switched_on(text):
    assert values(RECPIPE_FORCE=text) == {"force": True}


def test_a_switch_that_is_neither():
    with pytest.raises(UsageError, match="RECPIPE_FORCE: 'maybe', expected 1 or 0"):
        values(RECPIPE_FORCE="maybe")


def test_the_spool_is_in_the_cache_of_the_user():
    assert config.default_spool({"XDG_CACHE_HOME": "/c"}) == Path("/c/recpipe/spool")
    home = Path("~/.cache/recpipe/spool").expanduser()
    assert config.default_spool({"XDG_CACHE_HOME": "relative"}) == home
    assert config.default_spool({}) == home


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False), ({}, False)],
)
def test_colours(environ, wanted):
    assert config.colour_wanted(environ) is wanted
