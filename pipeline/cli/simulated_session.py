"""Users recorded one by one: the options of ``recpipe simulate`` for them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pipeline.simulator.recorder.material import Look
    from pipeline.simulator.service.service import Keep
    from pipeline.simulator.session.session import Session, SessionOrder, TrackFault
    from pipeline.simulator.session.tracks import Webm

act = click.option(
    "--act",
    "acts",
    metavar="UID:WHAT@SECONDS[:ARG]",
    multiple=True,
    help="What a user does: join, leave, mute, unmute, camera_off, camera_on, share, unshare,"
    " rotate (0, 90, 180 or 270) or resize (WxH).  May be given more than once.",
)
web = click.option(
    "--web",
    metavar="UID[:vp8|vp9]",
    multiple=True,
    help="A user who comes by a browser and is stored as WebM.  May be given more than once.",
)
OPTIONS = (
    click.option(
        "--users",
        type=click.IntRange(1, 12),
        metavar="N",
        help="Record so many users one by one (individual mode), as 1001, 1002 and so on.",
    ),
    act,
    click.option(
        "--random-acts", is_flag=True, help="Draw what the users do; the same for the same --seed."
    ),
    web,
    click.option(
        "--standard", is_flag=True, help="Write an index over both streams of each user as well."
    ),
)


def options(command: Any) -> Any:
    """Add all of them."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def order(chosen: dict[str, Any], look: "Look", slice: int, epoch: float) -> "SessionOrder":
    """What the options ask for; UsageError where they contradict each other."""
    from msgspec.structs import replace

    from pipeline.simulator.faults.catalogue import parse
    from pipeline.simulator.session.cast import crew, parse_act
    from pipeline.simulator.session.chance import drawn
    from pipeline.simulator.session.session import SessionOrder

    _refuse(chosen)
    meeting = [one for one in chosen["faults"] if one.startswith("bak_")]
    faults = tuple(_fault(one) for one in chosen["faults"] if one not in meeting)
    servers: dict[str, Any] = {"bak": chosen["bak"], "meetings": tuple(map(parse, meeting))}
    servers["captions"] = chosen["captions"]
    users, duration = chosen["users"], chosen["duration"]
    if chosen["random_acts"]:
        made = drawn(look.seed, users, look, duration=duration, slice=slice)
        standard = made.standard or chosen["standard"]
        return replace(made, faults=faults, epoch=epoch, standard=standard, **servers)
    acts = tuple(map(parse_act, chosen["acts"]))
    members = crew(users, look, look.seed, acts=acts, web=dict(map(web_user, chosen["web"])))
    return SessionOrder(
        members,
        acts,
        faults,
        duration=duration,
        slice=slice,
        seed=look.seed,
        epoch=epoch,
        standard=chosen["standard"],
        **servers,
    )


def refuse_without_users(chosen: dict[str, Any]) -> None:
    """UsageError for options that only a session has."""
    known = {"acts": "--act", "random_acts": "--random-acts", "web": "--web"}
    for name, option in {**known, "standard": "--standard"}.items():
        if chosen[name]:
            raise click.UsageError(f"{option}: only with --users N")


def text(made: "Session", url: str) -> str:
    """One line for people."""
    from pipeline.storage.names import printable

    count = sum(len(part.segments) for part in made.parts)
    users = sum(member.screen_of is None for member in made.order.members)
    lost = sum(sum(one.truth.lost_seconds.values()) for one in made.tracks)
    said = f"lost {lost:.3f} s" if lost else "nothing lost"
    streams = f"{users} user{'s' * (users != 1)} in {len(made.parts)} streams"
    return printable(f"{made.name}: {streams}, {count} segments, {said}; {url}")


def browser(ffmpeg: str | None) -> "Webm":
    """What a user of a browser sends."""
    from pipeline.muxing.locate import locate
    from pipeline.simulator.recorder.material import webm_stream

    found = locate(ffmpeg)
    return lambda look, span, stream: webm_stream(look, span, stream, found)


def truths(folder: str | None) -> "Keep":
    """Writes what is true of each recording of users into a folder."""
    if folder is None:
        return lambda _, __: None
    import json
    from pathlib import Path

    from pipeline.storage.names import printable
    from pipeline.storage.oserrors import os_errors

    def keep(sid: str, truth: Mapping[str, Any]) -> None:
        with os_errors(f"write {printable(folder)}"):
            Path(folder).mkdir(parents=True, exist_ok=True)
            text = json.dumps(truth, indent=1, ensure_ascii=False) + "\n"
            (Path(folder) / f"{sid}.json").write_text(text, encoding="utf-8")

    return keep


def _refuse(chosen: dict[str, Any]) -> None:
    if chosen["stream_types"] is not None:
        raise click.UsageError("--stream-types: not with --users; mute them, or turn cameras off")
    if chosen["random_acts"] and (chosen["acts"] or chosen["web"]):
        raise click.UsageError(
            "--random-acts: draws what --act and --web would say; leave them away"
        )


def web_user(given: str) -> tuple[str, str]:
    """A uid and a codec."""
    from pipeline.simulator.session.cast import WEB_CODECS

    uid, colon, codec = given.partition(":")
    if colon and codec not in WEB_CODECS:
        raise click.UsageError(f"--web {given}: expected {' or '.join(WEB_CODECS)} behind the uid")
    return uid, codec or WEB_CODECS[0]


def _fault(given: str) -> "TrackFault":
    from pipeline.simulator.faults.catalogue import parse
    from pipeline.simulator.session.session import TrackFault

    name, at, where = given.partition("@")
    uid, slash, stream = where.partition("/")
    if not at or not slash or stream not in ("audio", "video"):
        raise click.UsageError(f"--fault {given}: expected NAME[:ARG]@UID/audio or @UID/video")
    return TrackFault(uid, stream, parse(name))
