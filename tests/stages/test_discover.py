"""What a listing holds: recordings with their parts and copies, or a word on what is there."""

import pytest

from pipeline.errors import NotFoundError
from pipeline.stages.discover import MOST_TRIED, discover, with_parts
from pipeline.storage.local import LocalStorage

SID = "3f0c6a52d9e84b17a6c15d20e7b94f83"
OTHER = "c7d20e4b6f1a4958b3827e5d0c9f1a63"
ROOM = f"{SID}_room"
SLICE = f"{ROOM}_20260302090002120.ts"


@pytest.fixture
def put(tmp_path):
    """Make files below the root, playlists those that are called so."""

    def make(*keys):
        for key in keys:
            path = tmp_path / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"#EXTM3U\n" if ".m3u8" in key else b"something else")
        return LocalStorage(tmp_path)

    return make


def ids(recordings):
    return [r.id for r in recordings]


def test_a_folder(put, tmp_path):
    storage = put(f"{ROOM}.m3u8", SLICE, "notes.txt")
    (found,) = discover(storage, "")
    assert (found.id, found.sid, found.cname) == (ROOM, SID, "room")
    assert found.source == str(tmp_path / f"{ROOM}.m3u8")
    (part,) = found.parts
    assert (part.playlist.key, part.folder, part.bak, part.copies) == (
        f"{ROOM}.m3u8",
        "",
        None,
        (),
    )
    assert set(part.objects) == {f"{ROOM}.m3u8", SLICE, "notes.txt"}


def test_nested_folders_come_in_order_each_with_its_own_objects(put):
    storage = put(
        "b/deep/er/two.m3u8", "b/deep/er/0.ts", "a/one.m3u8", "a/0.ts", "c/no_playlist.ts"
    )
    found = discover(storage, "")
    assert ids(found) == ["one", "two"]
    assert [(r.parts[0].folder, set(r.parts[0].objects)) for r in found] == [
        ("a/", {"one.m3u8", "0.ts"}),
        ("b/deep/er/", {"two.m3u8", "0.ts"}),
    ]


@pytest.mark.parametrize(
    ("key", "found"),
    [
        pytest.param("2026/", ["may", "june"], id="a folder"),
        pytest.param("2026/0", ["may", "june"], id="the beginning of names"),
        pytest.param("2026/06", ["june"], id="a folder without its slash"),
        pytest.param("20", ["old", "may", "june"], id="folders and their namesakes"),
        pytest.param("2026/05/may.m", ["may"], id="the beginning of a name"),
    ],
)
def test_prefixes(put, key, found):
    storage = put("2025/old.m3u8", "2026/05/may.m3u8", "2026/06/june.m3u8", "top.m3u8")
    assert ids(discover(storage, key)) == found


@pytest.mark.parametrize("sid", [SID, OTHER], ids=["listed in front", "listed behind"])
def test_failover_parts_are_one_recording_in_order(put, sid):
    storage = put(*(f"{bak}{sid}_room.m3u8" for bak in ("bak10_", "bak1_", "", "bak0_")))
    (found,) = discover(storage, "")
    assert [part.bak for part in found.parts] == [None, 0, 1, 10]
    assert found.id == f"{sid}_room"
    assert found.parts[0].playlist.key == f"{sid}_room.m3u8"


def test_a_failover_part_alone(put):
    (found,) = discover(put(f"bak0_{ROOM}.m3u8"), "")
    assert (found.id, [part.bak for part in found.parts]) == (ROOM, [0])


def test_parts_in_another_folder_are_another_recording(put):
    found = discover(put(f"a/{ROOM}.m3u8", f"b/bak0_{ROOM}.m3u8"), "")
    assert [[part.bak for part in r.parts] for r in found] == [[None], [0]]


def test_copies_of_the_backup_cloud_belong_to_their_playlist(put):
    copies = [f"{ROOM}_1700000000_0.m3u8", f"{ROOM}_1700000000_1.m3u8"]
    (found,) = discover(put(f"{ROOM}.m3u8", *copies), "")
    (part,) = found.parts
    assert part.playlist.key == f"{ROOM}.m3u8"
    assert sorted(copy.key for copy in part.copies) == copies


def test_copies_of_each_part(put):
    names = [f"{ROOM}.m3u8", f"{ROOM}_17_0.m3u8", f"bak0_{ROOM}.m3u8", f"bak0_{ROOM}_17_0.m3u8"]
    (found,) = discover(put(*names), "")
    assert [[c.key for c in part.copies] for part in found.parts] == [[names[1]], [names[3]]]


