"""Indexes over both streams of a user."""

import re
from xml.etree import ElementTree

from tests.simulator.session.conftest import stream

SPACE = "{urn:mpeg:dash:schema:mpd:2011}"
# as Agora's converter reads it, line by line
ROTATED = re.compile(r'(.*)width="([0-9]+)" height="([0-9]+)" rotate="([0-9]+)" time="([0-9]+)"')
BEGUN = re.compile(r'(.*)ExtDiscontinuity time="([0-9]+)"')
LISTED = re.compile(r'(.*)media="((.*)_([a-zA-Z]+)_([0-9]+).*)"')


def test_a_user_of_a_browser_has_an_mpd(stored):
    made, folder = stored(
        *("1001:rotate@4:90", "1001:leave@6", "1001:join@22"),
        users=2,
        web={"1001": "vp8"},
        standard=True,
        duration=26.0,
        slice=5,
    )
    (path,) = folder.glob("*.mpd")
    assert path.name.endswith("__uid_s_1001__uid_e_av.mpd")
    other = path.name.replace("1001", "1002").replace(".mpd", ".m3u8")
    assert [found.name for found in folder.glob("*_av.m3u8")] == [other]
    assert made.as_json()["indexes"] == [path.name, other]
    found = {"video": [], "audio": []}
    kind = ""
    for line in path.read_text().splitlines():
        kind = "video" if "video" in line else "audio" if "audio" in line else kind
        for name, form in (("turn", ROTATED), ("begin", BEGUN), ("file", LISTED)):
            if match := form.match(line):
                found[kind].append((name, match[4] if name == "turn" else match[2]))
    for stream_kind in ("audio", "video"):
        files = [text for name, text in found[stream_kind] if name == "file"]
        assert files
        assert all((folder / name).exists() for name in files)
        assert sum(name == "begin" for name, _ in found[stream_kind]) == 2
    assert [text for name, text in found["video"] if name == "turn"] == ["0", "90", "90"]
    assert stream(made, "1001", "video")["playlist"].endswith("_video.m3u8")


def test_it_is_xml(stored):
    _, folder = stored(users=1, web={"1001": "vp9"}, standard=True, duration=6.0)
    (path,) = folder.glob("*.mpd")
    root = ElementTree.fromstring(path.read_bytes())
    sets = root.findall(f"{SPACE}Period/{SPACE}AdaptationSet")
    assert [one.get("mimeType") for one in sets] == ["audio/webm", "video/webm"]
