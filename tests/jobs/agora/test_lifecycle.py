"""Recordings started, followed and stopped: nothing is recorded twice, lost, or waited for without
end, whatever the service, the network and the machine do.
"""

import os
import random
import stat
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from pydantic import SecretStr

from pipeline.agora.client import AgoraClient
from pipeline.agora.schema.requests import StartRequest
from pipeline.agora.schema.values import parse
from pipeline.agora.statuses import Kind
from pipeline.errors import AgoraError, NotFoundError, UsageError
from pipeline.jobs.agora import lifecycle as record
from pipeline.jobs.agora.sessions import Sessions, find
from tests.agora.bodies import START, changed
from tests.agora.server import HANG_UP, FakeTime, listening
from tests.agora.service import Service

ROUNDS = int(os.environ.get("RECPIPE_TEST_ROUNDS", "6"))
WANTED = record.NewRecording(parse(StartRequest, START))
NAME = ("app1", START["cname"], START["uid"])
LONGEST = 15 * 60.0  # seconds one command may take, with everything going wrong


class Crash(BaseException):
    """The process ends here."""


class Fragile(httpx.HTTPTransport):
    """A connection during whose use the process may end, before or after the other side acts."""

    def __init__(self, chance: random.Random, share: float) -> None:
        super().__init__()
        self._chance, self._share = chance, share

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One request."""
        if self._chance.random() < self._share:
            raise Crash
        response = super().handle_request(request)
        if self._chance.random() < self._share:
            response.close()
            raise Crash
        return response


class World:
    """A service, a clock, and a folder that outlives processes."""

    def __init__(self, server, folder, *, seed=0, crashes=0.0, **service) -> None:
        self.chance = random.Random(seed)
        self.time = FakeTime()
        self.service = Service(self.chance, self.time, **service)
        self.server, self.sessions, self.crashes = server, Sessions(folder), crashes
        server.reply = self.service.reply

    def client(self) -> AgoraClient:
        """As a new process has it."""
        return AgoraClient(
            "app1",
            "customer",
            SecretStr("secret"),
            hosts=[self.server.url],
            clock=self.time.clock,
            wire=Fragile(self.chance, self.crashes),
        )

    def once(self, action):
        """The action in a process of its own, within its time."""
        begin = self.time.time
        try:
            with self.client() as client:
                return action(client)
        finally:
            assert self.time.time - begin < LONGEST
            names = [recording.name for recording in self.service.running]
            assert len(names) == len(set(names))

    def until_done(self, action):
        """Run again, as cron would, while the exit code says so."""
        for _ in range(60):
            try:
                return self.once(action)
            except Crash:
                self.time.sleep(self.chance.choice([0.5, 20, 400]))
            except AgoraError as error:
                if not error.retriable and error.kind != Kind.CONFLICT:
                    raise
                self.time.sleep(self.chance.choice([1, 60]))
        raise AssertionError("never done")

    def start(self, client):
        """The command."""
        return record.start(record.Project(client, self.sessions), WANTED)

    def stop(self, client):
        """The command."""
        project = record.Project(client, self.sessions)
        return record.stop(project, find(self.sessions, *NAME))

    @property
    def known(self):
        """What is remembered."""
        return self.sessions.read(*NAME)


@pytest.fixture(scope="module")
def server():
    with listening() as server:
        yield server


@pytest.fixture
def world(server, tmp_path):
    server.seen.clear()
    return World(server, tmp_path)


# Chaos.


@pytest.mark.parametrize("crashes", [0.0, 0.1], ids=["no crash", "crashes"])
def test_never_two_recordings_never_a_lost_sid_never_a_hang(server, tmp_path, crashes):
    for seed in range(ROUNDS):
        chaos = {"chaos": 0.25, "crashes": crashes, "failover": 25.0}
        world = World(server, tmp_path / str(seed), seed=seed, **chaos)
        begun = world.until_done(world.start)
        (recording,) = world.service.running
        assert begun.known.sid == recording.sid
        assert world.known.sid == recording.sid
        again = world.until_done(world.start)
        assert again.known.sid == recording.sid
        world.until_done(lambda client, known=begun.known: client.query(known.session))
        world.until_done(world.stop)
        assert world.service.running == []
        assert world.known.ended is not None
        assert len(world.service.recordings) == 1


def test_a_sid_that_the_service_does_not_repeat_is_asked_for(server, tmp_path):
    for seed in range(ROUNDS):
        world = World(server, tmp_path / str(seed), seed=seed, chaos=0.3, repeats_sid=False)
        try:
            begun = world.until_done(lambda client, world=world: sid_or_nothing(world, client))
        finally:
            assert len(world.service.recordings) <= 1
        (recording,) = world.service.running
        assert begun in (recording.sid, None)
        assert world.known.resource_id == recording.resource


def sid_or_nothing(world, client):
    try:
        return world.start(client).known.sid
    except AgoraError as error:
        if error.kind != Kind.ALREADY_RUNNING:
            raise
    return None


def test_the_user_is_told_how_to_get_a_sid_that_was_not_repeated(world):
    world.service.repeats_sid = False

    def lose_the_first(seen):
        answer = world.service.reply(seen)
        return HANG_UP if world.server.calls == ["acquire", "start"] else answer

    world.server.reply = lose_the_first
    with pytest.raises(AgoraError, match="did not repeat the sid") as caught:
        world.once(world.start)
    assert caught.value.exit_code == 75
    assert world.known.resource_id == "resource0"


# One story each.


def test_acquire_and_start_are_a_pair(world):
    begun = world.once(world.start)
    assert world.server.calls == ["acquire", "start"]
    assert (begun.already, world.time.slept) == (False, [])
    known = world.known
    assert (known.sid, known.resource_id) == ("0" * 32, "resource0")
    assert known.playlist == f"directory1/directory2/{'0' * 32}_httpClient463224.m3u8"


def test_started_twice_records_once(world):
    world.once(world.start)
    again = world.once(world.start)
    assert again.already
    assert world.server.calls == ["acquire", "start", "query"]


def test_started_twice_at_once_records_once(world):
    with ThreadPoolExecutor(4) as pool:
        begun = list(pool.map(lambda _: world.once(world.start), range(4)))
    assert sorted(one.already for one in begun) == [False, True, True, True]
    assert {one.known.sid for one in begun} == {"0" * 32}
    assert (world.server.calls.count("acquire"), world.server.calls.count("start")) == (1, 1)


def test_what_has_ended_by_itself_may_be_started_again(world):
    world.once(world.start)
    world.service.recordings[0].ended = world.time.time
    begun = world.once(world.start)
    assert (begun.already, begun.known.sid) == (False, f"{1:032x}")
    assert world.time.slept == [5, 10, 15]  # a 404 is confirmed first


def test_a_crash_between_acquire_and_start_is_resumed(world):
    def crash(seen):
        return HANG_UP if seen.call == "start" else world.service.reply(seen)

    world.server.reply = crash
    with pytest.raises(AgoraError):
        world.once(world.start)
    assert (world.known.resource_id, world.known.sid) == ("resource0", None)
    world.server.reply = world.service.reply
    world.server.seen.clear()
    assert world.once(world.start).known.sid == "0" * 32
    assert world.server.calls == ["start"]  # with the resource that was there


def test_a_resource_left_behind_for_too_long_is_not_used(world):
    world.server.reply = lambda seen: HANG_UP if seen.call == "start" else world.service.reply(seen)
    with pytest.raises(AgoraError):
        world.once(world.start)
    world.server.reply = world.service.reply
    world.server.seen.clear()
    world.time.sleep(3600)
    assert world.once(world.start).known.resource_id == "resource1"
    assert world.server.calls == ["start", "acquire", "start"]


def test_a_resource_left_behind_that_is_refused_is_not_used(world):
    def refuse_the_first(seen):
        if seen.call == "start" and "/resource0/" in seen.path:
            return HANG_UP if world.server.calls[0] == "acquire" else (400, {"code": 432})
        return world.service.reply(seen)

    world.server.reply = refuse_the_first
    with pytest.raises(AgoraError):
        world.once(world.start)
    world.server.seen.clear()
    assert world.once(world.start).known.resource_id == "resource1"


def test_an_unclear_start_that_did_record_is_found_again(world):
    """Every answer to start is lost; the new pair is told of a conflict with our own recording."""
    lost = iter(range(4))

    def reply(seen):
        answer = world.service.reply(seen)
        return (
            (206, {"code": 65})
            if seen.call == "start" and next(lost, None) is not None
            else (answer)
        )

    world.server.reply = reply
    begun = world.once(world.start)
    assert begun.known.resource_id == "resource0"
    assert world.server.calls == ["acquire", *["start"] * 4, "acquire", "start", "start"]
    assert world.time.slept == [3, 6, 9, 3]


def test_no_worker_means_another_pair(world):
    left = iter([(500, {"code": 502, "reason": "Failed to allocate worker"})] * 2)
    world.server.reply = lambda seen: (
        next(left, None) or world.service.reply(seen)
        if seen.call == "start"
        else world.service.reply(seen)
    )
    assert world.once(world.start).known.resource_id == "resource2"
    assert world.time.slept == [3, 3]


def test_a_recording_on_the_move_is_not_started_again(world):
    """404 for longer than it takes to believe it: the conflict leads back to what is known."""
    world.once(world.start)
    world.service.recordings[0].failover = (world.time.time, world.time.time + 80)
    with pytest.raises(AgoraError) as caught:
        world.once(world.start)
    assert caught.value.kind == Kind.CONFLICT
    assert world.known.sid == "0" * 32
    world.time.sleep(60)
    assert world.once(world.start).already
    assert len(world.service.recordings) == 1


def test_a_refused_start_leaves_nothing_behind(world):
    world.server.script(acquire=[(200, {"resourceId": "r"})], start=[(400, {"code": 2})])
    with pytest.raises(AgoraError):
        world.once(world.start)
    assert world.known is None


def test_a_body_for_another_mode_is_refused_before_anything_is_sent(world):
    wanted = record.NewRecording(parse(StartRequest, changed({"uid": "123"})))
    with world.client() as client, pytest.raises(UsageError, match="the recorder itself"):
        record.start(record.Project(client, world.sessions), wanted)
    assert world.server.seen == []


# Does it record?


def wait(world):
    return world.once(lambda client: record.wait_until_recording(client, world.known))


def test_waits_until_it_records(world):
    world.once(world.start)
    assert wait(world).state == "ready"
    assert world.time.slept == [5, 5]


def test_what_runs_already_is_looked_at_at_once(world):
    world.once(world.start)
    world.time.sleep(60)
    begun = world.once(world.start)
    world.once(lambda c: record.wait_until_recording(c, begun.known, at_once=begun.already))
    assert world.time.slept == [60, 0]


def test_says_why_not_within_90_seconds(world):
    world.once(world.start)
    world.server.script(query=[(200, {"serverResponse": {"status": 2}})])
    with pytest.raises(AgoraError, match="after 90 s it is components starting") as caught:
        wait(world)
    assert (sum(world.time.slept), caught.value.exit_code) == (90, 75)


def test_never_there_within_90_seconds(world):
    world.once(world.start)
    world.server.script(query=[(404, {"code": 404, "reason": "failed to find worker"})])
    with pytest.raises(AgoraError, match="wrong token, storage credentials") as caught:
        wait(world)
    assert (sum(world.time.slept), caught.value.exit_code) == (90, 2)


def test_a_recorder_that_gives_up_is_not_waited_for(world):
    world.once(world.start)
    world.server.script(query=[(200, {"serverResponse": {"status": 20}})])
    with pytest.raises(AgoraError, match="exited abnormally"):
        wait(world)
    assert world.time.slept == [5]


# Stop.


def test_stop_lists_files_and_is_sent_once(world):
    world.once(world.start)
    first, again = world.once(world.stop), world.once(world.stop)
    assert first.known.files == (f"{'0' * 32}_httpClient463224.m3u8",)
    assert (first.known.uploading, first.why) == ("uploaded", None)
    assert again.known == first.known
    assert world.server.calls.count("stop") == 1


def test_stop_on_the_move_is_sent_again(world):
    world.once(world.start)
    world.service.recordings[0].failover = (world.time.time, world.time.time + 12)
    assert world.once(world.stop).why is None
    assert world.service.running == []


def test_stopped_before_by_somebody_else(world):
    world.once(world.start)
    world.service.recordings[0].ended = world.time.time
    ended = world.once(world.stop)
    assert "code 49" in ended.why
    assert world.time.slept == []
    assert world.known.ended is not None


def test_nothing_was_recorded(world):
    world.once(world.start)
    world.server.script(stop=[(206, {"code": 435, "reason": "no recorded data"})])
    with pytest.raises(AgoraError, match="nobody sent") as caught:
        world.once(world.stop)
    assert caught.value.exit_code == 4
    assert world.known.ended is not None


def test_a_failed_stop_may_be_run_again(world):
    world.once(world.start)
    world.server.script(stop=[(504, {"code": 62})])
    with pytest.raises(AgoraError):
        world.once(world.stop)
    assert world.known.ended is None
    world.server.reply = world.service.reply
    world.once(world.stop)
    assert world.service.running == []


# What is remembered.


def test_only_the_owner_can_read_it_and_no_secret_is_in_it(world, tmp_path):
    world.once(world.start)
    (path,) = (tmp_path / "recordings").glob("*.json")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert not any(b"SECRET" in p.read_bytes() for p in files)


def test_a_file_that_was_changed_is_refused(world, tmp_path):
    world.once(world.start)
    (path,) = (tmp_path / "recordings").glob("*.json")
    for text in ("", "[]", '{"schema": 2}', path.read_text()[:-20], '{"schema": 1, "x": 2}'):
        path.write_text(text)
        with pytest.raises(UsageError, match="not what recpipe wrote"):
            world.once(world.start)


def test_which_recording_is_meant(world):
    with pytest.raises(NotFoundError, match="no such recording"):
        find(world.sessions, *NAME)
    world.once(world.start)
    world.time.sleep(1)
    other = record.NewRecording(parse(StartRequest, changed({"cname": "other"})))
    world.once(lambda client: record.start(record.Project(client, world.sessions), other))
    with pytest.raises(UsageError, match="channel other, uid 527841; channel httpClient463224"):
        find(world.sessions, "app1", None, None)
    assert find(world.sessions, "app1", "other", None).cname == "other"
    world.once(world.stop)
    assert find(world.sessions, "app1", None, None).cname == "other"
    assert find(world.sessions, *NAME).ended is not None
