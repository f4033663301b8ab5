"""What the searchable tables say about a run, derived event by event: the same while it is written and when rebuilt."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pydantic_core import to_json

from automl_gpt.cards.errors import StoreError
from automl_gpt.tools.data.report import Profile
from automl_gpt.tools.evaluate.metrics import METRICS
from automl_gpt.tools.experience.record import CURVE_POINTS, thinned
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.past import forget_own, keep_own
from automl_gpt.tools.journal.state import TRIVIAL
from automl_gpt.tools.journal.tables import tables, upsert

if TYPE_CHECKING:
    from sqlalchemy import Connection, Update


_ABOUT_LENGTH, _DESCRIPTION_LENGTH = 1000, 700
"""Characters of the text about a data set that are kept, and of its description in it, so that columns find room."""
_MOST_TOKENS = 10**12
"""What a single call is counted as at the most, so that no server's figure is too large for a column."""


def as_text(value: Any) -> str:
    """Write a value as JSON in which NaN and infinities are strings, which the records read back as numbers."""
    return to_json(value, inf_nan_mode="strings").decode()


def read_event(run: str, seq: int, body: str) -> e.Event:
    """Read a stored event; StoreError where it can't be one of ours."""
    try:
        return e.EVENT.validate_json(body)
    except ValidationError as error:
        problem = (
            f"event {seq} of run {run} can't be read: the journal is damaged, or of a newer automl-gpt (upgrade it)"
        )
        raise StoreError(problem) from error


