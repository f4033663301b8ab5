"""From a run's trials to the folder that is delivered: models, manifest and Model Card, all or nothing."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

from automl_gpt.cards.errors import UserError
from automl_gpt.tools.data.prepared import Layout
from automl_gpt.tools.deliver.bundle import (
    CARD,
    MANIFEST,
    PASSAGES,
    WHOLE,
    BundleMember,
    Manifest,
    fold_folder,
    hashes,
    whole_folder,
)
from automl_gpt.tools.deliver.inputs import INPUTS
from automl_gpt.tools.evaluate.words import sentence
from automl_gpt.tools.journal.events import Member
from automl_gpt.tools.journal.state import RunState
from automl_gpt.tools.train.protocol import ANSWER_TASKS
from automl_gpt.tools.train.refit import WORTH


def export(run_folder: Path, state: RunState, layout: Layout) -> Path:
    """Write RUN/model from the chosen ensemble and return it; an older one there is replaced in one step.

    The files of the models are hard links where the disk allows it, so they cost no space. The Model Card tells what
    the state knows: call `write_model_card` again after the look at the test split. Raises UserError where files of a
    member are gone or the disk is full.
    """
    assert state.ensemble is not None, "nothing was chosen to deliver"
    folder = run_folder / "model"
    fresh = run_folder / f".model-{os.getpid()}"
    try:
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        members = tuple(_add_member(fresh, run_folder, state, member) for member in state.ensemble.members)
        if (run_folder / "data" / "passages.arrow").is_dir():
            _link(run_folder / "data" / "passages.arrow", fresh / PASSAGES)
        manifest = _manifest(fresh, state, layout, members)
        (fresh / MANIFEST).write_text(manifest.model_dump_json(indent=1), encoding="utf-8")
        write_model_card(fresh, state)
        _replace(fresh, folder)
    except OSError as error:
        shutil.rmtree(fresh, ignore_errors=True)
        raise UserError(
            f"{folder}: the model can't be saved ({error.strerror or error}): free space, then resume"
        ) from error
    return folder


def write_model_card(folder: Path, state: RunState) -> Path:
    """Write MODEL_CARD.md (after Mitchell et al., 2019) from what is known so far; no cell of the data is in it."""
    text = _template().render(
        state=state,
        profile=state.need_profile(),
        metric=state.need_metric(),
        card=state.data_card,
        members=[(state.trials[m.trial], m.weight) for m in state.ensemble.members] if state.ensemble else [],
        test=state.test,
    )
    fresh = folder / f".{CARD}.{os.getpid()}"
    fresh.write_text(text, encoding="utf-8")
    return fresh.replace(folder / CARD)


def _template() -> Any:
    import jinja2

    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=loader, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
    )
    environment.filters["md"] = plain
    environment.filters["sentence"] = sentence
    environment.filters["figure"] = _figure
    return environment.get_template("model_card.md.j2")


def _figure(value: float | None) -> str:
    return "none" if value is None else f"{value:.5g}"


def plain(text: object) -> str:
    """Return text that Markdown shows as it is, on one line: a column may be called anything."""
    line = " ".join(str(text).split())
    return re.sub(r"([\\`*_{}\[\]<>#|$~&])", r"\\\1", line)


def _add_member(fresh: Path, run_folder: Path, state: RunState, member: Member) -> BundleMember:
    source = run_folder / "trials" / f"{member.trial:04d}"
    told = json.loads((source / "trial.json").read_text(encoding="utf-8"))
    trial = state.trials[member.trial]
    folds = 1 if state.need_profile().task in ANSWER_TASKS else int(told["folds"])  # answers have no mean
    for fold in range(folds):
        _link(source / f"fold_{fold}", fold_folder(fresh, member.trial, fold))
    whole = state.ensemble is not None and member.trial in state.ensemble.whole
    if whole:
        _link(source / WHOLE, whole_folder(fresh, member.trial))
    return BundleMember(
        whole=WORTH if whole else 0.0,
        trial=member.trial,
        weight=member.weight,
        trainer=told["trainer"],
        model=trial.model,
        folds=folds,
        hyperparameters=trial.hyperparameters,
    )


def _link(source: Path, target: Path) -> None:
    """Hard-link a folder of finished files, which nobody changes any more; copy where links are not possible."""
    for path in sorted(source.rglob("*")):
        place = target / path.relative_to(source)
        if path.is_dir():
            place.mkdir(parents=True, exist_ok=True)
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            place.hardlink_to(path)
        except OSError:
            shutil.copy2(path, place)
    if not target.is_dir():
        raise FileNotFoundError(2, f"the models in {source} are gone")


def _manifest(fresh: Path, state: RunState, layout: Layout, members: tuple[BundleMember, ...]) -> Manifest:
    assert state.ensemble is not None
    tabular = layout.modality == "tabular"
    columns = {} if tabular else {r: n for r, n in layout.encoder["columns"].items() if r in INPUTS[layout.task]}
    return Manifest(
        run=state.run,
        modality=layout.modality,
        task=layout.task,
        target=layout.target,
        labels=layout.labels,
        positive=layout.positive,
        metric=state.need_metric().name,
        encoder=layout.encoder if tabular else {},
        columns=columns,
        members=members,
        decision_weights=state.ensemble.decision_weights,
        versions=state.started.versions,
        files=hashes(fresh),
    )


def _replace(fresh: Path, folder: Path) -> None:
    """Put the new folder in place; a reader sees the old one or the new one."""
    old = folder.with_name(f".old-model-{os.getpid()}")
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
