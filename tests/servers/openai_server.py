"""A server of the OpenAI protocol over a real socket that plays scripted answers, the faulty ones too.

with OpenAIServer([Reply("hello"), FAULTS["rate_limited"]]) as server: a client asks `server.url`, and what it sent
stands in `server.requests`.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import select
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from tests.servers.faults import FAULTS, FOREVER, UNKNOWN_HOST, refused_url
from tests.servers.reply import MODEL, Received, Reply, completion, encoded, events

__all__ = ["FAULTS", "FOREVER", "MODEL", "UNKNOWN_HOST", "OpenAIServer", "Received", "Reply", "refused_url"]

Play = Sequence["Reply | Player"] | Callable[[Received], "Reply | Player"]
Player = Callable[[Received], "Reply | Player"]


class OpenAIServer:
    """A scripted server on a free port of this machine, from `with` to its end.

    `play` is a list of replies used one after the other, the last one again and again, or a function of the request; a
    reply of the list may be such a function too. With `key` any other key is refused; with `tls` it shows a
    certificate that nobody signed. An exception inside a play function is raised at the end of `with`.
    """

    def __init__(
        self, play: Play, *, key: str | None = None, tls: bool = False, models: Sequence[str] = (MODEL,)
    ) -> None:
        self.play, self.key, self.models = play, key, tuple(models)
        self.requests: list[Received] = []
        self.hung_up = 0
        """Answers that the client did not hear to their end."""
        self.closing = threading.Event()
        self.problems: list[BaseException] = []
        self._news = threading.Condition()
        self._http = _Http(("127.0.0.1", 0), self)
        if tls:
            self._http.wrap()
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._http.server_port}/v1"
        """The base address that clients are given."""

    def __enter__(self) -> Self:
        # A short poll: shutting down waits for it.
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()
        if kind is None and self.problems:
            raise self.problems[0]

    def wait_for(self, count: int, seconds: float = 20.0) -> list[Received]:
        """Wait until that many requests have come, and return all; TimeoutError where they don't."""
        with self._news:
            if not self._news.wait_for(lambda: len(self.requests) >= count, seconds):
                raise TimeoutError(f"{len(self.requests)} of {count} requests came in {seconds:g} s")
            return list(self.requests)

    def wait_for_hang_up(self, count: int = 1, seconds: float = 20.0) -> None:
        """Wait until the client has left that many answers; TimeoutError where it doesn't."""
        with self._news:
            if not self._news.wait_for(lambda: self.hung_up >= count, seconds):
                raise TimeoutError(f"the client left {self.hung_up} of {count} answers in {seconds:g} s")

    def receive(self, request: Received) -> Reply:
        """Take a request down and choose its reply."""
        with self._news:
            index = len(self.requests)
            self.requests.append(request)
            self._news.notify_all()
        try:
            reply = self.play(request) if callable(self.play) else self.play[min(index, len(self.play) - 1)]
            while not isinstance(reply, Reply):
                reply = reply(request)
        except Exception as problem:
            self.problems.append(problem)
            return Reply.error(500, f"the script failed: {problem!r}", type="server_error")
        return reply

    def left(self) -> None:
        """Count a client that hung up."""
        with self._news:
            self.hung_up += 1
            self._news.notify_all()


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], scripted: OpenAIServer) -> None:
        super().__init__(address, _Handler)
        self.scripted = scripted

    def server_bind(self) -> None:
        # HTTPServer.server_bind asks for the host's full name, which may take seconds where no name server is.
        socket.socket.bind(self.socket, self.server_address)
        self.server_name, self.server_port = "127.0.0.1", self.socket.getsockname()[1]

    def wrap(self) -> None:
        """Speak TLS; the handshake happens in the connection's own thread."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self_signed())
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up or distrusts the certificate is what tests are about: no line on the screen."""


