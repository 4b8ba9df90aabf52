"""The playlist against what lies beside it."""

import os

import pytest

from pipeline.errors import StorageError
from pipeline.model import Severity
from pipeline.stages.discover import discover
from pipeline.stages.inspect import inspect
from pipeline.storage.local import LocalStorage

SID = "3f0c6a52d9e84b17a6c15d20e7b94f83"
ROOM = f"{SID}_room"
NAMES = [f"{ROOM}_2026030209000{n}120.ts" for n in range(3)]
UTC = 1_772_442_000.12


def m3u8(*names, before=None, end=True):
    """A playlist of these; ``before`` puts lines in front of one."""
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:1"]
    for name in names:
        lines += [*(before or {}).get(name, ()), "#EXTINF:1.000,", name]
    return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if end else []), ""])


@pytest.fixture
def folder(tmp_path):
    """Three slices and their playlist."""
    home = tmp_path / "recording"
    home.mkdir()
    for name in NAMES:
        (home / name).write_bytes(b"0123456789")
    (home / f"{ROOM}.m3u8").write_text(m3u8(*NAMES))
    return home


def inventory(folder, key="", *, accept_unfinished=False, keys=()):
    storage = LocalStorage(folder)
    (found,) = discover(storage, key)
    return inspect(found, storage, accept_unfinished=accept_unfinished, keys=keys)


def said(found):
    return [(f.id, f.severity, f.segment) for f in found.findings]


def test_everything_is_there(folder):
    found = inventory(folder)
    assert said(found) == []
    assert [s.name for s in found.segments] == NAMES
    assert [s.object.name for s in found.segments] == NAMES
    assert [s.utc for s in found.segments] == pytest.approx([UTC, UTC + 1, UTC + 2])
    assert (found.unfinished, [p.name for p in found.playlists]) == (False, [f"{ROOM}.m3u8"])


def test_a_missing_one(folder):
    (folder / NAMES[1]).unlink()
    found = inventory(folder)
    assert said(found) == [("SEG_MISSING", Severity.ERROR, NAMES[1])]
    assert found.findings[0].detail == "not there, playlist says 1.000 s"
    assert [s.object is not None for s in found.segments] == [True, False, True]
    assert found.segments[1].utc == pytest.approx(UTC + 1)


def test_a_folder_under_its_name_is_missing_too(folder):
    (folder / NAMES[1]).unlink()
    (folder / NAMES[1]).mkdir()
    assert said(inventory(folder)) == [("SEG_MISSING", Severity.ERROR, NAMES[1])]


def test_a_declared_gap_is_not_looked_for(folder):
    (folder / f"{ROOM}.m3u8").write_text(m3u8(*NAMES, before={NAMES[1]: ["#EXT-X-GAP"]}))
    found = inventory(folder)
    assert found.segments[1].object is None
    assert "SEG_MISSING" not in [f.id for f in found.findings]
    assert [f.segment for f in found.findings] == [NAMES[1]]


@pytest.mark.parametrize("there", [True, False], ids=["to a file", "to nothing"])
def test_a_link_out_of_the_folder(folder, tmp_path, there):
    outside = tmp_path / "outside.ts"
    if there:
        outside.write_bytes(b"secret")
    (folder / NAMES[1]).unlink()
    (folder / NAMES[1]).symlink_to(outside)
    found = inventory(folder)
    assert said(found) == [("PL_UNSAFE_URI", Severity.FATAL, NAMES[1])]
    assert found.segments[1].object is None


def test_a_link_inside_the_folder_is_followed(folder):
    (folder / NAMES[1]).rename(folder / "moved.ts")
    (folder / NAMES[1]).symlink_to("moved.ts")
    assert said(inventory(folder)) == []


@pytest.mark.parametrize(
    ("given", "findings"),
    [
        pytest.param("10@0", [], id="the whole object"),
        pytest.param("10", [("PL_BYTERANGE", Severity.FATAL, NAMES[1])], id="nobody knows where"),
        pytest.param("9@0", [], id="its beginning"),
        pytest.param("9@1", [], id="its end"),
        pytest.param("10@1", [("PL_BYTERANGE", Severity.ERROR, NAMES[1])], id="beyond its end"),
        pytest.param("11@0", [("PL_BYTERANGE", Severity.ERROR, NAMES[1])], id="more than it"),
        pytest.param("1@10", [("PL_BYTERANGE", Severity.ERROR, NAMES[1])], id="behind it"),
    ],
)
def test_byte_ranges(folder, given, findings):
    text = m3u8(*NAMES, before={NAMES[1]: [f"#EXT-X-BYTERANGE:{given}"]})
    (folder / f"{ROOM}.m3u8").write_text(text)
    assert said(inventory(folder)) == findings


