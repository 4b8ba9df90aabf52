"""Many small recordings: copies of a sample, each under a ``sid`` of its own."""

import re
from collections.abc import Iterator
from pathlib import Path

SAMPLES = Path(__file__).parents[1] / "sample_media"
AUDIO = SAMPLES / "audio_only"
_SID = re.compile(r"[0-9a-f]{32}")


def copies(count: int, sample: Path = AUDIO) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of every file of so many recordings."""
    files = {path.name: path.read_bytes() for path in sorted(sample.iterdir())}
    for number in range(count):
        sid = f"{number:032x}"
        for name, data in files.items():
            if name.endswith(".m3u8"):
                data = _SID.sub(sid, data.decode()).encode()
            yield _SID.sub(sid, name), data


def write_copies(folder: Path, count: int, sample: Path = AUDIO) -> Path:
    """The same as files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in copies(count, sample):
        (folder / name).write_bytes(data)
    return folder
