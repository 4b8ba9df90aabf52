"""A few bytes of the index of an MP4 changed in place."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from pipeline.media.isobmff import sample_tables as mp4
from pipeline.media.malformed import Malformed

Changes = Callable[[bytes], Iterable[tuple[int, bytes]]]


def patch_moov(path: Path, changes: Changes) -> None:
    """Write what ``changes`` makes of the moov box (ISO/IEC 14496-12 clause 8.2.1): bytes, and
    where in it they belong.  A file that cannot be read is left for the proof.
    """
    with path.open("r+b") as file:

        def read(offset: int, length: int) -> bytes:
            file.seek(offset)
            return file.read(length)

        with suppress(Malformed):
            moov = mp4.moov_span(read, path.stat().st_size).moov
            for at, data in changes(read(moov.offset, moov.size)):
                file.seek(moov.offset + at)
                file.write(data)
