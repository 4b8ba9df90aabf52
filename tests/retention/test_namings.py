"""A slice that another playlist names stays, whatever names it, and however."""

import shutil

import pytest

from pipeline.errors import StorageError
from pipeline.retention import namings
from pipeline.retention.namings import Namings, of_source, resolved
from tests.retention.conftest import ALL, put


@pytest.mark.parametrize(
    ("reference", "folder", "key"),
    [
        pytest.param("a.ts", "", "a.ts", id="beside it, in the root"),
        pytest.param("a.ts", "2026", "2026/a.ts", id="beside it"),
        pytest.param("hls/a.ts", "2026", "2026/hls/a.ts", id="in a folder below"),
        pytest.param("./hls/../a.ts", "2026", "2026/a.ts", id="dots"),
        pytest.param("../b/a.ts", "2026/x", "2026/b/a.ts", id="in a folder beside it"),
        pytest.param("a%20b%2Ets", "2026", "2026/a b.ts", id="percent-encoded"),
        pytest.param("a%20b.ts", "2026", "2026/a%20b.ts", id="a percent sign in its name"),
        pytest.param("a.ts?token=1#t=5", "2026", "2026/a.ts", id="with a query"),
        pytest.param("a?b.ts", "2026", "2026/a?b.ts", id="a question mark in its name"),
    ],
)
def test_a_reference_means_a_key(reference, folder, key):
    assert (key, None) in set(resolved(reference, folder))


@pytest.mark.parametrize(
    ("reference", "path"),
    [
        ("/2026/a.ts", "2026/a.ts"),
        ("//host/2026/a.ts", "host/2026/a.ts"),
        ("https://cdn.example.com/x/2026/a%2Fb.ts?sig=1", "x/2026/a/b.ts"),
        ("s3://bucket/calls/2026/a.ts", "calls/2026/a.ts"),
        ("../../elsewhere/a.ts", "elsewhere/a.ts"),
        ("http://[::1/a.ts", "a.ts"),
    ],
)
def test_a_reference_means_a_path(reference, path):
    assert (None, path) in set(resolved(reference, "2026"))


def write(yard, key: str, text: str) -> None:
    put(yard.source, key, text.encode(), yard.spool)


def first_slice(yard, id: str) -> str:
    return next(f.name for f in yard.source.list(f"2026/{id}") if f.key.endswith(".ts"))


NAMES = {
    "in its folder": ("2026/highlights.m3u8", "#EXTM3U\n#EXTINF:4,\n{name}\n#EXT-X-ENDLIST\n"),
    "with the line ends of Windows": ("2026/highlights.m3u8", "#EXTM3U\r\n{name}\r\n"),
    "without an end of the line": ("2026/highlights.m3u", "{name}"),
    "in capitals": ("2026/HIGHLIGHTS.M3U8", "{name}\n"),
    "from the folder above": ("all.m3u8", "2026/{name}\n"),
    "from a folder beside it": ("cut/one.m3u8", "../2026/{name}\n"),
    "from the root of a server": ("cut/one.m3u8", "/2026/{name}\n"),
    "from a server": ("cut/one.m3u8", "https://cdn.example.com/calls/2026/{name}?sig=x\n"),
    "percent-encoded": ("2026/highlights.m3u8", "%{code}{rest}\n"),
    "as an initialisation section": ("2026/other.m3u8", '#EXT-X-MAP:URI="{name}"\n'),
    "as a part": ("2026/other.m3u8", '#EXT-X-PART:DURATION=1,URI="{name}",INDEPENDENT=YES\n'),
    "before bytes that are no text": ("2026/other.m3u8", "{name}\n\udcff\udcfe\n"),
    "behind a line without an end": ("2026/other.m3u8", "#" + "x" * 3_000_000 + "\n{name}\n"),
}


@pytest.mark.parametrize("how", NAMES)
def test_a_slice_that_another_playlist_names_stays(yard, how):
    keep, go = yard.published(1), yard.published(2)
    key, text = NAMES[how]
    name = first_slice(yard, keep)
    fields = {"name": name, "code": f"{ord(name[0]):02X}", "rest": name[1:]}
    put(yard.source, key, text.format(**fields).encode("utf-8", "surrogateescape"), yard.spool)
    made = yard.survey()
    assert dict(made.kept) == {"another playlist names it as well": 1}
    assert [one["recording"] for one in yard.told()["recordings"]] == [go]


