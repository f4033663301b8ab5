"""What a server saw of a run that a language model drove: own times between its answers, and what the prompts share."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from automl_gpt.agent.prompts.fitting import tokens
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.store import Stored
from tests.servers.openai_server import Received

FOLLOWS = ("propose_hyperparameters", "predict_log")
"""Decisions that are asked for as soon as the one before them is made, whatever trains."""


def own_times(stored: Sequence[Stored], requests: Sequence[Received], workers: int) -> dict[str, list[float]]:
    """Return the seconds from the last byte of an answer to what it led to at once, by what that was.

    The requests came in the order of the calls of the journal.
    """
    found: dict[str, list[float]] = {}
    running, answered, waited = set[int](), 0, False
    asked: dict[int, str] = {}
    for at, event in ((s.time, s.event) for s in stored):
        since = requests[answered - 1].answered if answered else None
        match event:
            case e.LLMAsked():
                asked[event.call] = event.purpose
                again = asked.get(event.call - 1) == event.purpose
                if since is not None and (again or event.purpose in FOLLOWS):
                    found.setdefault(f"request {event.purpose}", []).append(requests[event.call - 1].came - since)
                answered = 0
            case e.LLMAnswered():
                answered, waited = event.call, False
            case e.TrialStarted():
                if since is not None and not waited and len(running) < workers:
                    found.setdefault("training", []).append(at - since)
                running.add(event.trial)
                answered = 0
            case e.TrialFinished():
                running.discard(event.trial)
                waited = True
            case _:
                pass
    return found


def prompts(stored: Sequence[Stored]) -> Iterator[tuple[e.LLMAsked, int]]:
    """Yield each prompt with the number of trials that had ended before it."""
    ended = 0
    for event in (s.event for s in stored):
        if isinstance(event, e.LLMAsked):
            yield event, ended
        ended += isinstance(event, e.TrialFinished)


def as_read(request: Received) -> str:
    """Return what a request says in the order in which a model reads it: tools, system, user and the rest."""
    shown = [json.dumps(tool, ensure_ascii=False) for tool in request.get("tools", [])]
    for message in request["messages"]:
        calls = message.get("tool_calls")
        shown += [message.get("content") or "", *([json.dumps(calls, ensure_ascii=False)] if calls else [])]
    return "".join(shown)


def in_common(before: str, after: str) -> float:
    """Return the share of a text that is the same from its start on as in an earlier one."""
    same = 0
    for a, b in zip(before, after, strict=False):
        if a != b:
            break
        same += 1
    return same / len(after)


def by_kind(stored: Sequence[Stored], requests: Sequence[Received]) -> dict[str, dict[str, list[float]]]:
    """Return for each kind of decision: tokens (estimated), characters, share in common with the previous prompt."""
    found: dict[str, dict[str, list[float]]] = {}
    last: dict[str, str] = {}
    for asked, _ in prompts(stored):
        text = as_read(requests[asked.call - 1])
        row = found.setdefault(asked.purpose, {"tokens": [], "characters": [], "common": []})
        row["tokens"].append(tokens(text))
        row["characters"].append(len(text))
        if asked.purpose in last:
            row["common"].append(in_common(last[asked.purpose], text))
        last[asked.purpose] = text
    return found
