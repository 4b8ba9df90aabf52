"""`@NAME`: one table for Agora and for us, its keys from where it says."""

import os
import secrets
import traceback
from pathlib import Path

import pytest

from pipeline.errors import NotFoundError, UsageError
from pipeline.jobs import named_stores as stores
from pipeline.storage.s3.store import S3Storage
from tests import settings
from tests.servers import ACCESS_KEY, NO_AWS, SECRET_KEY

VARIABLES = 'access-key-env = "CALLS_KEY"\nsecret-key-env = "CALLS_SECRET"\n'


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in [name for name in os.environ if name.startswith(("AWS_", "RECPIPE_", "AZURE_"))]:
        monkeypatch.delenv(name)
    for name, value in NO_AWS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CALLS_KEY", ACCESS_KEY)
    monkeypatch.setenv("CALLS_SECRET", SECRET_KEY)


def write(server=None, keys=VARIABLES, prefix="", name=None):
    endpoint = server.endpoint_url if server else "minio.example.com"
    text = f'[storage.calls]\nvendor = "self"\nbucket = "shared"\nendpoint = "{endpoint}"\n{keys}'
    text += f'prefix = "{prefix}"\n' if prefix else ""
    Path(name).write_text(text) if name else settings.write(text)


def test_one_table_serves_agora_and_us(weed, tmp_path):
    prefix = secrets.token_hex(6)
    write(weed, prefix=prefix)
    told = stores.storage_config("calls")
    assert told == {
        "vendor": 11,
        "region": 0,
        "bucket": "shared",
        "accessKey": ACCESS_KEY,
        "secretKey": SECRET_KEY,
        "fileNamePrefix": [prefix],
        "extensionParams": {"endpoint": weed.endpoint_url.partition("://")[2]},
    }
    agora = S3Storage("shared", prefix, weed.client)
    (tmp_path / "a").write_bytes(b"slice")
    agora.put(tmp_path / "a", "2026/a.ts", sha256="ab", content_type="video/mp2t")
    for location, key in (("@calls/2026/", "a.ts"), ("@calls", "2026/a.ts")):
        storage, _ = stores.locations()(location)
        assert [found.key for found in storage.list()] == [key]
        assert storage.url(key) == f"s3://shared/{prefix}/2026/a.ts"
    assert stores.locations()("@calls/2026/a.ts")[1] == "a.ts"


def test_what_is_reached_the_same_way_shares_one_client():
    write()
    opened = stores.locations(endpoint_url="http://127.0.0.1:1")
    clients = [opened(where)[0]._client for where in ("s3://a", "s3://b/c", "@calls", "@calls/x")]
    assert clients[0] is clients[1]
    assert clients[2] is clients[3]
    assert clients[0] is not clients[2]


def test_the_options_for_a_store_are_not_those_of_a_named_one():
    write()
    opened = stores.locations(endpoint_url="http://127.0.0.1:1", profile="nobody")
    assert opened("@calls")[0]._client.meta.endpoint_url == "https://minio.example.com"


def test_keys_from_a_file_beside_the_settings(tmp_path, monkeypatch):
    (tmp_path / "etc").mkdir()
    write(keys='credentials-file = "keys.toml"\n', name="etc/r.toml")
    Path("etc/keys.toml").write_text('access-key = "a"\nsecret-key = "b"\nsession-token = "c"\n')
    monkeypatch.setenv("RECPIPE_CONFIG", "etc/r.toml")
    with pytest.raises(UsageError, match="no temporary credentials"):
        stores.storage_config("calls")
    Path("etc/keys.toml").write_text('access-key = "a"\nsecret-key = "b"\n')
    assert stores.storage_config("calls")["secretKey"] == "b"


def test_keys_from_a_profile(tmp_path, monkeypatch):
    write(keys='profile = "calls"\n')
    Path("credentials").write_text(
        "[calls]\naws_access_key_id = a\naws_secret_access_key = b\n[empty]\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    assert stores.storage_config("calls")["secretKey"] == "b"
    storage, _ = stores.locations()("@calls")
    assert storage._client._request_signer._credentials.access_key == "a"


def test_no_keys_in_the_table_is_enough_for_us_but_not_for_agora():
    write(keys="")
    assert stores.locations()("@calls/a/")[0].url() == "s3://shared/a/"
    with pytest.raises(UsageError, match=r"\[storage.calls\] Agora needs keys .*access-key-env"):
        stores.storage_config("calls")


@pytest.mark.parametrize(
    ("keys", "name", "why"),
    [
        pytest.param(
            VARIABLES, "cals", r"@cals: no \[storage.cals\] in .*config.toml; .*@calls", id="a slip"
        ),
        pytest.param(VARIABLES, "", "known: @calls", id="no name"),
        pytest.param(
            'access-key-env = "A"\nsecret-key-env = "NO_SUCH"\n',
            "calls",
            "the variable A is not set",
            id="no variable",
        ),
        pytest.param('credentials-file = "gone"\n', "calls", "gone: no such file", id="no file"),
        pytest.param(
            'bukket = "x"\n', "calls", r"\[storage.calls\] unknown key 'bukket'", id="key"
        ),
    ],
)
def test_errors_say_which_table(keys, name, why):
    write(keys=keys)
    with pytest.raises(UsageError, match=why):
        stores.locations()(f"@{name}/a")


def test_no_settings_file():
    with pytest.raises(UsageError, match=r"no .storage.calls. in .*config\.toml; known: none"):
        stores.locations()("@calls")
    with pytest.raises(NotFoundError, match=r"other\.toml: no such file"):
        stores.locations(file="other.toml")("@calls")


def test_a_folder_of_that_name_can_still_be_named(tmp_path):
    Path("@calls").mkdir()
    assert stores.locations()("./@calls")[0].path("") == tmp_path / "@calls"


def test_azure_by_name(azurite):
    name, key = azurite.environment.values()
    settings.place().parent.mkdir(parents=True)
    settings.place().with_name("keys.toml").write_text(
        f'access-key = "{name}"\nsecret-key = "{key}"\n'
    )
    settings.write(
        f'[storage.az]\nvendor = "azure"\nbucket = "shared"\nendpoint = "{azurite.endpoint_url}"\n'
        'credentials-file = "keys.toml"\n'
    )
    storage, _ = stores.locations()(f"@az/{secrets.token_hex(6)}/")
    assert list(storage.list()) == []
    assert storage.url().startswith("az://shared/")
    told = stores.storage_config("az")
    assert (told["vendor"], told["accessKey"], told["secretKey"]) == (5, name, key)


def test_no_secret_in_an_error(weed):
    write(weed, keys=f'access-key = "{SECRET_KEY}"\nsecret-key = 5\nkeys-in-clear = true\n')
    with pytest.raises(UsageError) as caught:
        stores.storage_config("calls")
    assert SECRET_KEY not in "".join(traceback.format_exception(caught.value))
