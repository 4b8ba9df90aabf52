"""The receipt of a session: files named after users, and nothing that leads elsewhere."""

import json

import pytest

from pipeline.choices import Format
from pipeline.receipts.read import ReceiptError, read
from pipeline.stages.publish import is_user_file, plain_name, user_key
from pipeline.storage.local import LocalStorage

SID = "3f0c6a52d9e84b17a6c15d20e7b94f83"
ROOM = f"{SID}_room"


def note(**more):
    first = {"size": 3, "sha256": "a" * 64}
    pieces = [{**first, "file": f"{ROOM}__uid_s_7.mp4"}]
    return {
        "schema": 1,
        "recording": ROOM,
        "source": f"/src/{ROOM}",
        "settings": {"format": "mp4"},
        "verdict": "ok",
        "findings": [],
        "proof": None,
        "pieces": pieces,
        "users": [{"uid": "7"}],
        "besides": [{**first, "file": f"{ROOM}.session.json"}],
        "inputs": [
            {
                "key": f"{ROOM}__uid_s_7__uid_e_audio.m3u8",
                "size": 1,
                "etag": None,
                "sha256": "b" * 64,
            }
        ],
        "output": {**first, "file": f"{ROOM}__uid_s_7.mp4"},
        "muxer": {"command": [], "messages": []},
        **more,
    }


def published(tmp_path, made):
    (tmp_path / f"{ROOM}.receipt.json").write_text(json.dumps(made))
    return read(LocalStorage(tmp_path), f"{ROOM}.receipt.json")


def test_files_are_those_of_its_users(tmp_path):
    found = published(tmp_path, note())
    assert [one.key for one in found.files] == [f"{ROOM}__uid_s_7.mp4"]
    assert [one.key for one in found.outputs] == [
        f"{ROOM}__uid_s_7.mp4",
        f"{ROOM}.session.json",
    ]
    assert (found.root, found.agora.cname, found.key) == ("/src/", "room", f"{ROOM}__uid_s_7.mp4")


@pytest.mark.parametrize(
    "file",
    ["../x.mp4", "/etc/passwd", f"{ROOM}.wav", "other__uid_s_7.mp4", f"{ROOM}__uid_s_7.exe", ""],
)
def test_other_names_are_refused(tmp_path, file):
    made = note()
    for one in (made["pieces"][0], made["output"]):
        one["file"] = file
    with pytest.raises(ReceiptError):
        published(tmp_path, made)
    beside = note(besides=[{"file": file, "size": 3, "sha256": "a" * 64}])
    with pytest.raises(ReceiptError):
        published(tmp_path, beside)


def test_names_of_one_run_alone_are_known_again():
    key = user_key(f"out/{ROOM}.mp4", "room__uid_s_7", Format.M4A)
    assert key == f"out/{ROOM}__uid_s_7.m4a"
    own = f"{ROOM}__uid_s_7.{'0' * 16}.m4a"
    assert is_user_file(f"out/{ROOM}.mp4", own)
    assert plain_name(own) == f"{ROOM}__uid_s_7.m4a"
    assert user_key(f"{ROOM}.mp4", "room__uid_s_7__uid_e_video", Format.MP4) == (
        f"{ROOM}__uid_s_7__uid_e_video.mp4"
    )
