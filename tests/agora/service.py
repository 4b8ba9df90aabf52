"""A service that fails in every documented way, at random, and never lies about what it records."""

import random
from dataclasses import dataclass, field
from typing import Any

from tests.agora.server import HANG_UP, FakeTime, Reply, Seen

LIFE = 300.0  # seconds of a resource


@dataclass
class Recording:
    """What runs, or ran."""

    name: tuple[str, str]
    resource: str
    sid: str
    since: float
    failover: tuple[float, float]  # from, to
    ended: float | None = None


@dataclass
class Service:
    """Resources and recordings; ``chaos`` is the share of calls that go wrong."""

    random: random.Random
    time: FakeTime
    chaos: float = 0.0
    repeats_sid: bool = True  # in the answer to a start that was sent twice
    failover: float = 0.0  # longest, in seconds
    ready: float = 8.0  # seconds after start
    resources: dict[str, float] = field(default_factory=dict)
    recordings: list[Recording] = field(default_factory=list)

    @property
    def running(self) -> list[Recording]:
        """What is being recorded at this moment."""
        return [recording for recording in self.recordings if recording.ended is None]

    def reply(self, seen: Seen) -> Reply:
        """What comes back: perhaps nothing, perhaps not what was done."""
        if self.random.random() < self.chaos:
            return self._failure()
        answer = self._act(seen)
        if self.random.random() < self.chaos:
            return self.random.choice([HANG_UP, (206, {"code": 65}), (504, {"code": 62})])
        return answer

    def _failure(self) -> Reply:
        return self.random.choice(
            [HANG_UP, (429, {"message": "API rate limit exceeded"}), (503, b"<html>"), (500, {})]
        )

    def _act(self, seen: Seen) -> Reply:
        if seen.call == "acquire":
            resource = f"resource{len(self.resources)}"
            self.resources[resource] = self.time.time
            return 200, {"resourceId": resource}
        parts = seen.path.split("/")
        resource = parts[parts.index("resourceid") + 1]
        if seen.call == "start":
            return self._start(seen.body, resource)
        sid = parts[parts.index("sid") + 1]
        found = next((r for r in self.recordings if (r.resource, r.sid) == (resource, sid)), None)
        return {"query": self._query, "stop": self._stop}[seen.call](found)

    def _start(self, body: Any, resource: str) -> Reply:
        name = body["cname"], body["uid"]
        same = next((r for r in self.running if r.name == name), None)
        if same and same.resource == resource:
            told = {"sid": same.sid} if self.repeats_sid else {}
            return 201, {"code": 7, "reason": "already started", **told}
        if same:
            return 400, {"code": 53, "reason": "task conflict"}
        if resource not in self.resources or self._used(resource):
            return 400, {"code": 1001, "reason": "resource cannot be used"}
        if self.time.time - self.resources[resource] > LIFE:
            return 400, {"code": 433, "reason": "resource too old"}
        if self.random.random() < self.chaos / 2:
            return 500, {"code": 502, "reason": "Failed to allocate worker"}
        sid = f"{len(self.recordings):032x}"
        moved = self.time.time + self.random.uniform(10, 60)
        window = moved, moved + self.random.uniform(0, self.failover)
        self.recordings.append(Recording(name, resource, sid, self.time.time, window))
        return 200, {"sid": sid, "resourceId": resource}

    def _used(self, resource: str) -> bool:
        return any(recording.resource == resource for recording in self.recordings)

    def _query(self, found: Recording | None) -> Reply:
        if found is None or found.ended is not None or self._away(found):
            return 404, {"code": 404, "reason": "failed to find worker"}
        age = self.time.time - found.since
        status = 1 if age < 2 else 2 if age < self.ready else 4 if age < 20 else 5
        return 200, {"sid": found.sid, "serverResponse": {"status": status, "fileList": ""}}

    def _stop(self, found: Recording | None) -> Reply:
        if found is None or self._away(found):
            return 404, {"code": 404, "reason": "failed to find worker"}
        if found.ended is not None:
            early = self.time.time - found.ended < 30
            gone = 404, {"code": 404, "reason": "failed to find worker"}
            return (400, {"code": 49, "reason": "invalid operation"}) if early else gone
        found.ended = self.time.time
        files = {"fileListMode": "string", "fileList": f"{found.sid}_{found.name[0]}.m3u8"}
        return 200, {"serverResponse": {**files, "uploadingStatus": "uploaded"}}

    def _away(self, found: Recording) -> bool:
        begin, end = found.failover
        return begin <= self.time.time < end
