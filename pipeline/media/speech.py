"""Who spoke when, by how loud each user's own sound is; as WebVTT and JSON.

A user is heard when the sound is well above what is always in it, or loud by any measure.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

STEP = 0.1  # seconds of sound that are looked at together
FLOOR, LOUD = -50.0, -30.0  # dB of full scale: softer is never speech, louder always is
ABOVE = 12.0  # dB above what is always there
ALWAYS = 10  # percent of the time with sound in which it is no louder than what is always there
DIGITAL_SILENCE = -90.0  # dB: nothing was sent, or it is muted
PAUSE = 1.0  # seconds: a shorter pause is part of what is said
LEAST = 0.1  # seconds: a shorter noise is a click
LISTENED = 2.0  # seconds over which it is judged who is the loudest
HOLD = 2.0  # seconds: nobody has the floor for less
SCHEMA = 1  # of the documents this version writes

Levels = NDArray[np.float64]  # dB of full scale, one for each STEP


class Spoken(Struct, frozen=True):
    """A time in which a user speaks: seconds from the beginning of the session."""

    begin: float
    end: float
    uid: str


class Turn(Struct, frozen=True):
    """From here on this user has the floor."""

    begin: float  # seconds from the beginning of the session
    uid: str


class Voice(Struct, frozen=True, eq=False):
    """How loud one user is, from ``begin`` on: seconds from the beginning of the session."""

    uid: str
    begin: float
    levels: Levels


def levels(samples: NDArray[np.int16], rate: int, step: float = STEP) -> Levels:
    """How loud mono samples of so many Hz are, step by step (seconds); what is left at the end is a
    step.
    """
    width = round(step * rate)
    padded = np.zeros(-(-len(samples) // width) * width)
    padded[: len(samples)] = samples / 32768
    power = np.square(padded).reshape(-1, width).mean(axis=1)
    found: Levels = 10 * np.log10(np.maximum(power, 1e-12))
    return found


def coarser(fine: Levels, step: float) -> Levels:
    """The same in steps of ``STEP``, of levels in shorter ones that are a part of it."""
    width = round(STEP / step)
    power = np.zeros(-(-len(fine) // width) * width)
    power[: len(fine)] = 10 ** (fine / 10)
    found: Levels = 10 * np.log10(np.maximum(power.reshape(-1, width).mean(axis=1), 1e-12))
    return found


def spoken(voices: Sequence[Voice]) -> tuple[Spoken, ...]:
    """All that was said, in the order in which it begins."""
    found = [one for voice in voices for one in _of(voice)]
    return tuple(sorted(found, key=lambda one: (one.begin, one.end, one.uid)))


def _of(voice: Voice) -> Iterator[Spoken]:
    pause, least = round(PAUSE / STEP), round(LEAST / STEP)
    for begin, end in _runs(_heard(voice.levels), pause):
        if end - begin >= least:
            at = voice.begin + begin * STEP
            yield Spoken(round(at, 3), round(at + (end - begin) * STEP, 3), voice.uid)


def _heard(loud: Levels) -> NDArray[np.bool_]:
    there = loud[loud > DIGITAL_SILENCE]
    always = float(np.percentile(there, ALWAYS)) if len(there) else 0.0
    return loud >= min(max(FLOOR, always + ABOVE), LOUD)


def _runs(heard: NDArray[np.bool_], pause: int) -> Iterator[tuple[int, int]]:
    """Steps in a row in which something is heard, over pauses shorter than ``pause``."""
    steps = np.flatnonzero(heard)
    if not len(steps):
        return
    cuts = np.flatnonzero(np.diff(steps) > pause)
    begins, ends = [0, *(cuts + 1)], [*cuts, len(steps) - 1]
    for begin, end in zip(begins, ends, strict=True):
        yield int(steps[begin]), int(steps[end]) + 1


def floor(voices: Sequence[Voice]) -> tuple[Turn, ...]:
    """Who has the floor: whoever is the loudest of those who speak.  Where nobody does, it stays
    with the last one.
    """
    if not voices:
        return ()
    length = max(round(one.begin / STEP) + len(one.levels) for one in voices)
    power = np.array([_power(one, length) for one in voices])
    leader, now = np.argmax(power, axis=0), -1
    turns: list[Turn] = []
    for step in np.flatnonzero(power.max(axis=0, initial=0) > 0).tolist():
        if leader[step] != now:
            now = int(leader[step])
            turns.append(Turn(round(step * STEP, 3), voices[now].uid))
    return tuple(_held(turns, length * STEP))


def _power(voice: Voice, length: int) -> Levels:
    """How loud what is said is over ``LISTENED`` seconds around each step; 0 where nothing is."""
    at, placed = round(voice.begin / STEP), np.zeros(length)
    loud = np.zeros(len(voice.levels))
    for one in _of(replace(voice, begin=0.0)):
        said = slice(round(one.begin / STEP), round(one.end / STEP))
        loud[said] = 10 ** (voice.levels[said] / 10)
    placed[at : at + len(loud)] = loud
    width = round(LISTENED / STEP)
    return np.round(np.convolve(placed, np.ones(width) / width, "same"), 9)


def _held(turns: Sequence[Turn], end: float) -> Iterator[Turn]:
    """Without those that last less than ``HOLD``."""
    ends = [*(turn.begin for turn in turns[1:]), end][: len(turns)]
    last = ""
    for number, (turn, until) in enumerate(zip(turns, ends, strict=True)):
        if turn.uid != last and (until - turn.begin >= HOLD or number == 0):
            last = turn.uid
            yield turn


class Talk(Struct, frozen=True):
    """Who spoke when in a session."""

    session: str  # its id
    started: str | None  # ISO 8601: what time it was at 0
    spoken: tuple[Spoken, ...] = ()
    names: Mapping[str, str] = {}  # by uid, as far as they are known

    def without(self, uid: str) -> "Talk":
        """The same as if this user had never been there."""
        spoken = tuple(one for one in self.spoken if one.uid != uid)
        return replace(self, spoken=spoken, names={u: n for u, n in self.names.items() if u != uid})


def as_json(talk: Talk) -> bytes:
    """The document about who spoke when; the same for the same talk."""
    uids = sorted({one.uid for one in talk.spoken}, key=lambda uid: (len(uid), uid))
    told = {
        "schema": SCHEMA,
        "session": talk.session,
        "started": talk.started,
        "speakers": [
            {
                "uid": uid,
                "name": talk.names.get(uid),
                "seconds": round(sum(o.end - o.begin for o in talk.spoken if o.uid == uid), 3),
            }
            for uid in uids
        ],
        "spoken": [{"begin": o.begin, "end": o.end, "uid": o.uid} for o in talk.spoken],
    }
    text = json.dumps(told, indent=1, ensure_ascii=False) + "\n"
    return text.encode("utf-8", "backslashreplace")


def of_json(document: bytes) -> Talk:
    """What :func:`as_json` wrote; ValueError, KeyError or TypeError for anything else."""
    told = json.loads(document)
    if told["schema"] != SCHEMA:
        raise ValueError(told["schema"])
    names = {one["uid"]: one["name"] for one in told["speakers"] if one["name"] is not None}
    spoken = tuple(Spoken(**one) for one in told["spoken"])
    return Talk(told["session"], told["started"], spoken, names)


def as_vtt(talk: Talk) -> bytes:
    """The same as WebVTT (W3C): a cue for each time, with who speaks as its voice."""
    cues = [
        f"{_time(one.begin)} --> {_time(one.end)}\n<v {who}>{who}</v>\n"
        for one in talk.spoken
        for who in [_escaped(talk.names.get(one.uid, one.uid))]
    ]
    return "\n".join(["WEBVTT\n", *cues]).encode("utf-8", "replace")


def _escaped(name: str) -> str:
    """Without what ends a cue or a tag (section 3.3 of WebVTT)."""
    flat = re.sub(r"\s+", " ", name).strip()
    return flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _time(seconds: float) -> str:
    whole = round(seconds * 1000)
    hours, rest = divmod(whole, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}.{rest % 1000:03}"
