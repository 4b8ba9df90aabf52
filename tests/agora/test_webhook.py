"""Notifications: who sent them, what they say, and in which order."""

import hashlib
import hmac
import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from pipeline.agora import webhook
from pipeline.agora.answers import RecordedFile
from pipeline.agora.webhook import in_order, is_genuine, parse
from pipeline.errors import NoticeError

SECRET = SecretStr("secret")
RAW = (  # the documentation's own test vector
    b'{"eventMs":1560408533119,"eventType":10,"noticeId":"4eb720f0-8da7-11e9-a43e-53f411c2761f",'
    b'"notifyMs":1560408533119,"payload":{"a":"1","b":2},"productId":1}'
)
V1 = "033c62f40f687675f17f0f41f91a40c71c0f134c"
V2 = "6d3320c60b11101395b7fc8f9068748808a0aa1bfa064438e39d1bc2c7d74d99"
SID = "38f8e3cfdc474cd56fc1ceba380d7e1a"


def raw(kind, details=None, *, id="n1", sequence=0, **envelope):
    """A notification as Agora sends it."""
    payload = {
        "cname": "room",
        "uid": "527841",
        "sid": SID,
        "sequence": sequence,
        "sendts": 1_700_000_000_000 + sequence,
        "serviceType": 0,
        "details": {"msgName": "x", **(details or {})},
    }
    body = {
        "noticeId": id,
        "productId": 3,
        "eventType": kind,
        "notifyMs": 1_700_000_000_500,
        "payload": payload,
    }
    return json.dumps({**body, **envelope}).encode()


# Signatures.


def test_the_vector_of_the_documentation():
    assert is_genuine(RAW, SECRET, v1=V1)
    assert is_genuine(RAW, SECRET, v2=V2)
    assert is_genuine(RAW, SECRET, v1=V1.upper(), v2=f" {V2} ")


@pytest.mark.parametrize(
    ("headers", "id"),
    [
        ({}, "none"),
        ({"v1": ""}, "empty"),
        ({"v1": V2}, "the other one"),
        ({"v2": V1}, "the other one again"),
        ({"v1": V1, "v2": ""}, "V2 decides"),
        ({"v1": V1, "v2": V2[:-1] + "0"}, "V2 decides when wrong"),
        ({"v2": "ä" * 64}, "not ASCII"),
    ],
)
def test_anything_else_is_not_genuine(headers, id):
    assert not is_genuine(RAW, SECRET, **headers)


def test_every_byte_counts():
    assert not is_genuine(RAW + b" ", SECRET, v2=V2)
    assert not is_genuine(RAW, SecretStr("Secret"), v2=V2)


def test_no_secret_means_nothing_is_genuine():
    nobody = hmac.new(b"", RAW, hashlib.sha256).hexdigest()
    assert not is_genuine(RAW, SecretStr(""), v2=nobody)


# Events.

FILE = {
    "fileName": "a.m3u8",
    "trackType": "audio_and_video",
    "uid": "0",
    "mixedAllUser": True,
    "isPlayable": True,
    "sliceStartTime": 1_700_000_000_123,
}
READ = RecordedFile("a.m3u8", "audio_and_video", "0", True, True, 1_700_000_000.123)


