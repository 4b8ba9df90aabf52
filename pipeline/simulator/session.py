"""One recording of the stand-in, from the answer to start until its service has left."""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from pipeline.agora import names
from pipeline.agora.schema_recording import RecordingConfig
from pipeline.agora.schema_requests import StartRequest
from pipeline.agora.schema_storage import StorageConfig
from pipeline.errors import RecpipeError, UsageError
from pipeline.simulator.material import Look, Material
from pipeline.simulator.notices import Teller, milliseconds
from pipeline.simulator.publish import Shelf
from pipeline.simulator.recorder import Recorder, Setup
from pipeline.simulator.take import HZ, STREAMS, Part

READY = 2.0  # seconds of recording until everything is said to be ready
MOVING = 8.0  # seconds until another server has taken over
MINUTE = 60.0  # between two notifications of progress
IDLE = 30  # seconds, unless maxIdleTime says otherwise
SMALLEST, SLOWEST = 64, 7  # of pictures the simulator can make: pixels, pictures a second
WIDTH, HEIGHT, FPS = 360, 640, 15

FAILED, STOPPED, NOBODY_THERE = 1, 2, 4  # exitStatus; leaveCode
UPLOADER, UPLOAD_FAILED, FATAL = 1, 47, 5  # module, errorCode, errorLevel


@dataclass(frozen=True, slots=True)
class Conduct:
    """How the service behaves; times are seconds."""

    speed: float = 1.0  # of all recordings
    slice: int = 15
    kills: tuple[float, ...] = ()  # a recorder dies when the recording is so old
    users_leave: float | None = None  # everybody does, when it is so old
    slow_stop: float = 0.0  # until everything is uploaded; not made faster by speed


@dataclass(frozen=True, slots=True)
class Order:
    """What start asked for."""

    request: StartRequest
    resource: str
    sid: str

    @property
    def name(self) -> tuple[str, str]:
        """Channel and uid: one recording at a time has them."""
        return self.request.cname, self.request.uid

    @property
    def config(self) -> RecordingConfig:
        """Whom to record, and how."""
        return self.request.client_request.recording_config or RecordingConfig()

    @property
    def storage(self) -> StorageConfig:
        """Where to."""
        return self.request.client_request.storage_config

    @property
    def prefix(self) -> str:
        """In front of every file name: empty, or ending in a slash."""
        return "".join(f"{part}/" for part in self.storage.file_name_prefix or ())

    @property
    def lists_json(self) -> bool:
        """Whether files are listed as objects: so it is where MP4 was asked for as well."""
        files = self.request.client_request.recording_file_config
        return "mp4" in ((files and files.av_file_type) or ())

    @property
    def streams(self) -> tuple[str, ...]:
        """A list of uids for one medium alone switches the other one off."""
        config = self.config
        wanted = {0: ("audio",), 1: ("video",)}.get(
            2 if config.stream_types is None else config.stream_types, STREAMS
        )
        if wanted == STREAMS and bool(config.audio) != bool(config.video):
            return ("audio",) if config.audio else ("video",)
        return wanted

    @property
    def look(self) -> Look:
        """The canvas, as far as the simulator can draw it."""
        canvas = self.config.transcoding_config
        width, height, fps = WIDTH, HEIGHT, FPS
        if canvas:
            width, height = canvas.width or width, canvas.height or height
            fps = canvas.fps or fps
        width, height = (max(SMALLEST, side - side % 2) for side in (width, height))
        return Look(width, height, max(SLOWEST, fps))


