"""Names of files that are not whole yet."""

import os
import subprocess
import sys

from pipeline.storage.temporaries import is_temporary, temporaries, temporary


def test_what_a_killed_process_left_is_swept_after_an_hour(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    names = {
        "old": f".recpipe-{gone.pid}-0123456789abcdef.part",
        "young": f".recpipe-{gone.pid}-00000000000000ff.part",
        "alive": f".recpipe-{os.getpid()}-0123456789abcdef.part",
        "foreign": ".recpipe-notes.part",
    }
    for which, name in names.items():
        (tmp_path / name).write_bytes(b"half")
        if which != "young":
            os.utime(tmp_path / name, (0, 0))
    temporary(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == set(names.values()) - {names["old"]}


def test_a_number_that_no_process_can_have_is_that_of_none(tmp_path):
    left = tmp_path / f".recpipe-{10**30}-ff.part"
    left.write_bytes(b"x")
    os.utime(left, (0, 0))
    temporary(tmp_path)
    assert not left.exists()


def test_the_folder_of_a_name_is_made(tmp_path):
    one, two = (temporary(tmp_path / "a" / "b") for _ in range(2))
    assert one != two
    assert one.parent == two.parent == tmp_path / "a" / "b"
    assert one.parent.is_dir()
    assert is_temporary(one)


def test_only_files_of_ours_are_found_and_no_links(tmp_path):
    mine = temporary(tmp_path / "a")
    for name in ("a.mp4", ".recpipe-notes.part", ".recpipe-1-ff.mp4"):
        (tmp_path / "a" / name).write_bytes(b"x")
    mine.write_bytes(b"x")
    (tmp_path / "a" / ".recpipe-1-ff.part").symlink_to(mine)
    assert list(temporaries(tmp_path)) == [mine]
