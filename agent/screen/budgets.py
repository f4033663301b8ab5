"""What a run may cost and what it has cost, in words: budgets, limits, tokens, money."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from automl_gpt.agent.ledger import Usage
from automl_gpt.agent.screen.text import UNICODE, Glyphs, plain, span
from automl_gpt.tools.journal.events import Budget, BudgetWarned, Request
from automl_gpt.tools.journal.limits import limit_words
from automl_gpt.tools.journal.state import RunState


class Spender(Protocol):
    """What tells a run's time, who decides in it, and what that has cost."""

    @property
    def controller(self) -> str:
        """The controller in force."""
        ...

    @property
    def endpoint(self) -> str:
        """The host that requests to its model go to; empty where none leave the machine's own programs."""
        ...

    def elapsed(self) -> float:
        """Return the seconds used."""
        ...

    def usage(self) -> Usage:
        """Return what language models have used."""
        ...


def budget_words(budget: Budget) -> str:
    """Return a budget in words."""
    parts = [
        span(budget.seconds) if budget.seconds is not None else "",
        f"{budget.trials} trial{'s' * (budget.trials != 1)}" if budget.trials is not None else "",
        f"{budget.tokens:,} tokens" if budget.tokens is not None else "",
        f"{budget.cost_usd:g} USD" if budget.cost_usd is not None else "",
    ]
    return ", ".join(filter(None, parts)) or "no limit"


def limits_words(request: Request) -> list[str]:
    """Return each limit of a request in words: of hyperparameters, of the model's size and speed."""
    found = [plain(limit_words(limit)) for limit in request.limits]
    found += [f"model at most {request.megabytes:g} MB"] if request.megabytes is not None else []
    speed = request.seconds_per_1000
    return found + ([f"at most {speed:g} s for 1,000 predictions"] if speed is not None else [])


def usd(value: float) -> str:
    """Return money, small amounts with the digits that they have."""
    return f"{value:,.2f} USD" if value >= 1 or not value else f"{value:.2g} USD"


def money_words(usage: Usage, limit: float | None = None) -> str:
    """Return what calls have cost, and of which limit; an unknown price is said to be unknown."""
    of = f" of {usd(limit)}" if limit is not None else ""
    if usage.cost_usd is not None:
        return usd(usage.cost_usd) + of
    known = f"; {usd(usage.known_usd)}{of} for the calls with a known price" if usage.known_usd else ""
    return f"unknown price{known}"


def tokens_words(usage: Usage, limit: int | None = None) -> str:
    """Return the tokens of all calls, and of which limit."""
    of = f" of {limit:,}" if limit is not None else ""
    return f"{usage.tokens_in + usage.tokens_out:,}{of} tokens"


def calls_words(calls: int) -> str:
    """Return a number of calls."""
    return f"{calls:,} call{'s' * (calls != 1)}"


def estimate_rows(spender: Spender, state: RunState) -> list[tuple[str, str]]:
    """Return, for the plan, who decides, where requests go and what that has cost; nothing without a model."""
    usage, budget, name = spender.usage(), state.request.budget, state.request.controller
    if name == "builtin" and not usage.calls:
        return []
    rows = [("decides", spender.controller)]
    if name != "builtin":
        where = f"{name} at {spender.endpoint}" if spender.endpoint else name
        rows = [("asks", where if spender.controller == name else f"{where}; for now {spender.controller} decides")]
    return [*rows, ("so far", _spent(usage, budget))]


def spent_words(spender: Spender) -> str:
    """Return what language models have cost; empty where none was asked."""
    usage = spender.usage()
    return _spent(usage, Budget()) if usage.calls else ""


def _spent(usage: Usage, budget: Budget) -> str:
    return f"{calls_words(usage.calls)}, {tokens_words(usage, budget.tokens)}, {money_words(usage, budget.cost_usd)}"


def cost_rows(spender: Spender, state: RunState, glyphs: Glyphs = UNICODE) -> list[tuple[str, str]]:
    """Return what a run has cost, and what of its budget: time, tokens, money, calls, and all that per ended trial."""
    usage, budget, elapsed = spender.usage(), state.request.budget, spender.elapsed()
    rows = [("time", f"{span(elapsed, glyphs)}{_of(budget.seconds, elapsed, span)}")]
    if not usage.calls:
        return [*rows, ("tokens", "none: no language model was asked")]
    cached = f" ({usage.cached:,} of them cached)" if usage.cached else ""
    spent = _of(budget.tokens, usage.tokens_in + usage.tokens_out, "{:,.0f}".format)
    rows.append(("tokens", f"{usage.tokens_in:,} in{cached}, {usage.tokens_out:,} out{spent}"))
    rows.append(("money", money_words(usage, budget.cost_usd)))
    rows.append(("calls", f"{calls_words(usage.calls)}, answered in {span(usage.seconds, glyphs)}"))
    ended = sum(t.end is not None for t in state.ordered())
    if ended:
        money = usd(usage.cost_usd / ended) if usage.cost_usd is not None else "unknown price"
        tokens = f"{(usage.tokens_in + usage.tokens_out) / ended:,.0f} tokens"
        rows.append(("per trial", f"{tokens}, {money}, {span(elapsed / ended, glyphs)} ({ended} ended)"))
    return rows


def _of(limit: float | None, used: float, words: Callable[[float], str]) -> str:
    return f"; {words(max(0.0, limit - used))} of {words(limit)} left" if limit is not None else ""


def warning_words(event: BudgetWarned) -> str:
    """Return how much of which budget is used."""
    name, limit = {
        "seconds": ("time", span(event.limit)),
        "tokens": ("tokens", f"{event.limit:,.0f}"),
        "cost_usd": ("money", usd(event.limit)),
    }[event.what]
    return f"{name}: {event.share:.0%} of {limit} used"
