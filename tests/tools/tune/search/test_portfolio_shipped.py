"""The hand-picked configurations against the shipped Model Cards, and against those for weights that a person gives."""

from __future__ import annotations

from ruamel.yaml import YAML

from automl_gpt.cards.library import model_cards
from automl_gpt.cards.schema import ModelCard
from automl_gpt.tools.evaluate.metrics import METRICS
from automl_gpt.tools.train.deep.card import TEMPLATES
from automl_gpt.tools.tune.search.portfolio import FILE, shipped


def for_weights() -> dict[str, ModelCard]:
    read = YAML(typ="safe")
    cards = [ModelCard.model_validate(read.load(file.read_text(encoding="utf-8"))) for file in TEMPLATES.glob("*.yaml")]
    return {c.trainer: c.model_copy(update={"name": "mine", "source": "weights"}) for c in cards}


def test_every_hand_picked_configuration_is_legal_for_its_card_and_differs_from_the_default() -> None:
    cards = {**for_weights(), **model_cards()}
    given = YAML(typ="safe").load(FILE.read_text(encoding="utf-8"))
    assert set(given) <= set(cards)
    for name, configurations in given.items():
        for configuration in configurations:
            assert cards[name].complete(configuration["set"]) != cards[name].default()
            assert set(configuration.get("metrics", ())) <= set(METRICS)
        assert len(shipped(cards[name], "f1")) == len(configurations), name
