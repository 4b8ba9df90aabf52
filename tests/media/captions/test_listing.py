"""Which files are captions."""

import pytest

from pipeline.media.captions.listing import OURS, is_caption, lists_captions
from pipeline.stages.publish import SPEAKERS


def test_what_this_tool_writes_is_no_caption():
    assert SPEAKERS[1] == OURS
    assert [is_caption(name) for name in ("a.vtt", "A.VTT", "a.speakers.vtt", "a.ts")] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("text", "so"),
    [
        pytest.param(b"#EXTM3U\n#EXTINF:60,\na.vtt\n", True, id="captions"),
        pytest.param(b"#EXTM3U\r\n#EXTINF:60,\r\na.VTT\r\n", True, id="in other letters"),
        pytest.param(b"#EXTM3U\n#EXTINF:60,\na.vtt\n#EXTINF:4,\nb.ts\n", False, id="media as well"),
        pytest.param(b"#EXTM3U\n", False, id="nothing"),
    ],
)
def test_a_playlist_of_captions_lists_nothing_else(text, so):
    assert lists_captions(text) is so