def test_unfinished(folder):
    (folder / f"{ROOM}.m3u8").write_text(m3u8(*NAMES, end=False))
    found = inventory(folder)
    assert found.unfinished
    assert [s.object is not None for s in found.segments] == [True] * 3
    assert [f.id for f in found.findings] == ["PL_NO_ENDLIST"]


def test_unfinished_and_accepted_as_it_is(folder):
    (folder / f"{ROOM}.m3u8").write_text(m3u8(*NAMES, end=False))
    found = inventory(folder, accept_unfinished=True)
    assert not found.unfinished
    assert said(found) == [("PL_NO_ENDLIST", Severity.WARNING, None)]
    assert found.findings[0].detail.endswith("; accepted as it is")


def test_accepting_is_about_nothing_else(folder):
    (folder / f"{ROOM}.m3u8").write_text(m3u8(*NAMES, end=False))
    (folder / NAMES[0]).unlink()
    found = inventory(folder, accept_unfinished=True)
    assert ("SEG_MISSING", Severity.ERROR, NAMES[0]) in said(found)


COPY, LATER = f"{ROOM}_1772442002_0.m3u8", f"{ROOM}_1772442003_1.m3u8"


@pytest.mark.parametrize(
    ("main", "copies", "chosen"),
    [
        pytest.param(m3u8(*NAMES), [m3u8(*NAMES[:2])], f"{ROOM}.m3u8", id="an older copy"),
        pytest.param(m3u8(*NAMES[:2]), [m3u8(*NAMES)], COPY, id="a copy lists more"),
        pytest.param(m3u8(*NAMES, end=False), [m3u8(*NAMES)], COPY, id="a copy is finished"),
        pytest.param(m3u8(*NAMES), [m3u8(*NAMES)], f"{ROOM}.m3u8", id="the same"),
        pytest.param(m3u8(*NAMES), ["<html>"], f"{ROOM}.m3u8", id="a copy is no playlist"),
        pytest.param("<html>", [m3u8(*NAMES)], COPY, id="only the copy is a playlist"),
        pytest.param(
            m3u8(NAMES[0]), [m3u8(*NAMES[:2]), m3u8(*NAMES)], LATER, id="the best of many"
        ),
    ],
)
def test_the_most_complete_playlist_is_taken(folder, main, copies, chosen):
    (folder / f"{ROOM}.m3u8").write_text(main)
    for name, text in zip((COPY, LATER), copies, strict=False):
        (folder / name).write_text(text)
    found = inventory(folder)
    assert [p.name for p in found.playlists] == [chosen]
    assert [s.name for s in found.segments] == NAMES
    assert (said(found), found.unfinished) == ([], False)


def test_names_may_be_percent_encoded(folder):
    (folder / NAMES[1]).rename(folder / "a b.ts")
    (folder / f"{ROOM}.m3u8").write_text(m3u8(NAMES[0], "a%20b.ts", NAMES[2]))
    found = inventory(folder)
    assert said(found) == []
    assert (found.segments[1].name, found.segments[1].object.name) == ("a b.ts", "a b.ts")


def test_a_name_that_holds_a_percent_sign_comes_first(folder):
    (folder / "a%20b.ts").write_bytes(b"this one")
    (folder / "a b.ts").write_bytes(b"not this one")
    (folder / f"{ROOM}.m3u8").write_text(m3u8("a%20b.ts"))
    assert inventory(folder).segments[0].object.name == "a%20b.ts"


def part(folder, bak, *seconds, end=True):
    """A failover part with slices of these seconds."""
    listed = [f"bak{bak}_{ROOM}_202603020900{second:02}120.ts" for second in seconds]
    for name in listed:
        (folder / name).write_bytes(b"0123456789")
    (folder / f"bak{bak}_{ROOM}.m3u8").write_text(m3u8(*listed, end=end))
    return listed


