"""What is complete is converted while it settles, and seen by nobody before its time."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.jobs.options import Options
from pipeline.ledger import claims, queries
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.states import State
from pipeline.stages.mux import mux
from pipeline.storage.local import LocalStorage
from pipeline.storage.s3 import store as s3
from pipeline.storage.s3.store import S3Storage
from pipeline.watch.conversion.claimed import WorkContext
from pipeline.watch.conversion.early import EarlyConversions
from pipeline.watch.discovery.readiness import Patience
from pipeline.watch.discovery.store_watcher import StoreWatcher

SAMPLE = Path(__file__).parents[3] / "sample_media" / "composite"
NAME = next(SAMPLE.glob("*.m3u8")).stem
RESULT = [f"{NAME}.mp4", f"{NAME}.receipt.json"]
DAY = 86400.0
LONGEST = 60.0


@dataclass
class Post:
    """A watcher's parts, worked by hand."""

    context: WorkContext
    calls: Path
    ahead: EarlyConversions

    def look(self, *, settle: float):
        """One cycle; returns what is waited for."""
        store_watcher = StoreWatcher(
            LocalStorage(self.calls), self.context.to.url(), Patience(settle)
        )
        return store_watcher.cycle(self.context.ledger, None, sweep=DAY).running

    def claim(self, ledger: Ledger | None = None):
        taken, _ = claims.claim(
            ledger or self.context.ledger,
            self.context.store_watchers.keys(),
            self.context.to.url(),
            count=1,
            lease=LONGEST,
        )
        return taken[0] if taken else None

    def rewrite(self) -> None:
        """The playlist, with nothing new in it."""
        (playlist,) = self.calls.glob("*.m3u8")
        playlist.write_text(playlist.read_text() + "\n")

    @property
    def state(self) -> State:
        return queries.status(self.context.ledger)[0]["state"]

    @property
    def results(self) -> list[str]:
        return sorted(found.key for found in self.context.to.list())


@pytest.fixture
def post(ledger, ffmpeg, tmp_path):
    """Made with a destination."""
    opened = []

    def make(to=None, lease=LONGEST):
        calls = tmp_path / "calls"
        shutil.copytree(SAMPLE, calls)
        to = to or LocalStorage(tmp_path / "out")
        store_watcher = StoreWatcher(LocalStorage(calls), to.url(), Patience())
        options = Options(spool=tmp_path / "spool")
        context = WorkContext(
            ledger, {store_watcher.url: store_watcher}, to, ffmpeg, options, most=5
        )
        opened.append(EarlyConversions(context, jobs=1, lease=lease))
        return Post(context, calls, opened[-1])

    yield make
    for ahead in opened:
        ahead.close()


def until(true) -> None:
    end = time.monotonic() + LONGEST
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def waits_in(folder: Path) -> bool:
    """The receipt is written last before leave is asked for."""
    return folder.is_dir() and bool(list(folder.glob(".recpipe-*.receipt.part")))


def test_it_is_published_with_its_claim_and_not_before(post, out, monkeypatch):
    made = post()
    made.ahead.begin(made.look(settle=DAY))
    until(lambda: waits_in(out))
    assert made.state is State.SETTLING
    assert made.results == []
    assert made.claim() is None
    made.look(settle=0.0)
    claim = made.claim()
    monkeypatch.setattr(mux, "convert", None)  # nothing is converted any more
    done = made.ahead.take(claim).result(LONGEST)
    assert done.move.after is State.PUBLISHED
    assert made.results == RESULT
    assert sorted(path.name for path in out.iterdir()) == RESULT


def test_what_changes_while_it_settles_is_made_again(post, out):
    made = post()
    made.ahead.begin(made.look(settle=DAY))
    until(lambda: waits_in(out))
    made.rewrite()
    seen = made.look(settle=DAY)
    made.ahead.begin(seen)
    until(lambda: not list(out.iterdir()))
    until(lambda: made.ahead.begin(seen) or waits_in(out))
    made.look(settle=0.0)
    assert made.ahead.take(made.claim()).result(LONGEST).move.after is State.PUBLISHED
    assert made.results == RESULT


