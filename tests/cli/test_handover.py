"""``recpipe record stop --wait``: stopped, waited for and converted, also in several attempts."""

import json
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.agora.bodies import START
from tests.cli.conftest import COMPOSITE, SAMPLES, names, segments
from tests.cli.test_record import SID, started

END = "#EXT-X-ENDLIST\n"
STEM = f"{SID}_{START['cname']}"
NAME = ("--channel", START["cname"], "--uid", START["uid"])
WAIT = ("--wait", "--from", "bucket", "--to", "out")
LATER = 60.0  # seconds; a busy machine takes many times as long as an idle one

pytestmark = pytest.mark.usefixtures("ffmpeg")


@pytest.fixture
def recording(clean):
    """Where the stopped recording lies in its bucket."""
    folder = clean / "bucket" / "directory1" / "directory2"
    folder.mkdir(parents=True)
    for path in (SAMPLES / "composite").iterdir():
        there = folder / path.name.replace(COMPOSITE, STEM)
        shutil.copy(path, there)
        if there.suffix == ".m3u8":
            there.write_text(there.read_text().replace(COMPOSITE, STEM))
    return folder


@pytest.fixture
def agora(agora):
    """A service with one recording that runs."""
    started(agora)
    return agora


def test_stopped_and_converted(recpipe, agora, recording):
    ended = recpipe("record", "stop", *WAIT, "--json")
    assert ended.code == 0, ended.err
    stopped, made = ended.lines
    assert (stopped["command"], stopped["uploading"]) == ("stop", "uploaded")
    assert (made["recording"], made["verdict"]) == (STEM, "ok")
    assert made["output"].endswith(f"out/{STEM}.mp4")
    assert f"{STEM}.m3u8: all of it is there" in ended.err


def test_the_exit_code_is_that_of_convert(recpipe, agora, recording):
    segments(recording)[1].write_bytes(b"<html>502</html>")
    ended = recpipe("record", "stop", *WAIT, "--json", "--format", "m4a")
    assert (ended.code, ended.lines[1]["verdict"]) == (3, "degraded")
    assert names(Path("out")) == [f"{STEM}.m4a", f"{STEM}.m4a.receipt.json"]


def test_again_it_is_not_stopped_again_and_nothing_is_made_twice(recpipe, agora, recording):
    recpipe("record", "stop", *WAIT)
    ended = recpipe("record", "stop", *NAME, *WAIT, "--json")
    assert (ended.code, ended.lines[1]["verdict"]) == (0, "ok")
    assert agora.calls.count("stop") == 1


def test_interrupted_while_it_waits_it_is_gone_on_with(launch, recpipe, agora, recording):
    (playlist,) = recording.glob("*.m3u8")
    playlist.write_text(playlist.read_text().replace(END, ""))
    process = launch("record", "stop", *WAIT)
    line = process.stderr.readline()
    assert line.startswith("recpipe: waiting: ")
    assert line.endswith("all is there but the end of the playlist; unchanged for 600 s?\n")
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=LATER)
    assert process.returncode == 130
    how = f"the same command with --channel {START['cname']} --uid {START['uid']} goes on"
    assert f"recpipe: stopped, and nothing is lost: {how}\n" in err
    assert not Path("out").exists()
    playlist.write_text(playlist.read_text() + END)
    ended = recpipe("record", "stop", *NAME, *WAIT)
    assert ended.code == 0
    assert names(Path("out")) == [f"{STEM}.mp4", f"{STEM}.receipt.json"]
    assert agora.calls.count("stop") == 1


def test_what_never_comes_ends_the_wait(recpipe, agora, recording):
    segments(recording)[1].unlink()
    for path in recording.iterdir():
        path.touch()
    before = time.monotonic()
    ended = recpipe("record", "stop", *WAIT, "--late-deadline", "2s")
    assert ended.code == 75
    assert "1 of 4 segments missing" in ended.err
    assert "nothing new for too long" in ended.err
    assert "stopped, and nothing is lost" in ended.err
    assert time.monotonic() - before < LATER


def test_a_table_of_the_settings_says_where_the_bucket_is(recpipe, agora):
    """Refused before anything is stopped, if nobody says."""
    for wrong, why in (
        (("--wait",), "name with --to where the result goes"),
        (("--to", "out"), "--to is where results go with --wait"),
        (("--wait", "--to", "out"), "bucket recordings of vendor 2, region 3; name the bucket"),
        (("--wait", "--to", "out", "--from", "ftp://x/"), "not supported"),
    ):
        ended = recpipe("record", "stop", *wrong)
        assert (ended.code, agora.calls) == (2, [])
        assert why in ended.err


def test_all_streams_of_a_session_are_waited_for(recpipe, agora, clean):
    folder = clean / "bucket" / "directory1" / "directory2"
    folder.mkdir(parents=True)
    sample = next((SAMPLES / "audio_only").glob("*.m3u8")).stem
    for uid in ("1001", "1002"):
        stream = f"{STEM}__uid_s_{uid}__uid_e_audio"
        for path in (SAMPLES / "audio_only").iterdir():
            there = Path(shutil.copy(path, folder / path.name.replace(sample, stream)))
            if there.suffix == ".m3u8":
                there.write_text(there.read_text().replace(sample, stream))
    (path,) = Path("state/recordings").glob("*.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "mode": "individual"}))
    ended = recpipe("record", "stop", *WAIT, "--json")
    assert ended.code == 0, ended.err
    assert [(line["session"], line["uid"]) for line in ended.lines[1:]] == [
        (STEM, "1001"),
        (STEM, "1002"),
    ]
    assert f"{STEM}: all of it is there" in ended.err
