"""The HTTP below a language model's client: bounded in bytes and time, closed at once when nobody listens any more.

A hostile or broken server may drip a byte a second, never end a line, or send gigabytes; the libraries above wait and
collect. Whoever sends a request sets WATCH in its thread, and every byte of the answer passes that watch.
"""

from __future__ import annotations

import contextlib
import socket
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from automl_gpt.agent.llm.exchange import Failure

if TYPE_CHECKING:
    import httpx2

HELD = 4_000_000
"""The most bytes that must be held at once: a whole answer, or one line of a streamed one."""
TOTAL = 32_000_000
"""The most bytes of a streamed answer."""
HEAD, TAIL = 65_536, 512
"""About the bytes kept of a streamed answer's beginning and end, to tell what it was."""
CONNECT_SECONDS = 20.0
LOCAL = ("localhost", "127.0.0.1", "::1")


class Watch:
    """What a request to a model may still take, and what its answer has been so far. `seconds` count from now.

    `head` is the beginning of the answer's body, or all of it where it is not streamed; `tail` its end.
    """

    def __init__(self, seconds: float, model: str) -> None:
        self.seconds, self.model = seconds, model
        self.began = time.monotonic()
        self.hung_up = False
        self.content_type = ""
        self.head, self.tail = bytearray(), b""
        self._total = self._line = 0
        self._socket: Any = None

    @property
    def elapsed(self) -> float:
        """Seconds since the request began."""
        return time.monotonic() - self.began

    @property
    def left(self) -> float:
        """Seconds until it must be over."""
        return self.seconds - self.elapsed

    def check(self) -> None:
        """Raise Failure where nobody waits for the answer any more."""
        if self.hung_up:
            raise Failure("cancelled", f"the request to {self.model} was given up", "never")
        if self.left <= 0:
            raise Failure("timeout", f"{self.model} gave no whole answer in {self.seconds:.0f} s", "again")

    def hang_up(self) -> None:
        """Close the connection, now or as soon as there is one; whoever reads from it wakes up."""
        self.hung_up = True
        if self._socket is not None:
            with contextlib.suppress(OSError, ValueError, AttributeError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def traced(self, event: str, info: Mapping[str, Any]) -> None:
        """Take hold of the socket as soon as it is connected (httpcore's `trace` extension calls this)."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._socket = info["return_value"].get_extra_info("socket")
            if self.hung_up:
                self.hang_up()

    def receives(self, content_type: str, encoding: str) -> None:
        """Note that an answer begins; Failure where it is compressed, which we did not ask for and could not bound."""
        self.content_type = content_type.lower()
        self.head, self.tail, self._total, self._line = bytearray(), b"", 0, 0
        if encoding.lower() not in ("", "identity"):
            raise Failure("garbled", f"the answer of {self.model} is compressed, unasked for", "again")

    def passes(self, data: bytes) -> None:
        """Count a piece of the answer; Failure where it is too long or too late."""
        self.check()
        self._total += len(data)
        newline = data.rfind(b"\n")
        self._line = self._line + len(data) if newline < 0 else len(data) - newline - 1
        streamed = "event-stream" in self.content_type
        if (self._line if streamed else self._total) > HELD or self._total > TOTAL:
            raise Failure("too_long", f"the answer of {self.model} has more than {HELD // 1_000_000} MB", "again")
        if not streamed or len(self.head) < HEAD:
            self.head += data
        self.tail = (self.tail + data)[-TAIL:]


WATCH: ContextVar[Watch | None] = ContextVar("watch", default=None)
"""The watch over the request of this thread."""


def proxy_for(url: str) -> str | None:
    """Return the proxy that the environment names for an address; None for those of this machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host in LOCAL or urllib.request.proxy_bypass(host):
        return None
    named = urllib.request.getproxies()
    return named.get(parts.scheme) or named.get("all")


def guarded_client(silence: float, proxy: str | None = None) -> httpx2.Client:
    """Return an HTTP client whose answers pass WATCH.

    `silence` are the most seconds between two pieces of an answer. Every request has a connection of its own, so that
    one that was given up never disturbs the next; redirects are not followed, so that nothing is sent elsewhere.
    """
    import httpx2

    class Counted(httpx2.SyncByteStream):
        def __init__(self, stream: httpx2.SyncByteStream, watch: Watch) -> None:
            self.stream, self.watch = stream, watch

        def __iter__(self) -> Iterator[bytes]:
            for data in self.stream:
                self.watch.passes(data)
                yield data

        def close(self) -> None:
            self.stream.close()

    class Guarded(httpx2.HTTPTransport):
        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            watch = WATCH.get()
            if watch is None:
                return super().handle_request(request)
            watch.check()
            request.extensions = {
                **request.extensions,
                "trace": watch.traced,
                "timeout": _timeouts(min(silence, watch.left)),
            }
            response = super().handle_request(request)
            headers = response.headers
            try:
                watch.receives(headers.get("content-type", ""), headers.get("content-encoding", ""))
            except Failure:
                response.close()
                raise
            assert isinstance(response.stream, httpx2.SyncByteStream)
            counted = Counted(response.stream, watch)
            return httpx2.Response(
                response.status_code, headers=headers, stream=counted, extensions=response.extensions
            )

    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
    return httpx2.Client(
        transport=Guarded(limits=limits, proxy=proxy),
        timeout=silence,
        follow_redirects=False,
        headers={"accept-encoding": "identity"},
    )


def _timeouts(seconds: float) -> dict[str, float]:
    return {"connect": min(seconds, CONNECT_SECONDS), "read": seconds, "write": seconds, "pool": seconds}
