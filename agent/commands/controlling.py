"""Commands about who decides and what that costs: the controller, the ledger, the replay of recorded answers."""

from __future__ import annotations

from automl_gpt.agent.commands.spending import change
from automl_gpt.agent.conversation import Conversation
from automl_gpt.agent.screen.budgets import cost_rows
from automl_gpt.agent.screen.panels import facts


def controller(chat: Conversation, rest: str) -> None:
    """Change who decides from now on, or say who does."""
    if rest.strip():
        change(chat, controller=rest.strip())
    wanted, session = chat.session.request.controller, chat.session
    now = f"; for now {session.controller} decides" if session.controller != wanted else ""
    where = f" at {session.endpoint}" if session.endpoint else ""
    chat.say(f"controller {wanted}{where}{now}")
    if rest.strip() and wanted != "builtin":
        chat.say("it is sent the cards and statistics, never rows; /prompt shows every word", "dim")


def cost(chat: Conversation, _rest: str) -> None:
    """Show what the run has used of time, tokens and money."""
    state = chat.session.need_state()
    chat.screen.print(facts([(name, words) for name, words in cost_rows(chat.session, state, chat.screen.glyphs)]))


def replay(chat: Conversation, rest: str) -> None:
    """Repeat a run's decisions from its recorded answers, by default this run's, and name each difference."""
    name = rest.strip() or (chat.state.run if chat.state else "last")
    found = chat.session.replay(name)
    for difference in found.differences:
        chat.say(difference, "yellow")
    chat.say(found.words(), "green" if found.matches else "yellow")
