"""Who the users of a session are: a file with a name, and perhaps a role, for each uid."""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from msgspec import Struct

from pipeline.errors import UsageError
from pipeline.storage.names import printable
from pipeline.storage.oserrors import os_errors

LARGEST = 4 << 20  # bytes of the file
LONGEST = 200  # characters of a name, or of a role
HIGHEST = (1 << 32) - 1  # of Agora's uids

Row = tuple[str, Mapping[str, Any]]  # where it stands, for people; and its values

# control characters, halves of surrogate pairs, what turns the direction of text, no characters
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufffe\uffff]")
_UID = re.compile(r"[1-9][0-9]{0,9}")


class Person(Struct, frozen=True):
    """What a user is called."""

    uid: str
    name: str
    role: str = ""

    @property
    def title(self) -> str:
        """Name and role, as a player shows them."""
        return f"{self.name} ({self.role})" if self.role else self.name


def read(path: str | PathLike[str]) -> tuple[Person, ...]:
    """All that a file names, by uid.  UsageError says which file and line, and what is wrong."""
    with os_errors(f"read {path}"), Path(path).open("rb") as file:
        data = file.read(LARGEST + 1)
    where = printable(path)
    if len(data) > LARGEST:
        raise UsageError(f"{where}: more than {LARGEST >> 20} MiB, expected a list of names")
    try:
        return parsed(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UsageError(f"{where}: byte {error.start} is not UTF-8; save it as UTF-8") from error
    except ValueError as error:
        raise UsageError(f"{where}: {error}") from error


def parsed(text: str) -> tuple[Person, ...]:
    """The same of the text itself; ValueError.  Who has no name there is left out."""
    rows = _of_json(text) if text.lstrip()[:1] in ("[", "{") else _of_csv(text)
    found: dict[str, Person] = {}
    for where, row in rows:
        uid = _uid(row.get("uid"), where)
        if uid in found:
            raise ValueError(f"{where}: uid {uid} for the second time")
        name, role = (_words(row.get(column), where, column) for column in ("name", "role"))
        found[uid] = Person(uid, name, role)
    named = (person for person in found.values() if person.name)
    return tuple(sorted(named, key=lambda person: int(person.uid)))


def _of_csv(text: str) -> Iterator[Row]:
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip().lower() for name in next(rows, [])]
        for column in ("uid", "name"):
            if header.count(column) != 1:
                said = f"line 1: {header.count(column)} columns called {column}"
                told = printable(",".join(header))[:LONGEST]
                raise ValueError(f"{said} in {told!r}, expected uid,name or uid,name,role")
        for row in rows:
            where = f"line {rows.line_num}"
            if len(row) != len(header) and any(row):
                raise ValueError(f"{where}: {len(row)} values, expected {len(header)}")
            if any(cell.strip() for cell in row):
                yield where, dict(zip(header, row, strict=True))
    except csv.Error as error:
        raise ValueError(f"line {rows.line_num}: not CSV ({printable(error)})") from error


def _of_json(text: str) -> Iterator[Row]:
    """A list of objects, or an object with a name, or with such an object, for each uid."""
    try:
        told = json.loads(text, object_pairs_hook=_once)
    except RecursionError as error:
        raise ValueError("nested too deeply, expected a list of names") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}: not JSON ({error.msg})") from error
    if isinstance(told, Mapping):
        told = [{**_object(value), "uid": uid} for uid, value in told.items()]
    for number, row in enumerate(told, 1):
        if not isinstance(row, Mapping) or "uid" not in row or "name" not in row:
            raise ValueError(f"entry {number}: expected an object with uid, name and perhaps role")
        yield f"entry {number}", row


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {"name": value}


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"{printable(key)[:LONGEST]} for the second time in one object")
        found[key] = value
    return found


def _uid(value: Any, where: str) -> str:
    text = str(value).strip() if type(value) in (str, int) else ""
    if not _UID.fullmatch(text) or int(text) > HIGHEST:
        told = printable(value)[:LONGEST]
        raise ValueError(f"{where}: uid {told!r}, expected a number from 1 to {HIGHEST}")
    return text


def _words(value: Any, where: str, column: str) -> str:
    """A text on one line, with every character to be seen."""
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{where}: {column} is {type(value).__name__}, expected text")
    words = " ".join((value or "").split())
    if len(words) > LONGEST:
        said = f"{column} of {len(words)} characters, expected at most {LONGEST}"
        raise ValueError(f"{where}: {said}")
    if unseen := _UNSEEN.search(words):
        said = f"{column} holds U+{ord(unseen[0]):04X}, which is not shown but changes the rest"
        raise ValueError(f"{where}: {said}; remove it")
    return words


def written(people: Sequence[Person]) -> str:
    """All of them as a receipt remembers them."""
    told = {person.uid: [person.name, person.role] for person in people}
    return json.dumps(told, ensure_ascii=False, sort_keys=True)


def without(told: str, uid: str | None) -> str:
    """The same as :func:`written`, without one of them.  ValueError for anything else."""
    left = {key: value for key, value in json.loads(told).items() if key != uid}
    return json.dumps(left, ensure_ascii=False, sort_keys=True)
