"""Where the segments of a recording are kept while it is worked on."""

import hashlib
import shutil
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from pipeline.jobs.limits.locks import locked
from pipeline.jobs.options import Options
from pipeline.model import Recording
from pipeline.storage import Storage


def spool_of(recording: Recording, options: Options) -> Path:
    """The folder of a recording, the same in every run."""
    return options.spool / hashlib.sha256(recording.source.encode()).hexdigest()[:32]


def spool_in_use(
    recording: Recording, source: Storage, options: Options
) -> AbstractContextManager[None]:
    """Nobody makes room there meanwhile.  Nothing is needed where segments are read in place."""
    if source.path("") is not None:
        return nullcontext()
    return locked(options.spool, str(spool_of(recording, options)))


def forget(recording: Recording, options: Options) -> None:
    """Segments that were fetched, or re-encoded, are not needed any more."""
    shutil.rmtree(spool_of(recording, options), ignore_errors=True)
