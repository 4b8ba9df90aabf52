"""Many notifications at once: forged, replayed, twice and out of order.

``RECPIPE_NOTICES`` says how many (10,000 take half a minute); then the time of an answer is
asserted as well, which needs a machine with nothing else to do.
"""

import asyncio
import json
import os
import random
import time

import pytest
import sqlalchemy as sa

from pipeline.ledger import notices
from pipeline.ledger.database.tables import notices as table
from pipeline.ledger.ledger import Ledger
from tests.cli.conftest import ROOT
from tests.web.sender import SECRET, T0, headers, notice

COUNT = int(os.environ.get("RECPIPE_NOTICES", "900"))
TIMED = "RECPIPE_NOTICES" in os.environ
SENDERS = 16
RATE = 300.0  # in a second; Agora sends a few for each recording
P99 = 0.050  # seconds
SIDS = 40


class Sender:
    """One connection that is kept, as Agora keeps it; notes how each answer came, and how soon."""

    def __init__(self, port):
        self.port, self.took, self.answers = port, [], []

    async def run(self, todo, begin):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        for at, raw, signed in todo:
            await asyncio.sleep(max(0.0, begin + at - time.perf_counter()))
            lines = [f"{name}: {value}" for name, value in signed.items()]
            head = ["POST /agora/events HTTP/1.1", "Host: agora", f"Content-Length: {len(raw)}"]
            since = time.perf_counter()
            writer.write("\r\n".join([*head, *lines, "", ""]).encode() + raw)
            status = await self.status(reader)
            self.took.append(time.perf_counter() - since)
            self.answers.append((raw, status))
        writer.close()

    async def status(self, reader):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        await reader.readexactly(int(head.partition("content-length: ")[2].split("\r")[0]))
        return int(head.split()[1])


def told(n):
    """The n-th thing that happened: which recording, which event of it."""
    sid, sequence = f"{n % SIDS:032x}", n // SIDS
    details = {"streamUid": n, "state": n % 2, "UtcMs": 1000 * (T0 + n)}
    return notice(43, details, sid=sid, sequence=sequence, id=f"n{n}", at=T0 + n)


def sent(rng):
    """All that is sent, in no order: genuine once, a third again, some forged, some replayed."""
    genuine = [told(n) for n in range(COUNT * 6 // 10)]
    again = rng.sample(genuine, COUNT // 3)
    resent = [
        json.dumps(json.loads(raw) | {"notifyMs": 1000 * round(time.time())}) for raw in again
    ]
    forged = [notice(31, id=f"forged{n}") for n in range(COUNT - len(genuine) - len(again))]
    long_ago = round(1000 * (time.time() - notices.KEPT - 1))
    replayed = [notice(31, id=f"old{n}", notifyMs=long_ago) for n in range(COUNT // 100)]
    all_of_it = [(raw, headers(raw)) for raw in genuine]
    all_of_it += [(raw.encode(), headers(raw.encode())) for raw in resent]
    all_of_it += [(raw, headers(raw, rng.choice(["", "guess", SECRET + "x"]))) for raw in forged]
    all_of_it += [(raw, headers(raw)) for raw in replayed]
    rng.shuffle(all_of_it)
    return genuine, forged, all_of_it


async def send(port, letters):
    todo = [(n / RATE, *letter) for n, letter in enumerate(letters)]
    senders = [Sender(port) for _ in range(SENDERS)]
    begin = time.perf_counter() + 0.1
    await asyncio.gather(*(one.run(todo[n::SENDERS], begin) for n, one in enumerate(senders)))
    return senders


@pytest.fixture
def port(launch, url):
    """Of a server that is a process of its own."""
    process = launch(
        *("serve", "--port", 0, "--json", "--ledger", url),
        env={**os.environ, "RECPIPE_WEBHOOK_SECRET": SECRET, "PYTHONPATH": str(ROOT)},
    )
    return int(json.loads(process.stdout.readline())["url"].rpartition(":")[2])


def test_the_ledger_is_right_whatever_comes_and_the_answer_comes_soon(port, url, capsys):
    genuine, forged, letters = sent(random.Random(19))
    senders = asyncio.run(send(port, letters))
    answers = [answer for one in senders for answer in one.answers]
    refused = {raw for raw, status in answers if status == 401}
    assert refused == set(forged)
    assert {status for _, status in answers} == {200, 401}
    with Ledger(url) as ledger, ledger.reading() as connection:
        ids = set(connection.execute(sa.select(table.c.id)).scalars())
        assert ids == {json.loads(raw)["noticeId"] for raw in genuine}
        for n in range(SIDS):
            order = [one.sequence for one in notices.told(connection, f"{n:032x}")]
            assert order == list(range(len(order)))
            assert order
    took = sorted(t for one in senders for t in one.took)
    p50, p99 = took[len(took) // 2], took[len(took) * 99 // 100]
    with capsys.disabled():
        print(f"\n{len(took)} notifications: p50 {1e3 * p50:.1f} ms, p99 {1e3 * p99:.1f} ms")
    assert p99 < P99 or not TIMED
