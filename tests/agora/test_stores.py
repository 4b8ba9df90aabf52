"""A table of recpipe.toml as Agora's storageConfig and as what we open."""

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.agora import stores
from pipeline.agora.stores import Credentials
from pipeline.errors import UsageError

AWS = {"vendor": "aws", "region": "us-west-2", "bucket": "calls"}
KEYS = Credentials("AKIA", "very secret")


def config(table, credentials=KEYS):
    return stores.storage_config(stores.parse("calls", table), credentials)


def test_the_least():
    assert config(AWS) == {
        "vendor": 1,
        "region": 3,
        "bucket": "calls",
        "accessKey": "AKIA",
        "secretKey": "very secret",
    }


def test_everything():
    table = {**AWS, "prefix": "rec/2026/", "sse": "kms", "tag": "a=b"}
    found = config(table, Credentials("AKIA", "very secret", "token"))
    assert found["stsToken"] == "token"
    assert found["fileNamePrefix"] == ["rec", "2026"]
    assert found["extensionParams"] == {"sse": "kms", "tag": "a=b"}


@pytest.mark.parametrize(
    ("written", "opened", "told"),
    [
        ("minio.example.com", "https://minio.example.com", "minio.example.com"),
        ("https://minio.example.com/", "https://minio.example.com", "minio.example.com"),
        ("http://127.0.0.1:9000", "http://127.0.0.1:9000", "127.0.0.1:9000"),
    ],
)
def test_a_store_of_ones_own(written, opened, told):
    table = {"vendor": 11, "bucket": "b", "endpoint": written}
    assert stores.parse("x", table).opening.endpoint == opened
    assert config(table)["extensionParams"] == {"endpoint": told}
    assert (config(table)["vendor"], config(table)["region"]) == (11, 0)


def test_an_endpoint_of_a_known_vendor_is_ours_alone():
    table = {"vendor": 2, "region": 3, "bucket": "b", "endpoint": "oss-internal.example.com"}
    assert stores.parse("x", table).opening.endpoint == "https://oss-internal.example.com"
    assert "extensionParams" not in config(table)


@pytest.mark.parametrize(
    ("table", "why"),
    [
        pytest.param({}, "vendor: missing", id="nothing"),
        pytest.param({"vendor": "aws"}, "bucket: missing", id="no bucket"),
        pytest.param({**AWS, "vendor": 12}, "vendor 12: unknown", id="vendor"),
        pytest.param({**AWS, "vendor": True}, "vendor: expected a name", id="vendor a switch"),
        pytest.param({**AWS, "region": "mars"}, "region 'mars': Amazon S3 has none", id="region"),
        pytest.param({"vendor": 1, "bucket": "b"}, "region: missing", id="no region"),
        pytest.param({**AWS, "bucket": "k:s@b"}, "bucket: not a valid name", id="bucket"),
        pytest.param({**AWS, "bukket": "b"}, "unknown key 'bukket'", id="a slip"),
        pytest.param({**AWS, "prefix": 5}, "prefix: expected text", id="a number"),
        pytest.param({"vendor": 11, "bucket": "b"}, "endpoint: missing", id="no endpoint"),
        pytest.param({**AWS, "endpoint": "u:secret@h"}, "endpoint: expected a host", id="password"),
        pytest.param(
            {**AWS, "access-key": "a", "secret-key": "secret"}, "insist with", id="in clear"
        ),
        pytest.param(
            {**AWS, "secret-key": "secret", "keys-in-clear": True}, "one of them", id="half"
        ),
        pytest.param({**AWS, "access-key-env": "A"}, "secret-key-env: one of", id="half of two"),
        pytest.param(
            {**AWS, "profile": "p", "access-key-env": "A", "secret-key-env": "B"},
            "variables and profile: say in one way",
            id="two ways",
        ),
        pytest.param({**AWS, "access-key": ["secret"]}, "access-key: expected text", id="a list"),
    ],
)
def test_what_is_no_store(table, why):
    with pytest.raises(UsageError, match=why) as caught:
        stores.parse("calls", table)
    assert "secret'" not in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["", "a/b", "a b", "-a", "é", "a\nb"])
def test_what_is_no_name(name):
    with pytest.raises(UsageError, match="no name for a store"):
        stores.parse(name, AWS)


@pytest.mark.parametrize(
    ("prefix", "why"),
    [
        ("a_b", "letters, digits and / only"),
        ("a//b", "letters, digits and / only"),
        ("2026-11", "letters, digits and / only"),
        ("a" * 128, "129 characters with its slashes, Agora takes 128"),
    ],
)
def test_a_prefix_that_only_we_could_use(prefix, why):
    store = stores.parse("calls", {**AWS, "prefix": prefix})
    with pytest.raises(UsageError, match=why):
        stores.storage_config(store, KEYS)


def test_temporary_credentials_only_where_agora_takes_them():
    table = {"vendor": "huawei", "region": "cn-north-4", "bucket": "b"}
    with pytest.raises(UsageError, match="no temporary credentials"):
        config(table, Credentials("a", "b", "token"))


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (1_795_375_800, 1_795_375_800),
        ("1795375800", 1_795_375_800),
        ("2026-11-22T19:30:00Z", 1_795_375_800),
        (datetime(2026, 11, 22, 20, 30, tzinfo=timezone(timedelta(hours=1))), 1_795_375_800),
    ],
)
def test_when_temporary_credentials_end(written, seconds):
    keys = {"access_key": "a", "secret_key": "b", "session_token": "c"}
    found = config(AWS, stores.credentials({**keys, "session_expiration": written}))
    assert (found["stsToken"], found["stsExpiration"]) == ("c", seconds)
    in_clear = {name.replace("_", "-"): value for name, value in keys.items()}
    table = {**AWS, **in_clear, "keys-in-clear": True, "session-expiration": written}
    assert stores.parse("calls", table).in_clear.expires == seconds


@pytest.mark.parametrize(
    "written",
    [
        "secret",
        "",
        "2026-11-22T19:30:00",
        -5,
        0,
        True,
        [1],
        1.5,
        "9" * 5000,
    ],
)
def test_an_end_that_is_no_time(written):
    keys = {"access_key": "a", "secret_key": "b", "session_token": "c"}
    with pytest.raises(UsageError, match="session-expiration: expected Unix seconds") as caught:
        stores.credentials({**keys, "session_expiration": written})
    assert "secret" not in str(caught.value)
    with pytest.raises(UsageError, match="without a session-token"):
        stores.credentials({"access_key": "a", "secret_key": "b", "session_expiration": 5})


def test_secrets_are_not_shown():
    table = {**AWS, "access-key": "AKIA", "secret-key": "very secret", "keys-in-clear": True}
    store = stores.parse("calls", table)
    assert store.in_clear == KEYS
    for shown in (repr(store), str(store), repr(Credentials("a", "very secret", "very token"))):
        assert "very" not in shown


VALUES = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text())


@given(st.text(), st.dictionaries(st.sampled_from(sorted(stores._KNOWN)) | st.text(), VALUES))
def test_any_table_gets_an_answer(name, table):
    try:
        found = stores.parse(name, table)
    except UsageError:
        return
    assert found.bucket == table["bucket"]