def test_what_changes_in_the_last_moment_is_not_published(post, out):
    made = post()
    made.ahead.begin(made.look(settle=DAY))
    until(lambda: waits_in(out))
    made.look(settle=0.0)
    claim = made.claim()
    made.rewrite()
    assert made.ahead.take(claim).result(LONGEST).move.after is State.SETTLING
    assert list(out.iterdir()) == []


def test_a_claim_for_another_source_is_worked_on_as_usual(post, out):
    made = post()
    made.ahead.begin(made.look(settle=DAY))
    until(lambda: waits_in(out))
    made.rewrite()
    made.look(settle=0.0)
    assert made.ahead.take(made.claim()) is None
    until(lambda: not list(out.iterdir()))


def test_while_it_is_kept_no_other_watcher_may_have_it(post, out, tmp_path):
    made = post(lease=1.0)
    made.ahead.begin(made.look(settle=DAY))
    until(lambda: waits_in(out))
    made.look(settle=0.0)
    with Ledger(f"sqlite:///{tmp_path}/ledger.db") as other:
        other.actor = "host:2"
        made.ahead.renew()
        assert made.claim(other) is None
        time.sleep(1.1)  # this watcher fell silent
        assert made.claim(other) is not None
        made.ahead.renew()
        until(lambda: not list(out.iterdir()))


def test_what_is_held_or_not_wanted_any_more_is_let_go(post, out):
    made = post()
    made.ahead.begin(made.look(settle=DAY))
    until(lambda: waits_in(out))
    queries.hold(made.context.ledger, NAME, held=True)
    made.ahead.renew()
    until(lambda: not list(out.iterdir()))
    queries.hold(made.context.ledger, NAME, held=False)
    made.look(settle=0.0)
    assert made.claim() is not None


def test_what_goes_wrong_is_told_when_its_turn_has_come(post, out, monkeypatch):
    made = post()
    for path in made.calls.glob("*.ts"):
        path.write_bytes(b"<html>502</html>")
    seen = made.look(settle=DAY)
    made.ahead.begin(seen)
    made.ahead.begin(seen)
    until(lambda: made.ahead._made[1].future.done())
    assert made.state is State.SETTLING
    made.look(settle=0.0)
    assert made.ahead.take(made.claim()) is None


def test_more_may_wait_than_are_made_at_once(post, out):
    made = post()
    for n in range(3):
        for path in sorted(SAMPLE.iterdir()):
            sid, name = f"{n:032x}", path.name.partition("_")
            data = path.read_bytes().replace(name[0].encode(), sid.encode())
            (made.calls / f"{sid}_{name[2]}").write_bytes(data)
    made.ahead.begin(made.look(settle=DAY))
    until(lambda: len(list(out.glob(".recpipe-*.receipt.part"))) == 4)
    made.ahead.close()
    assert list(out.iterdir()) == []


def test_an_end_leaves_nothing_behind(post, out):
    made = post()
    made.ahead.begin(made.look(settle=DAY))
    until(lambda: waits_in(out))
    made.ahead.close()
    assert list(out.iterdir()) == []
    made.look(settle=0.0)
    assert made.claim() is not None


@pytest.mark.parametrize("wanted", [True, False], ids=["published", "given up"])
def test_a_large_result_is_in_the_bucket_already_and_not_to_be_seen(
    post, weed, monkeypatch, wanted
):
    monkeypatch.setattr(s3, "PART", 1000)
    archive = S3Storage(weed.new_bucket(), "", weed.client)
    made = post(archive)
    made.ahead.begin(made.look(settle=DAY))
    until(lambda: [key for key, _, _ in archive.uploads()] == RESULT[:1])
    assert RESULT[0] not in made.results
    if wanted:
        made.look(settle=0.0)
        assert made.ahead.take(made.claim()).result(LONGEST).move.after is State.PUBLISHED
    else:
        made.ahead.close()
    assert list(archive.uploads()) == []
    assert made.results == (RESULT if wanted else [])
