"""A task's side of its channel."""

from __future__ import annotations

import os
import threading

from automl_gpt.tools.process.channel import Channel, Message


class Link:
    """A task's side of its channel: sends messages, and knows when it was asked to stop or left alone."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._lock = threading.Lock()
        self.stop_asked = threading.Event()
        self.request: Message = {}

    def send(self, message: Message) -> None:
        """Send a message to the session; a value that JSON does not know is a defect and raises."""
        with self._lock:
            self._channel.send(message)

    def wait_for_request(self) -> None:
        """Read the request, then watch for a word to stop, and end the process when the session is gone."""
        messages: list[Message] = []
        while not messages:
            messages = self._channel.receive()
            if self._channel.closed:
                os._exit(0)
        self.request = messages[0]
        threading.Thread(target=self._watch, args=(messages[1:],), daemon=True).start()

    def _watch(self, messages: list[Message]) -> None:
        while True:
            if any(m.get("kind") == "stop" for m in messages):
                self.stop_asked.set()
            messages = self._channel.receive()
            if self._channel.closed:
                os._exit(0)
