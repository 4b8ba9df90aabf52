"""The same tests on SQLite and on a real PostgreSQL."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from pipeline.jobs.ledger.handle import Ledger
from pipeline.jobs.ledger.tables import metadata
from tests.jobs.conftest import new_database


@pytest.fixture(scope="session")
def shared(postgres: str) -> Iterator[str]:
    """A database on PostgreSQL that is emptied after each test: a new one takes long."""
    with new_database(postgres) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], Ledger]]:
    """Empty ledgers on one database, each as another watcher would open it."""
    on_server = request.param == "postgresql"
    url = request.getfixturevalue("shared") if on_server else f"sqlite:///{tmp_path}/ledger.db"
    made = []

    def one(actor: str) -> Ledger:
        ledger = Ledger(url)
        ledger.actor = actor
        made.append(ledger)
        return ledger

    yield one
    if on_server:
        with one("cleaner").writing() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(sa.delete(table))
    for ledger in made:
        ledger.engine.dispose()


@pytest.fixture
def ledger(opened: Callable[[str], Ledger]) -> Ledger:
    """One of them."""
    return opened("host:1")
