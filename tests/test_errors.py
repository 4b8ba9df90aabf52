"""Errors go to logs, the ledger and JSON: what may be in their text."""

import pytest

from pipeline.errors import RecpipeError, masked


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at http://joe:hush@host/b?c", "at http://...@host/b?c"),
        ('"https://hush@host"', '"https://...@host"'),
        ("http://joe:h@sh@host:1/", "http://...@host:1/"),
        ("list /data/http:/joe:hush@host: no", "list /data/http:/...@host: no"),
        ("postgresql+psycopg://joe:hush@db/x", "postgresql+psycopg://...@db/x"),
        ("one a://x@h two b://y@i", "one a://...@h two b://...@i"),
        ("s3://bucket/2026/a@b.ts", "s3://bucket/2026/a@b.ts"),
        ("http://host/path of joe@host", "http://host/path of joe@host"),
        ("joe@host: @calls/a", "joe@host: @calls/a"),
    ],
)
def test_a_user_and_a_password_in_a_url_are_left_out(text, shown):
    assert masked(text) == shown
    assert str(RecpipeError(text)) == shown
