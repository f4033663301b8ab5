"""Typed reading of a configuration."""

from __future__ import annotations

from automl_gpt.cards.errors import ToolError
from automl_gpt.cards.schema import Hyperparameters, Scalar


def _value(hyperparameters: Hyperparameters, name: str) -> Scalar:
    if name not in hyperparameters:
        raise ToolError(f"the hyperparameter {name!r} is missing; a Model Card's `complete` fills in defaults")
    return hyperparameters[name]


def real(hyperparameters: Hyperparameters, name: str) -> float:
    """Return a real hyperparameter; ToolError where it is missing."""
    return float(_value(hyperparameters, name))


def whole(hyperparameters: Hyperparameters, name: str) -> int:
    """Return an integer hyperparameter; ToolError where it is missing."""
    return int(_value(hyperparameters, name))


def word(hyperparameters: Hyperparameters, name: str) -> str:
    """Return a categorical hyperparameter as text; ToolError where it is missing."""
    return str(_value(hyperparameters, name))
