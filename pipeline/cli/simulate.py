"""``recpipe simulate``: a stand-in for Agora, with recordings whose losses are known."""

import re
from typing import TYPE_CHECKING, Any

import click

from pipeline.choices import StreamTypes
from pipeline.cli import options, output, quantities, simulated_session
from pipeline.cli.service import service

if TYPE_CHECKING:
    from pipeline.muxing.locate import Ffmpeg
    from pipeline.simulator.recorder.material import Look
    from pipeline.simulator.recorder.publish import Shelf
    from pipeline.simulator.recording import RecordingOrder, Simulated
    from pipeline.simulator.session.session import Session

TRUTH = "truth.json"


@click.group(short_help="Make recordings with known faults, or stand in for the service.")
def simulate() -> None:
    """A stand-in for Agora: recordings whose losses are known, and its REST service."""


simulate.add_command(service)


def _size(context: click.Context, option: click.Parameter, text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]{2,4})x([0-9]{2,4})", text)
    if match is None:
        raise click.BadParameter(f"{text!r}, expected WIDTHxHEIGHT like 640x360")
    return int(match[1]), int(match[2])


@simulate.command(short_help="Make a recording, with the faults that are asked for.")
@click.option(
    "-o",
    "--output",
    "--to",
    metavar="DEST",
    help="A folder of its own, or s3://bucket/prefix/.",
)
@click.option(
    "--duration",
    metavar="TIME",
    default="60s",
    show_default=True,
    type=quantities.LENGTH,
    help="Length of the recording: 90, 20s, 10m, 2h.",
)
@click.option(
    "--segments",
    metavar="TIME",
    default="15s",
    show_default=True,
    type=quantities.LENGTH,
    help="Length of a segment; each ends at the first full second from then on.",
)
@click.option(
    "--size",
    metavar="WxH",
    default="640x360",
    show_default=True,
    callback=_size,
    help="Size of the pictures.",
)
@click.option("--fps", type=int, default=15, show_default=True, help="Pictures per second.")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Another number, another recording; the same number, the same bytes.",
)
@options.stream_types
@click.option(
    "--bak",
    type=click.IntRange(0, 3),
    default=0,
    show_default=True,
    help="How many failover parts follow the main part.",
)
@click.option(
    "--fault",
    "faults",
    metavar="NAME[:ARG][@PART]",
    multiple=True,
    help="Something that goes wrong; with --users in @UID/audio or @UID/video; can be repeated.",
)
@simulated_session.options
@click.option(
    "--captions",
    is_flag=True,
    help="Record captions as well, as Real-Time STT does: one every five seconds.",
)
@click.option("--live", is_flag=True, help="Let segments appear in real time.")
@click.option(
    "--speed",
    type=float,
    default=1.0,
    show_default=True,
    help="How many times faster than real time, with --live.",
)
@click.option(
    "--list-faults", is_flag=True, help="List every fault, its argument and what it loses."
)
@click.option("--json", "json", is_flag=True, help="Print truth.json on stdout, in one line.")
@options.quiet
@options.ffmpeg
@options.store
@options.general
def recording(**chosen: Any) -> int:
    """Make a recording like those of Agora Cloud Recording, and truth.json beside it.

    Picture and sound carry a clock, and a flash and a beep at each full second.  truth.json says
    what is wrong with the recording, what it lost, and what can be made of it.

    \b
    Examples:
      recpipe simulate recording -o rec/
      recpipe simulate recording -o rec/ --duration 20s --segments 4s --fault missing_file:2
      recpipe simulate recording -o rec/ --bak 2 --fault bak_overlap:3
      recpipe simulate recording -o s3://bucket/live/ --live --speed 10
      recpipe simulate recording -o rec/ --users 3 --act 1002:leave@20 --act 1002:join@45
      recpipe simulate recording --list-faults
    """
    if chosen["list_faults"]:
        _list_faults(as_json=chosen["json"])
        return 0
    if chosen["output"] is None:
        raise click.UsageError("missing option '-o' / '--output': a folder for the recording")

    from pipeline.muxing.locate import locate
    from pipeline.simulator.recorder.publish import Shelf, publish, publish_live, publish_together
    from pipeline.storage.locations import open_storage

    if not chosen["speed"] > 0:
        raise click.UsageError(f"--speed {chosen['speed']:g}: expected more than 0")
    places = {name: chosen[name] for name in ("endpoint_url", "region", "profile")}
    storage, _ = open_storage(chosen["output"].rstrip("/") + "/", **places)
    made = _made(chosen, locate(chosen["ffmpeg"]))
    shelf = Shelf(storage)
    shelf.refuse_other(TRUTH, made.name)
    if chosen["live"] and chosen["users"] is not None:
        publish_together(shelf, made.parts, speed=chosen["speed"])
    elif chosen["live"]:
        publish_live(shelf, made.parts, speed=chosen["speed"])
    else:
        publish(shelf, made.parts)
    _put_truth(shelf, made)
    if chosen["json"]:
        output.say_json({"source": storage.url(), **made.as_json()})
    elif not chosen["quiet"]:
        output.say(_text(made, storage.url()))
    return 0


