"""What leaves the archive is accepted elsewhere, and is refused when it is not what it was."""

import json
from functools import partial

import pytest

from pipeline.archive.bagit import export
from pipeline.archive.bagit.places import BagLocation, Form
from pipeline.errors import ExistsError, StorageError
from pipeline.storage.local import LocalStorage
from tests.archive.bagit.test_fixity import flip
from tests.archive.conftest import NOW, files, untar


@pytest.fixture
def exported(bagged):
    to = bagged.root / "ocfl"
    storage = LocalStorage(bagged.root / "archive")
    return export.to_ocfl(storage, BagLocation(bagged.name), to, now=NOW)


def test_an_ocfl_validator_accepts_object_and_root(exported, bagged, ocfl):
    assert ocfl(exported)
    assert ocfl(bagged.root / "ocfl")


@pytest.mark.parametrize("damage", ["flipped", "missing", "extra", "renamed"])
def test_an_ocfl_validator_refuses_damage(exported, ocfl, damage):
    path = next((exported / "v1" / "content" / "data" / "original").glob("*.ts"))
    if damage == "flipped":
        flip(path)
    elif damage == "missing":
        path.unlink()
    elif damage == "extra":
        path.with_name("extra").write_bytes(b"x")
    else:
        path.rename(path.with_name("renamed"))
    assert not ocfl(exported)


def test_the_whole_bag_is_in_the_object(exported, bagged):
    content = exported / "v1" / "content"
    assert files(content) == files(bagged.bag)
    inventory = json.loads((exported / "inventory.json").read_text())
    state = inventory["versions"]["v1"]["state"]
    assert sorted(p for paths in state.values() for p in paths) == sorted(files(bagged.bag))


def test_an_object_is_not_exported_twice(exported, bagged):
    to, storage = bagged.root / "ocfl", LocalStorage(bagged.root / "archive")
    with pytest.raises(ExistsError):
        export.to_ocfl(storage, BagLocation(bagged.name), to, now=NOW)


@pytest.mark.parametrize("kind", ["ocfl", "tar"])
def test_a_link_is_not_exported(bagged, kind):
    path = bagged.bag / "data" / "access" / bagged.mp4.name
    path.unlink()
    path.symlink_to(bagged.mp4)
    to, storage = bagged.root / "there", LocalStorage(bagged.root)
    make = partial(export.to_ocfl, now=NOW) if kind == "ocfl" else export.to_tar
    with pytest.raises(StorageError, match=f"{bagged.mp4.name}: a link"):
        make(storage, BagLocation(f"archive/{bagged.name}"), to)
    assert not list((bagged.root / "there").glob("*.tar"))


@pytest.mark.parametrize("kind", ["ocfl", "tar"])
def test_a_damaged_bag_is_not_exported(bagged, kind):
    flip(bagged.bag / "data" / "access" / bagged.mp4.name)
    to, storage = bagged.root / "there", LocalStorage(bagged.root / "archive")
    make = partial(export.to_ocfl, now=NOW) if kind == "ocfl" else export.to_tar
    with pytest.raises(StorageError, match="changed"):
        make(storage, BagLocation(bagged.name), to)
    assert not list((bagged.root / "there").glob("*.tar"))
    assert not list(bagged.root.glob(".recpipe-export*"))


@pytest.mark.parametrize("form", list(Form))
def test_a_tar_is_the_bag(home, form, tmp_path, bagit):
    home.ingest(home.archive(form))
    storage = LocalStorage(home.root / "archive")
    made = export.to_tar(storage, BagLocation(home.name, form), tmp_path / "tars")
    untar(made, tmp_path)
    assert bagit(tmp_path / home.name)


def test_a_folder_of_something_else_does_not_become_a_storage_root(bagged):
    (bagged.root / "ocfl").mkdir()
    (bagged.root / "ocfl" / "mine").write_bytes(b"x")
    to, storage = bagged.root / "ocfl", LocalStorage(bagged.root / "archive")
    with pytest.raises(ExistsError):
        export.to_ocfl(storage, BagLocation(bagged.name), to, now=NOW)
