"""The streams of a user in one file, judged each for itself."""

import pytest

from pipeline.choices import OnLoss
from pipeline.jobs.options import Options
from pipeline.jobs.planning import Intake, inspected
from pipeline.jobs.sessions.users import users
from pipeline.jobs.spool import Workspace
from pipeline.jobs.stopwatch import Clock
from pipeline.jobs.verdict import judged
from pipeline.model import Finding, Severity, Verdict
from pipeline.stages.discover import discover
from pipeline.stages.mux import mux
from pipeline.storage.local import LocalStorage

BYTES = Finding("M_BYTES", Severity.FATAL, detail="another byte")
BLACK = Finding("BLACK", Severity.INFO, detail="black for a while")


@pytest.fixture
def read(stored, folder, tmp_path):
    """One user of a session, and what is read of the user's streams."""
    stored(users=1, duration=10.0)
    source, options = LocalStorage(folder), Options(spool=tmp_path / "spool")
    (session,) = discover(source, "")
    inventory = inspected(session, source, options)
    work = Workspace(session, options)
    (user,) = users(Intake(session, source, inventory, options, Clock(), work))
    (share,) = user.shares
    plan, segments = share.evidence.plan, share.evidence.segments
    return user.recording, share.evidence, mux.measure(plan, segments, options.progress)


def test_what_the_proof_found_of_a_user_is_said_once_and_decides(read):
    report = judged(*read, OnLoss.HOLD, proved=[BYTES, BLACK])
    assert [f for f in report.findings if f.id in ("M_BYTES", "BLACK")] == [BYTES, BLACK]
    assert report.verdict is Verdict.REJECTED


def test_nothing_found_is_nothing_said(read):
    report = judged(*read, OnLoss.HOLD)
    assert (report.verdict, report.findings) == (Verdict.OK, ())
