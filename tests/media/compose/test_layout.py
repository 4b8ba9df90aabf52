"""Where users stand on the canvas: inside it, on even pixels, and never upon each other."""

from itertools import combinations

import pytest
from msgspec.structs import replace

from pipeline.choices import Layout
from pipeline.media.compose.layout import (
    GAP,
    MOST,
    Arrangement,
    Canvas,
    Region,
    Tile,
    arranged,
    best_fit,
    side_by_side,
    vertical,
)

CANVAS = Canvas()
GRIDS = (Layout.BEST_FIT, Layout.VERTICAL, Layout.SPEAKER)


def uids(count: int) -> list[str]:
    return [str(1001 + n) for n in range(count)]


def apart(one: Tile, other: Tile) -> bool:
    """A gap or more lies between them."""
    across = max(one.x, other.x) - min(one.x + one.width, other.x + other.width)
    down = max(one.y, other.y) - min(one.y + one.height, other.y + other.height)
    return max(across, down) >= GAP


@pytest.mark.parametrize("layout", GRIDS)
@pytest.mark.parametrize("size", [(1280, 720), (720, 1280), (642, 362)])
@pytest.mark.parametrize("count", range(1, MOST + 1))
def test_tiles_are_inside_even_and_apart(layout, size, count):
    canvas = replace(CANVAS, width=size[0], height=size[1])
    shown = arranged(Arrangement(layout, canvas), uids(count))
    assert [uid for uid, _ in shown] == uids(count)
    tiles = [tile for _, tile in shown]
    for tile in tiles:
        assert not any(side % 2 for side in (tile.x, tile.y, tile.width, tile.height))
        assert min(tile.x, tile.y) >= 0 < min(tile.width, tile.height)
        assert (tile.x + tile.width <= size[0], tile.y + tile.height <= size[1]) == (True, True)
    assert all(apart(one, other) for one, other in combinations(tiles, 2))


def test_one_has_all_of_the_canvas():
    assert best_fit(CANVAS, 1) == (Tile(0, 0, 1280, 720),)
    assert vertical(CANVAS, 1) == (Tile(0, 0, 1280, 720, whole=True),)


def test_the_last_row_of_equal_tiles_is_in_the_middle():
    assert best_fit(CANVAS, 3) == (
        Tile(0, 0, 638, 358),
        Tile(640, 0, 638, 358),
        Tile(320, 360, 638, 358),
    )


def test_seventeen_are_a_fifth_each_and_the_last_one_alone_in_its_row():
    """As Agora has them: margins of a tenth on both sides."""
    tiles = best_fit(CANVAS, 17)
    assert {(tile.width, tile.height) for tile in tiles} == {(254, 142)}
    assert [tile.y for tile in tiles].count(tiles[16].y) == 1
    assert (tiles[0].x, tiles[16].x) == (128, 512)


def test_two_halves():
    assert side_by_side(CANVAS, 2) == (Tile(0, 0, 638, 720), Tile(640, 0, 638, 720))
    shown = arranged(Arrangement(Layout.SIDE_BY_SIDE), uids(3))
    assert [uid for uid, _ in shown] == ["1001", "1002"]


@pytest.mark.parametrize(
    ("count", "columns", "part"), [(5, 1, 5), (7, 1, 7), (9, 1, 9), (10, 2, 10), (17, 2, 10)]
)
def test_a_large_one_and_the_others_in_columns_of_agora_s_width(count, columns, part):
    large, *aside = vertical(CANVAS, count)
    assert (large.x, large.y, large.height, large.whole) == (0, 0, 720, True)
    assert len({tile.x for tile in aside}) == columns
    assert {tile.width for tile in aside} == {1280 // part // 2 * 2}
    assert not any(tile.whole for tile in aside)


def test_who_has_the_floor_is_large_unless_there_is_a_screen():
    how = Arrangement(Layout.SPEAKER)
    assert [uid for uid, _ in arranged(how, uids(3), "1003")] == ["1003", "1001", "1002"]
    assert [uid for uid, _ in arranged(how, uids(3), "9")] == uids(3)  # who has left
    with_screen = replace(how, screen="1002")
    assert arranged(with_screen, uids(3), "1003")[0][0] == "1002"


def test_a_screen_is_shown_whole_in_the_grid():
    shown = dict(arranged(Arrangement(screen="1002"), uids(2)))
    assert (shown["1001"].whole, shown["1002"].whole) == (False, True)


def test_who_is_one_too_many_waits():
    how = Arrangement(Layout.VERTICAL, screen="1020")
    assert len(arranged(Arrangement(), uids(20))) == MOST
    assert [uid for uid, _ in arranged(how, uids(20))] == ["1020", *uids(16)]


def test_regions_are_of_those_they_name_and_else_of_who_came_first():
    regions = (
        Region(0.0, 0.0, 1.0, 1.0),
        Region(0.75, 0.75, 0.25, 0.25, uid="1001", whole=True, alpha=0.5),
        Region(0.0, 0.5, 0.333333, 0.25, uid="7"),
        Region(0.5, 0.0, 0.5, 0.5),
    )
    shown = arranged(Arrangement(Layout.CUSTOM, regions=regions), uids(2))
    assert shown == (
        ("1002", Tile(0, 0, 1280, 720)),
        ("1001", Tile(960, 540, 320, 180, whole=True, alpha=0.5)),
    )