class _HungUp(Exception):
    pass


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Http  # pyright: ignore[reportIncompatibleVariableOverride]
    wrote: float | None = None

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the screen clean."""

    def do_GET(self) -> None:
        """Serve the list of models."""
        if urlsplit(self.path).path != "/v1/models":
            return self._whole(404, {"error": {"message": f"no such address: {self.path}", "code": None}})
        data = [
            {"id": name, "object": "model", "created": 1, "owned_by": "tests"} for name in self.server.scripted.models
        ]
        return self._whole(200, {"object": "list", "data": data})

    def do_POST(self) -> None:
        """Serve a chat completion."""
        scripted = self.server.scripted
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if urlsplit(self.path).path != "/v1/chat/completions":
            return self._whole(404, {"error": {"message": f"no such address: {self.path}", "code": None}})
        try:
            parsed = json.loads(body)
        except ValueError:
            return self._whole(400, {"error": {"message": "the body is no JSON", "code": None}})
        request = Received(parsed, {k.lower(): v for k, v in self.headers.items()}, self.path)
        reply = scripted.receive(request)
        if scripted.key is not None and request.headers.get("authorization") != f"Bearer {scripted.key}":
            reply = FAULTS["unauthorized"]
        try:
            self._answer(request, reply)
            request.answered = self.wrote
        except (_HungUp, ConnectionError, ssl.SSLError):
            self.close_connection = True
            if not scripted.closing.is_set():
                scripted.left()
        return None

    def _answer(self, request: Received, reply: Reply) -> None:
        self._rest(reply.delay)
        if reply.raw is not None:
            kind = "text/event-stream" if request.get("stream") else "application/json"
            self._bytes(reply.status, reply.raw, {"content-type": kind, **reply.headers})
        elif reply.status != 200 or reply.body is not None:
            self._whole(reply.status, reply.body or {}, reply.headers)
        elif request.get("stream"):
            self._stream(request, reply)
        else:
            self._whole(200, completion(request, reply), reply.headers, cut=reply.cut_after is not None)

    def _whole(
        self, status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None, cut: bool = False
    ) -> None:
        self._bytes(status, encoded(body), {"content-type": "application/json", **(headers or {})}, cut)

    def _bytes(self, status: int, body: bytes, headers: Mapping[str, str], cut: bool = False) -> None:
        self._head(status, {**headers, "content-length": str(len(body))})
        self._write(body[: len(body) // 2] if cut else body)
        if cut:
            self._hang_up()

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _stream(self, request: Received, reply: Reply) -> None:
        self._head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked", **reply.headers})
        for number, event in enumerate(events(request, reply)):
            if number == reply.cut_after:
                return self._hang_up()
            if number:
                self._rest(reply.chunk_delay)
            self._chunk(b"data: " + event + b"\n\n")
        return self._chunk(b"")

    def _chunk(self, data: bytes) -> None:
        self._write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def _write(self, data: bytes) -> None:
        # Noted before it goes: the client may act on it while this thread waits for its turn.
        self.wrote = time.time()
        self.wfile.write(data)

    def _hang_up(self) -> None:
        self.close_connection, self.wrote = True, None
        self.wfile.flush()
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _rest(self, seconds: float) -> None:
        """Let that much time pass, or less where the client or the server goes away."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self.server.scripted.closing.wait(min(left, 0.05)) or self._client_left():
                raise _HungUp

    def _client_left(self) -> bool:
        if isinstance(self.connection, ssl.SSLSocket) or not select.select([self.connection], [], [], 0)[0]:
            return False
        return not self.connection.recv(1, socket.MSG_PEEK)


@cache
def self_signed() -> str:
    """The path of a certificate for 127.0.0.1 with its key, made once per process; it needs openssl."""
    folder = Path(tempfile.mkdtemp(prefix="certificate-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2", "-nodes"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command = ["openssl", "req", "-x509", *kind, *subject, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_text(key.read_text() + certificate.read_text())
    return str(both)
