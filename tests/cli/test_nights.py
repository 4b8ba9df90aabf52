"""Cleanup from cron, night after night, in a store where a year of recordings has come together."""

import time
from dataclasses import dataclass, field

import pytest

from pipeline.agora import names
from pipeline.stages.publish import receipt_key
from pipeline.storage.local import LocalStorage
from tests.retention.conftest import EPOCH, Yard, put

YEAR = 365  # recordings
OBJECTS = 4  # of each: a playlist and its slices
DAY = 86400.0
KEPT = 29  # the youngest: one for each day
ENOUGH = 60  # nights


@dataclass
class Store:
    """Recordings of which the first is the oldest, and what has to stay of them."""

    yard: Yard
    recpipe: object
    stays: set[str] = field(default_factory=set)  # keys
    number: int = 0

    def recorded(self, days: float, **told) -> list[str]:
        """One that was stored and converted so long ago; returns its keys."""
        sid, self.number = self.yard.sid(self.number), self.number + 1
        slices = [names.slice_name(sid, "room", EPOCH + 15 * n) for n in range(OBJECTS - 1)]
        text = "".join(f"#EXTINF:15.0,\n{name}\n" for name in slices)
        text = f"#EXTM3U\n#EXT-X-TARGETDURATION:16\n{text}#EXT-X-ENDLIST\n"
        data = {name: name.encode() for name in slices}
        data[names.playlist_name(sid, "room")] = text.encode()
        for name, content in data.items():
            (self.yard.source.root / "2026" / name).write_bytes(content)
            self.yard.age(self.yard.source, f"2026/{name}", days * DAY)
        self.yard.publish(names.stem(sid, "room"), age=days * DAY, **told)
        return [f"2026/{name}" for name in data]

    def night(self, *limits: str) -> list[str]:
        """What cron does; returns what went."""
        before = self.yard.slices()
        places = (self.yard.source.root, "--to", self.yard.results.root)
        for command in (
            ("plan", *places, "-o", self.yard.plan, *limits),
            ("apply", self.yard.plan),
        ):
            ended = self.recpipe("clean", *command, "--quiet")
            assert (ended.code, ended.out, ended.err) == (0, "", "")
        return sorted(set(before) - set(self.yard.slices()))


@pytest.fixture
def store(recpipe, clean, monkeypatch):
    """A year of recordings, some of which must never go."""
    monkeypatch.setenv("XDG_STATE_HOME", str(clean / "state"))
    for name in ("source/2026", "results"):
        (clean / name).mkdir(parents=True)
    folders = (LocalStorage(clean / name) for name in ("source", "results"))
    made = Store(Yard(*folders, clean, time.time), recpipe)
    recordings = [made.recorded(YEAR - n) for n in range(YEAR)]
    made.stays.update(*recordings[-KEPT:])  # too young
    made.stays.update(made.recorded(100, verdict="degraded"), recordings[3], recordings[200])
    held = recordings[200][-1].removeprefix("2026/").removesuffix(".m3u8")
    put(made.yard.results, f"{held}.hold", b"", made.yard.spool)
    highlights = f"#EXTM3U\n#EXTINF:15.0,\n{recordings[3][1].removeprefix('2026/')}\n"
    for key, data in (("2026/best.m3u8", highlights.encode()), ("2026/notes.txt", b"mine")):
        put(made.yard.source, key, data, made.yard.spool)
        made.stays.add(key)
    return made


@pytest.mark.parametrize(
    ("limits", "most", "share"),
    [
        pytest.param((), 100_000, 0.5, id="by default"),
        pytest.param(("--max-delete", "200", "--max-fraction", "100%"), 200, 1.0, id="objects"),
    ],
)
def test_a_year_is_worked_off_without_anybody(store, limits, most, share):
    """From the first run on, oldest first, within the limits, until nothing is left to do."""
    before, gone, nights = set(store.yard.slices()), set(), 0
    while went := store.night(*limits):
        there = len(store.yard.slices()) + len(went)
        assert len(went) <= max(min(most, share * there), OBJECTS)
        gone.update(went)
        nights += 1
        store.stays.update(store.recorded(1))  # life goes on
        assert nights < ENOUGH
    assert nights > 1
    assert set(store.yard.slices()) == store.stays
    assert gone == before - store.stays
    assert store.night(*limits) == []


def test_the_oldest_go_first(store):
    """Whatever the order of their names is."""
    oldest = [
        receipt_key(f"{names.stem(store.yard.sid(number), 'room')}.mp4")
        for number in range(60)
        if number != 3
    ]
    store.night("--max-delete", str(OBJECTS * 50))
    assert [one["receipt_key"] for one in store.yard.told()["recordings"]] == oldest[:50]
