"""A published recording, archived; and the validators of other people that judge the bag."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.archive import bulk
from pipeline.archive.bagit.places import Form
from pipeline.archive.bagit.staging import Archive
from pipeline.archive.ingest import Ingested
from pipeline.archive.order import Bagging, Order, Originals
from pipeline.jobs.outcomes import Failure
from pipeline.storage import Storage
from pipeline.storage.local import LocalStorage
from pipeline.storage.locations import open_storage
from tests import recordings

NOW = 1_790_000_000.0
TINY = recordings.Kind(seconds=2, slice=1, fps=5, size="96x64", bitrate="30k")


@pytest.fixture(scope="session")
def made(library: recordings.Library, tmp_path_factory) -> tuple[Path, Path]:
    """A folder with one recording, and one with its MP4 and receipt.  Not to be changed."""
    home = tmp_path_factory.mktemp("made")
    source = library[TINY].copy(home / "source")
    report = recordings.convert(source.folder, home / "out", library.ffmpeg)
    assert report.verdict == "ok", recordings.said(report)
    shutil.rmtree(home / "out" / "spool")
    return home / "source", home / "out"


@dataclass(frozen=True)
class Home:
    """A place of one test: slices, results, an archive."""

    root: Path
    ffmpeg: object

    @property
    def source(self) -> Path:
        return self.root / "source"

    @property
    def out(self) -> Path:
        return self.root / "out"

    @property
    def receipt(self) -> Path:
        (found,) = self.out.glob("*.receipt.json")
        return found

    @property
    def mp4(self) -> Path:
        (found,) = self.out.glob("*.mp4")
        return found

    @property
    def name(self) -> str:
        return self.mp4.stem

    def archive(self, form: Form = Form.OBJECTS, name: str = "archive") -> Archive:
        storage = LocalStorage(self.root / name)
        return Archive(storage, storage, form)

    def ingest(
        self, to: Archive | None = None, originals: str = "keep", **order: object
    ) -> list[Ingested | Failure]:
        """What ``recpipe archive ingest out --to archive`` does."""
        chosen = Order(Originals(originals), spool=self.root / "spool", **order)  # type: ignore
        found = bulk.published_in([str(self.out)], open_storage)
        to = to or self.archive()
        return list(bulk.ingest_all(found, root, Bagging(to, chosen, self.ffmpeg), now=lambda: NOW))  # type: ignore

    @property
    def bag(self) -> Path:
        return self.root / "archive" / self.name


def root(url: str) -> Storage:
    """Where the slices are, as the receipt names it."""
    return open_storage(url)[0]


@pytest.fixture
def home(made, tmp_path, ffmpeg) -> Home:
    """Slices and results, to be changed at will."""
    source, out = made
    here = tmp_path / "home"
    shutil.copytree(source, here / "source")
    shutil.copytree(out, here / "out")
    home = Home(here, ffmpeg)
    told = json.loads(home.receipt.read_text())
    told["source"] = told["source"].replace(str(source), str(home.source))
    home.receipt.write_text(json.dumps(told))
    return home


@pytest.fixture
def bagged(home) -> Home:
    """The same, archived."""
    (one,) = home.ingest()
    assert isinstance(one, Ingested), one
    return home


# --- the judges --------------------------------------------------------------------------------


def _judge(name: str) -> str:
    """A program in the folder RECPIPE_TEST_JUDGES, beside this Python or on the path."""
    places = [os.environ.get("RECPIPE_TEST_JUDGES", ""), str(Path(sys.executable).parent)]
    for place in [*filter(None, places), None]:
        found = shutil.which(name, path=place)
        if found:
            return found
    pytest.skip(f"no {name}: see .ci/run")


def _accepts(*argv: str) -> bool:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode == 0


PROFILE = Path(__file__).parents[2] / "pipeline" / "archive" / "bagit-profile.json"
POLICY = PROFILE.with_name("access-copy.policy.xml")
_PROFILE_CODE = """
import json, logging, sys, bagit, bagit_profile
logging.disable(logging.CRITICAL)
profile = json.load(open(sys.argv[1]))
url = profile["BagIt-Profile-Info"]["BagIt-Profile-Identifier"]
sys.exit(0 if bagit_profile.Profile(url, profile).validate(bagit.Bag(sys.argv[2])) else 1)
"""


def untar(tar: Path, folder: Path) -> None:
    """By the program people have."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["tar", "-xf", str(tar), "-C", str(folder)], check=True)


@pytest.fixture
def bagit() -> Callable[[Path], bool]:
    """The Library of Congress's own validator."""
    program = _judge("bagit.py")
    return lambda bag: _accepts(program, "--quiet", "--validate", str(bag))


@pytest.fixture
def bagit_profile() -> Callable[[Path], bool]:
    """A validator of BagIt profiles."""
    program = Path(_judge("bagit_profile.py"))
    python = str(program.with_name("python3"))
    return lambda bag: _accepts(python, "-c", _PROFILE_CODE, str(PROFILE), str(bag))


@pytest.fixture
def ocfl() -> Callable[[Path], bool]:
    """A validator of OCFL objects and storage roots."""
    program = _judge("ocfl-validate.py")
    return lambda path: _accepts(program, "--quiet", str(path))


@pytest.fixture
def mediaconch() -> Callable[[Path], bool]:
    """MediaConch with our policy; its exit code says nothing."""
    program = _judge("mediaconch")

    def accepts(path: Path) -> bool:
        argv = [program, "-p", str(POLICY), str(path)]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
        assert done.stdout.startswith(("pass!", "fail!")), done.stdout
        return done.stdout.startswith("pass!")

    return accepts


@pytest.fixture
def sums() -> Callable[[Path], bool]:
    """coreutils: sha256sum and sha512sum over every manifest, and nothing that is not listed."""

    def accepts(bag: Path) -> bool:
        for bits in ("256", "512"):
            listed = [f"manifest-sha{bits}.txt", f"tagmanifest-sha{bits}.txt"]
            argv = [f"sha{bits}sum", "--check", "--strict", "--quiet", *listed]
            if subprocess.run(argv, cwd=bag, capture_output=True, check=False).returncode:
                return False
        return True

    return accepts


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def slices(home: Home) -> Iterator[Path]:
    """The originals in the bag."""
    yield from sorted((home.bag / "data" / "original").glob("*.ts"))
