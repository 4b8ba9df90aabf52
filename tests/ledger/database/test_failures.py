"""A ledger that refuses: what is said, and whether it is tried again."""

import multiprocessing
import os
import shutil
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa

from pipeline.errors import DeniedError, DiskFullError, LedgerError, RecpipeError, UsageError
from pipeline.ledger import discovery, queries
from pipeline.ledger.database.failures import meaning
from pipeline.ledger.ledger import Ledger
from tests.databases import new_database

NOBODY = 65534


def refusal(url: str) -> RecpipeError:
    """What looking into a ledger comes to."""
    with pytest.raises(RecpipeError) as caught:
        use(url)
    return caught.value


def use(url: str) -> None:
    """Read and write."""
    with Ledger(url) as ledger:
        queries.status(ledger)
        discovery.blind(ledger, "s3://a/", "/out", "no answer")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A ledger nobody has opened."""
    path = tmp_path / "folder" / "ledger.db"
    with Ledger(f"sqlite:///{path}"):
        pass
    return path


@pytest.mark.parametrize(
    "spoil",
    [
        "DROP TABLE recordings",
        "DROP TABLE alembic_version",
        "DELETE FROM alembic_version",
        "ALTER TABLE stores DROP COLUMN error",
    ],
)
def test_tables_that_are_missing_are_said_with_what_to_do(file, spoil):
    with sqlite3.connect(file) as connection:
        connection.execute(spoil)
    error = refusal(f"sqlite:///{file}")
    assert error.exit_code == 2
    assert "tables of the ledger are missing" in str(error)
    assert "recpipe ledger rebuild --to DEST" in str(error)


@pytest.mark.parametrize("name", ["attempts", "checks", "events", "parts", "runs"])
def test_a_table_that_is_missing_is_said_before_it_is_needed(file, name):
    with sqlite3.connect(file) as connection:
        connection.execute(f"DROP TABLE {name}")
    with pytest.raises(UsageError, match="tables of the ledger are missing"):
        Ledger(f"sqlite:///{file}")


def test_a_newer_version_is_said_with_what_to_do(file):
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.execute("DROP TABLE recordings")
    error = refusal(f"sqlite:///{file}")
    assert error.exit_code == 2
    assert "newer recpipe" in str(error)
    assert "update this one" in str(error)


def test_a_folder_in_its_place_is_refused(tmp_path):
    (tmp_path / "ledger.db").mkdir()
    assert isinstance(refusal(f"sqlite:///{tmp_path}/ledger.db"), DeniedError)


def _as_nobody(url: str, told: "multiprocessing.Queue[tuple[str, int, str]]") -> None:
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    try:
        use(url)
        told.put(("", 0, ""))
    except RecpipeError as error:
        told.put((type(error).__name__, error.exit_code, str(error)))


@pytest.mark.parametrize("mode", [0o000, 0o444])
def test_without_permission_it_is_said_whose_it_is(file, mode):
    """By another user, for root may write everywhere."""
    for left in file.parent.glob("ledger.db-*"):
        left.unlink()
    place = Path("/tmp") / f"recpipe-test-{os.getpid()}-{mode}"
    shutil.copytree(file.parent, place)
    try:
        (place / "ledger.db").chmod(mode)
        place.chmod(0o555)
        context = multiprocessing.get_context("fork")
        told = context.Queue()
        child = context.Process(target=_as_nobody, args=(f"sqlite:///{place}/ledger.db", told))
        child.start()
        name, code, text = told.get(timeout=60)
        child.join()
    finally:
        place.chmod(0o755)
        shutil.rmtree(place)
    assert (name, code) == ("DeniedError", 2)
    assert "check owner and mode" in text


def test_a_role_without_rights_and_a_database_that_is_not_there(postgres):
    with new_database(postgres) as url:
        with Ledger(url) as ledger, ledger.writing() as connection:
            connection.execute(sa.text("CREATE ROLE guest LOGIN"))
        try:
            guest = url.replace("tests@", "guest@")
            error = refusal(guest)
            assert (type(error), error.exit_code) == (DeniedError, 2)
            assert "check the role" in str(error)
            assert type(refusal(url.replace("tests@", "stranger@"))) is DeniedError
            absent = refusal(postgres.rpartition("/")[0] + "/absent")
            assert (type(absent), "no such database" in str(absent)) == (UsageError, True)
        finally:
            with Ledger(url) as ledger, ledger.writing() as connection:
                connection.execute(sa.text("DROP ROLE guest"))


class Driver(Exception):
    """An error as a driver raises it."""

    def __init__(self, text: str = "", **told: object) -> None:
        super().__init__(text)
        vars(self).update(told)


class OperationalError(Driver):
    """As psycopg calls what has no state."""


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Driver(sqlite_errorcode=5), LedgerError),
        (Driver(sqlite_errorcode=261), LedgerError),  # BUSY_RECOVERY
        (Driver(sqlite_errorcode=1032), DeniedError),  # READONLY_DBMOVED
        (Driver(sqlite_errorcode=10), LedgerError),  # IOERR
        (Driver(sqlite_errorcode=13), DiskFullError),
        (Driver(sqlite_errorcode=26), UsageError),
        (Driver(sqlstate="57P01"), LedgerError),
        (Driver(sqlstate="40001"), LedgerError),
        (Driver(sqlstate="53100"), DiskFullError),
        (Driver(sqlstate="55P03"), LedgerError),
        (Driver(sqlstate="25006"), DeniedError),
        (Driver(sqlstate="22001"), UsageError),
        (OperationalError('connection to "role db" failed: refused', sqlstate=None), LedgerError),
        (OperationalError("FATAL:  sorry, too many clients already"), LedgerError),
        (OperationalError('FATAL:  password authentication failed for user "x"'), DeniedError),
    ],
)
def test_what_may_pass_is_tried_again_and_nothing_else(error, kind):
    meant = meaning(error, "sqlite:////a")
    assert type(meant) is kind
    assert str(meant).startswith("sqlite:////a: ")
    assert (meant.exit_code == 75) is (kind in (LedgerError, DiskFullError))
