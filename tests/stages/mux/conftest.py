"""What stands in for ffmpeg."""

import pytest

from pipeline.muxing.locate import Ffmpeg


@pytest.fixture
def fake(tmp_path):
    """A script in the place of ffmpeg; ``$out`` is the file it is to make."""

    def make(text):
        script = tmp_path / "ffmpeg"
        last = "for word; do out=$before; before=$word; done\n"
        script.write_text(f"#!/bin/sh\n{last}{text}\n")
        script.chmod(0o755)
        return Ffmpeg(script, script, "fake", {})

    return make
