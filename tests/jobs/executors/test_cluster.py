"""What ``--executor`` may name.  A real scheduler is in ``tests/cli/test_cluster.py``."""

import pytest

from pipeline.errors import UsageError
from pipeline.jobs.executors.cluster import address


@pytest.mark.parametrize(
    ("url", "where", "files"),
    [
        ("dask://host", "tcp://host:8786", {}),
        ("dask://10.0.0.1:99/", "tcp://10.0.0.1:99", {}),
        ("dask://[::1]:99", "tcp://[::1]:99", {}),
        ("dask-tls://host", "tls://host:8786", {}),
        (
            "dask-tls://host?ca=/a/ca.pem&cert=me.pem&key=me.key",
            "tls://host:8786",
            {"tls_ca_file": "/a/ca.pem", "tls_client_cert": "me.pem", "tls_client_key": "me.key"},
        ),
    ],
)
def test_addresses(url, where, files):
    assert address(url) == (where, files)


@pytest.mark.parametrize(
    "url",
    [
        *("", "dask", "tcp://host", "dask://", "dask://me:secret@host", "dask://host/x"),
        *("dask://h:x", "dask://host?ca=ca.pem", "dask-tls://host?password=secret"),
    ],
)
def test_anything_else_is_refused_and_not_repeated(url):
    with pytest.raises(UsageError, match="expected local, dask://host:8786") as raised:
        address(url)
    assert "secret" not in str(raised.value)
