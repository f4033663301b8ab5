"""Commands by which a person says what is wanted: data, metric, models; and takes it back."""

from __future__ import annotations

from pathlib import Path

from automl_gpt.agent.commands.command import is_file, is_folder, reading, split
from automl_gpt.agent.conversation import Conversation
from automl_gpt.agent.screen import profile_panel
from automl_gpt.agent.screen.panels import facts
from automl_gpt.cards.errors import UserError
from automl_gpt.cards.library import data_cards
from automl_gpt.cards.schema import DataCard, ModelCard
from automl_gpt.tools.evaluate.metrics import METRICS, fitting
from automl_gpt.tools.train.deep.weights_folder import is_weights

ATTEMPTS = 3
CARD_SUFFIXES = (".yaml", ".yml")


def data(chat: Conversation, rest: str) -> None:
    """Read a card or data, or show the data that are set."""
    names = split(rest)
    if not names:
        _show_data(chat)
        return
    if len(names) > 2:
        raise UserError("/data takes one card or file, and the column to predict: quote names that hold blanks")
    path = Path(names[0]).expanduser()
    is_data = _is_data(chat, names[0])
    if len(names) == 2 and not is_data:
        raise UserError(f"{names[0]}: no data file, so there is no column to name: /data CARD or /data FILE COLUMN")
    with reading(names[0]):
        if len(names) == 2:
            card = chat.session.draft(path, names[1])
        else:
            card = _drafted(chat, path) if is_data else chat.session.read(names[0])
    took(chat, card)


def _is_data(chat: Conversation, name: str) -> bool:
    """Say whether a name is that of data for which a card is drafted: a file, or a folder that no card is called."""
    path = Path(name).expanduser()
    if is_folder(name):
        return not is_weights(path) and name not in data_cards(chat.cards_folder())
    return is_file(name) and path.suffix.lower() not in CARD_SUFFIXES


def _drafted(chat: Conversation, path: Path) -> DataCard:
    """Draft a card for data; where they have columns and a human being can be asked, ask which one is the target."""
    card = chat.session.draft(path, None)
    if card.target is None:
        return card
    if not chat.person.present:
        chat.say(f"target {card.target} (guessed; /data FILE COLUMN names another)", "dim")
        return card
    columns = [*(card.inputs or {}), *card.drop]
    for _ in range(ATTEMPTS):
        answer = (chat.person.ask(f"column to predict [{card.target}]: ", columns) or "").strip()
        if answer in ("", card.target):
            return card
        try:
            return chat.session.draft(path, answer)
        except UserError as error:
            chat.screen.error(error)
    chat.say(f"target stays {card.target}", "dim")
    return card


def took(chat: Conversation, card: DataCard | ModelCard) -> None:
    """Say which card was taken, and what can be done next."""
    if isinstance(card, ModelCard):
        chat.say(f"model {card.name} is a candidate of the next run")
        return
    chat.settle()
    _show_card(chat, card)
    chat.say("/plan shows what would be trained first, /go trains", "dim")


def _show_data(chat: Conversation) -> None:
    card, state = chat.need_card(), chat.state
    if state is not None and state.profile is not None:
        metric = state.metric.name if state.metric else ""
        chat.screen.print(profile_panel(state.profile, metric, chat.screen.glyphs))
    else:
        _show_card(chat, card)


def _show_card(chat: Conversation, card: DataCard) -> None:
    source = card.source if isinstance(card.source, str) else ", ".join(filter(None, card.source.model_dump().values()))
    rows = [
        ("data", card.name or source),
        ("source", source if card.name else ""),
        ("about", card.description[:200]),
        ("modality", card.modality if card.modality != "tabular" else ""),
        ("target", card.target or "the source's own"),
        ("task", card.task or ""),
        ("metric", chat.session.request.metric or card.metric or ""),
        ("inputs", f"{len(card.inputs)} columns" if card.inputs else ""),
        ("left out", ", ".join(list(card.drop)[:8])),
    ]
    chat.screen.print(facts([(name, value) for name, value in rows if value]))


def metric(chat: Conversation, rest: str) -> None:
    """Set the metric, or show it and those that fit."""
    state = chat.state
    fits = fitting(state.profile.task) if state and state.profile else list(METRICS)
    if rest.strip():
        chat.change(metric=rest.strip())
        now = state.metric.name if state and state.metric else chat.session.request.metric
        chat.say(f"metric {now}")
        return
    now = state.metric.name if state and state.metric else chat.session.request.metric
    chat.screen.print(facts([("metric", now or "the card's, or by the task"), ("fitting", ", ".join(fits))]))


def model(chat: Conversation, rest: str) -> None:
    """Set the candidate models, or show them."""
    names = rest.replace(",", " ").split()
    if names:
        chat.change(models=() if names == ["all"] else tuple(dict.fromkeys(names)))
    chosen = chat.session.request.models
    chat.say(f"models {', '.join(chosen)}" if chosen else "models: all that fit the data")


def undo(chat: Conversation, _rest: str) -> None:
    """Take back the last change of the request, else the proposals that are not trained yet."""
    chat.say(chat.take_back() or chat.session.undo())
