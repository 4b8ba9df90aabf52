"""Places for segments."""

import pytest

from pipeline.storage.local import LocalStorage
from tests.stages.fetch.shelf import DATA


@pytest.fixture
def spool(tmp_path):
    return tmp_path / "spool"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    for key, data in DATA.items():
        (tmp_path / key).write_bytes(data)
    return LocalStorage(tmp_path)
