"""How all users are to be shown, from what was chosen and a request of Agora's."""

import json
import re
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from msgspec import to_builtins

from pipeline.choices import Layout
from pipeline.errors import UsageError
from pipeline.media.compose.layout import Arrangement, Canvas, Region
from pipeline.storage.names import printable
from pipeline.storage.oserrors import os_errors

LARGEST = 1 << 20  # bytes of a request
UID = re.compile(r"[1-9][0-9]{0,9}")


def arrangement(
    layout: Layout, screen: str | None, request: str | PathLike[str] | None
) -> Arrangement:
    """What was asked for; UsageError where it is none, or contradicts itself."""
    if screen is not None and not UID.fullmatch(screen):
        raise UsageError(f"--screen: {screen!r} is none; it is a number, as in the names of slices")
    found = _of_request(Path(request), layout) if request else Arrangement(layout)
    if layout is Layout.CUSTOM and not found.regions:
        missing = "needs regions: a request with layoutConfig"
        raise UsageError(f"--layout custom {missing}; give it with --request FILE")
    if found.regions and layout is not Layout.CUSTOM:
        raise UsageError(f"--request: has layoutConfig, and --layout is {layout}; give custom")
    return Arrangement(layout, found.canvas, found.regions, screen or found.screen)


def _of_request(file: Path, layout: Layout) -> Arrangement:
    from pipeline.agora.schema.canvas import shown_by  # pydantic, which nothing else here needs

    name = printable(str(file))
    with os_errors(f"read {name}"), file.open("rb") as opened:
        data = opened.read(LARGEST + 1)
    try:
        told: Any = json.loads(data)
    except (ValueError, RecursionError):
        raise UsageError(f"{name}: not valid JSON, expected the body of a request") from None
    if len(data) > LARGEST or not isinstance(told, dict):
        raise UsageError(f"{name}: expected one object, the body of a request")
    try:
        asked = shown_by(told)
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from error
    regions = tuple(
        Region(r.x_axis, r.y_axis, r.width, r.height, r.uid, r.render_mode == 1, _alpha(r.alpha))
        for r in asked.layout_config or ()
    )
    canvas = Canvas(background=asked.background_color or Canvas().background)
    large = asked.max_resolution_uid if layout is Layout.VERTICAL else None
    return Arrangement(layout, canvas, regions, large)


def _alpha(given: float | None) -> float:
    return 1.0 if given is None else given


def settings_of(how: Arrangement) -> Mapping[str, str]:
    """What decides about the picture of all, as receipts remember it."""
    told = {"layout": how.layout.value}
    if how.screen is not None:
        told["screen"] = how.screen
    if how.regions:
        told["regions"] = json.dumps(to_builtins(how.regions))
    if how.canvas != Canvas():
        told["canvas"] = json.dumps(to_builtins(how.canvas))
    return told