def test_a_channel_that_is_called_like_a_copy_is_none(put):
    found = discover(put(f"{ROOM}_12_3.m3u8", f"{OTHER}_room.m3u8"), "")
    assert ids(found) == [f"{ROOM}_12_3", f"{OTHER}_room"]


def test_a_copy_whose_original_never_arrived(put):
    """The slices tell what it was called; the newest copy stands for it."""
    storage = put(f"{ROOM}_17_0.m3u8", f"{ROOM}_18_1.m3u8", SLICE, f"bak0_{ROOM}.m3u8")
    (found,) = discover(storage, "")
    assert (found.id, len(found.parts)) == (ROOM, 2)
    assert found.parts[0].playlist.key == f"{ROOM}_18_1.m3u8"
    assert [copy.key for copy in found.parts[0].copies] == [f"{ROOM}_17_0.m3u8"]


def test_a_channel_called_like_a_copy_beside_one_that_is_not(put):
    own = f"{ROOM}_12_3_20260302090002120.ts"
    assert ids(discover(put(f"{ROOM}_12_3.m3u8", SLICE, own), "")) == [f"{ROOM}_12_3"]


@pytest.mark.parametrize("suffix", ["", "_17_0"], ids=["itself", "a copy"])
def test_a_playlist_that_was_named(put, suffix):
    keys = [f"in/{name}.m3u8" for name in (ROOM, f"{ROOM}_17_0", f"bak0_{ROOM}", f"{OTHER}_x")]
    storage = put(*keys, f"in/{SLICE}", "in/below/deep.m3u8")
    (found,) = discover(storage, f"in/{ROOM}{suffix}.m3u8")
    assert (found.id, len(found.parts)) == (ROOM, 2)
    assert [copy.key for copy in found.parts[0].copies] == [keys[1]]
    assert "deep.m3u8" not in found.parts[0].objects


def test_a_playlist_that_is_not_there(put):
    with pytest.raises(NotFoundError, match=r"other\.m3u8"):
        discover(put("one.m3u8"), "other.m3u8")


@pytest.mark.parametrize(
    ("key", "id", "folder"),
    [
        pytest.param("talk.mp4", "talk", "", id="at the top"),
        pytest.param("a/b/talk.v2.ts", "talk.v2", "a/b/", id="in a folder"),
        pytest.param("a/talk", "talk", "a/", id="without a suffix"),
        pytest.param("a/.ts", ".ts", "a/", id="nothing but a suffix"),
    ],
)
def test_a_lone_media_file(put, key, id, folder):
    storage = put(key, "a/beside.m3u8", "a/beside.ts")
    (found,) = discover(storage, key)
    assert (found.id, found.source) == (id, storage.url(key))
    (part,) = found.parts
    assert (part.playlist, part.folder) == (None, folder)
    assert [o.key for o in part.objects.values()] == [key]


@pytest.fixture
def opened(put, tmp_path):
    """Files with what they hold; which of them were opened is remembered."""

    def make(files):
        storage = put(*files)
        for key, data in files.items():
            (tmp_path / key).write_bytes(data)
        storage.opened = []
        read = storage.open

        def watched(key, **more):
            storage.opened.append(key)
            return read(key, **more)

        storage.open = watched
        return storage

    return make


LIST = b"\xef\xbb\xbf\n#EXTM3U\n#EXTINF:1,\n0.ts\n#EXT-X-ENDLIST\n"
NAMES = ["index.m3u8.txt", "playlist", "list.m3u", "INDEX.M3U8", "a.php", "x.ts"]


@pytest.mark.parametrize("name", NAMES)
def test_a_playlist_under_any_name_that_was_named(opened, name):
    (found,) = discover(opened({f"in/{name}": LIST, "in/0.ts": b"G"}), f"in/{name}")
    assert found.parts[0].playlist.key == f"in/{name}"
    assert set(found.parts[0].objects) == {name, "0.ts"}


@pytest.mark.parametrize("name", NAMES[:-1])
def test_a_playlist_under_any_name_in_its_folder(opened, name):
    storage = opened({f"a/{name}": LIST, "a/0.ts": b"G", "b/other.m3u8": LIST})
    found = discover(storage, "")
    assert [r.parts[0].playlist.key for r in found] == [f"a/{name}", "b/other.m3u8"]


