"""A Model Card with a narrower search space: what a person allows of a hyperparameter, where that is possible."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from automl_gpt.cards.errors import UserError
from automl_gpt.cards.explain import suggestion
from automl_gpt.cards.schema import CategoricalRange, Condition, FloatRange, IntRange, ModelCard, Range, Scalar


def narrowed(
    card: ModelCard,
    parameter: str,
    low: float | None = None,
    high: float | None = None,
    choices: Sequence[Scalar] = (),
) -> ModelCard:
    """Return the card with one hyperparameter's range cut to `low`..`high`, or to some of its choices.

    Ends outside the card's range stay the card's, the default moves to the nearest value that is left. A conditional
    hyperparameter that could never be active any more is left out. Raises UserError, which names the legal range, where
    nothing would be left, or where there is no such hyperparameter.
    """
    space = card.search_space.get(parameter)
    if space is None:
        raise UserError(f"{card.name} has no {parameter!r}, {suggestion(parameter, list(card.search_space), 'it has')}")
    where = f"{card.name}: {parameter}"
    if isinstance(space, CategoricalRange):
        space = _fewer_choices(space, low, high, choices, where)
    elif choices:
        low, high = _ends_of(choices, space, where)
        space = _shorter(space, low, high, where)
    else:
        space = _shorter(space, low, high, where)
    return card.model_copy(update={"search_space": _consistent({**card.search_space, parameter: space})})


def _shorter(space: FloatRange | IntRange, low: float | None, high: float | None, where: str) -> FloatRange | IntRange:
    """Cut a range of numbers; a whole number's ends are the whole numbers inside."""
    if any(end is not None and math.isnan(end) for end in (low, high)):
        raise UserError(f"{where}: NaN is no limit; legal: {space.legal()}")
    bottom = space.low if low is None else max(space.low, low)
    top = space.high if high is None else min(space.high, high)
    if isinstance(space, IntRange) and bottom <= top:
        bottom, top = math.ceil(bottom), math.floor(top)
    if bottom > top:
        raise UserError(f"{where} can't be {between(low, high)}; legal: {space.legal()}")
    changes = {"low": bottom, "high": top, "default": min(max(space.default, bottom), top)}
    return space.model_copy(update=changes)


def _ends_of(choices: Sequence[Scalar], space: FloatRange | IntRange, where: str) -> tuple[float, float]:
    """Return both ends of a range that shall hold one value alone."""
    value = choices[0]
    if len(choices) > 1 or not space.contains(value):
        shown = " or ".join(map(str, choices))
        raise UserError(f"{where} can't be limited to {shown}: give one value, or two ends; legal: {space.legal()}")
    return float(value), float(value)


def _fewer_choices(
    space: CategoricalRange, low: float | None, high: float | None, choices: Sequence[Scalar], where: str
) -> CategoricalRange:
    """Keep the choices that are wanted; of choices that are numbers also those between two ends."""
    left = [choice for choice in space.choices if not choices or _among(choice, choices)]
    if low is not None or high is not None:
        left = [choice for choice in left if _within(choice, low, high)]
    unknown = [value for value in choices if not space.contains(value)]
    if unknown or not left:
        wanted = " or ".join(map(str, unknown)) if unknown else between(low, high)
        raise UserError(f"{where} can't be {wanted}; legal: {space.legal()}")
    default = space.default if _among(space.default, left) else _nearest(space.default, left)
    return space.model_copy(update={"choices": tuple(left), "default": default})


def _among(value: Scalar, choices: Sequence[Scalar]) -> bool:
    return any(value == choice and isinstance(value, bool) == isinstance(choice, bool) for choice in choices)


def _within(choice: Scalar, low: float | None, high: float | None) -> bool:
    if isinstance(choice, bool | str):
        return False
    return (low is None or choice >= low) and (high is None or choice <= high)


def _nearest(default: Scalar, left: Sequence[Scalar]) -> Scalar:
    """Return the choice nearest to the default: of numbers the nearest number, else the first one."""
    numbers = [choice for choice in left if isinstance(choice, int | float) and not isinstance(choice, bool)]
    if isinstance(default, bool | str) or len(numbers) < len(left):
        return left[0]
    return min(numbers, key=lambda choice: abs(choice - default))


def _consistent(space: Mapping[str, Range]) -> dict[str, Range]:
    """Leave out what can never be active any more, and what conditions ask for that can't happen."""
    kept: dict[str, Range] = {}
    for name, own in space.items():
        if own.when is None:
            kept[name] = own
            continue
        parent = kept.get(own.when.parameter)
        values = tuple(value for value in own.when.values if parent is not None and parent.contains(value))
        if values:
            when = Condition(parameter=own.when.parameter, values=values)
            kept[name] = own if values == own.when.values else own.model_copy(update={"when": when})
    return kept


def between(low: float | None, high: float | None) -> str:
    """Return two ends in words."""
    if low is None and high is None:
        return "anything"
    if low is None:
        return f"at most {high:g}"
    if high is None:
        return f"at least {low:g}"
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