@pytest.mark.parametrize(
    ("kind", "details", "event"),
    [
        (
            1,
            {"module": 1, "errorLevel": 5, "errorCode": 47, "errorMsg": "no"},
            webhook.Failed(1, 5, 47, "no"),
        ),
        (2, {"module": 1, "warnCode": 31}, webhook.Warned(1, 31)),
        (
            3,
            {"status": 5, "fileList": "a.m3u8"},
            webhook.StatusUpdated(5, (RecordedFile("a.m3u8"),)),
        ),
        (4, {"fileList": "a.m3u8"}, webhook.PlaylistMade((RecordedFile("a.m3u8"),))),
        (11, {"exitStatus": 0}, webhook.SessionExited(True)),
        (11, {"exitStatus": 1}, webhook.SessionExited(False)),
        (12, {"newUid": 7}, webhook.FailedOver("7")),
        (30, {"status": 0}, webhook.UploaderStarted(True)),
        (31, {"status": 0, "fileList": [FILE]}, webhook.Uploaded(True, (READ,))),
        (32, {"status": 0, "fileList": [FILE]}, webhook.Uploaded(False, (READ,))),
        (33, {"progress": 2500}, webhook.Uploading(0.25)),
        (33, {"progress": -1}, webhook.Uploading(None)),
        (40, {"status": 0}, webhook.RecorderStarted(True)),
        (41, {"leaveCode": 20}, webhook.RecorderLeft(frozenset({"no users", "left the channel"}))),
        (41, {"leaveCode": 0}, webhook.RecorderLeft(frozenset({"init failed"}))),
        (
            42,
            {
                "startUtcMs": 1_700_000_000_000,
                "discontinueUtcMs": 1_699_999_910_000,
                "streamUid": "0",
                "trackType": "audio",
            },
            webhook.SliceStarted(1.7e9, 1_699_999_910.0, "0", "audio"),
        ),
        (
            43,
            {"streamUid": 5, "state": 0, "UtcMs": 1_700_000_000_000},
            webhook.StreamChanged("5", False, True, 1.7e9),
        ),
        (
            44,
            {"streamUid": 5, "state": 1, "UtcMs": 1_700_000_000_000},
            webhook.StreamChanged("5", True, False, 1.7e9),
        ),
        (9999, {"anything": [1]}, webhook.Other()),
    ],
)
def test_events(kind, details, event):
    notice = parse(raw(kind, details))
    assert (notice.type, notice.event) == (kind, event)
    assert (notice.cname, notice.uid, notice.sid) == ("room", "527841", SID)
    assert (notice.happened, notice.sent) == (1.7e9, 1_700_000_000.5)
    assert notice.details == {"msgName": "x", **details}


def test_what_is_not_known_is_kept():
    notice = parse(RAW)
    assert (notice.event, notice.details) == (webhook.Other(), {"a": "1", "b": 2})
    assert (notice.sid, notice.sequence) == (None, None)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "not JSON"),
        (b"<html>", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "no noticeId"),
        (b"{}", "no noticeId or eventType"),
        (b'{"noticeId": 5, "eventType": 1}', "no noticeId"),
        (b'{"noticeId": "a"}', "no noticeId or eventType"),
        (b" " * (webhook.LARGEST + 1), "expected at most"),
    ],
)
def test_what_is_no_notification(text, why):
    with pytest.raises(NoticeError, match=why):
        parse(text)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KEYS = ("cname", "uid", "sid", "sequence", "sendts", "serviceType", "details", "fileList")
DETAILS = ("fileList", "status", "progress", "leaveCode", "startUtcMs", "streamUid", "newUid")


@given(
    st.sampled_from([1, 2, 3, 4, 11, 12, 30, 31, 32, 33, 40, 41, 42, 43, 44, 5]),
    st.dictionaries(st.sampled_from(KEYS), anything),
    st.dictionaries(st.sampled_from(DETAILS), anything),
)
def test_any_payload_is_read(kind, payload, details):
    body = {"noticeId": "n", "eventType": kind, "payload": {**payload, "details": details}}
    notice = parse(json.dumps(body).encode())
    assert in_order([notice, notice]) == (notice,)


# Order.


def test_each_once_and_in_order_however_they_come():
    first, second, third = (parse(raw(42, id=f"n{n}", sequence=n)) for n in range(3))
    resent = parse(raw(42, id="n1", sequence=1, notifyMs=1_700_000_009_999))
    for come in itertools.permutations([first, second, third, resent]):
        ordered = in_order(come)
        assert [notice.id for notice in ordered] == ["n0", "n1", "n2"]
        assert in_order(ordered) == ordered


def test_the_second_channel_tells_the_same():
    twins = [parse(raw(40, id="a", sequence=4)), parse(raw(40, id="b", sequence=4))]
    assert [notice.id for notice in in_order(twins)] == ["a"]


def test_notifications_without_sequence_are_all_kept():
    bare = [json.dumps({"noticeId": id, "eventType": 1}).encode() for id in "ab"]
    assert len(in_order(map(parse, bare))) == 2
