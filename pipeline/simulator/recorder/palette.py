"""A colour and a tone for each who is recorded: a result says by itself whom it shows and plays."""

import math

MOST = 24  # that can be told apart
WHEEL = 48  # how far every colour is from grey, in steps of U and V
GREY = 128
STRIDE = 7  # on the wheel, so that those who follow each other differ a lot
NEAR = 6.0  # steps: half of what lies between two neighbours on the wheel
LOWEST, APART = 4000, 125  # Hz: above every beep


def chroma(number: int) -> tuple[int, int]:
    """U and V of one of them; their numbers begin at 0."""
    angle = 2 * math.pi * (number * STRIDE % MOST) / MOST
    return round(GREY + WHEEL * math.cos(angle)), round(GREY + WHEEL * math.sin(angle))


def tone(number: int) -> int:
    """Hz, a whole number."""
    return LOWEST + APART * number


def whose(u: float, v: float) -> int | None:
    """The number with this colour; None if nobody has it."""
    apart = [math.dist((u, v), chroma(number)) for number in range(MOST)]
    nearest = min(range(MOST), key=apart.__getitem__)
    return nearest if apart[nearest] <= NEAR else None
