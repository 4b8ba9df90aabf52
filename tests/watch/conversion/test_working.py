"""Of what takes long, the log says how far it is."""

import logging

import pytest

from pipeline.model import Part, Recording, StoredObject
from pipeline.watch.conversion.working import Working
from pipeline.watch.log import NAME

SIZES = {"talk_1.ts": 3_000_000, "x.ts": 9}
FILES = {name: StoredObject(name, size, None, 0.0) for name, size in SIZES.items()}
TALK = Recording("talk", "s3://calls/talk.m3u8", (Part(None, "", FILES),))


@pytest.fixture
def told(caplog):
    """What is logged, without the recording."""
    caplog.set_level(logging.INFO, NAME)
    names = ("stage", "done", "size", "speed", "share")

    def lines():
        assert {(r.message, r.recording) for r in caplog.records} <= {("at work", "talk")}
        return [{n: getattr(r, n) for n in names if hasattr(r, n)} for r in caplog.records]

    return lines


@pytest.fixture
def clock():
    """A clock that is set."""
    return [0.0]


@pytest.fixture
def working(clock):
    return Working(TALK, lambda stage, count: None, every=30.0, clock=lambda: clock[0])


def test_what_is_soon_done_is_not_told(working, told, clock):
    clock[0] = 29.9
    working("fetch", 1000)
    assert told() == []


def test_how_much_is_fetched_and_how_fast(working, told, clock):
    working("fetch", 400_000)
    for clock[0] in (30.0, 45.0, 60.0):
        working("fetch", 600_000)
    assert told() == [
        {"stage": "fetch", "done": "1.0 MB", "size": "3.0 MB", "speed": "33.3 kB/s"},
        {"stage": "fetch", "done": "2.2 MB", "size": "3.0 MB", "speed": "40.0 kB/s"},
    ]


def test_what_is_sent_is_counted_by_itself(working, told, clock):
    working("fetch", 3_000_000)
    clock[0] = 40.0
    working("publish", 2_000_000)
    assert told() == [{"stage": "publish", "done": "2.0 MB", "speed": "50.0 kB/s"}]


def test_thousandths_are_no_bytes(working, told, clock):
    working("reencode", 250)
    clock[0] = 31.0
    working("reencode", 1)
    assert told() == [{"stage": "reencode", "share": "25%"}]


def test_who_waits_has_done_nothing(working, told, clock):
    clock[0] = 31.0
    working("wait", 0)
    assert told() == [{"stage": "wait"}]


def test_whoever_is_told_can_end_it(clock):
    def stopped(stage, count):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Working(TALK, stopped, clock=lambda: clock[0])("fetch", 1)
