"""Sessions by the simulator, small enough to be made in a second or two."""

import pytest

from pipeline.simulator.faults import catalogue
from pipeline.simulator.recorder.material import Look
from pipeline.simulator.recorder.publish import Shelf, publish
from pipeline.simulator.session.cast import crew, parse_act
from pipeline.simulator.session.session import SessionOrder, TrackFault, simulate_session
from pipeline.storage.local import LocalStorage

LOOK = Look(160, 96, fps=10)


@pytest.fixture
def session(ffmpeg):
    """Two users for 40 s, who do these things."""

    def make(*acts, users=2, faults=(), web=None, **chosen):
        done = tuple(map(parse_act, acts))
        wrong = tuple(TrackFault(uid, kind, catalogue.parse(f)) for uid, kind, f in faults)
        members = crew(users, LOOK, chosen.get("seed", 0), acts=done, web=web)
        order = SessionOrder(members, done, wrong, **{"duration": 40.0, **chosen})
        return simulate_session(order, ffmpeg)

    return make


@pytest.fixture
def stored(session, tmp_path):
    """Such a session and the folder it was put into."""

    def store(*acts, **chosen):
        made = session(*acts, **chosen)
        folder = tmp_path / "session"
        folder.mkdir()
        publish(Shelf(LocalStorage(folder)), made.parts)
        return made, folder

    return store


def stream(made, uid, kind):
    """What ``truth.json`` says of one stream."""
    (user,) = (user for user in made.as_json()["users"] if user["uid"] == uid)
    return user["streams"][kind]


def playlist(made, uid, kind):
    """The lines of one."""
    (name,) = (stream(made, uid, kind)["playlist"],)
    (part,) = (part for part in made.parts if part.playlist.name == name)
    return part.playlist.data.decode().splitlines()


def joined(made, folder, uid, kind):
    """All slices of a stream as one file; its stamps begin with ``START``, where it was sent."""
    told = stream(made, uid, kind)
    (part,) = (part for part in made.parts if part.playlist.name == told["playlist"])
    path = folder / f"{uid}_{kind}.all"
    path.write_bytes(b"".join((folder / entry.uri).read_bytes() for entry in part.playlist.entries))
    return path
