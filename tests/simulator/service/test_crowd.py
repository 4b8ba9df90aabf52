"""Users of the stand-in in individual mode, who come and go."""

import json

import pytest

from pipeline.agora import names, webhook
from pipeline.simulator.recorder import palette
from pipeline.simulator.service.crowd import looks, members, streams
from pipeline.simulator.service.requests import Conduct
from pipeline.simulator.session.cast import parse_act
from tests.agora.bodies import CANVAS, GONE, RECORDING
from tests.simulator.service.standin import Standin

INDIVIDUAL = {CANVAS: GONE, f"{RECORDING}.audioProfile": GONE}  # of the users 123 and 456

pytestmark = pytest.mark.usefixtures("ffmpeg")


@pytest.fixture
def standin(tmp_path):
    def make(*acts, **conduct):
        made = Standin(tmp_path, acts=tuple(map(parse_act, acts)), **conduct)
        made.truths = {}
        made.service.keep = made.truths.__setitem__
        return made

    return make


def recorded(standin, seconds):
    session = standin.start(INDIVIDUAL, mode="individual")
    standin.time.sleep(seconds)
    session.stop()
    return session


def details(standin, kind):
    """What was told by notifications of this type, without the time."""
    return [n["payload"]["details"] for n in standin.notices if n["eventType"] == kind]


def test_everyone_has_a_colour_a_tone_and_a_clock(standin):
    made = standin("456:share@3")
    order = made.start(INDIVIDUAL, mode="individual")
    (live,) = made.service.lives
    there = members(live.order, live.conduct)
    assert list(there) == ["123", "456", "9456"]
    assert [m.look.chroma for m in there.values()] == [palette.chroma(n) for n in range(3)]
    assert there["9456"].screen_of == "456"
    assert [s.uid for s in streams(live.order, live.conduct)][-1] == "9456"
    assert len(set(looks(live.order, live.conduct))) == 3
    order.stop()


def test_a_mixed_recording_has_no_crowd(standin):
    made = standin("456:share@3")
    session = made.start()
    (live,) = made.service.lives
    assert live.truth() is None
    assert list(looks(live.order, Conduct(acts=(parse_act("456:share@3"),)))) == [live.order.look]
    session.stop()
    made.service.tick()
    assert made.truths == {}


def test_who_leaves_and_returns_is_told_and_stored_so(standin):
    made = standin("123:leave@10", "123:join@40", "456:mute@4", "456:unmute@8")
    session = recorded(made, 60)
    made.service.tick()
    told = [(d["streamUid"], d["msgName"].split("_")[1], d["state"]) for d in details(made, 43)]
    assert told == [
        ("456", "audio", 1),
        ("456", "audio", 0),
        ("123", "audio", 1),
        ("123", "audio", 0),
    ]
    assert [(d["streamUid"], d["state"]) for d in details(made, 44)] == [("123", 1), ("123", 0)]
    starts = [(d["streamUid"], d["trackType"]) for d in details(made, 42)]
    assert sorted(starts[4:]) == [("123", "audio"), ("123", "video")]
    truth = made.truths[session.sid]
    (user,) = (user for user in truth["users"] if user["uid"] == "123")
    absences = user["streams"]["audio"]["absences"]
    assert [(a["cause"], round(a["begin"]), round(a["end"])) for a in absences] == [
        ("left", 10, 40)
    ]
    listed = user["streams"]["audio"]["playlist"]
    (path,) = made.folder.rglob(listed)
    assert path.read_text().count("EVENT=START") == 2
    assert json.dumps(truth)


def test_notifications_are_of_the_types_agora_documents(standin):
    made = standin("123:mute@4")
    recorded(made, 10)
    (notice,) = (n for n in made.notices if n["eventType"] == 43)
    event = webhook.parse(json.dumps({**notice, "notifyMs": 1}).encode()).event
    assert isinstance(event, webhook.StreamChanged)
    assert (event.stream_uid, event.video, event.receiving) == ("123", False, False)


def test_who_comes_later_has_no_playlist_before(standin):
    made = standin("456:join@20")
    session = made.start(INDIVIDUAL, mode="individual")
    made.time.sleep(15)
    made.service.tick()
    assert {names.parse_stream(names.parse_playlist_name(n).cname).uid for n in lists(made)} == {
        "123"
    }
    assert {d["streamUid"] for d in details(made, 42)} == {"123"}
    made.time.sleep(20)
    session.stop()
    assert {d["streamUid"] for d in details(made, 42)} == {"123", "456"}
    assert len(lists(made)) == 4


def lists(standin):
    return [name for name in standin.names() if name.endswith(".m3u8")]


def test_a_failover_is_in_the_truth(standin):
    made = standin(kills=(10.0,))
    session = recorded(made, 40)
    made.service.tick()
    (one, _) = made.truths[session.sid]["users"]
    told = one["streams"]["video"]
    assert [name.partition("_")[0] for name in told["parts"]][1:] == ["bak0"]
    assert len(told["sent"]) == 2
    assert len(made.truths) == 1


def test_a_browser_needs_something_that_makes_webm(standin):
    made = standin(web={"123": "vp8"})
    made.service.browser = lambda look, span, stream: b"WebM of " + stream.encode()
    recorded(made, 10)
    stored = [name for name in made.names() if name.endswith(".webm")]
    assert stored
    assert all("__uid_s_123__" in name for name in stored)
