"""Results that are called as a template says, whatever recordings are called."""

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.agora import names
from pipeline.errors import UsageError
from pipeline.jobs.output.naming import FIELDS, begins, naming
from pipeline.model import Part, Recording, StoredObject

SID = "0a93a5e0c1d44f7c8d5e6b7a1f2c3d4e"
BEGAN = 1_772_373_600.0  # 2026-03-01 14:00:00 UTC


def stored(key: str, modified: float = BEGAN + 9e6) -> StoredObject:
    return StoredObject(key, 9, "e", modified)


def agora(cname: str = "room", sid: str = SID) -> Recording:
    """With a slice of another channel, whose name begins alike and which is older."""
    slices = [
        names.slice_name(sid, cname, BEGAN + 15),
        names.slice_name(sid, cname, BEGAN),
        names.slice_name(sid, f"{cname}_2", BEGAN - 9e6),
    ]
    beside = {name: stored(name) for name in slices}
    part = Part(stored(f"{sid}_{cname}.m3u8"), "", beside)
    return Recording(f"{sid}_{cname}", "/x", (part,), sid, cname)


def other(id: str) -> Recording:
    return Recording(id, "/x", (Part(stored("x.m3u8", BEGAN), ""),))


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("{date}/{cname}_{sid}", f"2026-03-01/room_{SID}"),
        ("{year}/{month}/{day}/{time} {id}", f"2026/03/01/140000 {SID}_room"),
        ("calls/{id}", f"calls/{SID}_room"),
        ("{{{id}}}", f"{{{SID}_room}}"),
    ],
)
def test_names(template, name):
    assert naming(template).name(agora()) == name


def test_what_is_not_agoras_is_called_by_its_own_name_and_day():
    assert naming("{date}/{cname}_{sid}").name(other("talk")) == "2026-03-01/talk_none"
    assert begins(other("talk")) == BEGAN


def test_a_session_is_of_the_day_on_which_its_first_stream_began():
    """Not of that on which its playlists were copied."""
    cnames = [names.stream_cname("room", uid, "video") for uid in ("1", "2")]
    streams = tuple(map(agora, cnames))
    parts = tuple(part for one in streams for part in one.parts)
    session = Recording(f"{SID}_room", "/x", parts, SID, "room", streams)
    assert naming("{date}/{cname}_{sid}").name(session) == f"2026-03-01/room_{SID}"


def test_no_template_is_none():
    assert naming(None) is None
    assert naming("") is None


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("../{id}", "none of them hidden"),
        ("/tmp/{id}", "none of them hidden"),
        ("a//{id}", "none of them hidden"),
        ("{id}/", "none of them hidden"),
        (".hidden/{id}", "none of them hidden"),
        ("a\\{id}", "none of them hidden"),
        ("{date}", "names two recordings alike"),
        ("{cname}", "names two recordings alike"),
        ("{sid}", "names two recordings alike"),
        ("{uid}_{id}", "unknown field"),
        ("{}_{id}", "unknown field"),
        ("{id.__class__}", "unknown field"),
        ("{id[0]}", "unknown field"),
        ("{id!r}", "plain fields"),
        ("{id:>9999999}", "plain fields"),
        ("{id", "expected '}'"),
        ("}{id}", "Single '}'"),
        ("{id}" + "x" * 200, "at most 200"),
    ],
)
def test_templates_that_cannot_be(template, why):
    with pytest.raises(UsageError, match=why):
        naming(template)


@given(st.text(), st.sampled_from(["{date}/{cname}_{sid}", "{cname}/{sid}", "a/{id}/{id}"]))
def test_no_recording_leaves_the_destination(text, template):
    for one in (agora(text), other(text)):
        name = naming(template).name(one)
        parts = PurePosixPath(f"{name}.mp4").parts
        assert len(parts) == template.count("/") + 1
        assert not any(part.startswith(".") or "\\" in part or "\0" in part for part in parts)
        assert all(len(part.encode()) <= 204 for part in parts)


def test_long_names_that_differ_at_the_end_stay_two():
    short = naming("{cname}_{sid}")
    assert short.name(agora("x" * 300 + "1")) != short.name(agora("x" * 300 + "2"))


def test_every_field_is_filled():
    template = "_".join(f"{{{field}}}" for field in FIELDS)
    assert "{" not in naming(template).name(agora())
