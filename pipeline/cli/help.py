"""``recpipe help``: what the tables of the program say, for people at a terminal."""

import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import click

from pipeline import config
from pipeline.cli import exits, output
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.media.finding_ids import FindingId

WIDTH = 79  # of a line
SOURCE_WORDS = ("SRC is", "STORE is", "SOURCE is", "PLACE is")  # with which a help says what it is

VERDICTS: Mapping[str, str] = {
    "ok": "nothing lost, nothing changed",
    "repaired": "nothing lost, something repaired (a slice listed twice, a clock that restarted"
    " ...)",
    "degraded": "media is missing from the TS files themselves. The MP4 is made, what is missing is"
    " listed, and everything else is in its place",
    "rejected": "no MP4 is made: it would mislead you, or reading the playlist would be unsafe",
    "pending": "the recording is not finished yet: run again later",
}


@click.command("help", short_help="Explain a topic, a command or a finding.")
@click.argument("topic", nargs=-1)
def help_(topic: tuple[str, ...]) -> int:
    """Explain a TOPIC: exit-codes, verdicts, findings, settings or sources; or a command, or a
    finding by its id.

    \b
    Examples:
      recpipe help exit-codes
      recpipe help SEG_MISSING
      recpipe help archive ingest
    """
    root = click.get_current_context().find_root()
    if not topic:
        said = [root.get_help(), "", "Topics of recpipe help:", *(f"  {name}" for name in TOPICS)]
    elif len(topic) == 1 and topic[0] in TOPICS:
        said = list(TOPICS[topic[0]](root))
    elif len(topic) == 1 and (finding := _finding(topic[0])):
        said = list(_explained(finding))
    else:
        said = [_of_command(root, topic)]
    output.say_listing("\n".join(said))
    return 0


def _exit_codes(root: click.Context) -> Iterator[str]:
    yield from exits.lines()
    yield ""
    yield from _wrapped(
        "With several recordings: 0 if every one is 0, 75 if all the others are 75, otherwise 5."
    )


def _verdicts(root: click.Context) -> Iterator[str]:
    from pipeline.jobs.outcomes import EXIT_CODES

    for verdict, code in EXIT_CODES.items():
        yield f"{verdict.value}  (exit code {code})"
        yield from _wrapped(VERDICTS[verdict.value], 4)


def _findings(root: click.Context) -> Iterator[str]:
    from pipeline.media.finding_ids import IDS

    width = max(map(len, IDS))
    yield from (f"{one.id:<{width}}  {one.meaning}" for one in IDS.values())
    yield ""
    yield from _wrapped("recpipe help ID says what causes one, what it costs, and what to do.")


def _finding(name: str) -> "FindingId | None":
    from pipeline.media.finding_ids import IDS

    return IDS.get(name.upper().replace("-", "_"))


def _explained(finding: "FindingId") -> Iterator[str]:
    from pipeline.report.advice import ADVICE

    costs = ", or ".join(cost.value for cost in finding.costs) or "nothing"
    facts = {"Usual cause": finding.cause, "An error costs": costs}
    if finding.id in ADVICE:
        facts["What to do"] = ADVICE[finding.id]
    yield f"{finding.id}: {finding.meaning}"
    for label, text in facts.items():
        yield from _wrapped(f"{label}: {text}", 4)


def _settings(root: click.Context) -> Iterator[str]:
    yield from _wrapped(
        "A setting is an option, a variable RECPIPE_<OPTION>, or a key of"
        " ~/.config/recpipe/config.toml (or of the file that --config or RECPIPE_CONFIG names); the"
        " first of these that is there counts. Below: the keys, the commands that have each, and"
        " what it means there first."
    )
    for key, commands in sorted(_having(root).items()):
        option, context = commands[0]
        names = [_name(context, root) for _, context in commands]
        flags, meaning = option.get_help_record(context) or ("", "")
        yield ""
        yield key
        yield from _wrapped(flags, 4)
        yield from _wrapped(meaning, 4)
        yield from _wrapped(f"of {', '.join(names)}", 4)
    yield ""
    only = ", ".join(f"{config.PREFIX}{name.upper()}" for name in config.NO_OPTIONS)
    yield from _wrapped(f"Variables alone: {only}.")


def _having(root: click.Context) -> dict[str, list[tuple[click.Option, click.Context]]]:
    """Each setting as the option of every command that has it."""
    having: dict[str, list[tuple[click.Option, click.Context]]] = {}
    for context in _commands(root):
        for option in context.command.params:
            if isinstance(option, click.Option) and option.name in config.KINDS:
                having.setdefault(option.name, []).append((option, context))
    return having


def _sources(root: click.Context) -> Iterator[str]:
    """What each command says of what it takes; those that say the same stand together."""
    saying: dict[str, list[str]] = {}
    for context in _commands(root):
        for text in inspect.cleandoc(context.command.help or "").split("\n\n"):
            if text.startswith(SOURCE_WORDS):
                saying.setdefault(text, []).append(_name(context, root))
    for text, names in saying.items():
        yield f"{', '.join(names)}:"
        yield from _wrapped(text, 4)
        yield ""


TOPICS: Mapping[str, Callable[[click.Context], Iterator[str]]] = {
    "exit-codes": _exit_codes,
    "verdicts": _verdicts,
    "findings": _findings,
    "settings": _settings,
    "sources": _sources,
}


def _commands(context: click.Context) -> Iterator[click.Context]:
    """Every command, those of groups as well."""
    group = context.command
    assert isinstance(group, click.Group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        inner = click.Context(command, parent=context, info_name=name)
        if isinstance(command, click.Group):
            yield from _commands(inner)
        else:
            yield inner


def _name(context: click.Context, root: click.Context) -> str:
    return context.command_path.removeprefix(f"{root.command_path} ")


def _of_command(root: click.Context, words: Sequence[str]) -> str:
    """What ``--help`` prints.  UsageError for words that are no command."""
    context = root
    for word in words:
        group = context.command
        command = group.get_command(context, word) if isinstance(group, click.Group) else None
        if command is None:
            raise UsageError(f"{' '.join(words)}: no such topic, expected {_expected()}")
        context = click.Context(command, parent=context, info_name=word)
    return context.get_help()


def _expected() -> str:
    return f"{', '.join(TOPICS)}, a command, or the id of a finding"


def _wrapped(text: str, indent: int = 0) -> list[str]:
    margin = " " * indent
    return textwrap.wrap(text, WIDTH, initial_indent=margin, subsequent_indent=margin)
