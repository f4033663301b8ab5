"""One JSON object a line over a socket: how a session and its worker processes talk."""

from __future__ import annotations

import json
import socket
from typing import Any

Message = dict[str, Any]
NETWORKS = b"N"
"""The byte on a server's control socket that asks for what networks need to be imported."""


class Channel:
    """A duplex line of messages. `closed` is True once the other side is gone."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._buffer = b""
        self.closed = False

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._socket.fileno()

    def send(self, message: Message) -> None:
        """Send one message; nothing happens where the other side is gone."""
        try:
            self._socket.sendall(json.dumps(message).encode() + b"\n")
        except (BrokenPipeError, ConnectionResetError):
            self.closed = True

    def receive(self) -> list[Message]:
        """Read what has come, waiting for at least a part of a message; return the messages that are whole."""
        try:
            chunk = self._socket.recv(1 << 16)
        except (ConnectionResetError, BrokenPipeError):
            chunk = b""
        if not chunk:
            self.closed = True
            return []
        *lines, self._buffer = (self._buffer + chunk).split(b"\n")
        return [json.loads(line) for line in lines]

    def close(self) -> None:
        """Close this side."""
        self.closed = True
        self._socket.close()
