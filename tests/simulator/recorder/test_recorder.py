"""The recorder that works as time goes by."""

import pytest

from pipeline.agora import names
from pipeline.errors import UsageError
from pipeline.media.playlist import parse as reader
from pipeline.model import Verdict
from pipeline.simulator.recorder.material import encode
from pipeline.simulator.recorder.publish import Shelf, publish
from pipeline.simulator.recorder.recorder import Recorder, Setup, record, run
from pipeline.simulator.recorder.values import HZ
from pipeline.simulator.truth import losses
from pipeline.storage.local import LocalStorage
from tests import recordings as r
from tests.simulator.conftest import LOOK, contents

SETUP = Setup("0123456789abcdef0123456789abcdef", "live_room", r.EPOCH, slice=4)
NAME = "0123456789abcdef0123456789abcdef_live_room.m3u8"


@pytest.fixture
def material(ffmpeg):
    return encode(LOOK, 24, ffmpeg)


@pytest.fixture
def recorder(material, tmp_path):
    (tmp_path / "store").mkdir()
    return Recorder(SETUP, material, Shelf(LocalStorage(tmp_path / "store")))


def listed(folder, name=NAME):
    return reader.parse((folder / name).read_bytes())


def test_slices_appear_when_they_are_whole(recorder, tmp_path):
    store = tmp_path / "store"
    recorder.advance(3.9)
    assert not list(store.iterdir())
    recorder.advance(0.2)
    assert len(listed(store).segments) == 1
    assert not listed(store).ended
    recorder.advance(8)
    assert [s.uri for s in listed(store).segments] == sorted(p.name for p in store.glob("*.ts"))
    assert len(listed(store).segments) == 3
    assert not listed(store).ended


def test_stop_stores_the_rest_and_ends_the_playlist(recorder, tmp_path, ffmpeg):
    recorder.advance(10.5)
    part = recorder.stop()
    store = tmp_path / "store"
    assert listed(store).ended
    assert [s.duration for s in listed(store).segments] == [4, 4, 2.5]
    report = r.convert(store, tmp_path / "out", ffmpeg)
    assert report.verdict is Verdict.OK, r.said(report)
    assert report.duration == pytest.approx(losses.tell([part]).duration, abs=0.01)


def test_it_stores_the_same_as_a_recording_made_at_once(recorder, material, tmp_path):
    for _ in range(15):
        recorder.advance(0.7)
    recorder.stop()
    (tmp_path / "at once").mkdir()
    whole = record(SETUP, material, 0, round(10.5 * HZ))
    publish(Shelf(LocalStorage(tmp_path / "at once")), [whole])
    assert contents(tmp_path / "store") == contents(tmp_path / "at once")


def test_kill_leaves_what_was_stored(recorder, tmp_path):
    recorder.advance(10.5)
    recorder.kill()
    store = tmp_path / "store"
    assert not listed(store).ended
    assert len(listed(store).segments) == len(list(store.glob("*.ts"))) == 2


def test_another_server_takes_over(recorder, tmp_path):
    recorder.advance(10.5)
    killed = recorder.kill()
    second = recorder.take_over(after=3)
    second.advance(6)
    last = second.stop()
    store = tmp_path / "store"
    bak = listed(store, f"bak0_{NAME}")
    assert bak.ended
    first = names.parse_slice_name(bak.segments[0].uri)
    assert (first.bak, first.utc) == (0, r.EPOCH + 14)
    told = losses.tell([killed, last])
    assert told.duration == pytest.approx(20, abs=0.05)
    # stored up to 8 s; the rest of the first part, and the time up to 14 s, are gone
    assert told.lost_seconds == {"video": 6, "audio": 6}


def test_parts_may_overlap(recorder):
    recorder.advance(10)
    first = recorder.stop()
    second = recorder.take_over(after=-3)
    second.advance(5)
    told = losses.tell([first, second.stop()])
    assert told.lost_seconds == {"video": 0, "audio": 0}
    assert told.samples["video"] == 12 * 15


def test_after_three_failovers_it_is_over(recorder):
    for _ in range(3):
        recorder.kill()
        recorder = recorder.take_over()
    assert recorder.bak == 2
    with pytest.raises(UsageError, match="after 3"):
        recorder.take_over()


def test_what_has_stopped_does_not_go_on(recorder):
    recorder.advance(1)
    recorder.stop()
    for again in (recorder.stop, recorder.kill, lambda: recorder.advance(1)):
        with pytest.raises(UsageError, match="has stopped"):
            again()


def test_run_follows_the_clock_on_the_wall(recorder):
    now = [100.0]

    def sleep(seconds):
        now[0] += seconds

    run(recorder, lambda: now[0] >= 101.9, speed=5, clock=lambda: now[0], sleep=sleep)
    assert recorder.now == pytest.approx(10 * HZ, abs=1)
    assert len(recorder.part().segments) == 2
