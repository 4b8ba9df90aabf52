"""What was proven about a pair of binaries, remembered from one run to the next."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct, field

FORMAT = 1


class FfmpegTrial(Struct, frozen=True):
    """The result of trying a pair of binaries."""

    usable: bool
    outcome: str  # for people
    version: str  # of ffmpeg
    env: Mapping[str, str] = field(default_factory=dict)  # both need it
    lasting: bool = True  # False: the next trial may end differently, as after a timeout


class Proofs:
    """Proofs by path, mtime and size of both binaries, in a JSON file; None keeps none.  A file
    that cannot be read or written is ignored: that costs only time.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._pairs = self._read()

    def recall(self, ffmpeg: Path, ffprobe: Path) -> FfmpegTrial | None:
        """The proof of a pair, if both binaries are still the same; else None."""
        match self._pairs.get(stamp(ffmpeg, ffprobe)):
            case {
                "usable": bool(usable),
                "outcome": str(outcome),
                "version": str(version),
                "env": dict(env),
            }:
                known = {str(name): str(value) for name, value in env.items()}
                return FfmpegTrial(usable, outcome, version, known)
        return None

    def remember(self, key: str, proof: FfmpegTrial) -> None:
        """Keep a lasting proof under the key of :func:`stamp`, and forget those of earlier versions
        of the same binaries.
        """
        if not (key and self._file and proof.lasting):
            return
        others = {k: v for k, v in self._read().items() if _paths(k) != _paths(key)}
        entry = {
            "usable": proof.usable,
            "outcome": proof.outcome,
            "version": proof.version,
            "env": dict(proof.env),
        }
        self._pairs = {**others, key: entry}
        part = self._file.with_name(f".{self._file.name}.{os.getpid()}")
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            try:
                part.write_text(json.dumps({"format": FORMAT, "pairs": self._pairs}, indent=1))
                part.replace(self._file)
            finally:
                part.unlink(missing_ok=True)

    def _read(self) -> dict[str, Any]:
        if self._file is None:
            return {}
        try:
            document = json.loads(self._file.read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        match document:
            case {"format": 1, "pairs": dict(pairs)}:
                return pairs
        return {}


def stamp(ffmpeg: Path, ffprobe: Path) -> str:
    """A key that changes with the binaries; empty when one of them is not there."""
    try:
        stats = [(path, path.stat()) for path in (ffmpeg, ffprobe)]
    except OSError:
        return ""
    return "|".join(f"{path}:{st.st_mtime_ns}:{st.st_size}" for path, st in stats)


def default_file(environ: Mapping[str, str]) -> Path | None:
    """Where proofs are kept: in XDG_CACHE_HOME, else HOME/.cache (XDG Base Directory Specification:
    relative paths are ignored); None without both.
    """
    for name, below in (("XDG_CACHE_HOME", ""), ("HOME", ".cache")):
        folder = Path(environ.get(name, ""))
        if folder.is_absolute():
            return folder / below / "recpipe" / "ffmpeg.json"
    return None


def _paths(key: str) -> list[str]:
    return [part.rsplit(":", 2)[0] for part in key.split("|")]
