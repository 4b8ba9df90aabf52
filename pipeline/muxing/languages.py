"""What ffmpeg leaves out of an MP4, put in afterwards."""

from contextlib import suppress
from pathlib import Path

from pipeline.media.isobmff import sample_tables as mp4
from pipeline.media.malformed import Malformed


def tell_languages(path: Path) -> None:
    """Set the language "und" (ISO/IEC 14496-12 clause 8.4.2.3) where a track of an MP4 has none:
    ffmpeg 5 leaves that of the chapters 0.  A file that cannot be read is left for the proof.
    """
    with path.open("r+b") as file:

        def read(offset: int, length: int) -> bytes:
            file.seek(offset)
            return file.read(length)

        with suppress(Malformed):  # the proof will say so
            moov = mp4.moov_span(read, path.stat().st_size).moov
            for at in mp4.without_language(read(moov.offset, moov.size)):
                file.seek(moov.offset + at)
                file.write(mp4.UNDETERMINED)
