"""What a receipt says of its inputs, and that a report comes back from it unchanged."""

import json
from dataclasses import replace

import pytest

from pipeline.model import (
    Account,
    Entry,
    Finding,
    Hole,
    Piece,
    Proof,
    Report,
    Severity,
    SourceFile,
    StoredObject,
    Total,
    TrackInfo,
    Verdict,
)
from pipeline.receipts.write import only_more_inputs, receipt, report_of, same_inputs, software

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
        (Entry("2.ts", "video", 256, 1.5, lost=1.5, witnesses=("EXTINF", "time stamps")),),
        3,
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


def again(note):
    names = [f"/out/{piece['file']}" for piece in note["pieces"]] or ["/out/a.mp4"]
    return report_of(note, source="/in/a.m3u8", outputs=names, beside="/out/a.receipt.json")


def several():
    """A recording that became two files."""
    first = Piece(0.0, 8.0, "/out/a.1.mp4", 4321, "ab" * 32, REPORT.tracks, REPORT.proof)
    second = Piece(8.5, 3.845678, "/out/a.2.mp4", 99, "ba" * 32, REPORT.tracks[:1], REPORT.proof)
    return replace(REPORT, output="/out/a.1.mp4", pieces=(first, second))


@pytest.mark.parametrize(
    "report",
    [
        pytest.param(REPORT, id="a degraded one"),
        pytest.param(replace(REPORT, findings=(), holes=()), id="nothing found"),
        pytest.param(replace(REPORT, proof=None), id="no proof"),
        pytest.param(several(), id="two files"),
        pytest.param(replace(REPORT, verdict=Verdict.OK, findings=()), id="a good one"),
    ],
)
def test_a_report_comes_back_as_it_was(report):
    assert again(made(report)) == report


def test_receipts_of_older_versions_have_no_account():
    note = made()
    del note["account"]
    assert again(note) == replace(REPORT, account=None)


def test_a_result_is_where_it_lies_now():
    moved = report_of(made(), source="s3://x/a", outputs=["s3://y/b"], beside="s3://y/b.json")
    assert (moved.source, moved.output, moved.receipt) == ("s3://x/a", "s3://y/b", "s3://y/b.json")
    assert moved.recording == REPORT.recording


def test_a_receipt_can_be_read_without_this_tool():
    note = made()
    assert note["schema"] == 1
    assert note["software"] == software()
    assert note["settings"] == {"format": "mp4", "on_loss": "hold"}
    assert note["inputs"][1] == {"key": "in/1.ts", "size": 10, "etag": "e1", "sha256": "cd" * 32}
    assert note["output"]["name"] == "/out/a.mp4"
    assert note["findings"][0]["severity"] == "error"


def at(found, **changed):
    """The same object with something changed."""
    return replace(found, **changed)


@pytest.mark.parametrize(
    ("now", "same", "only_more"),
    [
        pytest.param([LIST, ONE, TWO], True, True, id="the same"),
        pytest.param([TWO, LIST, ONE], True, True, id="in another order"),
        pytest.param(
            [at(o, key=o.key.replace("in/", "")) for o in (LIST, ONE, TWO)],
            True,
            True,
            id="in another folder",
        ),
        pytest.param(
            [at(o, modified=9.0) for o in (LIST, ONE, TWO)], True, True, id="touched in a store"
        ),
        pytest.param([LIST, ONE, TWO, MORE], False, True, id="one more"),
        pytest.param(
            [at(LIST, size=130, etag="x"), ONE, TWO, MORE], False, True, id="the playlist grew"
        ),
        pytest.param([at(LIST, etag="x"), ONE, TWO], False, True, id="another playlist"),
        pytest.param([ONE, TWO], False, True, id="no playlist"),
        pytest.param([LIST, ONE], False, False, id="one gone"),
        pytest.param([LIST, ONE, MORE], False, False, id="one for another"),
        pytest.param([LIST, ONE, at(TWO, etag="x")], False, False, id="one changed"),
        pytest.param([LIST, ONE, at(TWO, size=21)], False, False, id="one grew"),
        pytest.param([LIST, ONE, at(TWO, key="in/two.ts")], False, False, id="one renamed"),
        pytest.param([], False, False, id="nothing left"),
    ],
)
def test_inputs_now_and_then(now, same, only_more):
    note = made()
    assert same_inputs(note, now) is same
    assert only_more_inputs(note, now) is only_more


@pytest.mark.parametrize("etag", [None, "e1"])
def test_a_store_without_etags_is_judged_by_sizes(etag):
    single = at(ONE, etag=etag)
    assert same_inputs(made(inputs=[single]), [single])
    assert not same_inputs(made(inputs=[single]), [at(single, size=11)])
