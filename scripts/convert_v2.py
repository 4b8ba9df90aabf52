#!/usr/bin/env python3
"""Convert all recordings of a directory, with the options and names of Agora's convert_v2.py.

Results lie beside the slices: {uid}_0_merge_av.mp4 of each user (individual), {sid}_0_merge_av.mp4
of a mix or web page; .m4a where there is sound alone, _0_merge.mp4 where there are pictures alone.
A recording of which a slice or an index is missing is not converted; of any other all files are
there, whole and proven, or none.  Parts of a server that took over (bak0_ to bak2_) are joined.
"""

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

try:
    from msgspec import to_builtins

    from pipeline.errors import RecpipeError, UsageError
    from pipeline.jobs.agora_scripts import convert_v2 as v2
    from pipeline.model import Recording
    from pipeline.muxing.locate import locate
    from pipeline.storage.names import printable
except ImportError as error:
    root = Path(__file__).resolve().parents[1]
    print(
        f"convert_v2: recpipe is not installed for {sys.executable} ({error}); "
        f"run {sys.executable} -m pip install '{root}[ffmpeg]'",
        file=sys.stderr,
    )
    sys.exit(2)

EXITS = """\
exit codes: 0 everything done; 2 wrong usage, or nothing to convert; 3 everything done, but media
was lost before it came here; 5 one or more recordings not done; 130 interrupted"""
SIZES, SHORT_SIDE = (120, 1920), 1080  # pixels, as Agora's script has it


def main() -> int:
    """Parse, convert one recording after the other, print, and say how it ended."""
    args = parser().parse_args()
    try:
        wanted = wanted_of(args)
        found = v2.recordings(args.dir, wanted.mode)
        refuse_same_names(found, wanted)
        outcomes = list(convert(args, found, wanted))
    except RecpipeError as error:
        say(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        say("interrupted; what was done stays")
        return 130
    if not args.quiet:
        counts = Counter("failed" if o.problem else "done" for o in outcomes)
        say(f"{counts['done']} done, {counts['failed']} failed")
    return v2.exit_code(outcomes)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="convert_v2",
        description=__doc__,
        epilog=EXITS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--dir", type=Path, required=True, help="the directory of the recordings")
    made.add_argument(
        "--recording_mode", type=v2.Mode, choices=list(v2.Mode), default=v2.Mode.INDIVIDUAL
    )
    made.add_argument("--uid", help="only this user, in mode individual")
    made.add_argument(
        "--avtype",
        type=v2.AvType,
        choices=list(v2.AvType),
        default=v2.AvType.AUTO,
        help="what is wanted; auto takes what there is",
    )
    made.add_argument("--width", type=within(*SIZES), help="pixels, with --height: re-encodes")
    made.add_argument("--height", type=within(*SIZES), help="pixels, with --width")
    made.add_argument("--video_bitrate", type=within(50, 6300), help="kbit/s: re-encodes")
    made.add_argument(
        "--video_framerate", type=within(5, 60), help="pictures a second, at most: re-encodes"
    )
    made.add_argument(
        "--fill_strategy",
        type=v2.FillStrategy,
        choices=list(v2.FillStrategy),
        default=v2.FillStrategy.DUPLICATE_PREV,
        help="what stands where nothing was sent: the last picture, or a black one",
    )
    made.add_argument("--force", action="store_true", help="replace results that exist already")
    made.add_argument("--quiet", action="store_true", help="say only what went wrong")
    made.add_argument("--json", action="store_true", help="one JSON object a recording on stdout")
    return made


def within(least: int, most: int):  # type: ignore[no-untyped-def]
    """A type of whole numbers for argparse."""

    def number(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,6}", text) or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text}: expected {least} to {most}")
        return int(text)

    return number


def wanted_of(args: argparse.Namespace) -> v2.Wanted:
    """What is asked for; UsageError for what contradicts itself."""
    if (args.width is None) != (args.height is None):
        raise UsageError("--width and --height are given together")
    if args.width and min(args.width, args.height) > SHORT_SIDE:
        raise UsageError(f"--width {args.width} --height {args.height}: expected at most 1920x1080")
    if args.uid is not None and args.recording_mode is not v2.Mode.INDIVIDUAL:
        raise UsageError(f"--uid: a recording of mode {args.recording_mode} has no users")
    if args.uid is not None and not re.fullmatch(r"[1-9][0-9]{0,9}", args.uid):
        raise UsageError(f"--uid {args.uid}: expected a number, as in the names of slices")
    given = {"picture_width": args.width, "picture_height": args.height}
    given = {name: value // 2 * 2 if value else None for name, value in given.items()}
    given |= {name: getattr(args, name) for name in ("video_bitrate", "video_framerate")}
    pictures = {name: value for name, value in given.items() if value}
    if pictures and args.avtype is v2.AvType.AUDIO_ONLY:
        raise UsageError("--avtype audio_only holds no pictures to re-encode")
    return v2.Wanted(
        args.recording_mode, args.uid, args.avtype, args.fill_strategy, pictures, args.force
    )


def refuse_same_names(found: list[Recording], wanted: v2.Wanted) -> None:
    """Users of two sessions in one folder would get the same names."""
    folders = Counter(one.parts[0].folder for one in found)
    if wanted.mode is v2.Mode.INDIVIDUAL and max(folders.values()) > 1:
        twice = next(folder for folder, count in folders.items() if count > 1)
        said = f"{twice or 'the directory'}: {folders[twice]} sessions whose files would have the"
        raise UsageError(f"{said} same names; move each into a directory of its own below it")


def convert(
    args: argparse.Namespace, found: list[Recording], wanted: v2.Wanted
) -> Iterator[v2.Outcome]:
    """Convert one after the other, and say how each went."""
    ffmpeg = locate()
    for recording in found:
        outcome = v2.convert(args.dir, recording, ffmpeg, wanted)
        for text in (outcome.problem, *outcome.warnings):
            if text:
                say(f"{recording.id}: {text}")
        if args.json:
            line = {**to_builtins(outcome), "done": outcome.problem is None}
            print(json.dumps(line), flush=True)
        yield outcome


def say(text: str) -> None:
    """One line for people."""
    print(f"convert_v2: {printable(text)}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
