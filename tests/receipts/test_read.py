"""What a receipt says of where its inputs lie."""

import pytest
from msgspec.structs import replace

from pipeline.receipts.read import ReceiptError, read
from tests.receipts.notes import note, text
from tests.shelf import Shelf

SID = "0a93a5e0c1d44f7c8d5e6b7a1f2c3d4e"


def published(source, key, **more):
    shelf = Shelf({"out.receipt.json": text(note(source=source, key=key, **more))})
    return read(shelf, "out.receipt.json")


@pytest.mark.parametrize(
    ("source", "key", "root"),
    [
        ("s3://calls/2026/talk.m3u8", "2026/talk.m3u8", "s3://calls/"),
        ("/in/talk.m3u8", "talk.m3u8", "/in/"),
        (f"/in/{SID}_room.m3u8", f"{SID}_room_17_0.m3u8", "/in/"),
        (f"s3://calls/2026/{SID}_room.m3u8", f"2026/{SID}_room_17_0.m3u8", "s3://calls/"),
    ],
    ids=["a bucket", "a folder", "a forwarded playlist", "one in a bucket"],
)
def test_the_source_tells_what_keys_are_relative_to(source, key, root):
    assert published(source, key).root == root


@pytest.mark.parametrize("key", ["other.m3u8", "talk_1.m3u8", "talk_17_0.ts", "2026/talk.m3u8"])
def test_a_source_that_no_input_belongs_to_is_refused(key):
    with pytest.raises(ReceiptError):
        published("/in/talk.m3u8", key)


def test_a_forwarded_playlist_is_of_the_same_channel():
    assert published(f"/in/{SID}_room.m3u8", f"{SID}_room_17_0.m3u8").agora.cname == "room"


@pytest.mark.parametrize(
    ("told", "lost"),
    [
        ({"video": 1.5, "audio": 0}, {"video": 1.5, "audio": 0.0}),
        ({"video": -1, "audio": "2"}, {}),
        ({"video": True, "audio": 1e300}, {}),
        ([1.5], {}),
        (None, {}),
    ],
)
def test_what_was_lost_as_far_as_the_receipt_says(told, lost):
    assert published("/in/talk.m3u8", "talk.m3u8", lost_seconds=told).lost == lost


@pytest.mark.parametrize(
    ("pieces", "seconds"),
    [
        ([], None),
        ([{"begin": 0.0, "duration": 5.0}, {"begin": 5.0, "duration": 7.0}], 12.0),
        ([{"begin": "x", "duration": 5.0}], None),
        (["x"], None),
    ],
)
def test_how_long_a_result_of_several_files_is(pieces, seconds):
    made = published("/in/talk.m3u8", "talk.m3u8")
    receipt = {**made.receipt, "pieces": pieces, "output": {**made.receipt["output"]}}
    receipt["output"].pop("duration", None)
    assert replace(made, receipt=receipt).seconds == seconds
