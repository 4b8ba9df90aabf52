"""Databases for a ledger."""

import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from pipeline.ledger.database.tables import metadata
from pipeline.ledger.ledger import Ledger


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database with nothing in it."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/state/ledger.db"
    else:
        with new_database(request.getfixturevalue("postgres")) as url:
            yield url


@contextmanager
def new_database(server: str) -> Iterator[str]:
    """A database of its own on a PostgreSQL server."""
    name = f"test_{secrets.token_hex(6)}"
    admin = sa.create_engine(
        server.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT"
    )
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    yield server.removesuffix("/postgres") + f"/{name}"
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    admin.dispose()


@pytest.fixture(scope="session")
def shared(postgres: str) -> Iterator[str]:
    """A database on PostgreSQL that is emptied after each test: a new one takes long."""
    with new_database(postgres) as url:
        yield url


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a ledger with nothing in it, to be copied: its tables take long to make."""
    path = tmp_path_factory.mktemp("ledger") / "ledger.db"
    Ledger(f"sqlite:///{path}").engine.dispose()
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], Ledger]]:
    """Empty ledgers on one database, each as another watcher would open it."""
    on_server = request.param == "postgresql"
    if on_server:
        url = request.getfixturevalue("shared")
    else:
        path = shutil.copyfile(request.getfixturevalue("tables"), tmp_path / "ledger.db")
        url = f"sqlite:///{path}"
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
