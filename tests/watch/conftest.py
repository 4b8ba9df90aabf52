"""A ledger of its own for every test; SQLite, as its own tests run on both databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.ledger.ledger import Ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Empty."""
    with Ledger(f"sqlite:///{tmp_path}/ledger.db") as made:
        yield made