def _number(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value


class Derivation:
    """Writes what the events of one run change in `runs`, `trials` and `datasets`, within a transaction."""

    def __init__(self, connection: Connection, run: str) -> None:
        self.connection, self.run, self.tables = connection, run, tables()

    def begin(self, events: int) -> None:
        """Insert the row of a run that has so many events, all else to be derived; IntegrityError where it exists."""
        row = {"run": self.run, "events": events, "started": 0.0, "name": "", "status": "running", "controller": ""}
        zeros = {"trials": 0, "seconds": 0.0, "tokens_in": 0, "tokens_out": 0, "cost_usd": 0.0}
        self.connection.execute(self.tables.runs.insert().values(**row, **zeros, hyperparameters="{}"))

    def apply(self, event: e.Event, time: float) -> None:
        """Write what one event changes."""
        change = _CHANGES.get(event.kind)
        if change is not None:
            change(self, event, time)

    def update_run(self, **values: Any) -> None:
        """Change the run's row."""
        runs = self.tables.runs
        self.connection.execute(runs.update().where(runs.c.run == self.run).values(**values))

    def update_open_run(self, **values: Any) -> None:
        """Change the run's row unless the run is finished: what its end says stays."""
        runs = self.tables.runs
        self.connection.execute(runs.update().where(runs.c.run == self.run, runs.c.ended.is_(None)).values(**values))

    def trial(self, number: int) -> Update:
        """Return an update of one trial's row."""
        trials = self.tables.trials
        return trials.update().where(trials.c.run == self.run, trials.c.trial == number)

    def start(self) -> e.RunStarted:
        """Return the run's first event, which stands in the journal before all others are derived."""
        from sqlalchemy import select

        stored = self.tables.events.c
        first = select(stored.seq, stored.body).where(stored.run == self.run).order_by(stored.seq).limit(1)
        seq, body = self.connection.execute(first).one()
        event = read_event(self.run, seq, body)
        assert isinstance(event, e.RunStarted), f"run {self.run} does not begin with its start"
        return event

    def refresh(self) -> None:
        """Derive the run's best trial, its baseline and the number of its scored trials."""
        from sqlalchemy import func, select

        t, runs = self.tables.trials.c, self.tables.runs.c
        of_run = (t.run == self.run, t.value.is_not(None))
        direction = self.connection.execute(select(runs.direction).where(runs.run == self.run)).scalar_one()
        same = select(t.model, t.hyperparameters, t.value).where(*of_run, t.metric == self._of_run("metric"))
        order = t.value.desc() if direction == "maximize" else t.value.asc()
        best = self.connection.execute(same.where(t.complete).order_by(order, t.trial).limit(1)).first()
        trivial = self.connection.execute(same.where(t.model == TRIVIAL).order_by(t.trial).limit(1)).first()
        count = self.connection.execute(select(func.count()).where(*of_run)).scalar_one()
        self.update_run(best=best.value if best else None, baseline=trivial.value if trivial else None)
        self.update_open_run(
            trials=count,
            model=best.model if best else None,
            hyperparameters=best.hyperparameters if best else "{}",
            valid=best.value if best else None,
        )

    def spent(self, seconds: float) -> None:
        """Raise the seconds that the run has used; they never fall."""
        from sqlalchemy import case

        used = self.tables.runs.c.seconds
        self.update_open_run(seconds=case((used < seconds, seconds), else_=used))

    def _of_run(self, column: str) -> Any:
        from sqlalchemy import select

        runs = self.tables.runs.c
        return select(runs[column]).where(runs.run == self.run).scalar_subquery()

    def propose(self, event: e.TrialProposed) -> None:
        """Write a trial's row, of the run's metric as it is now."""
        row: dict[str, Any] = {"run": self.run, "trial": event.trial, "model": event.model, "status": "proposed"}
        row["hyperparameters"] = as_text(event.hyperparameters)
        upsert(
            self.connection, self.tables.trials, row | {"task": self._of_run("task"), "metric": self._of_run("metric")}
        )

    def average_gap(self) -> None:
        """Derive what the forecasts are worth so far."""
        from sqlalchemy import case, func, select

        t = self.tables.trials.c
        figures = select(func.avg(func.abs(t.error)), func.avg(case((t.covered, 1.0), else_=0.0)))
        mae, coverage = self.connection.execute(figures.where(t.run == self.run, t.error.is_not(None))).one()
        self.update_open_run(forecast_mae=mae, forecast_coverage=coverage)


def _run_started(d: Derivation, event: e.RunStarted, time: float) -> None:
    d.update_run(started=time, name=event.data_card.name, controller=event.request.controller)


def _request_changed(d: Derivation, event: e.RequestChanged, _time: float) -> None:
    d.update_run(controller=event.request.controller)


def _data_profiled(d: Derivation, event: e.DataProfiled, time: float) -> None:
    p, datasets = event.profile, d.tables.datasets
    direction = METRICS[event.metric].direction
    d.update_run(name=p.name, fingerprint=p.fingerprint, task=p.task, metric=event.metric, direction=direction)
    row = {"fingerprint": p.fingerprint, "name": p.name, "task": p.task, "profiled": time}
    row |= {"meta": as_text(p.meta.model_dump()), "about": about_data(d.start(), p)}
    upsert(d.connection, datasets, row, newer=datasets.c.profiled <= time)
    d.refresh()


def about_data(start: e.RunStarted, profile: Profile) -> str:
    """Say in a text what a data set is about: by it, similar ones are found."""
    inputs = ", ".join(column.name for column in profile.columns if column.role == "input")
    described = start.data_card.description[:_DESCRIPTION_LENGTH]
    parts = (profile.name, f"target: {profile.target}", described, f"inputs: {inputs}")
    lines = [" ".join(part.replace("\0", " ").split()) for part in parts]
    return "\n".join(line for line in lines if line)[:_ABOUT_LENGTH]


def _trial_proposed(d: Derivation, event: e.TrialProposed, _time: float) -> None:
    d.propose(event)


def _trial_predicted(d: Derivation, event: e.TrialPredicted, _time: float) -> None:
    figures = {"predicted": _number(event.value), "low": _number(event.low), "high": _number(event.high)}
    d.connection.execute(d.trial(event.trial).values(status="predicted" if event.train else "skipped", **figures))


def _trial_started(d: Derivation, event: e.TrialStarted, _time: float) -> None:
    d.connection.execute(d.trial(event.trial).values(status="running", curve=None))


def _rows_logged(d: Derivation, event: e.RowsLogged, _time: float) -> None:
    """Keep the log of the first fold; while it grows a few times as many rows as are kept in the end."""
    from sqlalchemy import select

    new = [(row.step, row.metrics["valid"]) for row in event.rows if row.fold == 0 and "valid" in row.metrics]
    if not new:
        return
    t = d.tables.trials.c
    kept = d.connection.execute(select(t.curve).where(t.run == d.run, t.trial == event.trial)).scalar()
    curve = thinned([*json.loads(kept or "[]"), *new], 4 * CURVE_POINTS)
    d.connection.execute(d.trial(event.trial).values(curve=json.dumps(curve)))


def _trial_finished(d: Derivation, event: e.TrialFinished, time: float) -> None:
    value = _number(event.value)
    status = "failed" if event.status == "running" else event.status
    scored = time if status == "finished" and value is not None else None
    measured = {"seconds": event.seconds, "megabytes": event.megabytes, "complete": event.complete}
    d.connection.execute(d.trial(event.trial).values(status=status, value=value, scored=scored, **measured))
    d.spent(event.at_seconds)
    d.refresh()
    if scored is not None:
        keep_own(d.connection, d.run, event.trial, d.start)


def _logs_compared(d: Derivation, event: e.LogsCompared, _time: float) -> None:
    error = _number(event.gap.error)
    d.connection.execute(d.trial(event.trial).values(error=error, covered=event.gap.covered))
    d.average_gap()


def _revised(d: Derivation, event: e.Revised, _time: float) -> None:
    if event.trial is None:
        return
    nothing = {"value": None, "scored": None, "complete": False, "error": None, "covered": None}
    d.connection.execute(d.trial(event.trial).values(status="predicted", **nothing))
    d.refresh()
    d.average_gap()


def _trial_withdrawn(d: Derivation, event: e.TrialWithdrawn, _time: float) -> None:
    d.connection.execute(d.trial(event.trial).values(status="withdrawn"))


def _interrupted(d: Derivation, _event: e.Interrupted, _time: float) -> None:
    d.update_open_run(status="interrupted")


def _resumed(d: Derivation, event: e.Resumed, _time: float) -> None:
    trials = d.tables.trials
    lost = trials.update().where(trials.c.run == d.run, trials.c.status == "running")
    d.connection.execute(lost.values(status="predicted"))
    d.update_open_run(status="running")
    d.spent(event.spent)


def _test_looked(d: Derivation, event: e.TestLooked, _time: float) -> None:
    from sqlalchemy import select

    runs, datasets = d.tables.runs.c, d.tables.datasets
    of_run = select(runs.fingerprint).where(runs.run == d.run).scalar_subquery()
    looked = datasets.update().where(datasets.c.fingerprint == of_run)
    d.connection.execute(looked.values(looks=datasets.c.looks + 1))
    d.update_run(test=_number(event.value))


def _llm_answered(d: Derivation, event: e.LLMAnswered, _time: float) -> None:
    """Add what a call used; the cost of a run stays unknown once that of a call is."""
    used_in, used_out = (min(max(0, n), _MOST_TOKENS) for n in (event.tokens_in, event.tokens_out))
    cost = _number(event.cost_usd)
    runs = d.tables.runs.c
    total = runs.cost_usd + cost if cost is not None else None if used_in + used_out else runs.cost_usd
    d.update_run(tokens_in=runs.tokens_in + used_in, tokens_out=runs.tokens_out + used_out, cost_usd=total)


def _run_finished(d: Derivation, event: e.RunFinished, time: float) -> None:
    card = event.scorecard
    d.update_run(
        ended=time,
        status=event.status,
        model=event.model,
        hyperparameters=as_text(event.hyperparameters),
        valid=_number(event.valid),
        test=_number(event.test),
        trials=event.trials,
        seconds=event.seconds,
        forecast_mae=_number(card.mae),
        forecast_coverage=_number(card.coverage),
        forecast_rank_correlation=_number(card.rank_correlation),
        artifact=event.artifact,
    )


_CHANGES: dict[str, Callable[[Derivation, Any, float], None]] = {
    "run_started": _run_started,
    "request_changed": _request_changed,
    "data_profiled": _data_profiled,
    "trial_proposed": _trial_proposed,
    "trial_predicted": _trial_predicted,
    "trial_started": _trial_started,
    "rows_logged": _rows_logged,
    "trial_finished": _trial_finished,
    "logs_compared": _logs_compared,
    "revised": _revised,
    "trial_withdrawn": _trial_withdrawn,
    "interrupted": _interrupted,
    "resumed": _resumed,
    "test_looked": _test_looked,
    "llm_answered": _llm_answered,
    "run_finished": _run_finished,
}


def rebuild(connection: Connection) -> None:
    """Derive all searchable tables anew from the events, within a transaction that nobody writes beside."""
    from sqlalchemy import func, select, text

    t, ev = tables(), tables().events.c
    if connection.dialect.name != "sqlite":
        connection.execute(text("LOCK TABLE runs IN EXCLUSIVE MODE"))
    for table in (t.trials, t.datasets, t.runs):
        connection.execute(table.delete())
    forget_own(connection)
    lengths = select(ev.run, func.max(ev.seq)).group_by(ev.run)
    for run, length in connection.execute(lengths).all():
        derivation = Derivation(connection, run)
        derivation.begin(length)
        rows = select(ev.seq, ev.time, ev.body).where(ev.run == run, ev.kind.in_(tuple(_CHANGES))).order_by(ev.seq)
        for seq, time, body in connection.execute(rows).all():
            derivation.apply(read_event(run, seq, body), time)
