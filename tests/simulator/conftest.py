"""Recordings by the simulator, small enough to be made by the dozen."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from pipeline.simulator.faults import catalogue
from pipeline.simulator.recorder.material import Look
from pipeline.simulator.recorder.publish import Shelf, publish
from pipeline.simulator.recording import RecordingOrder, Simulated, simulate
from pipeline.storage.local import LocalStorage

LOOK = Look(320, 180)
SECONDS, SLICE = 20, 4


@pytest.fixture(scope="session")
def simulated(ffmpeg) -> Callable[..., Simulated]:
    """A recording of five slices with these faults."""

    def make(*faults: str, **chosen: object) -> Simulated:
        wanted = tuple(map(catalogue.parse, faults))
        parts = any(w.fault.level == catalogue.FAILOVER for w in wanted)
        options = {"duration": SECONDS, "look": LOOK, "slice": SLICE, "bak": int(parts)}
        return simulate(RecordingOrder(**{**options, **chosen}, faults=wanted), ffmpeg)

    return make


@pytest.fixture
def stored(simulated, tmp_path) -> Callable[..., Path]:
    """The folder such a recording was put into."""

    def store(*faults: str, **chosen: object) -> Path:
        folder = tmp_path / ("+".join(faults).replace(":", "_").replace("|", "_") or "clean")
        return put(simulated(*faults, **chosen), folder)

    return store


def put(made: Simulated, folder: Path) -> Path:
    """Store a recording in a new folder."""
    folder.mkdir()
    publish(Shelf(LocalStorage(folder)), made.parts)
    return folder


def contents(folder: Path) -> Mapping[str, bytes]:
    """Every file by name."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
