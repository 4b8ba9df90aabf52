"""Chapters and a comment made of holes."""

import base64

import pytest

from pipeline.media.loss.chapters import MOST, Chapter, Marks, marks
from pipeline.model import Hole, Seam

HZ = 90_000


def hole(start: float, length: float, kind: str = "video", **options: str) -> Hole:
    return Hole(kind, start, length, **{"segment": "3.ts", "reason": "segment missing", **options})


def spans(*holes: Hole, duration: float = 60.0) -> list[tuple[float, float, str]]:
    made = marks(holes, duration, {"video": 1.0, "audio": 0.0})
    return [(c.start / HZ, c.end / HZ, c.title) for c in made.chapters]


def text(made: Marks) -> str:
    kind, _, packed = made.metadata.partition("base64,")
    assert kind == "data:text/plain;"
    return base64.b64decode(packed).decode()


def test_nothing_lost_nothing_said():
    assert marks((), 60.0, {"video": 0.0, "audio": 0.0}) == Marks()


def test_a_loss_without_a_hole_is_a_comment_alone():
    made = marks((), 60.0, {"video": 4.0, "audio": 4.011})
    assert made.chapters == ()
    assert made.comment == "recpipe: the source lost 4.000 s of video, 4.011 s of audio"


@pytest.mark.parametrize(
    ("holes", "wanted"),
    [
        pytest.param(
            [hole(10, 12.4)],
            [(0, 10, "recording"), (10, 22.4, "lost 12.4 s of video: segment missing")],
            id="one",
        ),
        pytest.param(
            [hole(10, 12.4), hole(9.9, 12.5, "audio")],
            [(0, 9.9, "recording"), (9.9, 22.4, "lost 12.5 s: segment missing")],
            id="sound and picture at one place",
        ),
        pytest.param(
            [hole(-0.1, 2.1)], [(0, 2, "lost 2.1 s of video: segment missing")], id="at the start"
        ),
        pytest.param(
            [hole(10, 5), hole(20, 0.25, segment="4.ts")],
            [
                (0, 10, "recording"),
                (10, 15, "lost 5.0 s of video: segment missing"),
                (15, 20, "recording"),
                (20, 20.25, "lost 0.25 s of video: segment missing"),
            ],
            id="two",
        ),
        pytest.param(
            [hole(10, 5), hole(15, 5, segment="4.ts")],
            [
                (0, 10, "recording"),
                (10, 15, "lost 5.0 s of video: segment missing"),
                (15, 20, "lost 5.0 s of video: segment missing"),
            ],
            id="one behind the other",
        ),
        pytest.param(
            [hole(10, 5, became="filled")],
            [(0, 10, "recording"), (10, 15, "lost 5.0 s of video: segment missing, filled")],
            id="filled",
        ),
    ],
)
def test_chapters_cover_everything(holes, wanted):
    last = (wanted[-1][1], 60.0, "recording")
    ticks = [(round(a * HZ), round(b * HZ), title) for a, b, title in (*wanted, last)]
    assert [(round(a * HZ), round(b * HZ), title) for a, b, title in spans(*holes)] == ticks


def test_no_chapter_is_so_long_that_ffmpeg_leaves_it_out():
    lost = "lost 25201.0 s of video: segment missing"
    hour = 3600.0
    assert spans(hole(8 * hour, 7 * hour + 1), duration=22 * hour) == [
        (0, 6 * hour, "recording"),
        (6 * hour, 8 * hour, "recording"),
        (8 * hour, 14 * hour, lost),
        (14 * hour, 15 * hour + 1, lost),
        (15 * hour + 1, 21 * hour + 1, "recording"),
        (21 * hour + 1, 22 * hour, "recording"),
    ]
    assert len(spans(hole(6 * hour, 60), duration=6 * hour + 60)) == 2
    closed = spans(hole(hour, 12, became="closed"), duration=8 * hour)
    assert [start / hour for start, _, _ in closed] == [0, 1, 7]
    assert [title.partition(" ")[0] for _, _, title in closed] == ["recording", "lost", "recording"]


def test_a_closed_hole_names_what_follows():
    holes = [hole(10, 4, became="closed"), hole(10.1, 4, "audio", became="closed")]
    assert spans(*holes) == [
        (0, 10, "recording"),
        (10, 60, "lost 4.0 s: segment missing, closed"),
    ]


def test_what_ffmpeg_reads():
    made = Marks((Chapter(0, 900, "a=b; #c\\d"),), "one\ntwo")
    assert text(made) == (
        ";FFMETADATA1\ncomment=one\\\ntwo\n[CHAPTER]\nTIMEBASE=1/90000\nSTART=0\nEND=900\n"
        "title=a\\=b\\; \\#c\\\\d\n"
    )


def test_not_more_chapters_than_players_take():
    holes = [hole(10 * n, 1, segment=f"{n}.ts") for n in range(1, 1000)]
    made = marks(holes, 20_000.0, {"video": 999.0, "audio": 0.0})
    assert len(made.chapters) == 2 * MOST + 1 <= 255
    assert made.comment.endswith(f"and {999 - MOST} more")
    assert len(made.metadata) < 128 << 10  # one argument of a command line


def test_a_join_is_a_chapter():
    made = marks((), 60.0, {"video": 0.0}, [Seam(20.0, "bak0", ""), Seam(40.0, "bak1", "")])
    starts = [(c.start / HZ, c.title) for c in made.chapters]
    assert starts == [(0, "recording"), (20, "recording, bak0"), (40, "recording, bak1")]
    assert made.chapters[-1].end == 60 * HZ
    assert "comment" not in text(made)


@pytest.mark.parametrize("time", [24.98, 25.0])
def test_a_join_behind_a_hole_names_what_follows(time):
    made = marks([hole(20, 5)], 60.0, {"video": 5.0}, [Seam(time, "bak0", "")])
    assert [(c.start / HZ, c.title) for c in made.chapters] == [
        (0, "recording"),
        (20, "lost 5.0 s of video: segment missing"),
        (25, "recording, bak0"),
    ]


def test_a_title_is_said_of_the_file_and_of_what_is_no_hole():
    lost = {"video": 12.4, "audio": 0.0}
    made = marks([hole(10, 12.4)], 60.0, lost, title="Anna; (host)")
    assert [c.title for c in made.chapters] == [
        "Anna; (host)",
        "lost 12.4 s of video: segment missing",
        "Anna; (host)",
    ]
    assert "title=Anna\\; (host)\n" in text(made)


def test_a_title_alone_needs_no_chapter():
    made = marks((), 60.0, {"video": 0.0, "audio": 0.0}, title="Anna")
    assert made == Marks(title="Anna")
    assert text(made) == ";FFMETADATA1\ntitle=Anna\n"
