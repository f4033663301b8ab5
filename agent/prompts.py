"""The paragraphs that a controller reads: the jinja2 environment, and one function per template.

Whatever comes from cards or data is quoted, cut and marked; of the data themselves only statistics appear.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from automl_gpt.agent.decisions import Situation
from automl_gpt.cards.schema import ModelCard
from automl_gpt.tools.evaluate.scorecard import scorecard
from automl_gpt.tools.journal.events import SimilarTrial
from automl_gpt.tools.journal.state import TRIVIAL, RunState
from automl_gpt.tools.toolbox import TOOLBOX

FOLDER = Path(__file__).resolve().parent.parent / "prompt_templates"
COLUMNS_SHOWN = 30
EXAMPLES_SHOWN = 5
DECISION_TEMPLATES = {
    "assign_model": "assign",
    "propose_hyperparameters": "propose",
    "predict_log": "predict",
    "revise": "revise",
    "finish": "finish",
}


def quoted(value: object, length: int = 120) -> str:
    """Mark text that comes from outside: one line, cut, its own marks and control characters taken out."""
    text = "".join(c if c.isprintable() else " " for c in str(value)).replace("««", "").replace("»»", "")
    text = " ".join(text.split())
    return f"««{text if len(text) <= length else text[: length - 1] + '…'}»»"


def number(value: float | None) -> str:
    """Return a number in at most five significant digits; a dash for none."""
    return "–" if value is None else f"{value:.5g}"


def percent(value: float | None) -> str:
    """Return a share as a percentage; a dash for none."""
    return "–" if value is None else f"{100 * value:.0f}%"


def configuration(values: Mapping[str, object]) -> str:
    """Return hyperparameters on one line."""
    return "{" + ", ".join(f"{k}: {number(v) if isinstance(v, float) else v}" for k, v in values.items()) + "}"


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
        autoescape=False,
    )
    environment.filters.update(quoted=quoted, number=number, percent=percent, configuration=configuration)
    return environment


def _render(template: str, **values: Any) -> str:
    return _environment().get_template(f"{template}.j2").render(**values).strip()


def system() -> str:
    """Return the rules that hold for every decision."""
    return _render("system", tools=[tool.name for tool in TOOLBOX.values() if tool.inspects])


def data_card(state: RunState) -> str:
    """Return the Data Card's paragraph: statistics, findings, quoted text."""
    profile = state.need_profile()
    return _render("data_card", name=profile.name, card=state.data_card, profile=profile, columns=COLUMNS_SHOWN)


def model_card(card: ModelCard) -> str:
    """Return a Model Card's paragraph with its search space."""
    return _render("model_card", card=card)


def request(state: RunState) -> str:
    """Return the request: metric, budget, requirements, the person's own words."""
    return _render(
        "request",
        metric=state.need_metric(),
        folds=state.need_profile().folds,
        budget=state.request.budget,
        require=state.request.require,
        said=[said.text for said in state.said],
    )


def trials(state: RunState) -> str:
    """Return the table of trials, predicted against actual, and what the predictions were worth."""
    shown = [t for t in state.ordered() if t.prediction is not None]
    return _render("trials", trials=shown, metric=state.need_metric(), scorecard=scorecard(state))


def examples(similar: Sequence[SimilarTrial]) -> str:
    """Return the most relevant trials on other data."""
    return _render("examples", trials=similar[:EXAMPLES_SHOWN])


def question(situation: Situation) -> str:
    """Return the decision's own paragraph."""
    state = situation.state
    done = state.done()
    return _render(
        DECISION_TEMPLATES[situation.decision],
        eligible=situation.eligible,
        assigned=state.assigned,
        count=situation.count,
        seconds_left=situation.seconds_left,
        trials=situation.trials,
        best=state.best(),
        last=done[-1] if done else None,
    )


def paragraph(situation: Situation) -> str:
    """Return all that a controller reads for one decision, in the fixed order, the stable parts first."""
    state = situation.state
    names = situation.eligible if situation.decision in ("assign_model", "revise") else state.assigned
    cards = [model_card(state.model_cards[name]) for name in names if name != TRIVIAL]
    parts = [system(), data_card(state), "## Model Cards\n" + "\n".join(cards), request(state), trials(state)]
    parts += [examples(state.experience or ()), question(situation)]
    if situation.problem:
        parts.append(_render("problem", problem=situation.problem))
    return "\n\n".join(parts)
