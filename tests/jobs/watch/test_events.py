"""Notifications: from a file, from a queue, and whatever else may stand in them."""

import json
import os

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import StorageError
from pipeline.jobs.watch.events import Event, FileEvents, QueueEvents, parse
from pipeline.storage.sqs import connect
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
