"""What an error of the database means: try again, or what else to do.  Pure."""

from pipeline.errors import DeniedError, DiskFullError, LedgerError, RecpipeError, UsageError

AGAIN = "run again later"
REBUILD = "restore a copy, or move it away and make it again: recpipe ledger rebuild --to DEST"
MISSING = f"tables of the ledger are missing or not those of this version; {REBUILD}"

_LOCKED: tuple[type[RecpipeError], str] = (
    LedgerError,
    f"the ledger is locked by another process; {AGAIN}",
)
_SILENT: tuple[type[RecpipeError], str] = (LedgerError, f"the ledger does not answer; {AGAIN}")
_FULL: tuple[type[RecpipeError], str] = (DiskFullError, "no room for the ledger; free some")
_FILE: tuple[type[RecpipeError], str] = (
    DeniedError,
    "the ledger cannot be opened or written; check owner and mode of the file and its folder, "
    "and the user this runs as",
)
_ROLE: tuple[type[RecpipeError], str] = (
    DeniedError,
    "the database refuses access; check the role, its password and what it may do",
)
_ABSENT: tuple[type[RecpipeError], str] = (
    UsageError,
    "there is no such database; make it, or correct --ledger",
)
_TABLES: tuple[type[RecpipeError], str] = (
    UsageError,
    MISSING,
)
_DAMAGED: tuple[type[RecpipeError], str] = (UsageError, f"not a ledger, or damaged; {REBUILD}")

_SQLITE = {  # primary result codes, https://www.sqlite.org/rescode.html
    **dict.fromkeys((5, 6), _LOCKED),  # BUSY, LOCKED
    **dict.fromkeys((3, 8, 14, 23), _FILE),  # PERM, READONLY, CANTOPEN, AUTH
    **dict.fromkeys((11, 26), _DAMAGED),  # CORRUPT, NOTADB
    1: _TABLES,  # ERROR
    13: _FULL,  # FULL
}
_SQLSTATE = {  # codes or their classes, PostgreSQL appendix A
    **dict.fromkeys(("25006", "28", "42501"), _ROLE),  # read-only, authorization, privilege
    **dict.fromkeys(("42", "3F"), _TABLES),
    **dict.fromkeys(("08", "40", "57"), _SILENT),  # connection, rollback, shut down
    "3D": _ABSENT,
    "53": _SILENT,  # resources
    "53100": _FULL,
    "55P03": _LOCKED,
}
_REFUSED = (  # of a connection there is only the server's text, behind FATAL
    ("password", _ROLE),
    ("authentication failed", _ROLE),
    ("pg_hba.conf", _ROLE),
    ("role ", _ROLE),
    ("does not exist", _ABSENT),
)


def meaning(error: BaseException | None, where: str) -> RecpipeError:
    """Our error for one of the driver's, without its text: it may quote a password.

    ``where`` is the URL, fit to print.  By SQLite's result code or PostgreSQL's SQLSTATE.
    """
    kind, said = _sqlite(error) or _postgresql(error) or _DAMAGED
    return kind(f"{where}: {said}")


def _sqlite(error: BaseException | None) -> tuple[type[RecpipeError], str] | None:
    code = getattr(error, "sqlite_errorcode", None)
    if type(code) is int:
        return _SQLITE.get(code & 0xFF, _SILENT)
    return None


def _postgresql(error: BaseException | None) -> tuple[type[RecpipeError], str] | None:
    state = getattr(error, "sqlstate", None)
    if isinstance(state, str):
        return _SQLSTATE.get(state) or _SQLSTATE.get(state[:2])
    if type(error).__name__ != "OperationalError":
        return None
    text = str(error).partition("FATAL:")[2]
    return next((meant for words, meant in _REFUSED if words in text), _SILENT)
