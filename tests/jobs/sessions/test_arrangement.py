"""How all are to be shown: what was chosen, and Agora's own words for it."""

import json

import pytest

from pipeline.choices import Layout
from pipeline.errors import RecpipeError, UsageError
from pipeline.jobs.options import options
from pipeline.jobs.sessions.arrangement import arrangement
from pipeline.media.compose.layout import Arrangement, Canvas, Region

REGION = {"x_axis": 0.0, "y_axis": 0.5, "width": 0.5, "height": 0.25}
LAYOUT = {"mixedVideoLayout": 3, "backgroundColor": "#102030", "layoutConfig": [REGION]}


@pytest.fixture
def request_file(tmp_path):
    """The path of a request."""

    def write(body):
        path = tmp_path / "request.json"
        path.write_text(body if isinstance(body, str) else json.dumps(body))
        return path

    return write


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(LAYOUT, id="a layout by itself"),
        pytest.param({"cname": "c", "uid": "1", "clientRequest": LAYOUT}, id="updateLayout"),
        pytest.param(
            {
                "clientRequest": {
                    "recordingConfig": {"transcodingConfig": {"width": 640, **LAYOUT}},
                    "storageConfig": {"secretKey": "s"},
                }
            },
            id="start",
        ),
        pytest.param({k: v for k, v in LAYOUT.items() if k[0] != "m"}, id="regions alone"),
    ],
)
def test_a_request_says_regions_and_background(request_file, body):
    found = arrangement(Layout.CUSTOM, None, request_file(body))
    canvas = Canvas(background="#102030")
    assert found == Arrangement(Layout.CUSTOM, canvas, (Region(0.0, 0.5, 0.5, 0.25),))


def test_a_region_says_whose_it_is_and_how(request_file):
    one = {**REGION, "uid": "7", "render_mode": 1, "alpha": 0.0}
    found = arrangement(Layout.CUSTOM, "9", request_file({"layoutConfig": [one]}))
    assert found.regions == (Region(0.0, 0.5, 0.5, 0.25, "7", whole=True, alpha=0.0),)
    assert found.screen == "9"


def test_the_large_window_of_vertical_is_whose_agora_says(request_file):
    body = {"mixedVideoLayout": 2, "maxResolutionUid": "42"}
    assert arrangement(Layout.VERTICAL, None, request_file(body)).screen == "42"
    assert arrangement(Layout.VERTICAL, "7", request_file(body)).screen == "7"
    assert arrangement(Layout.BEST_FIT, None, request_file(body)).screen is None


@pytest.mark.parametrize(
    ("layout", "body", "said"),
    [
        pytest.param(Layout.CUSTOM, None, "give it with --request FILE", id="no request"),
        pytest.param(Layout.CUSTOM, {"backgroundColor": "#000000"}, "--request", id="no regions"),
        pytest.param(Layout.BEST_FIT, LAYOUT, "--layout is best-fit; give custom", id="not custom"),
        pytest.param(Layout.CUSTOM, "{", "request.json: not valid JSON", id="no JSON"),
        pytest.param(Layout.CUSTOM, "[]", "expected one object", id="no object"),
        pytest.param(
            Layout.CUSTOM,
            {"layoutConfig": [{**REGION, "width": 1.5}]},
            r"request.json: .*width",
            id="a region too wide",
        ),
    ],
)
def test_what_cannot_be(request_file, layout, body, said):
    with pytest.raises(UsageError, match=said):
        arrangement(layout, None, request_file(body) if body is not None else None)


def test_a_request_that_is_not_there(tmp_path):
    with pytest.raises(RecpipeError, match=r"none\.json"):
        arrangement(Layout.CUSTOM, None, tmp_path / "none.json")


def test_no_uid():
    with pytest.raises(UsageError, match="--screen: 'x' is none"):
        arrangement(Layout.BEST_FIT, "x", None)


def test_what_decides_about_a_picture_of_all_is_remembered_and_nothing_else_is():
    told = options(users="all", layout="vertical", screen="7").settings
    assert {k: told[k] for k in ("users", "layout", "screen")} == {
        "users": "all",
        "layout": "vertical",
        "screen": "7",
    }
    assert options(layout="custom", screen="x", request="none.json") == options()
