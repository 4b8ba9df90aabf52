"""One round: a recording, its faults, what the product makes of it, and what is wrong with that."""

import random
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.trial import faults, product
from tests.trial.faults.choose import Unfit
from tests.trial.judge import Fault, agreed, judged
from tests.trial.product import Answer
from tests.trial.recordings import Recording, recorded
from tests.trial.results import samples
from tests.trial.truth import told


@dataclass(frozen=True)
class Round:
    """What came of one."""

    number: int
    kinds: tuple[str, ...]
    done: tuple[str, ...]
    setting: str
    answer: Answer
    wrong: tuple[Fault, ...]


def played(seed: int, number: int, keep: Path | None = None, only: tuple[str, ...] = ()) -> Round:
    """Play one round; the same seed and number give the same recording."""
    made, kinds = _spoiled_one(seed, number, only)
    if keep is not None:
        keep.mkdir(parents=True)
        return _judged(number, kinds, made, keep)
    with TemporaryDirectory(prefix="recpipe-trial-") as folder:
        return _judged(number, kinds, made, Path(folder))


def _spoiled_one(
    seed: int, number: int, only: tuple[str, ...]
) -> tuple[Recording, tuple[str, ...]]:
    """A recording, and what happened to it; if kinds are asked for, one that they fit."""
    for attempt in range(50):
        made = recorded(random.Random(f"{seed}/{number}/{attempt}"))
        kinds = _spoiled(made, only)
        if set(only) <= set(kinds):
            break
    return made, kinds


def _spoiled(made: Recording, only: tuple[str, ...]) -> tuple[str, ...]:
    """Up to three faults; what a recorder does by itself comes first."""
    pool = [k for k in faults.KINDS if not only or k.__name__ in only]
    count = len(pool) if only else made.chance.choice((0, 1, 1, 1, 1, 1, 2, 2, 2, 3))
    happened: list[str] = []
    for kind in sorted(made.chance.sample(pool, len(pool)), key=lambda k: k not in faults.NATURE):
        if len(happened) == count:
            break
        if kind in faults.NATURE and not only and (made.done or made.chance.random() > 0.1):
            continue
        try:
            made.done.append(kind(made))
            happened.append(kind.__name__)
        except Unfit:
            continue
    return tuple(happened) or ("nothing",)


def _judged(number: int, kinds: tuple[str, ...], made: Recording, folder: Path) -> Round:
    source = folder / "source"
    source.mkdir()
    playlist = made.write(source)
    truth = told(made)
    answer = product.convert(playlist, folder)
    wrong = []
    if truth.pending:
        if answer.verdict != "pending":
            wrong = [Fault("lie", f"{answer.verdict}, though the playlist is not finished")]
        answer = product.convert(playlist, folder, accept_unfinished=True)
    wrong += judged(truth, answer, samples(answer.output) if answer.output else [])
    if not truth.pending:
        wrong += agreed(answer, product.check(playlist, folder))
    return Round(number, kinds, tuple(made.done), _setting(made), answer, tuple(wrong))


def _setting(made: Recording) -> str:
    cut, stream = made.cut, made.stream
    said = [
        f"{'+'.join(cut.tracks)} {stream.size} {stream.fps} fps",
        f"{stream.b_frames} B-frames",
        "steady" if stream.steady else "unsteady",
        f"{cut.muxer}, {len(made.slots)} slots of {cut.each} s",
        f"counters {made.counters}",
        f"sound PES {cut.sound_pes}",
        "picture length" if cut.picture_length else "no picture length",
        "names tell the time" if made.clock else "names tell no time",
    ]
    return ", ".join(said)
