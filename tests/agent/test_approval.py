from __future__ import annotations

import io
from collections.abc import Callable, Iterable

import pytest
from rich.console import Console

from automl_gpt.agent.screen import Screen, read_answer
from automl_gpt.agent.screen.approval import APPROVAL, approval, assignments, changes
from automl_gpt.cards.errors import ToolError, UserError
from automl_gpt.cards.schema import Hyperparameters, ModelCard
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.state import RunState
from automl_gpt.tools.log import Interval, Row, TrainingLog

CARD = ModelCard.model_validate(
    {
        "name": "boosted",
        "tasks": ["classification"],
        "trainer": "boosted",
        "search_space": {
            "rate": {"type": "float", "low": 0.001, "high": 1.0, "log": True, "default": 0.1},
            "depth": {"type": "int", "low": 1, "high": 12, "default": 6},
            "kind": {"type": "categorical", "choices": ["plain", "very fancy", True, 32], "default": "plain"},
        },
        "resources": {"seconds": 1.0},
    }
)
BEFORE: Hyperparameters = {"rate": 0.1 + 0.2, "depth": 6, "kind": "plain"}


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("y", "yes"), ("YES!", "yes"), ("ja", "yes"), ("e", "edit"), ("Edit", "edit"),
        ("a", "always"), ("immer", "always"),
        ("n", "no"), ("", "no"), (None, "no"), ("later", "no"), ("yes but", "no"), ("\x1b[A", "no"),
    ],
)  # fmt: skip
def test_only_a_clear_yes_is_one(said: str | None, answer: str) -> None:
    assert read_answer(said) == answer


def test_hyperparameters_are_edited_as_name_and_value() -> None:
    assert assignments({**BEFORE, "kind": "very fancy"}) == "rate=0.3 depth=6 kind='very fancy'"
    assert changes(CARD, BEFORE, "rate=0.01, depth = 3 kind='very fancy'") == {
        "rate": 0.01, "depth": 3, "kind": "very fancy"
    }  # fmt: skip
    assert changes(CARD, BEFORE, "kind=TRUE") == {"kind": True}
    assert changes(CARD, BEFORE, "kind=32") == {"kind": 32}


def test_what_was_left_as_it_stood_is_no_change_though_it_was_shown_rounded() -> None:
    assert changes(CARD, BEFORE, assignments(BEFORE)) == {}
    assert changes(CARD, BEFORE, "") == {}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("rate", "'rate' is no name=value, such as rate=0.3"),
        ("speed=3", "boosted has no hyperparameter 'speed'; it has: rate, depth, kind"),
        ("rate=fast", "boosted: rate = 'fast' is not legal; legal: 0.001 to 1 (log scale)"),
        ("depth=2.5", "boosted: depth = '2.5' is not legal; legal: 1 to 12"),
        ("depth=" + "9" * 5000, "legal: 1 to 12"),
        ("kind=odd", "legal: one of plain, very fancy, True, 32"),
        ("kind='unclosed", "legal: one of plain"),
    ],
)
def test_a_wrong_value_is_told_with_what_is_legal(text: str, told: str) -> None:
    with pytest.raises(UserError) as raised:
        changes(CARD, BEFORE, text)
    assert told in str(raised.value) and len(str(raised.value)) < 200


# --------------------------------------------------------------------------------------------------- the conversation


class Answers:
    """A person with prepared answers; `questions` are those that were asked, with what was begun."""

    def __init__(self, present: bool, *answers: str | None) -> None:
        self.present, self.answers = present, list(answers)
        self.questions: list[tuple[str, str]] = []

    def ask(self, question: str, choices: Iterable[str] = (), begun: str = "") -> str | None:
        self.questions.append((question, begun))
        return self.answers.pop(0) if self.answers else None


def predicted(number: int) -> e.TrialPredicted:
    rows = tuple(
        Row(step=s, metrics={"valid": 0.6 + s / 100}, intervals={"valid": Interval(low=0.5, high=0.9)})
        for s in (1, 9, 20)
    )
    log = TrainingLog(origin="predicted", metric="roc_auc", direction="maximize", rows=rows)
    return e.TrialPredicted(
        trial=number, log=log, value=0.8, low=0.7, high=0.9, seconds=2, megabytes=9, train=True, reason="", by="builtin"
    )


def proposed(number: int, model: str, values: Hyperparameters, by: str = "opening") -> e.TrialProposed:
    return e.TrialProposed(trial=number, model=model, hyperparameters=values, reason="", by=by, seed=1)


@pytest.fixture
def planned(begun: list[e.Event]) -> RunState:
    """A run with two predicted trials: the baseline and a real one."""
    started = begun[0].model_copy(update={"model_cards": (CARD.model_copy(update={"name": "baseline"}), CARD)})
    state = RunState("r-1", started, started.request)  # type: ignore[arg-type]
    for event in begun[1:]:
        state.apply(event)
    for number, model in ((1, "baseline"), (2, "boosted")):
        state.apply(proposed(number, model, CARD.default()))
        state.apply(predicted(number))
    return state


Ask = Callable[..., tuple[str, str, Answers]]


