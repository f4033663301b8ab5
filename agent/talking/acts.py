"""What a language model may do for the person in a conversation: every act is one argument model and one function.

What narrows is done at once, and shown; what spends, widens, writes files or cannot be taken back is asked for first.
All of it goes through the Session, so that the same validation holds as for the person's own commands.
"""

from __future__ import annotations

from pydantic import Field

from automl_gpt.agent.asking import seed_of
from automl_gpt.agent.decisions import Arguments, Situation, ToolCall
from automl_gpt.agent.prompts.quoting import cleaned, quoted
from automl_gpt.agent.request import open_trials
from automl_gpt.agent.screen.budgets import budget_words
from automl_gpt.agent.talking.act import Act, Scene
from automl_gpt.agent.validation import validate
from automl_gpt.cards.errors import ToolError
from automl_gpt.cards.schema import CategoricalRange, Hyperparameters, ModelCard, Range, Scalar
from automl_gpt.tools.base import Context
from automl_gpt.tools.deliver.predict import default_out
from automl_gpt.tools.evaluate.metrics import METRICS, fitting
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.limits import limit_words, limited, with_limit
from automl_gpt.tools.journal.state import RunState
from automl_gpt.tools.tune.search.assignment import eligible

LONGEST_SECONDS = 366 * 86400.0
LONGEST_WISHES = 600
"""Characters of wishes that every paragraph carries."""
PREDICTIONS = "predictions"
"""The folder in the run's own where predictions go whose place the person did not name."""


# ------------------------------------------------------------------------------------------------------- the request


class SetBudget(Arguments):
    """Change what the run may cost. What is left out stays."""

    seconds: float | None = Field(default=None, gt=0, le=LONGEST_SECONDS)
    trials: int | None = Field(default=None, ge=1, le=10**6)
    tokens: int | None = Field(default=None, ge=1, le=10**12)
    cost_usd: float | None = Field(default=None, ge=0, le=10**6)


def _set_budget(wanted: SetBudget, scene: Scene) -> str:
    now, named = scene.session.request.budget, wanted.model_dump(exclude_none=True)
    if not named:
        raise ToolError("set_budget: name seconds, trials, tokens or cost_usd")
    budget = now.model_copy(update=named)
    if any(getattr(now, name) is not None and value > getattr(now, name) for name, value in named.items()):
        scene.ask(f"Raise the budget from {budget_words(now)} to {budget_words(budget)}?")
    scene.session.change(budget=budget)
    return f"the budget is {budget_words(budget)}"


class SetMetric(Arguments):
    """Judge models by another metric."""

    name: str


def _set_metric(wanted: SetMetric, scene: Scene) -> str:
    state = scene.need_idle()
    if wanted.name not in METRICS:
        task = state.need_profile().task
        raise ToolError(f"there is no metric {wanted.name[:60]!r}; fitting are: {', '.join(fitting(task))}")
    scene.ask(f"Judge by {wanted.name} instead of {state.need_metric().name}?")
    scene.session.change(metric=wanted.name)
    return f"the metric is {wanted.name}"


class UseModels(Arguments):
    """Try only these Model Cards from now on; an empty list: all that fit."""

    models: list[str]


def _use_models(wanted: UseModels, scene: Scene) -> str:
    now, new = set(scene.session.request.models), set(wanted.models)
    if now and (not new or new - now):
        scene.ask(f"Try {', '.join(wanted.models) or 'all models'} instead of {', '.join(sorted(now))} alone?")
    scene.session.change(models=tuple(dict.fromkeys(wanted.models)))
    return f"only {', '.join(wanted.models)} will be tried" if wanted.models else "all models that fit may be tried"


class LimitSearch(Arguments):
    """Keep a hyperparameter within `low` to `high`, or to some `choices`, from now on; without any: lift its limit."""

    parameter: str
    model: str | None = Field(default=None, description="leave out for all models")
    low: float | None = None
    high: float | None = None
    choices: list[Scalar] = Field(default_factory=list[Scalar], max_length=30)


