"""Who takes part in a session, and what they do in it."""

import random
import re
from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from pipeline.errors import UsageError
from pipeline.simulator.recorder import palette
from pipeline.simulator.recorder.material import Look
from pipeline.simulator.recorder.values import HZ

FIRST_UID = 1001
SCREENS = 9000  # a user's screen has this much more as its uid
MOST_USERS = palette.MOST // 2  # each may share a screen
TURNS = (0, 90, 180, 270)
WEB_CODECS = ("vp8", "vp9")

# What can be done, and what it takes behind a second colon.
ACTS = {
    "join": None,
    "leave": None,
    "mute": None,
    "unmute": None,
    "camera_off": None,
    "camera_on": None,
    "rotate": "0|90|180|270",
    "resize": "WxH",
    "share": None,
    "unshare": None,
}

_ACT = re.compile(r"(?P<uid>[0-9]+):(?P<what>[a-z_]+)@(?P<at>[0-9.]+)(?::(?P<argument>[0-9x]+))?")
_SIZE = re.compile(r"([0-9]{2,4})x([0-9]{2,4})")


class Act(Struct, frozen=True):
    """What one user does at a time: seconds from the beginning of the recording."""

    uid: str
    what: str  # of ACTS
    at: float
    argument: str | None = None


class Member(Struct, frozen=True):
    """A user, or the screen one of them shares under a uid of its own."""

    uid: str
    number: int  # on the palette
    look: Look  # at first
    phase: int = 0  # ticks by which its full seconds lie before those of the recording
    web: str | None = None  # of WEB_CODECS: comes by a browser, and is stored as WebM
    screen_of: str | None = None  # uid

    @property
    def streams(self) -> tuple[str, ...]:
        """A screen has no sound."""
        return ("video",) if self.screen_of else ("audio", "video")


def crew(
    count: int,
    look: Look,
    seed: int,
    *,
    acts: Sequence[Act] = (),
    web: Mapping[str, str] | None = None,
) -> tuple[Member, ...]:
    """So many users with a colour, a tone and a clock of their own, and the screens they share."""
    if not 1 <= count <= MOST_USERS:
        raise UsageError(f"{count} users: expected 1 to {MOST_USERS}")
    uids = [str(FIRST_UID + n) for n in range(count)]
    web = web or {}
    unknown = [uid for uid in web if uid not in uids]
    if unknown:
        raise UsageError(f"{unknown[0]}: nobody has that uid; expected one of {', '.join(uids)}")
    dice = random.Random(f"crew {seed}")
    phases = [dice.randrange(1000) * HZ // 1000 for _ in uids]
    users = [
        Member(uid, n, seen(look, n), phase, web.get(uid))
        for n, (uid, phase) in enumerate(zip(uids, phases, strict=True))
    ]
    sharing = {act.uid for act in acts if act.what == "share"}
    screens = [
        Member(screen_uid(user.uid), n, seen(look, n), user.phase, screen_of=user.uid)
        for n, user in enumerate((u for u in users if u.uid in sharing), count)
    ]
    return (*users, *screens)


def seen(look: Look, number: int) -> Look:
    """Its own colour and tone, and a grain of its own."""
    colours = {"chroma": palette.chroma(number), "tone": palette.tone(number), "seed": number}
    return replace(look, **colours)


def parse_act(text: str) -> Act:
    """``UID:WHAT@SECONDS[:ARG]``; UsageError for anything else."""
    found = _ACT.fullmatch(text)
    if found is None or found["what"] not in ACTS:
        raise UsageError(f"{text}: expected UID:WHAT@SECONDS[:ARG] with one of {', '.join(ACTS)}")
    what, argument = found["what"], found["argument"]
    if what == "rotate" and argument not in map(str, TURNS):
        raise UsageError(f"{text}: expected one of {', '.join(map(str, TURNS))} behind the time")
    if what == "resize" and (argument is None or not _SIZE.fullmatch(argument)):
        raise UsageError(f"{text}: expected WIDTHxHEIGHT behind the time")
    if ACTS[what] is None and argument is not None:
        raise UsageError(f"{text}: {what} takes no argument, got {argument!r}")
    try:
        at = float(found["at"])
    except ValueError:
        raise UsageError(f"{text}: expected seconds behind the @, like 12.5") from None
    return Act(found["uid"], what, at, argument)


def size_of(act: Act) -> tuple[int, int]:
    """Pixels; of an act that says a size."""
    found = _SIZE.fullmatch(act.argument or "")
    assert found is not None
    return int(found[1]), int(found[2])


def screen_uid(uid: str) -> str:
    """The uid under which this user's screen is shared."""
    return str(int(uid) + SCREENS)


def refuse_nonsense(members: Sequence[Member], acts: Sequence[Act], duration: float) -> None:
    """UsageError for acts of nobody, or at a time that is not recorded."""
    known = {member.uid for member in members if member.screen_of is None}
    for act in acts:
        said = f"{act.uid}:{act.what}@{act.at:g}"
        if act.uid not in known:
            raise UsageError(f"{said}: nobody has that uid; expected one of {', '.join(known)}")
        if not 0 <= act.at < duration:
            raise UsageError(f"{said}: expected a time before the end, {duration:g} s")
        if act.what == "resize":
            _refuse_size(said, size_of(act))


def _refuse_size(said: str, size: tuple[int, int]) -> None:
    if min(size) < 64 or max(size) > 4096 or any(side % 2 for side in size):
        raise UsageError(f"{said}: expected even numbers from 64 to 4096")