@pytest.fixture
def ask(planned: RunState) -> Ask:
    """Ask for the approval of the plan; return what came of it, what the person saw, and the person."""

    def edit(number: int, wanted: Hyperparameters) -> list[e.Event]:
        full = CARD.complete({**planned.trials[number].hyperparameters, **wanted})
        new = max(planned.trials) + 1
        events: list[e.Event] = [
            e.TrialWithdrawn(trial=number), proposed(new, "boosted", full, "person"), predicted(new)
        ]  # fmt: skip
        for event in events:
            planned.apply(event)
        return events

    def asked(*answers: str | None, present: bool = True) -> tuple[str, str, Answers]:
        console = Console(file=io.StringIO(), width=60, highlight=False, _environ={})
        person = Answers(present, *answers)
        came = approval(Screen(console, live=False), planned, person, edit)
        return came, console.file.getvalue(), person  # type: ignore[attr-defined]

    return asked


def test_the_question_offers_four_answers_and_shows_the_plan_first(ask: Ask) -> None:
    came, seen, person = ask("a")
    assert came == "always"
    assert "2 trials first, about 4.0 s of training" in seen
    assert "trial 2  boosted: rate 0.1, depth 6, kind plain" in seen
    assert person.questions == [(APPROVAL, "")] and APPROVAL == "Train? [y]es / [e]dit / [n]o / [a]lways"


def test_an_edit_happens_in_place_and_the_plan_is_shown_anew_with_its_predicted_log(
    ask: Ask, planned: RunState
) -> None:
    came, seen, person = ask("e", "", "rate=0.05 depth=6 kind=plain", "y")
    assert came == "yes"
    assert person.questions[1:3] == [("trial to edit [2]:", ""), ("trial 2 boosted:", "rate=0.1 depth=6 kind=plain")]
    assert planned.trials[3].hyperparameters == {"rate": 0.05, "depth": 6, "kind": "plain"}
    assert planned.trials[2].status == "withdrawn"
    assert seen.count("2 trials first") == 2
    assert "trial 3  boosted: rate 0.05, depth 6, kind plain" in seen
    assert "trial 3 boosted" in seen and "┄" in seen


def test_another_trial_than_the_first_real_one_can_be_edited(ask: Ask, planned: RunState) -> None:
    ask("e", "1", "depth=2", "n")
    assert planned.trials[1].status == "withdrawn" and planned.trials[2].status == "predicted"


def test_a_wrong_value_gets_one_line_and_the_question_again_with_what_was_typed(ask: Ask, planned: RunState) -> None:
    _, seen, person = ask("e", "2", "depth=99", "depth=9", "n")
    assert "boosted: depth = 99 is not legal; legal: 1 to 12" in " ".join(seen.split())
    assert person.questions[3] == ("trial 2 boosted:", "depth=99")
    assert planned.trials[3].hyperparameters["depth"] == 9


def test_after_three_wrong_values_the_plan_stays_and_the_first_question_comes_back(ask: Ask, planned: RunState) -> None:
    came, seen, person = ask("e", "", "depth=99", "depth=98", "depth=97", "y")
    assert came == "yes" and list(planned.trials) == [1, 2]
    assert seen.count("is not legal") == 3
    assert [question for question, _ in person.questions][-1] == APPROVAL


def test_through_a_pipe_the_next_line_names_trial_and_values(ask: Ask, planned: RunState) -> None:
    came, _, person = ask("e", "2 depth=3", "yes", present=False)
    assert came == "yes" and planned.trials[3].hyperparameters["depth"] == 3
    assert [begun for _, begun in person.questions] == ["", "", ""]


def test_through_a_pipe_a_trial_that_does_not_wait_is_told(ask: Ask, planned: RunState) -> None:
    came, seen, _ = ask("e", "7 depth=3", "1 depth=3", "no", present=False)
    assert "trial 7 does not wait for its training; there are: 1, 2" in " ".join(seen.split())
    assert came == "no" and planned.trials[1].status == "withdrawn"


@pytest.mark.parametrize("answers", [("e", None), ("e", "", None), ("e", "", ""), (None,)])
def test_no_answer_changes_nothing_and_trains_nothing(ask: Ask, planned: RunState, answers: tuple[str | None]) -> None:
    came, _, _ = ask(*answers)
    assert came == "no" and list(planned.trials) == [1, 2]


def test_where_nothing_waits_there_is_nothing_to_edit(ask: Ask, planned: RunState) -> None:
    planned.apply(e.TrialWithdrawn(trial=1))
    planned.apply(e.TrialWithdrawn(trial=2))
    assert "there is nothing to edit" in ask("e", "n")[1]


def test_a_tool_error_of_the_edit_is_told_like_any_other(planned: RunState) -> None:
    def refuse(_number: int, _wanted: Hyperparameters) -> list[e.Event]:
        raise ToolError("the limit on depth is 4")

    console = Console(file=io.StringIO(), width=60, _environ={})
    person = Answers(True, "e", "", "depth=5", None, "n")
    assert approval(Screen(console, live=False), planned, person, refuse) == "no"
    assert "the limit on depth is 4" in console.file.getvalue()  # type: ignore[attr-defined]
