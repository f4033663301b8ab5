"""A delivered network as a folder of Hugging Face: weights, configuration, reader, and a model card with metadata."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automl_gpt.tools.deliver.export import plain
from automl_gpt.tools.deliver.network import DeliveredNetwork
from automl_gpt.tools.evaluate.metrics import METRICS
from automl_gpt.tools.evaluate.words import sentence
from automl_gpt.tools.journal.state import RunState
from automl_gpt.tools.train.deep.weights_folder import HUB
from automl_gpt.tools.train.protocol import TaskKind

TAGS: dict[TaskKind, str] = {
    "token-classification": "token-classification",
    "question-answering": "question-answering",
    "detection": "object-detection",
    "text-generation": "text-generation",
    "retrieval": "sentence-similarity",
}
"""What the hub calls the tasks; classification and regression are called by what they read."""
LICENSES = (
    "apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0",
    "cc-by-nc-sa-4.0", "gpl-2.0", "gpl-3.0", "agpl-3.0", "lgpl-3.0", "mpl-2.0", "openrail", "unlicense",
)  # fmt: skip
"""Licences that the hub knows by these ids; any other is given by its name."""


@dataclass(frozen=True)
class Origin:
    """What a run knows of an exported network; empty where the run is not at hand."""

    data: str = ""
    license: str = ""
    base_model: str = ""
    valid: float | None = None
    test: float | None = None


def origin(state: RunState, network: DeliveredNetwork) -> Origin:
    """Return what the run tells of the network. Its test score is known where the network is the delivered model."""
    delivered = [m.trial for m in state.ensemble.members] if state.ensemble else []
    alone = network.exact and delivered == [network.member.trial]
    card = next((c for c in state.started.model_cards if c.name == network.member.model), None)
    source = card.source if card and card.source else ""
    return Origin(
        data=state.data_card.name or state.need_profile().name,
        license=(card.license if card and card.license else state.data_card.license) or "",
        base_model=_hub_id(source),
        valid=state.trials[network.member.trial].value,
        test=state.test.value if state.test and alone else None,
    )


def _hub_id(source: str) -> str:
    """Return the hub's id of weights; empty for those of a folder."""
    if source.startswith(HUB):
        return source.removeprefix(HUB)
    return source if re.fullmatch(r"[\w.-]+/[\w.-]+", source) and not Path(source).exists() else ""


def write_weights(network: DeliveredNetwork, folder: Path) -> None:
    """Write weights (safetensors), configuration and reader as `from_pretrained` and `pipeline` read them."""
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # the screen is somebody else's
    network.model.save_pretrained(folder)
    network.reader.save_pretrained(folder)


def write_readme(network: DeliveredNetwork, told: Origin, folder: Path, form: str, facts: dict[str, Any]) -> None:
    """Write README.md: the hub's metadata, what the network predicts, and code that uses it.

    `form` is "hf" or "onnx"; `facts` are what only that form's part of the page needs.
    """
    text = _page().render(
        front=_metadata(network, told, form),
        network=network,
        manifest=network.manifest,
        metric=METRICS[network.manifest.metric],
        told=told,
        tag=pipeline_tag(network),
        form=form,
        facts=facts,
    )
    (folder / "README.md").write_text(text, encoding="utf-8")


def pipeline_tag(network: DeliveredNetwork) -> str:
    """Return what the hub calls the network's task."""
    kind = "text" if network.manifest.modality == "text" else "image"
    return TAGS.get(network.manifest.task, f"{kind}-classification")


def _metadata(network: DeliveredNetwork, told: Origin, form: str) -> str:
    """Return the front matter of the hub's model cards; what is unknown is left out."""
    from huggingface_hub import EvalResult, ModelCardData

    known = told.license.lower() in LICENSES
    named: dict[str, Any] = {"license_name": _slug(told.license)} if told.license and not known else {}
    results = [
        EvalResult(
            task_type=pipeline_tag(network),
            dataset_type=_slug(told.data),
            dataset_name=told.data,
            dataset_split=split,
            metric_type=network.manifest.metric,
            metric_value=round(value, 6),
        )
        for split, value in (("validation", told.valid), ("test", told.test))
        if value is not None
    ]
    data = ModelCardData(
        license=(told.license.lower() if known else "other") if told.license else None,
        library_name="onnx" if form == "onnx" else "transformers",
        pipeline_tag=pipeline_tag(network),
        base_model=told.base_model or None,
        tags=["automl-gpt"],
        model_name=_name(network) if results else None,
        eval_results=results or None,
        **named,
    )
    return data.to_yaml()


def _name(network: DeliveredNetwork) -> str:
    return f"{network.manifest.run}-trial-{network.member.trial}"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-") or "data"


def _page() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )
    environment.filters["md"] = plain
    environment.filters["sentence"] = sentence
    return environment.get_template("exported.md.j2")
