"""Clients of S3: how Amazon's own and other stores are spoken to, and with which keys."""

import re
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.session import Session
from botocore.utils import get_environ_proxies
from msgspec import Struct

from pipeline.agora import vendors
from pipeline.agora.stores import Credentials
from pipeline.errors import UsageError
from pipeline.storage.names import printable
from pipeline.storage.s3.errors import s3_errors

if TYPE_CHECKING:
    from pipeline.storage.s3.reading import Reader

# whatever else may stand in front of an @ is a password that no mask finds
_ENDPOINT = re.compile(
    r"""https?://([^\s"'<>/@]*@)?([^\s"'<>/@:\[\]]+|\[[0-9a-f:.%]+])(:[0-9]+)?(/[^\s"'<>@]*)?""",
    re.IGNORECASE,
)
# not quoted: a mistyped endpoint may hold a password
_NO_ENDPOINT = "the endpoint is no URL; write https://host or http://host:port"
AWS_HOSTS = (".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".api.aws")


class S3Account(Struct, frozen=True):
    """Which store, and with which keys; what is None is found as by every AWS tool."""

    endpoint_url: str | None = None
    region: str | None = None
    profile: str | None = None
    credentials: Credentials | None = None


class Clients:
    """One client for each account, shared by all threads; ``connections`` at most for each."""

    def __init__(self, connections: int = 16) -> None:
        self._connections = connections
        self._made: dict[S3Account, tuple[Any, Session]] = {}
        self._readers: dict[tuple[S3Account, str], Reader | None] = {}
        self._lock = threading.Lock()

    def get(self, account: S3Account) -> Any:
        """The client, made when it is first asked for.

        Raises ``UsageError`` for an endpoint that is no URL; for use within ``s3_errors``.
        """
        with self._lock:
            return self._of(account)[0]

    def reader(self, account: S3Account, bucket: str) -> "Reader | None":
        """Who reads a bucket's objects for less; None without obstore, and where it will not do.

        Raises what ``get`` does.
        """
        with self._lock:
            if (account, bucket) not in self._readers:
                self._readers[account, bucket] = _reader(bucket, *self._of(account))
            return self._readers[account, bucket]

    def _of(self, account: S3Account) -> tuple[Any, Session]:
        if account not in self._made:
            self._made[account] = _client(account, self._connections)
        return self._made[account]


def profile_credentials(profile: str) -> Credentials:
    """The keys of a profile in ``~/.aws``.  Raises ``UsageError`` if it has none, or is missing."""
    with s3_errors(f"profile {printable(profile)}"):
        found = boto3.Session(profile_name=profile).get_credentials()
        if found is None:
            raise UsageError(f"profile {printable(profile)}: holds no access key; add one to it")
        keys = found.get_frozen_credentials()
    return Credentials(keys.access_key, keys.secret_key, keys.token)


def _client(account: S3Account, connections: int) -> tuple[Any, Session]:
    general = Config(
        retries={"mode": "standard", "total_max_attempts": 5},
        max_pool_connections=connections,
        connect_timeout=10,
        read_timeout=60,
    )
    keys, credentials = {}, account.credentials
    if credentials is not None:
        keys = {
            "aws_access_key_id": credentials.access_key,
            "aws_secret_access_key": credentials.secret_key,
            "aws_session_token": credentials.session_token,
        }
    core = Session({"other_bundle": (None, "REQUESTS_CA_BUNDLE", None, None)})  # see _reader
    session = boto3.Session(
        botocore_session=core, profile_name=account.profile, region_name=account.region, **keys
    )
    client = _of_session(session, account.endpoint_url, general)
    if not _ENDPOINT.fullmatch(client.meta.endpoint_url):  # wherever that was set
        client.close()
        raise UsageError(_NO_ENDPOINT)
    host = host_of(client)
    if not host.endswith(AWS_HOSTS):  # also if the environment or the profile says where
        client.close()
        client = _of_session(session, account.endpoint_url, general.merge(_compatible(host)))
    return client, core


def _reader(bucket: str, client: Any, session: Session) -> "Reader | None":
    """None where boto3 is told of a proxy or of certificates, which obstore would not hear of."""
    endpoint = client.meta.endpoint_url
    bundles = [session.get_config_variable(name) for name in ("ca_bundle", "other_bundle")]
    if get_environ_proxies(endpoint) or (any(bundles) and not endpoint.startswith("http://")):
        return None
    try:
        from pipeline.storage.s3 import reading
    except ImportError:
        return None
    return reading.reader_of(bucket, client, session)


def host_of(client: Any) -> str:
    """The host name of a client's endpoint, wherever that was set."""
    return urlsplit(client.meta.endpoint_url).hostname or ""


def _of_session(session: Any, endpoint_url: str | None, config: Config) -> Any:
    region = session.region_name or "us-east-1"
    try:
        return session.client("s3", endpoint_url=endpoint_url, region_name=region, config=config)
    except ValueError as error:
        raise UsageError(_NO_ENDPOINT) from error


def _compatible(host: str) -> Config:
    """What stores other than AWS understand: no aws-chunked bodies, no trailing checksums."""
    vendor = vendors.of_host(host)
    addressing = vendor.addressing if vendor else "path"
    return Config(
        signature_version="s3v4",
        s3={"addressing_style": addressing},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
