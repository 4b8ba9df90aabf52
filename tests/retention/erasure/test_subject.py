"""Which names are of a recording, or of a user in it."""

import pytest

from pipeline.retention.erasure.subject import Subject, is_sid, is_uid, without

SID, OTHER = "0123456789abcdef" * 2, "f" * 32
USER = f"{SID}_room__uid_s_42__uid_e_video"


@pytest.mark.parametrize(
    "key",
    [
        f"2026/{USER}.m3u8",
        f"bak0_{USER}.m3u8",
        f"{USER}_20260302090002120.ts",
        f".trash/run/objects/2026/{USER}_20260302090002120.ts",
        f"{USER}.run.premis.xml",
        f"{SID}_room__uid_s_42.mp4",
        f"{USER}/data/original/a.ts",
        f"{SID}_x__uid_s_7__y__uid_s_42__uid_e_audio.m3u8",
    ],
)
def test_what_is_of_a_user(key):
    assert Subject(uid="42").owner(key) == SID
    assert Subject(frozenset([SID]), "42").owner(key) == SID
    assert Subject(frozenset([SID])).owner(key) == SID
    assert Subject(frozenset([OTHER]), "42").owner(key) is None
    assert Subject(uid="42", but=frozenset([SID])).owner(key) is None
    assert Subject(uid="42").mentioned(f'{{"key": "{key}"}}'.encode())


@pytest.mark.parametrize(
    "key",
    [
        f"{SID}_room__uid_s_420__uid_e_video.m3u8",
        f"{SID}_room__uid_s_4__uid_e_video.m3u8",
        f"{SID}_room__uid_s_142__uid_e_video.m3u8",
        f"{SID}_x__uid_s_42__y__uid_s_7__uid_e_audio.m3u8",
        f"{SID}_room.m3u8",
        "42.ts",
        "room__uid_s_42__uid_e_video.m3u8",
    ],
)
def test_what_is_not_of_the_user(key):
    assert Subject(uid="42").owner(key) is None
    assert not Subject(uid="42").mentioned(key.encode())


@pytest.mark.parametrize("between", [" ", ",", "; and "])
def test_each_name_in_a_line_is_seen(between):
    line = between.join(f"{SID}_room__uid_s_{uid}.mp4" for uid in (7, 42, 9)).encode()
    assert [Subject(uid=uid).mentioned(line) for uid in ("7", "42", "9", "4", "5")] == [
        *(True, True, True),
        *(False, False),
    ]
    assert not Subject(frozenset([OTHER]), "42").mentioned(line)


def test_a_channel_may_be_called_like_a_sid():
    name = f"{SID}_{OTHER}__uid_s_42.mp4"
    assert Subject(frozenset([SID]), "42").mentioned(name.encode())
    assert Subject(frozenset([SID]), "42").owner(name) == SID


def test_what_is_of_a_recording():
    subject = Subject(frozenset([SID]))
    for key in (f"{SID}_room.mp4", f"{SID}/a.ts", f"x/{SID}_room/bagit.txt", f"bak12_{SID}_r.ts"):
        assert subject.owner(key) == SID
    for key in (f"{OTHER}_room.mp4", f"{SID}0_room.mp4", f"x{SID}_room.mp4"):
        assert subject.owner(key) is None
    assert subject.session(f"out/{SID}_room") == SID
    assert subject.session(USER) is None


def test_lists_without_the_subject():
    told = {
        "recordings": [{"recording": USER, "objects": [{"key": "a"}]}, {"recording": "other"}],
        f"{USER}/ full": {"checked": "now"},
        "users": [{"uid": "42", "name": "x"}, {"uid": 42}, {"uid": 421}],
        "files": [f"{USER}.mp4", "b.mp4"],
        "made": 42,
    }
    assert without(told, Subject(uid="42")) == {
        "recordings": [{"recording": "other"}],
        "users": [{"uid": 421}],
        "files": ["b.mp4"],
        "made": 42,
    }


def test_what_agora_could_have_given():
    assert is_sid(SID)
    assert not any(map(is_sid, ("", SID[:-1], SID.upper(), f"{SID}\n")))
    assert is_uid("42")
    assert not any(map(is_uid, ("", "0", "042", "4_2", "12345678901", "42\n")))
