"""``/metrics`` for Prometheus: what the ledger knows, measured again at each scrape.

The only module that imports prometheus-client.
"""

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from pipeline.errors import RecpipeError
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.measures import Measures, measures, timed
from pipeline.ledger.states import State
from pipeline.version import VERSION

TYPE = CONTENT_TYPE_LATEST
OVERLAP = 60.0  # seconds: what ends now may be visible a little later
BUCKETS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)  # seconds


class Metrics:
    """All of them; ``notifications`` are counted by whoever receives them."""

    def __init__(self, ledger: Ledger, notifications: Mapping[str, int]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Notifications(notifications))
        self._registry.register(_OfLedger(ledger))
        self._stages = _Stages(ledger, self._registry)

    def text(self) -> bytes:
        """The answer to a scrape; of a ledger that does not answer, that alone."""
        self._stages.observe()
        return generate_latest(self._registry)


class _Notifications(Collector):
    def __init__(self, counts: Mapping[str, int]) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        said = "Notifications since this server began, by what became of them."
        family = CounterMetricFamily("recpipe_notifications", said, labels=["result"])
        for result, count in self._counts.items():
            family.add_metric([result], count)
        yield family


class _OfLedger(Collector):
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def describe(self) -> Iterator[Metric]:
        """Nothing: registering must not look into the ledger."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        yield _gauge("recpipe_build_info", "The version.", ["version"], [((VERSION,), 1)])
        try:
            found = measures(self._ledger)
        except RecpipeError:
            yield _one("recpipe_ledger_up", "Whether the ledger answers.", 0)
            return
        yield _one("recpipe_ledger_up", "Whether the ledger answers.", 1)
        yield from _recordings(found)
        yield from _results(found)
        yield from _watching(found)


def _recordings(found: Measures) -> Iterator[Metric]:
    every = {(state.value, ""): 0 for state in State}
    counts = {(state.value, verdict or ""): n for (state, verdict), n in found.recordings.items()}
    said = "Recordings by state and the verdict of their newest version."
    yield _gauge("recpipe_recordings", said, ["state", "verdict"], (every | counts).items())
    yield _one("recpipe_recordings_held", "Recordings that are held.", found.held)
    age = found.now - found.oldest if found.oldest is not None else 0.0
    said = "Age of the oldest recording that is neither finished nor held; 0 without any."
    yield _one("recpipe_oldest_unfinished_seconds", said, max(age, 0.0))


def _results(found: Measures) -> Iterator[Metric]:
    lost = {(track,): seconds for track, seconds in found.lost.items()}
    said = "Media that is missing from the newest version of all recordings."
    yield _gauge("recpipe_lost_seconds", said, ["track"], lost.items())
    said = "Length of the newest version of all recordings."
    yield _one("recpipe_published_seconds", said, found.published)
    said = "Size of all versions that were published."
    yield _one("recpipe_published_bytes", said, found.bytes)
    said = "Bags of the archive, by how they were checked last and how that ended."
    yield _gauge("recpipe_archive_bags", said, ["how", "result"], found.bags.items())


def _watching(found: Measures) -> Iterator[Metric]:
    names = ["store", "destination"]
    seen = {(one.store, one.destination): one for one in found.stores}
    said = "When a store was looked at last with success; 0: never."
    listed = {key: one.listed or 0.0 for key, one in seen.items()}
    yield _gauge("recpipe_store_last_good_look_timestamp_seconds", said, names, listed.items())
    said = "Whether the last look at a store failed."
    blind = {key: float(one.blind) for key, one in seen.items()}
    yield _gauge("recpipe_store_blind", said, names, blind.items())
    said = "When any watcher gave a sign of life last; 0: never."
    life = found.sign_of_life or 0.0
    yield _one("recpipe_watcher_last_sign_of_life_timestamp_seconds", said, life)


def _gauge(
    name: str, said: str, labels: list[str], values: Iterable[tuple[tuple[str, ...], float]]
) -> Metric:
    family = GaugeMetricFamily(name, said, labels=labels)
    for key, value in values:
        family.add_metric(key, value)
    return family


def _one(name: str, said: str, value: float) -> Metric:
    return _gauge(name, said, [], [((), value)])


class _Stages:
    """How long stages took, of attempts that ended since this server began."""

    def __init__(self, ledger: Ledger, registry: CollectorRegistry) -> None:
        said = "Time that the stages of a conversion took."
        self._histogram = Histogram(
            "recpipe_stage_duration_seconds", said, ["stage"], buckets=BUCKETS, registry=registry
        )
        self._ledger = ledger
        self._since: float | None = None
        self._seen: dict[int, float] = {}  # attempts that are counted, and when they ended

    def observe(self) -> None:
        """Count what ended since the last time."""
        try:
            if self._since is None:
                self._since = self._ledger.time()
            found = timed(self._ledger, self._since)
        except RecpipeError:  # told by recpipe_ledger_up
            return
        for one in found:
            if one.id not in self._seen:
                for stage, seconds in one.timings.items():
                    self._histogram.labels(stage).observe(seconds)
        self._seen |= {one.id: one.ended for one in found}
        newest = max(self._seen.values(), default=0.0) - OVERLAP
        self._since = max(self._since, newest)
        self._seen = {id: ended for id, ended in self._seen.items() if ended >= self._since}
