"""The ledger: what is reserved always fits, what was used counts over all sessions, nobody is warned twice."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from automl_gpt.agent.clock import Clock
from automl_gpt.agent.ledger import Ledger, check_money, request_tokens, text_tokens
from automl_gpt.agent.llm.exchange import Query
from automl_gpt.cards.errors import UserError
from automl_gpt.cards.language_model import LanguageModelCard
from automl_gpt.cards.prices import save_price
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.state import RunState, fold

MODEL = "openai:x"
PRICE = LanguageModelCard(name=MODEL, input_usd=2, cached_input_usd=0.5, output_usd=8)
WORDS = "Which of these models fits a table of 891 rows best, and why?\n"
Begin = Callable[..., RunState]


@pytest.fixture
def begin(begun: list[e.Event]) -> Begin:
    """Begin a run with a budget, asked of a language model."""

    def make(controller: str = MODEL, **budget: float | None) -> RunState:
        request = e.Request(controller=controller, budget=e.Budget.model_validate(budget))
        return fold("r-1", [*begun, e.RequestChanged(request=request)])

    return make


def ledger_of(state: RunState, price: LanguageModelCard | None = PRICE) -> Ledger:
    return Ledger(state, Clock(state.request.budget), price)


def query(text: str = WORDS, tokens_out: int = 500) -> Query:
    return Query("revise", "tools", (e.Message(role="user", text=text),), tokens_out=tokens_out)


def ask(state: RunState, ledger: Ledger, sent: Query, model: str = MODEL) -> int:
    tokens_in, cost = ledger.estimate(sent)
    call = len(state.asked) + 1
    state.apply(
        e.LLMAsked(
            call=call, purpose=sent.purpose, model=model, mode=sent.mode, context_tokens=8192, output_tokens=2048,
            prompt_version="1", messages=sent.messages, tools=sent.tools, tokens_in=tokens_in,
            tokens_out=sent.tokens_out, cost_usd=cost,
        )
    )  # fmt: skip
    return call


def answer(state: RunState, ledger: Ledger, call: int, tokens_in: int, tokens_out: int, **more: object) -> None:
    cost = ledger.cost(tokens_in, 0, tokens_out)
    figures = {"counted": True, "cost_usd": cost, "seconds": 0.5, **more}
    state.apply(e.LLMAnswered.model_validate(dict(call=call, tokens_in=tokens_in, tokens_out=tokens_out) | figures))


# ------------------------------------------------------------------------------------------------------------- estimate


def test_no_text_is_estimated_at_less_than_its_length_or_its_numbers_tell() -> None:
    assert text_tokens("") == 0
    assert text_tokens("a" * 320) == 100
    assert text_tokens("模型" * 100) >= 180
    assert text_tokens("0.8731, 0.91\n" * 100) >= 900
    assert text_tokens("\ud800") >= 1


def test_messages_calls_and_schemas_all_count() -> None:
    schema = {"name": "assign_model", "parameters": {"type": "object", "description": WORDS * 10}}
    call = e.Call(name="revise", arguments={"reason": WORDS * 10})
    plain = request_tokens((e.Message(role="user", text=WORDS),))
    assert request_tokens((e.Message(role="user", text=WORDS),), (schema,)) > plain + text_tokens(WORDS * 10)
    assert request_tokens((e.Message(role="assistant", text=WORDS, calls=(call,)),)) > plain + text_tokens(WORDS * 10)


def test_an_estimate_is_corrected_by_what_the_same_model_counted_before(begin: Begin) -> None:
    state = begin()
    ledger = ledger_of(state)
    before, cost = ledger.estimate(query(WORDS * 20))
    assert cost == pytest.approx((2 * before + 8 * 500) / 1e6)
    answer(state, ledger, ask(state, ledger, query(WORDS * 20)), before * 2, 10)
    assert ledger.estimate(query(WORDS * 20))[0] == pytest.approx(2 * before * 1.1, abs=2)
    other = begin()
    call = ask(other, ledger_of(other), query(WORDS * 20), model="openai:other")
    answer(other, ledger_of(other), call, before * 2, 10)
    call = ask(other, ledger_of(other), query(WORDS * 20))
    answer(other, ledger_of(other), call, before * 2, 10, counted=False)
    assert ledger_of(other).estimate(query(WORDS * 20))[0] == before


@pytest.mark.parametrize(("figure", "least", "most"), [(10**9, 4.0, 4.0), (1, 0.5, 0.5)])
def test_an_absurd_figure_of_a_server_corrects_within_bounds(
    begin: Begin, figure: int, least: float, most: float
) -> None:
    state = begin()
    ledger = ledger_of(state)
    before = ledger.estimate(query(WORDS * 20))[0]
    answer(state, ledger, ask(state, ledger, query(WORDS * 20)), figure, 1)
    assert least * before - 1 <= ledger.estimate(query(WORDS * 20))[0] <= most * before + 1


def test_the_call_with_the_most_tokens_for_its_length_corrects_the_estimate(begin: Begin) -> None:
    state = begin()
    ledger = ledger_of(state)
    before = ledger.estimate(query())[0]
    for figure in (before, before * 3, before * 2):
        answer(state, ledger, ask(state, ledger, query()), figure, 1)
    assert ledger.estimate(query())[0] == pytest.approx(before * 3.3, abs=1)


def test_what_a_model_counted_long_ago_is_forgotten(begin: Begin) -> None:
    state = begin()
    ledger = ledger_of(state)
    before = ledger.estimate(query())[0]
    for figure in (before * 3, *[before] * 10):
        answer(state, ledger, ask(state, ledger, query()), figure, 1)
    assert ledger.estimate(query())[0] == pytest.approx(before * 1.1, abs=1)


# -------------------------------------------------------------------------------------------------------------- reserve


def test_without_a_limit_of_tokens_or_money_everything_fits(begin: Begin) -> None:
    state = begin(seconds=60)
    ledger = ledger_of(state, None)
    assert ledger.reserve(query()) is None and not ledger.needs_price()
    assert ledger.fitting(query()) == query()


def test_what_does_not_fit_is_told_with_what_is_left(begin: Begin) -> None:
    state = begin(tokens=700)
    ledger = ledger_of(state)
    answer(state, ledger, ask(state, ledger, query()), 90, 10)
    assert ledger.reserve(query(tokens_out=500)) is None
    told = ledger.reserve(query(tokens_out=5000))
    assert told is not None and told.startswith("600 of 700 tokens are left, a call may need 5,0")
    money = ledger_of(begin(cost_usd=0.001))
    assert (money.reserve(query()) or "").startswith("0.001 of 0.001 USD are left, a call may cost 0.004")


def test_money_without_a_price_asks_for_one_and_lets_nothing_through(begin: Begin) -> None:
    ledger = ledger_of(begin(cost_usd=1.0), None)
    assert ledger.needs_price()
    assert ledger.reserve(query()) == "the price of openai:x is unknown, and the budget is 1 USD"
    assert ledger.fitting(query()) is None
    assert not ledger_of(begin(cost_usd=1.0)).needs_price()
    assert not ledger_of(begin("builtin", cost_usd=1.0), None).needs_price()


def test_an_answer_is_shortened_to_what_fits_but_not_below_two_hundred_tokens(begin: Begin) -> None:
    tokens_in = ledger_of(begin()).estimate(query())[0]
    for room, expected in ((500, 500), (350, 350), (200, 200), (199, None), (0, None)):
        shorter = ledger_of(begin(tokens=tokens_in + room)).fitting(query())
        assert (shorter.tokens_out if shorter else None) == expected
        cost = PRICE.cost(tokens_in, 0, room)
        shorter = ledger_of(begin(cost_usd=cost + 1e-9)).fitting(query())
        assert (shorter.tokens_out if shorter else None) == expected
    assert ledger_of(begin(tokens=tokens_in + 60)).fitting(query(tokens_out=50)) == query(tokens_out=50)
    free = PRICE.model_copy(update={"output_usd": 0})
    assert ledger_of(begin(cost_usd=0.01), free).fitting(query()) == query()
    assert ledger_of(begin(cost_usd=1e-9), free).fitting(query()) is None


def play(state: RunState, chance: random.Random, ratio: float, rude: float) -> list[tuple[int, float]]:
    """Ask until nothing fits; return what had been used after each call. `ratio` tells how a server really counts."""
    used: list[tuple[int, float]] = []
    budget = state.request.budget
    for _ in range(300):
        ledger = ledger_of(state)  # a new one for each call, as after a resume
        sent = ledger.fitting(query(WORDS * chance.randint(1, 40), chance.randint(50, 1500)))
        if sent is None:
            break
        estimate, cost = ledger.estimate(sent)
        before = ledger.usage()
        assert budget.tokens is None or before.tokens + estimate + sent.tokens_out <= budget.tokens
        assert budget.cost_usd is None or before.known_usd + (cost or 0) <= budget.cost_usd
        call = ask(state, ledger, sent)
        if chance.random() > 0.1:
            raw = request_tokens(sent.messages)
            out = int(chance.uniform(0, sent.tokens_out) * rude)
            answer(state, ledger, call, max(1, int(raw * ratio)), out, counted=chance.random() > 0.2)
        after = ledger.usage()
        used.append((after.tokens, after.known_usd))
    assert ledger_of(state).fitting(query(WORDS * 40, 1500)) is None
    return used


@pytest.mark.parametrize("seed", range(40))
def test_the_sum_of_all_calls_never_passes_the_budget(begin: Begin, seed: int) -> None:
    chance = random.Random(seed)
    state = begin(
        tokens=chance.choice([None, chance.randint(1, 60_000)]),
        cost_usd=chance.uniform(0.0, 0.3) if seed % 2 else None,
    )
    if state.request.budget.tokens is None and state.request.budget.cost_usd is None:
        state = begin(tokens=20_000)
    budget = state.request.budget
    for tokens, cost in play(state, chance, ratio=chance.uniform(0.4, 1.0), rude=1.0):
        assert tokens <= (budget.tokens or tokens) and cost <= (budget.cost_usd or cost)


@pytest.mark.parametrize("seed", range(40))
def test_a_server_that_counts_more_than_was_asked_for_ends_it_at_the_first_call_too_many(
    begin: Begin, seed: int
) -> None:
    chance = random.Random(seed)
    state = begin(tokens=30_000) if seed % 2 else begin(cost_usd=0.1)
    used = play(state, chance, ratio=chance.uniform(1.5, 20), rude=chance.uniform(1, 5))
    beyond = [u for u in used if u[0] > 30_000] if seed % 2 else [u for u in used if u[1] > 0.1]
    assert len(beyond) <= 1 and beyond == used[len(used) - len(beyond) :]


def test_a_budget_that_the_person_raises_or_lowers_counts_at_once(begin: Begin) -> None:
    state = begin(tokens=10)
    ledger = ledger_of(state)
    assert ledger.fitting(query()) is None
    wider = state.request.model_copy(update={"budget": e.Budget(tokens=10_000)})
    state.apply(e.RequestChanged(request=wider))
    assert ledger.fitting(query()) == query()


# ---------------------------------------------------------------------------------------------------------------- usage


def test_a_run_that_asked_no_language_model_used_nothing(begin: Begin) -> None:
    used = ledger_of(begin(), None).usage()
    assert (used.tokens, used.cached, used.cost_usd, used.calls, used.seconds) == (0, 0, 0.0, 0, 0.0)


def test_usage_sums_what_servers_counted_and_what_was_asked_without_an_answer(begin: Begin) -> None:
    state = begin()
    ledger = ledger_of(state)
    answer(state, ledger, ask(state, ledger, query()), 100, 20, tokens_cached=60, cost_usd=0.25)
    answer(state, ledger, ask(state, ledger, query()), 0, 0, failure="refused", cost_usd=None, counted=False)
    lost = ask(state, ledger, query(tokens_out=300))
    tokens_in, cost = ledger.estimate(query(tokens_out=300))
    used = ledger_of(state).usage()
    assert (used.tokens_in, used.tokens_out, used.cached) == (100 + tokens_in, 320, 60)
    assert used.cost_usd == used.known_usd == pytest.approx(0.25 + (cost or 0))
    assert (used.calls, used.seconds) == (3, 1.0)
    answer(state, ledger, lost, 30, 5, tokens_cached=-4, cost_usd=0.5)
    assert (ledger.usage().tokens, ledger.usage().cached, ledger.usage().cost_usd) == (155, 60, 0.75)


def test_one_unknown_price_makes_the_cost_unknown_until_the_price_of_that_model_is_told(begin: Begin) -> None:
    state = begin(cost_usd=1.0)
    blind = ledger_of(state, None)
    answer(state, blind, ask(state, blind, query()), 1000, 100, tokens_cached=400)
    assert blind.usage().cost_usd is None and blind.usage().known_usd == 0
    priced = ledger_of(state)
    assert priced.usage().cost_usd == pytest.approx(PRICE.cost(1000, 400, 100))
    other = PRICE.model_copy(update={"name": "openai:other"})
    assert ledger_of(state, other).usage().cost_usd is None


def test_figures_below_zero_count_as_none(begin: Begin) -> None:
    state = begin(tokens=1000)
    ledger = ledger_of(state)
    answer(state, ledger, ask(state, ledger, query()), -5000, -10, cost_usd=None, seconds=-1)
    assert (ledger.usage().tokens, ledger.usage().cost_usd, ledger.usage().seconds) == (0, 0.0, 0.0)


# ------------------------------------------------------------------------------------------------------------- warnings


def warn(state: RunState, ledger: Ledger) -> list[tuple[str, float]]:
    told = ledger.warnings()
    for event in told:
        state.apply(event)
    return [(event.what, event.share) for event in told]


def test_each_threshold_is_warned_of_once_and_only_the_highest(begin: Begin) -> None:
    state = begin(tokens=1000, cost_usd=1.0)
    ledger = ledger_of(state)
    steps = [(499, 0.1), (1, 0.0), (10, 0.0), (310, 0.75), (300, 0.3), (1, 0.0)]
    told: list[list[tuple[str, float]]] = []
    for tokens, cost in steps:
        answer(state, ledger, ask(state, ledger, query()), tokens, 0, cost_usd=cost)
        told.append(warn(state, ledger))
    assert told == [
        [],
        [("tokens", 0.5)],
        [],
        [("tokens", 0.8), ("cost_usd", 0.8)],
        [("tokens", 1.0), ("cost_usd", 1.0)],
        [],
    ]
    assert warn(state, ledger_of(state)) == []


def test_a_budget_that_was_raised_after_a_warning_is_not_warned_of_at_a_lower_share(begin: Begin) -> None:
    state = begin(tokens=1000)
    ledger = ledger_of(state)
    answer(state, ledger, ask(state, ledger, query()), 900, 0)
    assert warn(state, ledger) == [("tokens", 0.8)]
    state.apply(e.RequestChanged(request=state.request.model_copy(update={"budget": e.Budget(tokens=1500)})))
    assert warn(state, ledger) == []
    answer(state, ledger, ask(state, ledger, query()), 600, 0)
    assert warn(state, ledger) == [("tokens", 1.0)]


def test_a_warning_says_what_is_used_of_what(begin: Begin) -> None:
    state = begin(seconds=100.0, tokens=10)
    ledger = Ledger(state, Clock(state.request.budget, spent=85.0), None)
    ask(state, ledger, query(tokens_out=50))
    seconds, tokens = ledger.warnings()
    assert (seconds.what, seconds.share, seconds.limit) == ("seconds", 0.8, 100) and 85 <= seconds.used < 100
    assert (tokens.what, tokens.share, tokens.limit) == ("tokens", 1.0, 10) and tokens.used >= 50


def test_without_limits_nobody_is_warned(begin: Begin) -> None:
    state = begin(seconds=None)
    ledger = Ledger(state, Clock(state.request.budget, spent=1e9), PRICE)
    answer(state, ledger, ask(state, ledger, query()), 10**9, 10**9)
    assert ledger.warnings() == []


# ---------------------------------------------------------------------------------------------------------- the request


def test_money_for_a_model_of_unknown_price_names_the_card_to_write(tmp_path: Path) -> None:
    limited, unlimited = e.Request(budget=e.Budget(cost_usd=2.5)), e.Request()
    file = tmp_path / "cards" / "ollama-org-x.yaml"
    with pytest.raises(UserError) as told:
        check_money(limited, "ollama:org/x", None, tmp_path / "cards")
    assert str(told.value) == (
        f"the budget is 2.5 USD and the price of ollama:org/x is unknown: write {file} with `name: ollama:org/x`, "
        "`input_usd:` and `output_usd:` (USD per million tokens)"
    )
    with pytest.raises(UserError, match="the price of openai:gpt-5 at localhost:8000 is unknown"):
        check_money(limited, "openai:gpt-5", "localhost:8000", tmp_path / "cards")
    for model, endpoint in (("builtin", None), ("openai:gpt-5", None), ("openai:gpt-5", "api.openai.com")):
        check_money(limited, model, endpoint, tmp_path / "cards")
    check_money(unlimited, "ollama:org/x", None, tmp_path / "cards")
    assert save_price(tmp_path / "cards", "ollama:org/x", 0, 0) == file
    check_money(limited, "ollama:org/x", "localhost:11434", tmp_path / "cards")
