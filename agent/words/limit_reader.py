"""Limits on hyperparameters, read out of folded words one after another, by the names on the Model Cards."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

from automl_gpt.agent.words import limit_words as words
from automl_gpt.agent.words.spoken import fold_accents, named_models, pattern_of
from automl_gpt.cards.schema import CategoricalRange, IntRange, ModelCard, Range, Scalar
from automl_gpt.tools.journal.events import Limit
from automl_gpt.tools.journal.limits import limited
from automl_gpt.tools.journal.state import TRIVIAL, RunState
from automl_gpt.tools.tune.allowed import best_of

NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?![\d.])|\d+(?:[.,]\d+)?(?:e-?\d+)?|[.,]\d+)"


def any_of(choices: Sequence[str]) -> str:
    """Match one of the words, the longest one that fits, and no part of another word."""
    ordered = sorted(choices, key=len, reverse=True)
    return "|".join(rf"(?<!\w){w}(?!\w)" if re.search(r"\w", w[-1]) or w[-1] in "?)]" else w for w in ordered)


def parted(patterns: Sequence[str]) -> str:
    """Match one of several phrases, whose words may be parted by more than one blank."""
    return "(?:" + any_of([p.replace(" ", r"\s+") for p in patterns]) + ")"


UPPER = f"(?P<at_most>{parted(words.AT_MOST)})|(?P<below>{parted(words.BELOW)})"
LOWER = f"(?P<at_least>{parted(words.AT_LEAST)})|(?P<above>{parted(words.ABOVE)})"
BOUND = f"(?:{UPPER}|{LOWER})"
AFTER = rf"(?![.,]?\d)(?!{words.NOT_AFTER})"
STARTS_ANEW = rf"[;]|[.,](?!\d)|(?:{any_of(words.CLAUSES)})(?=\s+(?:{any_of([*words.ONLY, *words.TRY, *words.NEVER])}))"
MIDDLE = r"(?P<mid>(?:[\s:=']+[^\W\d_][\w-]*){0,5}?)[\s:=]*"


def amount_of(text: str) -> float:
    """Return a number as people write it: 0.05, 0,05, 1e-3, 1,000."""
    if re.fullmatch(r"[1-9]\d{0,2}(,\d{3})+", text):
        return float(text.replace(",", ""))
    return float(text.replace(",", "."))


def clause_of(text: str, match: re.Match[str]) -> str:
    """Return the clause that a wish stands in: what a comma, a full stop or `and no` parts from it is left out."""
    before = re.split(STARTS_ANEW, text[: match.start()])[-1]
    return before + match.group() + re.split(STARTS_ANEW, text[match.end() :])[0]


def denied(text: str, match: re.Match[str], reach: int = 2) -> bool:
    """Say whether a denial stands among the words right before a wish: `no learning rate above 0.1`."""
    return bool(set(re.findall(r"[\w']+", text[: match.start()])[-reach:]) & set(words.NEVER))


class LimitReader:
    """Takes one wish after another out of a text; what is understood is blanked."""

    def __init__(self, text: str, state: RunState | None, cards: Sequence[ModelCard]) -> None:
        self.text, self.state = text, state
        self.cards = [card for card in cards if card.name != TRIVIAL]
        self.models = [card.name for card in self.cards]
        known = list(dict.fromkeys(name for card in self.cards for name in card.search_space))
        self.names = {pattern_of(name) + "s?": name for name in known}
        self.names |= {pattern_of(w): name for name in known for w in words.SYNONYMS.get(name, ())}
        self.parameter = f"(?P<param>{any_of(list(self.names))})" if known else "(?P<param>(?!))"

    def limits(self) -> Iterator[Limit]:
        """Yield the limits on hyperparameters: ranges, ends, comparisons, values, and ends that are taken back."""
        joined = parted(words.JOINED)
        ranges = rf"{self.parameter}{MIDDLE}(?P<num>{NUMBER})\s*{joined}\s*(?P<num2>{NUMBER}){AFTER}"
        yield from self._each(ranges, self._range)
        yield from self._each(rf"{self.parameter}{MIDDLE}{BOUND}\s*(?P<num>{NUMBER}){AFTER}", self._end)
        yield from self._each(rf"{BOUND}\s*(?P<num>{NUMBER})\s+{self.parameter}", self._end)
        compared = rf"(?:(?P<less>{parted(words.LESS)})|(?P<more>{parted(words.MORE)}))"
        yield from self._each(rf"{self.parameter}{MIDDLE}\s+{compared}(?!\s+(?:than|als|que|de|a)\s)", self._compared)
        yield from self._each(rf"{compared}{MIDDLE}{self.parameter}", self._compared)
        trees, sizes = parted(words.TREES), f"(?P<less>{parted(words.FLATTER)})|(?P<more>{parted(words.DEEPER)})"
        yield from self._each(rf"(?:{sizes})\s+(?P<trees>{trees})", self._compared)
        yield from self._each(rf"(?P<trees>{trees})\s+(?:{sizes})", self._compared)
        yield from self._each(rf"{parted(words.ANY)}\s+{MIDDLE}{self.parameter}", self._lifted)
        yield from self._each(rf"{self.parameter}{MIDDLE}(?P<num>{NUMBER}){AFTER}(?!{words.AND_MORE})", self._exactly)
        yield from self._each(rf"{self.parameter}{MIDDLE}(?P<choice>{self._choices()})", self._chosen)

    def _each(self, pattern: str, make: Any) -> Iterator[Limit]:
        place = 0
        while (match := re.compile(pattern).search(self.text, place)) is not None:
            place = match.end()
            sane = all(math.isfinite(amount_of(n)) for key, n in match.groupdict().items() if n and key[:3] == "num")
            found = list(make(match, *self._models(match))) if sane and self._plain(match) else []
            if found:
                yield from found
                self.text = without(self.text, match, self.models)

    def _plain(self, match: re.Match[str]) -> bool:
        """Say whether nothing between the words of a wish gives it another sense."""
        between = match.groupdict().get("mid") or ""
        rest = {word for word in re.findall(r"[\w-]+", between) if word not in words.FILLERS}
        return not rest or bool(named_models(between, self.models))

    def _range(self, match: re.Match[str], models: list[str], owners: list[ModelCard]) -> Iterator[Limit]:
        low, high = sorted((amount_of(match["num"]), amount_of(match["num2"])))
        if self._numbers(match, owners) and not denied(self.text, match):
            yield from _limits(self._name(match), models, low=low, high=high)

    def _end(self, match: re.Match[str], models: list[str], owners: list[ModelCard]) -> Iterator[Limit]:
        spaces, amount, name = self._numbers(match, owners), amount_of(match["num"]), self._name(match)
        step = 1.0 if spaces and all(isinstance(s, IntRange) for s in spaces) and amount.is_integer() else 0.0
        upper = bool(match["at_most"] or match["below"]) != denied(self.text, match)
        strict = bool(match["below"] or match["above"]) != denied(self.text, match)
        end = amount + step * ((-1 if upper else 1) if strict else 0)
        if spaces:
            yield from _limits(name, models, **{"high" if upper else "low": end})

    def _compared(self, match: re.Match[str], _models: list[str], owners: list[ModelCard]) -> Iterator[Limit]:
        """Limit each model by what it has: its best trial's value, else its default."""
        names = words.TREE_SIZES if match.groupdict().get("trees") else (self._name(match),)
        for card in [] if denied(self.text, match) else self._narrow(owners):
            for name in names:
                space = card.search_space.get(name)
                if space is not None and not _is_text(space):
                    yield _compared(card, name, self._now(card, name), less=bool(match["less"]))

    def _lifted(self, match: re.Match[str], models: list[str], _owners: list[ModelCard]) -> Iterator[Limit]:
        if not denied(self.text, match):
            yield from _limits(self._name(match), models)

    def _exactly(self, match: re.Match[str], models: list[str], owners: list[ModelCard]) -> Iterator[Limit]:
        value = amount_of(match["num"])
        if self._numbers(match, owners) and not self._tried(match):
            yield from _limits(self._name(match), models, low=value, high=value)

    def _chosen(self, match: re.Match[str], models: list[str], owners: list[ModelCard]) -> Iterator[Limit]:
        name = self._name(match)
        spaces = [card.search_space[name] for card in owners if name in card.search_space]
        choices = {fold_accents(str(c)): c for s in spaces if isinstance(s, CategoricalRange) for c in s.choices}
        found: tuple[Scalar, ...] = tuple(choices[w] for w in [match["choice"]] if w in choices)
        if found and not self._tried(match):
            yield from _limits(name, models, choices=found)

    # --------------------------------------------------------------------------------------------------- what is meant

    def _name(self, match: re.Match[str]) -> str:
        return next(name for pattern, name in self.names.items() if re.fullmatch(pattern, match["param"]))

    def _numbers(self, match: re.Match[str], owners: list[ModelCard]) -> list[Range]:
        """Return the ranges that hold numbers, among which an end makes sense."""
        spaces = [card.search_space.get(self._name(match)) for card in owners]
        return [s for s in spaces if s is not None and not _is_text(s)]

    def _choices(self) -> str:
        spaces = [space for card in self.cards for space in card.search_space.values()]
        texts = {str(c) for s in spaces if isinstance(s, CategoricalRange) for c in s.choices if isinstance(c, str)}
        return any_of([re.escape(fold_accents(text)) for text in sorted(texts)]) if texts else "(?!)"

    def _tried(self, match: re.Match[str]) -> bool:
        """Say whether a value is only tried, or denied: that limits nothing."""
        return denied(self.text, match) or bool(re.search(any_of(words.TRY), clause_of(self.text, match)))

    def _models(self, match: re.Match[str]) -> tuple[list[str], list[ModelCard]]:
        """Return the models that the wish names, none for all, and the cards that it is about."""
        parameters = words.TREE_SIZES if match.groupdict().get("trees") else (self._name(match),)
        owners = [card.name for card in self.cards if any(name in card.search_space for name in parameters)]
        named = [name for name in named_models(clause_of(self.text, match), self.models) if name in owners]
        return named, [card for card in self.cards if not named or card.name in named]

    def _narrow(self, cards: list[ModelCard]) -> list[ModelCard]:
        return list(limited(cards, self.state.request.limits).values()) if self.state else cards

    def _now(self, card: ModelCard, name: str) -> float:
        """Return the value of the model's best trial so far; its default before one."""
        best = best_of(self.state, card.name) if self.state and self.state.metric else None
        value = best.hyperparameters.get(name) if best else None
        space = card.search_space[name]
        known = isinstance(value, int | float) and not isinstance(value, bool)
        return float(value) if known and space.contains(value) else float(space.default)  # pyright: ignore[reportArgumentType]


