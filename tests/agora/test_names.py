"""Agora's file names, both ways."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.agora import names
from pipeline.agora.names import Mp4Name, PlaylistName, SliceName, UserStream

SID = "9d1c0a5b7e2f4c3388aa61f04b7d2e19"
START = 1713171602.12  # 2024-04-15 09:00:02.120 UTC
STAMP = "20240415090002120"

LEGAL = (  # what Agora allows in a channel name, and the dash it puts in place of some
    "abcxyzABCXYZ0123456789 !#$%&()+-:;<=.>?@[]^_{}|~,"
)
SIDS = st.text("0123456789abcdef", min_size=32, max_size=32)
CNAMES = st.text(LEGAL, min_size=1, max_size=64) | st.from_regex(
    r"[a-z]{1,3}(_[0-9]+)*", fullmatch=True
)
BAKS = st.none() | st.integers(0, 12)
MILLISECONDS = st.integers(-62_135_596_800_000, 253_402_300_799_999)  # years 1 to 9999


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param(f"{SID}_lesson7.m3u8", (None, SID, "lesson7"), id="main part"),
        pytest.param(f"bak0_{SID}_lesson7.m3u8", (0, SID, "lesson7"), id="first failover"),
        pytest.param(f"bak2_{SID}_lesson7.m3u8", (2, SID, "lesson7"), id="last failover"),
        pytest.param(f"{SID}_a_b_1.m3u8", (None, SID, "a_b_1"), id="underscores in the cname"),
        pytest.param(f"{SID}__.m3u8", (None, SID, "_"), id="a cname that is an underscore"),
        pytest.param(f"{SID}_a:b c?.m3u8", (None, SID, "a:b c?"), id="punctuation in the cname"),
        pytest.param(f"{SID}_bak1_x.m3u8", (None, SID, "bak1_x"), id="bak inside the cname"),
        pytest.param(f"{SID}_a.m3u8.m3u8", (None, SID, "a.m3u8"), id="a suffix in the cname"),
        pytest.param(f"{SID}_.m3u8", None, id="no cname"),
        pytest.param(f"{SID}.m3u8", None, id="sid only"),
        pytest.param(f"{SID.upper()}_a.m3u8", None, id="sid in capitals"),
        pytest.param(f"{SID[1:]}_a.m3u8", None, id="sid too short"),
        pytest.param(f"0{SID}_a.m3u8", None, id="sid too long"),
        pytest.param(f"bak_{SID}_a.m3u8", None, id="bak without a number"),
        pytest.param(f"bak00_{SID}_a.m3u8", None, id="bak with a leading zero"),
        pytest.param(f"bak٣_{SID}_a.m3u8", None, id="bak with an Arabic digit"),
        pytest.param(f"dir/{SID}_a.m3u8", None, id="in a folder"),
        pytest.param(f"{SID}_a/b.m3u8", None, id="a slash in the cname"),
        pytest.param(f"{SID}_a\nb.m3u8", None, id="a line break in the cname"),
        pytest.param(f"{SID}_a.m3u8\n", None, id="a line break at the end"),
        pytest.param(f"{SID}_a.m3u", None, id="another suffix"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_playlist_names(name, expected):
    assert names.parse_playlist_name(name) == (expected and PlaylistName(*expected))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param(
            f"{SID}_lesson7_{STAMP}.ts",
            SliceName(None, SID, "lesson7", STAMP, START, "ts"),
            id="main part",
        ),
        pytest.param(
            f"bak1_{SID}_a_{STAMP}_{STAMP}.webm",
            SliceName(1, SID, f"a_{STAMP}", STAMP, START, "webm"),
            id="failover of a channel named like a slice",
        ),
        pytest.param(f"{SID}_a_20241315090002120.ts", None, id="month 13"),
        pytest.param(f"{SID}_a_2024041509000212.ts", None, id="16 digits"),
        pytest.param(f"{SID}_{STAMP}.ts", None, id="no cname"),
        pytest.param(f"{SID}_a{STAMP}.ts", None, id="no underscore before the stamp"),
        pytest.param(f"{SID}_a_{STAMP}.mp4", None, id="not a slice"),
        pytest.param(f"{SID}_a_{STAMP}.TS", None, id="suffix in capitals"),
        pytest.param(f"x/{SID}_a_{STAMP}.ts", None, id="in a folder"),
    ],
)
def test_slice_names(name, expected):
    assert names.parse_slice_name(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param(f"{SID}_a_0.mp4", Mp4Name(None, SID, "a", 0), id="first"),
        pytest.param(f"bak0_{SID}_a_3_12.mp4", Mp4Name(0, SID, "a_3", 12), id="13th of a failover"),
        pytest.param(f"{SID}_a_01.mp4", None, id="leading zero"),
        pytest.param(f"{SID}_a.mp4", None, id="no index"),
        pytest.param(f"{SID}_0.mp4", None, id="no cname"),
        pytest.param(f"{SID}_a_{STAMP}.mp4", None, id="a stamp is no index"),
    ],
)
def test_mp4_names(name, expected):
    assert names.parse_mp4_name(name) == expected


@pytest.mark.parametrize(
    ("name", "stem", "expected"),
    [
        pytest.param("s_room_1713171602_0.m3u8", "s_room", (1713171602, 0), id="first version"),
        pytest.param("s_room_1713171602_12.m3u8", "s_room", (1713171602, 12), id="13th version"),
        pytest.param("bak0_s_x_12_3.m3u8", "bak0_s_x", (12, 3), id="of a failover"),
        pytest.param("s_x_12_3.m3u8", "s_x_12_3", None, id="a channel called x_12_3"),
        pytest.param("s_x_12_3_45_6.m3u8", "s_x_12_3", (45, 6), id="a copy of that channel"),
        pytest.param("s_x_12_3_45_6.m3u8", "s_x", None, id="not a copy of the shorter channel"),
        pytest.param("_1_0.m3u8", "s_room", None, id="another stem"),
        pytest.param("s_room.m3u8", "s_room", None, id="the playlist itself"),
        pytest.param("s_room_1.m3u8", "s_room", None, id="tick only"),
        pytest.param("s_room_1_0.ts", "s_room", None, id="not a playlist"),
    ],
)
def test_backup_copies(name, stem, expected):
    assert names.backup_copy(name, stem) == expected


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        pytest.param("19700101000000000", 0.0, id="the epoch"),
        pytest.param(STAMP, START, id="milliseconds"),
        pytest.param("19691231235959999", -0.001, id="before the epoch"),
        pytest.param("20240229235959999", 1709251199.999, id="leap day"),
        pytest.param("20230229000000000", None, id="no leap day"),
        pytest.param("20240015000000000", None, id="month 0"),
        pytest.param("20241315000000000", None, id="month 13"),
        pytest.param("20240415240000000", None, id="hour 24"),
        pytest.param("20240415006000000", None, id="minute 60"),
        pytest.param("20240415000060000", None, id="second 60"),
        pytest.param("00000101000000000", None, id="year 0"),
        pytest.param("2024041509000212", None, id="16 digits"),
        pytest.param("202404150900021200", None, id="18 digits"),
        pytest.param(" 0240415090002120", None, id="a blank"),
        pytest.param("٢0240415090002120", None, id="an Arabic digit"),
    ],
)
def test_utc(stamp, expected):
    assert names.utc(stamp) == expected


@given(MILLISECONDS)
def test_stamps_are_exact_to_the_millisecond(ms):
    stamp = names.stamp(ms / 1000)
    assert len(stamp) == 17
    assert names.utc(stamp) == ms / 1000


def test_a_stamp_is_rounded_and_carries():
    assert names.stamp(START + 0.0004) == STAMP
    assert names.stamp(1709251199.9996) == "20240301000000000"


@given(SIDS, CNAMES, BAKS)
def test_playlist_names_round_trip(sid, cname, bak):
    name = names.playlist_name(sid, cname, bak=bak)
    assert names.parse_playlist_name(name) == PlaylistName(bak, sid, cname)


@given(SIDS, CNAMES, BAKS, MILLISECONDS, st.sampled_from(["ts", "webm"]))
def test_slice_names_round_trip(sid, cname, bak, ms, extension):
    name = names.slice_name(sid, cname, ms / 1000, bak=bak, extension=extension)
    parsed = names.parse_slice_name(name)
    stamp = names.stamp(ms / 1000)
    assert parsed == SliceName(bak, sid, cname, stamp, ms / 1000, extension)
    assert name.startswith(names.stem(sid, cname, bak=bak) + "_")


@given(SIDS, CNAMES, BAKS, st.integers(0, 999_999))
def test_mp4_names_round_trip(sid, cname, bak, index):
    name = f"{names.stem(sid, cname, bak=bak)}_{index}.mp4"
    assert names.parse_mp4_name(name) == Mp4Name(bak, sid, cname, index)


@given(SIDS, CNAMES, BAKS, st.integers(0, 10**12), st.integers(0, 99))
def test_a_backup_copy_is_known_by_its_stem(sid, cname, bak, tick, index):
    stem = names.stem(sid, cname, bak=bak)
    assert names.backup_copy(names.backup_name(stem, tick, index), stem) == (tick, index)


UIDS = st.integers(1, 2**32 - 1).map(str)
KINDS = st.none() | st.sampled_from(["audio", "video", "av"])


@pytest.mark.parametrize(
    ("cname", "expected"),
    [
        pytest.param("ride_3__uid_s_1000__uid_e_video", ("ride_3", "1000", "video"), id="video"),
        pytest.param("a__uid_s_4294967295__uid_e_audio", ("a", "4294967295", "audio"), id="audio"),
        pytest.param("a__uid_s_7__uid_e_av", ("a", "7", "av"), id="the index over both"),
        pytest.param("a__uid_s_7__uid_e", ("a", "7", None), id="an MP4"),
        pytest.param(
            "a__uid_s_1__uid_e_av__uid_s_2__uid_e_video",
            ("a__uid_s_1__uid_e_av", "2", "video"),
            id="a channel called like a stream",
        ),
        pytest.param("lesson7", None, id="composite"),
        pytest.param("a__uid_s___uid_e_video", None, id="no uid"),
        pytest.param("a__uid_s_0__uid_e_video", None, id="uid 0 is nobody"),
        pytest.param("a__uid_s_1__uid_e_text", None, id="another kind"),
        pytest.param("__uid_s_1__uid_e_video", None, id="no cname"),
    ],
)
def test_streams_of_individual_mode(cname, expected):
    assert names.parse_stream(cname) == (expected and UserStream(*expected))


@given(SIDS, CNAMES, BAKS, UIDS, KINDS, MILLISECONDS)
def test_names_of_individual_mode_round_trip(sid, cname, bak, uid, kind, ms):
    spelled = names.stream_cname(cname, uid, kind)
    for parsed in (
        names.parse_playlist_name(names.playlist_name(sid, spelled, bak=bak)),
        names.parse_slice_name(names.slice_name(sid, spelled, ms / 1000, bak=bak)),
        names.parse_mp4_name(f"{names.stem(sid, spelled, bak=bak)}_3.mp4"),
    ):
        assert (parsed.sid, parsed.bak) == (sid, bak)
        assert names.parse_stream(parsed.cname) == UserStream(cname, uid, kind)


@pytest.mark.parametrize(
    ("found", "cname", "same"),
    [
        pytest.param("a_b.c", "a_b.c", True, id="kept"),
        pytest.param("a-b-c", "a_b.c", True, id="replaced"),
        pytest.param("a-b.c", "a_b.c", False, id="replaced by halves"),
        pytest.param("a_b.c", "a-b-c", False, id="the other way round"),
        pytest.param("a b", "a b", True, id="a blank is kept"),
    ],
)
def test_channels_are_known_in_both_spellings(found, cname, same):
    assert names.same_channel(found, cname) is same


@given(CNAMES, SIDS)
def test_replaced_characters_survive_the_way_through_a_name(cname, sid):
    parsed = names.parse_playlist_name(names.playlist_name(sid, names.replaced(cname)))
    assert names.same_channel(parsed.cname, cname)
    assert names.replaced(names.replaced(cname)) == names.replaced(cname)


@given(st.text() | st.from_regex(r"(bak.?_)?.{30,34}_.*\.(m3u8|ts|mp4)"))
def test_any_name_gets_an_answer(name):
    for parse in (names.parse_playlist_name, names.parse_slice_name, names.parse_mp4_name):
        parsed = parse(name)
        assert parsed is None or parsed.sid in name
    names.utc(name)
    names.backup_copy(name, name[:3])
    names.parse_stream(name)


def test_a_file_of_one_user_is_named_after_it():
    assert names.user_cname("room", "7") == "room__uid_s_7"
    assert names.stem("3f0c6a52d9e84b17a6c15d20e7b94f83", names.user_cname("room", "7")).endswith(
        "_room__uid_s_7"
    )
