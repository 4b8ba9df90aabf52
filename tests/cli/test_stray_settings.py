"""A folder from somebody else, with a ``recpipe.toml`` in it: nothing it says happens."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import click
import pytest

from pipeline.cli.app import cli
from tests.agora.bodies import START
from tests.cli.conftest import COMPOSITE, snapshot, write

ENDS_IN_TIME = 60.0  # seconds
LISTENS = {"simulate service", "serve", "cluster local"}

ARGUMENTS = {
    "convert": ("here", "-o", "mine"),
    "check": ("s3://bucket/2026/",),
    "watch": ("here", "--to", "mine", "--once", "--settle", "0s"),
    "explain": (COMPOSITE,),
    "retry": (COMPOSITE,),
    "hold": (COMPOSITE,),
    "cluster local": ("--workers", "1", "--port", "0"),
    "ledger rebuild": ("--to", "here"),
    "record start": ("--request", "request.json"),
    "record stop": ("--sid", "s", "--channel", "c"),
    "record update": ("--request", "request.json", "--sid", "s", "--channel", "c"),
    "record layout": ("--request", "request.json", "--sid", "s", "--channel", "c"),
    "record status": ("--sid", "s", "--channel", "c"),
    "archive export": ("here", "--tar", "mine"),
    "archive ingest": ("here", "--to", "mine"),
    "archive verify": ("here",),
    "clean plan": ("here", "--to", "here"),
    "clean apply": ("plan.json",),
    "clean restore": ("here", "run"),
    "clean purge": ("here",),
    "simulate recording": ("-o", "mine", "--size", "64x64", "--duration", "4s"),
}
"""What each command needs besides its settings; others need nothing."""


def commands(group: click.Group, *above: str) -> Iterator[str]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, *above, name)
        else:
            yield " ".join((*above, name))


class Ear:
    """A port on this machine, and how often anybody came to it; it never answers."""

    def __init__(self, listener: socket.socket) -> None:
        self.url, self.heard = f"127.0.0.1:{listener.getsockname()[1]}", 0
        threading.Thread(target=self._listen, args=(listener,), daemon=True).start()

    def _listen(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.heard += 1
            connection.close()


@contextmanager
def listening() -> Iterator[Ear]:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield Ear(listener)


@pytest.fixture
def hostile(clean, composite) -> Iterator[Ear]:
    """What lies in the working directory, and who would be told."""
    composite.rename("here")
    for trap in (Path("tools/ffmpeg"), Path("tools/ffprobe")):
        trap.parent.mkdir(exist_ok=True)
        trap.write_text("#!/bin/sh\ntouch ran\n")
        trap.chmod(0o755)
    with listening() as ear:
        Path("recpipe.toml").write_text(
            f"""
            ffmpeg = "tools"
            after = "tools/ffmpeg"
            api-url = ["http://{ear.url}"]
            endpoint-url = "http://{ear.url}"
            notify = "http://{ear.url}"
            ping = "http://{ear.url}"
            webhook = "http://{ear.url}"
            events = "https://{ear.url}/queue"
            ledger = "postgresql://{ear.url}/ledger"
            output = "taken"
            spool = "taken"
            state = "taken"
            older-than = "0s"
            max-fraction = "100%"
            json = true
            [storage.calls]
            vendor = "self"
            bucket = "b"
            endpoint = "http://{ear.url}"
            """
        )
        yield ear


@pytest.fixture
def elsewhere(monkeypatch) -> Iterator[Ear]:
    """Where everything goes that should go to the world."""
    with listening() as world:
        for name, value in {
            "HTTPS_PROXY": f"http://{world.url}",
            "AWS_ENDPOINT_URL": f"http://{world.url}",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "SECRET",
            "RECPIPE_AGORA_APP_ID": "app",
            "RECPIPE_AGORA_CUSTOMER_ID": "customer",
            "RECPIPE_AGORA_CUSTOMER_SECRET": "SECRET",
        }.items():
            monkeypatch.setenv(name, value)
        yield world


READS_NONE = {"completion", "help"}  # they print what is known, and look at no settings


@pytest.mark.parametrize("command", [c for c in commands(cli) if c not in READS_NONE])
def test_no_command_does_what_it_says(command, hostile, elsewhere, launch, clean):
    write(START)
    Path("plan.json").write_text("{}")
    process = launch(*command.split(), *ARGUMENTS.get(command, ()), env=dict(os.environ))
    if command in LISTENS:
        err = process.stderr.readline()
        process.terminate()
    else:
        _, err = process.communicate(timeout=ENDS_IN_TIME)
    assert "recpipe.toml in this folder is not read" in err
    assert process.returncode != 1
    assert hostile.heard == 0
    assert not {"ran", "taken"} & {path.name for path in clean.iterdir()}


def test_the_store_it_names_is_unknown(hostile, recpipe):
    assert "no [storage.calls]" in recpipe("check", "@calls/").err


def test_whoever_names_it_believes_it(hostile, recpipe, clean):
    ended = recpipe("convert", "here", "--config", "recpipe.toml")
    assert "not read" not in ended.err
    assert (clean / "ran").exists(), ended.err
    recpipe("clean", "plan", "here", "--to", "here", "--config", "recpipe.toml")
    assert hostile.heard


def test_nothing_of_a_plan_is_weaker_for_it(hostile, recpipe, clean):
    """What was converted a moment ago stays, whatever the file allows."""
    assert recpipe("convert", "here", "-o", "mine").code == 0
    before = snapshot(clean / "here")
    planned = recpipe("clean", "plan", "here", "--to", "mine", "--json")
    assert planned.line["reason"] == "too young"
    assert recpipe("clean", "apply", "plan.json").code == 0
    assert snapshot(clean / "here") == before
