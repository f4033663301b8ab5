"""The paragraphs that a controller reads: the jinja2 environment, one function per template, and the whole request.

The order is fixed, the stable parts first: tools, system, cards, request, the person's words; then trials, examples,
what predictions were worth, the question. Whatever comes from cards or data is quoted, cut and marked; of the data
themselves only statistics appear.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from automl_gpt.agent.decisions import Situation
from automl_gpt.agent.llm.exchange import Abilities, Offer, Query
from automl_gpt.agent.prompts import facts
from automl_gpt.agent.prompts.examples import batch, choose_examples, past_trials, rank_trials
from automl_gpt.agent.prompts.fitting import (
    DETAILS,
    Detail,
    Room,
    answer_tokens,
    detailed,
    most,
    newest,
    room,
    tokens,
)
from automl_gpt.agent.prompts.looked import look_ups
from automl_gpt.agent.prompts.offering import form, items_of, offer
from automl_gpt.agent.prompts.quoting import number, percent, quoted, rounded, score, spoken, word
from automl_gpt.tools.evaluate.scorecard import scorecard
from automl_gpt.tools.journal.events import Message, SimilarTrial
from automl_gpt.tools.journal.limits import delivery_limits
from automl_gpt.tools.journal.redact import redact
from automl_gpt.tools.journal.state import RunState, Trial
from automl_gpt.tools.tune.forecasts.paused import paused

__all__ = ["PROMPT_VERSION", "offer", "paragraph", "query", "quoted", "tokens"]

FOLDER = Path(__file__).resolve().parents[2] / "prompt_templates"
TRIALS_SHOWN = 14
EXAMPLES_SHOWN = 5
EXAMPLES_SHARE = 0.3
"""Share of what varies that trials on other data may take, as long as this run has trials of its own."""
WORDS_SHARE = 0.1
"""Share of a prompt that the person's words may take; the oldest are left out."""
REQUEST_TOKENS = 100
"""Kept free for the request, so that a short change of it shortens no card."""
NEWEST = 4
"""Trials that a revision looks back on."""


def _version() -> str:
    digest = hashlib.sha256()
    for file in sorted(FOLDER.glob("*.j2")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:10]


PROMPT_VERSION = _version()
"""Changes with any template: it stands in the journal beside every request."""


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
        autoescape=False,
    )
    environment.filters.update(quoted=quoted, spoken=spoken, word=word, percent=percent)
    environment.filters.update(number=number, rounded=rounded, score=score)
    return environment


def _render(template: str, **values: Any) -> str:
    return _environment().get_template(f"{template}.j2").render(**values).strip()


# --------------------------------------------------------------------------------------------------- the stable parts


def system(tools: Offer, abilities: Abilities, detail: Detail = DETAILS[0]) -> str:
    """Return the rules that hold for every decision; without tool calls also the form of an answer."""
    answer = "" if abilities.tools else _answer(tools)
    task = _render("task", own=tools.own)
    return _render("system", own=tools.own, tools=abilities.tools, task=task, answer=answer, brief=detail.brief)


def _answer(tools: Offer) -> str:
    forms = [
        {"name": name, "form": form(schema["parameters"]), "description": schema["description"]}
        for name, schema in tools.schemas.items()
    ]
    return _render("answer", own=forms[0], others=forms[1:])


def data_card(state: RunState, detail: Detail = DETAILS[0]) -> str:
    """Return the Data Card's paragraph: statistics, findings, quoted text."""
    profile = state.need_profile()
    return _render(
        "data_card",
        card=state.data_card,
        profile=profile,
        detail=detail,
        inputs=[c for c in profile.columns if c.role == "input"],
        classes=facts.classes(profile, detail.labels),
    )


def model_cards(situation: Situation, detail: Detail = DETAILS[0]) -> str:
    """Return the Model Cards' paragraph: hyperparameters with range and default, or what the models are.

    Where logs are predicted, nothing can be chosen any more: the defaults alone are told, from which trials differ.
    """
    told, cards = facts.spacious(situation, detail.spaces), facts.candidates(situation)
    predicting = situation.decision == "predict_log"
    lines = [
        _render("model_card", card=c, spaces=facts.spaces(c, predicting) if c.name in told else (), detail=detail)
        for c in cards
    ]
    needed = cards and (told or not predicting)
    return _render("model_cards", cards=lines, spaces=bool(told), predicting=predicting) if needed else ""


def request(state: RunState, said: Sequence[str] = ()) -> str:
    """Return the request: metric, budget, limits that code enforces, requirements, the person's own words."""
    wanted, allowed = state.request, delivery_limits(state.data_card, state.request)
    return _render(
        "request",
        metric=state.need_metric(),
        folds=state.need_profile().folds,
        budget=wanted.budget,
        limits=wanted.limits,
        megabytes=allowed.megabytes,
        seconds_per_1000=allowed.seconds_per_1000,
        require=wanted.require,
        said=said,
    )


# ------------------------------------------------------------------------------------------------------- what varies


def trials(state: RunState, shown: Sequence[Trial], total: int) -> str:
    """Return the table of some of `total` trials, predicted against actual, in the order of their numbers."""
    lines = [facts.trial_line(state, t) for t in sorted(shown, key=lambda t: t.number)]
    return _render("trials", trials=lines, total=total)


def examples(state: RunState, similar: Sequence[SimilarTrial]) -> str:
    """Return trials on other data, the most useful first."""
    return _render("examples", trials=[facts.example_line(state, t) for t in similar])


