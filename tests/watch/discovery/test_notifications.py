"""Notifications: from a file, from a queue, and whatever else may stand in them."""

import base64
import json
import os

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from pipeline.agora.webhook import SIGNATURE_V1, SIGNATURE_V2, signatures
from pipeline.errors import StorageError
from pipeline.storage.s3.sqs import connect
from pipeline.watch.discovery.notifications import Event, FileEvents, QueueEvents, parse
from tests.servers import ACCESS_KEY, SECRET_KEY

S3 = {"Records": [{"s3": {"bucket": {"name": "calls"}, "object": {"key": "2026/a+b%3F.m3u8"}}}]}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2026/a.m3u8", [Event(key="2026/a.m3u8")]),
        ('"2026/a.m3u8"', [Event(key="2026/a.m3u8")]),
        ('{"key": "a.ts"}', [Event(key="a.ts")]),
        ('{"sid": "0a", "event": "uploaded"}', [Event(sid="0a", kind="uploaded")]),
        (json.dumps(S3), [Event(key="s3://calls/2026/a b?.m3u8")]),
        (json.dumps({"Message": json.dumps(S3)}), [Event(key="s3://calls/2026/a b?.m3u8")]),
        (
            '{"detail": {"bucket": {"name": "calls"}, "object": {"key": "a+b.ts"}}}',
            [Event(key="s3://calls/a+b.ts")],
        ),
        ('{"Service": "Amazon S3", "Event": "s3:TestEvent"}', []),
        ('{"Records": 7}', []),
        ('{"Records": [{"s3": []}, {"s3": {"bucket": {"name": 1}, "object": {"key": 2}}}]}', []),
        ('{"key": 7}', []),
        ('{"cut', []),
        ("", []),
        ("[1, 2]", []),
    ],
)
def test_what_a_message_tells(text, found):
    assert list(parse(text)) == found


@given(st.text())
def test_no_message_does_any_harm(text):
    list(parse(text))
    list(parse(json.dumps({"Message": text, "Records": [text], "detail": text})))
    list(parse(json.dumps({"noticeId": text, "payload": {"sid": text}, "body": text}), text))
    list(parse(json.dumps({"headers": {text: text}, "body": text, "isBase64Encoded": True}), text))


SID = "0a93a5e0c1d44f7c8d5e6b7a1f2c3d4e"
FILES = [{"fileName": f"2026/{SID}_room.m3u8"}, {"fileName": f"2026/{SID}_room_1.ts"}]
UPLOADED = [Event(sid=SID, kind="uploaded"), Event(key=f"2026/{SID}_room.m3u8")]


def notice(type=31, sid=SID):
    """As Agora sends it."""
    details = {"msgName": "uploaded", "status": 0, "fileList": FILES}
    payload = {"cname": "room", "uid": "7", "sid": sid, "sequence": 5, "details": details}
    body = {"noticeId": "n1", "productId": 3, "eventType": type, "payload": payload}
    return json.dumps(body, separators=(",", ":"))


def received(body, secret="s3cret", only=(SIGNATURE_V1, SIGNATURE_V2), **more):
    """As a gateway hands it on."""
    headers = signatures(body.encode(), SecretStr(secret))
    return json.dumps({"headers": {name: headers[name] for name in only}, "body": body, **more})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param(notice(), UPLOADED, id="uploaded"),
        pytest.param(
            notice(32), [Event(sid=SID, kind="backuped"), UPLOADED[1]], id="in the backup cloud"
        ),
        pytest.param(notice(40), [], id="another event"),
        pytest.param(notice(sid=None), [], id="of no recording"),
        pytest.param(received(notice()), UPLOADED, id="with its headers"),
        pytest.param(json.dumps({"Message": received(notice())}), UPLOADED, id="by way of SNS"),
        pytest.param('{"noticeId": 7}', [], id="none"),
        pytest.param('{"headers": 7, "body": "[]"}', [], id="another request"),
    ],
)
def test_what_agora_tells(text, found):
    assert list(parse(text)) == found


@pytest.mark.parametrize(
    ("text", "genuine"),
    [
        pytest.param(received(notice()), True, id="both signatures"),
        pytest.param(received(notice(), only=[SIGNATURE_V2]), True, id="SHA-256"),
        pytest.param(received(notice(), only=[SIGNATURE_V1]), True, id="SHA-1"),
        pytest.param(
            received(notice()).replace("Agora-", "agora-"), True, id="names in lower case"
        ),
        pytest.param(
            received(notice()).replace(
                json.dumps(notice()), f'"{base64.b64encode(notice().encode()).decode()}"'
            )[:-1]
            + ', "isBase64Encoded": true}',
            True,
            id="base64",
        ),
        pytest.param(notice(), False, id="without headers"),
        pytest.param(received(notice(), only=[]), False, id="not signed"),
        pytest.param(received(notice(), secret="other"), False, id="with another secret"),
        pytest.param(received(notice()).replace("room", "moor"), False, id="changed"),
        pytest.param(
            received(notice()).replace('"headers": {', '"headers": {"x": 1, '), True, id="more"
        ),
    ],
)
def test_with_a_secret_only_what_is_signed_counts(text, genuine):
    assert list(parse(text, "s3cret")) == (UPLOADED if genuine else [])


def test_a_file_is_read_where_it_was_left(tmp_path):
    path = tmp_path / "events"
    events = FileEvents(path)
    assert events.take() == []
    path.write_text("a.m3u8\nb.m3u8\nhalf a li")
    both = [Event(key="a.m3u8"), Event(key="b.m3u8")]
    assert events.take() == both
    assert events.take() == both  # nobody said that they were looked at
    events.settle()
    assert events.take() == []
    with path.open("a") as file:
        file.write("ne.m3u8\n")
    assert events.take() == [Event(key="half a line.m3u8")]


def test_a_file_that_was_replaced_is_read_from_its_beginning(tmp_path):
    path = tmp_path / "events"
    path.write_text("a.m3u8\nb.m3u8\n")
    events = FileEvents(path)
    events.take()
    events.settle()
    (tmp_path / "new").write_text("c.m3u8\n")
    (tmp_path / "new").replace(path)
    assert events.take() == [Event(key="c.m3u8")]


@pytest.fixture
def queue(moto, monkeypatch):
    """A client and the URL of a new queue."""
    for name, value in moto.environment.items():
        monkeypatch.setenv(name, value)
    client = boto3.client(
        "sqs",
        endpoint_url=moto.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
    )
    url = client.create_queue(QueueName=f"q{os.urandom(4).hex()}")["QueueUrl"]
    path = url.partition("://")[2].partition("/")[2]
    yield client, f"{moto.endpoint_url}/{path}"
    client.close()


def test_a_queue_is_emptied_once_everything_was_looked_at(queue):
    client, url = queue
    for n in range(23):
        client.send_message(QueueUrl=url, MessageBody=f'{{"key": "{n}.ts"}}')
    source = connect(url, region="us-east-1")
    events = QueueEvents(source)
    assert {event.key for event in events.take()} == {f"{n}.ts" for n in range(23)}
    events.settle()
    left = client.get_queue_attributes(
        QueueUrl=url,
        AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
    )["Attributes"]
    assert set(left.values()) == {"0"}
    source.close()


def test_a_queue_that_is_not_there_is_said(queue):
    source = connect(f"{queue[1]}-none", region="us-east-1")
    with pytest.raises(StorageError, match=r"receive from the queue.*NonExistentQueue"):
        QueueEvents(source).take()
    source.close()