def test_parts_come_in_the_order_of_their_slices(folder):
    later, sooner = part(folder, 0, 8, 9), part(folder, 1, 4, 5)
    found = inventory(folder)
    assert [s.name for s in found.segments] == [*NAMES, *sooner, *later]
    assert [s.part for s in found.segments] == ["main"] * 3 + ["bak1"] * 2 + ["bak0"] * 2
    assert [p.name for p in found.playlists] == [f"{b}{ROOM}.m3u8" for b in ("", "bak1_", "bak0_")]
    assert (said(found), found.unfinished) == ([], False)


def test_names_that_tell_nothing_leave_the_order_of_the_numbers(folder):
    part(folder, 1)
    (folder / f"bak1_{ROOM}.m3u8").write_text(m3u8("x.ts"))
    (folder / f"bak0_{ROOM}.m3u8").write_text(m3u8("y.ts"))
    assert [s.part for s in inventory(folder).segments][3:] == ["bak0", "bak1"]


def test_a_part_that_was_killed_need_not_end(folder):
    (folder / f"{ROOM}.m3u8").write_text(m3u8(*NAMES, end=False))
    part(folder, 0, 4)
    found = inventory(folder)
    assert not found.unfinished
    assert said(found) == [("PL_NO_ENDLIST", Severity.INFO, None)]
    assert found.findings[0].detail.endswith("bak0 goes on")


def test_a_playlist_cut_off_when_its_server_was_killed(folder):
    (folder / f"{ROOM}.m3u8").write_text(m3u8(*NAMES)[:-30])
    part(folder, 0, 4)
    found = inventory(folder)
    assert not found.unfinished
    assert {f.severity for f in found.findings} == {Severity.INFO}


@pytest.mark.parametrize("accept", [False, True])
def test_the_last_part_has_to_end(folder, accept):
    part(folder, 0, 4, end=False)
    found = inventory(folder, accept_unfinished=accept)
    assert found.unfinished is not accept
    severity = Severity.WARNING if accept else Severity.ERROR
    assert said(found) == [("PL_NO_ENDLIST", severity, None)]
    assert found.findings[0].detail.startswith("bak0: ")


def test_the_last_part_is_the_last_in_time(folder):
    (folder / f"{ROOM}.m3u8").write_text(m3u8(*NAMES, end=False))
    part(folder, 1, 4, end=False)
    part(folder, 0, 8)
    assert not inventory(folder).unfinished


@pytest.mark.parametrize("end", [True, False])
def test_a_part_that_recorded_nothing(folder, end):
    part(folder, 0, end=end)
    found = inventory(folder)
    assert len(found.segments) == 3
    assert not found.unfinished
    assert not [f for f in found.findings if f.severity in (Severity.ERROR, Severity.FATAL)]


def test_a_part_that_recorded_something_and_of_which_nothing_is_there(folder):
    (folder / f"{ROOM}.m3u8").write_text("#EXTM3U\n#EXTINF:1")
    for name in NAMES:
        (folder / name).unlink()
    later = part(folder, 0, 4)
    found = inventory(folder)
    assert [s.name for s in found.segments] == later
    assert not found.unfinished
    errors = [f for f in found.findings if f.severity is Severity.ERROR]
    assert [f.id for f in errors] == ["PL_TRUNCATED"]
    assert errors[0].detail.endswith("there is no slice of main")
    assert errors[0].repair == "that part left out"


@pytest.mark.parametrize("end", [True, False])
def test_a_part_whose_playlist_lists_none_of_its_slices(folder, end):
    """Its server was killed when it had stored them."""
    slices = part(folder, 0, 4, 5)
    (folder / f"bak0_{ROOM}.m3u8").write_text(m3u8(end=end))
    later = part(folder, 1, 8)
    found = inventory(folder)
    assert [s.name for s in found.segments] == [*NAMES, *slices, *later]
    assert ("PL_ORPHAN", Severity.WARNING, None) in said(found)
    assert not found.unfinished
    assert not [f for f in found.findings if f.severity in (Severity.ERROR, Severity.FATAL)]


def test_the_main_part_is_missing(folder):
    for name in (*NAMES, f"{ROOM}.m3u8"):
        (folder / name).unlink()
    part(folder, 1, 4)
    found = inventory(folder)
    assert said(found) == [("PL_PARTS", Severity.ERROR, None)]
    assert "the main part is missing: the recording begins with bak1" in found.findings[0].detail
    assert len(found.segments) == 1


