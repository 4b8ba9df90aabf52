"""What is in the pictures and the sound: black, frozen or silent spans, and faults that only a
decoder sees.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.errors import FfmpegMissingError, MuxingError
from pipeline.media.clock import Bytes
from pipeline.media.loss import content
from pipeline.media.loss.content import Span
from pipeline.media.loss.holes import Stretch
from pipeline.media.track import Lane
from pipeline.model import Finding, Severity
from pipeline.muxing import file_commands
from pipeline.muxing.locate import Ffmpeg
from pipeline.muxing.run import run

WINDOW = 4.0  # seconds that are decoded at each place
EDGE = 0.25  # seconds at both ends that may still hold what stands beside
MOST = 8  # spans of a lane that are decoded, the longest ones
DEEP = 6 * 3600.0  # seconds a whole recording may take to be decoded


def triage(lanes: Sequence[Lane], expected: Sequence[Sequence[Stretch]]) -> list[Finding]:
    """Frozen (or black) and silent spans by the sizes of units: nothing is decoded."""
    found = []
    for lane, stretches in zip(lanes, expected, strict=True):
        spans = content.suspects(lane, stretches)
        if spans:
            id = "FROZEN" if lane.codec.kind == "video" else "SILENT"
            found.append(content.told(id, spans, lane, decoded=False))
    return found


def examine(
    path: Path, lanes: Sequence[Lane], expected: Sequence[Sequence[Stretch]], ffmpeg: Ffmpeg
) -> list[Finding]:
    """Black, frozen and silent spans, each confirmed by decoding a few seconds of an MP4.  Never
    stops a conversion: where ffmpeg fails, there is no finding.
    """
    found: list[Finding] = []
    for lane, stretches in zip(lanes, expected, strict=True):
        spans = sorted(content.suspects(lane, stretches), key=lambda s: -s.length)[:MOST]
        confirmed: dict[str, list[Span]] = {}
        for span in sorted(spans, key=lambda s: s.begin):
            try:
                id = _confirmed(path, span, ffmpeg)
            except (MuxingError, FfmpegMissingError):
                continue
            if id is not None:
                confirmed.setdefault(id, []).append(span)
        found += [content.told(id, which, lane, decoded=True) for id, which in confirmed.items()]
    return found


def _confirmed(path: Path, span: Span, ffmpeg: Ffmpeg) -> str | None:
    first, end = span.begin + EDGE, span.end - EDGE
    last = max(first, end - WINDOW)
    begins = sorted({first, (first + last) / 2, last})
    length = min(WINDOW, end - first)
    samples = [_decoded(ffmpeg, path, span.kind, begin=begin, length=length) for begin in begins]
    if span.kind == "audio":
        sound = np.concatenate([s.view(np.int16) for s in samples])
        return "SILENT" if content.is_silent(sound) else None
    width = file_commands.LOOK[0] * file_commands.LOOK[1]
    pictures = np.concatenate([s[: len(s) // width * width].reshape(-1, width) for s in samples])
    if content.is_black(pictures):
        return "BLACK"
    return "FROZEN" if content.is_frozen(pictures) else None


def _decoded(ffmpeg: Ffmpeg, path: Path, kind: str, *, begin: float, length: float) -> Bytes:
    """Samples of ``length`` seconds as bytes: luma of small pictures, or 16-bit mono sound."""
    import tempfile  # 5 ms that live recordings do not pay

    argv = file_commands.look(ffmpeg.ffmpeg, path, kind, begin=begin, length=length)
    with tempfile.TemporaryFile() as file:
        run(argv, env=ffmpeg.env, stdout=file)
        file.seek(0)
        data = file.read()
    return np.frombuffer(data[: len(data) // 2 * 2], np.uint8)


def decode(path: Path, ffmpeg: Ffmpeg) -> list[Finding]:
    """Decode all of an MP4 and report every complaint of a decoder as an error: this also finds
    bits flipped before the store had them.  Where ffmpeg fails, its message is the finding;
    FfmpegMissingError if it lacks a decoder.
    """
    try:
        with ffmpeg.turn():
            said = run(file_commands.decode(ffmpeg.ffmpeg, path), env=ffmpeg.env, timeout=DEEP)
    except MuxingError as error:
        said = str(error)
    lines = [line for line in said.splitlines() if line.strip()]
    if not lines:
        return []
    detail = f"the decoder complains: {lines[0][-200:]}"
    repair = "kept as it is"
    return [Finding("DECODE", Severity.ERROR, None, None, len(lines), detail, repair)]
