"""recpipe: one MP4 per Agora Cloud Recording, proven to hold everything the slices held.

    import pipeline

    for outcome in pipeline.convert("recordings/", "out/"):
        if isinstance(outcome, pipeline.Report):
            print(outcome.recording, outcome.verdict, outcome.output)
        else:
            print(outcome.source, outcome.error)

Everything below is loaded when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.agora.client import AgoraClient
    from pipeline.errors import (
        AgoraError,
        BusyError,
        ChangedError,
        DeniedError,
        DiskFullError,
        ExecutorLostError,
        ExistsError,
        FfmpegMissingError,
        LeaseLostError,
        LedgerError,
        MuxingError,
        NotFoundError,
        NoticeError,
        RecpipeError,
        RefusedError,
        StorageError,
        TemporaryError,
        UnplannedError,
        UnsafePathError,
        UsageError,
    )
    from pipeline.jobs.from_python import check, convert
    from pipeline.jobs.outcomes import Failure
    from pipeline.model import Finding, Recording, Report, Severity, Verdict

__all__ = [
    "AgoraClient",
    "AgoraError",
    "BusyError",
    "ChangedError",
    "DeniedError",
    "DiskFullError",
    "ExecutorLostError",
    "ExistsError",
    "Failure",
    "FfmpegMissingError",
    "Finding",
    "LeaseLostError",
    "LedgerError",
    "MuxingError",
    "NotFoundError",
    "NoticeError",
    "Recording",
    "RecpipeError",
    "RefusedError",
    "Report",
    "Severity",
    "StorageError",
    "TemporaryError",
    "UnplannedError",
    "UnsafePathError",
    "UsageError",
    "Verdict",
    "check",
    "convert",
]

_HOMES = {
    "pipeline.agora.client": ("AgoraClient",),
    "pipeline.jobs.from_python": ("check", "convert"),
    "pipeline.jobs.outcomes": ("Failure",),
    "pipeline.model": ("Finding", "Recording", "Report", "Severity", "Verdict"),
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = next((home for home, names in _HOMES.items() if name in names), "pipeline.errors")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