def worth(state: RunState) -> str:
    """Return what predictions and proposals of this run were worth; an empty text before there are any."""
    card, proposals = scorecard(state), facts.improvements(state)
    if not card.trials and "llm" not in proposals:
        return ""
    return _render("scorecard", scorecard=card, own_mae=facts.own_error(state), proposals=proposals)


def question(situation: Situation) -> str:
    """Return the decision's own paragraph."""
    state, best, ended = situation.state, situation.state.best(), facts.scored(situation.state)
    return _render(
        situation.decision.partition("_")[0],
        eligible=situation.eligible,
        others=[name for name in situation.eligible if name not in state.assigned],
        assigned=state.assigned,
        count=situation.count,
        seconds_left=situation.seconds_left,
        trials=[facts.trial_line(state, t) for t in situation.trials],
        batch=[facts.trial_line(state, t) for t in batch(situation)],
        best=best,
        spread=facts.fold_spread(best),
        since=sum(t.number > best.number for t in ended) if best else 0,
        newest=[facts.trial_line(state, t) for t in ended[-NEWEST:]],
        paused=[facts.trial_line(state, t) for t in paused(state)],
    )


# -------------------------------------------------------------------------------------------------- the whole request


def query(situation: Situation, abilities: Abilities, lookups: bool = True) -> Query:
    """Return all that is sent for one decision, fitted to the model's context.

    The system's message, the paragraphs as the user's one, then each look-up as a pair of messages; no secret in any.
    `lookups` says whether more may be looked up.
    """
    tools, space = offer(situation, abilities, lookups), room(situation.decision, items_of(situation), abilities)
    functions = tuple(tools.schemas.values()) if abilities.tools else ()
    rules, text = _fitted(situation, abilities, tools, space)
    used = tokens(_serialised(functions)) + tokens(rules) + tokens(text)
    messages = [Message(role="system", text=rules), Message(role="user", text=text)]
    messages += look_ups(situation, abilities, space.looked(used))
    return Query(
        purpose=situation.decision,
        mode=abilities.mode,
        messages=tuple(m.model_copy(update={"text": redact(m.text)}) for m in messages),
        tools=functions,
        tokens_out=answer_tokens(situation.decision, items_of(situation), abilities),
        context=abilities.context,
    )


def paragraph(situation: Situation) -> str:
    """Return the text of the messages that a model of usual abilities is sent for a decision."""
    return "\n\n".join(message.text for message in query(situation, Abilities()).messages)


def _serialised(functions: Sequence[dict[str, Any]]) -> str:
    return json.dumps(functions, ensure_ascii=False, separators=(",", ":")) if functions else ""


def _fitted(situation: Situation, abilities: Abilities, tools: Offer, space: Room) -> tuple[str, str]:
    """Return the system's message and the user's: first the stable parts by their quota, then what varies by its own.

    The quotas count every tool of the decision, so that the paragraphs stay the same once nothing more is looked up.
    """
    state, every = situation.state, offer(situation, abilities)
    sent = tokens(_serialised(tuple(every.schemas.values()))) if abilities.tools else 0

    def told(detail: Detail) -> list[str]:
        return [data_card(state, detail), model_cards(situation, detail)]

    asked = max(REQUEST_TOKENS, tokens(request(state)))
    quota = space.stable - sent - asked
    detail = detailed(lambda d: "".join((system(every, abilities, d), *told(d))), quota)
    stable = [*told(detail), request(state, _words(state, int(WORDS_SHARE * space.prompt)))]
    used = sent + tokens("".join((system(every, abilities, detail), *stable)))
    parts = [*stable, *_varying(situation, space.variable(used))]
    return system(tools, abilities, detail), "\n\n".join(part for part in parts if part)


def _words(state: RunState, quota: int) -> list[str]:
    """Return the person's newest words that fit, in order."""
    sizes = [tokens(spoken(said.text)) for said in state.said]
    shares = newest(sizes, quota)
    return [said.text for said, size, share in zip(state.said, sizes, shares, strict=True) if share == size]


def _varying(situation: Situation, quota: int) -> list[str]:
    """Return trials, examples, what predictions were worth, question and problem; the last two whatever the quota."""
    state = situation.state
    must = question(situation)
    if situation.problem:
        must += "\n\n" + _render("problem", problem=situation.problem)
    left = quota - tokens(must)
    card = most(lambda _: worth(state), 1, left // 3)
    left -= tokens(card)
    ranked, others = rank_trials(state, situation, TRIALS_SHOWN), choose_examples(state, situation, EXAMPLES_SHOWN)
    share = left if not ranked else int(EXAMPLES_SHARE * left)
    near = most(lambda count: examples(state, others[:count]), len(others), share)
    total = len(past_trials(situation))
    table = most(lambda count: trials(state, ranked[:count], total), len(ranked), left - tokens(near))
    return [table, near, card, must]


# ------------------------------------------------------------------------------------------------- of a conversation


def conversation(forms: Sequence[dict[str, str]] = (), brief: bool = False) -> str:
    """Return the rules of a conversation; with the forms of the tools for a model that takes no tool calls."""
    return _render("conversation", forms=forms, brief=brief)


def now(state: RunState, driving: bool, seconds_left: float | None) -> str:
    """Return how far the run is at this moment."""
    return _render(
        "now",
        finished=state.finished,
        driving=driving,
        running=[t.number for t in state.running()],
        ended=len(state.done()),
        waiting=[t.number for t in state.ordered() if t.status in ("proposed", "predicted")],
        assigned=state.assigned,
        seconds_left=seconds_left,
        best=state.best(),
        spread=facts.fold_spread(state.best()),
    )


def refused(problem: str) -> str:
    """Return why an answer was refused."""
    return _render("problem", problem=problem)