def test_only_the_playlist_of_a_part_is_missing(folder):
    """Its slices are there."""
    (folder / f"{ROOM}.m3u8").unlink()
    part(folder, 1, 4)
    found = inventory(folder)
    assert [s.part for s in found.segments] == ["main"] * 3 + ["bak1"]
    assert said(found) == [
        ("PL_ORPHAN", Severity.WARNING, None),
        ("PL_NO_ENDLIST", Severity.INFO, None),
    ]
    assert found.findings[0].detail == "3 slices of main, but no playlist of it"
    assert not found.unfinished
    assert len(found.playlists) == 1


def test_the_playlist_of_the_last_part_is_missing(folder):
    part(folder, 0, 4)
    (folder / f"bak0_{ROOM}.m3u8").unlink()
    assert inventory(folder).unfinished
    assert not inventory(folder, accept_unfinished=True).unfinished


# what the playlist lacks


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_a_slice_that_is_not_listed_fits_a_hole(folder, gone):
    listed = [name for n, name in enumerate(NAMES) if n != gone]
    (folder / f"{ROOM}.m3u8").write_text(m3u8(*listed))
    found = inventory(folder)
    assert [s.name for s in found.segments] == NAMES
    assert [s.listed for s in found.segments] == [n != gone for n in range(3)]
    assert said(found) == []


def test_a_slice_that_is_not_listed_behind_a_clock_that_was_set_back(folder):
    """Names tell what is beside it, not what is behind it."""
    back = [f"{ROOM}_202603020830{n:02}120.ts" for n in (0, 2, 4)]
    for name in back:
        (folder / name).write_bytes(b"0123456789")
    (folder / f"{ROOM}.m3u8").write_text(m3u8(*NAMES, back[0], back[2]))
    assert [s.name for s in inventory(folder).segments] == [*NAMES, *back]
    (folder / f"{ROOM}.m3u8").write_text(m3u8(*NAMES, *back[1:]))
    assert [s.name for s in inventory(folder).segments] == [*NAMES, *back]


def test_a_slice_behind_one_that_is_listed_again_at_the_end(folder):
    (folder / f"{ROOM}.m3u8").write_text(m3u8(NAMES[0], NAMES[2], NAMES[0]))
    assert [s.name for s in inventory(folder).segments] == [*NAMES, NAMES[0]]


def test_a_slice_whose_place_another_was_listed_for_twice(folder):
    (folder / f"{ROOM}.m3u8").write_text(m3u8(NAMES[0], NAMES[0], NAMES[2]))
    found = inventory(folder)
    assert [s.name for s in found.segments] == [NAMES[0], NAMES[0], NAMES[1], NAMES[2]]


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        pytest.param("20260302090001620", b"x", "another holds its time", id="another is there"),
        pytest.param("20260302090009120", b"", "it is empty", id="empty"),
    ],
)
def test_a_slice_that_is_not_listed_and_not_needed(folder, name, data, why):
    (folder / f"{ROOM}_{name}.ts").write_bytes(data)
    found = inventory(folder)
    assert [s.name for s in found.segments] == NAMES
    assert said(found) == [("PL_ORPHAN", Severity.WARNING, f"{ROOM}_{name}.ts")]
    assert found.findings[0].detail.endswith(why)
    assert found.findings[0].repair is None


@pytest.mark.parametrize(
    "name",
    [
        f"bak0_{ROOM}_20260302090009120.mp4",
        f"{ROOM}s_20260302090009120.ts",
        f"{ROOM}_2_20260302090009120.ts",
        f"{'0' * 32}_room_20260302090009120.ts",
        f"{ROOM}_20260302090009120.ts.tmp",
        f"{ROOM}_0.mp4",
    ],
)
def test_what_is_not_of_this_part_is_no_orphan(folder, name):
    (folder / name).write_bytes(b"x")
    found = inventory(folder)
    assert ([s.name for s in found.segments], said(found)) == (NAMES, [])


def test_a_lone_media_file(folder):
    found = inventory(folder, NAMES[2])
    assert said(found) == []
    assert found.playlists == ()
    (only,) = found.segments
    assert (only.name, only.object.size, only.segment.duration) == (NAMES[2], 10, 0.0)
    assert only.utc == pytest.approx(UTC + 2)


def test_a_playlist_that_changes_after_the_listing(folder):
    storage = LocalStorage(folder)
    (found,) = discover(storage, "")
    playlist = folder / f"{ROOM}.m3u8"
    playlist.write_text(m3u8(*NAMES[:2]))
    os.utime(playlist, (1, 1))
    with pytest.raises(StorageError, match="changed since it was listed"):
        inspect(found, storage, accept_unfinished=False)


