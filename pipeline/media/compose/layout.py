"""Where users stand on a canvas: a tile of whole, even pixels for each, as Agora arranges them.

Chroma is stored for two pixels at a time (4:2:0), so that every edge is even.
"""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from pipeline.choices import Layout

MOST = 17  # tiles: Agora mixes no more users either
GAP = 2  # pixels between two tiles
COLUMNS = 4  # of a grid, at most: Agora's 17th user stands alone in a fifth row
# of "vertical": up to so many users; rows and columns beside the large tile, one part of the width
ASIDE = ((5, 4, 1, 5), (7, 6, 1, 7), (9, 8, 1, 9), (MOST, 8, 2, 10))


class Canvas(Struct, frozen=True):
    """What all are shown on."""

    width: int = 1280  # pixels
    height: int = 720
    background: str = "#000000"  # "#RRGGBB"
    rate: int = 25  # pictures a second


class Tile(Struct, frozen=True):
    """Where a user is shown: pixels from the top left of the canvas."""

    x: int
    y: int
    width: int
    height: int
    whole: bool = False  # all of the picture, with bars beside it; else it is cropped to fill
    alpha: float = 1.0  # 1 is opaque


class Region(Struct, frozen=True):
    """A tile in fractions of the canvas, as Agora's ``layoutConfig`` has it."""

    x: float
    y: float
    width: float
    height: float
    uid: str | None = None  # None: of whoever joined first and has no region of their own
    whole: bool = False
    alpha: float = 1.0


class Arrangement(Struct, frozen=True):
    """How users are to be shown."""

    layout: Layout = Layout.BEST_FIT
    canvas: Canvas = Canvas()
    regions: tuple[Region, ...] = ()  # of the layout "custom"
    screen: str | None = None  # uid of whose picture all is shown, and large where a tile is


Shown = tuple[str, Tile]  # a uid and its tile


def arranged(how: Arrangement, uids: Sequence[str], large: str | None = None) -> tuple[Shown, ...]:
    """The tiles of those who are there, ``uids`` in the order they joined; who lies upon another
    comes later.  ``large`` is who has the large tile of "vertical" and "speaker", if not a screen.
    """
    if how.layout is Layout.CUSTOM:
        return tuple(_custom(how, uids))
    seen = [*uids][: 2 if how.layout is Layout.SIDE_BY_SIDE else MOST]
    if how.layout in (Layout.VERTICAL, Layout.SPEAKER):
        first = next((one for one in (how.screen, large) if one in uids), None)
        seen = [first, *(uid for uid in uids if uid != first)][:MOST] if first else seen
        tiles = vertical(how.canvas, len(seen))
    elif how.layout is Layout.SIDE_BY_SIDE:
        tiles = side_by_side(how.canvas, len(seen))
    else:
        tiles = best_fit(how.canvas, len(seen))
    return tuple(_with_screen(how, one) for one in zip(seen, tiles, strict=True))


def _with_screen(how: Arrangement, shown: Shown) -> Shown:
    uid, tile = shown
    return (uid, replace(tile, whole=True)) if uid == how.screen else shown


def best_fit(canvas: Canvas, count: int) -> tuple[Tile, ...]:
    """Equal tiles of the shape of the canvas, as large as there is room; the last row is in the
    middle.
    """
    across = min(COLUMNS, next(n for n in range(1, MOST + 1) if n * n >= count)) if count else 1
    down = -(-count // across)
    parts = max(across, down)
    size = _part(canvas.width, parts), _part(canvas.height, parts)
    rows = [min(across, count - begin) for begin in range(0, count, across)]
    top = _centred(canvas.height, size[1], down)
    return tuple(
        Tile(_centred(canvas.width, size[0], row) + n * (size[0] + GAP), y, *size)
        for line, row in enumerate(rows)
        for y in [top + line * (size[1] + GAP)]
        for n in range(row)
    )


def side_by_side(canvas: Canvas, count: int) -> tuple[Tile, ...]:
    """One or two, each as high as the canvas."""
    width = _part(canvas.width, max(count, 1))
    return tuple(Tile(n * (width + GAP), 0, width, _even(canvas.height)) for n in range(count))


def vertical(canvas: Canvas, count: int) -> tuple[Tile, ...]:
    """A large one on the left, of which all is shown, and the others in columns on the right."""
    if count < 2:
        return (Tile(0, 0, _even(canvas.width), _even(canvas.height), whole=True),) * count
    _, rows, columns, part = next(row for row in ASIDE if count <= row[0])
    width, height = _even(canvas.width / part), _part(canvas.height, rows)
    left = _even(canvas.width) - columns * (width + GAP)
    aside = (divmod(n, rows) for n in range(count - 1))
    return (
        Tile(0, 0, left, _even(canvas.height), whole=True),
        *(
            Tile(left + GAP + column * (width + GAP), row * (height + GAP), width, height)
            for column, row in aside
        ),
    )


def _custom(how: Arrangement, uids: Sequence[str]) -> list[Shown]:
    named = {region.uid for region in how.regions}
    others = iter([uid for uid in uids if uid not in named])
    found = []
    for region in how.regions:
        uid = region.uid if region.uid is not None else next(others, None)
        if uid in uids:
            found.append((uid, replace(_pixels(how.canvas, region), whole=region.whole)))
    return [_with_screen(how, (uid, tile)) for uid, tile in found if uid is not None]


def _pixels(canvas: Canvas, region: Region) -> Tile:
    left, top = _even(canvas.width * region.x), _even(canvas.height * region.y)
    right = _even(canvas.width * min(region.x + region.width, 1.0))
    bottom = _even(canvas.height * min(region.y + region.height, 1.0))
    return Tile(left, top, max(right - left, 2), max(bottom - top, 2), alpha=region.alpha)


def _part(length: int, parts: int) -> int:
    """Each of so many equal parts with gaps between them."""
    return _even((length - GAP * (parts - 1)) / parts)


def _centred(length: int, part: int, count: int) -> int:
    """Where so many parts in a row begin."""
    return _even((length - count * part - GAP * (count - 1)) / 2)


def _even(length: float) -> int:
    return int(length + 1e-6) // 2 * 2
