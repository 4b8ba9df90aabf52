"""Keys: what they have in common."""

import pytest

from pipeline.storage.names import common_folder


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