def _made(chosen: dict[str, Any], ffmpeg: "Ffmpeg") -> "Simulated | Session":
    """The recording, or the session if there are to be users."""
    import math
    import time

    from pipeline.simulator.recorder.material import Look
    from pipeline.simulator.recording import EPOCH
    from pipeline.simulator.recording import simulate as made_of
    from pipeline.simulator.session.session import simulate_session

    width, height = chosen["size"]
    look = Look(width, height, chosen["fps"], chosen["seed"])
    slice = math.ceil(chosen["segments"])
    epoch = round(time.time(), 3) if chosen["live"] else EPOCH
    if chosen["users"] is not None:
        return simulate_session(simulated_session.order(chosen, look, slice, epoch), ffmpeg)
    simulated_session.refuse_without_users(chosen)
    return made_of(_order(chosen, look, slice, epoch), ffmpeg)


def _order(chosen: dict[str, Any], look: "Look", slice: int, epoch: float) -> "RecordingOrder":
    from pipeline.simulator.faults.catalogue import parse
    from pipeline.simulator.recorder.values import STREAMS
    from pipeline.simulator.recording import RecordingOrder

    wanted = chosen["stream_types"]
    streams = StreamTypes.BOTH if wanted is None else StreamTypes(wanted)
    return RecordingOrder(
        duration=chosen["duration"],
        look=look,
        slice=slice,
        streams=tuple(kind for kind in STREAMS if streams in (kind, StreamTypes.BOTH)),
        bak=chosen["bak"],
        faults=tuple(map(parse, chosen["faults"])),
        epoch=epoch,
        captions=chosen["captions"],
    )


def _put_truth(shelf: "Shelf", made: "Simulated | Session") -> None:
    import json

    shelf.put(TRUTH, (json.dumps(made.as_json(), indent=1, ensure_ascii=False) + "\n").encode())


def _text(made: "Simulated | Session", url: str) -> str:
    from pipeline.simulator.session.session import Session
    from pipeline.storage.names import printable

    if isinstance(made, Session):
        return simulated_session.text(made, url)
    count = sum(len(part.segments) for part in made.parts)
    lost = [f"{s} {n:.3f} s" for s, n in made.truth.lost_seconds.items() if n]
    said = f"lost {', '.join(lost)}" if lost else "nothing lost"
    parts = f" in {len(made.parts)} parts" if len(made.parts) > 1 else ""
    segments = f"{count} segment{'s' * (count != 1)}{parts}"
    line = f"{made.name}: {segments}, {made.truth.duration:.3f} s, {said}; {url}"
    return printable(line)


def _list_faults(*, as_json: bool) -> None:
    from msgspec.structs import asdict

    from pipeline.simulator.faults.catalogue import FAULTS

    for fault in FAULTS:
        if as_json:
            known = ("name", "argument", "loses", "unseen")
            row = {key: value for key, value in asdict(fault).items() if key in known}
            output.say_json({**row, "what": fault.what, "verdicts": list(fault.verdicts)})
        else:
            argument = f":{fault.argument}" if fault.argument else ""
            output.say_listing(f"{fault.name}{argument}")
            output.say_listing(f"    {fault.what}  Loses {fault.loses}.")
