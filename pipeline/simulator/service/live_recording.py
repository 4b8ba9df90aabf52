"""One recording of the stand-in until its service left.  Long: its states depend on each other."""

import math
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from typing import Any

from pipeline.agora import names
from pipeline.agora.schema.requests import INDIVIDUAL
from pipeline.errors import RecpipeError, UsageError
from pipeline.simulator.recorder.material import Look, Material
from pipeline.simulator.recorder.parts import Ensemble
from pipeline.simulator.recorder.publish import Backup, Shelf
from pipeline.simulator.recorder.recorder import Setup
from pipeline.simulator.recorder.values import HZ, RecordedPart
from pipeline.simulator.service import crowd
from pipeline.simulator.service.notifications import Teller, milliseconds
from pipeline.simulator.service.requests import MIXED, Conduct, RecordedStreams, StartOrder
from pipeline.simulator.session.live import TrackRecorder
from pipeline.simulator.session.tracks import Studio, Webm, no_browser

READY = 2.0  # seconds of recording until everything is said to be ready
MOVING = 8.0  # seconds until another server has taken over
MINUTE = 60.0  # between two notifications of progress
IDLE = 30  # seconds, unless maxIdleTime says otherwise

FAILED, STOPPED, NOBODY_THERE = 1, 2, 4  # exitStatus; leaveCode
UPLOADER, UPLOAD_FAILED, FATAL = 1, 47, 5  # module, errorCode, errorLevel of event 1
TO_THE_BACKUP = 32  # warnCode


