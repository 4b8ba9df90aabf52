"""The same tests on SQLite and on a real PostgreSQL."""

from collections.abc import Callable

import pytest

from pipeline.ledger.ledger import Ledger


@pytest.fixture
def ledger(opened: Callable[[str], Ledger]) -> Ledger:
    """One of them."""
    return opened("host:1")
