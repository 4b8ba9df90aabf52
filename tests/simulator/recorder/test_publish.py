"""Recordings into a store, at once and as time goes by."""

import pytest
from msgspec.structs import replace

from pipeline.errors import ExistsError
from pipeline.media.playlist import parse as reader
from pipeline.simulator.recorder.publish import Shelf, publish, publish_live, publish_together
from pipeline.storage.local import LocalStorage
from tests.simulator.conftest import contents


@pytest.fixture
def shelf(tmp_path):
    (tmp_path / "store").mkdir()
    return Shelf(LocalStorage(tmp_path / "store"))


def test_live_ends_with_the_same_files(simulated, shelf, tmp_path):
    made = simulated("duplicate_extra", "bom")
    publish_live(shelf, made.parts, clock=lambda: 0.0, sleep=lambda _: None)
    (tmp_path / "at once").mkdir()
    publish(Shelf(LocalStorage(tmp_path / "at once")), made.parts)
    assert contents(tmp_path / "store") == contents(tmp_path / "at once")


def test_live_shows_each_slice_when_it_is_whole(simulated, shelf, tmp_path):
    now, seen = [0.0], []

    def sleep(seconds):
        names = {path.name for path in (tmp_path / "store").iterdir()}
        for name in names:
            if name.endswith(".m3u8"):
                text = reader.parse((tmp_path / "store" / name).read_bytes())
                assert not text.ended
                assert {s.uri for s in text.segments} <= names
        seen.append((round(now[0], 3), len([n for n in names if n.endswith(".ts")])))
        now[0] += seconds

    publish_live(shelf, simulated().parts, speed=2, clock=lambda: now[0], sleep=sleep)
    assert seen == [(0.0, 0), (2.0, 1), (4.0, 2), (6.0, 3), (8.0, 4)]
    (playlist,) = (tmp_path / "store").glob("*.m3u8")
    assert reader.parse(playlist.read_bytes()).ended


def test_the_folder_of_another_recording_is_left_alone(shelf):
    shelf.put("truth.json", b'{"recording": "one"}')
    shelf.refuse_other("truth.json", "one")
    with pytest.raises(ExistsError, match=r"truth\.json"):
        shelf.refuse_other("truth.json", "two")


def test_parts_of_the_same_time_grow_together_and_end_last(simulated, shelf, tmp_path):
    one = simulated(duration=8)
    other = replace(one.parts[0], files={"index": b"over both"})
    other = replace(other, playlist=replace(other.playlist, name="other.m3u8"))
    now, seen = [0.0], []

    def sleep(seconds):
        now[0] += seconds
        lists = sorted(p for p in (tmp_path / "store").iterdir() if p.suffix == ".m3u8")
        seen.append((now[0], [(p.read_bytes().count(b"EXTINF")) for p in lists]))

    publish_together(shelf, [one.parts[0], other], speed=2, clock=lambda: now[0], sleep=sleep)
    assert seen == [(2.0, []), (2.0, [1]), (4.0, [1, 1]), (4.0, [2, 1])]
    ends = [p.read_bytes().count(b"ENDLIST") for p in (tmp_path / "store").glob("*.m3u8")]
    assert (ends, (tmp_path / "store" / "index").read_bytes()) == ([1, 1], b"over both")
