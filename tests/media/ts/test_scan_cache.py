"""Scans written down and read again."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from pipeline.media.es.codecs import AAC, H264
from pipeline.media.ts import scan_cache as kept
from pipeline.media.ts.scan import Scan, scan

RULES = "these"
SAMPLES = sorted((Path(__file__).parents[3] / "sample_media").rglob("*.ts"))


def scanned(data: bytes, name: str = "a.ts") -> Scan:
    return scan(name, np.frombuffer(data, np.uint8))


def equal(a: object, b: object) -> bool:
    """By value, also where numpy and values without eq are inside."""
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and np.array_equal(a, b)
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[k], b[k]) for k in a)
    if isinstance(a, tuple):
        return len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, Struct) and a not in (H264, AAC):
        return all(equal(getattr(a, f), getattr(b, f)) for f in a.__struct_fields__)
    return a == b


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name[-12:])
def test_a_scan_comes_back_as_it_was(path):
    found = scanned(path.read_bytes(), path.name)
    assert found.streams
    again = kept.loads(kept.dumps(found, RULES), RULES)
    assert again is not None
    assert equal(found, again)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda d: d[: len(d) // 2 + 7], id="cut"),
        pytest.param(lambda d: d[: 188 * 40] + bytes(188 * 9) + d[188 * 49 :], id="zeroed"),
        pytest.param(lambda d: b"", id="empty"),
        pytest.param(lambda d: b"<html></html>" * 99, id="an error page"),
        pytest.param(lambda d: d[188 * 60 :], id="without its beginning"),
    ],
)
def test_so_do_scans_of_damaged_segments(spoil):
    found = scanned(spoil(SAMPLES[0].read_bytes()))
    assert equal(found, kept.loads(kept.dumps(found, RULES), RULES))


def test_other_rules_or_other_fields_are_another_scan(monkeypatch):
    text = kept.dumps(scanned(SAMPLES[0].read_bytes()), RULES)
    assert kept.loads(text, "others") is None
    monkeypatch.setitem(kept._SHAPE, "Scan", ["name"])
    assert kept.loads(text, RULES) is None


def test_nothing_but_scans_is_ever_made():
    noted = json.loads(kept.dumps(replace(scanned(b""), name="x"), RULES))
    for scan_of in (
        {"class": "Path", "is": ["/etc/passwd"]},
        {"class": "Finding", "is": ["X", "error", None, None, 1, "", None]},
        {"codec": "none"},
        {"eval": "1"},
        {"a": 1, "b": 2},
        {"class": "Scan", "is": [1]},
        {"ticks": "AAA"},
        [],
        7,
    ):
        assert kept.loads(json.dumps({**noted, "scan": scan_of}), RULES) is None


@given(st.text() | st.binary().map(repr))
def test_any_other_text_is_no_scan(text):
    assert kept.loads(text, RULES) is None
