"""Short recordings of every kind, each with nothing wrong and with every fault."""

from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline.model import Report

SAMPLES = Path(__file__).parents[2] / "sample_media"
KINDS = sorted(path for path in SAMPLES.iterdir() if path.is_dir())


def lacking(slices: Sequence[Path]) -> None:
    slices[1].unlink()


def cut(slices: Sequence[Path]) -> None:
    slices[1].write_bytes(slices[1].read_bytes()[:-4321])


def damaged(slices: Sequence[Path]) -> None:
    data = bytearray(slices[1].read_bytes())
    data[20 * 188 : 23 * 188] = bytes(3 * 188)
    slices[1].write_bytes(data)


def swapped(slices: Sequence[Path]) -> None:
    first, second = slices[0].read_bytes(), slices[1].read_bytes()
    slices[0].write_bytes(second)
    slices[1].write_bytes(first)


def unreadable(slices: Sequence[Path]) -> None:
    for path in slices:
        path.write_bytes(b"no media" * 999)


FAULTS = (None, lacking, cut, damaged, swapped, unreadable)


COUNT = len(KINDS) * len(FAULTS)


def made(folder: Path) -> Path:
    """All of them, each in a folder of its own."""
    number = 0
    for kind in KINDS:
        for fault in FAULTS:
            number += 1
            copied(kind, folder / f"{number:02}", number, fault)
    return folder


def copied(kind: Path, here: Path, number: int, fault: Callable[..., None] | None = None) -> None:
    """A recording with an id of its own."""
    here.mkdir(parents=True)
    for path in kind.iterdir():
        data = path.read_bytes()
        if path.suffix == ".m3u8":
            data = data.replace(path.name[:32].encode(), f"{number:032x}".encode())
        (here / f"{number:032x}{path.name[32:]}").write_bytes(data)
    if fault is not None:
        fault(sorted(here.glob("*.ts")))


def comparable(outcome: object) -> object:
    """What must not depend on who made it."""
    if not isinstance(outcome, Report):
        return str(outcome)
    return (
        outcome.verdict,
        outcome.findings,
        outcome.sha256,
        outcome.account,
        outcome.holes,
        outcome.lost_seconds,
        outcome.proof,
        outcome.made,
    )
