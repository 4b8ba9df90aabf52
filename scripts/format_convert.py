#!/usr/bin/env python3
"""Convert every file of one format in a directory to another format.

One output for each file, beside it, with the same stem; folders below are left alone.  An output
is there whole or not at all.  ts to mp4 is proven unit by unit and leaves a receipt.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

try:
    from msgspec import to_builtins

    from pipeline.choices import Format
    from pipeline.errors import RecpipeError, UsageError
    from pipeline.jobs.agora_scripts import format_convert as files
    from pipeline.muxing.locate import locate
    from pipeline.storage.names import printable
except ImportError as error:
    root = Path(__file__).resolve().parents[1]
    print(
        f"format_convert: recpipe is not installed for {sys.executable} ({error}); "
        f"run {sys.executable} -m pip install '{root}[ffmpeg]'",
        file=sys.stderr,
    )
    sys.exit(2)

EXITS = """\
exit codes: 0 every file done; 2 wrong usage, or nothing to convert; 3 every file done, but one had
lost media before it came here; 5 one or more files not done; 130 interrupted"""


def main() -> int:
    """Parse, convert file by file, print, and say how it ended."""
    args = parser().parse_args()
    try:
        source, to = wanted(args.source_format), wanted(args.destination_format)
        files.plan(source, to)
        names = files.sources(args.directory, source)
        with tempfile.TemporaryDirectory(prefix="recpipe-") as spool:
            outcomes = list(convert(args, source, to, names, Path(spool)))
    except RecpipeError as error:
        say(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        say("interrupted; what was done stays")
        return 130
    if not args.quiet:
        say(summary(outcomes))
    return files.exit_code(outcomes)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="format_convert",
        description=__doc__,
        epilog=EXITS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    formats = " ".join(files.FORMATS)
    made.add_argument("directory", type=Path)
    made.add_argument("source_format", help=f"one of {formats}")
    made.add_argument("destination_format", help=f"one of {formats}; sound cannot become pictures")
    made.add_argument("--force", action="store_true", help="replace outputs that exist already")
    made.add_argument("--quiet", action="store_true", help="say only what went wrong")
    made.add_argument("--json", action="store_true", help="one JSON object a file on stdout")
    return made


def wanted(name: str) -> Format:
    """The format of this name; UsageError says how it is written."""
    if name in files.FORMATS:
        return Format(name)
    known = " ".join(files.FORMATS)
    if name.lower() in files.FORMATS:
        raise UsageError(f"{name}: formats are written in lower case: {known}")
    raise UsageError(f"{printable(name)}: no known format; known are {known}")


def convert(
    args: argparse.Namespace, source: Format, to: Format, names: list[str], spool: Path
) -> Iterator[files.Outcome]:
    """Convert one after the other, and say how each went."""
    ffmpeg = locate()
    watched = sys.stderr.isatty() and not args.quiet
    for number, name in enumerate(names, 1):
        begin = f"[{number}/{len(names)}] {printable(name)} -> {to}"
        if watched:
            print(f"{begin} ...", end="\r", file=sys.stderr, flush=True)
        start = time.perf_counter()
        outcome = files.convert_file(
            args.directory, name, to, ffmpeg, spool=spool, force=args.force
        )
        if watched:
            done = "FAILED" if outcome.problem else "ok"
            spent = time.perf_counter() - start
            print(f"\x1b[K{begin} {done} ({spent:.1f} s)", file=sys.stderr)
        for text in (outcome.problem, *outcome.warnings):
            if text:
                say(f"{name}: {text}")
        if args.json:
            line = json.dumps({**to_builtins(outcome), "done": outcome.output is not None})
            print(line, flush=True)
        yield outcome


def summary(outcomes: list[files.Outcome]) -> str:
    """How many of each kind."""
    counts = Counter("failed" if o.problem else "done" for o in outcomes)
    warned = sum(bool(o.warnings) for o in outcomes)
    return f"{counts['done']} done ({warned} with warnings), {counts['failed']} failed"


def say(text: str) -> None:
    """One line for people."""
    print(f"format_convert: {printable(text)}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
