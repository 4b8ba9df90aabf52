"""``/metrics``, ``/healthz`` and ``/readyz``."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipeline.ledger import claims, custody, discovery, queries
from pipeline.ledger.claims import PublishedVersion
from pipeline.ledger.states import State
from pipeline.model import Verdict
from tests.ledger.sighted import STORE, TO, enter, sighting
from tests.web.sender import headers, notice


def scrape(browser):
    """Values by name and labels, as Prometheus reads them."""
    answer = browser.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    families = [*text_string_to_metric_families(answer.text)]
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def publish(ledger, *, lost, seconds=60.0, timings=None):
    (one,), _ = claims.claim(ledger, [STORE], TO, count=1, lease=60.0)
    verdict = Verdict.DEGRADED if any(lost.values()) else Verdict.OK
    made = PublishedVersion(
        1, verdict, f"{TO}a.mp4", f"{TO}a.json", 1000, "0" * 64, (), (), seconds, lost
    )
    claims.published(ledger, one, made, ffmpeg="5", timings=timings)


def test_an_empty_ledger_has_all_states(browser):
    found = scrape(browser)
    for state in State:
        assert found["recpipe_recordings", state.value, ""] == 0
    assert found["recpipe_ledger_up",] == 1
    assert found["recpipe_oldest_unfinished_seconds",] == 0
    assert found["recpipe_watcher_last_sign_of_life_timestamp_seconds",] == 0


def test_recordings_by_state_and_verdict_and_what_is_lost(browser, ledger):
    enter(ledger, 4)
    publish(ledger, lost={"video": 15.0, "audio": 2.5})
    publish(ledger, lost={"video": 0.0, "audio": 0.5}, seconds=30.0)
    publish(ledger, lost={})
    queries.hold(ledger, f"{3:032x}", held=True)
    found = scrape(browser)
    assert found["recpipe_recordings", "published", "degraded"] == 2
    assert found["recpipe_recordings", "published", "ok"] == 1
    assert found["recpipe_recordings", "ready", ""] == 1
    assert found["recpipe_recordings_held",] == 1
    assert found["recpipe_lost_seconds", "video"] == 15.0
    assert found["recpipe_lost_seconds", "audio"] == 3.0
    assert found["recpipe_published_seconds",] == 150.0
    assert found["recpipe_published_bytes",] == 3000


def test_the_oldest_that_is_unfinished_is_told_but_not_one_that_is_held(browser, ledger):
    enter(ledger, 2, State.LATE)
    with ledger.writing() as connection:
        connection.exec_driver_sql("UPDATE recordings SET first_seen = first_seen - 500 * id")
    assert scrape(browser)["recpipe_oldest_unfinished_seconds",] == pytest.approx(1000, abs=30)
    queries.hold(ledger, f"{1:032x}", held=True)
    assert scrape(browser)["recpipe_oldest_unfinished_seconds",] == pytest.approx(500, abs=30)


def test_a_changed_recording_waits_since_it_changed(browser, ledger):
    enter(ledger, 1, State.CHANGED)
    with ledger.writing() as connection:
        connection.exec_driver_sql("UPDATE recordings SET first_seen = 0.0, version = 1")
    assert scrape(browser)["recpipe_oldest_unfinished_seconds",] < 60


def test_stores_watchers_and_bags(browser, ledger):
    discovery.remember(ledger, "s3://a/", TO, swept=True, floor="", at=1e9)
    discovery.blind(ledger, "s3://b/", TO, "denied")
    queries.run_begins(ledger, "watch")
    entry = {"checked": "2026-01-01T00:00:00Z", "result": "fail"}
    custody.remember(ledger, "s3://vault/", {("a", "full"): entry})
    found = scrape(browser)
    assert found["recpipe_store_last_good_look_timestamp_seconds", TO, "s3://a/"] == 1e9
    assert found["recpipe_store_last_good_look_timestamp_seconds", TO, "s3://b/"] == 0
    assert found["recpipe_store_blind", TO, "s3://a/"] == 0
    assert found["recpipe_store_blind", TO, "s3://b/"] == 1
    life = found["recpipe_watcher_last_sign_of_life_timestamp_seconds",]
    assert life == pytest.approx(ledger.time(), abs=30)
    assert found["recpipe_archive_bags", "full", "fail"] == 1


def test_stages_are_counted_once_from_when_the_server_began(browser, ledger):
    enter(ledger, 3)
    publish(ledger, lost={}, timings={"fetch": 100.0})
    with ledger.writing() as connection:
        connection.exec_driver_sql("UPDATE attempts SET ended = ended - 60")
    scrape(browser)
    publish(ledger, lost={}, timings={"fetch": 0.2, "verify": 7.0})
    publish(ledger, lost={}, timings={"fetch": 0.3})
    for _ in range(2):
        found = scrape(browser)
        assert found["recpipe_stage_duration_seconds_count", "fetch"] == 2
        assert found["recpipe_stage_duration_seconds_sum", "fetch"] == 0.5
        assert found["recpipe_stage_duration_seconds_bucket", "5.0", "verify"] == 0
        assert found["recpipe_stage_duration_seconds_bucket", "10.0", "verify"] == 1


def test_notifications_by_what_became_of_them(browser):
    raw = notice(31)
    for given in (headers(raw), headers(raw), {}):
        browser.post("/agora/events", content=raw, headers=given)
    found = scrape(browser)
    counts = {key[1]: n for key, n in found.items() if key[0] == "recpipe_notifications_total"}
    assert {key: n for key, n in counts.items() if n} == {"new": 1, "duplicate": 1, "forged": 1}
    assert len(counts) == 9


def test_hostile_names_are_labels(browser, ledger):
    name = 's3://a"}\nrecpipe_ledger_up 0\n<script>/'
    discovery.remember(ledger, name, TO, swept=True, floor="", at=7.0)
    found = scrape(browser)
    assert found["recpipe_store_last_good_look_timestamp_seconds", TO, name] == 7.0
    assert found["recpipe_ledger_up",] == 1


def test_alive_and_ready(browser):
    for path in ("/healthz", "/readyz"):
        answer = browser.get(path)
        assert (answer.status_code, answer.json()) == (200, {"ok": True})


def test_without_its_ledger_it_lives_and_is_not_ready(browser, ledger):
    sighted = [sighting(0)]
    discovery.note(ledger, TO, sighted)
    with ledger.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE recordings RENAME TO elsewhere")
    ledger.engine.dispose()
    found = scrape(browser)
    assert found["recpipe_ledger_up",] == 0
    assert ("recpipe_recordings", "ready", "") not in found
    assert browser.get("/healthz").status_code == 200


def test_when_the_ledger_does_not_answer_it_is_not_ready(browser, ledger, monkeypatch):
    def silent():
        from pipeline.errors import LedgerError

        raise LedgerError("no answer")

    monkeypatch.setattr(ledger, "time", silent)
    answer = browser.get("/readyz")
    assert (answer.status_code, answer.json()["error"]) == (503, "the ledger does not answer")
