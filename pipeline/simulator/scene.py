"""The scene that is recorded, computed: a clock, a flash and a beep at each full second.

Picture and sound flash and beep at the same instant, so that their offset can be measured.
"""

import numpy as np
from numpy.typing import NDArray

LASTS = 0.12  # seconds of a flash and of a beep
BAND = 5  # the flash is a band across the top, one part in so many of the height
TONE = 1000  # Hz
LOUD = 8000
HISS = 20
CANVAS, TILE, INK = 40, 95, 235  # luma

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


def picture(frame: int, width: int, height: int, fps: int, seed: int, *, black: bool) -> bytes:
    """One picture in YUV 4:2:0 (planar)."""
    if black:
        return bytes([16]) * (width * height) + bytes([128]) * (width * height // 2)
    second, rest = divmod(frame, fps)
    luma = _background(width, height, seed)
    unit = max(1, width // 60)
    clock = f"{second // 60 % 60:02}:{second % 60:02}.{rest * 100 // fps:02}"
    _write(luma, clock, width // 6, height // 3, unit)
    # grain that is new in every picture, so that damage to its data can be seen
    grain = np.random.default_rng((seed, frame)).integers(-20, 21, (height // 12, width // 6))
    coarse = (TILE + np.repeat(np.repeat(grain, 2, 0), 2, 1)).astype(np.uint8)
    luma[height - len(coarse) :, : coarse.shape[1]] = coarse
    if rest < LASTS * fps:
        luma[: height // BAND] = INK
    chroma = bytes([128 - 20]) * (width * height // 4) + bytes([128 + 20]) * (width * height // 4)
    return luma.tobytes() + chroma


def sound(seconds: int, rate: int, channels: int, seed: int, *, silent: bool) -> bytes:
    """16-bit samples, interleaved, of as many seconds from a full one on."""
    if silent:
        return bytes(2 * seconds * rate * channels)
    noise = np.random.default_rng(seed).integers(-HISS, HISS + 1, seconds * rate)
    beep = LOUD * np.sin(2 * np.pi * TONE * np.arange(round(LASTS * rate)) / rate)
    once = np.concatenate([beep, np.zeros(rate - len(beep))])
    mixed = np.round(noise + np.tile(once, seconds)).astype("<i2")
    return np.repeat(mixed, channels).tobytes()


def _background(width: int, height: int, seed: int) -> Luma:
    luma = np.full((height, width), CANVAS, np.uint8)
    tile = luma[height // 4 : height * 3 // 4, width // 8 : width * 7 // 8]
    grain = np.random.default_rng(seed).integers(-24, 25, tile.shape)
    tile[:] = (TILE + grain).astype(np.uint8)
    return luma


def _write(luma: Luma, text: str, x: int, y: int, unit: int) -> None:
    """Digits, colons and points in strokes of ``unit`` pixels."""
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
