"""The picture of a composite recording: its size, its layout, and what is shown of a user without
picture.  ``transcodingConfig`` and the body of ``updateLayout`` in Agora's REST reference.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from pipeline.agora.schema.values import Body, Caution, Share, Uid, UpTo1, WebAddress, parse

LONGEST_SIDE = 1920  # pixels
MOST_PIXELS = 1920 * 1080
MOST_KBPS = 6500
MOST_REGIONS = 17
RATES = (1, 7, 10, 15, 24, 30, 60)  # pictures a second

FLOATING, BEST_FIT, VERTICAL, CUSTOM = range(4)  # mixedVideoLayout
Layout = Annotated[int, Field(ge=FLOATING, le=CUSTOM)]
RenderMode = UpTo1  # fill and crop; fit with black bars

_SLACK = 1e-6  # regions are given with six decimals


def _colour(text: str) -> str:
    if not re.fullmatch(r"#[0-9A-Fa-f]{6}", text):
        raise ValueError("expected a colour as #RRGGBB")
    return text


def _rate(fps: int) -> int:
    if fps not in RATES:
        known = ", ".join(map(str, RATES))
        raise ValueError(f"expected one of {known}: anything else silently becomes 15")
    return fps


Colour = Annotated[str, AfterValidator(_colour)]
Side = Annotated[int, Field(ge=1, le=LONGEST_SIDE)]


class Region(Body):
    """Where one user is shown, in fractions of the canvas from its top left; alpha 1 is opaque."""

    uid: Uid | None = None  # without it, regions are taken in the order of joining
    x_axis: Share
    y_axis: Share
    width: Share
    height: Share
    alpha: Share | None = None
    render_mode: RenderMode | None = None

    @model_validator(mode="after")
    def _inside(self) -> "Region":
        for at, size, side in (
            (self.x_axis, self.width, "x_axis + width"),
            (self.y_axis, self.height, "y_axis + height"),
        ):
            if at + size > 1 + _SLACK:
                raise ValueError(f"{side} is {at + size:g}, expected at most 1")
        return self


class Background(Body):
    """The image shown for one user who sends no picture."""

    uid: Uid
    image_url: WebAddress
    render_mode: RenderMode | None = None


class Arrangement(Body):
    """A whole layout, as ``updateLayout`` replaces it: what is left out falls back to defaults."""

    mixed_video_layout: Layout | None = None
    max_resolution_uid: Uid | None = None
    background_color: Colour | None = None
    background_image: WebAddress | None = None
    default_user_background_image: WebAddress | None = None
    layout_config: Annotated[list[Region], Field(max_length=MOST_REGIONS)] | None = None
    background_config: list[Background] | None = None

    @model_validator(mode="after")
    def _regions_fit_the_layout(self) -> "Arrangement":
        if self.mixed_video_layout == CUSTOM and not self.layout_config:
            raise ValueError("mixedVideoLayout 3 is made of layoutConfig, which is missing")
        if self.mixed_video_layout != CUSTOM and self.layout_config is not None:
            raise ValueError("layoutConfig is only allowed with mixedVideoLayout 3")
        uids = [region.uid for region in self.layout_config or () if region.uid]
        twice = sorted({uid for uid in uids if uids.count(uid) > 1})
        if twice:
            raise ValueError(f"layoutConfig shows uid {twice[0]} twice")
        return self

    def cautions(self) -> Iterator[Caution]:
        """Settings that are allowed and probably not meant."""
        if self.max_resolution_uid and self.mixed_video_layout != VERTICAL:
            yield Caution("maxResolutionUid", "has no effect without mixedVideoLayout 2")


class TranscodingConfig(Arrangement):
    """The canvas all users are mixed into."""

    width: Side | None = None  # pixels
    height: Side | None = None  # pixels
    fps: Annotated[int, AfterValidator(_rate)] | None = None
    bitrate: Annotated[int, Field(ge=1, le=MOST_KBPS)] | None = None  # kbps

    @model_validator(mode="after")
    def _pixels(self) -> "TranscodingConfig":
        width, height = self.width or 360, self.height or 640
        if width * height > MOST_PIXELS:
            found = f"width x height is {width} x {height} = {width * height}"
            raise ValueError(f"{found}, expected at most {MOST_PIXELS} pixels")
        return self

    def cautions(self) -> Iterator[Caution]:
        """Settings that are allowed and probably not meant."""
        yield from super().cautions()
        needed = ("width", "height", "fps", "bitrate")
        absent = [name for name in needed if getattr(self, name) is None]
        if absent:
            detail = "some versions of the service want width, height, fps and bitrate together"
            yield Caution(absent[0], f"not set; {detail}")


_WAY = ("clientRequest", "recordingConfig", "transcodingConfig")  # in the body of start


def shown_by(body: Mapping[str, Any]) -> Arrangement:
    """The layout in the body of ``start`` or ``updateLayout``, or by itself.  UsageError with each
    key that is wrong.
    """
    inner: Mapping[str, Any] = body
    for key in _WAY:
        found = inner.get(key)
        inner = found if isinstance(found, dict) else inner
    told = {key: value for key, value in inner.items() if key in _KEYS}
    if told.get("layoutConfig") is not None:
        told.setdefault("mixedVideoLayout", CUSTOM)
    return parse(Arrangement, told)


_KEYS = frozenset(field.alias or name for name, field in Arrangement.model_fields.items())
