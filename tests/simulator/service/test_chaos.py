"""Promise: a recording started is recorded once, its sid is not lost, and nothing hangs, however
the service fails.  The product's client against the stand-in, on a clock of its own.
"""

import os
import random
import time
from collections import Counter

import pytest

from pipeline.agora.schema.requests import StartRequest
from pipeline.agora.schema.values import parse
from pipeline.agora.statuses import Kind
from pipeline.errors import AgoraError
from pipeline.jobs.agora import lifecycle as record
from pipeline.jobs.agora.lifecycle import Project
from pipeline.jobs.agora.sessions import Sessions
from pipeline.media.playlist import parse as reader
from pipeline.simulator.service.chaos import Chaos
from tests.agora.bodies import START
from tests.simulator.service.standin import ACCOUNT, Standin, client

ROUNDS = int(os.environ.get("RECPIPE_TEST_ROUNDS", "8"))
WANTED = record.NewRecording(parse(StartRequest, START))
NAME = (ACCOUNT.app_id, START["cname"], START["uid"])
LONGEST = 15 * 60.0  # seconds one command may take, with everything going wrong
TRIES = 20
REAL = 60.0  # seconds a round may really take

pytestmark = pytest.mark.usefixtures("ffmpeg")


def patiently(standin, action):
    """The command, run again as long as it says that it may help."""
    for _ in range(TRIES):
        begin = standin.time.time
        try:
            with client(standin) as agora:
                return action(agora)
        except AgoraError as error:
            if not error.retriable:
                raise
            standin.time.sleep(10)
        finally:
            assert standin.time.time - begin < LONGEST
            assert len(standin.service.running) <= 1
    pytest.fail("never an end to it")


def story(standin, sessions, chance):
    """Start, query, stop; how it ended."""
    begun = patiently(standin, lambda agora: record.start(Project(agora, sessions), WANTED))
    sid = begun.known.sid
    patiently(standin, lambda agora: record.wait_until_recording(agora, begun.known))
    standin.time.sleep(chance.uniform(0, 90))
    assert patiently(standin, lambda agora: agora.query(begun.known.session)).status in (4, 5)
    patiently(
        standin, lambda agora: record.start(Project(agora, sessions), WANTED)
    )  # again: left alone
    assert [live.order.sid for live in standin.service.lives] == [sid]
    try:
        ended = patiently(
            standin,
            lambda agora: record.stop(Project(agora, sessions), sessions.read(*NAME)),
        )
    except AgoraError as error:
        if error.kind != Kind.NO_DATA:
            raise
        return "no data"
    assert ended.known.sid == sid
    return "ended before" if ended.why else ended.progress.uploading


@pytest.mark.parametrize("rate", [0.1, 0.25])
def test_never_twice_never_lost_never_a_hang(tmp_path, rate):
    outcomes: Counter[str | None] = Counter()
    failures, requests = Counter(), 0
    for seed in range(ROUNDS):
        begin, chance = time.monotonic(), random.Random(seed)
        (tmp_path / f"{seed}").mkdir()
        standin = Standin(
            tmp_path / f"{seed}",
            chaos=Chaos(rate, seed),
            slow_stop=chance.choice((0.0, 0.0, 5.0, 25.0)),
        )
        outcomes[story(standin, Sessions(tmp_path / f"state{seed}"), chance)] += 1
        standin.time.sleep(30)
        standin.service.tick()
        assert standin.service.running == []
        assert len(standin.service.lives) == 1
        whole(standin)
        assert time.monotonic() - begin < REAL
        requests += len(standin.notes)
        failures.update(note["status"] for note in standin.notes)
        assert "SECRET" not in repr((standin.notes, standin.notices))
    print(rate, dict(outcomes), requests, dict(failures))
    assert failures.total() > failures[200]


def whole(standin):
    """What is listed is there, nothing else is, and the last part has an end."""
    parts = sorted(standin.folder.rglob("*.m3u8"), key=lambda p: p.stat().st_mtime_ns)
    listed = set()
    for path in parts:
        listing = reader.parse(path.read_bytes())
        assert all((path.parent / s.uri).stat().st_size for s in listing.segments)
        listed |= {s.uri for s in listing.segments} | {path.name}
    assert set(standin.names()) == listed
    live = standin.service.lives[0]
    assert listed if live.has_data else not listed
    last = [part for part in live.parts if part.segments]
    if last and last[-1] is live.parts[-1]:
        assert reader.parse(parts[-1].read_bytes()).ended


def test_the_same_seed_does_the_same():
    def run(seed):
        chaos = Chaos(0.3, seed)
        return [chaos.before("start") for _ in range(50)]

    assert run(1) == run(1) != run(2)


def test_without_a_rate_nothing_happens():
    chaos = Chaos()
    assert not any(chaos.before("start") or chaos.moves() for _ in range(100))
    assert {chaos.copies() for _ in range(100)} == {1}