def test_a_part_of_a_file_has_a_name_of_its_own(folder):
    text = m3u8(*NAMES, before={NAMES[1]: ["#EXT-X-BYTERANGE:4@3"]})
    (folder / f"{ROOM}.m3u8").write_text(text)
    assert [listed.name for listed in inventory(folder).segments] == [
        NAMES[0],
        f"{NAMES[1]}@3",
        NAMES[2],
    ]


@pytest.mark.parametrize(
    ("tag", "finding"),
    [
        pytest.param('#EXT-X-KEY:METHOD=AES-128,URI="k"', "PL_KEY", id="key"),
        pytest.param('#EXT-X-MAP:URI="i.mp4"', "PL_MAP", id="initialisation section"),
    ],
)
def test_what_is_named_must_lie_beside_the_playlist(folder, tag, finding):
    (folder / f"{ROOM}.m3u8").write_text(m3u8(*NAMES, before={NAMES[1]: [tag]}))
    assert said(inventory(folder)) == [(finding, Severity.FATAL, None)]
    (folder / "k").write_bytes(bytes(16))
    (folder / "i.mp4").write_bytes(bytes(16))
    assert said(inventory(folder)) == []


def test_a_key_elsewhere_has_to_be_given(folder):
    tag = '#EXT-X-KEY:METHOD=AES-128,URI="https://keys.example.com/1"'
    (folder / f"{ROOM}.m3u8").write_text(m3u8(*NAMES, before={NAMES[0]: [tag]}))
    warning = ("PL_UNSAFE_URI", Severity.WARNING, None)
    assert said(inventory(folder)) == [warning, ("PL_KEY", Severity.FATAL, None)]
    assert said(inventory(folder, keys=[bytes(16)])) == [warning]


def other(folder, *names, text=None, called="index.m3u8"):
    """A playlist that is not Agora's, alone in its folder; files are called as behind ``=``."""
    for old in folder.iterdir():
        old.unlink()
    for name in names:
        path = folder / name.rpartition("=")[2]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"this is {name}".encode())
    (folder / called).write_text(text or m3u8(*(name.partition("=")[0] for name in names)))


@pytest.mark.parametrize("key", ["", "index.m3u8"], ids=["the folder", "the playlist"])
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("hls/1.ts", id="a folder below"),
        pytest.param("./1.ts=1.ts", id="the same folder"),
        pytest.param("./a/./b/1.ts=a/b/1.ts", id="dots on the way"),
        pytest.param("a%2Fb%20c.ts=a/b c.ts", id="percent-encoded"),
        pytest.param("50%2Foff.ts", id="a percent sign in a name"),
        pytest.param("1.ts?token=a%2Fb&x=/1=1.ts", id="a query"),
        pytest.param("1.ts#t=1=1.ts", id="a fragment"),
        pytest.param("1.ts#t", id="a hash in a name"),
        pytest.param(f"hls/{NAMES[0]}", id="a slice of Agora"),
    ],
)
def test_names_in_the_folder_and_below(folder, key, name):
    uri, _, file = name.rpartition("=")
    other(folder, name, text=m3u8(uri or file))
    found = inventory(folder, key)
    assert said(found) == []
    (one,) = found.segments
    assert (one.name, one.object.key) == (file, file)
    assert one.utc == (pytest.approx(UTC) if file.endswith(NAMES[0]) else None)


def test_equal_names_in_two_folders_are_two_segments(folder):
    other(folder, "a/1.ts", "b/1.ts")
    found = inventory(folder)
    assert said(found) == []
    assert [(s.name, s.object.key) for s in found.segments] == [("a/1.ts",) * 2, ("b/1.ts",) * 2]


def test_a_folder_that_has_a_playlist_of_its_own_is_seen_from_above_too(folder):
    other(folder, "hls/1.ts", "hls/2.ts")
    (folder / "hls" / "index.m3u8").write_text(m3u8("1.ts", "2.ts"))
    storage = LocalStorage(folder)
    for found in discover(storage, ""):
        read = inspect(found, storage, accept_unfinished=False)
        assert said(read) == []
        assert [s.object.key for s in read.segments] == ["hls/1.ts", "hls/2.ts"]


class Counted:
    """Counts what is asked of a store."""

    def __init__(self, storage):
        self._storage, self.asked = storage, []

    def __getattr__(self, name):
        def ask(*given, **named):
            self.asked.append((name, given[0] if given else ""))
            return getattr(self._storage, name)(*given, **named)

        return ask