def _limit_search(wanted: LimitSearch, scene: Scene) -> str:
    limit = e.Limit(
        parameter=wanted.parameter, model=wanted.model, low=wanted.low, high=wanted.high, choices=tuple(wanted.choices)
    )
    session = scene.session
    cards = session.need_state().started.model_cards
    before, after = session.request.limits, with_limit(session.request.limits, limit)
    if _wider(limited(cards, before), limited(cards, after)):
        scene.ask(f"Allow {limit_words(limit)}, which is more than before?")
    session.change(limits=after)
    return f"code now enforces: {limit_words(limit)}; proposals outside it are withdrawn or refused"


def _wider(before: dict[str, ModelCard], after: dict[str, ModelCard]) -> bool:
    """Say whether any hyperparameter may take a value that it could not take before."""
    pairs = ((name, p, space) for name, card in after.items() for p, space in card.search_space.items())
    return any(_adds(before[name].search_space.get(parameter), space) for name, parameter, space in pairs)


def _adds(old: Range | None, new: Range) -> bool:
    if isinstance(new, CategoricalRange):
        return not isinstance(old, CategoricalRange) or not all(map(old.contains, new.choices))
    return old is None or isinstance(old, CategoricalRange) or new.low < old.low or new.high > old.high


class LimitSize(Arguments):
    """Limit what the delivered model may cost."""

    megabytes: float | None = Field(default=None, gt=0, le=1e9)
    seconds_per_1000: float | None = Field(default=None, gt=0, le=1e9, description="seconds for 1,000 predictions")


def _limit_size(wanted: LimitSize, scene: Scene) -> str:
    named, now = wanted.model_dump(exclude_none=True), scene.session.request
    if not named:
        raise ToolError("limit_size: name megabytes or seconds_per_1000")
    words = " and ".join(f"{name.replace('_', ' ')} at most {value:g}" for name, value in named.items())
    if any(getattr(now, name) is not None and value > getattr(now, name) for name, value in named.items()):
        scene.ask(f"Allow the model more than before: {words}?")
    scene.session.change(**named)
    return f"code now enforces of the delivered model: {words}"


class NoteWish(Arguments):
    """Keep a wish that no other tool can enforce: every later decision reads it."""

    quote: str = Field(min_length=1, max_length=300, description="the wish, word for word as the person wrote it")


def _note_wish(wanted: NoteWish, scene: Scene) -> str:
    """Keep nothing but the person's own words: what a model makes up would count as theirs in every prompt."""
    quote, now = cleaned(wanted.quote), scene.session.request.require
    if not any(quote.casefold() in cleaned(text).casefold() for text in scene.said()):
        raise ToolError("note_wish: the person did not write that: quote a part of their words, letter by letter")
    if quote.casefold() in now.casefold():
        return "that wish is noted already"
    together = f"{now}; {quote}" if now else quote
    if len(together) > LONGEST_WISHES:
        raise ToolError(f"the wishes so far take {len(now)} of {LONGEST_WISHES} characters: there is no room for more")
    scene.session.change(require=together)
    return "noted: every later decision reads it; nothing enforces it"


class UseController(Arguments):
    """Let another controller decide and talk: `builtin` or PROVIDER:MODEL."""

    name: str = Field(max_length=200)


def _use_controller(wanted: UseController, scene: Scene) -> str:
    cost = "" if wanted.name == "builtin" else ", which may cost money, and reads the prompts from now on"
    scene.ask(f"Let {cleaned(wanted.name)} decide instead of {scene.session.controller}{cost}?")
    scene.session.change(controller=wanted.name)
    return f"{wanted.name} decides from now on"


# ------------------------------------------------------------------------------------------------ trials and training


class ProposeTrial(Arguments):
    """Put a configuration that the person wants among the trials; its log is predicted before it trains."""

    model: str
    hyperparameters: Hyperparameters = Field(default_factory=dict, description="what differs from the defaults")


def _propose_trial(wanted: ProposeTrial, scene: Scene) -> str:
    state = _open(scene)
    if not state.assigned:
        raise ToolError("no models are assigned yet: note the wish, or use_models; the plan comes with start_training")
    configuration = {**wanted.model_dump(), "reason": "the person's wish"}
    call = ToolCall("propose_hyperparameters", {"configurations": [configuration]})
    situation = Situation("propose_hyperparameters", state, eligible(state))
    proposed = validate(call, situation, "person", lambda trial: seed_of(state, trial))
    scene.session.record(*proposed)
    return f"trial {max(state.trials)} is proposed; its log is predicted next, and it trains as the budget allows"


