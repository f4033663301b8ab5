"""Commands that only look: the models, what a controller reads, the trials, one trial, runs."""

from __future__ import annotations

import json

from rich.text import Text

from automl_gpt.agent.commands.command import need_trial, number_in
from automl_gpt.agent.conversation import Conversation
from automl_gpt.agent.decisions import DECISIONS, Decision
from automl_gpt.agent.screen import comparison, models_table, runs_table, show_state
from automl_gpt.agent.screen.text import faithful, plain
from automl_gpt.cards.errors import UserError
from automl_gpt.tools.journal.state import RunState, Trial

RUNS_SHOWN = 20


def models(chat: Conversation, _rest: str) -> None:
    """Show the candidate models."""
    cards = () if chat.state else chat.session.candidates()
    chat.screen.print(models_table(chat.state, chat.screen.width, cards, chat.screen.glyphs))


def prompt(chat: Conversation, rest: str) -> None:
    """Show the exact paragraph that a controller reads for a decision, or a request as it was sent."""
    name, _, more = rest.strip().partition(" ")
    if name == "sent":
        _sent(chat, number_in(more))
        return
    decision = _decision(rest.strip())
    chat.need_card()
    if chat.state is None or chat.state.profile is None:
        chat.show(chat.session.profile())
    _word_for_word(chat, chat.session.paragraph(decision))


def _word_for_word(chat: Conversation, text: str) -> None:
    for line in faithful(text):
        chat.screen.print(Text(line))


def _sent(chat: Conversation, call: int | None) -> None:
    """Show a request to a language model, by default the last one, with all that went along."""
    asked = chat.session.need_state().asked
    if not asked:
        chat.say(
            "nothing was sent; the built-in controller sends nothing"
            if chat.session.controller == "builtin"
            else "nothing was sent yet"
        )
        return
    number = max(asked) if call is None else call
    if number not in asked:
        raise UserError(f"there is no request {number}; requests: 1 to {max(asked)}")
    request, where = asked[number], chat.session.endpoint
    chat.say(f"request {number} to {request.model}{f' at {where}' if where else ''}: {request.purpose}", "bold")
    chat.say(f"about {request.tokens_in:,} tokens, an answer of at most {request.tokens_out:,}", "dim")
    for message in request.messages:
        answers = f" to call {message.call_id}" if message.call_id else ""
        chat.say(f"--- {message.role}{answers}", "dim")
        _word_for_word(chat, message.text)
        for made in message.calls:
            arguments = made.raw or json.dumps(made.arguments, ensure_ascii=False)
            _word_for_word(chat, f"call {made.id}: {made.name} {arguments}")
    for tool in request.tools:
        chat.say("--- tool", "dim")
        _word_for_word(chat, json.dumps(tool, ensure_ascii=False))


def _decision(name: str) -> Decision | None:
    if not name:
        return None
    for decision in DECISIONS:
        if name in (decision, decision.split("_")[0]):
            return decision
    raise UserError(f"there is no decision {name!r}; there are: {', '.join(d.split('_')[0] for d in DECISIONS)}")


def trials(chat: Conversation, _rest: str) -> None:
    """Show all trials."""
    state = chat.session.need_state()
    if not state.trials:
        raise UserError("no trial is decided on yet: /plan decides, /go trains")
    chat.screen.show_trials(state)


def show(chat: Conversation, rest: str) -> None:
    """Show one trial, or the run."""
    number, state = number_in(rest), chat.session.need_state()
    if number is None:
        chat.screen.print(show_state(state, chat.screen.width, chat.screen.glyphs))
    else:
        _compare(chat, state, need_trial(state, number))


def compare(chat: Conversation, rest: str) -> None:
    """Show predicted and actual log of a trial side by side; by default of the newest that has both."""
    number, state = number_in(rest), chat.session.need_state()
    if number is not None:
        trial = need_trial(state, number)
    else:
        newest = [t for t in reversed(state.ordered()) if t.prediction and t.rows]
        if not newest:
            raise UserError("no trial has both logs yet: /go trains")
        trial = newest[0]
    _compare(chat, state, trial)


def _compare(chat: Conversation, state: RunState, trial: Trial) -> None:
    chat.screen.print(comparison(state, trial, chat.screen.width, 14, chat.screen.glyphs))


def runs(chat: Conversation, _rest: str) -> None:
    """List the newest runs."""
    found = chat.session.journal.runs(RUNS_SHOWN)
    if not found:
        chat.say("there are no runs yet", "dim")
        return
    chat.screen.print(runs_table(found, chat.screen.width, chat.screen.glyphs))


def report(chat: Conversation, _rest: str) -> None:
    """Write the run's report and say where it is."""
    path = chat.session.report()
    chat.screen.print(Text(f"report  {plain(path)}"), whole=True)
