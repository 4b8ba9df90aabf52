"""What Agora says about what is missing."""

import pytest

from pipeline.agora import names
from pipeline.agora.causes import Cause
from pipeline.jobs.explain.blamed import of_entry, of_hole
from pipeline.model import Hole
from tests.web.sender import SID, T0

SOUND = Cause(43, "no sound of user 7 came", T0 + 15, T0 + 30, "audio")
FILE = Cause(32, "some files were only in Agora's backup cloud")
FOUND = (SOUND, FILE)
SLOT = names.slice_name(SID, "room", T0 + 15.0)


def hole(kind, utc):
    return Hole(kind, 15.0, 10.0, SLOT, utc=utc)


def test_a_hole_is_explained_by_the_time_at_which_it_began():
    utc = "2023-11-14T22:13:35.000Z"  # T0 + 15
    assert of_hole(FOUND, hole("audio", utc)) == (SOUND,)
    assert of_hole(FOUND, hole("video", utc)) == ()
    assert of_hole(FOUND, hole("audio", None)) == ()
    assert of_hole(FOUND, hole("audio", "some day")) == ()


@pytest.mark.parametrize(
    ("row", "causes"),
    [
        pytest.param({"lost": 15.0, "units": 0}, (SOUND, FILE), id="a segment is missing"),
        pytest.param({"lost": 3.0, "units": 7}, (SOUND,), id="a part of it is"),
        pytest.param({"lost": 0.0, "units": 0, "excepted": 9.0}, (), id="nothing is lost"),
        pytest.param({"unexplained": 2.0, "units": 7}, (SOUND,), id="unexplained by the media"),
        pytest.param({"lost": "x", "units": 7}, (SOUND,), id="no number"),
        pytest.param({"lost": 3.0, "units": 7, "slot": "a.ts"}, (), id="a name without a time"),
    ],
)
def test_a_row_of_the_account_is_explained_by_the_name_of_its_slot(row, causes):
    whole = {"slot": f"2026/{SLOT}", "track": "audio", "promised": 15.0, **row}
    assert of_entry(FOUND, whole) == causes
