"""Who has to be seen where and heard when in a file of all users, by what is true of the session;
and who really is, by colours and tones.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.media.compose.layout import Canvas, best_fit
from pipeline.model import Report
from pipeline.muxing.locate import Ffmpeg
from pipeline.simulator.recorder.identify import Area, listen_to, look_at
from pipeline.simulator.session.session import Session

SMALL = Canvas(320, 180)  # as good as a large one to tell colours, and quick to encode
MOMENTS = 20
GONE = 15.0  # seconds: who sends nothing for so long has left
NEAR = 0.7  # seconds around what changes that nothing is said of
EAR = 0.35  # the same of sound: half of what is listened to, and what a codec smears

TOUCHING = 0.1  # seconds between two losses in a row

Span = tuple[float, float]


def area(tile: Mapping[str, int], canvas: Canvas) -> Area:
    """A tile in shares of the canvas."""
    return Area(
        tile["x"] / canvas.width,
        tile["y"] / canvas.height,
        tile["width"] / canvas.width,
        tile["height"] / canvas.height,
    )


def wrong(made: Session, report: Report, ffmpeg: Ffmpeg, *, seed: int = 0) -> list[str]:
    """What is seen or heard at random moments of a best-fit of all, and should not be.  Of users
    who lost something nothing is said but that nobody else is in their tile.
    """
    truth, dice = made.as_json(), random.Random(f"moments {seed}")
    assert report.started is not None
    wait = datetime.fromisoformat(report.started).timestamp() - truth["begin_utc"]
    path = Path(report.output or "")
    users = [user for user in truth["users"] if user["streams"]]
    pictures, sound = look_at(path, ffmpeg), listen_to(path, ffmpeg)
    edges = [edge for user in users for span in _presence(user) for edge in span]
    found, looked = [], 0
    for _ in range(50 * MOMENTS):
        at = dice.uniform(max(wait, 0.0), wait + report.duration)
        if looked == MOMENTS or not _clear(at, edges):
            continue
        looked += 1
        there = _there(users, at)
        tiles = best_fit(SMALL, len(there))
        for user, tile in zip(there, tiles, strict=True):
            box = {"x": tile.x, "y": tile.y, "width": tile.width, "height": tile.height}
            seen = pictures.at(at - wait, _filled(area(box, SMALL), user))
            expected = _seen(user, at)
            if seen.number not in expected:
                found.append(f"{at:.2f}: {seen} instead of {user['uid']} {expected}")
    for _ in range(MOMENTS):
        at = dice.uniform(max(wait, 0.0), wait + report.duration)
        loud = sound.at(at - wait)
        for user in users:
            expected = _heard(user, at)
            if expected is not None and expected != (user["number"] in loud):
                found.append(f"{at:.2f}: {user['uid']} heard {not expected}: {loud}")
    return found if looked == MOMENTS else [*found, f"only {looked} moments"]


def _filled(tile: Area, user: Mapping[str, Any]) -> Area:
    """Of the tile, what is surely filled: pictures that were turned by a quarter on the way stand
    between black bars, where the others are wide.
    """
    stream = user["streams"].get("video")
    if not stream or not any(one["rotate"] % 180 for one in stream["rotations"]):
        return tile
    return Area(tile.x + tile.width / 3, tile.y, tile.width / 3, tile.height)


def _spans(user: Mapping[str, Any], kind: str) -> list[Span]:
    stream = user["streams"].get(kind)
    return [(s["begin"], s["end"]) for s in stream["sent"]] if stream else []


def _presence(user: Mapping[str, Any]) -> list[Span]:
    """From the first thing that was sent and is left to the last, without long pauses."""
    sent = sorted([*_spans(user, "video"), *_spans(user, "audio")])
    found = [sent[0]]
    for begin, end in sent[1:]:
        if begin - found[-1][1] >= GONE:
            found.append((begin, end))
        else:
            found[-1] = found[-1][0], max(found[-1][1], end)
    left = [edge for kind in user["streams"] for span in _left(user, kind) for edge in span]
    first, last = min(left), max(left)
    return [(max(a, first), min(b, last)) for a, b in found if a < last and b > first]


def _left(user: Mapping[str, Any], kind: str) -> Iterator[Span]:
    """What was sent, without what is lost at its ends."""
    lost = [(x["start"], x["start"] + x["seconds"]) for x in user["streams"][kind]["lost"]]
    for begin, end in _spans(user, kind):
        for a, b in sorted(lost):
            begin = b if a <= begin + TOUCHING else begin
        for a, b in sorted(lost, reverse=True):
            end = a if b >= end - TOUCHING else end
        if end > begin:
            yield begin, end


def _clear(at: float, edges: Sequence[float]) -> bool:
    return all(abs(at - edge) > NEAR for edge in edges)


def _there(users: Sequence[Mapping[str, Any]], at: float) -> list[Mapping[str, Any]]:
    """In the order in which they came."""
    since = [(a, user) for user in users for a, b in _presence(user) if a <= at < b]
    return [user for _, user in sorted(since, key=lambda one: (one[0], int(one[1]["uid"])))]


def _seen(user: Mapping[str, Any], at: float) -> set[int | None]:
    """The colour that may be in the user's tile; None: nothing."""
    spans, stream = _spans(user, "video"), user["streams"].get("video")
    if not spans or at < spans[0][0] - NEAR:
        return {None}
    unsure = at < spans[0][0] + NEAR or stream["lost"]
    return {user["number"], None} if unsure else {user["number"]}


def _heard(user: Mapping[str, Any], at: float) -> bool | None:
    """Whether the user's tone has to be heard; None: that is not clear."""
    spans, stream = _spans(user, "audio"), user["streams"].get("audio")
    if any(a + EAR <= at <= b - EAR for a, b in spans):
        return None if stream["lost"] else True
    return False if all(at < a - EAR or at > b + EAR for a, b in spans) else None


def scenes(document: Mapping[str, Any]) -> Iterator[tuple[float, float, list[str]]]:
    """Begin, end and users of each scene in a session file."""
    for one in document["composed"]["scenes"]:
        yield one["begin"], one["end"], [tile["uid"] for tile in one["tiles"]]
