"""``recpipe help`` says what the tables say, and so do the pages."""

import re

import pytest

from pipeline import config
from pipeline.cli.exits import EXITS
from pipeline.cli.help import TOPICS, VERDICTS
from pipeline.jobs import outcomes
from pipeline.media.finding_ids import IDS
from pipeline.model import Verdict
from tests.cli.conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
DESIGN = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")


def rows(page: str, heading: str) -> list[list[str]]:
    """The cells of a table, by the words of its heading."""
    table = page.partition(f"| {heading} |")[2].partition("\n\n")[0]
    return [
        [cell.strip(" `") for cell in line.strip("| ").split("|")] for line in table.split("\n")[2:]
    ]


@pytest.mark.parametrize("topic", TOPICS)
def test_every_topic_fits_a_terminal(recpipe, topic):
    ended = recpipe("help", topic)
    assert (ended.code, ended.err) == (0, "")
    assert max(map(len, ended.out.splitlines())) < 90


def test_verdicts_are_those_of_the_readme(recpipe):
    told = {
        verdict: (code, meaning)
        for verdict, code, meaning in rows(README, "verdict | exit code | meaning")
    }
    assert told == {v: (str(outcomes.EXIT_CODES[Verdict(v)]), said) for v, said in VERDICTS.items()}
    shown = " ".join(recpipe("help", "verdicts").out.split())
    assert all(f"{v} (exit code {code}) {said}" in shown for v, (code, said) in told.items())


def test_exit_codes_are_those_of_the_design(recpipe):
    assert [int(row[0]) for row in rows(DESIGN, "code | meaning | cron should")] == list(EXITS)
    assert {outcomes.UNPLANNED, outcomes.SOME_FAILED, *outcomes.EXIT_CODES.values()} <= EXITS.keys()
    for args in (["help", "exit-codes"], ["--help"]):
        shown = recpipe(*args).out
        assert all(re.search(rf"^ *{n} +{said}$", shown, re.M) for n, said in EXITS.items())


def test_every_finding_is_listed_and_can_be_asked_for(recpipe):
    listed = [
        line.split()[0] for line in recpipe("help", "findings").out.split("\n\n")[0].splitlines()
    ]
    assert listed == list(IDS)
    assert recpipe("help", "seg-missing").out == (
        "SEG_MISSING: a listed segment is not there\n"
        "    Usual cause: not uploaded yet, or removed\n"
        "    An error costs: what it says is missing\n"
        "    What to do: Look for the segment in the original store, or wait for the\n"
        "    upload to end.\n"
    )


def test_every_setting_is_listed(recpipe):
    shown = recpipe("help", "settings").out
    assert re.findall(r"^[a-z_]+$", shown, re.M) == sorted(config.KINDS)
    assert "--on-loss [hold|close|fill|fail]" in shown
    assert "RECPIPE_WEBHOOK_SECRET" in shown


def test_what_sources_are_stands_once_for_all_commands_that_say_the_same(recpipe):
    shown = recpipe("help", "sources").out
    assert shown.startswith("convert, check:\n    SRC is a playlist")
    assert {"report:", "watch:", "archive ingest:"} <= set(shown.splitlines())


@pytest.mark.parametrize("words", [["check"], ["archive", "ingest"], ["clean"]])
def test_help_of_a_command_is_what_it_says_itself(recpipe, words):
    assert recpipe("help", *words).out == recpipe(*words, "--help").out


def test_without_a_topic_it_says_which_there_are(recpipe):
    shown = recpipe("help").out
    assert shown.startswith("Usage: recpipe")
    assert shown.split()[-len(TOPICS) :] == list(TOPICS)


@pytest.mark.parametrize("words", [["wat"], ["check", "more"], ["verdicts", "ok"]])
def test_another_topic_is_refused(recpipe, words):
    ended = recpipe("help", *words)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        f"recpipe: error: {' '.join(words)}: no such topic, expected exit-codes, verdicts,"
        " findings, settings, sources, a command, or the id of a finding\n"
    )
