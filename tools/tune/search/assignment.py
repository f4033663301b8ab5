"""Which models to try on a data set, in which order: as experience on near data shows, else as holds in general."""

from __future__ import annotations

from collections.abc import Sequence

from automl_gpt.cards.schema import ModelCard
from automl_gpt.tools.data.report import Profile
from automl_gpt.tools.journal.state import TRIVIAL, RunState
from automl_gpt.tools.train.protocol import task_of
from automl_gpt.tools.tune.cost import card_seconds, expected_seconds, planned_seconds
from automl_gpt.tools.tune.hurry import in_time
from automl_gpt.tools.tune.search.opening import promise

GENERAL_ORDER = ("lightgbm", "xgboost", "extra_trees", "random_forest", "mlp", "linear", "k_nearest_neighbours")
"""On tables boosted trees win most often, then forests (Grinsztajn et al., 2022; McElfresh et al., 2023)."""
SMALL_ROWS = 500
LARGEST_SHARE = 0.4
"""A model is left out whose default alone would take more of the time, and can't be made quicker."""
TRIAL_BYTES = 2 * 2**30
"""A model that would need more memory for a trial is only tried where the person names it."""
PLACES = 14.0
"""How many places the best possible model on near data moves before one without any experience."""


def eligible(state: RunState) -> tuple[str, ...]:
    """Return the Model Cards that fit the data's task and size and the person's wishes; never the trivial one."""
    profile = state.need_profile()
    fits = [
        card
        for name, card in state.model_cards.items()
        if name != TRIVIAL and task_of(profile.task) in card.tasks and card.modality in (profile.modality, "any")
    ]
    wanted = [card.name for card in fits if card.name in state.request.models]
    lean = [card.name for card in fits if _suits_size(card, profile)]
    return tuple(wanted or lean or [card.name for card in fits])


def _suits_size(card: ModelCard, profile: Profile) -> bool:
    costs = card.resources
    small_enough = costs.max_rows is None or profile.rows_train <= costs.max_rows
    if profile.modality != "tabular":
        return small_enough
    return small_enough and profile.rows_train * profile.features * costs.bytes_per_cell <= TRIAL_BYTES


def order(state: RunState, eligible: Sequence[str], seconds_left: float | None) -> tuple[list[str], str]:
    """Return the models to try, the most promising first, and why. A person's own cards come before shipped ones."""
    profile = state.need_profile()
    if profile.modality != "tabular":
        return _order_networks(state, eligible, seconds_left)
    rank = {name: place for place, name in enumerate(GENERAL_ORDER, start=1)}
    if profile.rows_train < SMALL_ROWS:
        rank["linear"], rank["extra_trees"] = 1, 2
    shown = {name: PLACES * worth for name, worth in promise(state.experience or (), state.model_cards).items()}
    models = sorted(eligible, key=lambda name: rank.get(name, 0) - shown.get(name, 0.0))
    slow = [name for name in models if _too_slow(state, name, seconds_left)]
    quick = [name for name in models if name not in slow]
    reason = f"{'experience on near data' if shown else 'the general order for tables'}"
    reason += f" of {profile.rows_train} rows and {profile.features} features"
    if quick and slow:
        reason += f"; left out, too slow for the time: {', '.join(slow)}"
    return quick or models, reason


def _order_networks(state: RunState, eligible: Sequence[str], seconds_left: float | None) -> tuple[list[str], str]:
    """Return the models for texts or pictures: what costs seconds first, then given weights, then networks at random.

    A network at random is left out whose single pass over the rows would take more than all of the time; given weights
    are the person's wish.
    """
    cards = [state.model_cards[name] for name in eligible]

    def rank(card: ModelCard) -> tuple[int, float]:
        return (0 if is_quick(card) else 1 if card.source else 2), card_seconds(state, card)

    ranked = sorted(cards, key=rank)
    slow = [c.name for c in ranked if not is_quick(c) and not c.source and _endless(state, c, seconds_left)]
    quick = [c.name for c in ranked if c.name not in slow]
    profile = state.need_profile()
    reason = f"what costs seconds comes first, then weights at hand; {profile.rows_train} rows"
    if quick and slow:
        reason += f"; left out, too slow for the time: {', '.join(slow)}"
    return quick or list(eligible), reason


def is_quick(card: ModelCard) -> bool:
    """Say whether a model for texts or pictures is one of those that cost seconds: no network."""
    return not {"epochs", "batch_size"} <= card.search_space.keys()


def _endless(state: RunState, card: ModelCard, seconds_left: float | None) -> bool:
    if seconds_left is None:
        return False
    least, _ = in_time(state, card, card.default(), seconds_left)
    return planned_seconds(state, card, least) > seconds_left


def _too_slow(state: RunState, name: str, seconds_left: float | None) -> bool:
    if seconds_left is None or state.model_cards[name].resources.faster_with is not None:
        return False
    seconds = expected_seconds(state, state.model_cards[name], state.model_cards[name].default())
    return seconds > LARGEST_SHARE * seconds_left
