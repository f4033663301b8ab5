"""Every way in which a language model fails, in the planning of a run: what the person sees, what the run does, the
seconds that it loses.

    python -m benchmarks.failures [--time 60] [--only NAME …] [--markdown]

Each failure of tests/servers/faults.py is played by a server at every request, then at the first one only, and so are
the bad addresses; `Session.plan()` has to decide all the same, within a budget of `--time` seconds, of which a decision
may take a tenth while nothing trains. Strange usage figures come with answers that are valid. What can only go wrong
later (values out of range, the same proposals again) is played through a run of six short trials. Seconds lost are the
wall clock beyond that of the same plan with a model that answers well; in a run, whose training takes now more and now
less, those from asking to the refusal of what was answered.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table
from rich.text import Text

from automl_gpt.agent import Session
from automl_gpt.agent.screen.lines import lines
from automl_gpt.tools.journal import events as e
from automl_gpt.tools.journal.state import RunState
from automl_gpt.tools.journal.store import Journal, Stored, open_journal
from automl_gpt.tools.process.client import Server
from tests.servers.controller_player import SPOILS, player
from tests.servers.openai_server import FAULTS, MODEL, UNKNOWN_HOST, OpenAIServer, Received, Reply, refused_url

NAME = f"openai:{MODEL}"
TRIALS = 6
QUICK = ("k_nearest_neighbours",)
HEALTHY_PLANS = 5
TOLD = (e.LLMAnswered, e.DecisionRefused, e.ControllerSwitched, e.ToolCalled, e.BudgetWarned)
"""Events whose lines tell of a model's doings."""
Play = Callable[[Received], Reply]


@dataclass(frozen=True)
class Failure:
    """One failure: `at(once)` opens the address where it happens; `trains` says that it takes a run, not a plan."""

    name: str
    at: Callable[[bool], AbstractContextManager[str]]
    trains: bool = False
    can_recover: bool = True


@dataclass(frozen=True)
class Outcome:
    """What one plan or run showed and did, its wall clock, and the seconds until answers were refused."""

    told: list[str]
    did: str
    wall: float
    refusals: float


# ------------------------------------------------------------------------------------------------------- the failures


@contextlib.contextmanager
def served(play: Play, **options: object) -> Generator[str]:
    """Serve a play function."""
    with OpenAIServer(play, **options) as server:  # type: ignore[arg-type]
        yield server.url


def of_reply(name: str, reply: Reply) -> Failure:
    """Answer with the same reply again and again, or at first; with valid ones where only the usage is strange."""

    def at(once: bool) -> AbstractContextManager[str]:
        play, asked = player(), list[Received]()
        odd = player(reply=Reply(usage=reply.usage)) if reply.usage != "counted" else None

        def answer(request: Received) -> Reply:
            asked.append(request)
            if once and len(asked) > 1:
                return play(request)
            return odd(request) if odd else reply

        return served(answer)

    return Failure(name.replace("_", " "), at)


def out_of_range() -> Failure:
    """Propose values far from every range, again and again, or at first."""

    def at(once: bool) -> AbstractContextManager[str]:
        play, spoiled = player(models=QUICK), list[Received]()

        def answer(request: Received) -> Reply:
            reply = play(request)
            if reply.calls[0][0] != "propose_hyperparameters" or (once and spoiled):
                return reply
            spoiled.append(request)
            return SPOILS["far_off"](reply)

        return served(answer)

    return Failure("out of range", at, trains=True)


def failures() -> list[Failure]:
    """Return all, in the order of FAULTS, the addresses first."""
    addresses = [
        Failure("connection refused", lambda _: contextlib.nullcontext(refused_url()), can_recover=False),
        Failure("unknown host", lambda _: contextlib.nullcontext(UNKNOWN_HOST), can_recover=False),
        Failure("distrusted certificate", lambda _: served(player(), tls=True), can_recover=False),
        Failure("wrong key", lambda _: served(player(), key="the right one"), can_recover=False),
    ]
    replies = [of_reply(name, reply) for name, reply in FAULTS.items() if name not in ("out_of_range", "same_again")]
    same = Failure(
        "the same proposals again", lambda _: served(player(models=QUICK, repeat=True)), trains=True, can_recover=False
    )
    return [*addresses, *replies, out_of_range(), same]


# ------------------------------------------------------------------------------------------------------- what happens


