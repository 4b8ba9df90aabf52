"""Technical metadata of the access copy, as ffprobe and MediaInfo read it.

The only module that imports pymediainfo.
"""

import json
import re
import tempfile
from pathlib import Path
from typing import Any

from pipeline.choices import Format
from pipeline.errors import MuxingError
from pipeline.muxing import file_commands
from pipeline.muxing.locate import Ffmpeg
from pipeline.muxing.run import run
from pipeline.storage.oserrors import os_errors

EBUCORE = "EBUCore_1.8_ps"


def ffprobe(ffmpeg: Ffmpeg, path: Path, format: Format, name: str) -> bytes:
    """Container and streams as JSON, with ``name`` in place of the path.

    Raises ``MuxingError`` if ffprobe fails or says nothing.
    """
    argv = file_commands.describe(ffmpeg.ffprobe, path, format)
    with tempfile.TemporaryFile() as output:
        run(argv, env=ffmpeg.env, stdout=output.fileno())
        output.seek(0)
        try:
            told: Any = json.load(output)
            told["format"]["filename"] = name
        except (ValueError, KeyError, TypeError) as error:
            raise MuxingError(f"ffprobe says nothing of {name}; run again") from error
    return (json.dumps(told, indent=1, ensure_ascii=False) + "\n").encode()


def mediainfo(path: Path) -> bytes:
    """EBUCore 1.8 as XML.  Read through a file object, so that no local path is in it."""
    from pymediainfo import MediaInfo

    with os_errors(f"read {path}"), path.open("rb") as file:
        told = MediaInfo.parse(file, output=EBUCORE)
    return str(told).encode()


def mediainfo_version(told: bytes) -> str | None:
    """The version of MediaInfoLib, from what ``mediainfo`` returned; None if it does not say."""
    match = re.search(rb'writingLibraryVersion="([^"]+)"', told)
    return match and match[1].decode("utf-8", "replace")
