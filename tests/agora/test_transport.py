"""Which hosts may be called, and answers that would never end."""

import logging
import socket
import ssl
import threading
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr

from pipeline.agora.transport import LARGEST, Clock, NoAnswer, Transport, host_url
from pipeline.errors import UsageError
from tests.agora.server import listening


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://api.agora.io", "https://api.agora.io"),
        ("https://api.agora.io/", "https://api.agora.io"),
        ("https://proxy.example/agora/", "https://proxy.example/agora"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost:1", "http://localhost:1"),
        ("http://[::1]:80", "http://[::1]:80"),
    ],
)
def test_hosts(text, url):
    assert host_url(text) == url


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("api.agora.io", "no address of a service"),
        ("", "no address of a service"),
        ("ftp://api.agora.io", "no address of a service"),
        ("https://", "no address of a service"),
        ("https://a:b", "no address of a service"),
        ("https://a\nb", "no address of a service"),
        ("http://[::1", "no address of a service"),
        ("https://me:SECRET@api.agora.io", "more than a host"),
        ("https://api.agora.io?key=SECRET", "more than a host"),
        ("http://api.agora.io", "api.agora.io would get the secret in clear"),
        ("http://127.0.0.1.example.com", "would get the secret in clear"),
    ],
)
def test_hosts_that_are_not_called(text, why):
    with pytest.raises(UsageError, match=why) as caught:
        host_url(text)
    assert "SECRET" not in str(caught.value)


def send(transport, host, patience=10.0):
    return transport.send("GET", host, "/query", None, patience=patience)


def test_an_answer_that_is_too_long():
    with listening() as server:
        server.reply = lambda _: (200, b" " * (LARGEST + 1))
        transport = Transport("c", SecretStr("s"), clock=Clock())
        with pytest.raises(NoAnswer, match="too long"):
            send(transport, server.url)
        transport.close()


class Dripping(httpx.SyncByteStream):
    """One byte after another, each of them in time."""

    def __init__(self, clock):
        self.clock = clock

    def __iter__(self):
        while True:
            self.clock.append(1.0)
            yield b" "


def test_an_answer_that_never_ends():
    passed = []
    clock = Clock(monotonic=lambda: sum(passed))
    wire = httpx.MockTransport(lambda _: httpx.Response(200, stream=Dripping(passed)))
    with pytest.raises(NoAnswer, match="too slow"):
        send(Transport("c", SecretStr("s"), clock=clock, wire=wire), "http://localhost")
    assert sum(passed) <= 20


def test_a_silent_server_is_not_waited_for():
    with listening() as server:
        server.reply = lambda _: time.sleep(1) or (200, {})
        transport = Transport("c", SecretStr("s"), clock=Clock())
        with pytest.raises(NoAnswer, match="ReadTimeout"):
            send(transport, server.url, patience=0.1)
        transport.close()


@contextmanager
def raw_server(serve):
    """A port of this machine; ``serve`` is given what connects to it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(10)

        def once():
            with suppress(OSError), listening.accept()[0] as connection:
                serve(connection)

        thread = threading.Thread(target=once)
        thread.start()
        yield listening.getsockname()[1]
        thread.join()


@pytest.fixture
def certificate(tmp_path):
    """One that nobody vouches for, for localhost."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now).not_valid_after(now + timedelta(days=1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path = tmp_path / "pair.pem"
    path.write_bytes(
        made.sign(key, hashes.SHA256()).public_bytes(pem)
        + key.private_bytes(pem, form, serialization.NoEncryption())
    )
    return path


def test_a_server_nobody_vouches_for_gets_no_credentials(certificate):
    heard = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def serve(connection):
        with context.wrap_socket(connection, server_side=True) as secured:
            heard.append(secured.recv(1000))

    with raw_server(serve) as port:
        transport = Transport("c", SecretStr("s"), clock=Clock())
        with pytest.raises(NoAnswer, match="ConnectError"):
            send(transport, f"https://localhost:{port}")
        transport.close()
    assert heard in ([], [b""])


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        pytest.param(b"SSH-2.0-OpenSSH\r\n", "RemoteProtocolError", id="another protocol"),
        pytest.param(b"", "RemoteProtocolError", id="nothing"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Le", "RemoteProtocolError", id="half a head"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", "RemoteProtocolError", id="half"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
            "DecodingError",
            id="not what it is said to be",
        ),
    ],
)
def test_an_answer_that_is_none(answer, why):
    def serve(connection):
        connection.recv(1000)
        connection.sendall(answer)

    with raw_server(serve) as port:
        transport = Transport("c", SecretStr("s"), clock=Clock())
        with pytest.raises(NoAnswer, match=why):
            send(transport, f"http://127.0.0.1:{port}")
        transport.close()


def test_a_server_that_speaks_no_tls():
    with raw_server(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad\r\n\r\n")) as port:
        transport = Transport("c", SecretStr("s"), clock=Clock())
        with pytest.raises(NoAnswer, match="ConnectError"):
            send(transport, f"https://127.0.0.1:{port}")
        transport.close()


def test_a_name_that_nobody_knows():
    transport = Transport("c", SecretStr("s"), clock=Clock())
    with pytest.raises(NoAnswer, match="ConnectError"):
        send(transport, "https://api.agora.invalid")
    transport.close()


def test_log_lines_say_what_happened_and_no_more(caplog):
    caplog.set_level(logging.DEBUG, logger="pipeline")
    with listening() as server:
        transport = Transport("customer", SecretStr("SECRET"), clock=Clock())
        send(transport, server.url)
        transport.close()
        assert f"GET {server.url}: 200 after" in caplog.text
    assert "SECRET" not in caplog.text


def test_a_proxy_that_cannot_be_used(monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "nonsense://me:SECRET@x")
    with pytest.raises(UsageError, match="proxy") as caught:
        Transport("c", SecretStr("s"), clock=Clock())
    assert "SECRET" not in repr(caught.value)
