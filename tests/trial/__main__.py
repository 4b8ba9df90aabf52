"""Play many rounds and say what went wrong: ``python -m tests.trial 300 --seed 7``."""

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from tests.trial import faults
from tests.trial.judge import NAMES
from tests.trial.rounds import Round, played


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m tests.trial", description=__doc__)
    made.add_argument("rounds", nargs="?", type=int, default=100)
    made.add_argument("--seed", type=int, default=1)
    made.add_argument("--only", type=int, help="this round alone, with all that is known of it")
    made.add_argument(
        "--kind",
        action="append",
        default=[],
        choices=["nothing", *(k.__name__ for k in faults.KINDS)],
    )
    made.add_argument("--keep", type=Path, help="folder for the recordings and results")
    made.add_argument("--jobs", type=int, default=1)
    return made.parse_args(given)


def table(rounds: Iterable[Round]) -> str:
    """A line for each kind of fault: rounds it took part in, and what was wrong with them."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for each in rounds:
        for kind in (*each.kinds, "all rounds"):
            counts[kind]["rounds"] += 1
            counts[kind].update({fault.name for fault in each.wrong})
    order = sorted(counts, key=lambda kind: (kind == "all rounds", kind))
    lines = [f"{'kind':26}{'rounds':>8}" + "".join(f"{name:>9}" for name in NAMES)]
    for kind in order:
        numbers = "".join(f"{counts[kind][name] or '.':>9}" for name in NAMES)
        lines.append(f"{kind:26}{counts[kind]['rounds']:>8}{numbers}")
    return "\n".join(lines)


def told(each: Round, seed: int, kinds: Sequence[str] = ()) -> str:
    """A failure in one line, with the command that shows it again."""
    wrong = "; ".join(f"{fault.name.upper()} {fault.why}" for fault in each.wrong)
    return (
        f"[{' + '.join(each.kinds)}] {each.answer.verdict}: {wrong}"
        f" | {'; '.join(each.done)} | {each.setting}"
        f" | python -m tests.trial --seed {seed} --only {each.number}"
        + "".join(f" --kind {kind}" for kind in kinds)
        + " --keep DIR"
    )


def main(given: Sequence[str]) -> int:
    """Run; 1 if anything was wrong."""
    chosen = arguments(given)
    play = partial(_one, chosen.seed, chosen.keep, tuple(chosen.kind))
    if chosen.only is not None:
        return _show(play(chosen.only), chosen)
    rounds = []
    with ProcessPoolExecutor(chosen.jobs) as pool:
        for each in pool.map(play, range(chosen.rounds)):
            rounds.append(each)
            if each.wrong:
                print(told(each, chosen.seed, chosen.kind), flush=True)
    print(table(rounds))
    return int(any(each.wrong for each in rounds))


def _one(seed: int, keep: Path | None, kinds: tuple[str, ...], number: int) -> Round:
    return played(seed, number, keep and keep / f"{seed}-{number}", kinds)


def _show(each: Round, chosen: argparse.Namespace) -> int:
    print(told(each, chosen.seed, chosen.kind))
    print(f"lost_seconds {each.answer.lost}", *each.answer.findings, sep="\n  ")
    return int(bool(each.wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
