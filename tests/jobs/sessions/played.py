"""Sessions of the simulator, converted, and what became of each user held against what is true."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.jobs import one
from pipeline.jobs.options import Options
from pipeline.jobs.output.destinations import Target
from pipeline.model import Report
from pipeline.muxing.locate import Ffmpeg
from pipeline.simulator.recorder.material import Look
from pipeline.simulator.recorder.measure import measure
from pipeline.simulator.recorder.publish import Shelf, publish
from pipeline.simulator.recorder.scene import LASTS
from pipeline.simulator.session.session import Session, SessionOrder, simulate_session
from pipeline.stages.discover import discover
from pipeline.storage.local import LocalStorage

TOUCHING = 0.1  # seconds: one picture between two causes
NEAR = 0.04  # seconds: promise 7
LEAST = {"video": 0.55, "audio": 0.15}  # seconds: shorter absences need not be told
LOOK = Look(width=160, height=96, fps=10)
WORST = ("ok", "repaired", "degraded", "pending", "rejected")


def put(order: SessionOrder, folder: Path, ffmpeg: Ffmpeg) -> Session:
    """Simulate a session into a folder."""
    made = simulate_session(order, ffmpeg)
    folder.mkdir(parents=True, exist_ok=True)
    publish(Shelf(LocalStorage(folder)), made.parts)
    return made


def convert(folder: Path, to: Path, ffmpeg: Ffmpeg, options: Options | None = None) -> Report:
    """The only recording of a folder, converted."""
    source = LocalStorage(folder)
    (recording,) = discover(source, "")
    options = options or Options(spool=to / "spool")
    to.mkdir(parents=True, exist_ok=True)
    target = Target(LocalStorage(to), f"{recording.id}.{options.format.value}")
    return one.process(recording, source, target, ffmpeg, options)


def check(folder: Path, options: Options) -> Report:
    """The same without making anything."""
    source = LocalStorage(folder)
    (recording,) = discover(source, "")
    return one.check(recording, source, options)


def wrong(truth: Mapping[str, Any], report: Report) -> list[str]:
    """What is said of a session, or of a user of it, and is not so."""
    told = {user.uid: user for user in report.users}
    found = []
    for user in truth["users"]:
        if user["streams"]:
            said = told.pop(user["uid"], None)
            found += [f"{user['uid']}: {one}" for one in _wrong(truth, user, said)]
    return [*found, *(f"{uid}: nobody" for uid in told)]


def _wrong(truth: Mapping[str, Any], user: Mapping[str, Any], said: Report | None) -> Iterator[str]:
    streams = user["streams"]
    if said is None:
        yield "nothing is said"
        return
    least = max(min(map(WORST.index, s["verdicts"])) for s in streams.values())
    most = max(max(map(WORST.index, s["verdicts"])) for s in streams.values())
    rejected = all("rejected" in s["verdicts"] for s in streams.values())
    most = 4 if rejected else min(most, 2)
    unseen = any(s["unseen"] for s in streams.values())
    if not (0 if unseen else min(least, most)) <= WORST.index(said.verdict.value) <= most:
        yield f"{said.verdict.value}, expected {WORST[least]} to {WORST[most]}: {_errors(said)}"
    for kind, stream in streams.items():
        doubt = 0.3 + stream["undecided_seconds"] + unknown(stream)
        off = said.lost_seconds.get(kind, 0.0) - stream["lost_seconds"]
        if said.verdict.value != "rejected" and not unseen and abs(off) > doubt:
            yield f"{kind} lost {off:+.3f} s beside {stream['lost_seconds']:.3f} s"
        if said.output is not None:
            yield from _absences(truth, kind, stream, said)


def _errors(said: Report) -> list[str]:
    return [f"{f.id} {f.segment} {f.detail}" for f in said.findings if f.severity == "error"]


def _absences(
    truth: Mapping[str, Any], kind: str, stream: Mapping[str, Any], said: Report
) -> Iterator[str]:
    assert said.started is not None
    wait = datetime.fromisoformat(said.started).timestamp() - truth["begin_utc"]
    end = min(wait + said.duration, truth["duration"])
    absent = [(a["begin"], a["end"]) for a in stream["absences"]]
    expected = [(max(a, wait), min(b, end)) for a, b in joined(absent) if a < end and b > wait]
    own = [a for a in said.absences if a.kind == kind and a.became != "closed"]
    told = joined([(wait + a.start, min(wait + a.start + a.length, end)) for a in own])
    if stream["lost"]:  # what is lost beside an absence is not told apart to the frame
        wide = sum(end - begin for begin, end in expected)
        off = sum(end - begin for begin, end in told) - wide
        if abs(off) > 1.0 + stream["undecided_seconds"] + unknown(stream):
            yield f"{kind} absent {off:+.3f} s beside {wide:.3f} s"
        return
    least = LEAST[kind]
    for span in expected:
        if span[0] == wait and span[1] < wait + 1.0:
            continue  # a camera begins with a key picture
        if span[1] - span[0] > least and not any(_same(span, other) for other in told):
            yield f"{kind} absent {span} is not told: {told}"
    for other in told:
        if not any(_same(span, other) for span in expected):
            yield f"{kind} absent {other} is told: {expected}"


def misplaced(made: Session, report: Report, ffmpeg: Ffmpeg) -> list[str]:
    """Flashes and beeps that are not where they were sent, to 40 ms, and how many are not there;
    one may be held over each absence, and some may be lost.
    """
    told = {user["uid"]: user["streams"] for user in made.as_json()["users"]}
    return [
        f"{user.uid}: {wrong}"
        for user in report.users
        for wrong in _misplaced(user, told[str(user.uid)], made.order.epoch, ffmpeg)
    ]


def _misplaced(
    user: Report, streams: Mapping[str, Any], epoch: float, ffmpeg: Ffmpeg
) -> Iterator[str]:
    kinds = tuple(track.type for track in user.tracks)
    if user.output is None or user.started is None:
        return
    begin = datetime.fromisoformat(user.started).timestamp() - epoch
    seen = measure(Path(user.output), ffmpeg, kinds)
    for kind in kinds:
        stream, shown = streams[kind], seen.flashes if kind == "video" else seen.beeps
        sent = stream["flashes" if kind == "video" else "beeps"]
        near = [at for at in shown if min((abs(at + begin - t) for t in sent), default=9) <= NEAR]
        cut = [0.0, *(x for span in _away(user, kind) for x in span)]
        for at in (at for at in shown if at not in near):
            if min(abs(at - edge) for edge in cut) > LASTS:  # what an edge cuts is sent in part
                yield f"{kind} at {at + begin:.3f} s, sent at {sent}"
        whole = not stream["lost"] and not stream["undecided_seconds"]
        whole &= all(one.kind != kind for one in user.reencoded)  # turned, and so much smaller
        if whole and len(near) < len(sent) - len(cut):
            yield f"{kind} {len(near)} times, sent {len(sent)} times"


def _away(user: Report, kind: str) -> Iterator[tuple[float, float]]:
    """Where a user was not heard or seen, or what was is lost: seconds of the result."""
    for span in (*user.absences, *user.holes):
        if span.kind == kind:
            yield span.start, span.start + span.length


def unknown(stream: Mapping[str, Any]) -> float:
    """Seconds of absences inside slices that are gone: EXTINF counts them as promised."""
    spans: dict[str, list[tuple[float, float]]] = {}
    for loss in stream["lost"]:
        span = loss["start"], loss["start"] + loss["seconds"]
        spans.setdefault(loss["segment"], []).append(span)
    whole = sum(max(b for _, b in own) - min(a for a, _ in own) for own in spans.values())
    return whole - sum(loss["seconds"] for loss in stream["lost"])


def joined(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Spans that touch as one."""
    found: list[tuple[float, float]] = []
    for begin, end in sorted(spans):
        if found and begin - found[-1][1] < TOUCHING:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((begin, end))
    return found


def _same(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return abs(one[0] - other[0]) <= 2 * NEAR and abs(one[1] - other[1]) <= 2 * NEAR
