"""Captions beside a recording: which belong to it, and what they say."""

from pathlib import Path

import pytest

from pipeline.errors import DeniedError, NotFoundError, UsageError
from pipeline.stages import captions
from pipeline.stages.discover import discover
from pipeline.storage.local import LocalStorage

SID, TASK, CNAME = "ab" * 16, "cd" * 16, "team_room"
ONE = "WEBVTT\n\n00:01.000 --> 00:02.000\nhello\n"


def laid(folder: Path, *names: str, **listed: str) -> LocalStorage:
    """Files with a cue each, and playlists of them."""
    for name in (f"{SID}_{CNAME}_20260302090002120.ts", *names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(ONE if name.endswith(".vtt") else "x")
    media = {f"{SID}_{CNAME}": f"{SID}_{CNAME}_20260302090002120.ts"}
    for stem, uri in {**media, **listed}.items():
        (folder / f"{stem}.m3u8").write_text(f"#EXTM3U\n#EXTINF:60,\n{uri}\n#EXT-X-ENDLIST\n")
    return LocalStorage(folder)


def found(storage: LocalStorage) -> list[tuple[str, list[str]]]:
    recording = next(one for one in discover(storage, "") if one.sid == SID)
    return [(g.name, [o.key for o in g.files]) for g in captions.beside(recording, storage)]


@pytest.mark.parametrize(
    ("names", "own"),
    [
        pytest.param([f"{SID}_{CNAME}.vtt"], [f"{SID}_{CNAME}"], id="by its sid"),
        pytest.param([f"{TASK}_{CNAME}.vtt"], [f"{TASK}_{CNAME}"], id="by its channel"),
        pytest.param(
            [f"{TASK}_{CNAME}_en-US.vtt", f"{TASK}_{CNAME}_fr-FR.vtt"],
            [f"{TASK}_{CNAME}_en-US", f"{TASK}_{CNAME}_fr-FR"],
            id="in two languages",
        ),
        pytest.param(["sub/any.vtt"], [], id="called otherwise, beside another recording"),
        pytest.param([f"{TASK}_team_rooms.vtt"], [], id="of another channel"),
        pytest.param([f"{TASK}_team_room_2.vtt"], [], id="of a channel whose name goes on"),
        pytest.param(
            [f"{TASK}_{CNAME}_20250302090002120.vtt"], [], id="of the same channel a year ago"
        ),
        pytest.param([f"{SID}_{CNAME}.speakers.vtt"], [], id="written by this tool"),
    ],
)
def test_captions_belong_to_a_recording_by_their_names(tmp_path, names, own):
    other = {f"{'ef' * 16}_other": "x.ts"}
    assert [name for name, _ in found(laid(tmp_path, *names, **other))] == own


def test_captions_that_are_alone_with_a_recording_belong_to_it(tmp_path):
    storage = laid(tmp_path, "sub/any_1.vtt", "sub/any_2.vtt")
    assert found(storage) == [("sub/any", ["sub/any_1.vtt", "sub/any_2.vtt"])]


def test_a_playlist_of_captions_is_a_track_and_no_recording(tmp_path):
    name = f"{TASK}_{CNAME}_20260302090002120.vtt"
    storage = laid(tmp_path, name, **{f"{TASK}_{CNAME}": name})
    assert [one.sid for one in discover(storage, "")] == [SID]
    assert found(storage) == [(f"{TASK}_{CNAME}.m3u8", [name])]
    with pytest.raises(UsageError, match="lists captions, no media"):
        discover(storage, f"{TASK}_{CNAME}.m3u8")


def test_a_playlist_whose_slices_are_gone_stays_a_recording(tmp_path):
    """Captions that are called like it do not hide that."""
    gone = f"{TASK}_{CNAME}"
    storage = laid(tmp_path, f"{gone}.vtt", **{gone: f"{gone}_20260302090002120.ts"})
    assert sorted(one.sid or "" for one in discover(storage, "")) == [SID, TASK]


def test_files_are_read_in_the_order_of_their_playlist_with_its_times(tmp_path):
    first, second = "a_20260302090102120.vtt", "a_20260302090002120.vtt"
    for name in (first, second):
        (tmp_path / name).write_text(ONE)
    dated = "#EXT-X-PROGRAM-DATE-TIME:2026-03-02T09:00:10Z"
    lines = ["#EXTM3U", dated, "#EXTINF:60,", first, "#EXTINF:30,", second, "#EXT-X-ENDLIST"]
    (tmp_path / "a.m3u8").write_text("\n".join(lines))
    storage = LocalStorage(tmp_path)
    read = captions.read(captions.named(storage, "a.m3u8"))
    assert [(f.time, f.lasts) for f in read.files] == [(1772442010, 60), (1772442002.12, 30)]
    assert [one.key for one in read.sources] == ["a.m3u8", first, second]
    assert all(one.sha256 for one in read.sources)


def test_what_is_no_caption_is_said_and_listed(tmp_path, monkeypatch):
    (tmp_path / "good_1.vtt").write_text("WEBVTT\nLanguage: de\n\n00:01.000 --> 00:02.000\nhallo")
    (tmp_path / "good_2.vtt").write_text("<html>")
    (tmp_path / "good_3.vtt").write_text(ONE * 100)
    monkeypatch.setattr(captions.webvtt, "LARGEST", 1000)
    storage = LocalStorage(tmp_path)
    (tmp_path / "good.m3u8").write_text(
        "#EXTM3U\n" + "".join(f"#EXTINF:1,\ngood_{n}.vtt\n" for n in (1, 2, 3))
    )
    read = captions.read(captions.named(storage, "good.m3u8"))
    assert (read.language, len(read.files)) == ("de", 1)
    assert read.wrong == (
        "good_2.vtt: its first line is not WEBVTT",
        f"good_3.vtt: {len(ONE) * 100} bytes, too much for captions",
    )
    assert [one.sha256 is None for one in read.sources] == [False, False, False, True]


def test_captions_that_are_gone_meanwhile_cost_nothing_else(tmp_path):
    for name in ("a_1.vtt", "a_2.vtt"):
        (tmp_path / name).write_text(ONE)
    (tmp_path / "a.m3u8").write_text("#EXTM3U\n#EXTINF:1,\na_1.vtt\n#EXTINF:1,\na_2.vtt\n")
    group = captions.named(LocalStorage(tmp_path), "a.m3u8")
    (tmp_path / "a_1.vtt").unlink()
    read = captions.read(group)
    assert (len(read.files), len(read.wrong)) == (1, 1)
    (tmp_path / "a.m3u8").unlink()
    assert len(captions.read(group).wrong) == 2
    assert {one.key for one in captions.read(group).sources} == {"a.m3u8", "a_1.vtt", "a_2.vtt"}


def test_what_is_named_must_be_there_and_be_captions(tmp_path):
    storage = laid(tmp_path)
    with pytest.raises(NotFoundError):
        captions.named(storage, "none.vtt")
    with pytest.raises(UsageError, match="lists no captions"):
        captions.named(storage, f"{SID}_{CNAME}.m3u8")


def test_a_named_playlist_that_may_not_be_read_is_not_called_one_without_captions(tmp_path):
    class Refusing(LocalStorage):
        def open(self, key, *, etag=None):
            raise DeniedError(f"read {key}: access denied")

    (tmp_path / "said.m3u8").write_text("#EXTM3U\n#EXTINF:1,\na.vtt\n")
    with pytest.raises(DeniedError, match="access denied"):
        captions.named(Refusing(tmp_path), "said.m3u8")


def test_a_playlist_of_captions_reads_nothing_outside_its_folder(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "secret.vtt").write_text(ONE)
    (tmp_path / "in" / "a.m3u8").write_text("#EXTM3U\n#EXTINF:1,\n../secret.vtt\n")
    assert captions.named(LocalStorage(tmp_path / "in"), "a.m3u8").files == ()
