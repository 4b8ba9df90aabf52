"""``recpipe completion``: what a shell needs to complete commands and options."""

import click
from click.shell_completion import get_completion_class

from pipeline.errors import RecpipeError

NAME, VARIABLE = "recpipe", "_RECPIPE_COMPLETE"


@click.command(short_help="Print a script that makes a shell complete recpipe.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> int:
    """Print a script that makes SHELL complete commands, options and their values.

    \b
    Install it with one command:
      echo 'eval "$(recpipe completion bash)"' >> ~/.bashrc
      echo 'eval "$(recpipe completion zsh)"' >> ~/.zshrc
      recpipe completion fish > ~/.config/fish/completions/recpipe.fish
    """
    from pipeline.cli import output

    found = get_completion_class(shell)
    assert found is not None  # click knows all three
    root = click.get_current_context().find_root().command
    output.say_listing(found(root, {}, NAME, VARIABLE).source())
    return 0


def complete(cli: click.Command, instruction: str) -> int:
    """Answer a shell that asks for completions; returns the exit code.  Prints no error: the shell
    would show it in the middle of a line.
    """
    from click.shell_completion import shell_complete

    try:
        return shell_complete(cli, {}, NAME, VARIABLE, instruction)
    except (RecpipeError, click.ClickException):  # settings that cannot be read
        return 1
