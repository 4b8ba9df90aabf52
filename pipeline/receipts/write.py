"""Receipts: what was read, what was made of it, and the proof (JSON beside every result)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from pipeline.model import (
    Account,
    Entry,
    Finding,
    Hole,
    Piece,
    Proof,
    Reencoded,
    Report,
    Seam,
    Severity,
    SourceFile,
    StoredObject,
    Total,
    TrackInfo,
    Verdict,
)
from pipeline.stages import publish
from pipeline.storage.names import common_folder
from pipeline.version import VERSION

CONVERTED = "%Y-%m-%dT%H:%M:%SZ"  # when the result was proven: UTC, to the second


def software() -> str:
    """Name and version of this tool."""
    return f"recpipe {VERSION}"


def receipt(
    report: Report,
    inputs: Sequence[SourceFile],
    *,
    settings: Mapping[str, str],
    muxer: Mapping[str, Any],
) -> dict[str, Any]:
    """Everything a later reader needs to judge the result without this tool.

    The same input gives the same result, byte by byte; ``converted`` is all that differs between
    receipts of it.
    """
    return {
        "schema": publish.SCHEMA,
        "software": software(),
        "converted": datetime.now(UTC).strftime(CONVERTED),
        "recording": report.recording,
        "source": report.source,
        "settings": dict(settings),
        "verdict": report.verdict.value,
        "lost_seconds": dict(report.lost_seconds),
        "findings": [asdict(finding) for finding in report.findings],
        "started": report.started,
        "holes": [asdict(hole) for hole in report.holes],
        "joins": [asdict(join) for join in report.joins],
        "reencoded": [asdict(one) for one in report.reencoded],
        "pieces": [_piece(piece) for piece in report.pieces],
        "account": report.account and asdict(report.account),
        "proof": asdict(report.proof) if report.proof else None,
        "inputs": [asdict(source) for source in inputs],
        "output": {
            "name": report.output,
            "size": report.size,
            "sha256": report.sha256,
            "duration": report.pieces[0].duration if report.pieces else report.duration,
            "tracks": [asdict(track) for track in report.tracks],
        },
        "muxer": dict(muxer),
    }


def _piece(piece: Piece) -> dict[str, Any]:
    assert piece.output is not None
    return {**asdict(piece), "file": piece.output.rpartition("/")[2]}


def identities(inputs: Iterable[tuple[str, int, str | None]]) -> set[tuple[str, int, str | None]]:
    """Key, size and ETag of inputs as they are told apart: keys count below the folder that all of
    them lie in, for it may be named from further above another time.
    """
    inputs = list(inputs)
    above = len(common_folder(key for key, _, _ in inputs))
    return {(key[above:], size, etag) for key, size, etag in inputs}


def same_inputs(receipt: Mapping[str, Any], now: Sequence[StoredObject]) -> bool:
    """The listing is what the receipt was made from."""
    return inputs_of(receipt) == identities((o.key, o.size, o.etag) for o in now)


def only_more_inputs(receipt: Mapping[str, Any], now: Sequence[StoredObject]) -> bool:
    """All segments of the receipt are still there and others came; the playlist may have grown."""
    before = {i for i in inputs_of(receipt) if not i[0].endswith(".m3u8")}
    return before <= identities((o.key, o.size, o.etag) for o in now)


def inputs_of(receipt: Mapping[str, Any]) -> set[tuple[str, int, str | None]]:
    """What a result was made of, as inputs are told apart."""
    return identities((i["key"], i["size"], i["etag"]) for i in receipt["inputs"])


def report_of(
    receipt: Mapping[str, Any], *, source: str, outputs: Sequence[str], beside: str
) -> Report:
    """The report of a result that an earlier run made."""
    made = receipt["output"]
    pieces = tuple(
        Piece(
            begin=piece["begin"],
            duration=piece["duration"],
            output=output,
            size=piece["size"],
            sha256=piece["sha256"],
            tracks=tuple(TrackInfo(**track) for track in piece["tracks"]),
            proof=Proof(**piece["proof"]) if piece["proof"] else None,
        )
        for piece, output in zip(receipt.get("pieces", ()), outputs, strict=False)
    )
    findings = [Finding(**{**f, "severity": Severity(f["severity"])}) for f in receipt["findings"]]
    return Report(
        recording=receipt["recording"],
        source=source,
        verdict=Verdict(receipt["verdict"]),
        findings=tuple(findings),
        output=outputs[0],
        receipt=beside,
        duration=pieces[-1].begin + pieces[-1].duration if pieces else made["duration"],
        lost_seconds=receipt["lost_seconds"],
        size=made["size"],
        sha256=made["sha256"],
        tracks=tuple(TrackInfo(**track) for track in made["tracks"]),
        proof=Proof(**receipt["proof"]) if receipt["proof"] else None,
        started=receipt.get("started"),
        holes=tuple(Hole(**hole) for hole in receipt["holes"]),
        joins=tuple(Seam(**join) for join in receipt.get("joins", ())),
        reencoded=tuple(Reencoded(**one) for one in receipt.get("reencoded", ())),
        account=_account(receipt.get("account")),
        pieces=pieces,
    )


def _account(written: Mapping[str, Any] | None) -> Account | None:
    """As it was written; older receipts have none."""
    if written is None:
        return None
    rows = [Entry(**{**row, "witnesses": tuple(row["witnesses"])}) for row in written["slots"]]
    return Account(tuple(Total(**t) for t in written["tracks"]), tuple(rows), written["more"])
