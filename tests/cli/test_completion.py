"""Shells that complete what is typed."""

import shutil
import subprocess

import pytest


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["recpipe", "conv"], "plain,convert"),
        (["recpipe", "convert", "--on-"], "plain,--on-loss"),
        (["recpipe", "convert", "--on-loss", "f"], "plain,fail"),
        (["recpipe", "record", "li"], "plain,list"),
    ],
)
def test_what_is_offered(recpipe, typed, offered):
    env = {
        "_RECPIPE_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(typed),
        "COMP_CWORD": str(len(typed) - 1),
    }
    ended = recpipe(env=env)
    assert (ended.code, ended.err) == (0, "")
    assert offered in ended.out.splitlines()


def test_settings_that_cannot_be_read_do_not_show_in_the_middle_of_a_line(recpipe, clean):
    (clean / "recpipe.toml").write_text("[")
    env = {
        "_RECPIPE_COMPLETE": "bash_complete",
        "COMP_WORDS": "recpipe convert -",
        "COMP_CWORD": "2",
    }
    ended = recpipe(env=env)
    assert "Traceback" not in ended.err
    assert "error" not in ended.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_one_of_that_shell(recpipe, shell, tmp_path):
    ended = recpipe("completion", shell)
    assert (ended.code, "_RECPIPE_COMPLETE" in ended.out) == (0, True)
    if shutil.which(shell):
        script = tmp_path / "script"
        script.write_text(ended.out)
        subprocess.run([shell, "-n", str(script)], check=True)
