"""Recordings to work on, where their results go, and databases for a ledger."""

import secrets
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests import recordings as r


@pytest.fixture
def copied(library: r.Library, tmp_path: Path) -> Callable[..., r.Recording]:
    """A recording of one kind, to be damaged at will."""
    return lambda kind=r.AV_B: library[kind].copy(tmp_path / "recording")


@pytest.fixture
def changed(library: r.Library, copied: Callable[..., r.Recording]) -> Callable[..., r.Recording]:
    """A recording some slices of which are those of another one."""

    def splice(other: r.Kind, numbers: Sequence[int], kind: r.Kind = r.AV_B) -> r.Recording:
        try:
            beside = library[other]
        except subprocess.CalledProcessError:
            pytest.skip("this ffmpeg cannot encode that")
        made = copied(kind)
        for number in numbers:
            made.write(number, beside.data(number))
        return made

    return splice


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where results go; it is not there yet."""
    return tmp_path / "out"


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
