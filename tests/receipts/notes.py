"""Receipts: one of a degraded recording, and whole ones as short as they can be."""

import json

from pipeline.model import (
    Account,
    AccountEntry,
    Coverage,
    Finding,
    Hole,
    Proof,
    Report,
    Severity,
    SourceFile,
    StoredObject,
    Total,
    TrackCoverage,
    TrackInfo,
    Verdict,
)
from pipeline.receipts.write import receipt
from pipeline.stages.publish import SCHEMA

LIST = StoredObject("in/a.m3u8", 100, "e0", 1.0)
ONE = StoredObject("in/1.ts", 10, "e1", 2.0)
TWO = StoredObject("in/2.ts", 20, "e2", 3.0)
MORE = StoredObject("in/3.ts", 30, "e3", 4.0)

REPORT = Report(
    "sid_room",
    "/in/a.m3u8",
    Verdict.DEGRADED,
    (
        Finding("SEG_MISSING", Severity.ERROR, "2.ts", detail="not there", repair="hole kept"),
        Finding("TS_NULL", Severity.INFO, "1.ts", 256, 7, "odd \N{SNOWMAN} caf\udce9"),
    ),
    output="/out/a.mp4",
    receipt="/out/a.receipt.json",
    duration=12.345678,
    lost_seconds={"video": 1.5, "audio": 0.0},
    size=4321,
    sha256="ab" * 32,
    tracks=(
        TrackInfo("video", "h264", 180, 12.0, width=320, height=180),
        TrackInfo("audio", "aac", 560, 12.1, sample_rate=48000, channels=1),
    ),
    proof=Proof(counts=True, timestamps=True, bytes=True, max_error_ticks=1.25),
    holes=(Hole("video", 3.0, 1.5, "3.ts"),),
    account=Account(
        (Total("video", 256, 9, 13.5, 12.0, 1.5, 0.0, 0.0, 0.0, 180, 4000, 4400, 7, 0),),
        (AccountEntry("2.ts", "video", 256, 1.5, lost=1.5, witnesses=("EXTINF", "time stamps")),),
        3,
    ),
    coverage=Coverage(
        ("1.ts", "3.ts"), (TrackCoverage("video", 256, 0.0, 0.5, (0.0, None), (3.0, None)),)
    ),
)


def made(report=REPORT, inputs=(LIST, ONE, TWO)):
    """A receipt as it is read from a file."""
    sources = [SourceFile(o.key, o.size, o.etag, "cd" * 32) for o in inputs]
    note = receipt(
        report,
        sources,
        settings={"format": "mp4", "on_loss": "hold"},
        muxer={"version": "6.0", "command": [], "messages": []},
    )
    return json.loads(json.dumps(note))


def note(source="/in/talk.m3u8", key="talk.m3u8", size=1200, sha256="2" * 64, **other):
    """A receipt of one file that was made of one playlist."""
    return {
        "schema": SCHEMA,
        "recording": "talk",
        "source": source,
        "settings": {"format": "mp4"},
        "verdict": "ok",
        "findings": [],
        "proof": None,
        "inputs": [{"key": key, "size": 5, "etag": "e", "sha256": "1" * 64}],
        "output": {"size": size, "sha256": sha256},
        "muxer": {"command": [], "messages": []},
        **other,
    }


def text(receipt):
    """As it lies in a store."""
    return json.dumps(receipt).encode()