def _limits(name: str, models: list[str], **ends: Any) -> Iterator[Limit]:
    for model in models or [None]:
        yield Limit(parameter=name, model=model, **ends)


def _compared(card: ModelCard, name: str, now: float, *, less: bool) -> Limit:
    """Return the limit that leaves smaller (or larger) values than one; of counts that one is left out itself."""
    space = card.search_space[name]
    if isinstance(space, CategoricalRange):
        numbers = sorted(float(choice) for choice in space.choices)
        rest = [n for n in numbers if (n < now if less else n > now)] or [now]
        end = rest[-1] if less else rest[0]
    else:
        step = (1.0 if isinstance(space, IntRange) else 0.0) * (-1 if less else 1)
        end = min(max(now + step, float(space.low)), float(space.high))
    return Limit(parameter=name, model=card.name, low=None if less else end, high=end if less else None)


def _is_text(space: Range) -> bool:
    return isinstance(space, CategoricalRange) and any(isinstance(choice, str | bool) for choice in space.choices)


def without(text: str, match: re.Match[str], models: Sequence[str]) -> str:
    """Blank a wish, and the models that it alone is about, in a text of which the length stays."""
    before, after = text[: match.start()], _without_head(text[match.end() :], models)
    if not re.search(any_of([*words.ONLY, *words.TRY, *words.NEVER]), re.split(r"[;,.]", before)[-1]):
        before = _without_tail(before, models)
    return before + " " * (len(text) - len(before) - len(after)) + after


def _without_tail(text: str, models: Sequence[str]) -> str:
    """Cut off the models that are named right before a wish: `for xgboost:`, `xgboost's`."""
    while True:
        starts = [match.start() for match in re.finditer(r"\b[\w-]+", text)][-4:]
        start = next((at for at in reversed(starts) if named_models(text[at:], models)), None)
        if start is None or re.search(r"[;,.]", text[start:]):
            return text
        text = re.sub(r"\b(?:for|of|with|fur|bei|pour|para|and|und|et|y)\s*$", "", text[:start])


def _without_head(text: str, models: Sequence[str]) -> str:
    """Cut off the models that are named right after a wish: `for xgboost`, `of the forest`."""
    match = re.match(r"\s+(?:for|in|of|with|fur|bei|von|pour|de|para|en)\s[^,;.]*", text)
    return text[match.end() :] if match and named_models(match.group(), models) else text
