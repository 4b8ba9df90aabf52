"""Fuzz one target, guided by coverage: ``scripts/fuzz TARGET --seconds 600``.

What crashes or hangs is written below ``--found`` and ends the run.  ``--keep`` adds to the kept
corpus of the target every input that reaches something new.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["pipeline.media", "pipeline.agora"]):
    from tests.fuzz.targets import CORPUS, TARGETS, Target

ROUND = 15_000  # inputs of one process: the fuzzer itself takes more memory with each


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    made = argparse.ArgumentParser(prog="fuzz", description=__doc__.split("\n")[0])
    made.add_argument("target", choices=sorted(TARGETS))
    made.add_argument("--seconds", type=int, default=60)
    made.add_argument("--seed", type=int, default=0, help="of the mutations [chance]")
    made.add_argument("--found", type=Path, default=Path(), help="folder for crashing inputs [.]")
    made.add_argument("--keep", action="store_true", help="renew the kept corpus")
    return made.parse_args(given)


def child(target: Target, options: dict[str, object], folder: Path) -> int:
    """Run libFuzzer, which leaves by itself, in a process of its own; returns its exit code."""
    pid = os.fork()
    if not pid:
        flags = (f"-{key}={value}" for key, value in options.items())
        argv = [sys.argv[0], *flags, str(folder)]
        atheris.Setup(argv, lambda data: target.run(data))
        atheris.Fuzz()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def kept(name: str) -> list[bytes]:
    """Inputs of earlier runs."""
    path = CORPUS / f"{name}.zip"
    if not path.exists():
        return []
    with zipfile.ZipFile(path) as archive:
        return [archive.read(entry) for entry in archive.namelist()]


def keep(name: str, inputs: Sequence[bytes]) -> None:
    """Write the kept corpus; the same inputs give the same file."""
    CORPUS.mkdir(exist_ok=True)
    with zipfile.ZipFile(CORPUS / f"{name}.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as out:
        for data in sorted({*inputs}, key=lambda data: (len(data), data)):
            entry = zipfile.ZipInfo(sha256(data).hexdigest()[:16])
            entry.compress_type = zipfile.ZIP_DEFLATED
            out.writestr(entry, data)


def main() -> int:
    """Fuzz, and keep what was new when asked to."""
    chosen = arguments(sys.argv[1:])
    target = TARGETS[chosen.target]
    status = 0
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    for number, data in enumerate([*target.seeds(), *kept(chosen.target)]):
        (folder / f"seed-{number:05}").write_bytes(data)
    end = time.monotonic() + chosen.seconds
    options = {
        "runs": ROUND,
        "seed": chosen.seed,
        "max_len": target.longest,
        "timeout": 20,
        "rss_limit_mb": 4096,
        "artifact_prefix": f"{chosen.found}/{chosen.target}-",
    }
    while status == 0 and (left := round(end - time.monotonic())) > 0:
        status = child(target, {"max_total_time": left, **options}, folder)
    if chosen.keep:
        keep(chosen.target, [path.read_bytes() for path in folder.iterdir()])
    shutil.rmtree(folder)
    return status


if __name__ == "__main__":
    sys.exit(main())
