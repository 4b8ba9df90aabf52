"""Runs of archive and cleanup."""

from pipeline.web.activity import Run, runs


def entry(kind, at, actor="host:1", **detail):
    return {"kind": kind, "at": at, "actor": actor, "detail": detail, "name": None}


def test_entries_of_one_run_are_one():
    told = [
        entry("applied", 9.0, run="r2"),
        entry("trashed", 8.0, run="r2"),
        entry("trash", 7.0, run="r2", objects=3, bytes=30),
        entry("trash", 6.0, run="r2", objects=1, bytes=10),
        entry("apply", 5.0, run="r2", recordings=2),
        entry("apply", 1.0, run="r1", recordings=0),
    ]
    assert runs(told) == [
        Run("moved to the trash", "r2", 5.0, 9.0, 2, 4, 40, ()),
        Run("moved to the trash", "r1", 1.0, 1.0, 0, 0, 0, ()),
    ]


def test_what_has_no_number_is_told_by_where_it_ran():
    told = [
        entry("archived", 3.0, bag="a", files=5, bytes=7),
        entry("archived", 2.0, bag="b", files=6, bytes=8),
        entry("archived", 1.0, "host:2", bag="c", files=1, bytes=1),
    ]
    assert [(one.run, one.recordings, one.objects, one.bytes) for one in runs(told)] == [
        ("host:1", 2, 11, 15),
        ("host:2", 1, 1, 1),
    ]


def test_problems_are_named():
    told = [
        entry("fixity check", 3.0, bag="s3://v/a", how="full", result="fail"),
        entry("fixity check", 2.0, bag="s3://v/b", how="full", result="pass"),
    ]
    assert runs(told)[0].problems == ("s3://v/a is damaged",)
    assert runs([entry("restored", 1.0, run="r", problem="gone")])[0].problems == ("gone",)


def test_what_others_wrote_is_no_error():
    told = [entry("trash", 1.0, run=None, objects="many", bytes=None)]
    assert runs(told) == [Run("moved to the trash", "host:1", 1.0, 1.0, 1, 0, 0, ())]
