"""A second run over finished recordings in a bucket costs listings, and nothing for each recording.

``RECPIPE_TEST_FINISHED`` is how many: a few, or ten thousand by hand, with ``-s`` to see the cost.
Only two are really converted; the rest gets copies of their results and notes.
"""

import os
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
from botocore.httpsession import URLLib3Session
from obstore.store import S3Store

from pipeline.choices import Format
from pipeline.jobs.finished import Finished
from pipeline.jobs.many import aim, convert_all, find, opener
from pipeline.jobs.options import Options
from pipeline.jobs.output.destinations import destination
from pipeline.model import Report
from pipeline.stages.publish import receipt_key
from tests.copies import copies

COUNT = int(os.environ.get("RECPIPE_TEST_FINISHED", "12"))
PAGE = 1000  # keys in one answer
pytestmark = pytest.mark.usefixtures("ffmpeg")


class Bucket:
    """Recordings in ``in/``, and what was made of them in ``out/``."""

    def __init__(self, weed, spool) -> None:
        self.name, self.options = weed.new_bucket(), Options(spool=spool)
        self._store = S3Store(
            self.name,
            endpoint=weed.endpoint_url,
            access_key_id=weed.access_key,
            secret_access_key=weed.secret_key,
            region="us-east-1",
            client_options={"allow_http": True},
        )

    def put(self, objects):
        with ThreadPoolExecutor(32) as pool:
            for one in [pool.submit(self._store.put, key, data) for key, data in objects]:
                one.result()

    def read(self, key):
        return bytes(self._store.get(key).bytes())

    def works(self):
        opened = opener(1)
        works, _ = find([f"s3://{self.name}/in/"], opened)
        return aim(works, destination(f"s3://{self.name}/out/", Format.MP4, opened))[0]

    def copy_results(self, works, made):
        """Give the others what was made of one, under their own names, and a note of each."""
        key, sid = works[0].target.key, works[0].recording.sid
        results = {name: self.read(f"out/{name}") for name in (key, receipt_key(key))}
        rest = works[2:]
        self.put(
            (f"out/{_as(work, name, sid)}", _as(work, data, sid))
            for work in rest
            for name, data in results.items()
        )
        storage = rest[0].target.storage
        there = {x.key: (storage.url(x.key), x.size, x.etag) for x in storage.list()}
        notes = Finished(self.options.spool / "finished", [work.target for work in works])
        report = msgspec.json.encode(made)
        for work in rest:
            own = msgspec.json.decode(_as(work, report, sid), type=Report)
            stands = tuple(there[_as(work, name, sid)] for name in reversed(results))
            notes.remember((work.recording, work.target), self.options, own, stands)


def _as(work, told, sid):
    new = work.recording.sid
    return (
        told.replace(sid.encode(), new.encode())
        if isinstance(told, bytes)
        else told.replace(sid, new)
    )


@pytest.fixture
def bucket(weed, tmp_path, monkeypatch):
    for name, value in weed.environment.items():
        monkeypatch.setenv(name, value)
    return Bucket(weed, tmp_path / "spool")


def test_a_second_run_makes_no_request_for_a_single_recording(bucket, ffmpeg, monkeypatch):
    bucket.put((f"in/{name}", data) for name, data in copies(COUNT))
    works = bucket.works()
    made = list(convert_all(works[:2], ffmpeg, bucket.options, jobs=1))
    bucket.copy_results(works, made[0])
    asked, send = Counter(), URLLib3Session.send

    def counted(session, request):
        asked[request.method] += 1
        return send(session, request)

    monkeypatch.setattr(URLLib3Session, "send", counted)
    begun, cpu = time.monotonic(), time.process_time()
    again = list(convert_all(bucket.works(), ffmpeg, bucket.options, jobs=1))
    cost = time.monotonic() - begun, time.process_time() - cpu
    print(f"{COUNT} recordings again: {cost[0]:.1f} s, CPU {cost[1]:.1f} s, requests {dict(asked)}")
    assert len(again) == COUNT
    assert not any(one.made for one in again)
    assert all(one.proof.holds for one in again)
    objects = 4 * COUNT + 2 * COUNT  # of the sources, and of the results
    assert asked.keys() == {"GET"}
    assert asked["GET"] <= objects // PAGE + 4  # pages of the two listings
