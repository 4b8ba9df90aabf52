"""One command line of ffmpeg in place of several; nothing is run here."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from pipeline.muxing.commands import head

# Otherwise a thread reads each of several inputs, which takes longer than to read them.
IN_TURN = ("-thread_queue_size", "0")


def joint(commands: Sequence[Sequence[str]], files: Sequence[int]) -> list[str] | None:
    """One command that makes the files of all ``commands``, argv of :func:`commands.mux` each; it
    reads open ``files`` by their numbers where they would read standard input.  None where one of
    them reads something else as well, or they are not of one ffmpeg.
    """
    begin = commands[0][: len(head(Path(), ""))]
    inputs, outputs = list[str](), list[str]()
    for number, (argv, file) in enumerate(zip(commands, files, strict=True)):
        if argv.count("-i") != 1 or argv[: len(begin)] != begin:
            return None
        at = argv.index("-i")
        inputs += [*argv[len(begin) : at], *(IN_TURN if len(commands) > 1 else ())]
        inputs += ["-i", f"pipe:{file}"]
        outputs += _of_input(number, argv[at + 2 : -1])
    return [*begin, *inputs, *outputs, commands[0][-1]]


def _of_input(number: int, words: Sequence[str]) -> Iterator[str]:
    """Options of an output that maps streams of the first input, with those of another one."""
    for before, word in pairwise(["", *words]):
        yield f"{number}:{word.partition(':')[2]}" if before == "-map" else word
