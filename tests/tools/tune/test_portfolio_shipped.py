"""The hand-picked configurations against the shipped Model Cards."""

from __future__ import annotations

from ruamel.yaml import YAML

from automl_gpt.cards.library import model_cards
from automl_gpt.tools.evaluate.metrics import METRICS
from automl_gpt.tools.tune.portfolio import FILE


def test_every_hand_picked_configuration_is_legal_for_its_shipped_card_and_differs_from_the_default() -> None:
    cards = model_cards()
    given = YAML(typ="safe").load(FILE.read_text(encoding="utf-8"))
    assert set(given) <= set(cards)
    for name, configurations in given.items():
        for configuration in configurations:
            assert cards[name].complete(configuration["set"]) != cards[name].default()
            assert set(configuration.get("metrics", ())) <= set(METRICS)
