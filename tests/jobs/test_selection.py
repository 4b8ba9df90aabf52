"""Which recordings are meant."""

import pytest

from pipeline.jobs.selection import Selection
from pipeline.model import Part, Recording, StoredObject

NOW = 1_000_000.0
ID = "0" * 32 + "_lesson[7]"


def recording(age: float = 100.0, **changes) -> Recording:
    playlist = StoredObject(f"2026/03/{ID}.m3u8", 9, "e", NOW - age)
    return Recording(ID, "s3://b/x", (Part(playlist, "2026/03/", **changes),), "0" * 32, "lesson")


@pytest.mark.parametrize(
    ("chosen", "meant"),
    [
        pytest.param({}, True, id="everything"),
        pytest.param({"include": (ID.replace("[", "[[]"),)}, True, id="its id"),
        pytest.param({"include": ("2026/03/*",)}, True, id="a folder"),
        pytest.param({"include": ("2026/*.m3u8",)}, True, id="a star stands for slashes"),
        pytest.param({"include": ("*lesson*",)}, True, id="part of its name"),
        pytest.param({"include": ("*Lesson*",)}, False, id="case matters"),
        pytest.param({"include": ("lesson",)}, False, id="not all of its name"),
        pytest.param({"include": ("x", "*lesson*")}, True, id="one of two"),
        pytest.param({"exclude": ("*lesson*",)}, False, id="excluded"),
        pytest.param({"include": ("*",), "exclude": ("2026/*",)}, False, id="exclude wins"),
        pytest.param({"exclude": ("x",)}, True, id="not excluded"),
        pytest.param({"min_age": 100.0}, True, id="old enough"),
        pytest.param({"min_age": 101.0}, False, id="too young"),
        pytest.param({"max_age": 100.0}, True, id="young enough"),
        pytest.param({"max_age": 99.0}, False, id="too old"),
        pytest.param({"min_age": 50.0, "max_age": 150.0}, True, id="between"),
    ],
)
def test_selection(chosen, meant):
    assert Selection(**chosen).takes(recording(), NOW) is meant


def test_a_late_copy_of_its_playlist_makes_it_young():
    copy = StoredObject(f"2026/03/{ID}_1_0.m3u8", 9, "e", NOW - 5)
    assert not Selection(min_age=60.0).takes(recording(copies=(copy,)), NOW)


def test_a_single_file_has_its_own_age_and_name():
    found = StoredObject("a/call.ts", 9, None, NOW - 100)
    single = Recording("call", "/a/call.ts", (Part(None, "a/", {"call.ts": found}),))
    assert Selection(include=("call.ts",), max_age=100.0).takes(single, NOW)
    assert not Selection(min_age=101.0).takes(single, NOW)
