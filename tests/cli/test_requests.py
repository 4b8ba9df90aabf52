"""Bodies put together: options above the file, a named store among them."""

import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from pipeline.agora.schema.storage import StorageConfig
from pipeline.cli.requests import secret_file, start_body
from pipeline.errors import UsageError
from tests.agora.bodies import START

STORE = StorageConfig(
    vendor=1,
    region=0,
    bucket="mine",
    access_key=SecretStr("a"),
    secret_key=SecretStr("s"),
    file_name_prefix=["all"],
)


def file(tmp_path, body) -> str:
    path = Path(tmp_path / "request.json")
    path.write_text(json.dumps(body))
    return str(path)


def test_a_store_is_filled_in_where_the_file_has_none(tmp_path):
    expected = {
        **{"vendor": 1, "region": 0, "bucket": "mine", "accessKey": "a", "secretKey": "s"},
        "fileNamePrefix": ["all"],
    }
    for body in ({}, {"clientRequest": {"recordingConfig": {}}}):
        filled, _ = start_body(file(tmp_path, body), {}, STORE)
        assert filled["clientRequest"]["storageConfig"] == expected
    only_options, _ = start_body(None, {"prefix": ["lessons"]}, STORE)
    storage = only_options["clientRequest"]["storageConfig"]
    assert (storage["bucket"], storage["fileNamePrefix"]) == ("mine", ["lessons"])


def test_a_named_store_stands_above_that_of_the_file(tmp_path):
    body, _ = start_body(file(tmp_path, START), {}, STORE)
    storage = body["clientRequest"].pop("storageConfig")
    assert (storage["bucket"], storage["secretKey"]) == ("mine", "s")
    assert storage["fileNamePrefix"] == ["all"]
    start = START["clientRequest"].items()
    assert body["clientRequest"] == {key: v for key, v in start if key != "storageConfig"}
    assert start_body(file(tmp_path, START), {}) == (START, {})


def test_what_the_file_says_wrongly_is_left_for_the_check(tmp_path):
    wrong = {"clientRequest": []}
    assert start_body(file(tmp_path, wrong), {"width": 5}, STORE) == (wrong, {})


@pytest.mark.parametrize("text", ["", "\n", "a\nb", "a\nb\n", "a\x00b"])
def test_a_file_that_is_no_secret(tmp_path, text):
    (tmp_path / "secret").write_text(text)
    with pytest.raises(UsageError, match="--token-file: expected one line with the secret"):
        secret_file(str(tmp_path / "secret"), "--token-file")


@pytest.mark.parametrize("text", ["abc", "abc\n", "abc\r\n", " abc \n"])
def test_a_file_with_a_secret(tmp_path, text):
    (tmp_path / "secret").write_bytes(text.encode())
    assert secret_file(str(tmp_path / "secret"), "x") == "abc"
