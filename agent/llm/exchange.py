"""What goes to a language model and comes back, as plain records; no library's types."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from automl_gpt.tools.journal.events import Call, Message

Mode = Literal["tools", "json"]
Cure = Literal["never", "again", "later", "shrink", "lower"]
"""What helps against a failure: nothing while the settings are as they are; the same request again, soon; the same
request after a wait that the server named; a shorter request; a request that uses fewer abilities of the model."""


@dataclass(frozen=True)
class Abilities:
    """What a model can do, from its LangChain profile or a card, lowered at the first refusal.

    `context` is the tokens of request and answer together, `output` the most tokens of an answer. `tools`: it takes
    tool calls, else it is asked for JSON in text. `stream`: it streams. `usage`: it takes `stream_options`. `known`: a
    profile or a card told, it is not our cautious guess. `thinking` are the tokens that it may use before it answers.
    """

    context: int = 8192
    output: int = 2048
    tools: bool = True
    stream: bool = True
    usage: bool = True
    known: bool = False
    thinking: int = 0

    @property
    def mode(self) -> Mode:
        """How the model is asked."""
        return "tools" if self.tools else "json"


@dataclass(frozen=True)
class Query:
    """One request: messages in order, the tools offered (function schemas), the most tokens of the answer."""

    purpose: str
    mode: Mode
    messages: tuple[Message, ...]
    tools: tuple[dict[str, Any], ...] = ()
    tokens_out: int = 1024
    context: int = 8192


@dataclass(frozen=True)
class Answer:
    """A whole answer. Token figures are None where the server gave none, or absurd ones."""

    text: str = ""
    calls: tuple[Call, ...] = ()
    finish: str = ""
    model: str = ""
    refusal: str = ""
    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_cached: int = 0
    seconds: float = 0.0
    first_seconds: float | None = None


class Failure(Exception):
    """A request that failed: a short kind (`rate_limit`, `auth`, …), one line for the person, what helps.

    `wait` are the seconds that the server asked to wait for, if it did; `part` is what of the answer had come.
    """

    def __init__(
        self, kind: str, words: str, cure: Cure, wait: float | None = None, lowered: dict[str, Any] | None = None
    ) -> None:
        super().__init__(words)
        self.kind, self.words, self.cure, self.wait = kind, words, cure, wait
        self.lowered: dict[str, Any] = lowered or {}
        """With cure `lower` or `shrink`: fields of Abilities as they turned out to be, e.g. {"tools": False}."""
        self.part: Answer = Answer()
        self.seconds = 0.0


class Pending(Protocol):
    """A request under way, in a thread of its own."""

    def wait(self, seconds: float) -> bool:
        """Wait at most that long; say whether it is over."""
        ...

    def text(self) -> str:
        """Return what has come so far."""
        ...

    def cancel(self) -> None:
        """Give it up; its thread ends soon, and nobody waits for it."""
        ...

    def answer(self) -> Answer:
        """Return the answer once it is over; Failure where it failed."""
        ...


class Model(Protocol):
    """A language model that is plugged in. `name` is PROVIDER:MODEL, `endpoint` the host that requests go to."""

    name: str
    endpoint: str
    abilities: Abilities

    def send(self, query: Query, seconds: float) -> Pending:
        """Send a request; it fails as a timeout where it is not over after so many seconds."""
        ...


@dataclass
class Offer:
    """The tools of one query by name: the decision's own one (None in a conversation) and the others."""

    own: str | None
    schemas: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
