"""What ffmpeg leaves out of a file, put in afterwards."""

from contextlib import suppress
from pathlib import Path

from pipeline.media.isobmff import sample_tables as mp4
from pipeline.media.malformed import Malformed


def tell_languages(path: Path) -> None:
    """ffmpeg 5 gives the track of chapters no language, not even none."""
    with path.open("r+b") as file:

        def read(offset: int, length: int) -> bytes:
            file.seek(offset)
            return file.read(length)

        with suppress(Malformed):  # the proof will say so
            moov = mp4.moov_span(read, path.stat().st_size).moov
            for at in mp4.without_language(read(moov.offset, moov.size)):
                file.seek(moov.offset + at)
                file.write(mp4.UNDETERMINED)
