"""How long a prompt may be: the estimate of tokens, the room of a model's context, and what is shortened first.

Every part has a quota that depends on the decision and the model alone, not on how far the run is, so that the stable
parts stay the same from one decision to the next and a provider's cache can hold them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from automl_gpt.agent.decisions import Decision
from automl_gpt.agent.llm.exchange import Abilities

BYTES_PER_TOKEN = 3.2
"""UTF-8 bytes that one token stands for at least; tokenizers reach 3.5 to 4.5 on text like ours."""
LONGEST = 3000
"""Tokens that a prompt has at most, however large the context: attention thins out, and every token is paid."""
VARIABLE_SHARE = 0.44
"""What varies takes at most this much of what is stable. With the first rows of the table of trials, which stay, more
than 70% of a prompt can come from a cache."""
STABLE_SHARE = 1 / (1 + VARIABLE_SHARE)
"""Share of a prompt that tools, system, cards and request may take."""
VARIABLE_LEAST = 500
"""Tokens that are kept for trials, examples and question however short the prompt has to be."""
SLACK = 0.05
"""Share of the context left free: the estimate may err, and servers add marks of their own around messages."""
LOOK_ROOM = 600
"""Tokens that must be left for the results of look-ups, or none are offered."""
LOOK_LONGEST = 6000
"""Tokens that all results of look-ups together may take."""
LEAST_LENGTH = 100
"""Characters of a result below which it is left out."""
ANSWER_SHARE = 0.3
"""An answer takes at most this much of the context."""
LONGEST_ANSWER = 1500
_ANSWERS: dict[Decision, tuple[int, int]] = {
    "assign_model": (400, 0),
    "propose_hyperparameters": (200, 160),
    "predict_log": (120, 180),
    "revise": (300, 0),
    "finish": (250, 0),
}
"""Tokens of an answer: a fixed part, and one for each trial or configuration."""
BATCH = 4
"""Room is kept for the answer to this many trials even where fewer are asked for, so that it does not flicker."""


def tokens(text: str) -> int:
    """Estimate the tokens of a text, rather too many than too few; the one place where that is done."""
    return math.ceil(len(text.encode("utf-8", "replace")) / BYTES_PER_TOKEN)


def answer_tokens(decision: Decision, items: int, abilities: Abilities) -> int:
    """Return the most tokens to ask for in an answer about so many trials or configurations."""
    fixed, each = _ANSWERS[decision]
    wanted = min(fixed + each * items, LONGEST_ANSWER, abilities.output, int(abilities.context * ANSWER_SHARE))
    return max(wanted, 1)


@dataclass(frozen=True)
class Room:
    """Tokens of one request: `prompt` without look-ups, `stable` of it for tools, system, cards and request."""

    context: int
    prompt: int
    stable: int

    @property
    def looks(self) -> bool:
        """Whether results of look-ups would find room beside a full prompt."""
        return self.context - self.prompt >= LOOK_ROOM

    def variable(self, stable: int) -> int:
        """Return what trials, examples and question may take beside a stable part of so many tokens."""
        wanted = max(VARIABLE_LEAST, int(VARIABLE_SHARE * stable))
        return max(0, min(wanted, self.prompt - stable))

    def looked(self, used: int) -> int:
        """Return what the results of look-ups may take beside a prompt of so many tokens."""
        return max(0, min(LOOK_LONGEST, self.context - used))


def room(decision: Decision, items: int, abilities: Abilities) -> Room:
    """Return the room of a request: the context less the answer and some slack."""
    answer = answer_tokens(decision, max(items, BATCH), abilities)
    context = max(0, int(abilities.context * (1 - SLACK)) - answer)
    prompt = min(LONGEST, context)
    return Room(context, prompt, min(int(STABLE_SHARE * prompt), prompt - VARIABLE_LEAST))


@dataclass(frozen=True)
class Detail:
    """How much of the cards is told. Lengths are characters, 0: left out; `brief` shortens the rules to their core.

    `architecture` and `model` are lengths of a Model Card's texts, `spaces` is for how many models the search space
    is told.
    """

    columns: int
    statistics: bool = False
    meaning: int = 0
    description: int = 0
    findings: int = 0
    labels: int = 2
    architecture: int = 0
    model: int = 0
    spaces: int = 99
    brief: bool = False


DETAILS = (
    Detail(30, True, meaning=60, description=300, findings=6, labels=20, architecture=60, model=160),
    Detail(30, True, meaning=40, description=200, findings=4, labels=12, architecture=60, model=60),
    Detail(24, True, description=160, findings=3, labels=8, architecture=60),
    Detail(20, True, description=80, findings=2, labels=6),
    Detail(16, True, findings=2, labels=4),
    Detail(16, True, findings=1),
    Detail(14, findings=1, brief=True),
    Detail(8, spaces=8, brief=True),
    Detail(5, spaces=4, brief=True),
    Detail(0, spaces=2, brief=True),
    Detail(0, spaces=1, brief=True),
    Detail(0, spaces=0, brief=True),
)
"""From all that is told of cards to the least."""


def detailed(render: Callable[[Detail], str], quota: int) -> Detail:
    """Return the most detail whose text fits; the least where none does."""
    return next((detail for detail in DETAILS if tokens(render(detail)) <= quota), DETAILS[-1])


def most(render: Callable[[int], str], count: int, quota: int) -> str:
    """Return the text with the most of `count` items that fits; an empty one where not even one item does."""
    for shown in range(count, 0, -1):
        text = render(shown)
        if tokens(text) <= quota:
            return text
    return ""


def shortened(render: Callable[[int], str], length: int, quota: int) -> str:
    """Return the text of the greatest length that fits, tried in steps; an empty one where only a scrap would fit."""
    while length >= LEAST_LENGTH:
        text = render(length)
        if tokens(text) <= quota:
            return text
        length = length * 3 // 4
    return ""


def newest(sizes: Sequence[int], quota: int) -> list[int]:
    """Return the tokens that each of several texts may take, of `quota` together: the newest get theirs first."""
    shares: list[int] = []
    for size in reversed(sizes):
        shares.append(max(0, min(size, quota)))
        quota -= shares[-1]
    return shares[::-1]
