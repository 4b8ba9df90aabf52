"""Many random recordings with random faults: what the product says of them is true."""

import os
from collections.abc import Sequence

import pytest

from tests.trial.__main__ import table, told
from tests.trial.judge import NAMES
from tests.trial.rounds import Round, played

ROUNDS = int(os.environ.get("RECPIPE_TRIAL_ROUNDS", "50"))
SEED = int(os.environ.get("RECPIPE_TRIAL_SEED", "1"))


def failures(rounds: Sequence[Round], *names: str) -> str:
    """All rounds that went wrong in one of these ways, a line for each."""
    return "\n".join(told(r, SEED) for r in rounds if {f.name for f in r.wrong} & set(names))


@pytest.mark.parametrize("number", range(4))
def test_a_recording_in_which_nothing_is_wrong_is_ok(number):
    assert not failures([played(SEED, number, only=("nothing",))], *NAMES)


@pytest.fixture(scope="module")
def rounds():
    """Played once; whatever they are asked."""
    return [played(SEED, number) for number in range(ROUNDS)]


def test_what_looking_calls_whole_or_hurt_is_made(rounds):
    """No proof refuses what the plan had no word against."""
    assert not failures(rounds, "disagree", "crash")


def test_no_verdict_about_a_random_recording_is_wrong(rounds):
    print(table(rounds))
    assert not failures(rounds, "lie", "sync", "refusal", "crash")
    few = failures(rounds, "alarm", "seconds", "moved", "waste")
    assert len(few.splitlines()) <= ROUNDS * 0.02, few