@dataclass(slots=True)
class Live:
    """A recording that runs, or ran.  :meth:`advance` brings it up to date; the rest only reads.

    Times are seconds on the clock of the service.
    """

    order: StartOrder
    conduct: Conduct
    material: "Future[Mapping[Look, Material]]"
    shelf: Shelf  # the folder of fileNamePrefix
    tell: Teller
    moves: tuple[float, ...] = ()
    browser: Webm = no_browser  # makes what users of browsers send
    began: float | None = field(init=False, default=None)  # on the clock, when there was material
    parts: list[RecordedPart] = field(init=False, default_factory=list)
    error: RecpipeError | None = field(init=False, default=None)
    over: float | None = field(init=False, default=None)  # since when
    asked: float | None = field(init=False, default=None)  # to stop
    due: float = field(init=False, default=0.0)  # when it then has uploaded everything
    onhold: bool = field(init=False, default=False)  # of a web page
    _backup: Backup | None = field(init=False, default=None)  # what is there alone
    _recorder: Ensemble | None = field(init=False, default=None)
    _crews: list[list[TrackRecorder]] = field(init=False, default_factory=list)
    _back: float | None = field(init=False, default=None)  # when another server has taken over
    _events: "list[tuple[float, Callable[[float], None]]]" = field(init=False, default_factory=list)
    _age: float = field(init=False, default=0.0)
    _listed: bool = field(init=False, default=False)

    # What is asked.

    @property
    def away(self) -> bool:
        """Whether it is on its way to another server, so that nobody can find it."""
        return self._back is not None

    @property
    def has_data(self) -> bool:
        """Whether anything was stored."""
        return self._listed or any(part.segments for part in self.parts)

    @property
    def status(self) -> int:
        """``status`` as query answers it."""
        if self.asked is not None:
            return 6
        if self._recorder is None:
            return 2
        if self._listed:
            return 5
        return 4 if self._age >= READY else 3

    def files(self) -> str | list[dict[str, Any]]:
        """``fileList`` in the form that start asked for; empty before the first slice."""
        if not self.order.lists_json:
            return self._path() if self.has_data else ""
        return list(self._entries())

    def pages(self) -> list[dict[str, Any]]:
        """``fileList`` of a web page: without folders, and with ``filename`` for ``fileName``."""
        stored = (part for part in self._all_parts() if part.segments)
        return [{"filename": p.playlist.name, "sliceStartTime": _begins(p)} for p in stored]

    @property
    def begin(self) -> float | None:
        """Seconds since 1970 at which the recording began, once it has slices."""
        if self.parts:
            return self.parts[0].epoch
        return self._recorder.epoch if self._recorder else None

    @property
    def uploading(self) -> str:
        """``uploadingStatus`` as stop answers it, also where that waits for the end."""
        if self.error is not None:
            return "unknown"
        held = self._backup if self.over is not None else self.conduct.backup
        return "uploaded" if held is None else "backuped"

    # What happens to it.

    def advance(self, now: float) -> None:
        """Do everything that is due by ``now``."""
        if self.over is None and self.began is None and self.asked is None:
            self._begin(now)
        if self.over is None and self.began is not None:
            until = now if self.asked is None else self.asked
            self._live(max(self._age, (until - self.began) * self.conduct.speed))
        if self.over is None and self.error is not None:
            self._fail(now)
        if self.over is None and self.asked is not None and now >= self.due:
            self._leave(now, STOPPED)
        if self.over is not None and now - self.over >= (self.conduct.backup or 0.0):
            self.forward()

    def forward(self) -> None:
        """Store in the bucket what only the backup cloud has."""
        if self._backup is not None and self.over is not None:
            self._backup.forward(milliseconds(self.over))
            self._backup = None

    def stop(self, now: float, takes: float = 0.0) -> None:
        """End the recording, once everything is uploaded, which takes ``takes`` seconds."""
        self.advance(now)
        self.asked, self.due = (now if self.asked is None else self.asked), now + takes
        self.advance(now)

    def _begin(self, now: float) -> None:
        if not self.material.done():
            return
        order = self.order
        try:
            made = self.material.result()
        except RecpipeError as error:
            self.error = error
            return
        self.began = now
        self._recorder = self._recorders(made, round(now, 3))
        self._crews += [crew] if (crew := self._crew()) else []
        if order.mode == "web":
            self.tell(70, now, recorderStartTime=milliseconds(now))
        else:
            self.tell(40, now, status=0)
        self.tell(30, now, status=0)
        self._starts(now, now)
        self._expect_users()
        for at in (*self.conduct.kills, *self.moves):
            self._expect(at, self._kill)
        self._expect(MINUTE, self._progress)
        if self.conduct.users_leave is not None:
            idle = order.config.max_idle_time or IDLE
            self._expect(self.conduct.users_leave + idle, self._idle)

    def _recorders(self, made: Mapping[Look, Material], epoch: float) -> Ensemble:
        """One of all users, or one for each stream of each."""
        order, slice = self.order, self.conduct.slice
        if order.mode in INDIVIDUAL:
            studio = Studio(made.__getitem__, self.browser)
            return Ensemble(
                crowd.recorders(order, self.conduct, self.shelf, epoch=epoch, studio=studio)
            )
        setups = [Setup(order.sid, t.cname, epoch, slice, t.streams) for t in self._tracks]
        return Ensemble.of(setups, made[order.look], self.shelf)

    def _expect_users(self) -> None:
        """Tell of streams that begin and end, when they do."""
        for recorder, track in zip(self._crew(), self._tracks, strict=False):
            for at, sent, again in crowd.changes(self.conduct, recorder):
                if at > 0:
                    self._expect(at, partial(self._changed, track, sent=sent, again=again))

    def _changed(self, track: RecordedStreams, age: float, *, sent: bool, again: bool) -> None:
        at = self._moment(age)
        kind = 43 if track.streams == ("audio",) else 44
        whose = {"streamUid": track.uid, "state": 0 if sent else 1}
        self.tell(kind, at, **whose, UtcMs=milliseconds(at))
        if again and not self.away:
            self._start(track, at, at)

    def truth(self) -> dict[str, Any] | None:
        """What is true of users that are recorded one by one, on all servers; else None."""
        if not self._crews:
            return None
        epoch = self._crews[0][0].epoch
        return crowd.told(self.order, self.conduct, self._crews, epoch=epoch).as_json()

    def _crew(self) -> list[TrackRecorder]:
        """Those of users recorded one by one."""
        members = self._recorder.members if self._recorder else ()
        return [one for one in members if isinstance(one, TrackRecorder)]

    def _expect(self, at: float, event: Callable[[float], None]) -> None:
        self._events.append((at, event))
        self._events.sort(key=lambda one: one[0])

    def _live(self, age: float) -> None:
        """Do every event when it is due, and record the time between them."""
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
        self.parts += recorder.kill()
        try:
            self._recorder = recorder.take_over(MOVING)
        except UsageError as error:
            self.error = error
            return
        self._crews += [crew] if (crew := self._crew()) else []
        self._back = self._recorder.begin / HZ
        self._expect(self._back, self._return)

    def _return(self, age: float) -> None:
        made = (s.begin + s.length for part in self.parts for s in part.segments)
        stored = max(made, default=0) / HZ
        self._back = None
        self.tell.uid = str(int(self.tell.uid) % (2**32 - 1) + 1)
        self.tell(12, self._moment(age), newUid=int(self.tell.uid))
        self._starts(self._moment(age), self._moment(stored))

    def _starts(self, at: float, before: float) -> None:
        crew = self._crew()
        for number, track in enumerate(self._tracks):
            if not crew or crew[number].is_sent:
                self._start(track, at, before)

    def _start(self, track: RecordedStreams, at: float, before: float) -> None:
        both = {"startUtcMs": milliseconds(at), "discontinueUtcMs": milliseconds(before)}
        whose = {"mixedAllUser": track.uid == MIXED, "streamUid": track.uid}
        self.tell(42, at, **both, **whose, trackType=track.kind)

    def _progress(self, age: float) -> None:
        made = max(1, self._recorder.now if self._recorder else 1) * len(self._tracks)
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
                if whole and self.conduct.backup is not None:
                    self._backup = recorder.into_backup()
                self.parts += recorder.stop() if whole else recorder.kill()
        except RecpipeError as error:
            self.error = error
            self._fail(now)
            return
        self._recorder, self.over, self._back = None, now, None
        if self.began is not None:
            self._tell_the_end(at, why)

    def _tell_the_end(self, at: float, why: int) -> None:
        web = self.order.mode == "web"
        if web:
            self.tell(71, at, code=0, fileList=self.pages())
        else:
            self.tell(41, at, leaveCode=why)
        if self._backup is not None:
            self.tell(2, at, module=UPLOADER, warnCode=TO_THE_BACKUP)
        if self.has_data:
            told = {} if web else {"fileList": list(self._entries())}
            self.tell(31 if self._backup is None else 32, at, status=0, **told)
        if self._backup is None:
            self.tell(33, at, progress=10_000)
        self.tell(11, at, exitStatus=0)

    def _fail(self, now: float) -> None:
        self.over, self._recorder, self._back = now, None, None
        at = self._moment(self._age) if self.began is not None else now
        said = {"module": UPLOADER, "errorLevel": FATAL, "errorCode": UPLOAD_FAILED, "stat": 1}
        self.tell(1, at, **said, errorMsg="upload failed")
        self.tell(11, at, exitStatus=FAILED)

    @property
    def _tracks(self) -> tuple[RecordedStreams, ...]:
        return crowd.streams(self.order, self.conduct)

    def _moment(self, age: float) -> float:
        """Seconds since 1970, in the time of the recording."""
        return (self.began or 0.0) + age

    def _clock(self, age: float) -> float:
        """Seconds since 1970 on the clock, where ``speed`` is more than 1 an earlier time."""
        return (self.began or 0.0) + age / self.conduct.speed

    def _all_parts(self) -> Iterator[RecordedPart]:
        """In the order of the tracks, of one recorder after the other."""
        yield from self.parts
        if self._recorder is not None:
            yield from self._recorder.parts()

    def _path(self) -> str:
        track = self._tracks[0]
        return self.order.prefix + names.playlist_name(self.order.sid, track.cname)

    def _entries(self) -> Iterator[dict[str, Any]]:
        for part, track in zip(self._all_parts(), cycle(self._tracks), strict=False):
            if part.segments:
                yield {
                    "fileName": self.order.prefix + part.playlist.name,
                    "trackType": track.kind,
                    "uid": track.uid,
                    "mixedAllUser": track.uid == MIXED,
                    "isPlayable": True,
                    "sliceStartTime": _begins(part),
                }


def _begins(part: RecordedPart) -> int:
    return math.floor((part.epoch + part.segments[0].begin / HZ) * 1000)
