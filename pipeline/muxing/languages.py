"""What ffmpeg leaves out of an MP4, put in afterwards."""

from collections.abc import Iterator
from pathlib import Path

from pipeline.media.isobmff import sample_tables as mp4
from pipeline.muxing.patch import patch_moov


def tell_languages(path: Path) -> None:
    """Set the language "und" (ISO/IEC 14496-12 clause 8.4.2.3) where a track of an MP4 has none:
    ffmpeg 5 leaves that of the chapters 0.
    """
    patch_moov(path, _undetermined)


def _undetermined(moov: bytes) -> Iterator[tuple[int, bytes]]:
    for at in mp4.without_language(moov):
        yield at, mp4.UNDETERMINED
