"""Sessions as files, and what truth.json says of them."""

import json
from itertools import pairwise

import pytest

from pipeline.agora import names
from pipeline.errors import UsageError
from pipeline.simulator.recorder.identify import listen_to, look_at
from pipeline.simulator.recorder.measure import measure
from pipeline.simulator.recorder.values import HZ, START
from tests.simulator.session.conftest import joined, playlist, stream

FIRST = START / HZ  # seconds: the first stamp of every stream


def test_every_user_has_a_playlist_for_each_stream_and_slices_beside_it(stored):
    made, folder = stored("1002:share@3", duration=10.0)
    uids = {"1001": "audio video", "1002": "audio video", "10002": "video"}
    wanted = {
        names.playlist_name(made.room.sid, names.stream_cname(made.room.cname, uid, kind))
        for uid, kinds in uids.items()
        for kind in kinds.split()
    }
    assert {path.name for path in folder.glob("*.m3u8")} == wanted
    slices = [names.parse_slice_name(path.name) for path in folder.glob("*.ts")]
    assert {names.parse_stream(s.cname).uid for s in slices} == set(uids)


def test_the_truth_is_plain_json_and_the_same_each_time(session):
    once = json.dumps(session("1001:mute@5").as_json())
    assert json.dumps(session("1001:mute@5").as_json()) == once


def test_colour_and_tone_tell_whose_stream_it_is(stored, ffmpeg):
    made, folder = stored(users=3, duration=9.0)
    for member in made.order.members:
        seen = look_at(joined(made, folder, member.uid, "video"), ffmpeg)
        assert [seen.at(FIRST + t).number for t in (0.2, 4.4, 8)] == [member.number] * 3
        heard = listen_to(joined(made, folder, member.uid, "audio"), ffmpeg)
        assert [set(heard.at(FIRST + t)) for t in (0.3, 4.4, 8)] == [{member.number}] * 3


@pytest.mark.parametrize("kind", ["audio", "video"])
def test_flashes_and_beeps_come_when_the_truth_says(stored, ffmpeg, kind):
    made, folder = stored("1001:mute@4", "1001:unmute@8.4", "1001:camera_off@3.9", duration=12.0)
    told = stream(made, "1001", kind)
    found = measure(joined(made, folder, "1001", kind), ffmpeg, (kind,))
    marks, wanted = (found.flashes, "flashes") if kind == "video" else (found.beeps, "beeps")
    begin = told["sent"][0]["begin"] - FIRST
    assert [begin + at for at in marks] == pytest.approx(told[wanted], abs=0.005)


def test_a_fault_is_done_to_one_stream_alone(session):
    made = session(faults=[("1002", "video", "missing_file:1")], slice=5)
    assert stream(made, "1002", "video")["lost_seconds"] == 5
    assert stream(made, "1002", "video")["verdicts"] == ["degraded"]
    others = [("1001", "video"), ("1001", "audio"), ("1002", "audio")]
    assert [stream(made, *one)["lost"] for one in others] == [[], [], []]
    assert made.as_json()["verdicts"] == ["degraded"]


def test_standard_mode_adds_an_index_over_both_streams(stored):
    made, folder = stored(standard=True, duration=20.0, slice=5)
    index = names.playlist_name(made.room.sid, names.stream_cname(made.room.cname, "1001", "av"))
    uris = [x for x in (folder / index).read_text().splitlines() if x.endswith(".ts")]
    assert all((folder / uri).exists() for uri in uris)
    both = {names.parse_stream(names.parse_slice_name(uri).cname).kind for uri in uris}
    assert both == {"audio", "video"}
    begins = [names.parse_slice_name(uri).utc for uri in uris]
    assert begins == sorted(begins)


@pytest.mark.parametrize(
    ("acts", "chosen", "why"),
    [
        pytest.param(("1009:mute@2",), {}, "nobody has that uid", id="nobody"),
        pytest.param(("1001:mute@41",), {}, "before the end", id="too late"),
        pytest.param(("1001:resize@4:63x64",), {}, "even numbers", id="odd size"),
        pytest.param((), {"slice": 0}, "1 second or more", id="no slices"),
        pytest.param((), {"duration": 0.5}, "expected 1 to", id="too short"),
        pytest.param(
            (),
            {"faults": [("1001", "video", "gap_7s")]},
            "nobody waits",
            id="a pause",
        ),
        pytest.param(
            (), {"faults": [("1001", "video", "bak_gap")]}, "name none", id="of one stream"
        ),
        pytest.param(
            ("1002:mute@0",),
            {"faults": [("1002", "audio", "missing_file")]},
            "never sent",
            id="of nothing",
        ),
    ],
)
def test_what_cannot_be_is_refused(session, acts, chosen, why):
    with pytest.raises(UsageError, match=why):
        session(*acts, **chosen)


def test_slices_follow_each_other_to_the_millisecond(session):
    made = session(slice=4, duration=21.0)
    for part in made.parts:
        begins = [names.parse_slice_name(segment.name).utc for segment in part.segments]
        lengths = [entry.extinf for entry in part.playlist.entries]
        for (one, other), length in zip(pairwise(begins), lengths, strict=False):
            assert other - one == pytest.approx(length, abs=0.0011)


def test_nobody_who_sent_nothing_has_a_playlist(session):
    made = session("1001:mute@0", "1001:camera_off@0")
    assert [u["uid"] for u in made.as_json()["users"] if not u["streams"]] == ["1001"]
    assert playlist(made, "1002", "audio")[-1] == "#EXT-X-ENDLIST"
