"""Ledgers that open, and those that are refused."""

import contextlib
import threading

import pytest
import sqlalchemy as sa

from pipeline.errors import LedgerError, UsageError
from pipeline.ledger import discovery
from pipeline.ledger.database import engine as module
from pipeline.ledger.database.engine import connect
from pipeline.ledger.database.migrations import HEAD
from pipeline.ledger.database.tables import metadata, runs, stores
from pipeline.ledger.ledger import Ledger
from tests.databases import new_database

PASSWORD = "a-password-nobody-should-see"


def test_a_new_ledger_has_every_table_and_the_newest_version(url):
    with Ledger(url) as ledger, ledger.reading() as connection:
        found = set(sa.inspect(connection).get_table_names())
        version = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    assert found == {*metadata.tables, "alembic_version"}
    assert version == HEAD


def test_the_migrations_make_exactly_these_tables(url):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with Ledger(url) as ledger, ledger.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_the_newest_migration_is_the_one_that_is_named():
    from alembic.script import ScriptDirectory

    folder = module.Path(module.__file__).with_name("migrations")
    assert ScriptDirectory(str(folder)).get_current_head() == HEAD


OLD = "0002"  # as the first users have it


@pytest.fixture(params=["sqlite", "postgresql"])
def old(request, tmp_path):
    """URL of a ledger of an earlier version, with a store in it that was listed."""
    from alembic import command
    from alembic.config import Config

    with contextlib.ExitStack() as stack:
        if request.param == "sqlite":
            url = f"sqlite:///{tmp_path}/old.db"
        else:
            url = stack.enter_context(new_database(request.getfixturevalue("postgres")))
        engine = sa.create_engine(module.parsed(url))
        with engine.begin() as connection:
            config = Config(attributes={"connection": connection})
            folder = module.Path(module.__file__).with_name("migrations")
            config.set_main_option("script_location", str(folder))
            command.upgrade(config, OLD)
            entry = (
                "INSERT INTO stores (store, destination, listed) VALUES ('s3://a/', '/out', 7.0)"
            )
            connection.execute(sa.text(entry))
        engine.dispose()
        yield url


def test_an_older_ledger_is_brought_up_to_date_and_keeps_what_it_knows(old):
    with Ledger(old) as ledger:
        assert discovery.memory(ledger, "s3://a/", "/out").listed == 7.0
        discovery.blind(ledger, "s3://a/", "/out", "access denied")
        with ledger.reading() as connection:
            row = connection.execute(sa.select(stores)).one()
            version = connection.execute(
                sa.text("SELECT version_num FROM alembic_version")
            ).scalar()
    assert (row.listed, row.error, version) == (7.0, "access denied", HEAD)
    assert row.failed > row.listed


def test_many_may_open_a_new_ledger_at_once(url):
    errors = []

    def open_it():
        try:
            with Ledger(url) as ledger:
                ledger.time()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_a_ledger_of_a_newer_version_is_left_alone(url):
    with Ledger(url) as ledger, ledger.writing() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(UsageError, match="newer recpipe"):
        Ledger(url)


def test_time_is_that_of_the_database(ledger):
    import time

    assert abs(ledger.time() - time.time()) < 5
    assert ledger.time() <= ledger.time()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("no url", "the ledger's URL is none"),
        (f"mysql://me:{PASSWORD}@host/db", "mysql: no ledger"),
        ("sqlite://", "in memory forgets"),
        ("sqlite:///:memory:", "in memory forgets"),
    ],
)
def test_urls_that_cannot_be(url, said):
    with pytest.raises(UsageError, match=said) as caught:
        connect(url)
    assert PASSWORD not in str(caught.value)


def test_a_server_that_is_not_there_is_a_temporary_failure():
    pytest.importorskip("psycopg", reason="no psycopg")
    with pytest.raises(LedgerError, match="does not answer") as caught:
        connect(f"postgresql://me:{PASSWORD}@127.0.0.1:1/none")
    assert PASSWORD not in str(caught.value)


def test_a_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "ledger.db"
    path.write_bytes(b"nothing of the kind" * 500)
    with pytest.raises(UsageError, match="not a ledger, or damaged"):
        connect(f"sqlite:///{path}")


def test_a_network_file_system_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "network_kind", lambda path: "nfs4")
    with pytest.raises(UsageError, match="kind nfs4, where locks are not safe"):
        connect(f"sqlite:///{tmp_path}/ledger.db")


def test_a_ledger_that_is_locked_for_too_long_is_a_temporary_failure(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 50)
    url = f"sqlite:///{tmp_path}/ledger.db"
    with (
        Ledger(url) as first,
        Ledger(url) as second,
        first.writing(),
        pytest.raises(LedgerError, match="locked by another process"),
        second.writing(),
    ):
        pass


def test_two_that_look_before_they_write_do_not_block_each_other(ledger, opened):
    both = [ledger, opened("host:2")]
    errors = []

    def work(one):
        try:
            for _ in range(40):
                with one.writing() as connection:
                    count = connection.execute(sa.select(sa.func.count(runs.c.id))).scalar_one()
                    values = {"command": str(count), "host": "h", "pid": 1, "counts": {}}
                    connection.execute(sa.insert(runs).values(started=0, heartbeat=0, **values))
        except LedgerError as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(one,)) for one in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_readers_do_not_wait_for_a_writer(ledger, opened):
    other = opened("host:2")
    with ledger.writing():
        assert other.time() > 0
