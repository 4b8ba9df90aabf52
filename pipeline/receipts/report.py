"""The report of an earlier run, from the receipt of its result."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import ValidationError, convert
from msgspec.structs import replace

from pipeline.model import (
    Account,
    AccountEntry,
    CaptionTrack,
    Coverage,
    Finding,
    Hole,
    Piece,
    Proof,
    Reencoded,
    Report,
    Seam,
    Severity,
    Total,
    TrackCoverage,
    TrackInfo,
    Verdict,
)
from pipeline.receipts.read import Published, ReceiptError
from pipeline.storage.names import printable

OF_A_FILE = ("output", "size", "sha256", "tracks", "proof")


def reported(made: Published) -> Report:
    """The report of the run that published a result.

    Raises ``ReceiptError`` if the receipt lacks something or has another type.
    """
    outputs = [one.key for one in made.outputs]
    try:
        return report_of(made.receipt, source=made.root, outputs=outputs, beside=made.receipt_key)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        said = f"{printable(made.receipt_key)}: not as this tool writes it; convert again"
        raise ReceiptError(said) from error


def report_of(
    receipt: Mapping[str, Any], *, source: str, outputs: Sequence[str], beside: str
) -> Report:
    """The report in a receipt; ``beside`` is the receipt's key, ``outputs`` are those of the files.

    Raises ``ValueError``, ``KeyError``, ``TypeError`` or ``AttributeError`` for another shape.
    """
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
            started=piece.get("started"),
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
        coverage=_coverage(receipt.get("coverage")),
        pieces=pieces,
        captions=_captions(receipt.get("captions", ())),
        users=tuple(_user(user, source, pieces, beside) for user in receipt.get("users", ())),
    )


def _captions(written: Sequence[Any]) -> tuple[CaptionTrack, ...]:
    """What is said of the subtitle tracks; receipts of results without have none."""
    try:
        return convert(written, tuple[CaptionTrack, ...])
    except ValidationError as error:
        raise ValueError(str(error)) from error


def _user(written: Mapping[str, Any], source: str, pieces: Sequence[Piece], beside: str) -> Report:
    """What became of one user of a session; ``pieces`` are the files of all."""
    told = {name: value for name, value in written.items() if name != "files"}
    try:
        report = convert({**told, "source": source, "receipt": beside}, Report)
    except ValidationError as error:
        raise ValueError(str(error)) from error
    named = {piece.output.rpartition("/")[2]: piece for piece in pieces if piece.output}
    own = [named[file] for file in written["files"]]
    if not own:
        return report
    first = own[0]
    proven = {
        name: getattr(first, name) for name in ("output", "size", "sha256", "tracks", "proof")
    }
    begins = (replace(piece, begin=round(piece.begin - first.begin, 6)) for piece in own)
    return replace(report, **proven, pieces=tuple(begins) if len(own) > 1 else ())


def _account(written: Mapping[str, Any] | None) -> Account | None:
    """As it was written; older receipts have none."""
    if written is None:
        return None
    rows = [
        AccountEntry(**{**row, "witnesses": tuple(row["witnesses"])}) for row in written["slots"]
    ]
    return Account(tuple(Total(**t) for t in written["tracks"]), tuple(rows), written["more"])


def _coverage(written: Mapping[str, Any] | None) -> Coverage | None:
    """As it was written; older receipts have none."""
    if written is None:
        return None
    tracks = [
        TrackCoverage(**{**one, "begin": tuple(one["begin"]), "end": tuple(one["end"])})
        for one in written["tracks"]
    ]
    return Coverage(tuple(written["segments"]), tuple(tracks))