def test_what_lies_below_and_was_not_listed_is_listed_once(folder):
    """Also where much of it is missing: no request for each segment."""
    names = [f"x/{n % 3}/{n}.ts" for n in range(60)]
    other(folder, *names[::2], text=m3u8(*names))
    storage = Counted(LocalStorage(folder))
    (found,) = discover(storage, "index.m3u8")
    storage.asked.clear()
    read = inspect(found, storage, accept_unfinished=False)
    assert [s.object is not None for s in read.segments] == [True, False] * 30
    assert [asked for asked in storage.asked if asked[0] in ("list", "head", "open")] == [
        ("open", "index.m3u8"),
        ("list", "x/"),
    ]


def test_what_was_thrown_away_is_not_brought_back(folder):
    other(folder, ".trash/1.ts")
    assert said(inventory(folder)) == [("SEG_MISSING", Severity.ERROR, ".trash/1.ts")]


def test_a_folder_below_that_links_out(folder, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "1.ts").write_bytes(b"secret")
    other(folder, text=m3u8("x/1.ts"))
    (folder / "x").symlink_to(tmp_path / "outside")
    for key in ("", "index.m3u8"):
        found = inventory(folder, key)
        assert said(found) == [("PL_UNSAFE_URI", Severity.FATAL, "x/1.ts")]
        assert found.segments[0].object is None


def test_a_missing_one_is_called_without_its_query(folder):
    other(folder, text=m3u8("a.ts?signature=secret", f"{ROOM}?x_20260302090000120.ts"))
    names = ["a.ts", f"{ROOM}?x_20260302090000120.ts"]
    assert said(inventory(folder)) == [("SEG_MISSING", Severity.ERROR, name) for name in names]


def test_orphans_are_looked_for_where_the_slices_are(folder):
    """What lies beside the playlist under the names of slices below is another matter."""
    (folder / "hls").mkdir()
    for name in NAMES:
        (folder / name).rename(folder / "hls" / name)
    (folder / NAMES[1]).write_bytes(b"a copy")
    (folder / f"{ROOM}.m3u8").write_text(m3u8(f"hls/{NAMES[0]}", f"hls/{NAMES[2]}"))
    found = inventory(folder)
    assert [(s.name, s.listed) for s in found.segments] == [
        (f"hls/{NAMES[0]}", True),
        (f"hls/{NAMES[1]}", False),
        (f"hls/{NAMES[2]}", True),
    ]


def test_keys_and_initialisation_sections_below(folder):
    tags = ['#EXT-X-KEY:METHOD=AES-128,URI="keys/1.key?t=1",IV=0x1', '#EXT-X-MAP:URI="./i/i.mp4"']
    other(folder, "1.m4s", "keys/1.key", "i/i.mp4", text=m3u8("1.m4s", before={"1.m4s": tags}))
    (one,) = inventory(folder, "index.m3u8").segments
    assert (one.key.key, one.init.key, one.init_key.key) == ("keys/1.key", "i/i.mp4", "keys/1.key")


def test_a_file_listed_twice(folder):
    """Under whatever names."""
    other(folder, "a b.ts", "c.ts", text=m3u8("a b.ts", "c.ts", "a%20b.ts", "./a b.ts?x"))
    (finding,) = inventory(folder).findings
    assert (finding.id, finding.severity) == ("PL_DUP_URI", Severity.WARNING)
    assert (finding.segment, finding.count) == ("a b.ts", 2)


def test_ranges_of_one_file_are_no_duplicates(folder):
    tags = {f"a.ts?{n}": [f"#EXT-X-BYTERANGE:5@{n}"] for n in (0, 5)}
    other(folder, "a.ts", text=m3u8(*tags, before=tags).replace("?0", "").replace("?5", ""))
    assert said(inventory(folder)) == []


def test_a_file_listed_without_end(folder):
    other(folder, "a.ts", text=m3u8(*(f"a.ts?{n}" for n in range(1001))))
    (finding,) = inventory(folder).findings
    assert (finding.id, finding.severity) == ("PL_LIMIT", Severity.FATAL)


def test_a_flood_of_missing_segments_is_cut_off(folder):
    other(folder, text=m3u8(*(f"{n}.ts" for n in range(1500))))
    findings = inventory(folder).findings
    assert len(findings) == 1001
    assert (findings[-1].segment, findings[-1].count) == (None, 500)