def test_what_a_playlist_explains_is_not_looked_into(opened):
    files = {"in/x.m3u8": LIST, "in/notes": LIST, "in/below/deep": LIST, "else/media.ts": LIST}
    storage = opened(files)
    assert ids(discover(storage, "")) == ["x"]
    assert storage.opened == []


def test_few_of_many_files_are_looked_into(opened):
    storage = opened({f"{n:04}": b"x" for n in range(500)} | {"zz.M3U.txt": LIST, ".hidden": LIST})
    (found,) = discover(storage, "")
    assert found.parts[0].playlist.key == "zz.M3U.txt"
    assert len(storage.opened) == MOST_TRIED


def test_what_lies_below_belongs_to_the_nearest_playlist(put):
    storage = put("top.m3u8", "0.ts", "a/0.ts", "a/b/one.m3u8", "a/b/c/0.ts", "a/b/.trash/x.ts")
    found = {r.id: set(r.parts[0].objects) for r in discover(storage, "")}
    assert found == {"top": {"top.m3u8", "0.ts", "a/0.ts"}, "one": {"one.m3u8", "c/0.ts"}}


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        pytest.param([], "nothing is there", id="empty"),
        pytest.param(["a.ts", "b/c.MP4", "x.txt"], "2 media files but no playlist", id="media"),
        pytest.param([".trash/r/objects/a.ts", "b/.trash/c.ts"], "nothing is there", id="trash"),
        pytest.param(["a.txt", "b.jpg", "c/d"], "3 files, none of them a playlist", id="else"),
    ],
)
def test_a_folder_of_something_else(put, tmp_path, keys, why):
    with pytest.raises(NotFoundError, match=why) as caught:
        discover(put(*keys), "")
    assert str(caught.value).startswith(f"{tmp_path}")


def test_a_prefix_with_nothing_behind_it(put):
    with pytest.raises(NotFoundError, match=r"2027: no recording found: nothing is there"):
        discover(put("2026/one.m3u8"), "2027")


def test_the_same_names_in_two_folders(put, tmp_path):
    found = discover(put(f"x/{ROOM}.m3u8", f"x/{SLICE}", f"y/{ROOM}.m3u8"), "")
    assert ids(found) == [ROOM, ROOM]
    assert [r.source for r in found] == [str(tmp_path / f"{f}/{ROOM}.m3u8") for f in "xy"]
    assert [SLICE in r.parts[0].objects for r in found] == [True, False]


def test_playlists_that_are_not_agoras_stay_apart(put):
    found = discover(put("a.m3u8", "b.m3u8", f"{ROOM}.m3u8", f"{OTHER}_room.m3u8"), "")
    assert sorted(ids(found)) == sorted(["a", "b", ROOM, f"{OTHER}_room"])
    assert [(r.sid, r.cname) for r in found if r.id == "a"] == [(None, None)]


def test_individual_mode_has_one_session_of_all_streams(put):
    """Under one sid; the failover part of a stream belongs to it alone."""
    streams = [
        f"{SID}_room__uid_s_{uid}__uid_e_{kind}"
        for uid in ("1", "2", "11")
        for kind in ("video", "audio")
    ]
    storage = put(*(f"{stream}.m3u8" for stream in streams), f"bak0_{streams[3]}.m3u8")
    (found,) = discover(storage, "")
    assert (found.id, found.sid, found.cname) == (ROOM, SID, "room")
    assert [one.id for one in found.streams] == streams
    assert [[part.bak for part in one.parts] for one in found.streams] == [
        [None],
        [None],
        [None],
        [None, 0],
        [None],
        [None],
    ]
    assert found.parts == tuple(part for one in found.streams for part in one.parts)


def test_a_playlist_of_one_stream_stands_for_its_session(put):
    streams = [f"{SID}_room__uid_s_1__uid_e_{kind}.m3u8" for kind in ("audio", "video")]
    (found,) = discover(put(*streams, f"{OTHER}_room.m3u8"), streams[0])
    assert (found.id, len(found.streams)) == (ROOM, 2)


def test_sessions_of_two_folders_stay_apart(put):
    stream = f"{SID}_room__uid_s_1__uid_e_audio.m3u8"
    found = discover(put(f"x/{stream}", f"y/{stream}"), "")
    assert [one.id for one in found] == [ROOM, ROOM]


def test_parts_that_were_looked_up_again_go_back_to_their_streams(put):
    streams = [f"{SID}_room__uid_s_1__uid_e_{kind}.m3u8" for kind in ("audio", "video")]
    (found,) = discover(put(*streams, f"bak0_{streams[1]}"), "")
    assert with_parts(found, found.parts) == found