class WithdrawTrials(Arguments):
    """Take back proposals that are not trained yet; an empty list: all."""

    trials: list[int] = Field(default_factory=list[int])


def _withdraw_trials(wanted: WithdrawTrials, scene: Scene) -> str:
    waiting = {trial.number: trial for trial in open_trials(_open(scene))}
    numbers = wanted.trials or list(waiting)
    wrong = [number for number in numbers if number not in waiting]
    if wrong or not numbers:
        there = ", ".join(map(str, waiting)) or "none"
        raise ToolError(f"trial {wrong[0] if wrong else ''} can't be taken back; waiting for training: {there}")
    scene.session.record(*(e.TrialWithdrawn(trial=number) for number in dict.fromkeys(numbers)))
    return f"taken back: {', '.join(map(str, numbers))}"


def _open(scene: Scene) -> RunState:
    state = scene.session.need_state()
    if state.finished is not None:
        raise ToolError(f"run {state.run} is finished: new trials need a new run, which /data CARD begins")
    return state


class StartTraining(Arguments):
    """Plan and train, once your answer is over; the chat shows the plan and asks the person first."""


def _start_training(_: StartTraining, scene: Scene) -> str:
    scene.need_idle()
    state = _open(scene)
    if state.approved:
        left = scene.session.seconds_left()
        time = "without a time limit" if left is None else f"for up to {left:.0f} s"
        scene.ask(f"Go on training {time} (budget {budget_words(state.request.budget)})?")
    scene.then.append("/go")
    return "once your answer is over the chat shows the plan, asks the person, and trains"


class FinishRun(Arguments):
    """End the search and deliver the best of what is trained, once your answer is over."""


def _finish_run(_: FinishRun, scene: Scene) -> str:
    scene.need_idle()
    best = _open(scene).best()
    if best is None:
        raise ToolError("no trial is complete yet, so there is nothing to deliver: start_training trains")
    scene.ask(f"End the search, and deliver the best so far (trial {best.number}, {best.model})?")
    scene.then.append("/finish")
    return "once your answer is over the chat ends the search and delivers"


# ------------------------------------------------------------------------------------------------------------- files


class PredictFile(Arguments):
    """Predict the rows of a file that the person named with the finished run's model, into a new file."""

    file: str = Field(description="as the person wrote it")
    out: str | None = Field(default=None, description="only where the person named it")


def _predict_file(wanted: PredictFile, scene: Scene) -> str:
    session, state = scene.session, scene.need_idle()
    session.model_folder(state.run)
    folder = session.journal.run_folder(state.run) / PREDICTIONS
    context = Context(folder, named=scene.named())
    file = context.readable(wanted.file)
    out = context.writable(wanted.out) if wanted.out else default_out(file)
    replaces = ", replacing the file that is there" if out.exists() else ""
    scene.ask(f"Predict the rows of {file}, and write them to {out}{replaces}?")
    if out.parent == folder.resolve():
        out.parent.mkdir(parents=True, exist_ok=True)
    done = session.predict(file, out)
    notes = "; ".join(quoted(note, 200) for note in done.notes[:5])
    return f"{done.rows} rows are predicted, in {done.out}" + (f"; notes: {notes}" if notes else "")


class WriteReport(Arguments):
    """Write the run's report as an HTML file into the run's folder."""


def _write_report(_: WriteReport, scene: Scene) -> str:
    state = scene.need_idle()
    scene.ask(f"Write the report of {state.run} into its folder?")
    return f"the report is written: {scene.session.report()}"


ACTS: tuple[Act, ...] = (
    Act("set_budget", SetBudget, _set_budget),
    Act("set_metric", SetMetric, _set_metric),
    Act("use_models", UseModels, _use_models),
    Act("limit_search", LimitSearch, _limit_search),
    Act("limit_size", LimitSize, _limit_size),
    Act("note_wish", NoteWish, _note_wish),
    Act("propose_trial", ProposeTrial, _propose_trial),
    Act("withdraw_trials", WithdrawTrials, _withdraw_trials),
    Act("start_training", StartTraining, _start_training),
    Act("finish_run", FinishRun, _finish_run),
    Act("predict_file", PredictFile, _predict_file),
    Act("write_report", WriteReport, _write_report),
    Act("use_controller", UseController, _use_controller),
)
"""All acts; what is not here can't be done."""
