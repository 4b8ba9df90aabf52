"""Alert rules and the dashboard: what they ask for is there, and Prometheus understands it."""

import json
import re
import shutil
import subprocess

import pytest

from tests.cli.conftest import ROOT
from tests.ledger.sighted import STORE, TO, enter
from tests.web.test_metrics import publish

FOLDER = ROOT / "scripts" / "monitoring"
RULES = FOLDER / "recpipe.rules.yml"
DASHBOARD = json.loads((FOLDER / "recpipe-dashboard.json").read_text())
EXPRESSIONS = [one["expr"] for panel in DASHBOARD["panels"] for one in panel["targets"]]
NAME = re.compile(r"\brecpipe_\w+")


@pytest.fixture(scope="module")
def promtool():
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool absent; Debian's package prometheus has it")

    def run(*args):
        done = subprocess.run([found, *map(str, args)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_the_rules_are_right(promtool):
    assert f"{RULES.read_text().count('alert:')} rules found" in promtool("check", "rules", RULES)


def test_each_rule_fires_when_it_should_and_only_then(promtool):
    tests = FOLDER / "recpipe.test.yml"
    promtool("test", "rules", tests)
    names = re.findall(r"alert: (\w+)", RULES.read_text())
    text = tests.read_text()
    for name in names:
        assert f"alertname: {name}}}" in text
        assert f'alertname="{name}"' in text


def test_prometheus_understands_the_dashboard(promtool, tmp_path):
    rules = [{"record": f"panel:{n}", "expr": expr} for n, expr in enumerate(EXPRESSIONS)]
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(EXPRESSIONS)} rules found" in promtool("check", "rules", file)


def test_what_is_exposed_is_as_prometheus_wants_it(promtool, browser, tmp_path):
    text = browser.get("/metrics").text
    promtool_path = shutil.which("promtool")
    done = subprocess.run(
        [promtool_path, "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_they_ask_for_metrics_that_there_are(browser, ledger):
    enter(ledger, 1)
    browser.get("/metrics")
    publish(ledger, lost={}, timings={"fetch": 0.1})
    from pipeline.ledger import custody, discovery

    discovery.remember(ledger, STORE, TO, swept=True, floor="", at=7.0)
    entry = {"checked": "2026-01-01T00:00:00Z", "result": "fail"}
    custody.remember(ledger, "s3://vault/", {("a", "full"): entry})
    text = browser.get("/metrics").text
    there = {line.partition("{")[0].partition(" ")[0] for line in text.splitlines()}
    rules = [line for line in RULES.read_text().splitlines() if "expr:" in line]
    asked = {name for expr in (*rules, *EXPRESSIONS) for name in NAME.findall(expr)}
    assert asked - there == set()
    states = set(re.findall(r'state="(\w+)"', "".join((*rules, *EXPRESSIONS))))
    results = set(re.findall(r'result="(\w+)"', "".join(rules)))
    for label in (*(f'state="{s}"' for s in states), *(f'result="{r}"' for r in results)):
        assert label in text


def test_each_panel_has_a_place_of_its_own_and_says_where_it_asks():
    places = [tuple(panel["gridPos"].values()) for panel in DASHBOARD["panels"]]
    assert len(set(places)) == len(places)
    assert all(x + w <= 24 for x, _, w, _ in places)
    assert {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]} == {"${source}"}