class Bench:
    """Plans and drives runs on one small table, with one journal and one worker server."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self.seconds, self.journal = seconds, open_journal(folder=folder / "home")
        self.card, self.server = write_card(folder), Server()

    def close(self) -> None:
        """End the worker server and close the journal."""
        self.server.close()
        self.journal.close()

    def outcome(self, url: str, trains: bool) -> Outcome:
        """Plan a run with the model at an address; or drive it to its end."""
        os.environ["OPENAI_BASE_URL"] = url
        budget = e.Budget(seconds=None, trials=TRIALS) if trains else e.Budget(seconds=self.seconds)
        told: Counter[str] = Counter()
        with self.session(self.journal, budget) as session:
            began = time.monotonic()
            _hear(session.plan(), session, told)
            if trains:
                session.approve()
                _hear(session.drive(), session, told)
            wall, state = time.monotonic() - began, session.need_state()
        shown = [f"{line} (×{n})" if n > 1 else line for line, n in told.items()]
        return Outcome(shown, did(state), wall, refusals(self.journal.events(state.run)))

    def session(self, journal: Journal, budget: e.Budget) -> Session:
        """Begin a session on the table."""
        session = Session(journal, e.Request(budget=budget, workers=1, controller=NAME), server=self.server)
        session.read(str(self.card))
        return session

    def healthy(self) -> float:
        """Return the seconds of a plan with a model that answers well, the median of some."""
        walls: list[float] = []
        for _ in range(1 + HEALTHY_PLANS):
            with served(player()) as url:
                walls.append(self.outcome(url, False).wall)
        # The first one imports what the others find.
        return statistics.median(walls[1:])


def refusals(stored: Iterable[Stored]) -> float:
    """Return the seconds from asking for decisions to the refusal of what was answered."""
    asked = lost = 0.0
    for _, at, event in stored:
        if isinstance(event, e.DecisionAsked):
            asked = at
        elif isinstance(event, e.DecisionRefused):
            lost += at - asked
    return lost


def write_card(folder: Path) -> Path:
    """Write a table of 240 rows, two noisy classes, and its card; two folds, so that trials are short."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(0)
    x = rng.normal(size=(240, 4))
    label = np.where(x[:, 0] + x[:, 1] * x[:, 2] + 0.5 * rng.normal(size=240) > 0, "yes", "no")
    pd.DataFrame(x, columns=list("abcd")).assign(label=label).to_csv(folder / "small.csv", index=False)
    card = folder / "small.yaml"
    card.write_text("source: small.csv\ntarget: label\nsplit: {kind: random, folds: 2}\n", "utf-8")
    return card


def _hear(events: Iterable[e.Event], session: Session, told: Counter[str]) -> None:
    for event in events:
        if isinstance(event, TOLD):
            told.update(line.plain for line in lines(event, session.need_state()) if isinstance(line, Text))


def did(state: RunState) -> str:
    """Say who decided, after how many requests, and whether the model is asked again."""
    deciders = {
        "assigned": [made.by for made in state.assignments],
        "proposed": [t.proposal.by for t in state.ordered() if t.proposal.by != "opening"],
        "predicted": [t.prediction.by for t in state.ordered() if t.prediction],
    }
    who = [f"{what} by {_named(by)}" for what, by in deciders.items() if by]
    pauses = [
        re.search(r"tried again in (\d+) s", switch.reason) for switch in state.switches if switch.to == "builtin"
    ]
    rest = [f"left alone for {last[1]} s" if last else "not asked again" for last in pauses[-1:]]
    count, tokens = len(state.asked), sum(a.tokens_in + a.tokens_out for a in state.answered.values())
    end = [f"delivered {state.finished.model}"] if state.finished else []
    asked = f"{count} request{'s' * (count != 1)}, {tokens:,} tokens"
    return "; ".join([", ".join(who), asked, *rest, *end])


def _named(by: list[str]) -> str:
    names = {"builtin": "the built-in one", NAME: "the model"}
    return " and ".join(dict.fromkeys(names.get(name, name) for name in by))


# -------------------------------------------------------------------------------------------------------------- print


@dataclass(frozen=True)
class Row:
    """A line of the table. Seconds are beyond those of a model that answers well; None: not measured."""

    name: str
    told: list[str]
    did: str
    lost: float
    lost_once: float | None


HEADS = ("failure, at every request", "what the person sees", "what the run does", "seconds lost", "if it is once")


def cells(row: Row) -> tuple[str, str, str, str, str]:
    """Return the texts of a row's cells."""
    lost = [f"{max(0.0, s):.1f}" if s is not None else "" for s in (row.lost, row.lost_once)]
    return row.name, "\n".join(row.told) or "nothing", row.did, *lost  # type: ignore[return-value]


def markdown(rows: Iterable[Row]) -> str:
    """Return the table as Markdown."""
    written = [f"| {' | '.join(HEADS)} |", "|---|---|---|---|---|"]
    for row in rows:
        written.append("| " + " | ".join(c.replace("|", "\\|").replace("\n", "<br>") for c in cells(row)) + " |")
    return "\n".join(written)


def show(rows: Iterable[Row], console: Console) -> None:
    """Print the table."""
    table = Table(*HEADS, show_lines=True)
    for row in rows:
        table.add_row(*cells(row))
    console.print(table)


def measure(bench: Bench, failure: Failure, healthy: float) -> Row:
    """Play a failure always, and once."""
    with failure.at(False) as url:
        always = bench.outcome(url, failure.trains)
    once: Outcome | None = None
    if failure.can_recover:
        with failure.at(True) as url:
            once = bench.outcome(url, failure.trains)
    lost = [o.refusals if failure.trains else o.wall - healthy for o in (always, once) if o is not None]
    return Row(failure.name, always.told, always.did, lost[0], lost[1] if once else None)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--time", type=float, default=60.0, help="budget of each plan in seconds")
    parser.add_argument("--only", nargs="*", default=None, metavar="NAME", help="failures by name; default: all")
    parser.add_argument("--markdown", action="store_true", help="print Markdown instead of the table")
    options = parser.parse_args()
    os.environ["OPENAI_API_KEY"] = "sk-test-0123456789"
    chosen = [f for f in failures() if options.only is None or f.name in options.only]
    began, load = time.monotonic(), psutil.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), options.time)
        healthy = bench.healthy()
        rows: list[Row] = []
        for failure in chosen:
            rows.append(measure(bench, failure, healthy))
            print(f"{rows[-1].name}: {rows[-1].lost:.1f} s", file=sys.stderr)
        bench.close()
    took = time.monotonic() - began
    print(f"load before {load:.1f}; {took:.0f} s in all; a healthy plan takes {healthy:.2f} s", file=sys.stderr)
    if options.markdown:
        print(markdown(rows))
    else:
        show(rows, Console(highlight=False, width=None if sys.stdout.isatty() else 200))


if __name__ == "__main__":
    main()