def test_a_master_playlist_keeps_what_it_names(yard):
    id = yard.published(1)
    write(yard, "2026/master.m3u8", f"#EXT-X-STREAM-INF:BANDWIDTH=1\n{id}.m3u8\n")
    assert yard.survey().recordings == 0


def test_a_playlist_of_something_else_keeps_nothing(yard):
    id = yard.published(1)
    name = first_slice(yard, id)
    for key, text in {
        "2026/a.m3u8": f"x{name}\n# {name}\n",
        "2026/b.txt": f"{name}\n",
        "b/c.m3u8": f"{name}\nhttps://host/other/{name}\n",
        "d.m3u8": f"2027/{name}\n",
        ".trash/run/objects/2026/e.m3u8": f"{name}\n",
    }.items():
        write(yard, key, text)
    assert yard.survey().recordings == 1


def test_a_playlist_that_was_converted_keeps_what_it_names_as_well(yard):
    id = yard.published(1)
    write(yard, "2026/other.m3u8", f"{first_slice(yard, id)}\n")
    yard.publish("other")
    yard.survey(ALL)
    assert [one["recording"] for one in yard.told()["recordings"]] == ["other"]


def test_a_playlist_written_after_the_plan_keeps_its_slices(anywhere):
    yard = anywhere
    keep, go = yard.published(1), yard.published(2)
    yard.survey()
    write(yard, "2026/highlights.m3u8", f"{first_slice(yard, keep)}\n")
    done = {one.recording: one.problem for one in yard.apply()}
    assert done[go] is None
    assert "another playlist names it as well" in done[keep]
    assert first_slice(yard, keep)


def test_a_playlist_written_after_the_slices_went_keeps_them_in_the_trash(anywhere):
    yard = anywhere
    id = yard.published(1)
    name = first_slice(yard, id)
    yard.survey()
    yard.apply()
    write(yard, "2026/highlights.m3u8", f"{name}\n")
    (done,) = yard.purge()
    assert "another playlist" in done.problem
    assert [one.problem for one in yard.restore()] == [None]
    assert first_slice(yard, id) == name


def test_a_playlist_that_is_rewritten_all_the_time_is_read_in_the_end(yard):
    write(yard, "a.m3u8", "b.ts\n")
    source, left = yard.source, [namings.TRIES - 1]
    real = source.open

    def rewritten(key):
        if left[0]:
            left[0] -= 1
            raise StorageError("changed while being read")
        return real(key)

    source.open = rewritten
    assert of_source(source, ["b.ts"]).of("b.ts") == {"a.m3u8"}
    left[0] = namings.TRIES
    with pytest.raises(StorageError):
        of_source(source, ["b.ts"])


def test_a_playlist_that_is_gone_by_now_names_nothing(yard):
    assert Namings(yard.source, ["b.ts"], ["gone.m3u8"]).of("b.ts") == set()


def test_a_backlog_of_a_year_is_worked_through_night_by_night(yard):
    """With nothing but the defaults, and nobody there."""
    from pipeline.retention.plan import Rules

    day = 86400.0
    ids = {n: yard.published(n, count=1, age=n * day + 60) for n in range(0, 360, 3)}
    shared = ids[300]
    write(yard, "2026/highlights.m3u8", f"{first_slice(yard, shared)}\n")
    sizes = []
    while True:
        made = yard.survey(Rules())
        assert made.objects <= made.seen.objects * Rules().max_fraction
        assert all(one.problem is None for one in yard.apply())
        sizes.append(made.recordings)
        if not made.later:
            break
    assert sum(sizes) == len([n for n in ids if n >= 30]) - 1
    assert len(sizes) > 2
    left = {key.removeprefix("2026/")[:32] for key in yard.slices()}
    assert left == {yard.sid(n) for n in ids if n < 30 or n == 300} | {"highlights.m3u8"}
    shutil.rmtree(yard.source.root / ".trash")
    assert yard.survey(Rules()).recordings == 0
