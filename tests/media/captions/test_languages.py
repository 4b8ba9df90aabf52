"""Languages of captions, as an MP4 has them."""

import pytest

from pipeline.media.captions.languages import in_name, iso639


@pytest.mark.parametrize(
    ("tag", "code"),
    [("en-US", "eng"), ("zh_CN", "zho"), ("de", "deu"), ("cmn-CN", "cmn"), ("xx", ""), ("", "")],
)
def test_a_tag_becomes_a_code(tag, code):
    assert iso639(tag) == code


@pytest.mark.parametrize(
    ("stem", "tag"),
    [
        ("0a_room_en-US", "en-US"),
        ("0a_room.fr", "fr"),
        ("0a_room_zh_CN_20260302090002120", "zh_CN"),
        ("0a_room", ""),
        ("0a_room_qq", ""),
    ],
)
def test_a_name_may_end_in_a_tag(stem, tag):
    assert in_name(stem) == tag
