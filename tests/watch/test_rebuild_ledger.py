"""A lost ledger comes back from the receipts."""

import pytest

from pipeline.ledger import claims, discovery, queries
from pipeline.ledger.states import State
from pipeline.storage.local import LocalStorage
from pipeline.watch.rebuild_ledger import Rebuilt, rebuild, result_key
from tests.receipts.notes import note, text

SID = "0a93a5e0c1d44f7c8d5e6b7a1f2c3d4e"
SOURCE = f"s3://calls/2026/{SID}_room.m3u8"


def put(folder, id=f"{SID}_room", version=1, source=SOURCE, **other):
    """A result with its receipt."""
    folder.mkdir(exist_ok=True)
    key = result_key(id, version)
    (folder / key).write_bytes(b"x" * 10)
    playlist = source.removeprefix("s3://calls/").removeprefix("/calls/")
    receipt = note(source, playlist, 10, **{"recording": id, "verdict": "degraded", **other})
    path = folder / (key.removesuffix(".mp4") + ".receipt.json")
    path.write_bytes(text(receipt))
    return path


@pytest.fixture
def ledger(opened):
    """On both databases."""
    return opened("host:1")


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def entry(ledger, out, source=f"s3://calls/2026/{SID}"):
    return discovery.known(ledger, str(out), [source]).get(source)


def test_what_was_published_is_known_again(ledger, out):
    put(out)
    assert rebuild(ledger, LocalStorage(out)) == Rebuilt(added=1)
    found = entry(ledger, out)
    assert (found.state, found.version, found.sid) == (State.PUBLISHED, 1, SID)
    inputs = discovery.converted(ledger, found.id, 1)
    assert inputs == {(f"2026/{SID}_room.m3u8", 5, "e")}
    told = queries.explain(ledger, SID)
    assert told.recording["verdict"] == "degraded"
    assert {a["kind"]: a["sha256"] for a in told.artifacts} == {"mp4": "2" * 64, "receipt": None}


def test_what_it_lost_is_known_again(ledger, out):
    put(out, lost_seconds={"video": 2.5, "audio": 0.0})
    rebuild(ledger, LocalStorage(out))
    (mp4,) = (a for a in queries.explain(ledger, SID).artifacts if a["kind"] == "mp4")
    assert (mp4["lost_video"], mp4["lost_audio"]) == (2.5, 0.0)


def test_twice_is_as_good_as_once(ledger, out):
    put(out)
    rebuild(ledger, LocalStorage(out))
    assert rebuild(ledger, LocalStorage(out)) == Rebuilt(known=1)


def test_the_newest_version_counts(ledger, out):
    for version in (1, 2, 10):
        put(out, version=version)
    rebuild(ledger, LocalStorage(out))
    assert entry(ledger, out).version == 10


def test_a_failover_playlist_names_the_same_recording(ledger, out):
    put(out, source=f"s3://calls/2026/bak0_{SID}_room.m3u8")
    rebuild(ledger, LocalStorage(out))
    assert entry(ledger, out).sid == SID


def test_a_recording_that_ends_like_a_version(ledger, out):
    put(out, id="talk.v2", source="/calls/talk.v2.m3u8")
    put(out, id="talk", source="/calls/talk.m3u8")
    rebuild(ledger, LocalStorage(out))
    assert entry(ledger, out, "/calls/talk.v2.m3u8").version == 1
    assert entry(ledger, out, "/calls/talk.m3u8").version == 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda note: note.write_text("not JSON"),
        lambda note: note.write_text("[]"),
        lambda note: note.write_text(note.read_text().replace('"size": 10', '"size": 11')),
        lambda note: note.write_text(note.read_text().replace("degraded", "splendid")),
        lambda note: note.write_text(note.read_text().replace(f'"recording": "{SID}', '"a": "b')),
        lambda note: note.write_text(note.read_text().replace("sha256", "sha")),
        lambda note: note.write_text(note.read_text().replace(f'"{SID}_room"', '"another"')),
        lambda note: note.with_name(f"{SID}_room.mp4").unlink(),
    ],
)
def test_what_proves_nothing_is_counted_and_left_out(ledger, out, spoil):
    spoil(put(out))
    assert rebuild(ledger, LocalStorage(out)) == Rebuilt(unreadable=1)
    assert entry(ledger, out) is None


def test_what_the_ledger_knows_better_stays(ledger, out):
    put(out)
    rebuild(ledger, LocalStorage(out))
    put(out, version=2)
    assert rebuild(ledger, LocalStorage(out)) == Rebuilt(added=1, known=1)
    assert entry(ledger, out).version == 2
    assert claims.claim(ledger, [""], str(out), count=5, lease=1)[0] == []


def test_versions_are_files_of_their_own():
    assert result_key("a", 0) == result_key("a", 1) == "a.mp4"
    assert result_key("2026/a", 2) == "2026/a.v2.mp4"
