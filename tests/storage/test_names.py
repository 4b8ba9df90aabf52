"""Keys: what they have in common; and which texts may be given to any library."""

import pytest

from pipeline.storage.names import common_folder, is_endpoint, is_etag


@pytest.mark.parametrize(
    ("keys", "folder"),
    [
        ([], ""),
        (["a.ts"], ""),
        (["x/a.ts"], "x/"),
        (["x/y/a.ts", "x/y/b/c.ts"], "x/y/"),
        (["x/ya/a.ts", "x/yb/a.ts"], "x/"),
        (["x/a.ts", "x.ts"], ""),
        (["x//a.ts", "x//b/a.ts"], "x//"),
        (["x/y/", "x/y/z/"], "x/y/"),
    ],
)
def test_the_folder_that_all_keys_lie_in(keys, folder):
    assert common_folder(keys) == folder == common_folder(keys[::-1])


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("d41d8cd98f00b204e9800998ecf8427e", True),
        ("0x8DCF1E2A3B4C5D6", True),
        ("d41d8cd98f00b204e9800998ecf8427e-12", True),
        ("!#~", True),
        ("a\nb", False),
        ("a\n", False),
        ("a b", False),
        ('a"b', False),
        ("\0", False),
        ("\x7f", False),
        ("é", False),
        ("\ud800", False),
    ],
)
def test_what_an_etag_may_hold(text, plain):
    assert is_etag(text) is plain


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("https://account.blob.core.windows.net", True),
        ("http://127.0.0.1:10000/devstoreaccount1", True),
        ("http://localhost:1", True),
        ("http://[::1]:65535/", True),
        ("http://weed_1.local/a%20b?c=d", True),
        ("http://127.0.0.1:65536", False),
        ("http://127.0.0.1:0", False),
        ("http://[::1", False),
        ("http://[1:2]:3", False),
        ("http://exa mple", False),
        ("http://é.example", False),
        ("http://host/a b", False),
        ("http://host/é", False),
        ("http://host\n", False),
        ("http://user:secret@host", False),
        ("http://host/a@b", False),
        ("http://", False),
        ("ftp://host", False),
        ("host", False),
    ],
)
def test_which_endpoints_may_be_given_to_any_library(text, plain):
    assert is_endpoint(text) is plain
