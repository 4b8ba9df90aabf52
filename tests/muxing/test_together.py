"""Short recordings wait for each other, and one ffmpeg makes the files of all."""

import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from pipeline.muxing import commands, together
from pipeline.muxing.locate import Ffmpeg
from pipeline.muxing.together import Together, in_memory

KEEP = (
    "for f in /proc/self/fd/*; do :; done; for w; do case $w in *.mp4) echo made > $w;; esac; done"
)


def nobody():
    """Nobody interrupts it."""


@pytest.fixture
def ffmpeg(tmp_path):
    """A script in the place of ffmpeg, that notes each time it is called."""

    def make(text=KEEP):
        script = tmp_path / "ffmpeg"
        script.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n{text}\n')
        script.chmod(0o755)
        return Ffmpeg(script, script, "fake", {})

    return make


def argv(ffmpeg, output):
    return commands.mux(ffmpeg.ffmpeg, output, [256])


def calls(tmp_path):
    """How many inputs ffmpeg had each time."""
    path = tmp_path / "calls"
    return [line.count(" -i ") for line in path.read_text().splitlines()] if path.exists() else []


@contextmanager
def at_once(*works):
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)


def guests(company, ffmpeg, tmp_path, count, said):
    """Recordings that all give something, each in a thread of its own."""

    def one(number, guest):
        with in_memory() as stream:
            stream.write(b"x" * 188)
            output = tmp_path / f"{number}.mp4"
            said[number] = guest.mux(ffmpeg, argv(ffmpeg, output), stream, waiting=nobody)

    stack = ExitStack()
    with stack:
        came = [stack.enter_context(company.coming()) for _ in range(count)]
        with at_once(*(lambda n=n, g=g: one(n, g) for n, g in enumerate(came))):
            pass


def test_those_that_are_coming_are_waited_for(ffmpeg, tmp_path):
    said = {}
    guests(Together(), ffmpeg(), tmp_path, 5, said)
    assert said == dict.fromkeys(range(5), True)
    assert calls(tmp_path) == [5]
    assert all((tmp_path / f"{n}.mp4").read_text() == "made\n" for n in range(5))


def test_no_more_than_enough(ffmpeg, tmp_path, monkeypatch):
    """However many are coming."""
    monkeypatch.setattr(together, "PATIENCE", 30)
    said = {}
    guests(Together(), ffmpeg(), tmp_path, 2 * together.MOST, said)
    assert sum(calls(tmp_path)) == 2 * together.MOST
    assert len(calls(tmp_path)) >= 2
    assert all(said.values())


def test_no_more_bytes_than_there_is_memory_for(ffmpeg, tmp_path, monkeypatch):
    monkeypatch.setattr(together, "SIZE", 2 * 188)
    monkeypatch.setattr(together, "PATIENCE", 30)
    company, made = Together(), ffmpeg()
    with company.coming():  # never comes
        said = {}
        guests(company, made, tmp_path, 2, said)
        assert said == {0: True, 1: True}


def test_who_is_alone_makes_its_own_file(ffmpeg, tmp_path):
    said = {}
    guests(Together(), ffmpeg(), tmp_path, 1, said)
    assert said == {0: False}
    assert calls(tmp_path) == []


@pytest.mark.parametrize("leaves", [True, False])
def test_who_never_comes_is_not_waited_for_long(ffmpeg, tmp_path, monkeypatch, leaves):
    """One that turns out to be long says so; one that takes long is not heard of."""
    monkeypatch.setattr(together, "PATIENCE", 30 if leaves else 0.3)
    company, said = Together(), {}
    with company.coming() as late:
        if leaves:
            late.leave()
            late.leave()
        begin = time.monotonic()
        guests(company, ffmpeg(), tmp_path, 3, said)
        assert time.monotonic() - begin < 10
    assert list(said.values()) == [True] * 3
    assert company._coming == 0


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"{KEEP}; exit 1", id="it fails"),
        pytest.param(f"{KEEP}; echo 'non-monotonous dts' >&2", id="it says something"),
        pytest.param("exec /nowhere", id="it cannot be run"),
    ],
)
def test_nothing_counts_where_anything_is_wrong(ffmpeg, tmp_path, text):
    said = {}
    guests(Together(), ffmpeg(text), tmp_path, 3, said)
    assert said == dict.fromkeys(range(3), False)


def test_who_waited_for_one_that_was_interrupted_goes_on_alone(ffmpeg, tmp_path, monkeypatch):
    def interrupted(*given, **how):
        raise KeyboardInterrupt

    monkeypatch.setattr(together.run, "run", interrupted)
    company, said, made, ended = Together(), {}, ffmpeg(), []

    def one(number, guest):
        with in_memory() as stream:
            try:
                output = argv(made, tmp_path / f"{number}.mp4")
                said[number] = guest.mux(made, output, stream, waiting=nobody)
            except KeyboardInterrupt:
                ended.append(number)

    with ExitStack() as stack:
        came = [stack.enter_context(company.coming()) for _ in range(3)]
        with at_once(*(lambda n=n, g=g: one(n, g) for n, g in enumerate(came))):
            pass
    assert len(ended) == 1
    assert [*said.values()] == [False, False]


def test_recordings_of_different_ffmpegs_are_not_joined(ffmpeg, tmp_path):
    company, said, made = Together(), {}, ffmpeg()
    other = Ffmpeg(made.ffmpeg, made.ffprobe, "fake", {"OTHER": "1"})

    def one(guest, which):
        with in_memory() as stream:
            output = tmp_path / f"{which.env}.mp4"
            said[bool(which.env)] = guest.mux(which, argv(which, output), stream, waiting=nobody)

    with (
        company.coming() as a,
        company.coming() as b,
        at_once(lambda: one(a, made), lambda: one(b, other)),
    ):
        pass
    assert said == {False: False, True: False}


def test_an_interrupt_ends_the_wait(ffmpeg, tmp_path):
    company, made = Together(), ffmpeg()

    def interrupted():
        raise KeyboardInterrupt

    with company.coming(), company.coming() as guest, in_memory() as stream:
        with pytest.raises(KeyboardInterrupt):
            guest.mux(made, argv(made, tmp_path / "o.mp4"), stream, waiting=interrupted)
        assert company._waiting == []
    said = {}
    guests(company, made, tmp_path, 2, said)
    assert said == {0: True, 1: True}
    assert calls(tmp_path) == [2]


def test_who_waits_stands_aside(ffmpeg, tmp_path):
    company, made, inside = Together(), ffmpeg(), []

    @contextmanager
    def aside():
        inside.append("aside")
        yield
        inside.append("back")

    with company.coming(aside) as guest, in_memory() as stream:
        guest.mux(made, argv(made, tmp_path / "o.mp4"), stream, waiting=nobody)
    assert inside == ["aside", "back"]


def test_what_is_in_memory_is_read_from_its_beginning(tmp_path):
    with in_memory() as stream:
        stream.write(b"ab")
        stream.seek(0)
        assert Path(f"/proc/self/fd/{stream.fileno()}").exists()
        assert stream.read() == b"ab"
