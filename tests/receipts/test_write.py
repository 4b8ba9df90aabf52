"""A receipt says what a later reader needs."""

from pipeline.receipts.write import software
from tests.receipts.notes import made


def test_a_receipt_can_be_read_without_this_tool():
    note = made()
    assert note["schema"] == 1
    assert note["software"] == software()
    assert note["settings"] == {"format": "mp4", "on_loss": "hold"}
    assert note["inputs"][1] == {"key": "in/1.ts", "size": 10, "etag": "e1", "sha256": "cd" * 32}
    assert note["output"]["name"] == "/out/a.mp4"
    assert note["findings"][0]["severity"] == "error"
