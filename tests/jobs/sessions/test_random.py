"""Sessions as they come, with and without faults: who is absent has lost nothing, what is lost is
no absence, sound and pictures are where they were, also of all in one file, and ``check`` says
what ``convert`` says.
"""

import os
import random

import pytest
from msgspec.structs import replace

from pipeline.choices import Users
from pipeline.errors import UsageError
from pipeline.jobs.options import Options
from pipeline.media.compose.layout import Arrangement
from pipeline.simulator.faults.catalogue import parse
from pipeline.simulator.session.chance import drawn
from pipeline.simulator.session.session import SessionOrder, TrackFault
from tests.jobs.sessions import played, shown

ROUNDS = int(os.environ.get("RECPIPE_SESSION_ROUNDS", "4"))
FAULTS = ("missing_file:0", "missing_file:1", "missing_file:2", "trunc_at_pes:1")


def order(seed: int) -> SessionOrder:
    """A session of two or three; in every other one something of a stream is lost.  Nobody comes by
    the web: what the simulator sends of them repeats itself to the byte.
    """
    dice = random.Random(seed)
    made = drawn(seed, dice.randint(2, 3), played.LOOK, duration=50, slice=dice.choice([4, 5, 15]))
    members = tuple(replace(member, web=None) for member in made.members)
    made = replace(made, members=members)
    if seed % 2:
        users = [member.uid for member in members if member.screen_of is None]
        hurt = dice.choice(users), dice.choice(["audio", "video"]), parse(dice.choice(FAULTS))
        made = replace(made, faults=(TrackFault(*hurt),))
    return made


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_absences_and_losses_are_told_apart_and_nothing_is_moved(
    seed, folder, out, ffmpeg, tmp_path
):
    try:
        made = played.put(order(seed), folder, ffmpeg)
    except UsageError:  # the stream has no such slice: nobody was there for so long
        made = played.put(replace(order(seed), faults=()), folder, ffmpeg)
    report = played.convert(folder, out, ffmpeg)
    assert played.wrong(made.as_json(), report) == []
    assert played.misplaced(made, report, ffmpeg) == []
    chosen = {"users": Users.ALL, "arrangement": Arrangement(canvas=shown.SMALL)}
    of_all = Options(**chosen, spool=tmp_path / "spool")
    everyone = played.convert(folder, tmp_path / "all", ffmpeg, of_all)
    assert shown.wrong(made, everyone, ffmpeg, seed=seed) == []
    checked = played.check(folder, Options(spool=tmp_path / "spool"))
    assert [(u.uid, u.verdict, u.absences) for u in checked.users] == [
        (u.uid, u.verdict, u.absences) for u in report.users
    ]
