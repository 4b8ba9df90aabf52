"""Sessions by the simulator, put into a folder and converted."""

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pipeline.jobs.options import Options
from pipeline.model import Report
from pipeline.muxing.locate import Ffmpeg
from pipeline.simulator.faults import catalogue
from pipeline.simulator.session.cast import crew, parse_act
from pipeline.simulator.session.session import Session, SessionOrder, TrackFault
from tests.jobs.sessions import played


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a session is stored."""
    return tmp_path / "session"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where the results go."""
    return tmp_path / "out"


@pytest.fixture
def stored(ffmpeg: Ffmpeg, folder: Path) -> Callable[..., Session]:
    """Put a session of two users for 40 s, who do these things, into the folder."""

    def store(*acts: str, users: int = 2, faults: Any = (), **chosen: Any) -> Session:
        done = tuple(map(parse_act, acts))
        wrong = tuple(TrackFault(uid, kind, catalogue.parse(f)) for uid, kind, f in faults)
        members = crew(users, played.LOOK, 0, acts=done, web=chosen.pop("web", None))
        order = SessionOrder(members, done, wrong, **{"duration": 40.0, "slice": 5, **chosen})
        return played.put(order, folder, ffmpeg)

    return store


@pytest.fixture
def convert(ffmpeg: Ffmpeg, folder: Path, out: Path) -> Callable[..., Report]:
    """Convert what is in the folder."""

    def work(**chosen: Any) -> Report:
        return played.convert(folder, out, ffmpeg, Options(**chosen, spool=out.parent / "spool"))

    return work


@pytest.fixture
def creation(ffmpeg: Ffmpeg) -> Callable[[str], str]:
    """When a file says that it was recorded."""

    def probe(path: str) -> str:
        entries = ["-show_entries", "format_tags=creation_time", "-of", "csv=p=0"]
        argv = [str(ffmpeg.ffprobe), "-v", "error", *entries, path]
        return subprocess.run(argv, capture_output=True, check=True, text=True).stdout.strip()

    return probe


def user(report: Report, uid: str) -> Report:
    """What became of one user."""
    (found,) = (one for one in report.users if one.uid == uid)
    return found


def truth_of(made: Session, uid: str) -> Mapping[str, Any]:
    """What is true of the streams of one user."""
    (found,) = (one for one in made.as_json()["users"] if one["uid"] == uid)
    streams: Mapping[str, Any] = found["streams"]
    return streams
