"""What the files of a long recording are made of waits on the disk, and nothing of it stays."""

import gc
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from pipeline.errors import StorageError
from pipeline.jobs.evidence import Evidence
from pipeline.jobs.options import Options, unwatched
from pipeline.jobs.output.files import Share, shares
from pipeline.jobs.output.publishing import Origin, origin
from pipeline.jobs.output.put_aside import PutAside
from pipeline.jobs.planning import Intake, inspected, planned
from pipeline.jobs.spool import Workspace
from pipeline.jobs.stopwatch import Clock
from pipeline.jobs.verdict import judged
from pipeline.media.containers.unwrap import Wrapping
from pipeline.media.slots.segments import has_media
from pipeline.media.ts.scan import Scan
from pipeline.model import Recording, Report, Verdict
from pipeline.stages.discover import discover
from pipeline.stages.mux import mux
from pipeline.storage.locations import open_storage
from tests import recordings as r

LONGEST = 9.0  # seconds of one file: two slices, of five


def seen(folder: Path, spool: Path) -> tuple[Recording, Evidence]:
    """A recording and its plan."""
    storage, key = open_storage(folder)
    (recording,) = discover(storage, key)
    options = Options(spool=spool)
    with closing(Workspace(recording, options)) as work:
        inventory = inspected(recording, storage, options)
        return recording, planned(Intake(recording, storage, inventory, options, Clock(), work))


def report(recording: Recording, share: Share) -> Report:
    evidence = share.evidence
    read = mux.measure(evidence.plan, evidence.segments, unwatched)
    return judged(recording, evidence, read, Options().on_loss)


def scans_of(share: Share) -> list[str]:
    """Names of the segments of which everything is known."""
    return [s.slot.name for s in share.evidence.segments if s.slot.scan and s.slot.scan.size]


@pytest.fixture
def several(copied, tmp_path):
    """A recording whose third slice, with which a file would begin, is missing."""
    made = copied(r.AV_B)
    (made.folder / made.names[2]).unlink()
    recording, evidence = seen(made.folder, tmp_path / "spool")
    return recording, evidence, Options(max_length=LONGEST)


def test_the_only_one_stays_as_it_is(several):
    _, evidence, _ = several
    share, read = Share(evidence), origin(evidence.fetched)

    def nowhere() -> Path:
        raise AssertionError("nothing is to be written")

    with closing(PutAside([share], read, nowhere)) as aside:
        assert [one is share for one in aside] == [True]
        assert aside.origin is read


def test_several_are_the_same_when_they_are_taken_back(several, tmp_path):
    recording, evidence, options = several
    before = list(shares(evidence, options))
    work = tmp_path / "work"
    with closing(PutAside(before, origin(evidence.fetched), lambda: work)) as aside:
        assert list(work.iterdir()) == []  # its file has no name
        for _ in range(2):
            again = list(aside)
            assert [report(recording, x) for x in again] == [report(recording, x) for x in before]
        assert [x.begin for x in aside.told] == [x.begin for x in before]
        assert aside.origin.inputs == origin(evidence.fetched).inputs
        assert again[1].evidence.fetched == ()
        for one, other in zip(again[1].evidence.segments, before[1].evidence.segments, strict=True):
            assert one.listed is other.listed  # what is there anyway is not there twice
        lanes = zip(again[0].evidence.plan.lanes, before[0].evidence.plan.lanes, strict=True)
        assert all(a.codec is b.codec for a, b in lanes)


def test_of_other_files_only_outlines_are_known(several):
    recording, evidence, options = several
    every = list(shares(evidence, options))
    assert len(every) == 2
    assert [*scans_of(every[0]), *scans_of(every[1])] == scans_of(Share(evidence))
    for share in every:
        whole = replace(share.evidence.plan, slots=evidence.plan.slots)
        known = replace(share.evidence, plan=whole, segments=evidence.segments)
        assert report(recording, share) == report(recording, replace(share, evidence=known))
        held = [has_media(slot) for slot in share.evidence.plan.slots]
        assert held == [has_media(slot) for slot in evidence.plan.slots]


def test_keys_are_not_written(several, tmp_path):
    _, evidence, options = several
    key = os.urandom(16)
    wrapped = [
        replace(s, wrapping=Wrapping(0, 1, 1, encrypted=True, keys=[key]))
        for s in evidence.segments
    ]
    every = [
        replace(x, evidence=replace(x.evidence, segments=tuple(wrapped)))
        for x in shares(evidence, options)
    ]
    with closing(PutAside(every, Origin(), lambda: tmp_path)) as aside:
        for share in aside:
            told = [segment.wrapping for segment in share.evidence.segments]
            assert [one and one.keys for one in told] == [[key]] * len(told)
        (written,) = (data for data in nameless(tmp_path))
        assert wrapped[0].slot.name.encode() in written
        assert key not in written


def nameless(folder: Path) -> Iterator[bytes]:
    """What this process has in files of a folder that have no name."""
    for path in list(Path("/proc/self/fd").iterdir()):
        try:
            if path.readlink().is_relative_to(folder):
                yield path.read_bytes()
        except FileNotFoundError:  # the listing itself
            continue


def test_while_one_file_is_made_the_scans_of_the_others_are_gone(copied, library, out):
    made, before = copied(r.AV_B), [x for x in gc.get_objects() if type(x) is Scan]
    known = set(map(id, before))
    alive: list[set[str]] = []

    def look(stage: str, count: int) -> None:
        if stage == "convert":
            found = (x for x in gc.get_objects() if type(x) is Scan and id(x) not in known)
            alive.append({x.name for x in found if x.size})

    done = r.convert(made.folder, out, library.ffmpeg, max_length=LONGEST, progress=look)
    assert done.verdict is Verdict.OK, r.said(done)
    first, second, third = set(made.names[:2]), set(made.names[2:4]), set(made.names[4:])
    assert alive == [first, first, second, second, third]


def leftovers(out: Path) -> list[str]:
    return [path.name for path in (out / "spool").rglob("*") if "work-" in str(path)]


def test_nothing_is_left_in_the_spool(copied, library, out):
    made = copied(r.AV_B)

    def stop(stage: str, count: int) -> None:
        if stage == "verify":
            assert leftovers(out)  # the folder of the run
            raise StorageError("the second file cannot be made")

    with pytest.raises(StorageError, match="second file"):
        r.convert(made.folder, out, library.ffmpeg, max_length=LONGEST, progress=stop)
    assert leftovers(out) == []
    r.convert(made.folder, out, library.ffmpeg, max_length=LONGEST)
    assert leftovers(out) == []
    assert list(out.glob(".*")) == []


def test_a_recording_of_one_file_makes_no_folder(copied, library, out):
    made = copied(r.AV_B)

    def look(stage: str, count: int) -> None:
        assert leftovers(out) == []

    assert r.convert(made.folder, out, library.ffmpeg, progress=look).made
