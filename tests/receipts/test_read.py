"""What a receipt says of where its inputs lie."""

import pytest

from pipeline.receipts.read import ReceiptError, read
from tests.receipts.notes import note, text
from tests.shelf import Shelf

SID = "0a93a5e0c1d44f7c8d5e6b7a1f2c3d4e"


def published(source, key):
    shelf = Shelf({"out.receipt.json": text(note(source=source, key=key))})
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
