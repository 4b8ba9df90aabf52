"""Names of users, from files that anybody may have written."""

import json
import re

import pytest

from pipeline.choices import CHOICES
from pipeline.errors import NotFoundError, UsageError
from pipeline.jobs.options import options
from pipeline.jobs.sessions.people import LARGEST, LONGEST, Person, parsed, read, without, written

ANNA, BEN = Person("1001", "Anna", "host"), Person("1002", "Ben")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("uid,name,role\n1001,Anna,host\n1002,Ben,\n", id="CSV"),
        pytest.param(
            "\ufeffuid,name,role\r\n1002,Ben,\r\n1001,Anna,host\r\n", id="of a spreadsheet"
        ),
        pytest.param('Role , NAME,seat,uid\nhost,"Anna ",4,1001\n\n,Ben,5, 1002\n', id="columns"),
        pytest.param('uid,name,role\n1001,"Anna\n",host\n', id="a line break"),
        pytest.param('[{"uid": 1001, "name": "Anna", "role": "host"}]', id="JSON"),
        pytest.param('{"1001": {"name": "Anna", "role": "host"}, "1002": "Ben"}', id="by uid"),
    ],
)
def test_files(text):
    expected = (ANNA, BEN) if "1002" in text else (ANNA,)
    assert parsed(text.removeprefix("\ufeff")) == expected


def test_who_has_no_name_is_left_out():
    assert parsed("uid,name\n1001,\n1002,Ben\n") == (BEN,)
    assert parsed('{"1001": null, "1002": "Ben"}') == (BEN,)


def test_all_scripts_and_marks_that_belong_to_them():
    names = ["שרה", "محمد\u200f", "दीपिका", "👩\u200d🔬 Kim", "O'Hara; the \\ = # one"]
    text = json.dumps([{"uid": n, "name": name} for n, name in enumerate(names, 1)])
    assert [person.name for person in parsed(text)] == names


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("", "line 1: 0 columns called uid in '', expected uid,name", id="empty"),
        pytest.param("uid;name\n1;A\n", "0 columns called uid in 'uid;name'", id="semicolons"),
        pytest.param("uid,role\n1,host\n", "0 columns called name", id="no name"),
        pytest.param("uid,name,uid\n1,A,1\n", "2 columns called uid", id="twice"),
        pytest.param("uid,name\n1,A,B\n", "line 2: 3 values, expected 2", id="too many"),
        pytest.param("uid,name,role\n1,A\n", "line 2: 2 values, expected 3", id="too few"),
        pytest.param('uid,name\n1,"A', "line 2: not CSV", id="an open quote"),
        pytest.param("uid,name\nanna,A\n", "line 2: uid 'anna', expected a number", id="no uid"),
        pytest.param("uid,name\n0,A\n", "uid '0', expected a number from 1", id="uid 0"),
        pytest.param("uid,name\n4294967296,A\n", "expected a number from 1 to 4294967295", id="32"),
        pytest.param("uid,name\n１,A\n", "line 2: uid '１'", id="digits of another script"),
        pytest.param("uid,name\n1,A\n2,B\n1,C\n", "line 4: uid 1 for the second", id="two names"),
        pytest.param("uid,name\n1,A\x00B\n", r"holds U\+0000|not CSV", id="NUL"),
        pytest.param("uid,name\n1,A\x1b[31m\n", r"line 2: name holds U\+001B", id="escape"),
        pytest.param("uid,name\n1,A\u202egpj\n", r"name holds U\+202E", id="turned round"),
        pytest.param("uid,name,role\n1,A,\u2066b\n", r"role holds U\+2066", id="isolated"),
        pytest.param('[{"uid": 1, "name": "\\ud800"}]', r"holds U\+D800", id="half a pair"),
        pytest.param(f"uid,name\n1,{'A' * 10240}\n", f"of 10240 .* at most {LONGEST}", id="10 kB"),
        pytest.param(f"uid,name\n1,{'A' * 200_000}\n", "line 2: not CSV", id="200 kB"),
        pytest.param('[{"uid": 1, "name": "A"', "line 1: not JSON", id="cut off"),
        pytest.param('[{"uid": 1}]', "entry 1: expected an object with uid, name", id="no key"),
        pytest.param('["Anna"]', "entry 1: expected an object", id="a list of names"),
        pytest.param('[{"uid": true, "name": "A"}]', "entry 1: uid 'True'", id="a truth"),
        pytest.param('[{"uid": 1.0, "name": "A"}]', "entry 1: uid '1.0'", id="a fraction"),
        pytest.param('[{"uid": 1, "name": 7}]', "name is int, expected text", id="a number"),
        pytest.param('{"1": "A", "1": "B"}', "1 for the second time in one object", id="a key"),
        pytest.param('{"1": ["A"]}', "name is list, expected text", id="a list"),
        pytest.param("[" * 200_000, "nested too deeply|not JSON", id="deep"),
    ],
)
def test_what_is_refused_with_its_place(text, why):
    with pytest.raises(ValueError, match=why):
        parsed(text)


def test_errors_say_the_file(tmp_path):
    file = tmp_path / "names.csv"
    for data, why in (
        (b"uid,name\n1,M\xfcller\n", "byte 12 is not UTF-8; save it as UTF-8"),
        (b"x" * (LARGEST + 1), "more than 4 MiB"),
        (b"uid\n", "0 columns called name"),
    ):
        file.write_bytes(data)
        with pytest.raises(UsageError, match=f"^{re.escape(str(file))}: .*{why}"):
            read(file)
    with pytest.raises(NotFoundError, match=r"nowhere\.csv"):
        read(tmp_path / "nowhere.csv")


def test_chosen_like_everything_else(tmp_path):
    file = tmp_path / "names.json"
    file.write_text('{"1002": "Ben", "1001": {"name": "Anna", "role": "host"}}')
    chosen = options(tmp_path, names=file)
    assert (chosen.people, chosen.person("1002"), chosen.person("7")) == ((ANNA, BEN), BEN, None)
    assert options(tmp_path).people == ()
    assert CHOICES["names"].metavar == "FILE"


def test_titles():
    assert (ANNA.title, BEN.title) == ("Anna (host)", "Ben")


def test_a_receipt_forgets_one_of_them():
    told = written([ANNA, BEN])
    assert told == '{"1001": ["Anna", "host"], "1002": ["Ben", ""]}'
    assert without(told, "1001") == written([BEN])
