"""Recordings to work on, and where their results go."""

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests import recordings as r


@pytest.fixture
def copied(library: r.Library, tmp_path: Path) -> Callable[..., r.Recording]:
    """A recording of one kind, to be damaged at will."""
    return lambda kind=r.AV_B: library[kind].copy(tmp_path / "recording")


@pytest.fixture
def changed(library: r.Library, copied: Callable[..., r.Recording]) -> Callable[..., r.Recording]:
    """A recording some slices of which are those of another one."""

    def splice(other: r.Kind, numbers: Sequence[int], kind: r.Kind = r.AV_B) -> r.Recording:
        try:
            beside = library[other]
        except subprocess.CalledProcessError:
            pytest.skip("this ffmpeg cannot encode that")
        made = copied(kind)
        for number in numbers:
            made.write(number, beside.data(number))
        return made

    return splice
