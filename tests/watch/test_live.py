"""Calls recorded into a real store while a watcher looks on: each becomes one MP4, with the right
verdict, and as soon after its last segment if it was long.

RECPIPE_TEST_ROUNDS is how many calls of each length are measured.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pytest
import sqlalchemy as sa
from msgspec import field
from msgspec.structs import replace

from pipeline.errors import NotFoundError
from pipeline.ledger import queries
from pipeline.ledger.database.tables import artifacts, events, recordings
from pipeline.ledger.ledger import Ledger
from pipeline.model import Verdict
from pipeline.simulator.faults.catalogue import parse
from pipeline.simulator.recorder.material import Look
from pipeline.simulator.recorder.mux import mux_all
from pipeline.simulator.recorder.publish import Shelf, publish_live
from pipeline.simulator.recorder.values import Playlist, Segment
from pipeline.simulator.recording import RecordingOrder, simulate
from pipeline.storage import Storage
from pipeline.storage.s3.store import S3Storage

ROOT = Path(__file__).parents[2]
ROUNDS = int(os.environ.get("RECPIPE_TEST_ROUNDS", "1"))
SPEED = 8.0
LATE = 3.0  # seconds behind EXT-X-ENDLIST
REWRITTEN = 1.0  # the same, while it settles
MOMENT = 0.1  # seconds that lost_seconds may be off
LONGEST = 180.0

pytestmark = pytest.mark.usefixtures("ffmpeg")


@dataclass
class Shop:
    """A bucket that is recorded into, one for the results, and a watcher between them."""

    calls: Storage
    archive: Storage
    ledger: str
    spool: Path
    log: Path

    def receipt(self, name: str) -> dict:
        """Once it is there."""
        end = time.monotonic() + LONGEST
        while time.monotonic() < end:
            with contextlib.suppress(NotFoundError):
                return json.loads(b"".join(self.archive.open(f"{name}.receipt.json")))
            time.sleep(0.02)
        pytest.fail(f"{name}: never published; {self.log.read_text()[-2000:]}")

    def moves(self, name: str) -> list[str]:
        """All states a recording went through."""
        chosen = sa.select(events.c.detail).join(recordings).where(recordings.c.name == name)
        with Ledger(self.ledger) as ledger, ledger.reading() as connection:
            told = connection.execute(chosen.order_by(events.c.id)).scalars()
            return [detail["after"] for detail in told if "after" in detail]


@pytest.fixture
def shop(weed, tmp_path):
    """Opens it with these options of the watcher."""
    with contextlib.ExitStack() as stack:
        yield lambda *chosen: stack.enter_context(_open(weed, tmp_path, chosen))


@contextlib.contextmanager
def _open(weed, tmp_path: Path, chosen: tuple[str, ...]) -> Iterator[Shop]:
    calls, archive = (S3Storage(weed.new_bucket(), "", weed.client) for _ in range(2))
    made = Shop(
        calls, archive, f"sqlite:///{tmp_path}/ledger.db", tmp_path / "spool", tmp_path / "log"
    )
    argv = [sys.executable, "-m", "pipeline", "watch", calls.url(), "--to", archive.url()]
    argv += ["--ledger", made.ledger, "--spool", str(made.spool), "--interval", "1s", *chosen]
    env = {**os.environ, **weed.environment, "PYTHONPATH": str(ROOT)}
    with made.log.open("w") as log:
        daemon = subprocess.Popen(argv, cwd=tmp_path, env=env, stderr=log)
        try:
            _wait(lambda: _begun(made.ledger))
            yield made
            daemon.send_signal(signal.SIGTERM)
            assert daemon.wait(LONGEST) == 0
        finally:
            daemon.kill()
            daemon.wait()


def _wait(true: Callable[[], bool]) -> None:
    end = time.monotonic() + LONGEST
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


def _begun(url: str) -> bool:
    with Ledger(url) as ledger:
        return queries.last_run(ledger) is not None


class Slow(Shelf, frozen=True):
    """Puts one segment, or the playlist as it should be in the end, some time later."""

    late: str = ""  # name of a segment
    rewritten: bool = False
    held: list[Segment] = field(default_factory=list)

    def put_segment(self, segment: Segment) -> None:
        if segment.name == self.late:
            self.held.append(segment)
        else:
            super().put_segment(segment)

    def put_playlist(self, playlist: Playlist) -> None:
        if playlist.after and self.rewritten:
            super().put_playlist(replace(playlist, after=()))
            time.sleep(REWRITTEN)
        super().put_playlist(playlist)
        if playlist.ended and self.held:
            time.sleep(LATE)
            super().put_segment(self.held[0])


FAULTS = ((), (), ("missing_file:3",), ("bak_gap:2",), ("rewritten_after_endlist",), ("gap_7s:4",))


def test_six_calls_at_once_with_faults_become_six_mp4s(shop, ffmpeg):
    """A plain one, a late segment, a lost one, a bak part, a playlist that goes on behind its
    end, a gap in the clock.
    """
    made = []
    for seed, faults in enumerate(FAULTS):
        look = Look(160, 120, 10, seed)
        bak = int("bak_gap:2" in faults)
        order = RecordingOrder(
            24.0, look, 3, bak=bak, faults=tuple(map(parse, faults)), epoch=time.time()
        )
        made.append(simulate(order, ffmpeg))
    place = shop("--settle", "4s", "--late-deadline", "10s")
    held = made[1].parts[0].segments[3].name
    with ThreadPoolExecutor(len(made)) as pool:
        recorders = [
            pool.submit(
                publish_live,
                Slow(
                    place.calls, f"2026/11/22/{n}/", late=held if n == 1 else "", rewritten=n == 4
                ),
                call.parts,
                speed=SPEED,
            )
            for n, call in enumerate(made)
        ]
    assert [recorder.result() for recorder in recorders] == [None] * 6
    for call in made:
        receipt, truth = place.receipt(call.name), call.as_json()
        assert receipt["verdict"] in truth["verdicts"], (call.order.faults, receipt["findings"])
        for stream, seconds in truth["lost_seconds"].items():
            assert receipt["lost_seconds"][stream] == pytest.approx(seconds, abs=MOMENT), truth
        assert all(receipt["proof"][part] for part in ("counts", "timestamps", "bytes"))
    names = [call.name for call in made]
    files = [f"{name}{end}" for name in names for end in (".mp4", ".receipt.json")]
    assert sorted(found.key for found in place.archive.list()) == sorted(files)
    _wait(lambda: all("published" in place.moves(name) for name in names))  # a moment later
    with Ledger(place.ledger) as ledger, ledger.reading() as connection:
        kinds = Counter(connection.execute(sa.select(artifacts.c.kind)).scalars())
    assert kinds == {"mp4": 6, "receipt": 6}
    moves = [place.moves(name) for name in names]
    assert [told.count("published") for told in moves] == [1] * 6
    late, lost = moves[1], moves[2]
    assert "uploading" in late
    assert "lost" not in late
    assert "lost" in lost


SETTLE = 6.0
ENOUGH = 5  # calls of each length; of fewer the moment at which the watcher looks says all


def test_a_long_call_is_published_as_soon_after_its_last_segment(shop, ffmpeg):
    """Half an hour (ten minutes, if it is only tried) against three minutes, in turns.

    All that is left when they have settled is the last step of publishing.
    """
    place = shop("--settle", f"{SETTLE:g}s")
    long = 30 if ROUNDS >= ENOUGH else 10
    took = {3: [], long: []}
    for turn in range(ROUNDS):
        for minutes, seconds in took.items():
            look = Look(160, 120, 10, 100 + 2 * turn + (minutes == long))
            call = simulate(RecordingOrder(60.0 * minutes, look), ffmpeg)
            seconds.append(_until_published(place, call))
    short, behind = median(took[3]), median(took[long])
    net = (behind - SETTLE) / (short - SETTLE)
    said = f"3 min {short:.2f} s, {long} min {behind:.2f} s"
    print(f"{said}; without the {SETTLE:g} s to settle {net:.2f} x")
    assert behind <= 1.5 * short
    if ROUNDS >= ENOUGH:
        assert net <= 1.5


def _until_published(place: Shop, call) -> float:
    """Seconds from the last segment, all others being in the spool."""
    shelf = Shelf(place.calls, "2026/11/22/")
    (part,) = call.parts
    *first, last = mux_all(part.segments)
    playlist, kept = part.playlist, len(list(place.spool.rglob("*.scan")))
    assert playlist.entries[-1].uri == last.name
    for segment in first:
        shelf.put_segment(segment)
    shelf.put_playlist(replace(playlist, entries=playlist.entries[:-1], ended=False))
    _wait(lambda: len(list(place.spool.rglob("*.scan"))) == kept + len(first))
    shelf.put_segment(last)
    shelf.put_playlist(playlist)
    begin = time.monotonic()
    assert place.receipt(call.name)["verdict"] == Verdict.OK
    return time.monotonic() - begin
