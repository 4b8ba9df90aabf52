"""Answers as the service gives them, in all the shapes that were seen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.agora.answers import Progress, RecordedFile, progress, seconds

M3U8, MP4 = "rec/2026/5f0c_lesson-7.m3u8", "rec/2026/5f0c_lesson-7_0.mp4"


def entry(name, key="fileName"):
    return {
        key: name,
        "trackType": "audio_and_video",
        "uid": "0",
        "mixedAllUser": True,
        "isPlayable": True,
        "sliceStartTime": 1_712_345_678_901,
    }


def read(name):
    return RecordedFile(name, "audio_and_video", "0", True, True, 1_712_345_678.901)


@pytest.mark.parametrize(
    ("response", "files"),
    [
        pytest.param({"fileListMode": "string", "fileList": M3U8}, (RecordedFile(M3U8),), id="hls"),
        pytest.param(
            {"fileListMode": "json", "fileList": [entry(M3U8), entry(MP4)]},
            (read(M3U8), read(MP4)),
            id="hls and mp4",
        ),
        pytest.param({"fileListMode": "string", "fileList": ""}, (), id="nothing yet"),
        pytest.param({"fileList": None}, (), id="null"),
        pytest.param({}, (), id="absent"),
        pytest.param({"fileList": [entry(M3U8, "filename")]}, (read(M3U8),), id="filename"),
        pytest.param({"fileList": [5, {}, {"fileName": ""}, "x"]}, (), id="nonsense"),
        pytest.param(
            {
                "extensionServiceState": [
                    {"serviceName": "s", "playload": {"fileList": [entry(M3U8, "filename")]}}
                ]
            },
            (read(M3U8),),
            id="web page, misspelt",
        ),
    ],
)
def test_files(response, files):
    assert progress({"serverResponse": response}).files == files


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("uploaded", "uploaded"),
        ("backuped", "backuped"),
        ("unknown", "unknown"),
        ("unknow", "unknown"),
        (None, None),
        (5, None),
    ],
)
def test_uploading(said, meant):
    assert progress({"serverResponse": {"uploadingStatus": said}}).uploading == meant


@pytest.mark.parametrize(
    ("moment", "meant"),
    [
        (1_712_345_678, 1_712_345_678.0),
        (1_712_345_678_901, 1_712_345_678.901),
        ("1712345678901", 1_712_345_678.901),
        (0, None),
        (-5, None),
        (10**400, None),
        (True, None),
        (None, None),
        ("soon", None),
    ],
)
def test_seconds_and_milliseconds(moment, meant):
    assert seconds(moment) == meant


def test_the_status_in_words():
    assert progress({"serverResponse": {"status": 5}}).state == "recording"
    assert progress({"serverResponse": {"status": "20"}}).state == "exited abnormally"
    assert Progress().state == "unknown"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KEYS = ("status", "fileList", "uploadingStatus", "sliceStartTime", "extensionServiceState")


@given(st.dictionaries(st.sampled_from(KEYS), anything) | anything)
def test_any_answer_is_read(response):
    assert isinstance(progress({"serverResponse": response}), Progress)
