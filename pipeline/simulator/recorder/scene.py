"""The scene that is recorded: a clock, and a flash and a beep at each full second.

Picture and sound flash and beep at the same instant, so that their offset can be measured.  Each
second has a pitch and a number of its own, so that a shift by whole seconds is seen as well.
"""

import numpy as np
from numpy.typing import NDArray

LASTS = 0.12  # seconds of a flash and of a beep
BAND = 5  # the flash is a band across the top, one part in so many of the height
SECONDS = 64  # that can be told apart
TONE, STEP = 500, 25  # Hz: the pitch of the first second, and by how much each is higher
CELLS = 8  # a strip under the band, from BAND to STRIP: the number of the second in bits
STRIP = 4  # one part in so many of the height
LOUD = 8000  # amplitude of a beep, of 32767
HISS = 20  # amplitude of the noise
SOFT = 300  # amplitude of a tone: it is no beep
CANVAS, TILE, INK = 40, 95, 235  # luma
CHROMA = 108, 148  # U and V

# 7-segment digits: top, upper right, lower right, bottom, lower left, upper left, middle
_SEGMENTS = dict(zip("0123456789", (63, 6, 91, 79, 102, 109, 125, 7, 127, 111), strict=True))
_STROKES = (
    (0, 0, 5, 1),
    (4, 0, 1, 6),
    (4, 5, 1, 6),
    (0, 10, 5, 1),
    (0, 5, 1, 6),
    (0, 0, 1, 6),
    (0, 5, 5, 1),
)

Luma = NDArray[np.uint8]


def picture(
    frame: int,
    width: int,
    height: int,
    *,
    fps: int,
    seed: int,
    black: bool,
    chroma: tuple[int, int] = CHROMA,
    turned: int = 0,
) -> bytes:
    """One picture in YUV 4:2:0 (planar, 8 bits); ``width`` and ``height`` in pixels, as it is
    stored: ``turned`` so many degrees anticlockwise.
    """
    if black:
        return bytes([16]) * (width * height) + bytes([128]) * (width * height // 2)
    if turned % 180:
        width, height = height, width
    luma = _luma(frame, width, height, fps=fps, seed=seed)
    colour = b"".join(bytes([part]) * (width * height // 4) for part in chroma)
    return np.rot90(luma, turned // 90).tobytes() + colour


def _luma(frame: int, width: int, height: int, *, fps: int, seed: int) -> Luma:
    """Its brightness, upright."""
    second, rest = divmod(frame, fps)
    luma = _background(width, height, seed)
    unit = max(1, width // 60)
    clock = f"{second // 60 % 60:02}:{second % 60:02}.{rest * 100 // fps:02}"
    _write(luma, clock, (width // 6, height // 3), unit)
    # grain that is new in every picture, so that damage to its data can be seen
    grain = np.random.default_rng((seed, frame)).integers(-20, 21, (height // 12, width // 6))
    coarse = (TILE + np.repeat(np.repeat(grain, 2, 0), 2, 1)).astype(np.uint8)
    luma[height - len(coarse) :, : coarse.shape[1]] = coarse
    if rest < LASTS * fps:
        luma[: height // BAND] = INK
    _number(luma[height // BAND : height // STRIP], second)
    return luma


def pitch(second: int) -> int:
    """The pitch of the beep of a second, in Hz."""
    return TONE + STEP * (second % SECONDS)


def sound(
    seconds: int,
    rate: int,
    channels: int,
    seed: int,
    *,
    silent: bool,
    first: int = 0,
    tone: int = 0,
) -> bytes:
    """16-bit samples (little-endian, interleaved) of so many seconds from second ``first`` on;
    ``rate`` in Hz.
    Under the beeps there is a ``tone`` of so many Hz, if it is not 0.
    """
    if silent:
        return bytes(2 * seconds * rate * channels)
    noise = np.random.default_rng(seed).integers(-HISS, HISS + 1, seconds * rate)
    time = np.arange(round(LASTS * rate)) / rate
    beeps = np.zeros((seconds, rate))
    for n in range(seconds):
        beeps[n, : len(time)] = LOUD * np.sin(2 * np.pi * pitch(first + n) * time)
    if tone:  # whole turns in a second: it goes on without a seam
        beeps += SOFT * np.sin(2 * np.pi * tone * np.arange(rate) / rate)
    mixed = np.round(noise + beeps.reshape(-1)).astype("<i2")
    return np.repeat(mixed, channels).tobytes()


def _background(width: int, height: int, seed: int) -> Luma:
    luma = np.full((height, width), CANVAS, np.uint8)
    tile = luma[height // 4 : height * 3 // 4, width // 8 : width * 7 // 8]
    grain = np.random.default_rng(seed).integers(-24, 25, tile.shape)
    tile[:] = (TILE + grain).astype(np.uint8)
    return luma


def _number(strip: Luma, second: int) -> None:
    """Bits of the number from the right, bright for 1; the outer cells are dark."""
    width = strip.shape[1] // CELLS
    for bit in range(CELLS - 2):
        if second % SECONDS >> bit & 1:
            right = (CELLS - 1 - bit) * width
            strip[:, right - width : right] = INK


def _write(luma: Luma, text: str, at: tuple[int, int], unit: int) -> None:
    """Digits, colons and points in strokes of ``unit`` pixels."""
    x, y = at
    for glyph in text:
        if glyph in ":.":
            for spot in (3, 7) if glyph == ":" else (10,):
                luma[y + spot * unit : y + (spot + 1) * unit, x : x + unit] = INK
            x += 2 * unit
            continue
        for bit, (left, top, wide, high) in enumerate(_STROKES):
            if _SEGMENTS[glyph] >> bit & 1:
                rows = slice(y + top * unit, y + (top + high) * unit)
                luma[rows, x + left * unit : x + (left + wide) * unit] = INK
        x += 6 * unit
