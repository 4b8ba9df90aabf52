"""A recording is the same one where it is worked on, and little is listed to find it."""

from collections import Counter
from pathlib import Path

import pytest

from pipeline.errors import NotFoundError
from pipeline.jobs.executors.rediscovery import rediscovered
from pipeline.jobs.options import Options
from pipeline.jobs.planning import inspected
from pipeline.model import Severity
from pipeline.stages.discover import discover
from pipeline.storage.local import LocalStorage
from tests.copies import write_copies


class Listed(LocalStorage):
    """A folder that counts the entries of its listings."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.entries: Counter[str] = Counter()

    def list(self, prefix="", *, after=""):
        for found in super().list(prefix, after=after):
            self.entries[prefix] += 1
            yield found


def both(folder, number=0):
    """An inventory by a listing of all, and by what a worker lists; and the worker's store."""
    here, there = LocalStorage(folder), Listed(folder)
    recording = sorted(discover(here, ""), key=lambda one: one.id)[number]
    part = recording.parts[0]
    again = rediscovered(there, part.playlist.key, recording.id, recording.sid)
    assert (again.id, again.source, again.sid) == (recording.id, recording.source, recording.sid)
    return inspected(recording, here, Options()), inspected(again, there, Options()), there


def playlist(folder, number=0):
    return sorted(folder.rglob("*.m3u8"))[number]


def test_only_what_is_named_after_it_is_listed(tmp_path):
    write_copies(tmp_path, 9)
    whole, again, store = both(tmp_path, 3)
    assert again == whole
    assert sum(store.entries.values()) == 4  # a playlist and three slices


def orphan(folder):
    path = playlist(folder)
    lines = path.read_text().splitlines()
    at = next(n for n, line in enumerate(lines) if line.endswith(".ts"))
    path.write_text("\n".join(lines[: at - 1] + lines[at + 1 :]) + "\n")


def failover(folder):
    for path in sorted(folder.glob(f"{0:032x}_*")):
        path.with_name(f"bak0_{path.name}").write_bytes(
            path.read_bytes().replace(f"{0:032x}".encode(), f"bak0_{0:032x}".encode())
        )


def below(folder):
    path = playlist(folder)
    (folder / "parts").mkdir()
    for one in folder.glob(f"{0:032x}_*.ts"):
        one.rename(folder / "parts" / one.name)
    path.write_text(path.read_text().replace(f"{0:032x}_", f"parts/{0:032x}_"))


def foreign(folder):
    """A playlist that lists what is named after another recording."""
    path = playlist(folder)
    path.write_text(path.read_text().replace(f"{0:032x}_", f"{1:032x}_", 1))


def encrypted(folder):
    path = playlist(folder)
    key = '#EXT-X-KEY:METHOD=AES-128,URI="call.key"\n#EXTINF'
    path.write_text(path.read_text().replace("#EXTINF", key, 1))
    (folder / "call.key").write_bytes(bytes(16))


def missing(folder):
    next(folder.glob(f"{0:032x}_*.ts")).unlink()


def no_name_of_agora(folder):
    playlist(folder).rename(folder / "0.m3u8")


@pytest.mark.parametrize(
    "change", [orphan, failover, below, foreign, encrypted, missing, no_name_of_agora]
)
def test_what_a_listing_of_all_would_find_is_found(tmp_path, change):
    write_copies(tmp_path, 3)
    change(tmp_path)
    whole, again, _ = both(tmp_path)
    assert again == whole
    assert change is not missing or any(f.severity is Severity.ERROR for f in whole.findings)


def test_a_recording_that_went_meanwhile_is_not_there(tmp_path):
    write_copies(tmp_path, 1)
    store = LocalStorage(tmp_path)
    (found,) = discover(store, "")
    playlist(tmp_path).unlink()
    with pytest.raises(NotFoundError, match="is gone since it was listed"):
        rediscovered(store, found.parts[0].playlist.key, found.id, found.sid)
