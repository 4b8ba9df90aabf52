"""How far a command is at one moment, in numbers, as a line for people and as JSON.  Pure."""

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from pipeline.report.words import in_bytes, lasting
from pipeline.report.words import name as shortened

MOST_NAMED = 3  # recordings in one line
LONGEST = 24  # characters of a name
REENCODE = "reencode"  # the stage that is counted in thousandths, not in bytes
PUBLISH = "publish"  # the stage whose bytes are those of the result
SHORTEST = 0.5  # seconds that are worth a word, or after which a speed is


class Part(Struct, frozen=True):
    """One recording that is being worked on: ``done`` of ``size`` bytes."""

    name: str
    size: float
    begun: float  # by the clock of :class:`Moment`
    stage: str = ""
    done: float = 0.0
    encoding: float = 0.0  # bytes that stand for the work of re-encoding, if there is any
    sent: int = 0  # bytes of the result that were sent to its destination
    sending: float | None = None  # when that began, by the same clock
    unsent: float = 0.0  # ``done`` at that time

    def step(self, stage: str, count: float) -> float:
        """By how many bytes a report moves it, never more than it holds.

        What has to be re-encoded, nobody knows before the segments are read.  It then stands for
        half of all that is left, whatever its bytes, and the rest for the other half.
        """
        if stage == REENCODE:
            moved = self.encoding * count / 1000
        else:
            moved = count / 2 if self.encoding else count
        return min(moved, self.size - self.done)

    def in_stage(self, stage: str) -> "Part":
        """The same, as soon as it is known that it is re-encoded."""
        if stage != REENCODE or self.encoding:
            return self
        return replace(self, encoding=(self.size - self.done) / 2)

    def moved(self, stage: str, step: float) -> "Part":
        """The same, so many bytes further."""
        return replace(self, stage=stage, done=self.done + step)

    def sent_on(self, count: int, now: float) -> "Part":
        """The same, with so many bytes more of the result sent."""
        if self.sending is None:
            return replace(self, sending=now, unsent=self.done, sent=count)
        return replace(self, sent=self.sent + count)

    def left(self, now: float) -> float | None:
        """Seconds until it is done, if it goes on as it went; None if nobody can tell.

        What is sent goes at a speed of its own, which says nothing of what was done before.
        """
        spent, done = now - self.begun, self.done
        if self._sent_for(now) >= SHORTEST and self.done > self.unsent:
            spent, done = self._sent_for(now), self.done - self.unsent
        return (self.size - self.done) * spent / done if done and spent > 0 else None

    def speed(self, now: float) -> str:
        """How fast its result is sent, for people; empty as long as that says nothing."""
        spent = self._sent_for(now)
        return f"{in_bytes(int(self.sent / spent))}/s" if spent >= SHORTEST else ""

    def _sent_for(self, now: float) -> float:
        return 0.0 if self.sending is None else now - self.sending

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return self.done / self.size if self.size else 0.0

    @property
    def short(self) -> str:
        """The name, its middle left out if it is long."""
        return shortened(self.name, LONGEST)


class Moment(Struct, frozen=True):
    """All of it.  Bytes are 0 where things are counted by their number."""

    noun: str  # what is counted: "recordings"
    finished: int
    total: int | None  # None: nobody knows yet
    worked: float  # bytes, by this run
    before: float  # bytes of what took no work
    size: float  # bytes of all
    seconds: float  # since it began
    now: float  # by the same clock as when parts began
    parts: tuple[Part, ...] = ()
    sized: bool = True  # how large each is was known before the first was begun

    @property
    def done(self) -> float:
        """Bytes that need no more work."""
        return self.worked + self.before

    @property
    def share(self) -> float:
        """From 0 to 1; 0 as long as nobody knows how many there are."""
        if self.size and self.sized and self.total is not None:
            return self.done / self.size
        size = sum(part.size for part in self.parts)
        begun = sum(part.done for part in self.parts) / size if size else 0.0
        return (self.finished + begun) / self.total if self.total else 0.0

    @property
    def rate(self) -> float:
        """Bytes per second since it began, without what took no work."""
        return self.worked / self.seconds if self.seconds > 0 else 0.0

    @property
    def left(self) -> float | None:
        """Seconds until the end, if it goes on as it went so far; None if nobody can tell."""
        if self.total == 1 and self.parts and self.parts[0].sending is not None:
            return self.parts[0].left(self.now)
        if self.total is None:
            return None
        if self.size and self.sized:
            return max(self.size - self.done, 0.0) / self.rate if self.rate else None
        return self.seconds * (1 - self.share) / self.share if self.share else None

    @property
    def count(self) -> str:
        """How many are done, of how many."""
        of = f" of {self.total}" if self.total is not None else ""
        alone = (self.finished if self.total is None else self.total) == 1
        return f"{self.finished}{of} {self.noun.removesuffix('s') if alone else self.noun}"

    @property
    def amount(self) -> str:
        """How much is done, of how much; empty where only the number counts."""
        if not self.size:
            return ""
        known = self.sized and self.total is not None
        of = f" of {in_bytes(int(self.size))}" if known else ""
        return f"{in_bytes(int(self.done))}{of}"

    @property
    def speed(self) -> str:
        """The rate for people; empty where there is none."""
        return f"{in_bytes(int(self.rate))}/s" if self.rate else ""

    @property
    def line(self) -> str:
        """One line for people."""
        share = f"{self.share:.0%}" if self.total else ""
        count = "" if self.total == 1 else self.count
        facts = [share, count, self.amount, self.speed, remaining(self.left)]
        named = [self._named(one) for one in self.parts[:MOST_NAMED]]
        more = len(self.parts) - len(named)
        named += [f"{more} more"] if more else []
        return "; ".join([", ".join(filter(None, facts)), *named])

    def _named(self, part: Part) -> str:
        words = [part.short, part.stage, f"{part.share:.0%}", part.speed(self.now)]
        return " ".join(filter(None, words))

    @property
    def json(self) -> dict[str, Any]:
        """One line for programs; keys may be added, never renamed."""
        left = None if self.left is None else round(self.left, 1)
        return {
            "event": "progress",
            "unit": self.noun,
            "finished": self.finished,
            "total": self.total,
            "share": round(self.share, 4),
            "bytes": int(self.done),
            "size": int(self.size),
            "bytes_per_second": int(self.rate),
            "seconds_left": left,
            "now": [
                {
                    "recording": one.name,
                    "stage": one.stage,
                    "share": round(one.share, 4),
                    "bytes": int(one.done),
                    "size": int(one.size),
                    "sent": one.sent,
                }
                for one in self.parts
            ],
        }


def remaining(seconds: float | None) -> str:
    """How long it will take, for people; empty if nobody can tell, or if it is as good as done."""
    return f"{lasting(seconds)} left" if seconds and seconds >= SHORTEST else ""
