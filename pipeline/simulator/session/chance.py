"""Sessions as they come: who does what is drawn, the same for the same seed."""

import random
from collections.abc import Iterator

from pipeline.simulator.recorder.material import Look
from pipeline.simulator.session.cast import FIRST_UID, TURNS, WEB_CODECS, Act, crew
from pipeline.simulator.session.session import SessionOrder
from pipeline.simulator.session.tracks import Dialect

SHORT, LONG = (0.5, 13.0), (16.0, 40.0)  # seconds of an absence, on either side of 15 s


def drawn(seed: int, count: int, look: Look, *, duration: float, slice: int) -> SessionOrder:
    """So many users who come late, leave, return, mute, turn their phones and share screens."""
    dice = random.Random(f"session {seed}")
    uids = [str(FIRST_UID + n) for n in range(count)]
    acts = tuple(act for uid in uids for act in _life(dice, uid, duration))
    web = {uid: dice.choice(WEB_CODECS) for uid in uids if dice.random() < 0.2}
    dialect = Dialect(*(dice.random() < 0.3 for _ in range(3)))
    return SessionOrder(
        crew(count, look, seed, acts=acts, web=web),
        acts,
        duration=duration,
        slice=slice,
        seed=seed,
        dialect=dialect,
        standard=dice.random() < 0.3,
    )


def _life(dice: random.Random, uid: str, duration: float) -> Iterator[Act]:
    """What one user does, pair by pair, at times of their own."""
    begin = 0.0
    if dice.random() < 0.4:
        begin = _moment(dice, 0, duration / 3)
        yield Act(uid, "join", begin)
    pairs = [("leave", "join"), ("mute", "unmute"), ("camera_off", "camera_on")]
    for one, other in pairs:
        if dice.random() < 0.5:
            yield from _pair(dice, uid, (one, other), (begin, duration))
    if dice.random() < 0.15:
        yield from _pair(dice, uid, ("share", "unshare"), (begin, duration))
    if dice.random() < 0.3:
        for _ in range(dice.randint(1, 3)):
            at, turned = _moment(dice, 0, duration - 1), str(dice.choice(TURNS))
            yield Act(uid, "rotate", at, turned)


def _pair(
    dice: random.Random, uid: str, acts: tuple[str, str], span: tuple[float, float]
) -> Iterator[Act]:
    """Something and its end, if that still comes before the end of all."""
    (one, other), (begin, duration) = acts, span
    at = _moment(dice, begin + 1, duration - 2) if begin + 1 < duration - 2 else begin
    until = at + dice.uniform(*dice.choice((SHORT, LONG)))
    if at <= begin:
        return
    yield Act(uid, one, at)
    if until < duration - 1:
        yield Act(uid, other, round(until, 3))


def _moment(dice: random.Random, begin: float, end: float) -> float:
    return round(dice.uniform(begin, end), 3)
