"""A ledger opened by its URL: SQLite on a local disk, or PostgreSQL."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from pipeline.errors import UsageError
from pipeline.ledger.database.failures import MISSING, meaning
from pipeline.ledger.database.filesystems import network_kind
from pipeline.ledger.database.migrations import HEAD, LOCK
from pipeline.ledger.database.tables import metadata
from pipeline.storage.names import printable
from pipeline.storage.oserrors import os_errors

REVISION = "alembic_version"  # the table that holds it
PATIENCE = 30_000  # milliseconds a writer waits for another one


def connect(text: str) -> sa.Engine:
    """An engine on a database that has all tables of this version; older ones are migrated.

    Raises ``UsageError`` for what is no URL of a ledger, a network file system, a newer ledger or a
    missing driver, ``LedgerError`` for a database that does not answer, ``DeniedError`` and
    ``DiskFullError`` as their names say.
    """
    url = parsed(text)
    if url.get_backend_name() == "sqlite":
        _make_room(url)
    with ledger_errors(url):
        try:
            engine = sa.create_engine(url, pool_pre_ping=True)
        except ImportError as error:
            raise UsageError("no driver for PostgreSQL; pip install 'recpipe[postgres]'") from error
        if url.get_backend_name() == "sqlite":
            sa.event.listen(engine, "connect", _on_connect)
            sa.event.listen(engine, "begin", _on_begin)
        with ExitStack() as stack:
            stack.callback(engine.dispose)
            _migrate(engine)
            stack.pop_all()
    return engine


@contextmanager
def ledger_errors(url: sa.URL) -> Iterator[None]:
    """The one place that catches what the database raises, without its texts: they may quote
    passwords.  Raises what :func:`pipeline.ledger.database.failures.meaning` returns.
    """
    try:
        yield
    except exc.DatabaseError as error:
        raise meaning(error.orig, _shown(url)) from error


def _shown(url: sa.URL) -> str:
    return printable(url.render_as_string(hide_password=True))


def parsed(text: str) -> sa.URL:
    """The URL of a ledger, with its driver.  Raises ``UsageError`` if it is none."""
    try:
        url = sa.make_url(text)
    except exc.ArgumentError as error:  # not quoted: it may hold a password
        said = "the ledger's URL is none; write sqlite:////path/ledger.db or postgresql://host/name"
        raise UsageError(said) from error
    if url.drivername in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if url.drivername not in ("sqlite", "postgresql+psycopg"):
        kind = printable(url.drivername)
        raise UsageError(f"{kind}: no ledger; give sqlite:////path/ledger.db or postgresql://")
    if url.drivername == "sqlite" and url.database in (None, "", ":memory:"):
        raise UsageError("a ledger in memory forgets; give sqlite:////path/ledger.db")
    return url


def _make_room(url: sa.URL) -> None:
    """Make the folder of the file; UsageError if it is not on a disk of this machine."""
    assert url.database is not None
    path = Path(url.database).absolute()
    kind = network_kind(path)
    if kind is not None:
        said = f"{printable(path)}: on a file system of kind {kind}, where locks are not safe"
        raise UsageError(f"{said}; put the ledger on a local disk, or use PostgreSQL")
    with os_errors(f"make {path.parent}"):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)


def _on_connect(connection: Any, record: Any) -> None:
    connection.isolation_level = None  # we say ourselves when a transaction begins
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {PATIENCE}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _on_begin(connection: sa.Connection) -> None:
    # two readers that both want to write would block each other for ever
    reading = connection.get_execution_options().get("reading")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _migrate(engine: sa.Engine) -> None:
    with engine.connect().execution_options(reading=True) as connection:
        there = set(sa.inspect(connection).get_table_names())
        if REVISION in there and _revision(connection) == HEAD:
            if not metadata.tables.keys() <= there:
                raise UsageError(f"{_shown(engine.url)}: {MISSING}")
            return
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
        found = _revision(connection)  # again: another process may have been faster
        if found is not None and found > HEAD:
            said = f"the ledger is of a newer recpipe (its tables are version {found})"
            raise UsageError(f"{said}; update this one, or name another with --ledger")
        if found != HEAD:
            _upgrade(connection)


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table(REVISION):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def _upgrade(connection: sa.Connection) -> None:
    from alembic import command  # here, because it takes long to import
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    command.upgrade(config, "head")