@dataclass(slots=True)
class Live:
    """A recording that runs, or ran.  :meth:`advance` brings it up to date; the rest asks."""

    order: Order
    conduct: Conduct
    material: "Future[Material]"
    shelf: Shelf  # the folder of fileNamePrefix
    tell: Teller
    moves: tuple[float, ...] = ()
    began: float | None = field(init=False, default=None)  # on the clock, when there was material
    parts: list[Part] = field(init=False, default_factory=list)
    error: RecpipeError | None = field(init=False, default=None)
    over: float | None = field(init=False, default=None)  # since when
    asked: float | None = field(init=False, default=None)  # to stop
    due: float = field(init=False, default=0.0)  # when it then has uploaded everything
    _recorder: Recorder | None = field(init=False, default=None)
    _back: float | None = field(init=False, default=None)  # when another server has taken over
    _events: "list[tuple[float, Callable[[float], None]]]" = field(init=False, default_factory=list)
    _age: float = field(init=False, default=0.0)
    _listed: bool = field(init=False, default=False)

    # What is asked.

    @property
    def away(self) -> bool:
        """On the move to another server: nobody can find it."""
        return self._back is not None

    @property
    def has_data(self) -> bool:
        """Whether anything was stored."""
        return self._listed or any(part.segments for part in self.parts)

    @property
    def status(self) -> int:
        """As query says it."""
        if self.asked is not None:
            return 6
        if self._recorder is None:
            return 2
        if self._listed:
            return 5
        return 4 if self._age >= READY else 3

    def files(self) -> str | list[dict[str, Any]]:
        """``fileList`` in the form that fits what was asked for; empty before the first slice."""
        if not self.order.lists_json:
            return self._path() if self.has_data else ""
        return list(self._entries())

    @property
    def begin(self) -> float | None:
        """Seconds since 1970 at which the recording began, once it has slices."""
        if self.parts:
            return self.parts[0].epoch
        return self._recorder.setup.epoch if self._recorder else None

    # What happens to it.

    def advance(self, now: float) -> None:
        """Do all that has happened until now."""
        if self.over is None and self.began is None and self.asked is None:
            self._begin(now)
        if self.over is None and self.began is not None:
            until = now if self.asked is None else self.asked
            self._live(max(self._age, (until - self.began) * self.conduct.speed))
        if self.over is None and self.error is not None:
            self._fail(now)
        if self.over is None and self.asked is not None and now >= self.due:
            self._leave(now, STOPPED)

    def stop(self, now: float, takes: float = 0.0) -> None:
        """Ask it to end, which it does when everything is uploaded."""
        self.advance(now)
        self.asked, self.due = (now if self.asked is None else self.asked), now + takes
        self.advance(now)

    def _begin(self, now: float) -> None:
        if not self.material.done():
            return
        order = self.order
        try:
            material = self.material.result()
        except RecpipeError as error:
            self.error = error
            return
        setup = Setup(order.sid, order.name[0], round(now, 3), self.conduct.slice, order.streams)
        self.began = now
        self._recorder = Recorder(setup, material, self.shelf)
        self.tell(40, now, status=0)
        self.tell(30, now, status=0)
        self._starts(now, now)
        for at in (*self.conduct.kills, *self.moves):
            self._expect(at, self._kill)
        self._expect(MINUTE, self._progress)
        if self.conduct.users_leave is not None:
            idle = order.config.max_idle_time or IDLE
            self._expect(self.conduct.users_leave + idle, self._idle)

    def _expect(self, at: float, event: Callable[[float], None]) -> None:
        self._events.append((at, event))
        self._events.sort(key=lambda one: one[0])

    def _live(self, age: float) -> None:
        """Every event when it is due, and the time between them."""
        while self._events and self._events[0][0] <= age:
            at, event = self._events.pop(0)
            self._record(at)
            if self.error is None:
                event(at)
            if self.error is not None or self.over is not None:
                return
        self._record(age)

    def _record(self, age: float) -> None:
        self._age = age
        recorder = self._recorder
        if recorder is None or self.away:
            return
        leave = self.conduct.users_leave
        heard = age if leave is None else min(age, leave)
        try:
            recorder.advance(max(0.0, heard - recorder.now / HZ))
        except RecpipeError as error:
            self.error = error
            return
        if not self._listed and recorder.now - recorder.begin >= self.conduct.slice * HZ:
            self._listed = True
            self.tell(4, self._moment(age), fileList=self._path())

    def _kill(self, age: float) -> None:
        recorder = self._recorder
        if recorder is None or self.away:
            return
        self.parts.append(recorder.kill())
        try:
            self._recorder = recorder.take_over(MOVING)
        except UsageError as error:
            self.error = error
            return
        self._back = self._recorder.begin / HZ
        self._expect(self._back, self._return)

    def _return(self, age: float) -> None:
        before = self.parts[-1]
        last = before.segments[-1] if before.segments else None
        stored = (last.begin + last.length) / HZ if last else 0.0
        self._back = None
        self.tell.uid = str(int(self.tell.uid) % (2**32 - 1) + 1)
        self.tell(12, self._moment(age), newUid=int(self.tell.uid))
        self._starts(self._moment(age), self._moment(stored))

    def _starts(self, at: float, before: float) -> None:
        both = {"startUtcMs": milliseconds(at), "discontinueUtcMs": milliseconds(before)}
        kinds = self.order.streams
        track = "audio_and_video" if len(kinds) > 1 else kinds[0]
        self.tell(42, at, **both, mixedAllUser=True, streamUid="0", trackType=track)

    def _progress(self, age: float) -> None:
        made = max(1, self._recorder.now if self._recorder else 1)
        stored = sum(s.length for part in self._all_parts() for s in part.segments)
        self.tell(33, self._moment(age), progress=min(10_000, stored * 10_000 // made))
        self._expect(age + MINUTE, self._progress)

    def _idle(self, age: float) -> None:
        self._leave(self._clock(age), NOBODY_THERE)

    # How it ends.

    def _leave(self, now: float, why: int) -> None:
        recorder, at = self._recorder, self._moment(self._age)
        try:
            if recorder is not None:
                whole = recorder.now > recorder.begin and not self.away
                self.parts.append(recorder.stop() if whole else recorder.kill())
        except RecpipeError as error:
            self.error = error
            self._fail(now)
            return
        self._recorder, self.over, self._back = None, now, None
        if self.began is not None:
            self.tell(41, at, leaveCode=why)
            if self.has_data:
                self.tell(31, at, status=0, fileList=list(self._entries()))
            self.tell(33, at, progress=10_000)
            self.tell(11, at, exitStatus=0)

    def _fail(self, now: float) -> None:
        self.over, self._recorder, self._back = now, None, None
        at = self._moment(self._age) if self.began is not None else now
        said = {"module": UPLOADER, "errorLevel": FATAL, "errorCode": UPLOAD_FAILED, "stat": 1}
        self.tell(1, at, **said, errorMsg="upload failed")
        self.tell(11, at, exitStatus=FAILED)

    def _moment(self, age: float) -> float:
        """Seconds since 1970, on the time of the recording."""
        return (self.began or 0.0) + age

    def _clock(self, age: float) -> float:
        """The same on the clock, which speed has left behind."""
        return (self.began or 0.0) + age / self.conduct.speed

    def _all_parts(self) -> Iterator[Part]:
        yield from self.parts
        if self._recorder is not None:
            yield self._recorder.part()

    def _path(self) -> str:
        cname, _ = self.order.name
        return self.order.prefix + names.playlist_name(self.order.sid, cname)

    def _entries(self) -> Iterator[dict[str, Any]]:
        kinds = self.order.streams
        for part in self._all_parts():
            if part.segments:
                begin = part.epoch + part.segments[0].begin / HZ
                yield {
                    "fileName": self.order.prefix + part.playlist.name,
                    "trackType": "audio_and_video" if len(kinds) > 1 else kinds[0],
                    "uid": "0",
                    "mixedAllUser": True,
                    "isPlayable": True,
                    "sliceStartTime": math.floor(begin * 1000),
                }
